package manifest

import (
	"bytes"
	"errors"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/plainyaml"
	"debuggable.dev/debuggable/internal/scalar"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// emit returns the chunk's body for the edited tree root.
func (c *chunk) emit(root *yaml.Node) ([]byte, error) {
	quoteNew(root)
	if c.format == jsonFormat {
		out, err := emitJSON(c.body, root)
		if err != nil {
			return nil, err
		}
		again, p := parseJSON(out, nil)
		if p != nil || !sameTree(again, root) {
			return nil, errNotFaithful
		}
		return out, nil
	}
	if out, ok := c.splice(root, nil); ok {
		return out, nil
	}
	orig, err := c.original()
	if err != nil {
		return nil, err
	}
	return c.emitWhole(orig, root, bytes.HasSuffix(c.body, []byte("\n")) || bytes.HasSuffix(c.body, []byte("\r")))
}

// splice returns the chunk's body with the text of what was edited replaced. st is the document's style, nil for what
// it shows.
func (c *chunk) splice(root *yaml.Node, st *style) (out []byte, ok bool) {
	use := func(orig *yaml.Node) {
		if st == nil {
			shown := defaultStyle.of(orig, true)
			st = &shown
		}
		out, ok = splice(c.body, orig, root, *st)
	}
	if c.orig == nil && plainyaml.Use(unixBreaks(c.body), use) {
		return out, ok
	}
	if orig, err := c.original(); err == nil {
		use(orig)
	}
	return out, ok
}

// quoteNew quotes the strings that were not read, but are new, where a reader would take them for something else. What
// was read is left as it is, for that is what it means to its readers.
func quoteNew(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Line == 0 && n.Style == 0 && n.ShortTag() == yaml.NodeTagString {
		n.Style = scalar.Style(n.Value)
	}
	for _, child := range n.Content {
		quoteNew(child)
	}
}

var errNotFaithful = errors.New("the edited document does not survive being written and read again: write the " +
	"document in a simpler style (without anchors, tags or unusual comments)")

// endLine returns body, which says root, in a form that means the same when a line break follows. A block scalar
// without one at the very end of an input has none in its value either.
func (c *chunk) endLine(body []byte, root *yaml.Node) ([]byte, error) {
	if c.format != yamlFormat || bytes.HasSuffix(body, []byte("\n")) || bytes.HasSuffix(body, []byte("\r")) ||
		readsAs(append(body[:len(body):len(body)], '\n'), root) {
		return body, nil
	}
	return c.emitWhole(root, root, true)
}

// emitWhole writes root anew in the style of orig, the document as it was read. endLine says that it has to end in a
// line break; otherwise it does so only where it must.
func (c *chunk) emitWhole(orig, root *yaml.Node, endLine bool) ([]byte, error) {
	st := defaultStyle.of(orig, true)
	comments := c.comments
	for _, how := range []looks{asIs, spelledNulls, plain} {
		root = copyTree(root, how)
		if how == plain {
			comments = yaml.Node{}
		}
		doc := &yaml.Node{Kind: yaml.DocumentNode, HeadComment: comments.HeadComment, FootComment: comments.FootComment,
			Content: []*yaml.Node{root}}
		out, err := st.marshal(doc)
		if err != nil {
			return nil, err
		}
		if c.whole && c.explicit {
			out = append([]byte("---\n"), out...)
		}
		if readsAs(out, root) {
			if !endLine {
				if short := bytes.TrimSuffix(out, []byte("\n")); readsAs(short, root) {
					out = short
				}
			}
			if usesCRLF(c.body) {
				out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
			}
			return out, nil
		}
	}
	return nil, errNotFaithful
}

// readsAs tells whether out is read as the tree root.
func readsAs(out []byte, root *yaml.Node) bool {
	same := false
	if plainyaml.Use(unixBreaks(out), func(again *yaml.Node) { same = sameTree(again, root) }) {
		return same
	}
	doc, p := parseYAML(out)
	return p == nil && doc != nil && sameTree(doc.Content[0], root)
}

// usesCRLF tells whether most lines end in \r\n.
func usesCRLF(text []byte) bool {
	crlf := bytes.Count(text, []byte("\r\n"))
	return crlf > 0 && 2*crlf > bytes.Count(text, []byte("\n"))
}

// style is how block collections are indented.
type style struct {
	indent  int
	compact bool // a sequence in a mapping starts in the column of its key
	wide    int  // otherwise, how far from it, where that is known
}

// defaultStyle is the style of a document that does not say.
var defaultStyle = style{indent: yaml.DefaultIndent, compact: true}

// of returns the style of what is directly in block mapping m or, with deep, of the first mapping and sequence anywhere
// in it; where there is none, st.
func (st style) of(m *yaml.Node, deep bool) style {
	st, _ = st.shownBy(m, deep)
	return st
}

// shownBy is like of, and reports whether all of the style is shown there.
func (st style) shownBy(m *yaml.Node, deep bool) (style, bool) {
	hasIndent, hasCompact := false, false
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		if n.Style&yaml.FlowStyle != 0 || hasIndent && hasCompact {
			return
		}
		for i, child := range n.Content {
			if child.Style&yaml.FlowStyle != 0 || len(child.Content) == 0 || child.Kind == yaml.AliasNode {
				continue
			}
			if n.Kind == yaml.MappingNode && i%2 == 1 {
				by := child.Column - n.Content[i-1].Column
				switch {
				case child.Line == n.Content[i-1].Line:
				case child.Kind == yaml.SequenceNode && !hasCompact:
					st.compact, st.wide, hasCompact = by <= 0, max(by, 0), true
				case child.Kind == yaml.MappingNode && !hasIndent && by > 1 && by <= 9:
					st.indent, hasIndent = by, true
				}
			}
			if deep {
				look(child)
			}
		}
	}
	look(m)
	return st, hasIndent && hasCompact
}

