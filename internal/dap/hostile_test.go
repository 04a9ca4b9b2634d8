package dap

import (
	"bufio"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// endless repeats a text.
type endless struct {
	text string
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 64<<20 {
		return 0, io.EOF // or the test would not end
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text[(e.read+n)%len(e.text):])
	}
	e.read += n
	return n, nil
}

// TestEndlessHeaders: whoever sends no message fills no memory.
func TestEndlessHeaders(t *testing.T) {
	for _, text := range []string{"X: y\r\n", "x", "Content-Length: 1\r\n", "Content-Length: 1"} {
		sent := &endless{text: text}
		if m, err := read(bufio.NewReader(sent)); err == nil || sent.read > 64<<10 {
			t.Errorf("%q: %v, %v after %d bytes", text, m, err, sent.read)
		}
	}
}

// TestClaimedLength: a length that is not sent takes no memory.
func TestClaimedLength(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if m, err := read(bufio.NewReader(strings.NewReader("Content-Length: 60000000\r\n\r\n{}"))); err == nil {
			t.Errorf("read %s", m)
		}
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
		t.Errorf("%d MB for 100 messages that are none", allocated>>20)
	}
}

// leave ends a session in the usual way.
func leave(st *stage, d *peer) {
	st.editor.send(request("disconnect", map[string]any{}))
	d.send(response(withSeq(d.request("disconnect")), nil, ""))
	st.end()
}

// TestDebuggerDoesNotRead: the editor's session goes on with the next debugger.
func TestDebuggerDoesNotRead(t *testing.T) {
	st := newStage(t, &Session{Patience: time.Second, Retry: time.Millisecond})
	st.attach()
	// The stage's debugger reads into a channel of 100 messages, which nobody empties now.
	for i := range 120 {
		text := strings.Repeat("x", i/100<<20)
		st.editor.send(request("evaluate", map[string]any{"expression": text}))
	}
	next := <-st.debuggers
	next.send(response(withSeq(next.request("initialize")), map[string]any{}, ""))
	next.request("attach")
	leave(st, next)
}

// TestDebuggerAsksWithoutEnd: requests of the debugger that the editor does not answer are not all remembered.
func TestDebuggerAsksWithoutEnd(t *testing.T) {
	s := &Session{}
	st := newStage(t, s)
	d := st.attach()
	go func() {
		for range st.editor.in { // which answers nothing
		}
	}()
	last := 0
	for range mostReverse + 10 {
		last = d.send(request("runInTerminal", map[string]any{}))
	}
	if m := d.response(last); m.success {
		t.Errorf("got %s", m)
	}
	leave(st, d)
	if len(s.reverse) > mostReverse {
		t.Errorf("%d requests are remembered", len(s.reverse))
	}
}

// TestVeryManyThreads: what a debugger tells of is remembered up to a bound, and passed on.
func TestVeryManyThreads(t *testing.T) {
	s := &Session{}
	st := newStage(t, s)
	d := st.attach()
	var threads []any
	for i := range mostKnown + 1000 {
		threads = append(threads, map[string]any{"id": i, "name": "t"})
	}
	asked := st.editor.send(request("threads", map[string]any{}))
	d.send(response(withSeq(d.request("threads")), map[string]any{"threads": threads}, ""))
	if got := list(st.editor.response(asked).part("body")["threads"]); len(got) != len(threads) {
		t.Errorf("the editor is told of %d threads", len(got))
	}
	leave(st, d)
	if len(s.threads) > mostKnown {
		t.Errorf("%d threads are remembered", len(s.threads))
	}
}
