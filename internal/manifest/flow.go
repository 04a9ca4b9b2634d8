package manifest

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// flow changes what differs between flow collections o and n in place: scalars are replaced, new entries and items are
// put next to the old. Where it returns false, it may have made changes, which the caller takes back.
func (s *splicer) flow(o, n *yaml.Node, st style) bool {
	if !bothFlow(o, n) {
		return false
	}
	step := 1
	var pairs []int // for each entry or item of n, the one of o that it was; -1 for a new one
	if o.Kind == yaml.MappingNode {
		step = 2
		pairs = pairKeys(o, n)
	} else {
		pairs = pairItems(o, n)
	}
	kept := 0
	for _, j := range pairs {
		if j >= 0 {
			kept++
		}
	}
	if kept != len(o.Content)/step {
		return false // something was removed, or the order changed
	}
	var fresh []string // not placed yet
	for i, j := range pairs {
		if j < 0 {
			text, ok := st.inFlow(n.Kind, n.Content[i*step:(i+1)*step])
			if !ok {
				return false
			}
			fresh = append(fresh, text)
			continue
		}
		if len(fresh) > 0 {
			if !s.beforeFlow(o, o.Content[j*step], s.comma(o, step), fresh) {
				return false
			}
			fresh = nil
		}
		if !s.keptInFlow(o.Content[j*step:(j+1)*step], n.Content[i*step:(i+1)*step], st) {
			return false
		}
	}
	return len(fresh) == 0 || s.endOfFlow(o, step, fresh)
}

// bothFlow tells whether o and n are flow collections of a kind without changes to themselves.
func bothFlow(o, n *yaml.Node) bool {
	return o.Kind == n.Kind && o.Style == n.Style && o.Style == yaml.FlowStyle && o.Anchor == "" && keepsComments(o, n) &&
		tagOf(o) == tagOf(n)
}

// keptInFlow changes an entry or an item that stays.
func (s *splicer) keptInFlow(o, n []*yaml.Node, st style) bool {
	for k, old := range o {
		switch now := n[k]; {
		case !keepsComments(old, now):
			return false
		case identical(old, now):
		case k < len(o)-1: // a key
			return false
		case old.Kind == yaml.ScalarNode:
			if !s.scalar(old, now, st, true) {
				return false
			}
		case !s.flow(old, now, st):
			return false
		}
	}
	return true
}

// pairKeys finds for each entry of mapping n the entry of mapping o with its key, in order; -1 for a new one.
func pairKeys(o, n *yaml.Node) []int {
	pairs := make([]int, len(n.Content)/2)
	at := keyIndex(o)
	from := 0
	for i := range pairs {
		pairs[i] = -1
		if j, ok := at[n.Content[2*i].Value]; ok && j >= from && o.Content[j].Kind == yaml.ScalarNode {
			pairs[i], from = j/2, j+1
		}
	}
	return pairs
}

