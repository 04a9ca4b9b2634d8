package transform

import (
	"strconv"

	"debuggable.dev/debuggable/internal/scalar"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// The functions here read and edit mappings and sequences of YAML nodes. A nil node has no fields, so that a path that
// does not exist needs no check on the way.

// get returns the value at a path of field names, or nil. A null counts as missing, as it does for Kubernetes.
func get(node *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		_, node = field(node, name)
	}
	if node != nil && node.Kind == yaml.ScalarNode && node.Tag == yaml.NodeTagNull {
		return nil
	}
	return node
}

// field returns the index of a field's value in a mapping's content, and the value.
func field(node *yaml.Node, name string) (int, *yaml.Node) {
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

// text returns the text of a scalar, "" for anything else.
func text(node *yaml.Node) string {
	if node == nil || node.Kind != yaml.ScalarNode {
		return ""
	}
	return node.Value
}

// integer returns the value of an integer scalar.
func integer(node *yaml.Node) (int, bool) {
	n, err := strconv.Atoi(text(node))
	return n, err == nil
}

// isTrue says whether a scalar is the boolean true.
func isTrue(node *yaml.Node) bool { return text(node) == "true" }

// items returns the elements of a sequence.
func items(node *yaml.Node) []*yaml.Node {
	if node == nil || node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

// isMapping says whether a node is a mapping.
func isMapping(node *yaml.Node) bool { return node != nil && node.Kind == yaml.MappingNode }

// set gives a field of a mapping a value: in place, or as a new field behind the last of the fields that after names,
// or at the end.
func set(node *yaml.Node, name string, value *yaml.Node, after ...string) {
	if i, old := field(node, name); i > 0 {
		value.HeadComment, value.LineComment, value.FootComment = old.HeadComment, old.LineComment, old.FootComment
		node.Content[i] = value
		return
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: name}
	at := len(node.Content)
	last := -1
	for _, a := range after {
		if i, _ := field(node, a); i > last {
			last = i
		}
	}
	if last > 0 {
		at = last + 1
	}
	node.Content = append(node.Content[:at], append([]*yaml.Node{key, value}, node.Content[at:]...)...)
}

// ensure returns the mapping or sequence in a field, and makes it where it is missing or null.
func ensure(node *yaml.Node, name string, kind yaml.Kind, after ...string) *yaml.Node {
	v := get(node, name)
	switch {
	case v == nil || v.Kind != kind:
		v = &yaml.Node{Kind: kind}
		if node.Style&yaml.FlowStyle != 0 {
			v.Style = yaml.FlowStyle
		}
		set(node, name, v, after...)
	case len(v.Content) == 0:
		v.Style = 0 // `[]` and `{}` become block style once there is something in them
	}
	if i, _ := field(node, name); len(v.Content) == 0 && v.LineComment != "" && node.Style&yaml.FlowStyle == 0 {
		// What was behind `[]` or null is then behind the field's name.
		node.Content[i-1].LineComment, v.LineComment = v.LineComment, ""
	}
	return v
}

// str is a string scalar that every reader reads as that string.
func str(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Style: scalar.Style(value), Value: value}
}

// setText gives a string scalar another value.
func setText(n *yaml.Node, value string) {
	if n.Value != value {
		n.Value, n.Style = value, scalar.Like(value, n.Style)
	}
}

// strLike is a string scalar in the style of its neighbours: quoted as the first of them that is one line.
func strLike(value string, neighbours []*yaml.Node) *yaml.Node {
	n := str(value)
	for _, other := range neighbours {
		if style := other.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle); style != 0 {
			n.Style = scalar.Like(value, style)
			break
		}
	}
	return n
}

func num(value int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: strconv.Itoa(value)}
}

// mapping builds a mapping from name, value, name, value, …
func mapping(fields ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(fields); i += 2 {
		m.Content = append(m.Content, str(fields[i].(string)), fields[i+1].(*yaml.Node))
	}
	return m
}

func sequence(values ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: values}
}

// clone copies a node with everything below it; comments stay behind.
func clone(node *yaml.Node) *yaml.Node {
	c := *node
	c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	c.Content = make([]*yaml.Node, len(node.Content))
	for i, child := range node.Content {
		c.Content[i] = clone(child)
	}
	return &c
}

// annotation returns the value of a metadata annotation and whether there is one.
func annotation(object *yaml.Node, key string) (string, bool) {
	v := get(object, "metadata", "annotations", key)
	return text(v), v != nil
}
