package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// span is a range of bytes, [start, end).
type span struct{ start, end int }

// jsonValues finds the JSON values that text consists of. The error's line counts from 1; all values before it are
// good.
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

// parseJSON parses one valid JSON value into YAML nodes, with numbers' texts and the order of keys kept. Into spans,
// where it is not nil, goes where in text each node is. Lines count from 1. The problem it can find is nesting.
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
	var err *problem
	switch c {
	case '{', '[':
		if depth >= maxDepth {
			return nil, &problem{p.line, tooDeep}
		}
		n.Kind, n.Tag = yaml.MappingNode, yaml.NodeTagMap
		if c == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, yaml.NodeTagSeq
		}
		n.Content, err = p.content(depth)
	case '"':
		n.Kind, n.Tag, n.Style = yaml.ScalarNode, yaml.NodeTagString, yaml.DoubleQuotedStyle
		n.Value, err = p.quoted()
	default:
		for p.pos < len(p.text) && !strings.ContainsRune(" \t\r\n,:]}", rune(p.text[p.pos])) {
			p.pos++
		}
		n.Kind, n.Value = yaml.ScalarNode, string(p.text[start:p.pos])
		n.Tag = bareTag(n.Value)
	}
	if err != nil {
		return nil, err
	}
	if p.spans != nil {
		p.spans[n] = span{start, p.pos}
	}
	return n, nil
}

// content reads the keys and values, or the items, of a collection, and the closing bracket.
func (p *jsonParser) content(depth int) (content []*yaml.Node, err *problem) {
	for p.pos++; ; {
		switch p.peek() {
		case '}', ']':
			p.pos++
			return content, nil
		case ',', ':':
			p.pos++
		case 0:
			return nil, &problem{p.line, "malformed JSON"} // not reached for valid JSON
		default:
			child, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			content = append(content, child)
		}
	}
}

// quoted reads a string.
func (p *jsonParser) quoted() (value string, err *problem) {
	start := p.pos
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
	if !escaped {
		return string(p.text[start+1 : p.pos-1]), nil
	}
	if err := json.Unmarshal(p.text[start:p.pos], &value); err != nil {
		return "", &problem{p.line, "malformed JSON: " + err.Error()}
	}
	return value, nil
}

// bareTag is the tag of a value without quotes.
func bareTag(value string) string {
	switch {
	case value == "null":
		return yaml.NodeTagNull
	case value == "true", value == "false":
		return yaml.NodeTagBool
	case strings.ContainsAny(value, ".eE"):
		return yaml.NodeTagFloat
	}
	return yaml.NodeTagInt
}

// emitJSON writes the edited tree root the way text, the document as read, is written: unchanged values and what is
// between them as their bytes, changed ones with text's indentation, key order and spacing.
func emitJSON(text []byte, root *yaml.Node) ([]byte, error) {
	spans := map[*yaml.Node]span{}
	orig, p := parseJSON(text, spans)
	if p != nil {
		return nil, p
	}
	e := jsonEmitter{text: text, spans: spans, margins: map[int]string{}, newline: "\n", colon: ":", comma: ","}
	for at := 0; at < len(text); at += lineLen(text[at:]) {
		e.starts = append(e.starts, at)
	}
	if bytes.Contains(text, []byte("\r\n")) {
		e.newline = "\r\n"
	}
	multiline := e.detectStyle(orig)
	if err := e.value(orig, root, jsonPlace{e.margin(spans[orig].start), multiline}); err != nil {
		return nil, err
	}
	return e.out.Bytes(), nil
}

type jsonEmitter struct {
	text  []byte
	spans map[*yaml.Node]span
	out   bytes.Buffer

	starts  []int          // of text's lines
	margins map[int]string // of lines that were asked for, by their start

	indent  string // of one level
	newline string
	colon   string // between key and value
	comma   string // between values on one line
}

// jsonPlace is where a value goes, and how a new one is written there.
type jsonPlace struct {
	margin    string // what the line begins with on which a new mapping or sequence ends
	multiline bool   // whether a new one takes several lines
}

// detectStyle learns from the outermost mapping that has entries, and says whether it takes several lines.
func (e *jsonEmitter) detectStyle(n *yaml.Node) (multiline bool) {
	if n.Kind != yaml.MappingNode || len(n.Content) < 2 {
		e.colon, e.comma = ": ", ", "
		return false
	}
	e.colon = string(e.text[e.spans[n.Content[0]].end:e.spans[n.Content[1]].start])
	if !strings.HasPrefix(strings.TrimSpace(e.colon), ":") || strings.ContainsAny(e.colon, "\r\n") {
		e.colon = ": "
	}
	multiline = e.isMultiline(n)
	if multiline {
		// The root itself may be indented, as a part of something else: only the difference counts.
		e.indent = strings.TrimPrefix(e.margin(e.spans[n.Content[0]].start), strings.Repeat(" ", n.Column-1))
	}
	if multiline || e.colon != ":" {
		e.comma = ", "
	}
	return multiline
}

