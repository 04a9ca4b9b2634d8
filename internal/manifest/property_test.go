package manifest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// seed adds everything that the table tests read, and real manifests.
func seed(f *testing.F) {
	for _, test := range untouched {
		f.Add([]byte(test.in))
	}
	for _, in := range []string{
		"apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n" +
			"        args: [\"x\"]\n      # c\n      - name: b\n        command:\n          - sh\n",
		"a: &x\n  b: &y [1]\n  c: *y\nd:\n- <<: *x\n  e: |2-\n     f\n  # g\n\n...\n# h\n",
		"? a\n: - b\n  -\n  - - c\n    # d\n    - e:   # f\n        g\n",
		"\"a\\\n  b\": 'c''d\n\n  e' # f\nx: !!str 1\ny: !z {}\n",
		"metadata:\n  annotations: {}\n---\n{\"metadata\": {\"annotations\": null}}\n",
		"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- a: &x [1]\n  # b\n- b: *x\n- {c: d}\nresults:\n" +
			"  - message: |\n      e\n    # f\n",
		"{0}", // a null that the library cannot write
		aliasBomb(3), mergeBomb(3),
	} {
		f.Add([]byte(in))
	}
	f.Add([]byte(mixed))
	f.Add([]byte(mixedFlow))
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
		checkReadsBack(t, s, out.Bytes())
	})
}

// checkReadsBack reads what was written of s: the same objects.
func checkReadsBack(t *testing.T, s *Set, written []byte) {
	t.Helper()
	again, err := Read(Input{Name: "again", Data: written})
	if err != nil {
		t.Fatalf("%v\n%q", err, written)
	}
	if len(again.objects) != len(s.objects) {
		t.Fatalf("%d objects of %d come out: %q", len(again.objects), len(s.objects), written)
	}
	for i, o := range again.objects {
		if !sameTree(o.node.YNode(), s.objects[i].node.YNode()) {
			t.Fatalf("object %d changed: %q", i, written)
		}
	}
}

// FuzzJoin: two inputs become one stream of the same objects.
func FuzzJoin(f *testing.F) {
	var all []string
	for _, test := range untouched {
		all = append(all, test.in)
	}
	slices.Sort(all)
	for i, in := range all {
		f.Add([]byte(in), []byte(all[(i+7)%len(all)]))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, err := Read(Input{Name: "a", Data: a}, Input{Name: "b", Data: b})
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := s.Write(&out, nil); err != nil {
			t.Fatal(err)
		}
		checkReadsBack(t, s, out.Bytes())
	})
}

// FuzzEdit: an annotation added to one document is all that changes.
func FuzzEdit(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(Input{Name: "in", Data: data})
		if err != nil {
			return
		}
		if s.Function {
			checkEditedItems(t, s)
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
		if v := yamlnode.Get(to, key); v != nil && v.Kind == yaml.MappingNode {
			to = v
		}
	}
	if yamlnode.Get(to, "marker") != nil {
		return
	}
	to.Content = append(to.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "marker"},
		&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq",
			Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "5"}}})
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

