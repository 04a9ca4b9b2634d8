//go:build !never

package main

import (
	"io"

	"github.com/spf13/cobra"
)

func watchCommand(io.Writer, io.Writer) *cobra.Command { return nil }
