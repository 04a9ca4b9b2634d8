package debuggers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// cdpClient speaks the Chrome DevTools protocol with Node's inspector.
type cdpClient struct {
	t    *testing.T
	conn *websocket.Conn
	id   int
	seen []cdpMessage
}

type cdpMessage struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// dialCDP finds the inspector's only target and connects to it. It returns the script that the target runs, too, and
// the version of Node.
func dialCDP(t *testing.T, addr string) (c *cdpClient, script, version string) {
	t.Helper()
	var targets []struct {
		URL       string `json:"url"`
		WebSocket string `json:"webSocketDebuggerUrl"`
	}
	getJSON(t, "http://"+addr+"/json/list", &targets)
	if len(targets) != 1 {
		t.Fatalf("the inspector has the targets %v", targets)
	}
	var v struct{ Browser string }
	getJSON(t, "http://"+addr+"/json/version", &v)
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), targets[0].WebSocket, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &cdpClient{t: t, conn: conn}, targets[0].URL, strings.TrimPrefix(v.Browser, "node.js/v")
}

func getJSON(t *testing.T, url string, to any) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(to); err != nil {
		t.Fatal(err)
	}
}

func (c *cdpClient) read() cdpMessage {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	var m cdpMessage
	if err := c.conn.ReadJSON(&m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *cdpClient) call(method string, params, result any) {
	c.t.Helper()
	c.id++
	if err := c.conn.WriteJSON(map[string]any{"id": c.id, "method": method, "params": params}); err != nil {
		c.t.Fatal(err)
	}
	for {
		m := c.read()
		if m.ID != c.id {
			c.seen = append(c.seen, m)
			continue
		}
		if m.Error != nil {
			c.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				c.t.Fatal(err)
			}
		}
		return
	}
}

func (c *cdpClient) event(method string) json.RawMessage {
	c.t.Helper()
	for i, m := range c.seen {
		if m.Method == method {
			c.seen = append(c.seen[:i:i], c.seen[i+1:]...)
			return m.Params
		}
	}
	for {
		m := c.read()
		if m.Method == method {
			return m.Params
		}
		c.seen = append(c.seen, m)
	}
}

// breakAt sets a breakpoint, with the line counted from 1 and the column from 0.
func (c *cdpClient) breakAt(file string, line, column int) {
	c.t.Helper()
	c.breaks(map[string]any{"lineNumber": line - 1, "columnNumber": column, "urlRegex": ".*" + regexp.QuoteMeta(file)})
}

// breakAtURL is breakAt for the script of a URL.
func (c *cdpClient) breakAtURL(url string, line, column int) {
	c.t.Helper()
	c.breaks(map[string]any{"lineNumber": line - 1, "columnNumber": column, "url": url})
}

// compiled finds the script that a source was compiled to, by the source maps that scripts hold, and the place in it of
// the first that the line, counted from 1, became. Lines are counted from 1, and columns from 0.
func (c *cdpClient) compiled(source string, line int) (script string, at, column int) {
	c.t.Helper()
	c.call("Debugger.enable", map[string]any{}, nil)
	for _, m := range c.seen {
		var parsed struct{ URL, SourceMapURL string }
		if m.Method != "Debugger.scriptParsed" || json.Unmarshal(m.Params, &parsed) != nil {
			continue
		}
		encoded, held := strings.CutPrefix(parsed.SourceMapURL, "data:application/json;base64,")
		file, isFile := strings.CutPrefix(parsed.URL, "file://")
		if !held || !isFile {
			continue
		}
		var sourceMap struct {
			Sources  []string
			Mappings string
		}
		data, err := base64.StdEncoding.DecodeString(encoded)
		if err == nil {
			err = json.Unmarshal(data, &sourceMap)
		}
		if err != nil {
			c.t.Fatalf("the source map of %s: %v", file, err)
		}
		of := slices.IndexFunc(sourceMap.Sources, func(s string) bool { return path.Join(path.Dir(file), s) == source })
		for _, place := range mappings(c.t, sourceMap.Mappings) {
			if place.source == of && place.line == line-1 {
				return parsed.URL, place.atLine + 1, place.atColumn
			}
		}
	}
	c.t.Fatalf("no script was compiled from %s with line %d", source, line)
	return "", 0, 0
}

