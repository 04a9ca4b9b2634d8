package dap

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// peer is one end of a connection: an editor, or a debugger.
type peer struct {
	t    *testing.T
	name string
	conn net.Conn
	seq  int
	in   chan *message
	seen []*message
}

func newPeer(t *testing.T, name string, conn net.Conn) *peer {
	p := &peer{t: t, name: name, conn: conn, in: make(chan *message, 100)}
	go func() {
		defer close(p.in)
		for r := bufio.NewReader(conn); ; {
			m, err := read(r)
			if err != nil {
				return
			}
			p.in <- m
		}
	}()
	t.Cleanup(func() { conn.Close() })
	return p
}

// send sends a message and returns its number.
func (p *peer) send(m *message) int {
	p.t.Helper()
	p.seq++
	if err := m.write(p.conn, p.seq); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	return p.seq
}

// want waits for a message.
func (p *peer) want(what string, fits func(*message) bool) *message {
	p.t.Helper()
	for i, m := range p.seen {
		if fits(m) {
			p.seen = slices.Delete(p.seen, i, i+1)
			return m
		}
	}
	for timeout := time.After(10 * time.Second); ; {
		select {
		case m, ok := <-p.in:
			if !ok {
				p.t.Fatalf("%s: waiting for %s: the connection has ended; had %v", p.name, what, p.seen)
			}
			if fits(m) {
				return m
			}
			p.seen = append(p.seen, m)
		case <-timeout:
			p.t.Fatalf("%s: waiting for %s; had %v", p.name, what, p.seen)
		}
	}
}

func (m *message) String() string { return string(encode(m.fields)) }

func (p *peer) request(command string) *message {
	p.t.Helper()
	return p.want("the request "+command, func(m *message) bool { return m.kind == "request" && m.command == command })
}

func (p *peer) event(name string) *message {
	p.t.Helper()
	return p.want("the event "+name, func(m *message) bool { return m.kind == "event" && m.event == name })
}

func (p *peer) response(seq int) *message {
	p.t.Helper()
	return p.want(fmt.Sprintf("the response to %d", seq), func(m *message) bool {
		return m.kind == "response" && m.requestSeq == seq
	})
}

func (p *peer) call(command string, arguments any) *message {
	p.t.Helper()
	return p.response(p.send(request(command, arguments)))
}

// ended waits for the end of the connection.
func (p *peer) ended() {
	p.t.Helper()
	for timeout := time.After(10 * time.Second); ; {
		select {
		case _, ok := <-p.in:
			if !ok {
				return
			}
		case <-timeout:
			p.t.Fatalf("%s: the connection has not ended", p.name)
		}
	}
}

// stage is a session between an editor and the debuggers that the test hands out.
type stage struct {
	t         *testing.T
	editor    *peer
	debuggers chan *peer
	replaced  chan bool
	served    chan error
	cancel    context.CancelFunc
}

