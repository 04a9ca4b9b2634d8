package manifest

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/plainyaml"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// items are those of a ResourceList in block style, which is cut at them, so that each is read and written by itself:
// on all cores, and an item that only the library reads does not make it read all. What is read is the tree that
// reading the whole leads to. Where that is not certain, and where one of the items cannot be written by itself, the
// list is treated as one document.
type items struct {
	head, tail []byte   // the text above and below the items
	chunks     []*chunk // trees are sequences of one item
	style      style    // that the whole has where items are
}

// cutItems cuts the text of a ResourceList into what is above its items, which ends with the line of their key, the
// items, and the fields below; without items where it is not that simple. A line in their column that starts with a
// dash starts an item, wherever it stands: in a scalar or flow collection of several lines, the pieces would not be
// YAML.
func cutItems(body []byte) (head []byte, items [][]byte, tail []byte) {
	if !bytes.HasPrefix(body, []byte("apiVersion: "+functionGroup)) &&
		!bytes.HasPrefix(body, []byte("kind: "+resourceList+"\n")) ||
		bytes.IndexByte(body, '\r') >= 0 || keepsBlankLines(body) {
		return nil, nil, nil
	}
	at := bytes.Index(body, []byte("\n"+itemsLine))
	if at < 0 {
		return nil, nil, nil
	}
	start := at + len("\n"+itemsLine)
	head = body[:start]
	column := indentOf(body[start:])
	for pos := start; pos < len(body); {
		line := body[pos : pos+lineLen(body[pos:])]
		indent := indentOf(line)
		switch dash := bytes.HasPrefix(line[indent:], []byte("- ")); {
		case indent == column && dash:
			if pos > start {
				items = append(items, body[start:pos])
				start = pos
			}
		case pos == start:
			return nil, nil, nil
		case indent <= column && !isBlank(line):
			return head, append(items, body[start:pos]), body[pos:]
		}
		pos += len(line)
	}
	if start == len(body) {
		return nil, nil, nil
	}
	return head, append(items, body[start:]), nil
}

const itemsLine = "items:\n"

func indentOf(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

// openItems reads what is around the items of a ResourceList, and cuts these.
func (c *chunk) openItems() bool {
	if c.format != yamlFormat || c.whole {
		return false
	}
	head, texts, tail := cutItems(c.body)
	if len(texts) == 0 || bytes.HasPrefix(tail, []byte("#")) {
		return false
	}
	root, ok := plainyaml.Read(head[:len(head)-len(itemsLine)], c.line)
	if !ok || root.Kind != yaml.MappingNode || root.Style != 0 {
		return false
	}
	line := c.line + countLines(head)
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: "items", Line: line - 1, Column: 1}
	all := &yaml.Node{Kind: yaml.SequenceNode, Tag: yaml.NodeTagSeq, Line: line, Column: indentOf(texts[0]) + 1}
	it := &items{head: head, tail: tail}
	for i, text := range texts {
		item := &chunk{input: c.input, number: c.number, line: line, format: yamlFormat, body: text, list: all,
			style: &it.style}
		if endsWithComment(text) {
			if i+1 == len(texts) {
				return false // what follows is the end, or the list's next field
			}
			item.next = strings.Repeat(" ", all.Column-1) + "- x\n"
		}
		it.chunks = append(it.chunks, item)
		line += countLines(text)
	}
	root.Content = append(root.Content, key, all)
	if len(tail) > 0 {
		rest, ok := plainyaml.Read(tail, line)
		if !ok || rest.Kind != yaml.MappingNode || rest.Style != 0 || rest.Column != 1 {
			return false
		}
		root.Content = append(root.Content, rest.Content...)
	}
	if _, p := checkKeys(root, 0); p != nil {
		return false
	}
	c.tree, c.expanded, c.start, c.items = root, root, root.Line, it
	return true
}

// readItems reads a ResourceList that is all there is, item by item.
func (s *Set) readItems(c *chunk, begin func(*Set) (keep func(*Object) bool)) bool {
	read := func() error {
		if !c.openItems() || !isResourceList(c.tree) || !s.setFunction(c.tree) {
			return errAsWhole
		}
		s.list = c
		keep := begin(s)
		return c.eachItem(func(i int, item *chunk) {
			node := item.tree.Content[0]
			o := &Object{chunk: item, item: i, node: yaml.NewRNode(node), line: node.Line}
			s.objects = append(s.objects, o)
			if !keep(o) {
				o.release()
			}
		})
	}
	if read() == nil {
		return true
	}
	inputs := s.inputs
	*s = Set{inputs: inputs}
	c.tree, c.expanded, c.items = nil, nil, nil
	return false
}

var errAsWhole = errors.New("the list is to be read as a whole")