func (st style) marshal(n *yaml.Node) ([]byte, error) {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(st.indent)
	if st.compact {
		enc.CompactSeqIndent()
	} else {
		enc.DefaultSeqIndent()
	}
	if err := enc.Encode(n); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// looks is how much of what only people see is kept. What the library cannot write faithfully as it is, it can in a
// simpler form.
type looks int

const (
	asIs         looks = iota
	spelledNulls       // null for a value that is left out
	plain              // and no comments, no flow collections, all strings but ordinary words in double quotes
)

// plainStyle is the style in which n is written most safely. A string in quotes keeps them: its readers may need them.
func plainStyle(n *yaml.Node) yaml.Style {
	switch {
	case n.Kind == yaml.ScalarNode &&
		n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0,
		n.Kind == yaml.ScalarNode && n.ShortTag() == yaml.NodeTagString && strings.ContainsAny(n.Value, "\n\r"):
		return n.Style&yaml.TaggedStyle | yaml.DoubleQuotedStyle
	}
	return n.Style & yaml.TaggedStyle
}

// copyTree copies n. Aliases go on standing for the original's nodes.
func copyTree(n *yaml.Node, how looks) *yaml.Node {
	c := *n
	if how >= spelledNulls && n.Value == "" && yamlnode.IsNull(n) {
		c.Value = "null"
	}
	unfolded(&c)
	if how >= plain {
		c.Style = plainStyle(n)
		c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	}
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = copyTree(child, how)
	}
	return &c
}

// snapshot copies a whole tree, in few pieces of memory, with lines that count from offset. Aliases go on standing for
// the original's nodes.
func snapshot(root *yaml.Node, offset int) *yaml.Node {
	nodes, children := 0, 0
	var count func(n *yaml.Node)
	count = func(n *yaml.Node) {
		nodes++
		children += len(n.Content)
		for _, child := range n.Content {
			count(child)
		}
	}
	count(root)
	freeNodes, freeChildren := make([]yaml.Node, nodes), make([]*yaml.Node, children)
	var fill func(n *yaml.Node) *yaml.Node
	fill = func(n *yaml.Node) *yaml.Node {
		c := &freeNodes[0]
		freeNodes = freeNodes[1:]
		*c = *n
		c.Line -= offset
		if many := len(n.Content); many > 0 {
			c.Content, freeChildren = freeChildren[:many:many], freeChildren[many:]
			for i, child := range n.Content {
				c.Content[i] = fill(child)
			}
		}
		return c
	}
	return fill(root)
}

