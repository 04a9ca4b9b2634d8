// Package yamlnode reads and edits mappings and sequences of YAML nodes. A nil node has no fields, so that a path that
// does not exist needs no check on the way; an alias is read as what it stands for, and a null counts as missing, as it
// does for Kubernetes.
package yamlnode

import (
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/scalar"
)

// Get returns the value at a path of field names, or nil.
func Get(node *yaml.Node, path ...string) *yaml.Node {
	node = Resolve(node)
	for _, name := range path {
		_, node = Field(node, name)
		node = Resolve(node)
	}
	if IsNull(node) {
		return nil
	}
	return node
}

// Field returns the index of a field's value in a mapping's content, and the value as it stands there; -1 and nil for
// none.
func Field(node *yaml.Node, name string) (int, *yaml.Node) {
	if node == nil || node.Kind != yaml.MappingNode {
		return -1, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return i + 1, node.Content[i+1]
		}
	}
	return -1, nil
}

// Pairs are the keys and values of the mapping at a path, in turn; nil where there is none.
func Pairs(node *yaml.Node, path ...string) []*yaml.Node {
	if m := Get(node, path...); IsMapping(m) {
		return m.Content[:len(m.Content)&^1]
	}
	return nil
}

// Text returns the text of the scalar at a path, "" for anything else.
func Text(node *yaml.Node, path ...string) string {
	if node = Get(node, path...); node == nil || node.Kind != yaml.ScalarNode {
		return ""
	}
	return node.Value
}

// Integer returns the value of the integer scalar at a path.
func Integer(node *yaml.Node, path ...string) (int, bool) {
	n, err := strconv.Atoi(Text(node, path...))
	return n, err == nil
}

// IsTrue reports whether the scalar at a path is the boolean true.
func IsTrue(node *yaml.Node, path ...string) bool { return Text(node, path...) == "true" }

// Items returns the elements of the sequence at a path.
func Items(node *yaml.Node, path ...string) []*yaml.Node {
	if node = Get(node, path...); node == nil || node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

// IsMapping reports whether a node is a mapping.
func IsMapping(node *yaml.Node) bool { return node != nil && node.Kind == yaml.MappingNode }

// IsNull reports whether a node is a null.
func IsNull(node *yaml.Node) bool {
	return node != nil && node.Kind == yaml.ScalarNode && node.ShortTag() == yaml.NodeTagNull
}

// Resolve follows an alias to what it stands for, and a document to its content.
func Resolve(node *yaml.Node) *yaml.Node {
	for node != nil {
		switch {
		case node.Kind == yaml.AliasNode:
			node = node.Alias
		case node.Kind == yaml.DocumentNode && len(node.Content) == 1:
			node = node.Content[0]
		default:
			return node
		}
	}
	return nil
}

// Annotation returns the value of a metadata annotation and whether there is one.
func Annotation(object *yaml.Node, key string) (string, bool) {
	v := Get(object, "metadata", "annotations", key)
	return Text(v), v != nil
}

// Namespace is an object's namespace; objects without one belong together.
func Namespace(object *yaml.Node) string { return Text(object, "metadata", "namespace") }

// Name is an object's name.
func Name(object *yaml.Node) string { return Text(object, "metadata", "name") }

// Located is a node and the path to it.
type Located struct {
	Node *yaml.Node
	Path string
}

// Mentions reports whether a scalar in a node has a text in it. What aliases stand for is not looked into: it is looked
// into where it is.
func Mentions(node *yaml.Node, text string) bool {
	if node == nil {
		return false
	}
	for _, n := range node.Content {
		if Mentions(n, text) {
			return true
		}
	}
	return node.Kind == yaml.ScalarNode && strings.Contains(node.Value, text)
}

// Lookup follows a dotted path, into every element of a list where it says `[]`. "" is the node itself.
func Lookup(node *yaml.Node, path string) []Located {
	found := []Located{{node, ""}}
	if path == "" {
		return found
	}
	for _, name := range strings.Split(path, ".") {
		name, each := strings.CutSuffix(name, "[]")
		var next []Located
		for _, f := range found {
			v := Get(f.Node, name)
			if v == nil {
				continue
			}
			if !each {
				next = append(next, Located{v, Join(f.Path, name)})
				continue
			}
			for i, item := range Items(v) {
				next = append(next, Located{item, Join(f.Path, Index(name, i))})
			}
		}
		found = next
	}
	return found
}

// Join puts two paths together.
func Join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "." + b
}

// Index appends an element's index to a path: a[0].
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Clone copies a node with everything below it; comments stay behind.
func Clone(node *yaml.Node) *yaml.Node {
	c := *node
	c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	c.Content = make([]*yaml.Node, len(node.Content))
	for i, child := range node.Content {
		c.Content[i] = Clone(child)
	}
	return &c
}

// String is a string scalar that every reader reads as that string.
func String(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Style: scalar.Style(value), Value: value}
}

// StringLike is a string scalar in the style of its neighbours: quoted as the first of them that is one line.
func StringLike(value string, neighbours []*yaml.Node) *yaml.Node {
	n := String(value)
	for _, other := range neighbours {
		if style := other.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle); style != 0 {
			n.Style = scalar.Like(value, style)
			break
		}
	}
	return n
}

// Number is an integer scalar.
func Number(value int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: strconv.Itoa(value)}
}

// Bool is a boolean scalar.
func Bool(value bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagBool, Value: strconv.FormatBool(value)}
}

// Mapping builds a mapping from name, value, name, value, …
func Mapping(fields ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(fields); i += 2 {
		m.Content = append(m.Content, String(fields[i].(string)), fields[i+1].(*yaml.Node))
	}
	return m
}

// Sequence builds a sequence.
func Sequence(values ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: values}
}
