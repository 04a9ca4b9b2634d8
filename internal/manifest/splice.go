package manifest

import (
	"slices"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// splice replaces in text only the lines of what differs between orig, the tree that text was parsed to, and edited. So
// a document that mixes styles of indentation, or breaks long strings over lines, stays as it is everywhere else. It
// gives up (false) where lines cannot be told apart, and where the outcome is not read as exactly the edited tree.
// st is the document's style.
//
// It walks both trees at once. In block mappings and sequences, each entry has lines of its own, which are replaced; in
// flow collections, entries share lines, so only scalars are replaced and new entries added.
func splice(text []byte, orig, edited *yaml.Node, st style) ([]byte, bool) {
	s := splicer{eol: "\n", lines: make([]string, 0, countLines(text)+1)}
	if usesCRLF(text) {
		s.eol = "\r\n"
	}
	s.eols = make([]string, 0, cap(s.lines))
	all := string(text)
	for pos := 0; pos < len(text); {
		end := pos + lineLen(text[pos:])
		bare := strings.TrimRight(all[pos:end], "\r\n")
		s.lines = append(s.lines, bare)
		s.eols = append(s.eols, all[pos+len(bare):end])
		pos = end
	}
	if !s.mapping(orig, edited, len(s.lines), st) && !s.sequence(orig, edited, len(s.lines), st) &&
		!s.flow(orig, edited, st) {
		return nil, false
	}
	out, ok := s.apply(len(text))
	if !ok || !readsAs(out, edited) {
		return nil, false
	}
	return out, true
}

type splicer struct {
	lines, eols []string // of the original text; an eol is "\n", "\r\n", "\r", or "" at the end
	eol         string   // for new lines
	columns     map[int][]int
	changes     []change
	swaps       []swap
}

// change replaces lines [start, end), counting from 0.
type change struct {
	start, end int
	lines      []string
}

// swap replaces bytes [start, end) of a line.
type swap struct {
	line, start, end int
	text             string
}

// apply returns the changed text; false where changes are in each other's way. size is the old text's.
func (s *splicer) apply(size int) ([]byte, bool) {
	// What is inserted before a line comes before what replaces the line. Apart from that, the order of the walk counts.
	slices.SortStableFunc(s.changes, func(a, b change) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return min(a.end-a.start, 1) - min(b.end-b.start, 1)
	})
	slices.SortStableFunc(s.swaps, func(a, b swap) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.start - b.start
	})
	out := make([]byte, 0, size+size/2)
	wrote := false // a line whose break is still to come
	eol := ""
	write := func(line, its string) {
		if wrote {
			if eol == "" {
				eol = s.eol
			}
			out = append(out, eol...)
		}
		out = append(out, line...)
		wrote, eol = true, its
	}
	at, swapped := 0, 0
	upTo := func(end int) bool {
		for ; at < end; at++ {
			line := s.lines[at]
			if swapped < len(s.swaps) && s.swaps[swapped].line == at {
				var ok bool
				if line, ok = s.swappedLine(&swapped); !ok {
					return false
				}
			}
			write(line, s.eols[at])
		}
		return true
	}
	for _, c := range s.changes {
		if c.start < at || c.end > len(s.lines) || !upTo(c.start) {
			return nil, false
		}
		for _, line := range c.lines {
			write(line, s.eol)
		}
		at = c.end
		if swapped < len(s.swaps) && s.swaps[swapped].line < at {
			return nil, false
		}
	}
	if !upTo(len(s.lines)) || swapped < len(s.swaps) || len(s.eols) == 0 {
		return nil, false
	}
	return append(out, s.eols[len(s.eols)-1]...), true
}

// swappedLine makes all swaps in the line of swap next, and moves next behind them.
func (s *splicer) swappedLine(next *int) (string, bool) {
	l := s.swaps[*next].line
	line := s.lines[l]
	var out strings.Builder
	at := 0
	for ; *next < len(s.swaps) && s.swaps[*next].line == l; *next++ {
		e := s.swaps[*next]
		if e.start < at || e.end < e.start || e.end > len(line) {
			return "", false
		}
		out.WriteString(line[at:e.start])
		out.WriteString(e.text)
		at = e.end
	}
	out.WriteString(line[at:])
	return out.String(), true
}

