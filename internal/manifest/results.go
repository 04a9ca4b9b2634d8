package manifest

import (
	"maps"
	"slices"
	"strconv"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/scalar"
)

// resultNode makes the node that the library makes of a result. There may be many results, and the library writes and
// reads each.
func resultNode(r *fn.Result) (*yaml.Node, error) {
	if r.Field != nil && (r.Field.CurrentValue != nil || r.Field.ProposedValue != nil) {
		return marshalledResult(r)
	}
	empty := yaml.Node{Kind: yaml.MappingNode, Tag: yaml.NodeTagMap}
	n := newMapping{empty}
	n.addText("message", r.Message)
	n.addText("severity", string(r.Severity))
	if ref := r.ResourceRef; ref != nil {
		m := newMapping{empty}
		m.addText("apiVersion", ref.APIVersion)
		m.addText("kind", ref.Kind)
		m.addText("name", ref.Name)
		m.addText("namespace", ref.Namespace)
		n.add("resourceRef", &m.Node)
	}
	if r.Field != nil {
		m := newMapping{empty}
		m.addText("path", r.Field.Path)
		n.add("field", &m.Node)
	}
	if r.File != nil {
		m := newMapping{empty}
		m.addText("path", r.File.Path)
		if r.File.Index != 0 {
			m.add("index", &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: strconv.Itoa(r.File.Index)})
		}
		n.add("file", &m.Node)
	}
	if len(r.Tags) > 0 {
		m := newMapping{empty}
		for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
			m.add(key, newString(r.Tags[key]))
		}
		n.add("tags", &m.Node)
	}
	return &n.Node, nil
}

// marshalledResult makes a node of any result.
func marshalledResult(r *fn.Result) (*yaml.Node, error) {
	data, err := yaml.Marshal(r)
	if err != nil {
		return nil, err
	}
	doc, p := parseYAML(data)
	if p != nil {
		return nil, p
	}
	asNew(doc)
	return doc.Content[0], nil
}

// asNew makes n look like what is not read but written by us: its strings get the style for that.
func asNew(n *yaml.Node) {
	n.Line = 0
	if n.Kind == yaml.ScalarNode && tagOf(n) == yaml.NodeTagString {
		n.Tag, n.Style = yaml.NodeTagString, scalar.Style(n.Value)
	}
	for _, child := range n.Content {
		asNew(child)
	}
}

// newMapping is a mapping in the making.
type newMapping struct{ yaml.Node }

func (m *newMapping) add(key string, value *yaml.Node) {
	m.Content = append(m.Content, newString(key), value)
}

// addText adds a string, unless it is empty.
func (m *newMapping) addText(key, value string) {
	if value != "" {
		m.add(key, newString(value))
	}
}

func newString(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: s, Style: scalar.Style(s)}
}
