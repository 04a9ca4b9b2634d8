package manifest

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// goldenFiles returns the files in the scripts below testdata that hold manifests.
func goldenFiles(tb testing.TB) map[string]string {
	tb.Helper()
	files := map[string]string{}
	err := filepath.WalkDir("../../testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for i, text := range strings.Split("\n"+string(data), "\n-- ")[1:] {
			if name, text, _ := strings.Cut(text, "\n"); strings.Contains(text, "kind:") {
				files[fmt.Sprintf("%s#%d %s", path, i, name)] = text
			}
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// asItems makes a ResourceList of documents, with items that are indented by some blanks.
func asItems(docs []string, indent string) string {
	var b strings.Builder
	for _, doc := range docs {
		for i, line := range strings.Split(strings.Trim(doc, "\n"), "\n") {
			switch {
			case i == 0:
				line = indent + "- " + line
			case line != "":
				line = indent + "  " + line
			}
			b.WriteString(line + "\n")
		}
	}
	return resourceListOf(b.String())
}

// compareItems reads a ResourceList item by item and as a whole, and edits and writes both.
func compareItems(t *testing.T, text string) (cut bool) {
	t.Helper()
	in := Input{Name: "in", Data: []byte(text)}
	if checkEncoding(in) != nil {
		return false
	}
	for _, c := range splitInput(in) {
		if !c.openItems() || c.eachItem(func(int, *chunk) {}) != nil {
			continue
		}
		cut = true
		doc, p := parseYAML(c.body)
		if p != nil || doc == nil {
			t.Errorf("%q: the library: %v", c.body, p)
			continue
		}
		root := doc.Content[0]
		if aliases, p := check(root, c.line-1); p != nil || aliases {
			t.Errorf("%q: aliases %t, %v", c.body, aliases, p)
		}
		if !reflect.DeepEqual(root, c.tree) {
			t.Errorf("%q: -whole +items:\n%s", c.body, cmp.Diff(root, c.tree))
			continue
		}
		whole := *c
		whole.items, whole.tree, whole.expanded, whole.orig = nil, root, root, snapshot(root, c.line-1)
		for i, item := range c.items.chunks {
			if i%3 != 1 {
				item.edited, whole.edited = true, true
				editItem(item.tree.Content[0], i)
				editItem(yamlnode.Get(root, "items").Content[i], i)
			}
		}
		one := &fn.Result{Message: "container c: it's all \"right\"", Severity: fn.Info}
		for _, results := range []fn.Results{nil, {one}, slices.Repeat(fn.Results{one}, 2*atOnce+1)} {
			asWhole, err := withResults(root, results)
			if err != nil {
				t.Fatal(err)
			}
			if results == nil {
				asWhole = root
			}
			ours, ok := c.emitItems(results)
			theirs, err := whole.emit(asWhole)
			if ok && (err != nil || !bytes.Equal(ours, theirs)) {
				t.Errorf("of %q: -whole +items: %v\n%s", c.body, err, cmp.Diff(string(theirs), string(ours)))
			}
		}
	}
	return cut
}

// editItem changes an object as the program does: something in it and something new.
func editItem(n *yaml.Node, i int) {
	r := yaml.NewRNode(n)
	_ = r.PipeE(yaml.SetAnnotation("example.com/marker", fmt.Sprintf("[%d]", i)))
	_ = r.PipeE(yaml.LookupCreate(yaml.SequenceNode, "spec", "template", "spec", "initContainers"),
		yaml.Append(yaml.NewMapRNode(&map[string]string{"name": "new"}).YNode()))
	if i%2 == 0 {
		_ = r.PipeE(yaml.Lookup("spec"), yaml.SetField("replicas", yaml.NewScalarRNode("1")))
	}
}

func TestItemsAsTheWhole(t *testing.T) {
	cut := 0
	var docs []string
	files := goldenFiles(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		t.Run(name, func(t *testing.T) {
			if compareItems(t, text) {
				cut++
			}
		})
		for _, doc := range strings.Split(text, "\n---\n") {
			if !strings.Contains(doc, "ResourceList") {
				docs = append(docs, doc)
			}
		}
	}
	t.Logf("%d ResourceLists of the scripts are read item by item, of %d documents", cut, len(docs))
	r := rand.New(rand.NewPCG(1, 2))
	odd := []string{"# c\n", "  # c\n", "\n", "    # c\n", "- x\n", "x: |\n", " ", "&a ", "*a", "'", "\"", "[", "]", "{",
		"# c", "items:\n", "  - ", "functionConfig:\n  a: b\n", ">\n", "|+\n"}
	tries := 0
	for range 2000 {
		some := make([]string, 1+r.IntN(4))
		for i := range some {
			some[i] = docs[r.IntN(len(docs))]
		}
		text := asItems(some, strings.Repeat(" ", r.IntN(3)))
		for range r.IntN(3) {
			at := r.IntN(len(text) + 1)
			if r.IntN(4) > 0 {
				at = strings.LastIndexByte(text[:at], '\n') + 1
			}
			text = text[:at] + odd[r.IntN(len(odd))] + text[at:]
		}
		if len(text) < 3000 && compareItems(t, text) {
			tries++
		}
		if t.Failed() {
			break
		}
	}
	if t.Logf("%d random ResourceLists are read item by item", tries); cut == 0 || tries < 500 {
		t.Error("next to nothing was compared")
	}
}

// TestItemsThatEndWithComments: whose a comment is shows in what follows; at the end of the list, in all of it.
func TestItemsThatEndWithComments(t *testing.T) {
	for end, want := range map[string]bool{
		"":                               false,
		"functionConfig: {}\n":           false,
		"- a: 3\n":                       true,
		"\n- a: 3\nfunctionConfig: {}\n": true,
	} {
		text := resourceListOf("- a: 1\n  # one\n- a: 2\n  # two\n" + end)
		if got := compareItems(t, text); got != want {
			t.Errorf("%q is read item by item: %t, want %t", text, got, want)
		}
	}
}

func resourceListOf(items string) string {
	return "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" + items
}
