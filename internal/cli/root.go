// Package cli is the command line: each command is its flags, one call, and an error.
package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"debuggable.dev/debuggable/internal/usage"
)

// newRoot builds the command tree. Without a subcommand the program transforms manifests.
func newRoot(name string, in io.Reader, out, errw io.Writer) *cobra.Command {
	root := newTransform(in, out, errw)
	root.Use = "debuggable [flags]"
	if strings.HasPrefix(filepath.Base(name), "kubectl-") {
		// kubectl finds its plugins by this name, and users call them with a space.
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl debuggable"}
	}
	root.SetUsageFunc(usageText)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SuggestionsMinimumDistance = 2 // what cobra sets itself only where the root takes no arguments of its own
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, err) })
	root.AddCommand(newLock(in, out, errw), newInspect(out, errw), newIDE(in, out, errw), newExplain(out), newVersion(out))
	for _, cmd := range []*cobra.Command{newWatch(out, errw), newAttach(in, out, errw)} {
		if cmd != nil {
			root.AddCommand(cmd)
		}
	}
	addVersionFlag(root, out)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		// Cobra's own print help and succeed, in whatever script that reads it.
		switch cmd.Name() {
		case "completion":
			cmd.RunE = func(*cobra.Command, []string) error {
				return usage.Errorf("completion wants a shell: bash, fish, powershell or zsh")
			}
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if found, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return usage.Errorf("there is no help on %q%s", strings.Join(args, " "), suggestion(found, rest))
				}
				return nil
			}
		}
	}
	return root
}

// addVersionFlag lets --version print what the command prints. Cobra's own wants a template for these words, and with
// text/template the linker keeps each method of each type, 4 MB.
func addVersionFlag(root *cobra.Command, out io.Writer) {
	wanted := root.Flags().BoolP("version", "v", false, "print the version")
	run := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *wanted {
			return printVersion(out)
		}
		return run(cmd, args)
	}
}

func printVersion(out io.Writer) error {
	_, err := fmt.Fprintln(out, "debuggable", version())
	return err
}

func newVersion(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return printVersion(out) },
	}
}

// version is what the Go toolchain recorded of the build: a tag, or a commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}
