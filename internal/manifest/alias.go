package manifest

import (
	"fmt"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// maxAliased bounds how many nodes the aliases of all documents together may add. A node takes some 200 bytes.
const maxAliased = 500_000

// aliasBudget counts down from maxAliased.
type aliasBudget struct{ left int }

// expandAliases returns a copy of root without anchors, aliases and merge keys. Every alias becomes a copy of its own. Merge keys
// follow https://yaml.org/type/merge.html: a mapping's own keys win, then the earlier of several merged mappings; what is
// merged takes the place of the merge key.
func expandAliases(root *yaml.Node, budget *aliasBudget) (*yaml.Node, *problem) {
	e := expander{budget: budget, open: map[*yaml.Node]bool{}}
	return e.copy(root, 0, false)
}

type expander struct {
	budget *aliasBudget
	open   map[*yaml.Node]bool // anchored nodes that are being copied: an alias to one would never end
}

// copy copies n; aliased says that an alias, not the document itself, led here.
func (e *expander) copy(n *yaml.Node, depth int, aliased bool) (*yaml.Node, *problem) {
	if depth > maxDepth {
		return nil, &problem{n.Line, tooDeep}
	}
	if aliased {
		if e.budget.left--; e.budget.left < 0 {
			return nil, &problem{n.Line, fmt.Sprintf("the aliases (*name) stand for more than %d nodes: write out what they stand for, or split the input", maxAliased)}
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
		return &c, e.copyMapping(&c, n, depth, aliased)
	}
	for _, child := range n.Content {
		cc, p := e.copy(child, depth+1, aliased)
		if p != nil {
			return nil, p
		}
		c.Content = append(c.Content, cc)
	}
	return &c, nil
}

func (e *expander) copyMapping(c, n *yaml.Node, depth int, aliased bool) *problem {
	own := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMerge(n.Content[i]) {
			own[resolveAlias(n.Content[i]).Value] = true
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
	}
	return nil
}

// merge appends to c the entries of the mapping or mappings that value stands for, but for the keys in taken.
func (e *expander) merge(c, value *yaml.Node, taken map[string]bool, depth int) *problem {
	sources := []*yaml.Node{value}
	if v := resolveAlias(value); v.Kind == yaml.SequenceNode {
		sources = v.Content
	}
	for _, source := range sources {
		if resolveAlias(source).Kind != yaml.MappingNode {
			return &problem{source.Line, fmt.Sprintf("the merge key << is given %s: it takes a mapping, or a sequence of mappings", kindName(resolveAlias(source)))}
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
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && (key.Tag == "" || key.Tag == "!" || key.ShortTag() == yaml.MergeTag) &&
		key.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0
}
