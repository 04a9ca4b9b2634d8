package workload

import (
	"fmt"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// TestSelectors: objects that select the same are one for all pods that they select, and nothing else is mixed up.
func TestSelectors(t *testing.T) {
	s := NewSelectors[int]()
	add := func(n int, namespace, labels string) {
		for i := range n {
			object := yaml.MustParse(fmt.Sprintf("metadata: {name: s%d, namespace: '%s'}", i, namespace)).YNode()
			s.Add(object, yaml.MustParse(labels).YNode(), i)
		}
	}
	add(4096, "a", "{app: web}")
	add(10, "b", "{app: web}")
	add(10, "a", "{app: web, tier: front}")
	add(10, "a", "{app: web, tier: back}")
	add(10, "a", "{}")
	for labels, want := range map[string][]int{
		"{app: web}":                      {4096},
		"{app: web, tier: back, more: x}": {4096, 10},
		"{tier: back}":                    nil,
	} {
		node := yaml.MustParse("metadata: {namespace: a}").YNode()
		template := yaml.MustParse("metadata: {labels: " + labels + "}").YNode()
		var got []int
		for _, found := range s.Matching(&Pod{Template: template, Workload: &Workload{Node: node}}) {
			got = append(got, len(found.What))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v objects, want %v", labels, got, want)
		}
	}
}