// checkEditedItems changes every item of a ResourceList.
func checkEditedItems(t *testing.T, s *Set) {
	for _, o := range s.objects {
		root := o.node.YNode()
		root.Content = slices.Insert(root.Content, 0,
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "marker of an item"},
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "5"})
		o.MarkEdited()
	}
	var out bytes.Buffer
	if err := s.Write(&out, fn.Results{{Message: "m"}}); err != nil {
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

// mixed is a document in several styles at once, with comments in unusual places.
const mixed = `apiVersion: apps/v1
kind: Deployment
metadata: {name: mixed,   labels: {a: b}}
spec:
  replicas: 3   # three
  template:
    spec:
      volumes:
        - name: a
          emptyDir: {}
        # - name: b

      containers:
      # the web
      - image: web   # image
        name: web
        args:
          - "--long
            string"
          - 'x'
          # - y
          - |
            # not a comment
            echo $(VAR)
            # nor this
          -   z
        command: ["/bin/sh", "-c"]
        # probes
        livenessProbe:
            httpGet: {path: /,   port: 80}
            timeoutSeconds: 1


      # second
      - image: b

        name: b
        env:
        -
          name: A
          value: >-
            folded

            text
        - name: "B"
          value: 'it''s'   # quoted
        resources: {}
      nodeSelector:
        # head
        a: "1"
        # foot

# end
`

// mixedFlow is mixed in flow style, over several lines and with comments.
const mixedFlow = `{apiVersion: apps/v1, "kind":Deployment,   # kind
  metadata: {name: flow,   labels: {a: b,},}, spec: {
    replicas: 3   # three
    , template: {
      # the pod
      spec: { containers: [
        # the web
        {image: example.com/web:v1, name: web, args: ["--long
            string", 'it''s ]', don't, x # y
        ], command: [
          /bin/sh,   # shell
          "-c"  ,
          # more
        ]},

        # second
        {
          image: b,
          env: [{name: A, value: }, {name: "#B}", value: 'c'}]
        }
      ], nodeSelector: {
        # head
        a: "1"
        # foot
      }, volumes: [] } } } }
`

// TestSpliceFlow makes random edits to flow collections. Those that only add and replace scalars can be made in place.
func TestSpliceFlow(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	spliced := 0
	const rounds = 1000
	for _, text := range []string{mixedFlow, "x:\n  y: " + strings.ReplaceAll(mixedFlow, "\n", "\r\n    ") + "\r\n"} {
		for range rounds {
			orig, p := parseYAML([]byte(text))
			if p != nil {
				t.Fatal(p)
			}
			edited, _ := parseYAML([]byte(text))
			for range 1 + rng.IntN(3) {
				randomEdit(rng, edited.Content[0])
			}
			if out, ok := splice([]byte(text), orig.Content[0], edited.Content[0], defaultStyle.of(orig.Content[0], true)); ok {
				spliced++
				if !readsAs(out, edited.Content[0]) {
					t.Errorf("%q is read as something else", out)
				}
			}
		}
	}
	// Most of the others remove something, or put something else in the place of a collection.
	if spliced < 2*rounds/3 {
		t.Errorf("only %d of %d edits were made in place", spliced, 2*rounds)
	}
}

// TestPlainLines compares what is written without the library's emitter with what the emitter writes.
func TestPlainLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const alphabet = "ab05-+._:/ #,[]{}&*!|>'\"%@`?=<~$\\\té\n"
	words := []string{"", "x", "true", "null", "~", "no", "5", "0x1F", "1e3", "1_000", "<<", "---", "...", "--- x",
		"--a=b", "-", "- x", "2020-01-02",
		".5", ".inf", "a: b", "it's: 'b'", "x& y: z #", "a:", "a #b", "a#b", "# a", "key", "docker.io/a/b:c@sha256:0",
		"$(VAR)", " a", "a ", "=", "::",
		"\u0085", "\u2028"}
	text := func() string {
		if rng.IntN(2) == 0 {
			return words[rng.IntN(len(words))]
		}
		letters := []rune(alphabet)
		var s strings.Builder
		for range rng.IntN(6) {
			s.WriteRune(letters[rng.IntN(len(letters))])
		}
		return s.String()
	}
	scalar := func() *yaml.Node {
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: text()}
		n.Tag = []string{"", "!!str", "!!str", "!!str", "!!int", "!!bool", "!!null", "!!float", "!!timestamp",
			"!x"}[rng.IntN(10)]
		n.Style = []yaml.Style{0, 0, 0, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle,
			yaml.FoldedStyle}[rng.IntN(7)]
		return n
	}
	var node func(depth int) *yaml.Node
	node = func(depth int) *yaml.Node {
		n := &yaml.Node{Kind: yaml.MappingNode}
		switch kind := rng.IntN(4); {
		case depth == 0 || kind == 0:
			for {
				// Mostly what can be written without the emitter: a tree with one other scalar cannot.
				n = scalar()
				if _, ok := scalarText(n); ok || rng.IntN(10) == 0 {
					return n
				}
			}
		case kind == 1:
			n.Kind = yaml.SequenceNode
		}
		if rng.IntN(20) == 0 {
			n.Style = yaml.FlowStyle
		}
		for range rng.IntN(4) {
			if n.Kind == yaml.MappingNode {
				n.Content = append(n.Content,
					&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: fmt.Sprintf("k%d", rng.IntN(1000))})
			}
			n.Content = append(n.Content, node(depth-1))
		}
		return n
	}
	written := 0
	for range 30_000 {
		n := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{node(rng.IntN(4))}}
		if rng.IntN(2) == 0 {
			n = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(), node(rng.IntN(4))}}
		}
		st := style{indent: 2 + rng.IntN(3), compact: rng.IntN(2) == 0}
		lines, ok := st.plainLines(n)
		if !ok {
			continue
		}
		written++
		out, err := st.marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lines, "\n") + "\n"; got != string(out) {
			t.Fatalf("%+v: got\n%s\nwant\n%s", st, got, out)
		}
	}
	if written < 5000 {
		t.Errorf("only %d trees were written", written)
	}
}

