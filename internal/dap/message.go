package dap

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/google/go-dap"
)

// message is a message of the protocol: the fields that all have or may have, and the others as they came.
type message struct {
	fields map[string]json.RawMessage

	kind       string // request, response or event
	seq        int
	command    string // of a request or response
	event      string
	requestSeq int
	success    bool
}

// What is read is bounded: a container's debugger must not fill this machine's memory.
const (
	largestMessage = 16 << 20 // bytes, more than debuggers send
	mostHeaders    = 16
	mostKnown      = 1 << 16 // threads of a process, breakpoints of an answer
	mostReverse    = 256     // requests of the debugger that the editor has not answered
)

// read reads a message.
func read(r *bufio.Reader) (*message, error) {
	n, err := readHeaders(r)
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	m := &message{}
	if err := json.Unmarshal(data, &m.fields); err != nil {
		return nil, fmt.Errorf("reading a message: %w", err)
	}
	for key, to := range map[string]any{
		"type": &m.kind, "seq": &m.seq, "command": &m.command, "event": &m.event, "request_seq": &m.requestSeq,
		"success": &m.success,
	} {
		if raw, ok := m.fields[key]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return nil, fmt.Errorf("reading a message: %s: %w", key, err)
			}
		}
	}
	return m, nil
}

// readHeaders reads the part of a message in front of its content, and returns how long that is.
func readHeaders(r *bufio.Reader) (length int, err error) {
	length = -1
	for range mostHeaders {
		line, err := r.ReadSlice('\n') // at most as long as the reader's buffer
		switch {
		case errors.Is(err, io.EOF) && len(line) > 0:
			return 0, io.ErrUnexpectedEOF
		case errors.Is(err, bufio.ErrBufferFull):
			return 0, errors.New("reading a message: a line of its header has no end")
		case err != nil:
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if length < 0 || length > largestMessage {
				return 0, fmt.Errorf("reading a message: its length is %d", length)
			}
			return length, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return 0, fmt.Errorf("reading a message: %.40q is not a header", line)
		}
		if bytes.EqualFold(bytes.TrimSpace(name), []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 {
				return 0, fmt.Errorf("reading a message: its length is %.40q", value)
			}
		}
	}
	return 0, errors.New("reading a message: its header has no end")
}

// write writes a message with a number of its own.
func (m *message) write(w io.Writer, seq int) error {
	m.set("seq", seq)
	data, err := json.Marshal(m.fields)
	if err != nil {
		return err
	}
	return dap.WriteBaseMessage(w, data)
}

func (m *message) set(key string, value any) { m.fields[key] = encode(value) }

// encode encodes what always has an encoding.
func encode(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encoding %T: %v", value, err))
	}
	return data
}

// object is a JSON object whose members are left as they are.
type object = map[string]json.RawMessage

// part decodes an object in a message's body or arguments; one that is missing or something else is empty.
func (m *message) part(key string) object {
	return decodeObject(m.fields[key])
}

func decodeObject(raw json.RawMessage) object {
	o := object{}
	if len(raw) == 0 || json.Unmarshal(raw, &o) != nil || o == nil {
		return object{}
	}
	return o
}

func (m *message) text(key string) string { return textOf(m.fields[key]) }

func textOf(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything else is no text
	return s
}

// number decodes a whole number; 0 and false for anything else.
func number(raw json.RawMessage) (int, bool) {
	var n int
	if len(raw) == 0 || json.Unmarshal(raw, &n) != nil {
		return 0, false
	}
	return n, true
}

func list(raw json.RawMessage) []json.RawMessage {
	var l []json.RawMessage
	_ = json.Unmarshal(raw, &l) // anything else is no list
	return l
}

func request(command string, arguments any) *message {
	return &message{kind: "request", command: command, fields: object{
		"type": encode("request"), "command": encode(command), "arguments": encode(arguments),
	}}
}

func event(name string, body any) *message {
	return &message{kind: "event", event: name,
		fields: object{"type": encode("event"), "event": encode(name), "body": encode(body)}}
}

// response answers a request. A text makes it an error.
func response(to *message, body any, problem string) *message {
	m := &message{kind: "response", command: to.command, requestSeq: to.seq, success: problem == "", fields: object{
		"type": encode("response"), "command": encode(to.command), "request_seq": encode(to.seq),
		"success": encode(problem == ""),
	}}
	if problem != "" {
		m.set("message", problem)
		body = map[string]any{"error": map[string]any{"id": 1, "format": problem, "showUser": false}}
	}
	if body != nil {
		m.set("body", body)
	}
	return m
}