func newStage(t *testing.T, s *Session) *stage {
	st := &stage{t: t, debuggers: make(chan *peer), replaced: make(chan bool, 100), served: make(chan error, 1)}
	number := 0
	if s.Connect == nil {
		s.Connect = func(ctx context.Context, replaced bool) (io.ReadWriteCloser, error) {
			ours, theirs := pipe(t)
			number++
			select {
			case st.debuggers <- newPeer(t, fmt.Sprintf("debugger %d", number), theirs):
				st.replaced <- replaced
				return ours, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	s.Retry = time.Millisecond
	ours, theirs := pipe(t)
	st.editor = newPeer(t, "editor", theirs)
	ctx, cancel := context.WithCancel(t.Context())
	st.cancel = cancel
	go func() {
		st.served <- s.Serve(ctx, ours, ours)
		ours.Close()
	}()
	return st
}

// pipe returns the ends of a TCP connection, which buffers.
func pipe(t *testing.T) (a, b net.Conn) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp4", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// attached brings a debugger to where the process runs, with as many breakpoints set; ids are what it calls them.
func (p *peer) attached(ids ...int) *message {
	p.t.Helper()
	p.send(response(withSeq(p.request("initialize")), map[string]any{"supportsConfigurationDoneRequest": true}, ""))
	attach := p.request("attach")
	p.send(event("initialized", map[string]any{}))
	if len(ids) > 0 {
		p.set(ids...)
	}
	p.send(response(withSeq(p.request("configurationDone")), nil, ""))
	p.send(response(withSeq(attach), nil, ""))
	return attach
}

func withSeq(m *message) *message { return &message{seq: m.seq, command: m.command} }

// set answers a request to set breakpoints.
func (p *peer) set(ids ...int) {
	p.t.Helper()
	m := p.request("setBreakpoints")
	var set []any
	for _, id := range ids {
		set = append(set, map[string]any{"id": id, "verified": true})
	}
	p.send(response(withSeq(m), map[string]any{"breakpoints": set}, ""))
}

// attach is what an editor does, with one breakpoint.
func (st *stage) attach() *peer {
	st.t.Helper()
	e := st.editor
	init := e.send(request("initialize", map[string]any{"clientID": "editor"}))
	d := <-st.debuggers
	<-st.replaced
	d.send(response(withSeq(d.request("initialize")), map[string]any{"supportsConfigurationDoneRequest": true}, ""))
	if m := e.response(init); !m.success || string(m.part("body")["supportsConfigurationDoneRequest"]) != "true" {
		st.t.Fatalf("initialize: %s", m)
	}
	attach := e.send(request("attach", map[string]any{"request": "attach"}))
	asked := d.request("attach")
	d.send(event("initialized", map[string]any{}))
	e.event("initialized")
	set := e.send(request("setBreakpoints", map[string]any{
		"source": map[string]any{"path": "/local/a.go"}, "breakpoints": []any{map[string]any{"line": 3}},
	}))
	d.set(7)
	if got := string(e.response(set).part("body")["breakpoints"]); got != `[{"id":1,"verified":true}]` {
		st.t.Fatalf("the editor is told %s", got)
	}
	done := e.send(request("configurationDone", map[string]any{}))
	d.send(response(withSeq(d.request("configurationDone")), nil, ""))
	d.send(response(withSeq(asked), nil, ""))
	e.response(done)
	e.response(attach)
	return d
}

func (st *stage) end() {
	st.t.Helper()
	select {
	case err := <-st.served:
		if err != nil {
			st.t.Errorf("the session ended: %v", err)
		}
	case <-time.After(10 * time.Second):
		st.t.Fatal("the session has not ended")
	}
}

// TestRestart: the process is replaced while it is stopped at a breakpoint. The editor's session goes on, and the
// breakpoint is set again.
func TestRestart(t *testing.T) {
	for _, how := range []string{"the connection is lost", "the debugger says that it is over"} {
		t.Run(how, func(t *testing.T) {
			mapping := json.RawMessage(`[{"from":"/local","to":"/remote"}]`)
			st := newStage(t, &Session{Attach: func(arguments map[string]json.RawMessage) {
				arguments["substitutePath"] = mapping
			}})
			d, e := st.attach(), st.editor
			d.send(event("stopped", map[string]any{"reason": "breakpoint", "threadId": 5, "hitBreakpointIds": []int{7}}))
			if got := string(e.event("stopped").part("body")["hitBreakpointIds"]); got != "[1]" {
				t.Errorf("stopped at breakpoints %s", got)
			}
			pending := e.send(request("evaluate", map[string]any{"expression": "x", "frameId": 1000}))
			d.request("evaluate")
			if how == "the connection is lost" {
				d.conn.Close()
			} else {
				d.send(event("exited", map[string]any{"exitCode": 1}))
				d.send(event("terminated", map[string]any{}))
			}
			if m := e.response(pending); m.success {
				t.Errorf("a request that got no answer: %s", m)
			}
			e.event("continued")
			if got := string(e.event("thread").fields["body"]); got != `{"reason":"exited","threadId":5}` {
				t.Errorf("the editor is told of the thread %s", got)
			}
			if m := e.call("threads", nil); string(m.fields["body"]) != `{"threads":[]}` {
				t.Errorf("threads in between: %s", m)
			}
			// What is set in between counts.
			e.call("setBreakpoints", map[string]any{
				"source":      map[string]any{"path": "/local/a.go"},
				"breakpoints": []any{map[string]any{"line": 3}, map[string]any{"line": 9}},
			})
			again := <-st.debuggers
			if replaced := <-st.replaced; replaced == (how == "the connection is lost") {
				t.Errorf("another process is wanted: %t", replaced)
			}
			attach := again.attached(1, 2)
			if got := string(attach.part("arguments")["substitutePath"]); got != string(mapping) {
				t.Errorf("attached with %s", got)
			}
			for _, want := range []int{2, 3} {
				if id, _ := number(decodeObject(e.event("breakpoint").part("body")["breakpoint"])["id"]); id != want {
					t.Errorf("breakpoint %d changed, want %d", id, want)
				}
			}
			e.want("that it is attached again", func(m *message) bool {
				return m.event == "output" && strings.Contains(m.String(), "attached again")
			})
			for _, old := range []map[string]any{{"threadId": 5}, {"frameId": 1000}, {"variablesReference": 1}} {
				if m := e.call("scopes", old); m.success {
					t.Errorf("%v is of the old process: %s", old, m)
				}
			}
			again.send(event("stopped", map[string]any{"reason": "breakpoint", "threadId": 5, "hitBreakpointIds": []int{2}}))
			if got := string(e.event("stopped").part("body")["hitBreakpointIds"]); got != "[3]" {
				t.Errorf("stopped at breakpoints %s", got)
			}
			trace := e.send(request("stackTrace", map[string]any{"threadId": 5}))
			again.send(response(withSeq(again.request("stackTrace")), map[string]any{"stackFrames": []any{}}, ""))
			e.response(trace)
			for _, m := range e.seen {
				if m.event == "terminated" || m.event == "exited" || m.event == "initialized" {
					t.Errorf("the editor noticed: %s", m)
				}
			}
			// The editor leaves: nothing stays behind in the process.
			leave := e.send(request("disconnect", map[string]any{"terminateDebuggee": false}))
			if m := again.request("setBreakpoints"); string(m.part("arguments")["breakpoints"]) != "[]" {
				t.Errorf("when the editor leaves: %s", m)
			}
			again.request("continue")
			again.send(response(withSeq(again.request("disconnect")), nil, ""))
			e.response(leave)
			again.ended()
			e.ended()
			st.end()
		})
	}
}

// TestNotThereYet: a connection that ends before the debugger has said anything is made again.
func TestNotThereYet(t *testing.T) {
	st := newStage(t, &Session{})
	init := st.editor.send(request("initialize", map[string]any{}))
	for range 3 {
		(<-st.debuggers).conn.Close()
	}
	d := <-st.debuggers
	d.send(response(withSeq(d.request("initialize")), nil, ""))
	st.editor.response(init)
	st.editor.conn.Close()
	d.request("disconnect")
	d.conn.Close()
	st.end()
}

// TestPassedThrough: what debuggers have of their own, and what they ask the editor.
func TestPassedThrough(t *testing.T) {
	st := newStage(t, &Session{Address: func() (string, int) { return "127.0.0.1", 4711 }})
	d, e := st.attach(), st.editor
	d.send(event("debugpyAttach",
		map[string]any{"name": "Subprocess 12", "connect": map[string]any{"host": "127.0.0.1", "port": 5678},
			"subProcessId": 12}))
	if got := string(e.event("debugpyAttach").part("body")["connect"]); got != `{"host":"127.0.0.1","port":4711}` {
		t.Errorf("the editor is to connect to %s", got)
	}
	asked := d.send(request("runInTerminal", map[string]any{"args": []string{"x"}}))
	e.send(response(withSeq(e.request("runInTerminal")), map[string]any{"processId": 9}, ""))
	if got := string(d.response(asked).fields["body"]); got != `{"processId":9}` {
		t.Errorf("the debugger is told %s", got)
	}
	st.cancel()
	d.request("disconnect")
	d.conn.Close()
	st.end()
}

// TestChild: the session of a process that another one started ends with it.
func TestChild(t *testing.T) {
	st := newStage(t, &Session{Attach: func(map[string]json.RawMessage) { t.Error("the mapping came with the event") }})
	e := st.editor
	e.send(request("initialize", map[string]any{}))
	d := <-st.debuggers
	d.send(response(withSeq(d.request("initialize")), nil, ""))
	e.send(request("attach", map[string]any{"subProcessId": 12}))
	d.request("attach")
	d.conn.Close()
	e.event("terminated")
	e.call("disconnect", map[string]any{})
	st.end()
}

// TestGone: where there will be no debugger any more, the editor is told.
func TestGone(t *testing.T) {
	gone := errors.New("pod default/job has ended")
	st := newStage(t, &Session{Connect: func(context.Context, bool) (io.ReadWriteCloser, error) { return nil, gone }})
	if m := st.editor.call("initialize", map[string]any{}); m.success || m.text("message") != gone.Error() {
		t.Errorf("initialize: %s", m)
	}
	if err := <-st.served; !errors.Is(err, gone) {
		t.Errorf("the session ended with %v", err)
	}
}

func TestLaunch(t *testing.T) {
	st := newStage(t, &Session{})
	d := st.attach()
	if m := st.editor.call("launch", map[string]any{}); m.success || !strings.Contains(m.text("message"), "attach") {
		t.Errorf("launch: %s", m)
	}
	st.editor.conn.Close()
	d.request("disconnect")
	d.conn.Close()
	st.end()
}

func TestReadErrors(t *testing.T) {
	for _, text := range []string{"", "X: y\r\n\r\n", "Content-Length: -1\r\n\r\n", "Content-Length: 99999999999\r\n\r\n",
		"Content-Length: 2\r\n\r\n[]",
		"Content-Length: 11\r\n\r\n{\"seq\":\"x\"}", "Content-Length: 5\r\n\r\n{}"} {
		if m, err := read(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%q: %s", text, m)
		}
	}
}
