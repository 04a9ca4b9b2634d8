package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/rpc2"
)

const program = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Println("started", os.Getenv("DEBUGGABLE_DLV_SUPERVISED"), os.Args[1:])
	switch os.Args[1] {
	case "exit":
		os.Exit(3)
	case "crash":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	select {
	case <-terminated:
		fmt.Println("in good order")
		os.Exit(7)
	case <-time.After(20 * time.Second):
	}
}
`

// TestSupervise runs a real program under a real Delve, and looks at how the two end.
func TestSupervise(t *testing.T) {
	dir := t.TempDir()
	app, dlv := filepath.Join(dir, "app"), filepath.Join(dir, "dlv")
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"build", "-gcflags=all=-N -l", "-o", app, filepath.Join(dir, "main.go")}, {"build", "-o", dlv, "."}} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	tests := map[string]struct {
		arg  string
		do   func(t *testing.T, p *os.Process, addr string)
		code int
		says string
	}{
		"exits":     {arg: "exit", code: 3, says: "started  [exit x]"},
		"is killed": {arg: "crash", code: 128 + 9, says: "started"},
		"terminated": {arg: "wait", code: 7, says: "in good order", do: func(t *testing.T, p *os.Process, addr string) {
			if err := p.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		}},
		"terminated while stopped": {arg: "wait", code: 0, says: "started", do: func(t *testing.T, p *os.Process, addr string) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			client := rpc2.NewClientFromConn(conn)
			if _, err := client.Halt(); err != nil {
				t.Error(err)
			}
			if err := p.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := l.Addr().String()
			l.Close()
			cmd := exec.Command(dlv, "exec", "--headless", "--continue", "--accept-multiclient", "--listen="+addr, "--api-version=2", app, "--", test.arg, "x")
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			late := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
			defer late.Stop()
			if test.do != nil {
				waitRunning(t, addr)
				test.do(t, cmd.Process, addr)
			}
			err = cmd.Wait()
			if cmd.ProcessState.ExitCode() != test.code || !strings.Contains(out.String(), test.says) {
				t.Errorf("got %v, want exit code %d; it said\n%s", err, test.code, out.String())
			}
		})
	}
}

// waitRunning waits until Delve says that the program runs, and has had a moment to install its signal handlers.
func waitRunning(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		client := rpc2.NewClientFromConn(conn)
		state, err := client.GetStateNonBlocking()
		conn.Close()
		if err == nil && state.Running {
			time.Sleep(time.Second)
			return
		}
	}
	t.Fatal("the program does not run")
}

func TestExitCode(t *testing.T) {
	tests := []struct {
		state  *api.DebuggerState
		err    error
		code   int
		exited bool
	}{
		{&api.DebuggerState{Running: true}, nil, 0, false},
		{&api.DebuggerState{Exited: true, ExitStatus: 4}, nil, 4, true},
		{&api.DebuggerState{Exited: true, ExitStatus: -9}, nil, 137, true},
		{nil, errors.New("Process 12 has exited with status 5"), 5, true},
		{nil, errors.New("Process 12 has exited with status -15"), 143, true},
		{nil, errors.New("connection is shut down"), 0, false},
	}
	for _, test := range tests {
		code, exited := exitCode(test.state, test.err)
		if code != test.code || exited != test.exited {
			t.Error(fmt.Sprint(test.state, test.err, ": ", code, exited))
		}
	}
}
