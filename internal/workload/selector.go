package workload

import (
	"maps"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// Selectors finds the objects that select a pod by its labels: Services, PodDisruptionBudgets. They are kept by
// namespace and one pair of what they select, so that a pod asks few of many.
type Selectors map[[3]string][]selecting

// selecting is an object and the labels that it selects.
type selecting struct {
	object *yaml.Node
	labels *yaml.Node
}

// Add records an object that selects pods with these labels, and reports whether it did: one that selects nothing in
// particular is left out.
func (s Selectors) Add(object, labels *yaml.Node) bool {
	if !yamlnode.IsMapping(labels) || len(labels.Content) == 0 {
		return false
	}
	key := [3]string{yamlnode.Namespace(object), labels.Content[0].Value, yamlnode.Text(labels.Content[1])}
	s[key] = append(s[key], selecting{object, labels})
	return true
}

// Matching lists the objects that select a pod, in an order of their own that is always the same.
func (s Selectors) Matching(p *Pod) (found []*yaml.Node) {
	if len(s) == 0 {
		return nil
	}
	labels := map[string]string{}
	pairs := yamlnode.Pairs(p.Template, "metadata", "labels")
	for i := 0; i < len(pairs); i += 2 {
		labels[pairs[i].Value] = yamlnode.Text(pairs[i+1])
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		for _, c := range s[[3]string{yamlnode.Namespace(p.Workload.Node), k, labels[k]}] {
			if selects(c.labels, labels) {
				found = append(found, c.object)
			}
		}
	}
	return found
}

func selects(selector *yaml.Node, labels map[string]string) bool {
	for i := 0; i+1 < len(selector.Content); i += 2 {
		if v, ok := labels[selector.Content[i].Value]; !ok || v != yamlnode.Text(selector.Content[i+1]) {
			return false
		}
	}
	return true
}
