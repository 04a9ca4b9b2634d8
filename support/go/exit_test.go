package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-delve/delve/pkg/proc"
	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/dap/daptest"
	"github.com/go-delve/delve/service/rpc2"
	"github.com/google/go-dap"
)

// patience is how long something may take that must happen.
const patience = 30 * time.Second

// dlv and app are this Delve and testdata/app, which TestMain builds.
var dlv, app string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dlv-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	dlv, app = filepath.Join(dir, "dlv"), filepath.Join(dir, "app")
	for _, args := range [][]string{{"-o", dlv, "."}, {"-gcflags=-N -l", "-o", app, "./testdata/app"}} {
		cmd := exec.Command("go", append([]string{"build"}, args...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", cmd.Args, err, out)
			return 1
		}
	}
	return m.Run()
}

// session is a run of the application under Delve.
type session struct {
	t       *testing.T
	address string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when Delve ended
	output  *bytes.Buffer // of both, to be read then
}

// start runs the application as debuggable does.
func start(t *testing.T, mode string) *session { return startDelve(t, mode, "--continue") }

// startDelve runs the application with further flags for Delve: with --continue at once, and else when a client lets it
// go.
func startDelve(t *testing.T, mode string, flags ...string) *session {
	t.Helper()
	s := &session{t: t, address: freeAddress(t), ended: make(chan struct{}), output: new(bytes.Buffer)}
	flags = append([]string{"exec", "--headless", "--accept-multiclient", "--listen=" + s.address, "--api-version=2"},
		flags...)
	s.cmd = exec.Command(dlv, append(flags, app, "--", mode)...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // its status is in ProcessState
	}()
	t.Cleanup(func() {
		select {
		case <-s.ended:
			return
		default:
		}
		if pid := s.program(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = s.cmd.Process.Kill()
		<-s.ended
	})
	return s
}

// expect waits for the end of Delve and compares its exit status.
func (s *session) expect(status int) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatal("Delve outlived the program")
	}
	if got := s.cmd.ProcessState.ExitCode(); got != status {
		s.t.Errorf("exit status %d, want %d\n%s", got, status, s.output)
	}
}

// program returns the process ID of the application, or 0.
func (s *session) program() (pid int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.cmd.Process.Pid))
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && len(data) > 0 {
			_, _ = fmt.Sscan(string(data), &pid)
		}
	}
	return pid
}

// connection is one to Delve, once it listens.
func (s *session) connection() net.Conn {
	s.t.Helper()
	address, err := ownAddress(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	conn := connect(address)
	if conn == nil {
		s.t.Fatal("nobody listens")
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// client connects once Delve let the program go, and a little later: stock Delve, too, loses a request to halt the
// program that comes while it lets the program go.
func (s *session) client() *rpc2.RPCClient {
	s.t.Helper()
	client := rpc2.NewClientFromConn(s.connection())
	s.await(client, "running", func(state *api.DebuggerState) bool { return state.Running })
	time.Sleep(200 * time.Millisecond)
	return client
}

// await asks for the state until it is as wanted.
func (s *session) await(client *rpc2.RPCClient, what string, is func(*api.DebuggerState) bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		type answer struct {
			state *api.DebuggerState
			err   error
		}
		answers := make(chan answer, 1)
		go func() {
			state, err := client.GetStateNonBlocking()
			answers <- answer{state, err}
		}()
		select {
		case a := <-answers:
			if a.err != nil {
				s.t.Fatal(a.err)
			}
			if is(a.state) {
				return
			}
		case <-time.After(time.Second):
			// Asked in the instant in which the program went on, Delve answers only when it stops.
		}
	}
	s.t.Fatalf("the program is not %s", what)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDelveEndsWithTheProgram(t *testing.T) {
	for mode, status := range map[string]int{
		"success":       0,
		"seven":         7,
		"seven-at-once": 7,
		"panic":         2,
		"fatal":         2,
		"killed":        128 + 9,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, mode)
			s.expect(status)
			if mode == "panic" && !strings.Contains(s.output.String(), "panic: on purpose\n\ngoroutine ") {
				t.Errorf("the program did not say why it panicked:\n%s", s.output)
			}
		})
	}
}

