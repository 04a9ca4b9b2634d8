package manifest

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// plainLines returns the lines that style.marshal would write of n, a block mapping or sequence of nothing but ordinary
// scalars and more such collections, without the detour over the library's emitter, which takes longer to set up than
// to run. It gives up (false) on anything out of the ordinary: comments, anchors, tags, flow collections, texts of
// several lines, texts that are not obviously fine as they are.
func (st style) plainLines(n *yaml.Node) ([]string, bool) {
	if len(n.Content) == 0 {
		return nil, false
	}
	w := lineWriter{st: st, out: make([]byte, 0, 256)}
	if !w.node(n, -1, false) {
		return nil, false
	}
	return strings.Split(string(w.out), "\n"), true
}

type lineWriter struct {
	st  style
	out []byte // without a line break at the end
}

// node writes a collection into one that is indented by indent, -1 for none; item says that it stands behind a dash.
func (w *lineWriter) node(n *yaml.Node, indent int, item bool) bool {
	// The library goes on from one multiple of the indentation to the next.
	inner := w.st.indent * ((indent + w.st.indent) / w.st.indent)
	switch {
	case indent < 0:
		inner = 0
	case item:
		inner = indent + len("- ")
	case n.Kind == yaml.SequenceNode && w.st.compact:
		inner -= len("- ")
	}
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i < len(n.Content); i += step {
		if i > 0 || indent >= 0 && !item {
			w.breakLine(inner)
		}
		if n.Kind == yaml.SequenceNode {
			w.out = append(w.out, '-')
			if !w.value(n.Content[i], inner, true) {
				return false
			}
			continue
		}
		const longestKey = 100 // longer ones may become complex keys
		key, ok := scalarText(n.Content[i])
		if !ok || len(key) > longestKey {
			return false
		}
		w.out = append(append(w.out, key...), ':')
		if !w.value(n.Content[i+1], inner, false) {
			return false
		}
	}
	return true
}

// value writes what comes behind a dash or a colon.
func (w *lineWriter) value(n *yaml.Node, indent int, item bool) bool {
	if n.Kind == yaml.ScalarNode {
		text, ok := scalarText(n)
		w.out = append(append(w.out, ' '), text...)
		return ok
	}
	if !isBare(n) || n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return false
	}
	mapping := n.Kind == yaml.MappingNode
	if n.Tag != "" && (!mapping || n.Tag != yaml.NodeTagMap) && (mapping || n.Tag != yaml.NodeTagSeq) {
		return false
	}
	switch {
	case n.Style&^yaml.FlowStyle != 0:
		return false
	case len(n.Content) == 0 && mapping:
		w.out = append(w.out, " {}"...)
		return true
	case len(n.Content) == 0:
		w.out = append(w.out, " []"...)
		return true
	case n.Style != 0:
		return false
	}
	if item {
		w.out = append(w.out, ' ')
	}
	return w.node(n, indent, item)
}

func (w *lineWriter) breakLine(indent int) {
	w.out = append(w.out, '\n')
	for range indent {
		w.out = append(w.out, ' ')
	}
}

// isBare tells that n has no comments and no anchor.
func isBare(n *yaml.Node) bool {
	return n.HeadComment == "" && n.LineComment == "" && n.FootComment == "" && n.Anchor == ""
}

// scalarText returns what the library would write of a scalar in block style. It gives up (false) on all that is not
// obvious.
func scalarText(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode || !isBare(n) {
		return "", false
	}
	for i := range len(n.Value) {
		if c := n.Value[i]; c < ' ' || c > '~' {
			return "", false
		}
	}
	isString := n.Tag == "" || n.Tag == yaml.NodeTagString
	switch n.Style {
	case yaml.DoubleQuotedStyle:
		return `"` + n.Value + `"`, isString && !strings.ContainsAny(n.Value, `"\`)
	case yaml.SingleQuotedStyle:
		return `'` + n.Value + `'`, isString && !strings.Contains(n.Value, `'`)
	case 0:
	default:
		return "", false
	}
	if n.Tag != "" {
		// What the library would read without quotes decides.
		meaning := yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}
		switch tag := meaning.ShortTag(); {
		case tag == n.Tag:
		case isString:
			return `"` + n.Value + `"`, !strings.ContainsAny(n.Value, `"\`)
		default:
			return "", false
		}
	}
	if isPlain(n.Value) {
		return n.Value, true
	}
	// What looks like a mapping goes into single quotes.
	return "'" + strings.ReplaceAll(n.Value, "'", "''") + "'", strings.Contains(n.Value, ": ") &&
		strings.Trim(n.Value, " ") == n.Value
}

// isPlain tells whether a text of printable ASCII characters is obviously fine without quotes outside of flow
// collections.
func isPlain(text string) bool {
	if text == "" || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...") || strings.HasPrefix(text, "- ") ||
		text == "-" {
		return false
	}
	return !strings.ContainsRune(" #,[]{}&*!|>'\"%@`?:", rune(text[0])) && !strings.HasSuffix(text, " ") &&
		!strings.HasSuffix(text, ":") &&
		!strings.Contains(text, ": ") && !strings.Contains(text, " #")
}
