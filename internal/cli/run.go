package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/usage"
)

// Run runs the program, whose name is args[0], until it is done or ctx ends, and returns its exit status.
func Run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	// The HTTP client of the standard library says what it finds strange to this logger, and cannot be told another.
	log.SetOutput(io.Discard)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, in, out, errw) }()
	return await(ctx, ended, args, errw)
}

// await returns the exit status of a run, which after a signal gets a grace time. Opening a FIFO, reading a pipe and
// writing to one wait for whoever is at the other end, and know no context.
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

// watches reports whether the command line is that of a command that goes on until it is told to stop.
func watches(args []string) bool {
	cmd, _, err := newRoot(args[0], nil, io.Discard, io.Discard).Find(args[1:])
	return err == nil && (cmd.Name() == "watch" || cmd.Name() == "attach")
}

// Exit statuses. A result of severity error makes it statusFailed, as does input or a setting that cannot be used.
const (
	statusDone   = 0
	statusFailed = 1
	statusUsage  = 2
)

// completer is the name under which kubectl asks its plugin for completions.
const completer = "kubectl_complete-debuggable"

// errReported ends a command with statusFailed when all there is to say has been said.
var errReported = errors.New("reported")

// run is the program: args[0] is its name. It returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	root := newRoot(args[0], in, out, errw)
	rest := args[1:]
	if strings.HasPrefix(filepath.Base(args[0]), completer) {
		rest = append([]string{cobra.ShellCompRequestCmd}, rest...)
	}
	root.SetArgs(rest)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	cmd, err := root.ExecuteContextC(ctx)
	switch wrong := new(usage.Error); {
	case err == nil:
		return statusDone
	case errors.Is(err, errReported):
		return statusFailed
	case errors.As(err, wrong), strings.HasPrefix(err.Error(), "unknown command"):
		// The last one is cobra's own, which has no type.
		complain(errw, err)
		fmt.Fprintf(errw, "Run '%s --help' for usage.\n", cmd.CommandPath())
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