// eachItem reads the items, and calls use with each in turn.
func (c *chunk) eachItem(use func(i int, item *chunk)) error {
	all := c.items.chunks[0].list
	all.Content = make([]*yaml.Node, 0, len(c.items.chunks))
	batches := slices.Collect(slices.Chunk(c.items.chunks, atOnce))
	read := func(i int) []bool { return parallel(batches[i], (*chunk).parseItem) }
	return inTurn(len(batches), read, func(n int, are []bool) error {
		if slices.Contains(are, false) {
			return errAsWhole
		}
		for _, item := range batches[n] {
			all.Content = append(all.Content, item.tree.Content[0])
		}
		if n == 0 {
			st, shown := defaultStyle.shownBy(c.tree, true)
			if c.items.style, _ = st.shownBy(c.tree, false); !shown && len(batches) > 1 {
				return errAsWhole // it shows further down
			}
		}
		for i, item := range batches[n] {
			use(n*atOnce+i, item)
		}
		return nil
	})
}

// endsWithComment reports whether the last line of an item may be a comment: whose it is shows only in what follows,
// for which another item stands then.
func endsWithComment(item []byte) bool {
	item = bytes.TrimRight(item, " \n")
	last := item[bytes.LastIndexByte(item, '\n')+1:]
	return bytes.HasPrefix(bytes.TrimLeft(last, " "), []byte("#"))
}

// parseItem reads an item as a sequence of one.
func (c *chunk) parseItem() bool {
	n, ok := plainyaml.Read(c.body, c.line)
	if !ok || c.next != "" {
		doc, p := parseYAML(append(c.body[:len(c.body):len(c.body)], c.next...))
		if p != nil || doc == nil || doc.HeadComment+doc.FootComment != "" {
			return false
		}
		n = doc.Content[0]
		if c.next != "" && !withoutNext(n) {
			return false
		}
		if aliases, p := check(n, c.line-1); aliases || p != nil || bytes.Contains(c.body, []byte("&")) && hasAnchor(n) {
			return false
		}
		c.orig = snapshot(n, c.line-1)
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) != 1 || n.HeadComment+n.LineComment+n.FootComment != "" ||
		n.Content[0].Kind != yaml.MappingNode || n.Content[0].HeadComment+n.Content[0].FootComment != "" {
		return false
	}
	c.tree, c.expanded, c.start, c.plain = n, n, n.Line, ok && c.next == ""
	return true
}

// withoutNext takes out the item that stands for the next one, and reports whether no comment is that one's.
func withoutNext(n *yaml.Node) bool {
	if n.Kind != yaml.SequenceNode || len(n.Content) != 2 {
		return false
	}
	next := n.Content[1]
	n.Content = n.Content[:1]
	return next.Kind == yaml.ScalarNode && isBare(next)
}

// hasAnchor reports whether there is an anchor in n, which other items may refer to.
func hasAnchor(n *yaml.Node) bool { return n.Anchor != "" || slices.ContainsFunc(n.Content, hasAnchor) }

// emitItems writes a ResourceList item by item, with results behind its other fields.
func (c *chunk) emitItems(results fn.Results) ([]byte, bool) {
	if i, _ := yamlnode.Field(c.tree, "results"); i >= 0 && len(results) > 0 {
		return nil, false
	}
	bodies := parallel(c.items.chunks, func(item *chunk) []byte {
		switch {
		case item.written != nil:
			return item.written
		case item.edited:
			return item.write()
		}
		return item.body
	})
	behind := parallel(slices.Collect(slices.Chunk(results, atOnce)), c.items.resultLines)
	size := len(c.items.head) + len(c.items.tail) + len("\n")
	for _, text := range slices.Concat(bodies, behind) {
		size += len(text)
	}
	out := append(make([]byte, 0, size), c.items.head...)
	for _, body := range bodies {
		if body == nil {
			return nil, false
		}
		out = append(out, body...)
	}
	out = append(out, c.items.tail...)
	head, texts, tail := cutItems(out)
	if !bytes.Equal(head, c.items.head) || !bytes.Equal(tail, c.items.tail) ||
		!slices.EqualFunc(texts, bodies, bytes.Equal) {
		return nil, false
	}
	if len(results) == 0 {
		return out, true
	}
	ends := bytes.HasSuffix(out, []byte("\n"))
	if !ends {
		out = append(out, '\n')
	}
	for i, text := range behind {
		if text == nil {
			return nil, false
		}
		if i > 0 {
			text = bytes.TrimPrefix(text, []byte("results:\n"))
		}
		out = append(out, text...)
	}
	if !ends {
		out = bytes.TrimSuffix(out, []byte("\n"))
	}
	return out, true
}

// resultLines are lines that hold some results; nil where they cannot be written by themselves.
func (it *items) resultLines(results fn.Results) []byte {
	all := &yaml.Node{Kind: yaml.SequenceNode, Tag: yaml.NodeTagSeq}
	for _, r := range results {
		n, err := resultNode(r)
		if err != nil {
			return nil
		}
		all.Content = append(all.Content, n)
	}
	field := &yaml.Node{Kind: yaml.MappingNode, Tag: yaml.NodeTagMap, Content: []*yaml.Node{newString("results"), all}}
	lines, ok := it.style.entry(field.Content[0], all)
	if !ok || lines[0] != "results:" {
		return nil
	}
	text := []byte(strings.Join(lines, "\n") + "\n")
	if !readsAs(text, field) {
		return nil
	}
	return text
}

// isEdited reports whether anything in the document was edited.
func (c *chunk) isEdited() bool {
	return c.edited || c.items != nil && slices.ContainsFunc(c.items.chunks, (*chunk).isEdited)
}
