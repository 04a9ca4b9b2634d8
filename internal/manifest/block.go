package manifest

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// blockText changes a literal or folded scalar where one piece within one of its lines differs. So a folded text keeps
// its line breaks, of which its value knows nothing.
func (s *splicer) blockText(o, n *yaml.Node) bool {
	if o.Style != n.Style || o.Style != yaml.LiteralStyle && o.Style != yaml.FoldedStyle || o.Anchor != "" ||
		!keepsComments(o, n) || tagOf(o) != tagOf(n) {
		return false
	}
	was, is := o.Value, n.Value
	from := 0
	for from < len(was) && from < len(is) && was[from] == is[from] {
		from++
	}
	wasEnd, isEnd := len(was), len(is)
	for wasEnd > from && isEnd > from && was[wasEnd-1] == is[isEnd-1] {
		wasEnd--
		isEnd--
	}
	start, end, indent, ok := s.blockPositions(o, from, wasEnd)
	if !ok || start.line != end.line || strings.ContainsAny(is[from:isEnd], "\r\n") {
		return false
	}
	line := s.lines[start.line]
	text := line[indent:start.at] + is[from:isEnd] + line[end.at:]
	if text == "" || strings.Trim(text, " \t") != text {
		return false // blanks at either end of a line have a meaning of their own
	}
	s.swaps = append(s.swaps, swap{start.line, start.at, end.at, is[from:isEnd]})
	return true
}

// blockPositions finds where bytes from and to of the value of block scalar o stand, and how far its lines are
// indented.
func (s *splicer) blockPositions(o *yaml.Node, from, to int) (start, end position, indent int, ok bool) {
	indent = -1
	at := 0 // in the value
	for l := o.Line; l < len(s.lines) && at < len(o.Value); l++ {
		line := s.lines[l]
		if indent < 0 {
			if strings.Trim(line, " ") == "" {
				return start, end, 0, false
			}
			indent = len(line) - len(strings.TrimLeft(line, " "))
		}
		text := line[min(indent, len(line)):]
		if !strings.HasPrefix(o.Value[at:], text) {
			return start, end, 0, false
		}
		// At the line's end it is before the break, or the blank that a folded break is.
		if text != "" && from >= at && from <= at+len(text) {
			start = position{l, len(line) - len(text) + from - at}
			ok = true
		}
		if text != "" && to >= at && to <= at+len(text) {
			end = position{l, len(line) - len(text) + to - at}
			if ok {
				return start, end, indent, true
			}
		}
		at += len(text)
		if at < len(o.Value) && (o.Value[at] == '\n' || o.Value[at] == ' ') {
			at++
		}
	}
	return start, end, 0, false
}

// unfolded makes n a literal scalar where it is a folded one: the library would fold a new text nowhere, and set its
// lines apart.
func unfolded(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.Style == yaml.FoldedStyle {
		n.Style = yaml.LiteralStyle
	}
	return n
}
