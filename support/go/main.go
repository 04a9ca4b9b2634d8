// Command dlv is Delve with the defaults that a debugger inside someone else's container needs.
//
// It is Delve's own command tree, unpatched; only these differ from the stock program:
//
//   - --only-same-user defaults to false: `kubectl port-forward` connects as root, the application rarely runs as root.
//   - --check-go-version defaults to false: a program built with a Go that is newer than this Delve is still better
//     debugged than refused.
//   - `dlv exec NAME` looks a NAME without a slash up on PATH, as the container runtime did before dlv stood in front
//     of it; stock Delve looks in the working directory. A NAME that PATH does not have is left to stock Delve.
//   - `dlv exec --headless` ends when the program ends, and with its exit status (128+N for signal N); stock
//     Delve waits for a client. A panic or another fatal error ends it, too, unless a client is connected: then the
//     program is stopped there for the client, as stock Delve does in any case, until it goes on or leaves.
//   - the first SIGTERM, SIGINT or SIGQUIT to it goes on to the program, which ends in its own way; only the second one
//     kills the program, as the first one does with stock Delve. If the program is stopped and no client is connected,
//     it is let go on so that the signal reaches it. SIGHUP, SIGUSR1, SIGUSR2 and SIGWINCH go on to the program, too.
//
// Unlike the stock main it sets no CGO_CFLAGS and collects no telemetry: the program under the debugger inherits this
// process's environment, and must find the one it would have had without the debugger.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/go-delve/delve/cmd/dlv/cmds"
	"github.com/spf13/cobra"
)

func main() {
	root := cmds.New(false)
	if err := adapt(root); err != nil {
		fmt.Fprintln(os.Stderr, "dlv:", err)
		os.Exit(1)
	}
	if err := root.Execute(); err != nil {
		os.Exit(1)
	}
}

// adapt changes the defaults of Delve's command tree. Its errors say that this Delve no longer has what is changed
// here, which the build's test finds.
func adapt(root *cobra.Command) error {
	for _, name := range []string{"only-same-user", "check-go-version"} {
		f := root.PersistentFlags().Lookup(name)
		if f == nil {
			return fmt.Errorf("this Delve has no flag --%s", name)
		}
		if err := f.Value.Set("false"); err != nil {
			return fmt.Errorf("setting the default of --%s: %w", name, err)
		}
		f.DefValue = "false"
	}
	execCmd, _, err := root.Find([]string{"exec"})
	if err != nil || execCmd.Name() != "exec" || execCmd.Run == nil {
		return errors.New("this Delve has no command exec")
	}
	run := execCmd.Run
	execCmd.Run = func(cmd *cobra.Command, args []string) {
		if len(args) > 0 {
			args = append([]string{onPath(args[0])}, args[1:]...)
		}
		exitWithProgram(cmd, os.Exit)
		run(cmd, args)
	}
	return nil
}

// onPath returns the file on PATH that a program name without a slash stands for, or the name itself.
func onPath(name string) string {
	if name == "" || strings.Contains(name, "/") {
		return name
	}
	file, err := exec.LookPath(name)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return name
	}
	return file
}
