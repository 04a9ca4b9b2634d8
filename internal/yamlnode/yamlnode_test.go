package yamlnode

import (
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func parse(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return n.Content[0]
}

func TestGet(t *testing.T) {
	n := parse(t, "a: &x {b: [1, two], c: null, d: true}\ne: *x\n")
	if got := Text(Items(n, "a", "b")[1]); got != "two" {
		t.Errorf("a.b[1] is %q", got)
	}
	if !IsTrue(n, "e", "d") {
		t.Error("an alias is not read as what it stands for")
	}
	if Get(n, "a", "c") != nil || Get(n, "a", "z", "y") != nil || Get(nil, "a") != nil || Pairs(n, "a", "b") != nil {
		t.Error("something is found that is not there")
	}
	var paths []string
	for _, at := range Lookup(n, "a.b[]") {
		paths = append(paths, at.Path)
	}
	if got := strings.Join(paths, " "); got != "a.b[0] a.b[1]" {
		t.Errorf("paths are %s", got)
	}
}

// Ensure makes what is missing, and never overwrites what is of another kind.
func TestEnsure(t *testing.T) {
	for before, want := range map[string]string{
		"a: 1\nb: 2\n":        "a: 1\nlist:\n- x\nb: 2\n",
		"a: 1\nlist: null\n":  "a: 1\nlist:\n- x\n",
		"list: [] # none\n":   "list: # none\n- x\n",
		"list:\n- w\na: 1\n":  "list:\n- w\n- x\na: 1\n",
		"list: {b: 1}\n":      "",
		"list: text # kept\n": "",
	} {
		n := parse(t, before)
		list, err := Ensure(n, "list", yaml.SequenceNode, "a")
		if want == "" {
			if out, _ := yaml.String(n); err == nil || strings.TrimSpace(out) != strings.TrimSpace(before) {
				t.Errorf("%q became %q, error %v", before, out, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", before, err)
			continue
		}
		list.Content = append(list.Content, String("x"))
		if out, _ := yaml.String(n); out != want {
			t.Errorf("%q became %q, want %q", before, out, want)
		}
	}
}
