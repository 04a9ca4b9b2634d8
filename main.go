// Debuggable makes rendered Kubernetes manifests debuggable, offline: it is a KRM function and a filter from standard
// input to standard output. Run it with --help, or see README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/foreign"
)

func main() {
	// The HTTP client of the standard library says what it finds strange to this logger, and cannot be told another.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // whoever asks twice does not want to wait
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr) }()
	os.Exit(await(ctx, ended, os.Args, os.Stderr))
}

// await returns the exit status of a run, which after a signal gets a grace time. Opening a FIFO, reading a pipe and writing
// to one wait for whoever is at the other end, and know no context.
func await(ctx context.Context, ended <-chan int, args []string, errw io.Writer) int {
	select {
	case status := <-ended:
		return status
	case <-ctx.Done():
	}
	grace, status := time.Second, statusFailed
	if watches(args) {
		grace, status = 3*time.Second, statusDone // it waits by itself, for less, and being told is how it ends
	}
	select {
	case status := <-ended:
		return status
	case <-time.After(grace):
	}
	if status == statusDone {
		return status
	}
	said := make(chan struct{})
	go func() {
		complain(errw, errors.New("told to stop while waiting for an input or an output"))
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(100 * time.Millisecond): // stderr stalls as well
	}
	return status
}

// watches reports whether the command line is that of "watch".
func watches(args []string) bool {
	cmd, _, err := newRoot(args[0], nil, io.Discard, io.Discard).Find(args[1:])
	return err == nil && cmd.Name() == "watch"
}

// Exit statuses. A result of severity error makes it statusFailed, as does input or a setting that cannot be used.
const (
	statusDone   = 0
	statusFailed = 1
	statusUsage  = 2
)

// errReported ends a command with statusFailed when all there is to say has been said.
var errReported = errors.New("reported")

// usageError is a command line that makes no sense.
type usageError struct{ error }

// Usage marks it, and its like in other packages.
func (usageError) Usage() {}

// run is the program: args[0] is its name. It returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	root := newRoot(args[0], in, out, errw)
	root.SetArgs(args[1:])
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	var usage interface{ Usage() }
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errReported):
		return statusFailed
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		// The last one is cobra's own, which has no type.
		complain(errw, err)
		fmt.Fprintf(errw, "Run '%s --help' for usage.\n", root.CommandPath())
		return statusUsage
	}
	complain(errw, err)
	return statusFailed
}

// complain prints an error, or the errors that it joins, each on a line of its own.
func complain(errw io.Writer, err error) {
	const longest = 4000 // bytes of a line
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(errw, "debuggable: %s\n", foreign.Line(foreign.Cut(strings.TrimSuffix(line, "\n"), longest)))
	}
}

// newRoot builds the command tree. Without a subcommand the program transforms manifests.
func newRoot(name string, in io.Reader, out, errw io.Writer) *cobra.Command {
	root := newTransform(in, out, errw)
	root.Use = "debuggable [flags]"
	if strings.HasPrefix(filepath.Base(name), "kubectl-") {
		// kubectl finds its plugins by this name, and users call them with a space.
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl debuggable"}
	}
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SuggestionsMinimumDistance = 2 // what cobra sets itself only where the root takes no arguments of its own
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{withMeantFlag(cmd, err)} })
	root.AddCommand(newLock(in, out, errw), newInspect(out, errw), newVersion(out))
	if watch := watchCommand(out, errw); watch != nil {
		root.AddCommand(watch)
	}
	root.Version = version()
	root.SetVersionTemplate("debuggable {{.Version}}\n")
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		// Cobra's own print help and succeed, in whatever script that reads it.
		switch cmd.Name() {
		case "completion":
			cmd.RunE = func(*cobra.Command, []string) error {
				return usageError{errors.New("completion wants a shell: bash, fish, powershell or zsh")}
			}
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if found, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return usageError{fmt.Errorf("there is no help on %q%s", strings.Join(args, " "), suggestion(found, rest))}
				}
				return nil
			}
		}
	}
	return root
}

// withMeantFlag adds the flag that was meant to the error of one that is unknown.
func withMeantFlag(cmd *cobra.Command, err error) error {
	unknown, found := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !found {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if meant := fields.Nearest(unknown, known); meant != "" {
		return fmt.Errorf("%w, did you mean --%s?", err, meant)
	}
	return err
}

func newVersion(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(out, "debuggable", version())
			return err
		},
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

// noArgs refuses positional arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := suggestion(cmd, args)
	if args[0] == "true" || args[0] == "false" {
		hint = "; a switch takes its value behind =, as in --offline=" + args[0]
	} else if _, err := os.Stat(args[0]); hint == "" && (err == nil || args[0] == "-") {
		hint = fmt.Sprintf("; to read manifests from it, say -f %s", args[0])
	}
	return usageError{fmt.Errorf("unexpected argument %q%s", args[0], hint)}
}

// suggestion names the subcommand of cmd that args[0] probably stands for.
func suggestion(cmd *cobra.Command, args []string) string {
	if cmd == nil || len(args) == 0 {
		return ""
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Sprintf("; did you mean %q?", near[0])
	}
	return ""
}