func TestPanicWaitsForTheClientThatIsThere(t *testing.T) {
	t.Parallel()
	s := start(t, "panic-when-told")
	client := s.client()
	time.Sleep(time.Second) // for the program to ask for the signal
	if err := syscall.Kill(s.program(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	s.await(client, "panicking", dying)
	time.Sleep(5 * lookEvery)
	s.await(client, "stopped for its client", dying)
	frames, err := client.Stacktrace(-1, 20, 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(frames, func(f api.Stackframe) bool { return f.Function.Name() == "main.main" }) {
		t.Errorf("the client does not see where it panics: %+v", frames)
	}
	if err := client.Disconnect(false); err != nil {
		t.Fatal(err)
	}
	s.expect(2)
}

func TestClientThatIsThereLearnsTheEnd(t *testing.T) {
	t.Parallel()
	s := start(t, "seven")
	client := s.client()
	if _, err := client.Halt(); err != nil {
		t.Fatal(err)
	}
	for state := range client.Continue() {
		if !state.Exited || state.ExitStatus != 7 {
			t.Errorf("the client got %+v", state)
		}
	}
	asked := time.Now()
	if err := client.Disconnect(false); err != nil {
		t.Fatal(err)
	}
	s.expect(7)
	if waited := time.Since(asked); waited > farewell {
		t.Errorf("ended %v after the last client left", waited)
	}
}

// A program that waits for its first client ends as others do, once it was let go or told to.
func TestDelveEndsWithTheSuspendedProgram(t *testing.T) {
	t.Parallel()
	s := startDelve(t, "seven")
	client := rpc2.NewClientFromConn(s.connection())
	time.Sleep(3 * lookEvery) // in which nothing lets it go
	state, err := client.GetState()
	if err != nil || state.Running || state.Exited {
		t.Fatalf("the program does not wait: %+v, %v", state, err)
	}
	for state := range client.Continue() {
		if !state.Exited || state.ExitStatus != 7 {
			t.Errorf("the client got %+v", state)
		}
	}
	if err := client.Disconnect(false); err != nil {
		t.Fatal(err)
	}
	s.expect(7)
}

func TestSignalEndsTheSuspendedProgram(t *testing.T) {
	t.Parallel()
	s := startDelve(t, "count")
	s.connection().Close()
	time.Sleep(time.Second) // for Delve to ask for its signals
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.expect(128 + 15)
}

// TestWatchingDisturbsNobody has clients of both protocols come, debug, leave and come again.
func TestWatchingDisturbsNobody(t *testing.T) {
	t.Parallel()
	s := start(t, "count")
	for range 2 {
		s.debugRPC()
		s.debugDAP()
	}
	// Both at once: what one of them stops, the other one sees.
	one, other := s.client(), s.client()
	if _, err := one.Halt(); err != nil {
		t.Fatal(err)
	}
	// A new run of the program is no end.
	if _, err := one.Restart(false); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * lookEvery)
	s.await(other, "stopped", func(state *api.DebuggerState) bool { return !state.Running && !state.Exited })
	if err := one.Disconnect(false); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * lookEvery)
	s.await(other, "still stopped", func(state *api.DebuggerState) bool { return !state.Running && !state.Exited })
	if err := other.Detach(true); err != nil {
		t.Fatal(err)
	}
	s.expect(0) // a client's wish, as with the stock Delve
}

// debugRPC stops the program at step several times, looks at n, lets it go on and leaves.
func (s *session) debugRPC() {
	s.t.Helper()
	client := s.client()
	if _, err := client.Halt(); err != nil {
		s.t.Fatal(err)
	}
	bp, err := client.CreateBreakpoint(&api.Breakpoint{FunctionName: "main.step"})
	if err != nil {
		s.t.Fatal(err)
	}
	last := 0
	for range 3 {
		state := <-client.Continue()
		if state.Err != nil {
			s.t.Fatal(state.Err)
		}
		if state.CurrentThread == nil || state.CurrentThread.Breakpoint == nil || state.CurrentThread.Breakpoint.ID != bp.ID {
			s.t.Fatalf("stopped elsewhere: %+v", state)
		}
		time.Sleep(2 * lookEvery) // the watcher looks, too
		n, err := client.EvalVariable(api.EvalScope{GoroutineID: -1}, "n", api.LoadConfig{})
		if err != nil {
			s.t.Fatal(err)
		}
		last = s.next(last, n.Value)
	}
	if _, err := client.ClearBreakpoint(bp.ID); err != nil {
		s.t.Fatal(err)
	}
	if err := client.Disconnect(true); err != nil {
		s.t.Fatal(err)
	}
	// That does not wait for the program to go on; the next client does.
	s.client().Disconnect(false)
}

// next returns the value n, which must be the successor of last unless that is 0.
func (s *session) next(last int, n string) (value int) {
	s.t.Helper()
	if _, err := fmt.Sscan(n, &value); err != nil || value < 1 || last != 0 && value != last+1 {
		s.t.Fatalf("n is %q after %d", n, last)
	}
	return value
}

// debugDAP does what debugRPC does, over the other protocol.
func (s *session) debugDAP() {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	file, err := filepath.Abs("testdata/app/main.go")
	if err != nil {
		s.t.Fatal(err)
	}
	c := daptest.NewClientFromConn(conn)
	c.InitializeRequest()
	receive[*dap.InitializeResponse](s.t, c)
	c.AttachRequest(map[string]any{"mode": "remote", "stopOnEntry": false})
	receive[*dap.InitializedEvent](s.t, c)
	c.SetBreakpointsRequest(file, []int{breakpointLine(s.t, file)})
	if set := receive[*dap.SetBreakpointsResponse](s.t, c); len(set.Body.Breakpoints) != 1 ||
		!set.Body.Breakpoints[0].Verified {
		s.t.Fatalf("breakpoint: %+v", set.Body)
	}
	c.ConfigurationDoneRequest()
	last := 0
	for hit := range 3 {
		stop := receive[*dap.StoppedEvent](s.t, c)
		if stop.Body.Reason != "breakpoint" {
			s.t.Fatalf("stopped by %+v", stop.Body)
		}
		time.Sleep(2 * lookEvery)
		c.StackTraceRequest(stop.Body.ThreadId, 0, 1)
		frames := receive[*dap.StackTraceResponse](s.t, c).Body.StackFrames
		if len(frames) == 0 {
			s.t.Fatal("no frames")
		}
		c.EvaluateRequest("n", frames[0].Id, "watch")
		last = s.next(last, receive[*dap.EvaluateResponse](s.t, c).Body.Result)
		if hit == 2 {
			c.SetBreakpointsRequest(file, nil)
			receive[*dap.SetBreakpointsResponse](s.t, c)
		}
		c.ContinueRequest(stop.Body.ThreadId)
		receive[*dap.ContinueResponse](s.t, c)
	}
	c.DisconnectRequest()
	receive[*dap.DisconnectResponse](s.t, c)
	receive[*dap.TerminatedEvent](s.t, c)
}

// receive returns the next message of a type, and skips those that come unasked.
func receive[M dap.Message](t *testing.T, c *daptest.Client) M {
	t.Helper()
	for {
		m, err := c.ReadMessage(t)
		if err != nil {
			var none M
			t.Fatalf("waiting for %T: %v", none, err)
		}
		switch m := m.(type) {
		case M:
			return m
		case *dap.ErrorResponse:
			t.Fatalf("%s: %s", m.Message, m.Body.Error.Format)
		}
	}
}

func breakpointLine(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(data), "// BREAKPOINT")
	if !found {
		t.Fatal("no line for the breakpoint")
	}
	return strings.Count(before, "\n") + 1
}

