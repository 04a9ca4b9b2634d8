//go:build nowatch

package main

import (
	"io"

	"github.com/spf13/cobra"
)

// watchCommand returns nil: the tag nowatch leaves the command out, and with it the Kubernetes client, which a function in an image
// has no use for.
func watchCommand(io.Writer, io.Writer) *cobra.Command { return nil }
