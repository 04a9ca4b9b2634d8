package workload

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// Selectors finds what there is to know of the objects that select a pod by its labels: Services, PodDisruptionBudgets.
// It is kept by namespace and one pair of what they select, so that a pod asks few of many.
type Selectors[T any] map[[3]string][]selecting[T]

// selecting is what there is to know of an object, and the labels that it selects.
type selecting[T any] struct {
	what   T
	labels []string // names and values in turn
}

// Add records an object that selects pods with these labels, of which what is to be known. One that selects nothing in
// particular is left out. The nodes are not referred to afterwards, nor is the text that they are from.
func (s Selectors[T]) Add(object, labels *yaml.Node, what T) {
	if !yamlnode.IsMapping(labels) || len(labels.Content) == 0 {
		return
	}
	added := selecting[T]{what: what}
	for i := 0; i+1 < len(labels.Content); i += 2 {
		added.labels = append(added.labels, strings.Clone(labels.Content[i].Value),
			strings.Clone(yamlnode.Text(labels.Content[i+1])))
	}
	key := [3]string{strings.Clone(yamlnode.Namespace(object)), added.labels[0], added.labels[1]}
	s[key] = append(s[key], added)
}

// Matching lists what is known of those that select a pod, in an order of their own that is always the same.
func (s Selectors[T]) Matching(p *Pod) (found []T) {
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
			if c.selects(labels) {
				found = append(found, c.what)
			}
		}
	}
	return found
}

func (c selecting[T]) selects(labels map[string]string) bool {
	for i := 0; i < len(c.labels); i += 2 {
		if v, ok := labels[c.labels[i]]; !ok || v != c.labels[i+1] {
			return false
		}
	}
	return true
}
