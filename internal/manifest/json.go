package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// span is a range of bytes, [start, end).
type span struct{ start, end int }

// jsonValues finds the JSON values that text consists of. The error's line counts from 1; all values before it are good.
func jsonValues(text []byte) ([]span, *problem) {
	dec := json.NewDecoder(bytes.NewReader(text))
	var values []span
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			at := int(dec.InputOffset())
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				at = int(syntax.Offset) - 1
			} else if errors.Is(err, io.ErrUnexpectedEOF) {
				at = len(bytes.TrimRight(text, " \t\r\n"))
				err = errors.New("the text ends in the middle of a value")
			}
			if strings.Contains(err.Error(), "exceeded max depth") {
				return values, &problem{1, tooDeep}
			}
			at = max(0, min(at, len(text)))
			return values, &problem{1 + countLines(text[:at]), "malformed JSON: " + err.Error()}
		}
		end := int(dec.InputOffset())
		values = append(values, span{end - len(raw), end})
	}
}

// parseJSON parses one valid JSON value into YAML nodes, with numbers' texts and the order of keys kept. Into spans, where it is
// not nil, goes where in text each node is. Lines count from 1. The problem it can find is nesting.
func parseJSON(text []byte, spans map[*yaml.Node]span) (*yaml.Node, *problem) {
	p := jsonParser{text: text, line: 1, spans: spans}
	return p.value(0)
}

type jsonParser struct {
	text      []byte
	pos       int
	line      int
	lineStart int
	spans     map[*yaml.Node]span
}

// peek skips white space and returns the next byte, 0 at the end.
func (p *jsonParser) peek() byte {
	for ; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case '\n', '\r':
			if c == '\n' || p.pos+1 == len(p.text) || p.text[p.pos+1] != '\n' {
				p.line++
				p.lineStart = p.pos + 1
			}
		case ' ', '\t':
		default:
			return c
		}
	}
	return 0
}

func (p *jsonParser) value(depth int) (*yaml.Node, *problem) {
	c := p.peek()
	start := p.pos
	n := &yaml.Node{Line: p.line, Column: p.pos - p.lineStart + 1}
	switch c {
	case '{', '[':
		if depth >= maxDepth {
			return nil, &problem{p.line, tooDeep}
		}
		n.Kind, n.Tag = yaml.MappingNode, yaml.NodeTagMap
		if c == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, yaml.NodeTagSeq
		}
		p.pos++
		for {
			switch p.peek() {
			case '}', ']':
				p.pos++
			case ',', ':':
				p.pos++
				continue
			case 0:
				return nil, &problem{p.line, "malformed JSON"} // not reached for valid JSON
			default:
				child, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.Content = append(n.Content, child)
				continue
			}
			break
		}
	case '"':
		n.Kind, n.Tag, n.Style = yaml.ScalarNode, yaml.NodeTagString, yaml.DoubleQuotedStyle
		p.pos++
		escaped := false
		for p.pos < len(p.text) && p.text[p.pos] != '"' {
			if p.text[p.pos] == '\\' {
				escaped = true
				p.pos++
			}
			p.pos++
		}
		p.pos = min(p.pos+1, len(p.text))
		if escaped {
			if err := json.Unmarshal(p.text[start:p.pos], &n.Value); err != nil {
				return nil, &problem{p.line, "malformed JSON: " + err.Error()}
			}
		} else {
			n.Value = string(p.text[start+1 : p.pos-1])
		}
	default:
		for p.pos < len(p.text) && !strings.ContainsRune(" \t\r\n,:]}", rune(p.text[p.pos])) {
			p.pos++
		}
		n.Kind, n.Value = yaml.ScalarNode, string(p.text[start:p.pos])
		switch {
		case n.Value == "null":
			n.Tag = yaml.NodeTagNull
		case n.Value == "true", n.Value == "false":
			n.Tag = yaml.NodeTagBool
		case strings.ContainsAny(n.Value, ".eE"):
			n.Tag = yaml.NodeTagFloat
		default:
			n.Tag = yaml.NodeTagInt
		}
	}
	if p.spans != nil {
		p.spans[n] = span{start, p.pos}
	}
	return n, nil
}

// emitJSON writes the edited tree root the way text, the document as read, is written: unchanged values as their
// bytes, changed ones with text's indentation, key order and spacing.
func emitJSON(text []byte, root *yaml.Node) ([]byte, error) {
	spans := map[*yaml.Node]span{}
	orig, p := parseJSON(text, spans)
	if p != nil {
		return nil, p
	}
	e := jsonEmitter{text: text, spans: spans, newline: "\n", colon: ":", comma: ","}
	if bytes.Contains(text, []byte("\r\n")) {
		e.newline = "\r\n"
	}
	e.detectStyle(orig)
	if err := e.value(orig, root, 0); err != nil {
		return nil, err
	}
	return e.out.Bytes(), nil
}