// mapped is one segment of a source map: a place in the script and its origin, all counted from 0.
type mapped struct{ atLine, atColumn, source, line int }

// mappings decodes those of a source map (ECMA-426): lines of segments of differences, in base 64 with the sign last.
func mappings(t *testing.T, encoded string) (all []mapped) {
	t.Helper()
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var source, line int
	for atLine, segments := range strings.Split(encoded, ";") {
		atColumn := 0
		for _, segment := range strings.Split(segments, ",") {
			var fields []int
			value, shift := 0, 0
			for _, r := range segment {
				digit := strings.IndexRune(digits, r)
				value, shift = value|digit&31<<shift, shift+5
				if digit&32 != 0 {
					continue
				}
				if value&1 != 0 {
					value = -value
				}
				fields, value, shift = append(fields, value/2), 0, 0
			}
			if len(fields) > 0 {
				atColumn += fields[0]
			}
			if len(fields) < 4 {
				continue // of no source
			}
			source, line = source+fields[1], line+fields[2]
			all = append(all, mapped{atLine, atColumn, source, line})
		}
	}
	return all
}

func (c *cdpClient) breaks(at map[string]any) {
	c.t.Helper()
	c.call("Runtime.enable", map[string]any{}, nil)
	c.call("Debugger.enable", map[string]any{}, nil)
	var set struct {
		Locations []any `json:"locations"`
	}
	c.call("Debugger.setBreakpointByUrl", at, &set)
	if len(set.Locations) != 1 {
		c.t.Fatalf("the breakpoint at %v was not set: %v", at, set)
	}
	c.call("Runtime.runIfWaitingForDebugger", map[string]any{}, nil)
}

// stopped waits for the breakpoint, reads a local variable and lets the program go on.
func (c *cdpClient) stopped(variable, want string) {
	c.t.Helper()
	var paused struct {
		CallFrames []struct {
			ID string `json:"callFrameId"`
		} `json:"callFrames"`
		Hit    []string `json:"hitBreakpoints"` // of V8
		Reason string   `json:"reason"`         // of WebKit
	}
	if err := json.Unmarshal(c.event("Debugger.paused"), &paused); err != nil {
		c.t.Fatal(err)
	}
	if len(paused.Hit) != 1 && paused.Reason != "Breakpoint" || len(paused.CallFrames) == 0 {
		c.t.Fatalf("paused, but not at the breakpoint: %v", paused)
	}
	var value struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
	}
	c.call("Debugger.evaluateOnCallFrame", map[string]any{"callFrameId": paused.CallFrames[0].ID, "expression": variable},
		&value)
	if fmt.Sprint(value.Result.Value) != want {
		c.t.Fatalf("local variable %s is %v, not %q", variable, value.Result.Value, want)
	}
	c.call("Debugger.resume", map[string]any{}, nil)
}

// find returns the line, counted from 1, and the column, counted from 0, of a text in the script of a name, as it runs.
func (c *cdpClient) find(name, text string) (line, column int) {
	c.t.Helper()
	c.call("Debugger.enable", map[string]any{}, nil)
	for _, m := range c.seen {
		var script struct{ ScriptID, URL string }
		if m.Method != "Debugger.scriptParsed" || json.Unmarshal(m.Params, &script) != nil ||
			!strings.HasSuffix(script.URL, name) {
			continue
		}
		var source struct{ ScriptSource string }
		c.call("Debugger.getScriptSource", map[string]any{"scriptId": script.ScriptID}, &source)
		before, _, found := strings.Cut(source.ScriptSource, text)
		if found {
			return 1 + strings.Count(before, "\n"), len(before) - 1 - strings.LastIndex(before, "\n")
		}
	}
	c.t.Fatalf("no script %s has %q", name, text)
	return 0, 0
}
