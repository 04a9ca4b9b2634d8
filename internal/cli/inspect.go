package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/report"
	"debuggable.dev/debuggable/internal/shell"
	"debuggable.dev/debuggable/internal/usage"
	"debuggable.dev/debuggable/transform"
)

// newInspect says what debuggable sees in images.
func newInspect(out, errw io.Writer) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "inspect IMAGE...",
		Short: "Say what debuggable sees in an image, and what it would do with it",
		Example: `  debuggable inspect gcr.io/acme/web:v1
  debuggable inspect web --layout web=build/oci -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.Errorf("inspect wants at least one image")
			}
			return refuseFiles(args)
		},
	}
	flags := functionconfig.AddFlags(cmd.Flags())
	flags.Hide("replicas", "probeTimeout", "memory", "strict", "supportPullPolicy", "supportDelivery", "build-artifacts")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if output != "text" && output != "json" && output != "yaml" {
			return usage.Errorf("--output is %q: want text, json or yaml", output)
		}
		cfg, err := functionconfig.Load(nil, flags)
		if err != nil {
			return fmt.Errorf("reading settings: %w", err)
		}
		source, err := newSource(cmd.Context(), cfg, nil, nil)
		if err != nil {
			return err
		}
		found := resolve(cmd.Context(), errw, source, transform.Inspect(args, cfg), cfg)
		if err := interrupted(cmd.Context()); err != nil {
			return err
		}
		var explanations []transform.Explanation
		failed := false
		for _, e := range found.plan.Explanations() {
			if err := found.images[image.Want{Image: e.Image, Platform: cfg.Platform}].Err; err != nil {
				failed = true
				complain(errw, err)
				if hint := fileHint(e.Image); hint != "" {
					complain(errw, errors.New(hint))
				}
				continue
			}
			explanations = append(explanations, e)
		}
		if err := writeExplanations(out, output, explanations); err != nil {
			return err
		}
		if failed {
			return errReported
		}
		return nil
	}
	return cmd
}

// refuseFiles refuses what is evidently no image but a file.
func refuseFiles(args []string) error {
	for _, arg := range args {
		path := manifest.IsManifest(arg) || strings.HasPrefix(arg, ".") || filepath.IsAbs(arg)
		switch hint := fileHint(arg); {
		case filepath.Ext(arg) == ".tar" && isFile(arg):
			return usage.Errorf("%s is a file; to look at an image in it, say inspect IMAGE --archive %[1]s", shell.Quote(arg))
		case hint != "" && path:
			return usage.Errorf("inspect wants images: %s", hint)
		}
	}
	return nil
}

// fileHint says what to do with an argument that is no image but a path; "" where there is nothing of that name.
func fileHint(arg string) string {
	if _, err := os.Stat(arg); err != nil {
		return ""
	}
	kind := "directory"
	if isFile(arg) {
		kind = "file"
	}
	return fmt.Sprintf("%s is a %s; to see what becomes of the manifests in it, say debuggable -f %[1]s --diff",
		shell.Quote(arg), kind)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func writeExplanations(out io.Writer, format string, explanations []transform.Explanation) error {
	for i, e := range explanations {
		switch format {
		case "json":
			if err := report.WriteJSON(out, e, "  "); err != nil {
				return err
			}
		case "yaml":
			data, err := yaml.Marshal(e)
			if err != nil {
				return err
			}
			if i > 0 {
				data = append([]byte("---\n"), data...)
			}
			if _, err := out.Write(data); err != nil {
				return err
			}
		default:
			if i > 0 {
				fmt.Fprintln(out)
			}
			if _, err := io.WriteString(out, explanationText(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileText says what a file of an image is, in one line.
func fileText(f files.File) string {
	what := ""
	switch g := f.Go; {
	case g != nil:
		what = fmt.Sprintf("Go program, %s of module %s, built with %s", g.Package, g.Module, g.Version)
		switch {
		case g.DebugInfo == 0:
			what += ", no debug information"
		case g.Optimised:
			what += fmt.Sprintf(", %d KiB of debug information, optimised", g.DebugInfo>>10)
		default:
			what += fmt.Sprintf(", %d KiB of debug information", g.DebugInfo>>10)
		}
		if g.CompileDir != "" {
			what += ", compiled in " + g.CompileDir
		}
	case f.Netcore != nil:
		what = strings.TrimSpace("host of a .NET application " + f.Netcore.Version)
	case f.Native:
		what = "native program of another language"
	case f.Interpreter != nil:
		what = "script for " + strings.Join(f.Interpreter, " ")
	case f.Script != "":
		what = fmt.Sprintf("shell script, %d bytes", len(f.Script))
	case f.Package != nil:
		what = strings.TrimSpace("Node package " + f.Package.Name)
		if len(f.Package.Scripts) > 0 {
			what += ", scripts " + strings.Join(slices.Sorted(maps.Keys(f.Package.Scripts)), ", ")
		}
	case f.Absent:
		what = "is not there"
	}
	if f.Target != "" {
		what += ", through links at " + f.Target
	}
	return f.Path + ": " + what
}

// explanationText is an explanation for people.
func explanationText(e transform.Explanation) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, foreign.Line(value))
		}
	}
	fmt.Fprintln(&b, foreign.Line(e.Image))
	line("source", e.Source)
	line("digest", e.Digest)
	line("platform", e.Platform)
	line("working dir", e.WorkingDir)
	line("starts", shell.Join(e.Before...))
	for _, note := range e.Notes {
		line(note.Severity, fmt.Sprintf("%s (%s)", note.Message, note.Reason))
	}
	for _, f := range e.Files {
		line("file", fileText(f))
	}
	if !e.Debuggable {
		line("runtime", e.Runtime)
		line("result", fmt.Sprintf("not debuggable: %s (%s)", e.Message, e.Reason))
		return b.String()
	}
	line("runtime", fmt.Sprintf("%s (%s)", e.Runtime, e.Sign))
	line("becomes", shell.Join(e.After...))
	for _, env := range e.Env {
		line("environment", env.Name+"="+env.Value)
	}
	for _, protocol := range slices.Sorted(maps.Keys(e.Ports)) {
		line("debugger", fmt.Sprintf("%s on port %d", protocol, e.Ports[protocol]))
	}
	line("support", e.Support)
	return b.String()
}
