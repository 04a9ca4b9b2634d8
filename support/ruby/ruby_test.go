// Package ruby tests what the support image has every Ruby process load, with this machine's Ruby (or $RUBY) and its
// debug gem.
package ruby

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const app = `def work(i)
  x = i * 2
  x
end
pid = fork { 100.times { |i| work(i); sleep 0.05 } } if ARGV[0] == "fork"
100.times { |i| work(i); sleep 0.05 }
Process.wait(pid) if pid
`

// TestAttach stops programs at a breakpoint: one by itself, a forked one on a port of its own, one that waits.
func TestAttach(t *testing.T) {
	ruby := os.Getenv("RUBY")
	if ruby == "" {
		ruby = "ruby"
	}
	if out, err := exec.CommandContext(t.Context(), ruby, "-r./debuggable", "-e",
		"exit !Debuggable.installed.nil?").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: this machine lacks Ruby with its debug gem: %v %s", err, out)
	}
	for name, test := range map[string]struct {
		file, arg string
		next      int // the port, counted from the first
	}{
		"a program":       {file: "open.rb"},
		"a forked one":    {file: "open.rb", arg: "fork", next: 1},
		"a suspended one": {file: "wait.rb"},
	} {
		t.Run(name, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "app.rb")
			if err := os.WriteFile(script, []byte(app), 0o644); err != nil {
				t.Fatal(err)
			}
			load, err := filepath.Abs(test.file)
			if err != nil {
				t.Fatal(err)
			}
			port := freePort(t)
			cmd := exec.CommandContext(t.Context(), ruby, script, test.arg)
			cmd.Env = append(os.Environ(), "RUBYOPT=-r"+load, "RUBY_DEBUG_HOST=127.0.0.1", "RUBY_DEBUG_PORT="+strconv.Itoa(port))
			var said strings.Builder
			cmd.Stderr = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			err = breakpoint(net.JoinHostPort("127.0.0.1", strconv.Itoa(port+test.next)), script, 3)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
		})
	}
}

// freePort returns a port that is free, as is the one behind it.
func freePort(t *testing.T) int {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if next, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1))); err == nil {
			next.Close()
			return port
		}
	}
}

// breakpoint attaches a client of the Debug Adapter Protocol, and waits until the program stands at a breakpoint.
func breakpoint(address, file string, line int) error {
	deadline := time.Now().Add(20 * time.Second)
	conn, err := net.Dial("tcp", address)
	for ; err != nil && time.Now().Before(deadline); conn, err = net.Dial("tcp", address) {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	seq := 0
	send := func(command string, arguments any) {
		seq++
		body, _ := json.Marshal(map[string]any{"seq": seq, "type": "request", "command": command, "arguments": arguments})
		fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n%s", len(body), body)
	}
	send("initialize", map[string]any{"adapterID": "rdbg", "pathFormat": "path", "linesStartAt1": true})
	send("attach", map[string]any{"type": "rdbg", "request": "attach"})
	send("setBreakpoints",
		map[string]any{"source": map[string]any{"path": file}, "breakpoints": []map[string]any{{"line": line}}})
	send("configurationDone", nil)
	for r := bufio.NewReader(conn); ; {
		var m struct {
			Event string
			Body  struct {
				Reason   string
				ThreadID int `json:"threadId"`
			}
		}
		if err := message(r, &m); err != nil {
			return fmt.Errorf("waiting for the breakpoint: %w", err)
		}
		switch {
		case m.Event == "stopped" && m.Body.Reason == "breakpoint":
			return nil
		case m.Event == "stopped": // for the client that has come
			send("continue", map[string]any{"threadId": m.Body.ThreadID})
		}
	}
}

func message(r *bufio.Reader, to any) error {
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(value)
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, to)
}
