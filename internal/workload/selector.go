package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// Selectors finds what there is to know of the objects that select a pod by its labels: Services, PodDisruptionBudgets.
// It is kept by namespace and one pair of what they select, so that a pod asks few of many.
type Selectors[T any] struct {
	byPair map[[3]string][]*Selected[T]
	same   map[string]*Selected[T] // by namespace and all that they select
}

// Selected is what there is to know of objects that select the same pods: thousands of both may meet.
type Selected[T any] struct {
	What   []T
	labels []string // names and values in turn
}

// NewSelectors knows no objects yet.
func NewSelectors[T any]() Selectors[T] {
	return Selectors[T]{byPair: map[[3]string][]*Selected[T]{}, same: map[string]*Selected[T]{}}
}

// Add records an object that selects pods with these labels, of which what is to be known. One that selects nothing in
// particular is left out. The nodes are not referred to afterwards, nor is the text that they are from.
func (s Selectors[T]) Add(object, labels *yaml.Node, what T) {
	if !yamlnode.IsMapping(labels) || len(labels.Content) == 0 {
		return
	}
	namespace := strings.Clone(yamlnode.Namespace(object))
	all := []string{namespace}
	for i := 0; i+1 < len(labels.Content); i += 2 {
		all = append(all, strings.Clone(labels.Content[i].Value), strings.Clone(yamlnode.Text(labels.Content[i+1])))
	}
	key := fmt.Sprintf("%q", all)
	if s.same[key] == nil {
		s.same[key] = &Selected[T]{labels: all[1:]}
		pair := [3]string{namespace, all[1], all[2]}
		s.byPair[pair] = append(s.byPair[pair], s.same[key])
	}
	s.same[key].What = append(s.same[key].What, what)
}

// Matching lists what is known of those that select a pod, in an order of their own that is always the same.
func (s Selectors[T]) Matching(p *Pod) (found []*Selected[T]) {
	if len(s.same) == 0 {
		return nil
	}
	labels := map[string]string{}
	pairs := yamlnode.Pairs(p.Template, "metadata", "labels")
	for i := 0; i < len(pairs); i += 2 {
		labels[pairs[i].Value] = yamlnode.Text(pairs[i+1])
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		for _, c := range s.byPair[[3]string{yamlnode.Namespace(p.Workload.Node), k, labels[k]}] {
			if c.selects(labels) {
				found = append(found, c)
			}
		}
	}
	return found
}

func (c *Selected[T]) selects(labels map[string]string) bool {
	for i := 0; i < len(c.labels); i += 2 {
		if v, ok := labels[c.labels[i]]; !ok || v != c.labels[i+1] {
			return false
		}
	}
	return true
}
