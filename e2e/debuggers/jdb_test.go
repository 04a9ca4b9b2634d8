package debuggers

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// jdb is the JDK's command-line debugger, at work.
type jdb struct {
	t   *testing.T
	in  io.WriteCloser
	mu  sync.Mutex
	out bytes.Buffer
}

func startJDB(t *testing.T, addr string) *jdb {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "jdb", "-connect", "com.sun.jdi.SocketAttach:hostname="+host+",port="+port)
	j := &jdb{t: t}
	if j.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = j, j
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		j.in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return j
}

func (j *jdb) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.out.Write(p)
}

// do types a command and waits until the output since then has a text. It returns that output.
func (j *jdb) do(command, want string) string {
	j.t.Helper()
	j.mu.Lock()
	j.out.Reset()
	j.mu.Unlock()
	if command != "" {
		if _, err := io.WriteString(j.in, command+"\n"); err != nil {
			j.t.Fatal(err)
		}
	}
	return j.wait(want)
}

func (j *jdb) wait(want string) string {
	j.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		j.mu.Lock()
		out := j.out.String()
		j.mu.Unlock()
		if strings.Contains(out, want) {
			return out
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.t.Fatalf("jdb does not say %q, but\n%s", want, j.out.String())
	return ""
}

// breaks sets the breakpoint.
func (j *jdb) breaks() (stopped func(want string), by by) {
	j.t.Helper()
	stopped = j.stopsAt(fmt.Sprintf("App:%d", breakpoint(j.t, "App.java")))
	_, version, _ := strings.Cut(j.do("version", "JVM version "), "JVM version ")
	version, _, _ = strings.Cut(version, ".")
	by.runtime, by.client, by.debugger = "JDK "+version, "jdb", "JDWP agent of the JDK"
	return stopped, by
}

// stopsAt sets a breakpoint, CLASS:LINE, and returns what waits for it.
func (j *jdb) stopsAt(line string) (stopped func(want string)) {
	j.t.Helper()
	j.do("stop at "+line, "reakpoint "+line)
	return func(want string) {
		j.t.Helper()
		j.wait("Breakpoint hit:")
		j.wait("[1] ") // the prompt, with the thread's name: before it, jdb does not know the thread
		if got := j.do("print greeting", "greeting = "); !strings.Contains(got, `greeting = "`+want+`"`) {
			j.t.Fatalf("jdb says %q", got)
		}
		j.do("cont", "> ")
	}
}