// mapping changes the lines of block mapping o, which lie before line bound, to say n.
func (s *splicer) mapping(o, n *yaml.Node, bound int, st style) bool {
	if !bothBlock(o, n, yaml.MappingNode) {
		return false
	}
	st = st.of(o, false)
	for i := 0; i < len(o.Content); i += 2 {
		if o.Content[i].Kind != yaml.ScalarNode {
			return false
		}
	}
	at := keyIndex(o)
	kept, ok := keptKeys(n, at)
	if !ok {
		return false
	}
	parts, ok := s.entries(o, bound)
	if !ok {
		return false
	}
	for i := 0; i < len(o.Content); i += 2 {
		if !kept[o.Content[i].Value] && !s.remove(parts, i/2, o.Content[i].HeadComment != "") {
			return false
		}
	}
	prev := -1 // the last entry of o that we have come past
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		j, ok := at[key.Value]
		if !ok {
			lines, ok := st.entry(key, value)
			if !ok || !s.insert(parts, prev, lines) {
				return false
			}
			continue
		}
		prev = j / 2
		oldKey, old := o.Content[j], o.Content[j+1]
		if !keepsComments(oldKey, key) && !takesComment(key, oldKey, old) {
			return false
		}
		if identical(oldKey, key) && (identical(old, value) || s.node(old, value, parts[prev], st)) {
			continue
		}
		k := *key
		k.HeadComment, k.FootComment, k.Anchor = "", "", ""
		lines, ok := st.entry(&k, unfolded(withoutLastFoot(value)))
		if !ok {
			return false
		}
		s.replace(parts[prev], lines)
	}
	return true
}

// entries are the parts of block mapping o, which lie before line bound.
func (s *splicer) entries(o *yaml.Node, bound int) ([]part, bool) {
	parts := make([]part, 0, len(o.Content)/2)
	for i := 0; i < len(o.Content); i += 2 {
		end := bound
		if i+2 < len(o.Content) {
			end = o.Content[i+2].Line - 1
		}
		p, ok := s.part(o.Content[i].Line-1, o.Content[i].Column-1, end, o.Content[i+1])
		if !ok {
			return nil, false
		}
		parts = append(parts, p)
	}
	return parts, true
}

// keptKeys are the keys of mapping n that were there, at the places given; false where their order changed.
func keptKeys(n *yaml.Node, at map[string]int) (kept map[string]bool, ok bool) {
	kept = map[string]bool{}
	last := -1
	for i := 0; i < len(n.Content); i += 2 {
		j, ok := at[n.Content[i].Value]
		if !ok {
			continue
		}
		if j < last {
			return nil, false
		}
		last = j
		kept[n.Content[i].Value] = true
	}
	return kept, true
}

// sequence changes the lines of block sequence o, which lie before line bound, to say n.
func (s *splicer) sequence(o, n *yaml.Node, bound int, st style) bool {
	if !bothBlock(o, n, yaml.SequenceNode) {
		return false
	}
	dashes, ok := s.dashes(o)
	if !ok {
		return false
	}
	dashes = append(dashes, bound)
	parts := make([]part, 0, len(o.Content))
	for i, item := range o.Content {
		p, ok := s.part(dashes[i], o.Column-1, dashes[i+1], item)
		if !ok {
			return false
		}
		parts = append(parts, p)
	}
	pairs := pairItems(o, n)
	kept := make([]bool, len(o.Content))
	for _, j := range pairs {
		if j >= 0 {
			kept[j] = true
		}
	}
	for i, item := range o.Content {
		if !kept[i] && !s.remove(parts, i, item.HeadComment != "") {
			return false
		}
	}
	prev := -1
	for i, item := range n.Content {
		if pairs[i] < 0 {
			lines, ok := st.item(item)
			if !ok || !s.insert(parts, prev, lines) {
				return false
			}
			continue
		}
		prev = pairs[i]
		old := o.Content[prev]
		if !keepsComments(old, item) {
			return false
		}
		if identical(old, item) || s.node(old, item, parts[prev], st) {
			continue
		}
		c := unfolded(withoutLastFoot(item))
		c.HeadComment = ""
		lines, ok := st.item(c)
		if !ok {
			return false
		}
		s.replace(parts[prev], lines)
	}
	return true
}

