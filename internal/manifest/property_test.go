package manifest

import (
	"bytes"
	"os"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// seed adds everything that the table tests read, and real manifests.
func seed(f *testing.F) {
	for _, test := range untouched {
		f.Add([]byte(test.in))
	}
	for _, in := range []string{
		"apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        args: [\"x\"]\n      # c\n      - name: b\n        command:\n          - sh\n",
		"a: &x\n  b: &y [1]\n  c: *y\nd:\n- <<: *x\n  e: |2-\n     f\n  # g\n\n...\n# h\n",
		"? a\n: - b\n  -\n  - - c\n    # d\n    - e:   # f\n        g\n",
		"\"a\\\n  b\": 'c''d\n\n  e' # f\nx: !!str 1\ny: !z {}\n",
		"metadata:\n  annotations: {}\n---\n{\"metadata\": {\"annotations\": null}}\n",
		aliasBomb(3), mergeBomb(3),
	} {
		f.Add([]byte(in))
	}
	data, err := os.ReadFile(onlineBoutique)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:min(len(data), 6000)])
}

// FuzzRead: whatever Read accepts comes out as it went in.
func FuzzRead(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var all []byte
		for _, c := range splitInput(Input{Data: data}) {
			all = append(append(append(all, c.head...), c.body...), c.tail...)
		}
		if !bytes.Equal(all, data) {
			t.Fatalf("the chunks hold %q", all)
		}
		s, err := Read(Input{Name: "in", Data: data})
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := s.Write(&out, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Fatalf("%q comes out", out.Bytes())
		}
		if !s.Function {
			return
		}
		// Results can always be added to a ResourceList, and change nothing else in it.
		out.Reset()
		if err := s.Write(&out, fn.Results{{Message: "m", Severity: fn.Error}}); err != nil {
			t.Fatal(err)
		}
		again, err := Read(Input{Name: "again", Data: out.Bytes()})
		if err != nil {
			t.Fatalf("%v\n%s", err, out.Bytes())
		}
		if len(again.objects) != len(s.objects) {
			t.Fatalf("%d objects of %d come out:\n%s", len(again.objects), len(s.objects), out.Bytes())
		}
		for i, o := range again.objects {
			if !sameTree(o.node.YNode(), s.objects[i].node.YNode()) {
				t.Fatalf("object %d changed:\n%s", i, out.Bytes())
			}
		}
	})
}

// FuzzEdit: an annotation added to one document is all that changes.
func FuzzEdit(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(Input{Name: "in", Data: data})
		if err != nil || s.Function {
			return
		}
		for i := range s.objects {
			checkEdit(t, data, i)
		}
	})
}

// checkEdit annotates object number i of the stream in data.
func checkEdit(t *testing.T, data []byte, i int) {
	s := mustRead(t, Input{Name: "in", Data: data})
	o := s.objects[i]
	root := o.node.YNode()
	// Whatever is there instead of metadata and annotations stays; then the marker is an entry of the root.
	to := root
	for _, key := range []string{"metadata", "annotations"} {
		if v := get(to, key); v != nil && v.Kind == yaml.MappingNode {
			to = v
		}
	}
	if get(to, "marker") != nil {
		return
	}
	to.Content = append(to.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "marker"},
		&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "5"}}})
	o.MarkEdited()
	var out bytes.Buffer
	if err := s.Write(&out, nil); err != nil {
		t.Fatalf("object %d: %v", i, err)
	}
	var before, after []byte
	seen := false
	for _, c := range s.inputs[0] {
		if c == o.chunk {
			before = append(before, c.head...)
			after = append(after, c.tail...)
			seen = true
			continue
		}
		raw := bytes.Join([][]byte{c.head, c.body, c.tail}, nil)
		if seen {
			after = append(after, raw...)
		} else {
			before = append(before, raw...)
		}
	}
	if !bytes.HasPrefix(out.Bytes(), before) || !bytes.HasSuffix(out.Bytes()[len(before):], after) {
		t.Fatalf("object %d: unedited documents changed:\n%s", i, out.Bytes())
	}
	again, err := Read(Input{Name: "again", Data: out.Bytes()})
	if err != nil {
		t.Fatalf("object %d: %v\n%s", i, err, out.Bytes())
	}
	if len(again.objects) != len(s.objects) {
		t.Fatalf("object %d: %d objects of %d come out:\n%s", i, len(again.objects), len(s.objects), out.Bytes())
	}
	for j, a := range again.objects {
		if !sameTree(a.node.YNode(), s.objects[j].node.YNode()) {
			t.Fatalf("object %d: object %d is read as something else:\n%s", i, j, out.Bytes())
		}
	}
}

// TestMarkerInEveryDocument is FuzzEdit's property on real manifests.
func TestMarkerInEveryDocument(t *testing.T) {
	data, err := os.ReadFile(onlineBoutique)
	if err != nil {
		t.Fatal(err)
	}
	n := len(mustRead(t, Input{Data: data}).objects)
	if n < 30 {
		t.Fatalf("only %d objects", n)
	}
	for i := range n {
		checkEdit(t, data, i)
	}
}
