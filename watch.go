//go:build !nowatch

package main

import (
	"io"

	"github.com/spf13/cobra"

	"debuggable.dev/debuggable/internal/watch"
)

// watchCommand returns the command "watch".
func watchCommand(out, errw io.Writer) *cobra.Command {
	cmd := watch.NewCommand(out, errw)
	cmd.Args = noArgs
	return cmd
}
