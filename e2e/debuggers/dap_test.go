package debuggers

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dapMessage is any message of the Debug Adapter Protocol.
type dapMessage struct {
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

// dapClient is one connection to a debug adapter, used from one goroutine.
type dapClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	seq  int
	// seen holds the events and responses that came while something else was waited for, in order.
	seen []dapMessage
}

// dialDAP connects, trying for a while: a debugger may start listening after its application does.
func dialDAP(t *testing.T, addr string) *dapClient {
	t.Helper()
	conn := dial(t, addr)
	t.Cleanup(func() { conn.Close() })
	return &dapClient{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err == nil {
			return conn
		}
		last = err
	}
	t.Fatalf("nothing listens on the debug port: %v", last)
	return nil
}

// send sends a request and returns its number.
func (c *dapClient) send(command string, args any) int {
	c.t.Helper()
	c.seq++
	data, err := json.Marshal(dapMessage{Seq: c.seq, Type: "request", Command: command, Arguments: args})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c.conn, "Content-Length: %d\r\n\r\n%s", len(data), data); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	return c.seq
}

func (c *dapClient) read() (dapMessage, error) {
	var m dapMessage
	if err := c.conn.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return m, err
	}
	header, err := textproto.NewReader(c.r).ReadMIMEHeader()
	if err != nil {
		return m, err
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return m, err
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(c.r, data); err != nil {
		return m, err
	}
	return m, json.Unmarshal(data, &m)
}

// wait returns the next message that fits, which may have come already.
func (c *dapClient) wait(what string, fits func(dapMessage) bool) dapMessage {
	c.t.Helper()
	for i, m := range c.seen {
		if fits(m) {
			c.seen = append(c.seen[:i:i], c.seen[i+1:]...)
			return m
		}
	}
	for {
		m, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", what, err)
		}
		if fits(m) {
			return m
		}
		c.seen = append(c.seen, m)
	}
}

// response waits for the response to a request and decodes its body, unless that is nil.
func (c *dapClient) response(seq int, body any) {
	c.t.Helper()
	m := c.wait(fmt.Sprintf("the response to request %d", seq), func(m dapMessage) bool {
		return m.Type == "response" && m.RequestSeq == seq
	})
	if !m.Success {
		c.t.Fatalf("%s: %s %s", m.Command, m.Message, m.Body)
	}
	if body != nil {
		if err := json.Unmarshal(m.Body, body); err != nil {
			c.t.Fatalf("%s: %v", m.Command, err)
		}
	}
}

// event waits for an event.
func (c *dapClient) event(name string) dapMessage {
	c.t.Helper()
	return c.wait("the event "+name, func(m dapMessage) bool { return m.Type == "event" && m.Event == name })
}

// has reports whether an event has come, or comes within a time.
func (c *dapClient) has(event string, within time.Duration) bool {
	c.t.Helper()
	for deadline := time.Now().Add(within); ; {
		for _, m := range c.seen {
			if m.Type == "event" && m.Event == event {
				return true
			}
		}
		// A deadline that passes while nothing is read loses nothing.
		if err := c.conn.SetReadDeadline(deadline); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.r.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		m, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for the event %s: %v", event, err)
		}
		c.seen = append(c.seen, m)
	}
}

// attach brings a connection to the point where the program runs with the breakpoint set. It returns the debugger's
// version, where the debugger says it.
func (c *dapClient) attach(adapter string, args any, file string, line int) string {
	c.t.Helper()
	c.response(c.send("initialize", map[string]any{
		"adapterID": adapter, "clientID": "test", "linesStartAt1": true, "columnsStartAt1": true, "pathFormat": "path",
		"supportsStartDebuggingRequest": false,
	}), nil)
	attached := c.send("attach", args)
	c.event("initialized")
	var set struct {
		Breakpoints []struct {
			Verified bool   `json:"verified"`
			Message  string `json:"message"`
		} `json:"breakpoints"`
	}
	c.response(c.send("setBreakpoints", map[string]any{
		"source": map[string]any{"path": file}, "breakpoints": []map[string]any{{"line": line}},
	}), &set)
	if len(set.Breakpoints) != 1 || !set.Breakpoints[0].Verified {
		c.t.Fatalf("the breakpoint at %s:%d was not set: %+v", file, line, set)
	}
	c.response(c.send("configurationDone", map[string]any{}), nil)
	c.response(attached, nil)
	version := ""
	for _, m := range c.seen {
		var b struct {
			Output string `json:"output"`
			Data   struct {
				PackageVersion string `json:"packageVersion"`
			} `json:"data"`
		}
		if m.Event == "output" && json.Unmarshal(m.Body, &b) == nil && b.Output == "debugpy" {
			version = b.Data.PackageVersion
		}
	}
	return version
}

// stopped waits for the breakpoint, reads a local variable and lets the program go on.
func (c *dapClient) stopped(variable, want string) {
	c.t.Helper()
	var stop struct {
		Reason   string `json:"reason"`
		ThreadID int    `json:"threadId"`
	}
	if err := json.Unmarshal(c.event("stopped").Body, &stop); err != nil {
		c.t.Fatal(err)
	}
	if stop.Reason != "breakpoint" {
		c.t.Fatalf("stopped because of %q", stop.Reason)
	}
	var trace struct {
		Frames []struct {
			ID   int    `json:"id"`
			Name string `json:"name"`
		} `json:"stackFrames"`
	}
	c.response(c.send("stackTrace", map[string]any{"threadId": stop.ThreadID, "levels": 1}), &trace)
	if len(trace.Frames) == 0 {
		c.t.Fatal("no stack")
	}
	var scopes struct {
		Scopes []struct {
			Name string `json:"name"`
			Ref  int    `json:"variablesReference"`
		} `json:"scopes"`
	}
	c.response(c.send("scopes", map[string]any{"frameId": trace.Frames[0].ID}), &scopes)
	got := map[string]string{}
	for _, s := range scopes.Scopes {
		if !strings.HasPrefix(s.Name, "Local") {
			continue
		}
		var vars struct {
			Variables []struct{ Name, Value string } `json:"variables"`
		}
		c.response(c.send("variables", map[string]any{"variablesReference": s.Ref}), &vars)
		for _, v := range vars.Variables {
			got[v.Name] = v.Value
		}
	}
	if strings.Trim(got[variable], `'"`) != want {
		c.t.Fatalf("local variable %s is %q, not %q; all: %v", variable, got[variable], want, got)
	}
	c.response(c.send("continue", map[string]any{"threadId": stop.ThreadID}), nil)
}
