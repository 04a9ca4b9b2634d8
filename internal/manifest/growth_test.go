package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// TestGrowth edits large documents, of one line or of very many, in which what is linear takes a second or two.
func TestGrowth(t *testing.T) {
	const many = 60_000
	pods := func(open, pod, end string) string {
		const some = many / 4
		return open + strings.TrimSuffix(strings.Repeat(pod, some), ", ") + end
	}
	var volumes, keys strings.Builder
	for i := range many {
		fmt.Fprintf(&volumes, "- name: v%d\n  emptyDir: {}\n", i)
		fmt.Fprintf(&keys, `, "k%d": 1`, i)
	}
	for name, in := range map[string]string{
		"flow list on one line": pods("{kind: List, items: [", "{kind: Pod, é: ü, containers: [{name: c}]}, ", "]}\n"),
		"JSON list on one line": pods(`{"kind": "List", "items": [`, `{"kind": "Pod", "containers": [{"name": "c"}]}, `,
			"]}\n"),
		"JSON keys":  `{"containers": [{"name": "c"}]` + keys.String() + "}\n",
		"flow keys":  `{containers: [{name: c}]` + keys.String() + "}\n",
		"block list": "containers:\n- name: c\nvolumes:\n" + volumes.String(),
		"aliases":    "containers:\n- name: c\nvolumes:\n- &a v\n" + strings.Repeat("- *a\n", many),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			s := mustRead(t, input(in))
			for _, o := range s.Objects() {
				addToAll(o.Node().YNode())
				o.MarkEdited()
			}
			var out bytes.Buffer
			if err := s.Write(&out, nil); err != nil {
				t.Fatal(err)
			}
			if out.Len() < len(in)/2 {
				t.Errorf("wrote %d bytes of %d", out.Len(), len(in))
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// addToAll adds a field to each container, and an item to each list of volumes.
func addToAll(n *yaml.Node) {
	word := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: s} }
	if containers := yamlnode.Get(n, "containers"); containers != nil {
		for _, c := range containers.Content {
			c.Content = append(c.Content, word("new"), word("x"))
		}
	}
	if volumes := yamlnode.Get(n, "volumes"); volumes != nil {
		volumes.Content = append(volumes.Content, word("new"))
	}
	for _, child := range n.Content {
		addToAll(child)
	}
}

// TestDirectives: a document with more directives than any has is refused, for each tag is looked for among them.
func TestDirectives(t *testing.T) {
	var b strings.Builder
	for i := range maxDirectives + 1 {
		fmt.Fprintf(&b, "%%TAG !a%d! tag:x,2000:\n", i)
	}
	_, err := Read(input(b.String() + "---\na: 1\n"))
	if err == nil || !strings.Contains(err.Error(), "there are 101 directives") {
		t.Errorf("got error %v", err)
	}
}