// TestOtherSignalsReachTheProgram sends those that programs give a meaning of their own.
func TestOtherSignalsReachTheProgram(t *testing.T) {
	t.Parallel()
	s := start(t, "signals")
	if err := s.client().Disconnect(false); err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, signal := range relayedSignals {
		if err := s.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("got %v\n", signal)
		time.Sleep(time.Second)
	}
	s.expect(0)
	if got := s.output.String(); !strings.Contains(got, want) {
		t.Errorf("the program said\n%s\nwant\n%s", got, want)
	}
	s = start(t, "hangup")
	if err := s.client().Disconnect(false); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.expect(128 + 1)
}

func TestSignalsToStopReachTheProgram(t *testing.T) {
	stop := func(t *testing.T, s *session) {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	// running returns when Delve runs the program and, as far as one can tell from outside, its watcher has the signals.
	running := func(t *testing.T, mode string) *session {
		t.Helper()
		t.Parallel()
		s := start(t, mode)
		if err := s.client().Disconnect(false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		return s
	}
	t.Run("it ends as it wants to", func(t *testing.T) {
		s := running(t, "graceful")
		stop(t, s)
		s.expect(5)
	})
	t.Run("it does not handle the signal", func(t *testing.T) {
		s := running(t, "count")
		stop(t, s)
		s.expect(128 + 15)
	})
	t.Run("it ignores the signal", func(t *testing.T) {
		s := running(t, "stubborn")
		stop(t, s)
		select {
		case <-s.ended:
			t.Error("the first signal killed it")
		case <-time.After(time.Second):
		}
		pid := s.program()
		stop(t, s)
		s.expect(128 + 15)
		for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
				break
			}
			if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil ||
				strings.Contains(string(data), ") Z ") {
				break // nobody reaped it yet
			}
			if time.Now().After(end) {
				t.Fatal("the program outlived Delve")
			}
		}
	})
	t.Run("it stands at a breakpoint that a client left", func(t *testing.T) {
		s := running(t, "graceful")
		client := s.client()
		if _, err := client.Halt(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CreateBreakpoint(&api.Breakpoint{FunctionName: "main.step"}); err != nil {
			t.Fatal(err)
		}
		<-client.Continue()
		if err := client.Disconnect(false); err != nil {
			t.Fatal(err)
		}
		stop(t, s)
		s.expect(5)
	})
	t.Run("it stands at a breakpoint of a client that is there", func(t *testing.T) {
		s := running(t, "graceful")
		client := s.client()
		if _, err := client.Halt(); err != nil {
			t.Fatal(err)
		}
		stop(t, s)
		time.Sleep(3 * lookEvery)
		s.await(client, "stopped", func(state *api.DebuggerState) bool { return !state.Running && !state.Exited })
		state := <-client.Continue()
		if !state.Exited || state.ExitStatus != 5 {
			t.Errorf("the client got %+v", state)
		}
		if err := client.Disconnect(false); err != nil {
			t.Fatal(err)
		}
		s.expect(5)
	})
}

func TestDying(t *testing.T) {
	at := func(names ...string) *api.DebuggerState {
		state := &api.DebuggerState{Threads: []*api.Thread{{}}}
		for _, name := range names {
			state.Threads = append(state.Threads, &api.Thread{Breakpoint: &api.Breakpoint{Name: name}})
		}
		return state
	}
	for _, test := range []struct {
		state *api.DebuggerState
		want  bool
	}{
		{&api.DebuggerState{}, false},
		{at(), false},
		{at("", "mine"), false},
		{at("", proc.UnrecoveredPanic), true},
		{at(proc.FatalThrow), true},
	} {
		if got := dying(test.state); got != test.want {
			t.Errorf("dying(%+v) = %v", test.state, got)
		}
	}
}

func TestExitStatus(t *testing.T) {
	for text, want := range map[string]int{
		proc.ErrProcessExited{Pid: 12, Status: 0}.Error():  0,
		proc.ErrProcessExited{Pid: 12, Status: 3}.Error():  3,
		proc.ErrProcessExited{Pid: 12, Status: -9}.Error(): 137,
		proc.ErrProcessDetached.Error():                    -1,
		"something else":                                   -1,
	} {
		got, ended := exitStatus(errors.New(text))
		if !ended {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if _, ended := exitStatus(nil); ended {
		t.Error("a program without an error ended")
	}
}

func TestOwnAddress(t *testing.T) {
	for listen, want := range map[string]string{
		":56268":             "127.0.0.1:56268",
		"0.0.0.0:56268":      "127.0.0.1:56268",
		"[::]:56268":         "127.0.0.1:56268",
		"[::1]:56268":        "[::1]:56268",
		"10.0.0.1:56268":     "10.0.0.1:56268",
		"unix:/run/dlv.sock": "",
		"127.0.0.1":          "",
	} {
		got := ""
		if a, err := ownAddress(listen); err == nil {
			got = a.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", listen, got, want)
		}
	}
}
