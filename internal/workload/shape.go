package workload

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// shape is what Kubernetes expects in a field that is read or edited here. Without the check, an edit would put what is
// ours in the place of what it cannot add to, and a manifest that the API server refuses would become one that it
// takes, with a part lost.
type shape struct {
	kind   yaml.Kind // 0: anything
	tag    string    // of a scalar, where it matters
	name   string    // for the message: "a list"
	fields []shaped  // of a mapping
	each   *shape    // of a list's elements, or of a mapping's values
}

// shaped is a field and its shape.
type shaped struct {
	field string
	shape shape
}

func record(fields ...shaped) shape {
	return shape{kind: yaml.MappingNode, name: "a mapping", fields: fields}
}

func mapOf(values shape) shape {
	return shape{kind: yaml.MappingNode, name: "a mapping", each: &values}
}

func listOf(elements shape) shape {
	return shape{kind: yaml.SequenceNode, name: "a list", each: &elements}
}

// metadataShape and podShape are the shapes of a pod template's two fields, containerShape that of a container.
var metadataShape, podShape, containerShape = podShapes()

func podShapes() (metadata, pod, container shape) {
	text := shape{kind: yaml.ScalarNode, name: "a string"}
	number := shape{kind: yaml.ScalarNode, tag: yaml.NodeTagInt, name: "an integer"}
	any := record()
	probe := record(shaped{"exec", any}, shaped{"timeoutSeconds", number}, shaped{"periodSeconds", number},
		shaped{"failureThreshold", number})
	resources := record(shaped{"limits", mapOf(text)}, shaped{"requests", mapOf(text)})
	security := record(shaped{"capabilities", record(shaped{"add", listOf(text)}, shaped{"drop", listOf(text)})})
	mount := record(shaped{"name", text}, shaped{"mountPath", text})
	container = record(
		shaped{"name", text}, shaped{"image", text}, shaped{"workingDir", text}, shaped{"command", listOf(shape{})},
		shaped{"args", listOf(shape{})},
		shaped{"env", listOf(record(shaped{"name", text}, shaped{"value", text}, shaped{"valueFrom", any}))},
		shaped{"envFrom", listOf(any)},
		shaped{"ports", listOf(record(shaped{"name", text}, shaped{"containerPort", number}))},
		shaped{"volumeMounts", listOf(mount)}, shaped{"volumeDevices", listOf(any)},
		shaped{"resources", resources}, shaped{"securityContext", security},
		shaped{"livenessProbe", probe}, shaped{"readinessProbe", probe}, shaped{"startupProbe", probe},
		shaped{"lifecycle", any},
	)
	pod = record(
		shaped{"initContainers", listOf(container)}, shaped{"containers", listOf(container)},
		shaped{"volumes", listOf(record(shaped{"name", text}))}, shaped{"securityContext", any},
		shaped{"resources", resources},
	)
	return record(shaped{"annotations", mapOf(text)}, shaped{"labels", mapOf(text)}), pod, container
}

// check returns a *reason.Refusal for the first value, in the document's order, that is not of the shape. A null counts
// as missing.
func (s shape) check(node *yaml.Node, path string) error {
	at, want := s.wrong(node)
	if want == "" {
		return nil
	}
	path = strings.TrimPrefix(path+at, ".")
	return reason.Refuse(reason.InvalidField, "%s is not %s, which Kubernetes expects there", foreign.Short(path), want)
}

// wrong finds a value that is not of the shape: the path to it from the node, and what it should be; "" for none. Paths
// are made of wrong values alone, since few are.
func (s shape) wrong(node *yaml.Node) (at, want string) {
	if node == nil || node.Kind == yaml.ScalarNode && node.ShortTag() == yaml.NodeTagNull {
		return "", ""
	}
	if s.kind != 0 && node.Kind != s.kind || s.tag != "" && node.ShortTag() != s.tag {
		return "", s.name
	}
	for i, child := range node.Content {
		switch {
		case node.Kind == yaml.SequenceNode && s.each != nil:
			if at, want := s.each.wrong(child); want != "" {
				return yamlnode.Index("", i) + at, want
			}
		case node.Kind == yaml.MappingNode && i%2 == 1:
			var of shape
			if s.each != nil {
				of = *s.each
			} else if at := slices.IndexFunc(s.fields, func(f shaped) bool {
				return f.field == node.Content[i-1].Value
			}); at >= 0 {
				of = s.fields[at].shape
			} else {
				continue
			}
			if at, want := of.wrong(child); want != "" {
				if name := node.Content[i-1].Value; name != "" {
					at = "." + name + at
				}
				return at, want
			}
		}
	}
	return "", ""
}

// shape is podShape, with containers where the kind has them.
func (p *Pod) shape() shape {
	s := podShape
	for _, path := range p.Workload.Rules.Containers {
		names := strings.Split(path, ".")
		of := containerShape
		for _, name := range slices.Backward(names) {
			if list, is := strings.CutSuffix(name, "[]"); is {
				name, of = list, listOf(of)
			}
			of = record(shaped{name, of})
		}
		s.fields = append(slices.Clone(s.fields), of.fields...)
	}
	return s
}

// CheckShape refuses a pod with a field that is not what Kubernetes expects there. Paths in the message begin at the
// document's root.
func (p *Pod) CheckShape() error {
	if err := metadataShape.check(yamlnode.Get(p.Template, "metadata"), yamlnode.Join(p.Path, "metadata")); err != nil {
		return err
	}
	if err := p.shape().check(p.Spec, p.SpecPath); err != nil {
		return err
	}
	w := p.Workload
	if err := metadataShape.check(yamlnode.Get(w.Node, "metadata"), yamlnode.Join(w.Path, "metadata")); err != nil {
		return err
	}
	number := shape{kind: yaml.ScalarNode, tag: yaml.NodeTagInt, name: "an integer"}
	for _, path := range slices.Concat(w.Rules.Replicas, w.Rules.Deadlines) {
		for _, at := range yamlnode.Lookup(w.Node, path) {
			if err := number.check(at.Node, yamlnode.Join(w.Path, at.Path)); err != nil {
				return err
			}
		}
	}
	return nil
}
