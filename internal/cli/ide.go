package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/internal/usage"
)

// newIDE writes what editors need to attach.
func newIDE(in io.Reader, out, errw io.Writer) *cobra.Command {
	var files []string
	var write bool
	var places workspace
	cmd := &cobra.Command{
		Use:   "ide KIND",
		Short: "Write what editors need to attach, with where the sources are",
		Long: `ide reads rewritten manifests and prints what an editor needs to attach to each debuggable
container: vscode (launch.json, which nvim-dap and Zed read too), jetbrains (.run/*.run.xml) or
cloudcode (launch.json, for Cloud Code).

Where a container's sources are is found out from the image, as far as it is at hand (--layout,
--archive), and what is in the directories that --source names: by the module that a program was
built from, or by the contents of files. Where nothing is found, the entry maps the workspace to the
container's working directory, and says that this is guessed.

With --write, the workspace's own files are brought up to date. Entries whose names start with
"debuggable: " are changed, added and removed as the manifests say; everything else, comments and
formatting included, stays as it is.`,
		Example: `  debuggable -f k8s/ > debug.yaml
  debuggable ide vscode -f debug.yaml --write
  kubectl apply -f debug.yaml
  debuggable watch --port-forward`,
		ValidArgs: ide.Kinds(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage.Errorf("unexpected argument %q: ide wants one kind of editor%s", args[1], readingHint(args[1]))
			}
			if len(args) == 0 {
				return usage.Errorf("ide wants one kind of editor: %s", strings.Join(ide.Kinds(), ", "))
			}
			if _, err := ide.ParseKind(args[0]); err != nil {
				return usage.Errorf("%w", err)
			}
			return nil
		},
	}
	flags := functionconfig.AddFlags(cmd.Flags())
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil,
		"file or folder with rewritten manifests at `PATH`, - for standard input; repeatable (default: standard input)")
	cmd.Flags().BoolVar(&write, "write", false, "bring the workspace's files up to date instead of printing")
	places.addFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, err := ide.ParseKind(args[0])
		if err != nil {
			return err
		}
		if len(files) == 0 && terminal.Is(in) {
			return cmd.Help()
		}
		set, err := readManifests(cmd.Context(), files, in)
		if err != nil {
			return err
		}
		cfg, err := functionconfig.Load(set.FunctionConfig, flags)
		if err != nil {
			return fmt.Errorf("reading settings: %w", err)
		}
		containers, err := containersOf(set, errw)
		if err != nil {
			return err
		}
		listed, err := itemEntries(set.Objects(), set.Function)
		if err != nil {
			return err
		}
		finder, err := places.finder(cfg, listed)
		if err != nil {
			return err
		}
		for i := range containers {
			if containers[i].Sources, err = finder.find(cmd.Context(), containers[i]); err != nil {
				return err
			}
		}
		ide.Assign(containers)
		if write {
			changed, err := ide.Write(kind, finder.workspace, containers)
			for _, file := range changed {
				fmt.Fprintf(errw, "wrote    %s\n", foreign.Line(file))
			}
			if err != nil {
				return err
			}
		} else {
			text, err := ide.Print(kind, finder.workspace, containers)
			if err != nil {
				return err
			}
			if _, err := out.Write(text); err != nil {
				return err
			}
		}
		describeEntries(errw, kind, finder.workspace, containers)
		return nil
	}
	return cmd
}

// containersOf are the debuggable containers of manifests.
func containersOf(set *manifest.Set, errw io.Writer) (containers []ide.Container, err error) {
	for _, o := range set.Objects() {
		found, err := ide.Containers(o.Node().YNode())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Where(), err)
		}
		for _, c := range found {
			if c.Possible() {
				containers = append(containers, c)
				continue
			}
			fmt.Fprintf(errw, "none     %s: Kubernetes has no container of this name, workload, namespace or kind\n",
				foreign.Short(c.Workload+":"+c.Name))
		}
	}
	return containers, nil
}

// workspace is what the flags say of this machine.
type workspace struct {
	dir     string
	sources []string
}

func (w *workspace) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&w.sources, "source", nil, "`DIR` with sources; repeatable (default: the git work tree around the "+
		"current directory)")
	f.StringVar(&w.dir, "workspace", "", "`DIR` that the editor has open (default: the git work tree around the current "+
		"directory)")
}

// describeEntries says how each container was dealt with.
func describeEntries(w io.Writer, kind ide.Kind, workspace string, containers []ide.Container) {
	if len(containers) == 0 {
		fmt.Fprintln(w, "note     no container is debuggable: ide reads what debuggable has rewritten")
	}
	ports := false
	for _, c := range containers {
		name := foreign.Short(c.Workload + ":" + c.Name)
		if !kind.Has(c) {
			fmt.Fprintf(w, "none     %s: %s has no entry of its own for %s\n", name, foreign.Short(c.Info.Runtime), kind)
			continue
		}
		ports = ports || c.Port != 0
		for _, line := range describeSources(workspace, c) {
			fmt.Fprintf(w, "%s\n", foreign.Line(line(name)))
		}
	}
	if ports && kind != ide.CloudCode {
		fmt.Fprintln(w, "note     the entries expect the ports to be forwarded: debuggable watch --port-forward")
	}
}

// describeSources says where a container's sources are, in lines that are given its name.
func describeSources(workspace string, c ide.Container) (lines []func(name string) string) {
	say := func(word, format string, args ...any) {
		lines = append(lines, func(name string) string {
			return fmt.Sprintf("%-8s %s: %s", word, name, fmt.Sprintf(format, args...))
		})
	}
	if !c.NeedsMapping() {
		say("ok", "needs no mapping of paths")
		return lines
	}
	for _, m := range c.Sources.Mappings {
		local := m.Local
		if rel, err := filepath.Rel(workspace, m.Local); err == nil && !strings.HasPrefix(rel, "..") {
			local = rel
		}
		if c.Sources.Guess {
			say("guess", "%s -> %s: %s", filepath.ToSlash(local), m.Remote, c.Sources.Missing)
		} else {
			say("ok", "%s -> %s, found by %s", filepath.ToSlash(local), m.Remote, c.Sources.Evidence)
		}
	}
	switch {
	case len(c.Sources.Modules) > 0:
		say("guess", "the debugger compares its packages with the modules of the sources: %s", c.Sources.Missing)
	case len(c.Sources.Mappings) == 0:
		say("guess", "no mapping: %s", c.Sources.Missing)
	case !c.Sources.Guess && c.Sources.Missing != "":
		say("note", "%s", c.Sources.Missing)
	}
	if difference := c.Sources.Difference(); difference != "" {
		say("warning", "%s", difference)
	}
	return lines
}

// currentDirectory is where the user is, without symbolic links: what is found lies below it then.
func currentDirectory() (string, error) {
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("finding the current directory: %w", err)
	}
	return dir, nil
}
