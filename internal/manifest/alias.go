package manifest

import (
	"bytes"
	"fmt"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// maxAliased bounds how many nodes the aliases of all documents together may add. A node takes some 200 bytes.
const maxAliased = 500_000

// aliasBudget counts down from maxAliased.
type aliasBudget struct{ left int }

// expandAliases returns a copy of root without anchors, aliases and merge keys. Every alias becomes a copy of its own.
// Merge keys follow https://yaml.org/type/merge.html: a mapping's own keys win, then the earlier of several merged
// mappings; what is merged takes the place of the merge key. text is what root was read from, from line first.
func expandAliases(root *yaml.Node, budget *aliasBudget, text []byte, first int) (*yaml.Node, *problem) {
	e := expander{budget: budget, open: map[*yaml.Node]bool{}, lines: bytes.Split(text, []byte("\n")), first: first}
	return e.copy(root, 0, false)
}

type expander struct {
	budget *aliasBudget
	open   map[*yaml.Node]bool // anchored nodes that are being copied: an alias to one would never end
	lines  [][]byte
	first  int // the number of the first of lines
}

// copy copies n; aliased says that an alias, not the document itself, led here.
func (e *expander) copy(n *yaml.Node, depth int, aliased bool) (*yaml.Node, *problem) {
	if depth > maxDepth {
		return nil, &problem{n.Line, tooDeep}
	}
	if aliased {
		if e.budget.left--; e.budget.left < 0 {
			return nil, &problem{n.Line,
				fmt.Sprintf("the aliases (*name) stand for more than %d nodes: write out what they stand for, or split the input",
					maxAliased)}
		}
	}
	if n.Kind == yaml.AliasNode {
		if e.open[n.Alias] {
			return nil, &problem{n.Line, fmt.Sprintf("alias *%s is inside of what it stands for", n.Value)}
		}
		c, p := e.copy(n.Alias, depth, true)
		if p != nil {
			return nil, p
		}
		c.Line, c.Column = n.Line, n.Column
		c.HeadComment, c.LineComment, c.FootComment = n.HeadComment, n.LineComment, n.FootComment
		return c, nil
	}
	c := *n
	c.Anchor, c.Alias, c.Content = "", nil, nil
	if n.Anchor != "" {
		e.open[n] = true
		defer delete(e.open, n)
	}
	if n.Kind == yaml.MappingNode {
		if p := e.copyMapping(&c, n, depth, aliased); p != nil {
			return nil, p
		}
	}
	for _, child := range n.Content {
		if n.Kind == yaml.MappingNode {
			break
		}
		cc, p := e.copy(child, depth+1, aliased)
		if p != nil {
			return nil, p
		}
		c.Content = append(c.Content, cc)
		if isBlock(cc) && cc.HeadComment == "" {
			cc.HeadComment, cc.LineComment = cc.LineComment, ""
		}
	}
	if n.Anchor != "" {
		e.takeComment(&c)
	}
	return &c, nil
}

// isBlock reports whether n is a block collection. The library does not write a comment that is in the line where one
// starts, but behind a key it does, and above an item.
func isBlock(n *yaml.Node) bool {
	return (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0
}

// takeComment gives block collection n the comment behind its anchor, for which the library takes it to be behind the
// first scalar inside.
func (e *expander) takeComment(n *yaml.Node) {
	if !isBlock(n) || n.LineComment != "" {
		return
	}
	leaf := n
	for leaf.LineComment == "" && len(leaf.Content) > 0 {
		leaf = leaf.Content[0]
	}
	if comment := leaf.LineComment; comment != "" && e.endsIn(n.Line, comment) && !e.endsIn(leaf.Line, comment) {
		n.LineComment, leaf.LineComment = comment, ""
	}
}

// endsIn reports whether a line ends in a comment.
func (e *expander) endsIn(line int, comment string) bool {
	i := line - e.first
	return i >= 0 && i < len(e.lines) && bytes.HasSuffix(bytes.TrimRight(e.lines[i], " \t\r"), []byte(comment))
}

func (e *expander) copyMapping(c, n *yaml.Node, depth int, aliased bool) *problem {
	own := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMerge(n.Content[i]) {
			own[yamlnode.Resolve(n.Content[i]).Value] = true
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			if p := e.merge(c, n.Content[i+1], own, depth); p != nil {
				return p
			}
			continue
		}
		for _, child := range n.Content[i : i+2] {
			cc, p := e.copy(child, depth+1, aliased)
			if p != nil {
				return p
			}
			c.Content = append(c.Content, cc)
		}
		if key, value := c.Content[len(c.Content)-2], c.Content[len(c.Content)-1]; isBlock(value) && key.LineComment == "" {
			key.LineComment, value.LineComment = value.LineComment, ""
		}
	}
	return nil
}

// merge appends to c the entries of the mapping or mappings that value stands for, but for the keys in taken.
func (e *expander) merge(c, value *yaml.Node, taken map[string]bool, depth int) *problem {
	sources := []*yaml.Node{value}
	if v := yamlnode.Resolve(value); v.Kind == yaml.SequenceNode {
		sources = v.Content
	}
	for _, source := range sources {
		if yamlnode.Resolve(source).Kind != yaml.MappingNode {
			return &problem{source.Line,
				fmt.Sprintf("the merge key << is given %s: it takes a mapping, or a sequence of mappings",
					kindName(yamlnode.Resolve(source)))}
		}
		m, p := e.copy(source, depth+1, true)
		if p != nil {
			return p
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if key := m.Content[i].Value; !taken[key] {
				taken[key] = true
				c.Content = append(c.Content, m.Content[i], m.Content[i+1])
			}
		}
	}
	return nil
}

// isMerge recognises a merge key: a plain << (a quoted one is an ordinary key).
func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" &&
		(key.Tag == "" || key.Tag == "!" || key.ShortTag() == yaml.MergeTag) &&
		key.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0
}