// TestSplice makes random edits, one after the other, all of which can be made without touching other lines.
func TestSplice(t *testing.T) {
	boutique, err := os.ReadFile(onlineBoutique)
	if err != nil {
		t.Fatal(err)
	}
	var texts [][]byte
	for _, c := range splitInput(Input{Data: boutique}) {
		texts = append(texts, c.body)
	}
	texts = append(texts, []byte(mixed), []byte(strings.ReplaceAll(mixed, "\n", "\r\n")))
	rng := rand.New(rand.NewPCG(1, 2))
	for _, text := range texts {
		for range 30 {
			orig, p := parseYAML(text)
			if p != nil {
				t.Fatal(p)
			}
			edited, _ := parseYAML(text)
			what := ""
			for range 1 + rng.IntN(4) {
				what += randomEdit(rng, edited.Content[0]) + "; "
			}
			if len(edited.Content[0].Content) == 0 {
				continue
			}
			out, ok := splice(text, orig.Content[0], edited.Content[0], defaultStyle.of(orig.Content[0], true))
			if !ok {
				t.Errorf("%s: not spliced into\n%s", what, text)
				continue
			}
			if bytes.Count(out, []byte("\r\n")) > 0 && bytes.Count(out, []byte("\r\n")) != bytes.Count(out, []byte("\n")) {
				t.Errorf("%s: mixed line breaks in %q", what, out)
			}
		}
	}
}

// randomEdit changes something somewhere in root and says what.
func randomEdit(rng *rand.Rand, root *yaml.Node) string {
	n := root
	for n.Kind != yaml.ScalarNode && len(n.Content) > 0 && rng.IntN(4) > 0 {
		if n.Kind == yaml.MappingNode {
			n = n.Content[2*rng.IntN(len(n.Content)/2)+1]
		} else {
			n = n.Content[rng.IntN(len(n.Content))]
		}
	}
	scalar := func() *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str",
			Value: []string{"x", "it's: #", "", "a\nb\n", "5", "- x"}[rng.IntN(6)]}
	}
	fresh := scalar()
	switch rng.IntN(4) {
	case 0:
		fresh = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{scalar()}}
	case 1:
		fresh = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{scalar(), scalar()}}
	}
	where := fmt.Sprintf("line %d", n.Line)
	switch n.Kind {
	case yaml.ScalarNode:
		*n = *fresh
		return where + " replaced"
	case yaml.MappingNode:
		if rng.IntN(2) == 0 && len(n.Content) > 0 {
			at := 2 * rng.IntN(len(n.Content)/2)
			n.Content = append(n.Content[:at:at], n.Content[at+2:]...)
			return fmt.Sprintf("%s without entry %d", where, at/2)
		}
		at := 2 * rng.IntN(len(n.Content)/2+1)
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: fmt.Sprintf("new%d", rng.IntN(1000))}
		n.Content = slices.Insert(n.Content, at, key, fresh)
		return fmt.Sprintf("%s with entry %d", where, at/2)
	default:
		if rng.IntN(2) == 0 && len(n.Content) > 0 {
			at := rng.IntN(len(n.Content))
			n.Content = append(n.Content[:at:at], n.Content[at+1:]...)
			return fmt.Sprintf("%s without item %d", where, at)
		}
		at := rng.IntN(len(n.Content) + 1)
		n.Content = slices.Insert(n.Content, at, fresh)
		return fmt.Sprintf("%s with item %d", where, at)
	}
}

// TestBlockTextAnywhere changes random pieces of random block scalars.
func TestBlockTextAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	random := func(alphabet string, most int) string {
		letters := []rune(alphabet)
		var s strings.Builder
		for range rng.IntN(most) {
			s.WriteRune(letters[rng.IntN(len(letters))])
		}
		return s.String()
	}
	changed := 0
	for range 20_000 {
		header := []string{"|", ">", "|-", ">-", "|+", ">+", ">2", "|2-", "> # c"}[rng.IntN(9)]
		text := "a: " + header + "\n  " + strings.ReplaceAll(random("abé #\n\n ", 20), "\n", "\n  ") + "\nb: 1\n"
		orig, p := parseYAML([]byte(text))
		if p != nil || orig.Content[0].Kind != yaml.MappingNode {
			continue
		}
		edited := copyTree(orig.Content[0], asIs)
		v := yamlnode.Get(edited, "a")
		from := rng.IntN(len(v.Value) + 1)
		to := from + rng.IntN(len(v.Value)-from+1)
		v.Value = strings.ToValidUTF8(v.Value[:from]+random("ab \n#", 4)+v.Value[to:], "")
		if out, ok := splice([]byte(text), orig.Content[0], edited, defaultStyle.of(orig.Content[0], true)); ok {
			changed++
			if !readsAs(out, edited) {
				t.Fatalf("%q from %q", out, text)
			}
		}
	}
	if changed < 10_000 {
		t.Errorf("only %d texts were changed in place", changed)
	}
}