// dashes are the lines in which the items of block sequence o begin.
func (s *splicer) dashes(o *yaml.Node) (dashes []int, ok bool) {
	above, col := o.Line-2, o.Column-1
	for _, item := range o.Content {
		line := item.Line - 1
		for line > above && line < len(s.lines) && !s.isDash(line, col) {
			line--
		}
		if line <= above || line >= len(s.lines) {
			return nil, false
		}
		dashes, above = append(dashes, line), line
	}
	return dashes, true
}

// keepsComments tells whether the comments at o in the text may stay for n. A node that comes without any is a new one,
// put in the place of the old; then what people wrote there still holds.
func keepsComments(o, n *yaml.Node) bool {
	return (n.HeadComment == "" || n.HeadComment == o.HeadComment) &&
		(n.LineComment == "" || n.LineComment == o.LineComment) &&
		(n.FootComment == "" || n.FootComment == o.FootComment)
}

// takesComment tells whether key has nothing but the comment that was behind the value: of a collection, which goes on
// below the key's line, the comment in that line is the key's.
func takesComment(key, oldKey, old *yaml.Node) bool {
	k := *key
	k.LineComment = ""
	return oldKey.LineComment == "" && key.LineComment == old.LineComment && keepsComments(oldKey, &k)
}

// node changes what is inside of an entry or item. Where it returns false, it has changed nothing.
func (s *splicer) node(o, n *yaml.Node, p part, st style) bool {
	changes, swaps := len(s.changes), len(s.swaps)
	ok := false
	switch {
	case o.Style&yaml.FlowStyle != 0:
		ok = s.flow(o, n, st)
	case o.Kind == yaml.MappingNode:
		ok = s.mapping(o, n, p.bound, st)
	case o.Kind == yaml.SequenceNode:
		ok = s.sequence(o, n, p.bound, st)
	case o.Kind == yaml.ScalarNode && n.Kind == yaml.ScalarNode:
		ok = s.scalar(o, n, st, false) || s.blockText(o, n)
	}
	if !ok {
		s.changes, s.swaps = s.changes[:changes], s.swaps[:swaps]
	}
	return ok
}

// bothBlock tells whether o and n are block collections of a kind with content and without changes to themselves.
func bothBlock(o, n *yaml.Node, kind yaml.Kind) bool {
	return o.Kind == kind && n.Kind == kind && o.Style == n.Style && o.Style&yaml.FlowStyle == 0 &&
		len(o.Content) > 0 && len(n.Content) > 0 && keepsComments(o, n) && o.ShortTag() == n.ShortTag()
}

// scalar replaces a scalar that stands in one line by one that does, or, in a flow collection (inFlow), by any value.
func (s *splicer) scalar(o, n *yaml.Node, st style, inFlow bool) bool {
	if o.Anchor != "" || (o.Style|n.Style)&yaml.TaggedStyle != 0 || !keepsComments(o, n) || o.Line > len(s.lines) {
		return false
	}
	line := s.lines[o.Line-1]
	start, ok := s.offset(o.Line-1, o.Column-1)
	if !ok {
		return false
	}
	length := 0
	switch {
	case o.Style&yaml.DoubleQuotedStyle != 0:
		length = quotedLen(line[start:], '"')
	case o.Style&yaml.SingleQuotedStyle != 0:
		length = quotedLen(line[start:], '\'')
	case o.Style == 0 && strings.HasPrefix(line[start:], o.Value):
		length = len(o.Value)
	}
	if length == 0 {
		return false
	}
	ends := " \t"
	if inFlow {
		ends = " \t,]}"
	}
	if rest := line[start+length:]; rest != "" && strings.IndexByte(ends, rest[0]) < 0 {
		return false
	}
	bare := *n
	bare.HeadComment, bare.LineComment, bare.FootComment, bare.Anchor = "", "", "", ""
	var value string
	if inFlow {
		value, ok = st.inFlow(yaml.SequenceNode, []*yaml.Node{&bare})
	} else {
		value, ok = st.afterColon(&bare)
	}
	if !ok {
		return false
	}
	s.swaps = append(s.swaps, swap{o.Line - 1, start, start + length, value})
	return true
}

