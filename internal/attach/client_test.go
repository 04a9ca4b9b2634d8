package attach

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-dap"
)

// anEditor is a client of the Debug Adapter Protocol.
type anEditor struct {
	t    *testing.T
	w    io.Writer
	seq  int
	in   chan wire
	seen []wire
}

// wire is any message.
type wire struct {
	Seq        int             `json:"seq"`
	Type       string          `json:"type"`
	Command    string          `json:"command,omitempty"`
	Arguments  any             `json:"arguments,omitempty"`
	Event      string          `json:"event,omitempty"`
	RequestSeq int             `json:"request_seq,omitempty"`
	Success    bool            `json:"success,omitempty"`
	Message    string          `json:"message,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`
}

func newEditor(t *testing.T, r io.Reader, w io.Writer) *anEditor {
	e := &anEditor{t: t, w: w, in: make(chan wire, 1000)}
	go func() {
		defer close(e.in)
		for r := bufio.NewReader(r); ; {
			data, err := dap.ReadBaseMessage(r)
			var m wire
			if err != nil || json.Unmarshal(data, &m) != nil {
				return
			}
			e.in <- m
		}
	}()
	return e
}

func (e *anEditor) send(command string, arguments any) int {
	e.t.Helper()
	e.seq++
	data, err := json.Marshal(wire{Seq: e.seq, Type: "request", Command: command, Arguments: arguments})
	if err != nil {
		e.t.Fatal(err)
	}
	if err := dap.WriteBaseMessage(e.w, data); err != nil {
		e.t.Fatalf("%s: %v", command, err)
	}
	return e.seq
}

func (e *anEditor) wait(what string, fits func(wire) bool) wire {
	e.t.Helper()
	for i, m := range e.seen {
		if fits(m) {
			e.seen = append(e.seen[:i:i], e.seen[i+1:]...)
			return m
		}
	}
	for timeout := time.After(60 * time.Second); ; {
		select {
		case m, ok := <-e.in:
			if !ok {
				e.t.Fatalf("waiting for %s: the connection has ended; had %s", what, e.said())
			}
			if fits(m) {
				return m
			}
			e.seen = append(e.seen, m)
		case <-timeout:
			e.t.Fatalf("waiting for %s; had %s", what, e.said())
		}
	}
}

func (e *anEditor) said() string {
	data, _ := json.Marshal(e.seen)
	return string(data)
}

func (e *anEditor) response(seq int, body any) {
	e.t.Helper()
	m := e.wait(fmt.Sprintf("the response to %d", seq), func(m wire) bool {
		return m.Type == "response" && m.RequestSeq == seq
	})
	if !m.Success {
		e.t.Fatalf("%s: %s %s", m.Command, m.Message, m.Body)
	}
	if body != nil {
		if err := json.Unmarshal(m.Body, body); err != nil {
			e.t.Fatal(err)
		}
	}
}

func (e *anEditor) event(name string) wire {
	e.t.Helper()
	return e.wait("the event "+name, func(m wire) bool { return m.Type == "event" && m.Event == name })
}

// attach attaches as editors do, with one breakpoint, which has to bind.
func (e *anEditor) attach(arguments any, file string, line int) {
	e.t.Helper()
	e.response(e.send("initialize", dap.InitializeRequestArguments{
		ClientID: "test", AdapterID: "test", PathFormat: "path", LinesStartAt1: true, ColumnsStartAt1: true,
	}), nil)
	attached := e.send("attach", arguments)
	e.event("initialized")
	var set dap.SetBreakpointsResponseBody
	e.response(e.send("setBreakpoints", dap.SetBreakpointsArguments{
		Source: dap.Source{Path: file}, Breakpoints: []dap.SourceBreakpoint{{Line: line}},
	}), &set)
	if len(set.Breakpoints) != 1 || !set.Breakpoints[0].Verified {
		e.t.Fatalf("the breakpoint at %s:%d does not bind: %+v", file, line, set)
	}
	e.response(e.send("configurationDone", map[string]any{}), nil)
	e.response(attached, nil)
}

// stopped waits for the breakpoint, which has to be in a file by its local path, and lets the process go on.
func (e *anEditor) stopped(file string, line int) {
	e.t.Helper()
	var stop dap.StoppedEventBody
	if err := json.Unmarshal(e.event("stopped").Body, &stop); err != nil || stop.Reason != "breakpoint" {
		e.t.Fatalf("stopped: %+v, %v", stop, err)
	}
	var trace dap.StackTraceResponseBody
	e.response(e.send("stackTrace", dap.StackTraceArguments{ThreadId: stop.ThreadId, Levels: 1}), &trace)
	if len(trace.StackFrames) == 0 || trace.StackFrames[0].Source == nil || trace.StackFrames[0].Source.Path != file ||
		trace.StackFrames[0].Line != line {
		e.t.Fatalf("stopped at %+v, want %s:%d", trace.StackFrames, file, line)
	}
	e.response(e.send("continue", dap.ContinueArguments{ThreadId: stop.ThreadId}), nil)
}