type jsonEmitter struct {
	text  []byte
	spans map[*yaml.Node]span
	out   bytes.Buffer

	multiline bool   // whether new mappings and sequences take several lines
	indent    string // of one level
	newline   string
	colon     string // between key and value
	comma     string // between values on one line
}

// detectStyle learns from the outermost mapping that has entries.
func (e *jsonEmitter) detectStyle(n *yaml.Node) {
	if n.Kind != yaml.MappingNode || len(n.Content) < 2 {
		e.colon, e.comma = ": ", ", "
		return
	}
	e.colon = string(e.text[e.spans[n.Content[0]].end:e.spans[n.Content[1]].start])
	if !strings.HasPrefix(strings.TrimSpace(e.colon), ":") || strings.ContainsAny(e.colon, "\r\n") {
		e.colon = ": "
	}
	e.multiline = e.isMultiline(n)
	if e.multiline {
		before := e.text[e.spans[n].start+1 : e.spans[n.Content[0]].start]
		e.indent = string(before[bytes.LastIndexAny(before, "\r\n")+1:])
	}
	if e.multiline || e.colon != ":" {
		e.comma = ", "
	}
	// The root itself may be indented, as a part of something else: only the difference counts.
	e.indent = strings.TrimPrefix(e.indent, strings.Repeat(" ", n.Column-1))
}

// isMultiline tells whether a mapping or sequence with content breaks the line before its first entry.
func (e *jsonEmitter) isMultiline(n *yaml.Node) bool {
	return bytes.ContainsAny(e.text[e.spans[n].start:e.spans[n.Content[0]].start], "\r\n")
}

func (e *jsonEmitter) value(orig, n *yaml.Node, depth int) error {
	if orig != nil {
		if s, ok := e.spans[orig]; ok && sameTree(orig, n) {
			e.out.Write(e.text[s.start:s.end])
			return nil
		}
	}
	if n.Kind == yaml.AliasNode {
		return errors.New("there is an alias in a JSON document")
	}
	if n.Kind == yaml.ScalarNode {
		return e.scalar(n)
	}
	opening, closing, step := byte('{'), byte('}'), 2
	if n.Kind == yaml.SequenceNode {
		opening, closing, step = '[', ']', 1
	}
	e.out.WriteByte(opening)
	multiline := e.multiline
	if orig != nil && orig.Kind == n.Kind && len(orig.Content) > 0 {
		multiline = e.isMultiline(orig)
	} else {
		orig = nil
	}
	pairs := pairItems(orig, n)
	for i := 0; i+step <= len(n.Content); i += step {
		switch {
		case multiline:
			if i > 0 {
				e.out.WriteByte(',')
			}
			e.breakLine(depth + 1)
		case i > 0:
			e.out.WriteString(e.comma)
		}
		value := n.Content[i+step-1]
		var was *yaml.Node
		if step == 2 {
			key := n.Content[i]
			wasKey, wasValue := entry(orig, key.Value)
			was = wasValue
			if wasKey != nil {
				s := e.spans[wasKey]
				e.out.Write(e.text[s.start:s.end])
			} else {
				e.out.Write(jsonString(key.Value))
			}
			e.out.WriteString(e.colon)
		} else if pairs[i] >= 0 {
			was = orig.Content[pairs[i]]
		}
		if err := e.value(was, value, depth+1); err != nil {
			return err
		}
	}
	if multiline && len(n.Content) > 0 {
		e.breakLine(depth)
	}
	e.out.WriteByte(closing)
	return nil
}

func (e *jsonEmitter) breakLine(depth int) {
	e.out.WriteString(e.newline)
	for range depth {
		e.out.WriteString(e.indent)
	}
}

// scalar writes a scalar as the JSON value that YAML resolves it to.
func (e *jsonEmitter) scalar(n *yaml.Node) error {
	switch n.ShortTag() {
	case yaml.NodeTagNull:
		e.out.WriteString("null")
	case yaml.NodeTagBool:
		e.out.WriteString(strings.ToLower(n.Value))
	case yaml.NodeTagInt, yaml.NodeTagFloat:
		number, err := jsonNumber(n.Value)
		if err != nil {
			return err
		}
		e.out.WriteString(number)
	default:
		e.out.Write(jsonString(n.Value))
	}
	return nil
}

// jsonNumber returns a YAML number in JSON's spelling; one that has it already keeps its text.
func jsonNumber(s string) (string, error) {
	if json.Valid([]byte(s)) {
		return s, nil
	}
	plain := strings.ReplaceAll(s, "_", "")
	if i, ok := new(big.Int).SetString(strings.TrimPrefix(plain, "+"), 0); ok {
		return i.String(), nil
	}
	f, err := strconv.ParseFloat(plain, 64)
	if err != nil || f != f || f-f != 0 {
		return "", fmt.Errorf("the number %s cannot be written as JSON", s)
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

// jsonString quotes s without escaping <, > and &, which JSON does not ask for.
func jsonString(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes, and a Buffer always accepts
	return bytes.TrimRight(b.Bytes(), "\n")
}