// afterColon writes a scalar as the value of an entry of a block mapping; false where it takes several lines.
func (st style) afterColon(n *yaml.Node) (string, bool) {
	if value, ok := scalarText(n); ok {
		return value, true
	}
	lines, ok := st.entry(&yaml.Node{Kind: yaml.ScalarNode, Value: "k"}, n)
	if !ok || len(lines) != 1 {
		return "", false
	}
	return strings.CutPrefix(lines[0], "k: ")
}

// quotedLen is the length of the quoted scalar that text starts with, 0 where it does not end in text.
func quotedLen(text string, quote byte) int {
	if text == "" || text[0] != quote {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return 0
}

// part is where an entry of a mapping or an item of a sequence stands: lines [start, end), from column col. Up to bound
// follow only comments and blank lines.
type part struct {
	start, end, bound int
	col               int
}

// part finds out where the part that starts at a line and column ends. value is its value.
func (s *splicer) part(start, col, bound int, value *yaml.Node) (part, bool) {
	if start < 0 || start >= bound || bound > len(s.lines) {
		return part{}, false
	}
	end := bound
	if last := lastScalar(value); last != nil && last.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		end = s.blockScalarEnd(last, bound)
	} else {
		for end > start+1 && (isBlank([]byte(s.lines[end-1])) || isComment([]byte(s.lines[end-1]))) {
			end--
		}
	}
	return part{start, end, bound, col}, true
}

// blockScalarEnd returns the line behind the content of a block scalar. In it, lines that look like comments are
// content, as long as they are indented like its first line. So are the blank lines at the end where its header keeps
// them (|+).
func (s *splicer) blockScalarEnd(n *yaml.Node, bound int) int {
	indent := -1
	end := n.Line
	kept := strings.HasSuffix("\n"+n.Value, "\n\n")
	for i := n.Line; i < bound; i++ {
		if isBlank([]byte(s.lines[i])) {
			if kept {
				end = i + 1
			}
			continue
		}
		by := len(s.lines[i]) - len(strings.TrimLeft(s.lines[i], " "))
		if indent < 0 {
			indent = by
		}
		if by < indent {
			break
		}
		end = i + 1
	}
	return min(end, bound)
}

// lastScalar returns the scalar that ends n; nil where n is or ends in a flow collection or an alias.
func lastScalar(n *yaml.Node) *yaml.Node {
	for n.Kind != yaml.ScalarNode {
		if len(n.Content) == 0 || n.Style&yaml.FlowStyle != 0 {
			return nil
		}
		n = n.Content[len(n.Content)-1]
	}
	return n
}

func (s *splicer) isDash(line, col int) bool {
	text := s.lines[line]
	at, ok := s.offset(line, col)
	return ok && at < len(text) && text[at] == '-' && (at+1 == len(text) || text[at+1] == ' ' || text[at+1] == '\t')
}

// startsLine tells whether only spaces are before the part.
func (s *splicer) startsLine(p part) bool {
	line := s.lines[p.start]
	return p.col <= len(line) && strings.Trim(line[:p.col], " ") == ""
}

// remove deletes part i, with the comment lines directly above it where they are its own.
func (s *splicer) remove(parts []part, i int, withComment bool) bool {
	p := parts[i]
	if !s.startsLine(p) {
		return false
	}
	start := p.start
	for withComment && start > 0 && isComment([]byte(s.lines[start-1])) && (i == 0 || start > parts[i-1].end) {
		start--
	}
	s.changes = append(s.changes, change{start: start, end: p.end})
	return true
}

