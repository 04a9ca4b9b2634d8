package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// TestAgain: trees come and go, and what is written is what it would be if all of them stayed.
func TestAgain(t *testing.T) {
	const many = 3*atOnce + 5
	var stream, items strings.Builder
	for i := range many {
		item := fmt.Sprintf("a: %d\nmetadata:\n  name: n\n  labels:\n    b: c # d\nlist:\n- e\n", i)
		if i%50 == 7 {
			item = fmt.Sprintf("a: &x %d\nb: *x\n", i) // which only the library reads
		}
		stream.WriteString("---\n" + item)
		if i%50 != 7 {
			items.WriteString("- " + strings.TrimSuffix(strings.ReplaceAll(item, "\n", "\n  "), "  "))
		}
	}
	results := fn.Results{{Message: "m", Severity: fn.Info}}
	for name, in := range map[string]string{
		"stream": stream.String(),
		"list":   resourceListOf(items.String()),
		// To these, results are added by writing the whole.
		"list with results": resourceListOf(items.String()) + "results:\n- message: earlier\n",
		// Of this one, the style does not show at once.
		"flat list": resourceListOf(strings.Repeat("- a: 1\n", many) + "- a:\n      b: 1\n"),
		"JSON":      strings.Repeat(`{"a": 1}`+"\n", many),
	} {
		t.Run(name, func(t *testing.T) {
			kept := func(o *Object) bool { return yamlnode.Text(o.Node().YNode(), "a") == "3" }
			s, err := ReadEach(func(*Set) func(*Object) bool { return kept }, Input{Name: "in", Data: []byte(in)})
			if err != nil {
				t.Fatal(err)
			}
			there := 0
			for _, o := range s.objects {
				if o.node != nil {
					there++
				}
			}
			whole := name == "flat list" || name == "JSON" // read in a way that needs all trees
			if whole != (there == len(s.objects)) || !whole && there > 8 {
				t.Errorf("%d of %d trees are there", there, len(s.objects))
			}
			edit := func(some []*Object) error {
				for i, o := range some {
					if i%3 == 0 {
						editAgain(o)
					}
				}
				return nil
			}
			if err := s.Again(s.objects, edit); err != nil {
				t.Fatal(err)
			}
			stays, err := Read(Input{Name: "in", Data: []byte(in)})
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range stays.objects {
				if i%atOnce%3 == 0 {
					editAgain(o)
				}
			}
			s.Restore()
			for i, o := range s.objects {
				if o.node == nil {
					t.Errorf("tree %d is gone", i)
				}
			}
			var got, want bytes.Buffer
			if err := s.Write(&got, results); err != nil {
				t.Fatal(err)
			}
			if err := stays.Write(&want, results); err != nil {
				t.Fatal(err)
			}
			if got.String() != want.String() {
				t.Errorf("-all stay +come and go:\n%s", cmp.Diff(want.String(), got.String()))
			}
		})
	}
}

// editAgain changes an object, and adds something that wants quotes.
func editAgain(o *Object) {
	n := o.Node().YNode()
	n.Content[1].Value += "0"
	yamlnode.Set(n, "new", yamlnode.Sequence(yamlnode.String("yes"), &yaml.Node{Kind: yaml.ScalarNode, Value: "no"}))
	o.MarkEdited()
}