// inFlow writes an entry or an item for a flow collection.
func (st style) inFlow(kind yaml.Kind, content []*yaml.Node) (string, bool) {
	out, err := st.marshal(&yaml.Node{Kind: kind, Style: yaml.FlowStyle, Content: content})
	text := strings.TrimSuffix(string(out), "\n")
	if err != nil || len(text) < len("{}") || strings.Contains(text, "\n") {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// beforeFlow puts new entries or items before one that is there, in flow collection o.
func (s *splicer) beforeFlow(o, there *yaml.Node, comma string, fresh []string) bool {
	if there.Line > len(s.lines) || there.Anchor != "" || there.Style&yaml.TaggedStyle != 0 {
		return false
	}
	line := s.lines[there.Line-1]
	at, ok := s.offset(there.Line-1, there.Column-1)
	if !ok {
		return false
	}
	text := strings.Join(fresh, comma) + ","
	if there.Line > o.Line && strings.TrimLeft(line[:at], " \t") == "" {
		above := there.Line - 1
		for above > o.Line && isComment([]byte(s.lines[above-1])) {
			above--
		}
		s.changes = append(s.changes, change{above, above, []string{line[:at] + text}})
		return true
	}
	s.swaps = append(s.swaps, swap{there.Line - 1, at, at, text + comma[1:]})
	return true
}

// endOfFlow puts new entries or items at the end of flow collection o: on lines of their own where the last one has
// such a line and the closing bracket too.
func (s *splicer) endOfFlow(o *yaml.Node, step int, fresh []string) bool {
	last, comma, closing, ok := s.flowEnd(o)
	if !ok {
		return false
	}
	between := s.comma(o, step)
	text := strings.Join(fresh, between)
	if len(o.Content) == 0 {
		s.swaps = append(s.swaps, swap{last.line, last.at, last.at, text})
		return true
	}
	start := o.Content[len(o.Content)-step]
	if start.Line > o.Line && start.Line-1 <= last.line && last.line < closing.line {
		first := s.lines[start.Line-1]
		if at, ok := s.offset(start.Line-1, start.Column-1); ok && strings.TrimLeft(first[:at], " \t") == "" {
			lines := make([]string, len(fresh))
			for i, text := range fresh {
				lines[i] = first[:at] + text
				if i < len(fresh)-1 || comma {
					lines[i] += ","
				}
			}
			if !comma {
				s.swaps = append(s.swaps, swap{last.line, last.at, last.at, ","})
			}
			s.changes = append(s.changes, change{last.line + 1, last.line + 1, lines})
			return true
		}
	}
	text = between + text
	s.swaps = append(s.swaps, swap{last.line, last.at, last.at, text})
	return true
}

// comma is what stands between the entries or items of flow collection o, when they are on one line.
func (s *splicer) comma(o *yaml.Node, step int) string {
	if len(o.Content) > step && o.Content[step].Line <= len(s.lines) {
		line := s.lines[o.Content[step].Line-1]
		if at, ok := s.offset(o.Content[step].Line-1, o.Content[step].Column-1); ok && at > 0 && line[at-1] == ',' {
			return ","
		}
	}
	return ", "
}

// position is a byte in a line; both count from 0.
type position struct{ line, at int }

// flowEnd finds the closing bracket of flow collection o, the position behind what stands before it, and whether that
// is followed by a comma. It knows just enough of YAML to skip quoted texts and comments.
func (s *splicer) flowEnd(o *yaml.Node) (last position, comma bool, closing position, ok bool) {
	var f flowScan
	for l := o.Line - 1; l >= 0 && l < len(s.lines); l++ {
		line := s.lines[l]
		i := 0
		if l == o.Line-1 {
			if i, ok = s.offset(l, o.Column-1); !ok || i >= len(line) || line[i] != '{' && line[i] != '[' {
				return last, comma, closing, false
			}
		}
		for ; i < len(line) && !f.comment(line, i); i++ {
			counts := true
			if f.quote != 0 {
				i = f.quoted(line, i)
			} else if counts = f.bare(line, i); f.depth == 0 {
				return last, comma, position{l, i}, true
			}
			if counts {
				last = position{l, i + 1}
			}
			comma = f.comma
		}
	}
	return last, comma, closing, false
}

// flowScan is where a walk through the text of a flow collection stands.
type flowScan struct {
	depth int
	plain bool // within a scalar without quotes, in which quotes are ordinary
	quote byte // within a scalar with these; 0: without
	comma bool // what counts is followed by a comma
}

// comment reports whether a comment starts at a byte of a line.
func (f *flowScan) comment(line string, i int) bool {
	return f.quote == 0 && line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t')
}

// quoted comes past a byte within quotes, and returns the index of the last that it came past.
func (f *flowScan) quoted(line string, i int) int {
	f.comma = false
	switch c := line[i]; {
	case c == '\\' && f.quote == '"':
		i++
	case c == f.quote && c == '\'' && i+1 < len(line) && line[i+1] == c:
		i++
	case c == f.quote:
		f.quote = 0
	}
	return i
}

// bare comes past a byte without quotes around it, and reports whether it counts: white space and commas do not.
func (f *flowScan) bare(line string, i int) bool {
	switch c := line[i]; c {
	case ' ', '\t':
		return false
	case '#':
	case '"', '\'':
		if !f.plain {
			f.quote = c
		}
	case '{', '[':
		f.depth++
		f.plain = false
	case '}', ']':
		f.depth--
		f.plain = false
	case ',':
		f.plain = false
		if f.depth == 1 {
			f.comma = true
			return false
		}
	case ':':
		if i+1 == len(line) || strings.IndexByte(" \t,[]{}", line[i+1]) >= 0 || !f.plain {
			f.plain = false
		}
	default:
		f.plain = true
	}
	if f.depth > 0 {
		f.comma = false
	}
	return true
}
