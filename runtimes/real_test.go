package runtimes

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What happens when a debugger's variable reaches a second program is a fact about the JVM and about Node that the
// plans rest on.
func TestVariablesReachOthers(t *testing.T) {
	held, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Skip(err)
	}
	defer held.Close()
	taken := int32(held.Addr().(*net.TCPAddr).Port)
	variable := func(r Runtime, argv string, suspend bool, port int32) string {
		t.Helper()
		plan, err := Attach(r, Process{Argv: []string{argv}}, Options{Suspend: suspend, FreePort: func(int32) int32 {
			return port
		}})
		if err != nil || len(plan.Env) == 0 {
			t.Fatalf("%s: %v, %+v", argv, err, plan)
		}
		return plan.Env[0].Name + "=" + plan.Env[0].Value
	}
	// ends reports whether a program ends by itself, and how.
	ends := func(env string, argv ...string) (status int, output string, ended bool) {
		t.Helper()
		if _, err := exec.LookPath(argv[0]); err != nil {
			t.Skipf("NOT TESTED: this machine lacks %s", argv[0])
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), env)
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out), ctx.Err() == nil
	}
	t.Run("a second JVM fails", func(t *testing.T) {
		status, out, ended := ends(variable(ByName("jvm"), "/start.sh", false, taken), "java", "-version")
		if !ended || status == 0 || !strings.Contains(out, "Address already in use") {
			t.Errorf("exit status %d, ended %v: %s", status, ended, out)
		}
	})
	t.Run("an earlier JVM waits", func(t *testing.T) {
		free, err := net.Listen("tcp", "0.0.0.0:0")
		if err != nil {
			t.Skip(err)
		}
		port := int32(free.Addr().(*net.TCPAddr).Port)
		free.Close()
		if status, out, ended := ends(variable(ByName("jvm"), "/start.sh", true, port), "java", "-version"); ended {
			t.Errorf("it did not wait: exit status %d: %s", status, out)
		}
	})
	for _, suspend := range []bool{false, true} {
		t.Run("a second Node goes on, suspended "+strconv.FormatBool(suspend), func(t *testing.T) {
			status, out, ended := ends(variable(ByName("nodejs"), "yarn", suspend, taken), "node", "-e",
				"console.log('went ' + 'on')")
			if !ended || status != 0 || !strings.Contains(out, "went on") || !strings.Contains(out, "address already in use") {
				t.Errorf("exit status %d, ended %v: %s", status, ended, out)
			}
		})
	}
}