// sameTree tells whether two trees hold the same values in the same order, however they are written.
func sameTree(a, b *yaml.Node) bool {
	if a == b {
		return true
	}
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	switch {
	case a.Kind == yaml.AliasNode:
		return a.Value == b.Value
	case tagOf(a) != tagOf(b):
		return false
	case a.Kind == yaml.ScalarNode:
		return a.Value == b.Value || sameNonString(a, b)
	}
	for i := range a.Content {
		if a.Kind == yaml.MappingNode && i%2 == 0 && isMerge(a.Content[i]) != isMerge(b.Content[i]) {
			return false
		}
		if !sameTree(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// tagOf is the short tag that says what JSON value a node is.
func tagOf(n *yaml.Node) string {
	switch tag := n.ShortTag(); tag {
	case "!!timestamp", yaml.MergeTag:
		return yaml.NodeTagString // so is a date in a manifest, and << where it is no key
	default:
		return tag
	}
}

// sameNonString compares two scalars of the same tag that are spelled differently.
func sameNonString(a, b *yaml.Node) bool {
	switch tagOf(a) {
	case yaml.NodeTagNull:
		return true
	case yaml.NodeTagBool:
		return strings.EqualFold(a.Value, b.Value)
	case yaml.NodeTagInt, yaml.NodeTagFloat:
		x, errX := jsonNumber(a.Value)
		y, errY := jsonNumber(b.Value)
		return errX == nil && errY == nil && x == y
	}
	return false
}

// identical tells whether two trees would be written in the same way.
func identical(a, b *yaml.Node) bool {
	if a == b {
		return true
	}
	if a.Kind != b.Kind || a.Style != b.Style || a.Anchor != b.Anchor || a.Value != b.Value ||
		len(a.Content) != len(b.Content) ||
		!sameComments(a, b) || tagOf(a) != tagOf(b) {
		return false
	}
	for i := range a.Content {
		if !identical(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

func sameComments(a, b *yaml.Node) bool {
	return a.HeadComment == b.HeadComment && a.LineComment == b.LineComment && a.FootComment == b.FootComment
}

// keyIndex says where in the content of mapping m each key is; nil where m is no mapping.
func keyIndex(m *yaml.Node) map[string]int {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	at := make(map[string]int, len(m.Content)/2)
	for i := 0; i+1 < len(m.Content); i += 2 {
		at[m.Content[i].Value] = i
	}
	return at
}

// pairItems finds for each item of sequence n the item of sequence o that it was, in order; -1 for a new one.
func pairItems(o, n *yaml.Node) []int {
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	pairs := make([]int, len(n.Content))
	for i := range pairs {
		pairs[i] = -1
	}
	if o == nil || o.Kind != yaml.SequenceNode {
		return pairs
	}
	from, oEnd, nEnd := 0, len(o.Content), len(n.Content)
	for from < oEnd && from < nEnd && sameItem(o.Content[from], n.Content[from]) {
		pairs[from] = from
		from++
	}
	for oEnd > from && nEnd > from && sameItem(o.Content[oEnd-1], n.Content[nEnd-1]) {
		oEnd--
		nEnd--
		pairs[nEnd] = oEnd
	}
	if oEnd == nEnd {
		for i := from; i < nEnd; i++ {
			pairs[i] = i
		}
		return pairs
	}
	pairCommon(o.Content[from:oEnd], n.Content[from:nEnd], pairs[from:nEnd], from)
	return pairs
}

// pairCommon pairs the longest common subsequence of two lists of items, the first of which counts from a number; of
// very long ones, nothing is paired.
func pairCommon(o, n []*yaml.Node, pairs []int, from int) {
	const most = 1 << 20
	rows, cols := len(o), len(n)
	if rows*cols > most {
		return
	}
	same := make([]bool, rows*cols)
	length := make([]int, (rows+1)*(cols+1)) // of the best pairing of what follows
	for i := rows - 1; i >= 0; i-- {
		for j := cols - 1; j >= 0; j-- {
			same[i*cols+j] = sameItem(o[i], n[j])
			best := max(length[(i+1)*(cols+1)+j], length[i*(cols+1)+j+1])
			if same[i*cols+j] {
				best = max(best, 1+length[(i+1)*(cols+1)+j+1])
			}
			length[i*(cols+1)+j] = best
		}
	}
	for i, j := 0, 0; i < rows && j < cols; {
		switch {
		case same[i*cols+j] && length[i*(cols+1)+j] == 1+length[(i+1)*(cols+1)+j+1]:
			pairs[j] = from + i
			i++
			j++
		case length[(i+1)*(cols+1)+j] >= length[i*(cols+1)+j+1]:
			i++
		default:
			j++
		}
	}
}

// sameItem tells whether two items of a sequence are the same thing, perhaps with changes: a container, say, by its
// name.
func sameItem(a, b *yaml.Node) bool {
	if name := yamlnode.Text(a, "name"); name != "" {
		return name == yamlnode.Text(b, "name")
	}
	return sameTree(a, b)
}
