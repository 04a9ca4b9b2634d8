package yamlnode

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/scalar"
)

// Set gives a field of a mapping a value: in place, or as a new field behind the last of the fields that after names,
// or at the end.
func Set(node *yaml.Node, name string, value *yaml.Node, after ...string) {
	if i, old := Field(node, name); i > 0 {
		value.HeadComment, value.LineComment, value.FootComment = old.HeadComment, old.LineComment, old.FootComment
		node.Content[i] = value
		return
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: name}
	at, last := len(node.Content), -1
	for _, a := range after {
		if i, _ := Field(node, a); i > last {
			last = i
		}
	}
	if last > 0 {
		at = last + 1
	}
	node.Content = slices.Insert(node.Content, at, key, value)
}

// Remove takes a field out of a mapping, and reports whether it was there.
func Remove(node *yaml.Node, name string) bool {
	i, _ := Field(node, name)
	if i > 0 {
		node.Content = slices.Delete(node.Content, i-1, i+1)
	}
	return i > 0
}

// SetString gives a string scalar another value.
func SetString(n *yaml.Node, value string) {
	if n.Value != value {
		n.Value, n.Style = value, scalar.Like(value, n.Style)
	}
}

// SetQuantity sets an amount in a mapping, and keeps the quotes of one that was there.
func SetQuantity(m *yaml.Node, name, value string) {
	if old := Get(m, name); old != nil && strings.Trim(value, "0123456789") != "" {
		old.Value, old.Tag = value, yaml.NodeTagString
		return
	}
	Set(m, name, String(value))
}

// Ensure returns the mapping or sequence in a field, and makes it where it is missing or null: behind the last of the
// fields that after names. It refuses anything else that is there: to overwrite it would lose what somebody wrote.
func Ensure(node *yaml.Node, name string, kind yaml.Kind, after ...string) (*yaml.Node, error) {
	v := Get(node, name)
	switch {
	case v == nil:
		v = &yaml.Node{Kind: kind}
		if node.Style&yaml.FlowStyle != 0 {
			v.Style = yaml.FlowStyle
		}
		Set(node, name, v, after...)
	case v.Kind != kind:
		return nil, fmt.Errorf("field %s is not a %s", name, kindName(kind))
	case len(v.Content) == 0:
		v.Style = 0 // `[]` and `{}` become block style once there is something in them
	}
	if i, _ := Field(node, name); len(v.Content) == 0 && v.LineComment != "" && node.Style&yaml.FlowStyle == 0 {
		// What was behind `[]` or null is then behind the field's name.
		node.Content[i-1].LineComment, v.LineComment = v.LineComment, ""
	}
	return v, nil
}

// EnsureBefore is Ensure, but makes the field in front of another one.
func EnsureBefore(node *yaml.Node, name, before string, kind yaml.Kind) (*yaml.Node, error) {
	if Get(node, name) == nil {
		Remove(node, name) // an explicit null
		if i, _ := Field(node, before); i > 0 {
			value := &yaml.Node{Kind: kind}
			node.Content = slices.Insert(node.Content, i-1, String(name), value)
			return value, nil
		}
	}
	return Ensure(node, name, kind)
}

func kindName(kind yaml.Kind) string {
	if kind == yaml.SequenceNode {
		return "list"
	}
	return "mapping"
}
