package attach

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-dap"

	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/sources"
	"debuggable.dev/debuggable/runtimes/editor"
)

// cluster is what runs, for Attachment.Follow.
type cluster struct {
	mu      sync.Mutex
	running []debuginfo.Running
	moved   chan struct{}
}

func newCluster(running ...debuginfo.Running) *cluster {
	return &cluster{running: running, moved: make(chan struct{})}
}

func (c *cluster) set(running ...debuginfo.Running) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = running
	close(c.moved)
	c.moved = make(chan struct{})
}

func (c *cluster) attachment(t *testing.T, found sources.Found) *Attachment {
	return &Attachment{
		Target: Target{Name: "app"}, Say: t.Logf, Timeout: time.Minute,
		Locate: func(context.Context, ide.Container) (sources.Found, error) { return found, nil },
		Follow: func(ctx context.Context, _ func(debuginfo.Running) bool, look func([]debuginfo.Running) error) error {
			for {
				c.mu.Lock()
				running, moved := c.running, c.moved
				c.mu.Unlock()
				if err := look(running); err != nil {
					return err
				}
				select {
				case <-moved:
				case <-ctx.Done():
					return nil
				}
			}
		},
	}
}

// TestChoice: of several containers it is the newest that is ready, and none of a pod that is being deleted; a session
// stays with the one that it has.
func TestChoice(t *testing.T) {
	pod := func(name string, age int, ready, deleting bool) debuginfo.Running {
		return debuginfo.Running{
			Namespace: "shop", Pod: name, Name: "a", Workload: "web", Kind: "Deployment", ID: name, Ready: ready,
			Deleting: deleting, Created: time.Unix(int64(1000-age), 0),
		}
	}
	old, older, starting := pod("old", 10, true, false), pod("older", 20, true, false), pod("new", 1, false, false)
	leaving := pod("leaving", 5, true, true)
	for _, c := range []struct {
		want, had string
		running   []debuginfo.Running
	}{
		{"old", "", []debuginfo.Running{older, old, leaving}},
		{"old", "", []debuginfo.Running{leaving, old, older}},
		{"old", "", []debuginfo.Running{old, starting}},
		{"new", "", []debuginfo.Running{starting, leaving}},
		{"new", "leaving", []debuginfo.Running{leaving, starting}},
		{"older", "older", []debuginfo.Running{older, old, starting}},
		{"older", "older", []debuginfo.Running{old, older, starting}},
		{"leaving", "leaving", []debuginfo.Running{leaving}},
		{"", "", []debuginfo.Running{leaving}},
	} {
		a := &Attachment{Target: Target{Name: "web"}, running: c.running, moved: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		got, err := a.wait(ctx, c.had, func(debuginfo.Running) bool { return true })
		cancel()
		if got.Pod != c.want || (err == nil) != (c.want != "") {
			t.Errorf("of %+v, having had %q, it is %q, %v; want %q", c.running, c.had, got.Pod, err, c.want)
		}
	}
}

// debugger speaks the Debug Adapter Protocol as far as a check needs it. attaching is called at each request to attach,
// and returns why it is refused, or "".
func debugger(t *testing.T, attaching func() string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, attaching)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func serve(conn net.Conn, attaching func() string) {
	defer conn.Close()
	write := func(m any) {
		data, _ := json.Marshal(m) // of strings and numbers
		_ = dap.WriteBaseMessage(conn, data)
	}
	for r := bufio.NewReader(conn); ; {
		data, err := dap.ReadBaseMessage(r)
		var m wire
		if err != nil || json.Unmarshal(data, &m) != nil {
			return
		}
		answer := map[string]any{"seq": 1, "type": "response", "command": m.Command, "request_seq": m.Seq, "success": true}
		switch m.Command {
		case "attach":
			if problem := attaching(); problem != "" {
				answer["success"], answer["message"] = false, problem
			} else {
				write(map[string]any{"seq": 1, "type": "event", "event": "initialized"})
			}
		case "setBreakpoints":
			arguments, _ := m.Arguments.(map[string]any)
			if set, _ := arguments["breakpoints"].([]any); len(set) > 0 {
				answer["body"] = map[string]any{"breakpoints": []any{map[string]any{"verified": true}}}
			}
		}
		write(answer)
	}
}

// TestCheckChoosesAnew: a container that goes while it is attached to does not decide a check. One that stays and
// refuses does, and so does the fifth that goes.
func TestCheckChoosesAnew(t *testing.T) {
	const refusal = "Process 12 has exited with status -15"
	pod := func(id string, port int) debuginfo.Running {
		return debuginfo.Running{
			Namespace: "shop", Pod: "web-" + id, Name: "a", Workload: "web", Kind: "Deployment", ID: id, Ready: true,
			Info: debuginfo.Container{Runtime: "go", Ports: map[string]int32{"dlv": 1}}, Locals: map[string]int{"dlv": port},
		}
	}
	deleting := func(r debuginfo.Running) debuginfo.Running {
		r.Deleting = true
		return r
	}
	willing := debugger(t, func() string { return "" })
	for name, test := range map[string]struct {
		// after returns what runs once the container with the given number was asked.
		after    func(asked int, first debuginfo.Running) []debuginfo.Running
		want     string // what the error says
		attempts int
	}{
		"the container ends": {
			func(int, debuginfo.Running) []debuginfo.Running { return []debuginfo.Running{pod("new", willing)} }, "", 1},
		"the pod is being deleted": {
			func(_ int, first debuginfo.Running) []debuginfo.Running {
				return []debuginfo.Running{deleting(first), pod("new", willing)}
			}, "", 1},
		"it stays": {
			func(_ int, first debuginfo.Running) []debuginfo.Running {
				return []debuginfo.Running{first, deleting(pod("new", willing))}
			}, "setting a breakpoint: attach: the debugger refuses: " + refusal, 1},
		"all of them go": {
			func(asked int, first debuginfo.Running) []debuginfo.Running {
				return []debuginfo.Running{pod(fmt.Sprint(asked), first.Locals["dlv"])}
			}, "the container has ended, or is about to: attach: the debugger refuses: " + refusal, 5},
	} {
		t.Run(name, func(t *testing.T) {
			c, asked := newCluster(), 0
			var first debuginfo.Running
			first = pod("first", debugger(t, func() string {
				asked++
				c.set(test.after(asked, first)...)
				return refusal
			}))
			c.set(first)
			a := c.attachment(t, sources.Found{})
			a.Target, a.Settle = Target{Name: "web"}, 500*time.Millisecond
			checked, err := a.Check(t.Context(), "attach_test.go:7")
			if asked != test.attempts {
				t.Errorf("%d attempts, want %d", asked, test.attempts)
			}
			if test.want == "" && (err != nil || !checked.Bound) || test.want != "" && (err == nil || err.Error() != test.want) {
				t.Errorf("%+v, %v; want %q", checked, err, test.want)
			}
		})
	}
}

// TestLetGo: a debugger that lets the program go by itself is attached to after that, and one that never does after a
// while.
func TestLetGo(t *testing.T) {
	question := &editor.Question{Ask: "going?", Yes: func(answer []byte) bool { return string(answer) == "yes\n" }}
	for answers, want := range map[string]int{"yes\n": 1, "no\n,no\n,yes\n": 3, "": 1, "no\n": 2} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		asked := make(chan int)
		go func() {
			left, n := strings.Split(answers, ","), 0
			for {
				conn, err := l.Accept()
				if err != nil {
					break
				}
				text := make([]byte, len(question.Ask))
				if _, err := io.ReadFull(conn, text); err == nil {
					n++
					if len(left) > 0 {
						_, _ = io.WriteString(conn, left[0]) // who asks may be gone
						left = left[min(1, len(left)-1):]
					}
				}
				conn.Close()
			}
			asked <- n
		}()
		conn, err := dial(t.Context(), l.Addr().(*net.TCPAddr).Port, question)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		l.Close()
		if n := <-asked; n != want && (answers != "no\n" || n < want) {
			t.Errorf("%q: asked %d times, want %d", answers, n, want)
		}
	}
}