// insert puts lines behind part prev; -1 stands for before the first part.
func (s *splicer) insert(parts []part, prev int, lines []string) bool {
	var at int
	if prev >= 0 {
		p := parts[prev]
		at = p.end
		// A comment that is indented further belongs to what is inside of prev; behind a new block scalar it would become
		// content.
		for i := p.end; i < p.bound; i++ {
			if line := s.lines[i]; isComment([]byte(line)) {
				if len(line)-len(strings.TrimLeft(line, " \t")) <= p.col {
					break
				}
				at = i + 1
			}
		}
	} else {
		if !s.startsLine(parts[0]) {
			return false
		}
		for at = parts[0].start; at > 0 && isComment([]byte(s.lines[at-1])); {
			at--
		}
	}
	s.changes = append(s.changes, change{at, at, indentLines(strings.Repeat(" ", parts[0].col), lines)})
	return true
}

// replace puts lines in the place of a part, behind what stands before it in its first line.
func (s *splicer) replace(p part, lines []string) {
	first := s.lines[p.start]
	at, ok := s.offset(p.start, p.col)
	if !ok {
		at = len(first)
	}
	lines = indentLines(strings.Repeat(" ", p.col), lines)
	lines[0] = first[:at] + lines[0][p.col:]
	s.changes = append(s.changes, change{p.start, p.end, lines})
}

// indentLines indents lines, but for empty ones.
func indentLines(indent string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		if line != "" {
			out[i] = indent + line
		}
	}
	return out
}

// entry writes one entry of a block mapping.
func (st style) entry(key, value *yaml.Node) ([]string, bool) {
	if value.Kind == yaml.SequenceNode && !st.compact && st.wide > 1 && st.wide <= 9 {
		st.indent = st.wide
	}
	return st.linesOf(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}})
}

// item writes one item of a block sequence.
func (st style) item(item *yaml.Node) ([]string, bool) {
	if st.indent == 3 && st.compact {
		st.indent = 2 // the library would write a sequence in the item to the left of the item's other fields
	}
	return st.linesOf(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}})
}

func (st style) linesOf(n *yaml.Node) ([]string, bool) {
	if lines, ok := st.plainLines(n); ok {
		return lines, true
	}
	out, err := st.marshal(n)
	if err != nil {
		return nil, false
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	return lines, lines[0] != ""
}

// withoutLastFoot returns n without the comments that stand below its last line: these are not among the lines
// replaced.
func withoutLastFoot(n *yaml.Node) *yaml.Node {
	c := *n
	c.FootComment = ""
	if len(n.Content) == 0 {
		return &c
	}
	c.Content = slices.Clone(n.Content)
	last := len(c.Content) - 1
	if n.Kind == yaml.MappingNode {
		key := *c.Content[last-1]
		key.FootComment = ""
		c.Content[last-1] = &key
	}
	c.Content[last] = withoutLastFoot(c.Content[last])
	return &c
}

// offset turns a column of line l, which counts characters from 0, into an offset in bytes. Many nodes may stand in one
// long line, so where characters and bytes differ it keeps where each stretch of characters starts.
func (s *splicer) offset(l, col int) (int, bool) {
	const short, stretch = 256, 64
	line := s.lines[l]
	if len(line) <= short {
		return byteOffset(line, col)
	}
	starts, ok := s.columns[l]
	if !ok {
		chars := 0
		for at := range line {
			if chars%stretch == 0 {
				starts = append(starts, at)
			}
			chars++
		}
		if s.columns == nil {
			s.columns = map[int][]int{}
		}
		s.columns[l] = starts
	}
	if col < 0 || col/stretch >= len(starts) {
		return len(line), col == utf8.RuneCountInString(line)
	}
	start := starts[col/stretch]
	at, ok := byteOffset(line[start:], col%stretch)
	return start + at, ok
}

// byteOffset turns a column, which counts characters from 0, into an offset.
func byteOffset(line string, col int) (int, bool) {
	at := 0
	for ; col > 0; col-- {
		if at >= len(line) {
			return 0, false
		}
		_, n := utf8.DecodeRuneInString(line[at:])
		at += n
	}
	return at, true
}