// isMultiline tells whether a mapping or sequence with content breaks the line before its first entry.
func (e *jsonEmitter) isMultiline(n *yaml.Node) bool {
	return bytes.ContainsAny(e.text[e.spans[n].start:e.spans[n.Content[0]].start], "\r\n")
}

// margin is the white space that the line around a byte of the text begins with.
func (e *jsonEmitter) margin(at int) string {
	i, found := slices.BinarySearch(e.starts, at)
	if !found {
		i--
	}
	start := e.starts[i]
	margin, ok := e.margins[start]
	if !ok {
		line := e.text[start:]
		margin = string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
		e.margins[start] = margin
	}
	return margin
}

func (e *jsonEmitter) value(orig, n *yaml.Node, at jsonPlace) error {
	if s, ok := e.spans[orig]; ok && sameTree(orig, n) {
		e.out.Write(e.text[s.start:s.end])
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return errors.New("there is an alias in a JSON document")
	case yaml.ScalarNode:
		return e.scalar(n)
	}
	opening, closing, step := byte('{'), byte('}'), 2
	if n.Kind == yaml.SequenceNode {
		opening, closing, step = '[', ']', 1
	}
	if orig != nil && (orig.Kind != n.Kind || len(orig.Content) == 0) {
		orig = nil
	}
	g := e.gaps(orig, step, at)
	e.out.WriteByte(opening)
	pairs := pairItems(orig, n)
	keys := keyIndex(orig)
	last := -1 // the index in orig of what was written last; -1: it was not there
	for i := 0; i+step <= len(n.Content); i += step {
		was := -1
		if step == 1 {
			was = pairs[i]
		} else if at, ok := keys[n.Content[i].Value]; ok {
			was = at
		}
		switch {
		case i == 0:
			e.out.WriteString(g.first)
		case last >= 0 && was == last+step:
			e.out.Write(e.text[e.spans[orig.Content[was-1]].end:e.spans[orig.Content[was]].start])
		default:
			e.out.WriteString(g.between)
		}
		var wasValue *yaml.Node
		if was >= 0 {
			wasValue = orig.Content[was+step-1]
		}
		switch {
		case step == 1:
		case was >= 0:
			e.out.Write(e.text[e.spans[orig.Content[was]].start:e.spans[wasValue].start])
		default:
			e.out.Write(jsonString(n.Content[i].Value))
			e.out.WriteString(e.colon)
		}
		if err := e.value(wasValue, n.Content[i+step-1], g.inside); err != nil {
			return err
		}
		last = was
	}
	if len(n.Content) > 0 {
		e.out.WriteString(g.last)
	}
	e.out.WriteByte(closing)
	return nil
}

// jsonGaps is what is written between the values of a mapping or sequence.
type jsonGaps struct {
	first, between, last string    // in front of the first one, before a new one, behind the last one
	inside               jsonPlace // for new ones
}

// gaps finds out what to write between the values of a mapping or sequence: what orig has there or, where that is nil,
// what suits its place.
func (e *jsonEmitter) gaps(orig *yaml.Node, step int, at jsonPlace) jsonGaps {
	if orig == nil {
		if !at.multiline {
			return jsonGaps{between: e.comma, inside: at}
		}
		inside := jsonPlace{at.margin + e.indent, true}
		line := e.newline + inside.margin
		return jsonGaps{line, "," + line, e.newline + at.margin, inside}
	}
	s, first, last := e.spans[orig], e.spans[orig.Content[0]], e.spans[orig.Content[len(orig.Content)-1]]
	g := jsonGaps{
		first: string(e.text[s.start+1 : first.start]), between: e.comma, last: string(e.text[last.end : s.end-1]),
		inside: jsonPlace{e.margin(first.start), e.isMultiline(orig)},
	}
	if g.inside.multiline {
		g.between = "," + e.newline + g.inside.margin
	} else if len(orig.Content) > step {
		g.between = string(e.text[e.spans[orig.Content[step-1]].end:e.spans[orig.Content[step]].start])
	}
	// A new item of a list is written like the one before it.
	if sibling := orig.Content[len(orig.Content)-1]; orig.Kind == yaml.SequenceNode && len(sibling.Content) > 0 {
		g.inside = jsonPlace{e.margin(e.spans[sibling].end - 1), e.isMultiline(sibling)}
	}
	return g
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

// jsonString quotes s without escaping <, > and &, which JSON does not ask for. JSON is YAML, too: what no reader of
// YAML accepts as it is, or what is not to be seen, is escaped.
func jsonString(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes, and a Buffer always accepts
	quoted := bytes.TrimRight(b.Bytes(), "\n")
	if !bytes.ContainsFunc(quoted, isHidden) {
		return quoted
	}
	var out []byte
	for _, r := range string(quoted) {
		if isHidden(r) {
			out = fmt.Appendf(out, "\\u%04x", r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// isHidden reports whether r is a control character, a byte order mark or one of the two that end the basic plane,
// which are none.
func isHidden(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff
}
