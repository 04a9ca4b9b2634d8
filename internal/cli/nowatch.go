//go:build nowatch

package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// newWatch returns nil: the tag nowatch leaves the command out, and with it the Kubernetes client, which a function in
// an image has no use for.
func newWatch(io.Writer, io.Writer) *cobra.Command { return nil }

// newAttach returns nil for the same reason.
func newAttach(io.Reader, io.Writer, io.Writer) *cobra.Command { return nil }
