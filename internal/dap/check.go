package dap

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/go-dap"
)

// Bound is what became of a breakpoint.
type Bound struct {
	Verified bool
	// Line is where it really is, Path the file as the debugger tells it, "" where it does not. Message is why it did not
	// bind.
	Line    int
	Path    string
	Message string
}

// Check attaches to a debugger, sets one breakpoint, takes it out again and leaves. The process goes on.
func Check(
	ctx context.Context, conn io.ReadWriteCloser, arguments map[string]json.RawMessage, file string, line int,
) (Bound, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := &checker{conn: conn, r: bufio.NewReader(conn)}
	bound, err := c.check(arguments, file, line)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return bound, err
}

// checker is a client with one request at a time.
type checker struct {
	conn io.ReadWriteCloser
	r    *bufio.Reader
	seq  int
}

func (c *checker) check(arguments map[string]json.RawMessage, file string, line int) (Bound, error) {
	if _, err := c.call(request("initialize", dap.InitializeRequestArguments{
		ClientID: "debuggable", ClientName: "debuggable", AdapterID: "debuggable", PathFormat: "path", LinesStartAt1: true,
		ColumnsStartAt1: true,
	})); err != nil {
		return Bound{}, err
	}
	attach, err := c.send(request("attach", arguments))
	if err != nil {
		return Bound{}, err
	}
	if _, err := c.wait(func(m *message) bool {
		return m.kind == "event" && m.event == "initialized" || m.kind == "response" && m.requestSeq == attach && !m.success
	}); err != nil {
		return Bound{}, err
	}
	set := dap.SetBreakpointsArguments{Source: dap.Source{Path: file}, Breakpoints: []dap.SourceBreakpoint{{Line: line}}}
	answer, err := c.call(request("setBreakpoints", set))
	if err != nil {
		return Bound{}, err
	}
	var body struct{ Breakpoints []dap.Breakpoint }
	if err := json.Unmarshal(answer.fields["body"], &body); err != nil || len(body.Breakpoints) != 1 {
		return Bound{}, fmt.Errorf("setBreakpoints: the debugger answers %.200s", answer.fields["body"])
	}
	b := body.Breakpoints[0]
	bound := Bound{Verified: b.Verified, Line: b.Line, Message: b.Message}
	if b.Source != nil {
		bound.Path = b.Source.Path
	}
	set.Breakpoints = []dap.SourceBreakpoint{}
	if _, err := c.call(request("setBreakpoints", set)); err != nil {
		return Bound{}, err
	}
	// Only then does the process go on.
	if _, err := c.call(request("configurationDone", map[string]any{})); err != nil {
		return Bound{}, err
	}
	// there is nothing to be done about one that does not answer
	_, _ = c.call(request("disconnect", dap.DisconnectArguments{}))
	return bound, nil
}

func (c *checker) send(m *message) (int, error) {
	c.seq++
	return c.seq, m.write(c.conn, c.seq)
}

// call sends a request and waits for its answer.
func (c *checker) call(m *message) (*message, error) {
	seq, err := c.send(m)
	if err != nil {
		return nil, err
	}
	return c.wait(func(m *message) bool { return m.kind == "response" && m.requestSeq == seq })
}

// wait waits for a message. One that says that a request failed is an error.
func (c *checker) wait(fits func(*message) bool) (*message, error) {
	for {
		if d, ok := c.conn.(interface{ SetReadDeadline(time.Time) error }); ok {
			if err := d.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
				return nil, err
			}
		}
		m, err := read(c.r)
		if err != nil {
			return nil, err
		}
		if !fits(m) {
			continue
		}
		if m.kind == "response" && !m.success {
			problem := m.text("message")
			if detail := textOf(decodeObject(m.part("body")["error"])["format"]); detail != "" {
				problem = detail
			}
			return nil, fmt.Errorf("%s: the debugger refuses: %.500s", m.command, problem)
		}
		return m, nil
	}
}
