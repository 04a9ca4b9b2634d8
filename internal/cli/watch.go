//go:build !nowatch

package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/usage"
	"debuggable.dev/debuggable/internal/watch"
)

// newWatch reports what a cluster runs.
func newWatch(out, errw io.Writer) *cobra.Command {
	var o watch.Options
	var places workspace
	var kind string
	var settings *functionconfig.Flags
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Report debuggable containers of a cluster as they start and stop",
		Long: `Watches the pods that carry the annotation debug.cloud.google.com/config, and prints an event when one of the
containers that it lists starts or ends: lines for people on a terminal, else one JSON object a line.

It needs the right to list and watch pods and, for --port-forward, to create pods/portforward.`,
		Example: `  # The namespace of the current context
  debuggable watch

  # Two namespaces, with a local port for each debugger
  debuggable watch -n shop -n billing --port-forward

  # What runs now, for a script
  debuggable watch -A --once -o json

  # Keep VS Code's launch.json up to date while containers come and go
  debuggable watch --port-forward --ide vscode

  # For an IDE: curl http://127.0.0.1:50052/v1/state
  debuggable watch -A --listen 127.0.0.1:50052 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Serve = cmd.Flags().Changed("listen")
			if kind != "" {
				files, err := newEditorFiles(cmd.Context(), kind, places, settings, errw)
				if err != nil {
					return err
				}
				o.Look = files.write
			} else if places.given() {
				return usage.Errorf("--source and --workspace are for --ide")
			}
			return o.Run(cmd.Context(), out, errw)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.Namespaces, "namespace", "n", nil, "watch this `namespace`; repeatable (default: the context's)")
	f.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "watch all namespaces")
	f.StringVarP(&o.Selector, "selector", "l", "", "watch only pods whose labels match this `selector`")
	f.StringVar(&o.Context, "context", "", "use this `context` of the kubeconfig")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "",
		"read this kubeconfig `file` (default: $KUBECONFIG, ~/.kube/config, or the pod's own account)")
	f.StringVarP(&o.Output, "output", "o", "", "text or json (default: text on a terminal, else json)")
	f.StringVar(&o.Listen, "listen", "", "serve events and state over HTTP on this `address`; :PORT is loopback only")
	f.BoolVar(&o.Once, "once", false, "print what runs now, and end")
	f.BoolVar(&o.PortForward, "port-forward", false,
		"forward each debug port to a free local port, the same number where possible")
	f.StringVar(&kind, "ide", "", "keep the files of this `kind` of editor up to date: "+strings.Join(ide.Kinds(), ", "))
	places.addFlags(f)
	settings = imageFlags(f)
	return cmd
}

// given reports whether one of the flags is.
func (w *workspace) given() bool { return w.dir != "" || len(w.sources) > 0 }
