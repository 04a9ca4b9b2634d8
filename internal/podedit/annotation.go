package podedit

import (
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// maxAnnotations is how many bytes an object's annotations may have together (TotalAnnotationSizeLimitB in Kubernetes'
// apimachinery/pkg/api/validation/objectmeta.go).
const maxAnnotations = 256 << 10

// CheckAnnotations refuses a pod whose annotations would be more than Kubernetes admits with ours.
func CheckAnnotations(p *workload.Pod, entries []debuginfo.Entry) error {
	size := len(debuginfo.Annotation) + len(debuginfo.Encode(entries))
	annotations := yamlnode.Get(p.Template, "metadata", "annotations")
	if yamlnode.IsMapping(annotations) {
		for _, n := range annotations.Content {
			size += len(yamlnode.Text(n))
		}
	}
	if size <= maxAnnotations {
		return nil
	}
	return reason.Refuse(reason.AnnotationsFull, "with the annotation %s, the pod's annotations would have %d bytes, "+
		"and Kubernetes takes %d", debuginfo.Annotation, size, maxAnnotations)
}

// Annotate records where the debuggers listen.
func Annotate(p *workload.Pod, entries []debuginfo.Entry) error {
	if i, _ := yamlnode.Field(p.Template, "metadata"); i < 0 {
		p.Template.Content = append([]*yaml.Node{yamlnode.String("metadata"), {Kind: yaml.MappingNode}},
			p.Template.Content...)
	}
	metadata, err := yamlnode.Ensure(p.Template, "metadata", yaml.MappingNode)
	if err != nil {
		return err
	}
	annotations, err := yamlnode.Ensure(metadata, "annotations", yaml.MappingNode, "name", "generateName", "namespace",
		"labels")
	if err != nil {
		return err
	}
	node := yamlnode.String(debuginfo.Encode(entries))
	node.Style = yaml.SingleQuotedStyle
	yamlnode.Set(annotations, debuginfo.Annotation, node)
	return nil
}
