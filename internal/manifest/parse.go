package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/plainyaml"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// maxDepth bounds how deep mappings and sequences may nest. The deepest manifests in use, CustomResourceDefinitions,
// stay below 100. All recursion over nodes relies on it.
const maxDepth = 500

// maxDirectives bounds how many lines that start with % a document may have. The library looks through all of them for
// each tag.
const maxDirectives = 100

// problem is something wrong at a line; 0 stands for an unknown line.
type problem struct {
	line int
	text string
}

func (p *problem) Error() string { return p.text }

// at returns the problem with its line, which counted from 1 within some text, counted from where that text starts.
func (p *problem) at(first int) *problem {
	return &problem{line: max(p.line, 1) - 1 + first, text: p.text}
}

// fail says where in which input a problem is.
func (c *chunk) fail(p *problem) error {
	return fmt.Errorf("reading %s, document %d, line %d: %w", c.input, max(c.number, 1), p.line, p)
}

// checkEncoding accepts only UTF-8 text without NUL bytes.
func checkEncoding(in Input) error {
	fail := func(at int, text string) error {
		return fmt.Errorf("reading %s, line %d: %s", in.Name, 1+countLines(in.Data[:at]), text)
	}
	d := in.Data
	if bytes.HasPrefix(d, []byte("\xff\xfe")) || bytes.HasPrefix(d, []byte("\xfe\xff")) ||
		len(d) >= 4 && (d[0] == 0) != (d[1] == 0) && (d[2] == 0) != (d[3] == 0) {
		return fail(0, "the text is UTF-16: convert it to UTF-8")
	}
	if at := bytes.IndexByte(d, 0); at >= 0 {
		return fail(at, "there is a NUL byte: this is no text, or damaged")
	}
	if !utf8.Valid(d) {
		at := 0
		for at < len(d) {
			r, n := utf8.DecodeRune(d[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return fail(at, fmt.Sprintf("byte 0x%02x is not valid UTF-8: convert the text to UTF-8", d[at]))
	}
	return nil
}

// parse reads the chunk's body and checks it. It leaves tree nil where there is no object to offer.
func (c *chunk) parse() error {
	if p := c.checkAround(); p != nil {
		return c.fail(p)
	}
	if c.parsePlain() {
		return nil
	}
	var doc, root *yaml.Node
	var p *problem
	switch c.format {
	case noDocument:
		return nil
	case jsonFormat:
		root, p = parseJSON(c.body, nil)
	case yamlFormat:
		doc, p = c.parseYAML()
		if p != nil && c.jsonErr != nil && (c.jsonValues > 0 || !looksLikeFlowYAML(c.body)) {
			c.number += c.jsonValues
			return c.fail(c.jsonErr)
		}
		if doc != nil {
			root = doc.Content[0]
			c.comments = yaml.Node{HeadComment: doc.HeadComment, FootComment: doc.FootComment}
		}
	}
	if p != nil {
		return c.fail(p.at(c.line))
	}
	if root == nil || yamlnode.IsNull(root) {
		c.format = noDocument
		return nil
	}
	if c.aliases, p = check(root, c.line-1); p != nil {
		return c.fail(p)
	}
	if root.Kind != yaml.MappingNode {
		return c.fail(
			&problem{root.Line,
				fmt.Sprintf("the document is %s, not a mapping: a manifest starts with apiVersion and kind", kindName(root))})
	}
	c.tree, c.expanded, c.start = root, root, root.Line
	if c.format == yamlFormat {
		c.orig = snapshot(root, c.line-1)
	}
	return nil
}

// parseYAML parses the body, and with it what looked like trailing comments where that may be the end of a quoted
// scalar.
func (c *chunk) parseYAML() (*yaml.Node, *problem) {
	doc, p := parseYAML(c.body)
	if p != nil && len(c.tail) > 0 {
		whole := append(c.body[:len(c.body):len(c.body)], c.tail...)
		if d, p2 := parseYAML(whole); p2 == nil {
			c.body, c.tail = whole, nil
			return d, nil
		}
	}
	return doc, p
}

// parsePlain reads a document of what package plainyaml knows, which has nothing in it that has to be checked.
func (c *chunk) parsePlain() bool {
	if c.format != yamlFormat {
		return false
	}
	root, ok := plainyaml.Read(unixBreaks(c.body), c.line)
	if !ok || root.Kind != yaml.MappingNode {
		return false
	}
	c.tree, c.expanded, c.start, c.plain = root, root, root.Line, true
	return true
}

// original returns the document as it was read, with lines that count from body's first. Of most there is no copy,
// since few are edited: it is read again.
func (c *chunk) original() (*yaml.Node, error) {
	if c.orig != nil {
		return c.orig, nil
	}
	if orig, ok := plainyaml.Read(unixBreaks(c.body), 1); ok {
		return orig, nil
	}
	doc, p := parseYAML(c.body)
	if p != nil || doc == nil {
		return nil, errNotFaithful
	}
	if _, p := check(doc.Content[0], 0); p != nil {
		return nil, errNotFaithful
	}
	return doc.Content[0], nil
}

// checkAround refuses what no reader takes in front of the body and behind it, where nothing parses: directives without
// a --- line or by the hundred, and control characters.
func (c *chunk) checkAround() *problem {
	if c.directive && !c.explicit {
		return &problem{c.line, "malformed YAML: a directive (a line that starts with %) needs a --- line behind it"}
	}
	if p := c.checkControls(); p != nil {
		return p
	}
	if c.directives > maxDirectives {
		return &problem{c.line, fmt.Sprintf("there are %d directives (lines that start with %%) in front of the document: "+
			"a manifest needs none", c.directives)}
	}
	return nil
}

// checkControls refuses control characters in what is around the body.
func (c *chunk) checkControls() *problem {
	line := c.line
	if c.format != noDocument {
		line -= countLines(c.head)
	}
	for _, text := range [][]byte{c.head, c.tail} {
		if at := bytes.IndexFunc(text, isControl); at >= 0 {
			r, _ := utf8.DecodeRune(text[at:])
			return &problem{line + countLines(text[:at]),
				fmt.Sprintf("there is the control character %U in a comment: remove it", r)}
		}
		line += countLines(text) + countLines(c.body)
	}
	return nil
}

// isControl reports whether YAML, version 1.1 (section 5.1), does not allow r.
func isControl(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r <= 0x9f && r != 0x85 || r == 0xfffe ||
		r == 0xffff
}

// expand makes the copy without aliases that callers edit. The budget is one for all documents.
func (c *chunk) expand(aliases *aliasBudget) error {
	if !c.aliases {
		return nil
	}
	var p *problem
	if c.expanded, p = expandAliases(c.tree, aliases, c.body, c.line); p != nil {
		return c.fail(p)
	}
	return nil
}

// looksLikeFlowYAML tells YAML in flow style, {a: b}, from JSON with a mistake in it, {"a": b}.
func looksLikeFlowYAML(body []byte) bool {
	rest := bytes.TrimLeft(bytes.TrimLeft(body, " \t\r\n-"), "{[ \t\r\n")
	return len(rest) > 0 && rest[0] != '"'
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)

// parseYAML parses text that holds one document and returns it, a document node with one child; nil where there is no
// document or only comments. Lines count from 1 within text.
func parseYAML(text []byte) (*yaml.Node, *problem) {
	text = unixBreaks(text)
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil {
		// Only this finds text behind the document, as in "a: 1\n]".
		switch err = dec.Decode(&second); {
		case errors.Is(err, io.EOF):
			err = nil
		case err == nil:
			return nil, &problem{second.Line, "a second document starts behind an unusual line break (NEL, LS or PS): use a " +
				"plain newline"}
		}
	}
	if err != nil {
		return nil, yamlProblem(text, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, nil
	}
	return &doc, nil
}

// unixBreaks returns text with \n for each \r\n: the library keeps \r in comments.
func unixBreaks(text []byte) []byte {
	if !bytes.Contains(text, []byte("\r\n")) {
		return text
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
}

// yamlProblem turns the library's error into ours. The library counts lines from 0 where its grammar finds the mistake,
// and names none in a few cases.
func yamlProblem(text []byte, err error) *problem {
	m := yamlErrorLine.FindStringSubmatch(err.Error())
	if m == nil {
		return &problem{text: "malformed YAML: " + err.Error()}
	}
	line, _ := strconv.Atoi(m[1]) // "" and what is out of range leave the line unknown
	msg := strings.TrimPrefix(err.Error(), m[0])
	switch {
	case strings.Contains(msg, "exceeded max depth"):
		return &problem{line, tooDeep}
	case strings.HasPrefix(msg, "unknown anchor '"):
		name, _, _ := strings.Cut(strings.TrimPrefix(msg, "unknown anchor '"), "'")
		if at := bytes.Index(text, []byte("*"+name)); at >= 0 {
			line = 1 + countLines(text[:at])
		}
		return &problem{line,
			fmt.Sprintf("alias *%s stands for nothing: the document has no anchor &%s before it", name, name)}
	case msg == "control characters are not allowed":
		at := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f })
		if at < 0 {
			at = bytes.IndexFunc(text, unicode.IsControl)
		}
		if at >= 0 {
			line = 1 + countLines(text[:at])
		}
	case strings.HasPrefix(msg, "did not find expected <document start>"):
		line++
		msg = "there is text behind the document's end: separate documents with ---"
	case strings.HasPrefix(msg, "did not find expected"), strings.HasPrefix(msg, "found undefined tag"),
		strings.HasPrefix(msg, "found incompatible"), strings.HasPrefix(msg, "found duplicate"):
		line++
	}
	if lines := bytes.Split(text, []byte("\n")); line > 0 && line <= len(lines) &&
		bytes.Contains(lines[line-1], []byte("{{")) {
		msg += unrendered
	}
	return &problem{line, "malformed YAML: " + msg}
}

const unrendered = " (a template that was not rendered?)"

var tooDeep = fmt.Sprintf("mappings and sequences nest deeper than %d levels: this is no Kubernetes manifest", maxDepth)

// check walks a parsed tree without recursion. It finds duplicate keys, keys that are no scalars and excessive nesting,
// adds offset to all lines so that they count from the input's first, and tells whether there are aliases or merge
// keys.
func check(root *yaml.Node, offset int) (hasAliases bool, p *problem) {
	type level struct {
		node *yaml.Node
		next int
	}
	root.Line += offset
	stack := []level{{node: root}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == 0 && top.node.Kind == yaml.MappingNode {
			merges, p := checkKeys(top.node, offset)
			if p != nil {
				return false, p
			}
			hasAliases = hasAliases || merges
		}
		if top.next == len(top.node.Content) {
			stack = stack[:len(stack)-1]
			continue
		}
		n := top.node.Content[top.next]
		top.next++
		n.Line += offset
		switch n.Kind {
		case yaml.AliasNode:
			hasAliases = true
		case yaml.ScalarNode:
			if n.Tag == yaml.MergeTag && n.Style&yaml.TaggedStyle == 0 &&
				(top.node.Kind != yaml.MappingNode || top.next%2 == 0) {
				n.Tag = yaml.NodeTagString // << is a word where it is no key
			}
		case yaml.MappingNode, yaml.SequenceNode:
			if len(stack) >= maxDepth {
				return false, &problem{n.Line, tooDeep}
			}
			stack = append(stack, level{node: n})
		}
	}
	return hasAliases, nil
}

// checkKeys checks one mapping's keys, whose lines have not had offset added yet.
func checkKeys(m *yaml.Node, offset int) (merges bool, p *problem) {
	const few = 12 // up to so many keys comparing each with each is faster than a map
	var seen map[string]*yaml.Node
	if len(m.Content) > 2*few {
		seen = make(map[string]*yaml.Node, len(m.Content)/2)
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		scalar := yamlnode.Resolve(key)
		if scalar == nil || scalar.Kind != yaml.ScalarNode {
			return false, &problem{key.Line + offset,
				fmt.Sprintf("a mapping key is %s, not a string%s", kindName(key), unrendered)}
		}
		if isMerge(key) {
			merges = true
			key.Tag = "" // the library would write !!merge, which others do not understand
		}
		var first *yaml.Node
		if seen != nil {
			first = seen[scalar.Value]
			seen[scalar.Value] = key
		} else {
			for j := 0; j < i && first == nil; j += 2 {
				if other := yamlnode.Resolve(m.Content[j]); other.Value == scalar.Value {
					first = m.Content[j]
				}
			}
		}
		if first != nil {
			return false, &problem{key.Line + offset,
				fmt.Sprintf("key %q is there twice, first in line %d: remove one of them", scalar.Value, first.Line+offset)}
		}
	}
	return merges, nil
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a sequence"
	case yaml.AliasNode:
		return "an alias"
	default:
		return fmt.Sprintf("the scalar %q", abbreviate(n.Value))
	}
}

func abbreviate(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
