//go:build !nowatch

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/attach"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/usage"
	"debuggable.dev/debuggable/internal/watch"
)

// newAttach is a debug adapter for any editor.
func newAttach(in io.Reader, out, errw io.Writer) *cobra.Command {
	var o watch.Options
	var places workspace
	var port int
	var check string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "attach [NAMESPACE/]POD|WORKLOAD[:CONTAINER]",
		Short: "Be a debug adapter that attaches to a container, and attaches again when it restarts",
		Long: `attach speaks the Debug Adapter Protocol on standard input and output, or on a port. It finds the
container by its annotation, waits until it runs, forwards its debug port, tells the debugger where
the sources are, and when the container restarts or the workload is rolled over, it attaches to the
new one and sets all breakpoints again. The editor's session goes on.

It does so for languages whose debuggers speak that protocol. For others it says what to use.

With --check FILE:LINE it sets one breakpoint, says whether it binds and to which file, and takes it
out again: exit status 0 if it binds, else 1.`,
		Example: `  # For an editor that starts its debug adapter
  debuggable attach shop/web

  # For an editor that connects
  debuggable attach web:app --port 4711

  # For people who wonder, and for CI
  debuggable attach web --check cmd/server/main.go:42 --timeout 2m`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Errorf("attach wants one target: [NAMESPACE/]POD|WORKLOAD[:CONTAINER]")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&port, "port", 0, "listen on this `port` of the loopback interface instead of standard input and output")
	f.StringVar(&check, "check", "", "set one breakpoint at `FILE:LINE`, say whether it binds, and end")
	f.DurationVar(&timeout, "timeout", 0, "give up when the container is not there after this `time` (default: never; "+
		"with --check 2m)")
	f.StringVar(&o.Context, "context", "", "use this `context` of the kubeconfig")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "read this kubeconfig `file` (default: $KUBECONFIG, ~/.kube/config, or "+
		"the pod's own account)")
	places.addFlags(f)
	settings := imageFlags(f)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		target, err := attach.ParseTarget(args[0])
		if err != nil {
			return usage.Errorf("%w", err)
		}
		if f.Changed("port") && check != "" {
			return usage.Errorf("--check ends at once: want it without --port")
		}
		if port < 0 || port > 65535 {
			return usage.Errorf("--port %d is not a port", port)
		}
		if check != "" && timeout == 0 {
			timeout = 2 * time.Minute
		}
		cfg, err := functionconfig.Load(nil, settings)
		if err != nil {
			return fmt.Errorf("reading settings: %w", err)
		}
		finder, err := places.finder(cfg, nil)
		if err != nil {
			return err
		}
		var mu sync.Mutex
		say := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(errw, "debuggable: %s\n", foreign.Line(foreign.Cut(fmt.Sprintf(format, args...), 4000)))
		}
		if target.Namespace != "" {
			o.Namespaces = []string{target.Namespace}
		}
		a := &attach.Attachment{
			Target: target, Say: say, Timeout: timeout, Locate: finder.find,
			Follow: func(ctx context.Context, forward func(debuginfo.Running) bool, look func([]debuginfo.Running) error) error {
				o.PortForward, o.Forward, o.Look, o.Output = true, forward, look, "json"
				return o.Run(ctx, io.Discard, errw)
			},
		}
		switch {
		case check != "":
			checked, err := a.Check(cmd.Context(), check)
			if err != nil {
				return err
			}
			fmt.Fprintln(out, foreign.Line(foreign.Cut(checked.Text, 4000)))
			if !checked.Bound {
				return errReported
			}
			return nil
		case f.Changed("port"):
			err = a.Listen(cmd.Context(), port)
		default:
			err = a.Serve(cmd.Context(), in, out)
		}
		if errors.Is(err, context.Canceled) {
			return nil // told to stop, which is how it ends
		}
		return err
	}
	return cmd
}

// imageFlags adds those of the settings that say where images are found.
func imageFlags(f *pflag.FlagSet) *functionconfig.Flags {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings := functionconfig.AddFlags(all)
	for _, name := range []string{"layout", "archive", "image-configs", "platform"} {
		f.AddFlag(all.Lookup(name))
	}
	return settings
}

// editorFiles keeps an editor's files up to date with what runs.
type editorFiles struct {
	ctx    context.Context
	kind   ide.Kind
	finder *finder
	errw   io.Writer
	said   map[string]bool
}

func newEditorFiles(
	ctx context.Context, kind string, places workspace, settings *functionconfig.Flags, errw io.Writer,
) (*editorFiles, error) {
	k, err := ide.ParseKind(kind)
	if err != nil {
		return nil, usage.Errorf("--ide: %w", err)
	}
	cfg, err := functionconfig.Load(nil, settings)
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	finder, err := places.finder(cfg, nil)
	if err != nil {
		return nil, err
	}
	return &editorFiles{ctx: ctx, kind: k, finder: finder, errw: errw, said: map[string]bool{}}, nil
}

// write brings the files up to date. Of several containers that are the same of a workload, the one that serves best
// counts: the newest that is ready, and of those that are as good the one that started last.
func (e *editorFiles) write(running []debuginfo.Running) error {
	slices.SortStableFunc(running, debuginfo.Compare)
	var containers []ide.Container
	at := map[string]int{}
	for _, r := range running {
		c := ide.FromRunning(r)
		for _, local := range r.Locals {
			c.Port = local
		}
		var err error
		if c.Sources, err = e.finder.find(e.ctx, c); err != nil {
			return err
		}
		key := c.Namespace + "/" + c.Kind + "/" + c.Workload + ":" + c.Name
		if i, ok := at[key]; ok {
			containers[i] = c
			continue
		}
		at[key] = len(containers)
		containers = append(containers, c)
	}
	ide.Sort(containers)
	ide.Assign(containers)
	changed, err := ide.Write(e.kind, e.finder.workspace, containers)
	for _, file := range changed {
		if !e.said[file] {
			e.said[file] = true
			fmt.Fprintf(e.errw, "keeping %s up to date\n", foreign.Line(file))
		}
	}
	return err
}
