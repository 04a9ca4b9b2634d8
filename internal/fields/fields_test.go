package fields

import (
	"slices"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func TestReader(t *testing.T) {
	read := func(r *Reader, n *yaml.Node) {
		r.Mapping(n, "", []Field{
			{Name: "text", Read: func(n *yaml.Node, path string) { r.String(n, path) }},
			{Name: "number", Read: func(n *yaml.Node, path string) { r.Int(n, path) }},
			{Name: "switch", Read: func(n *yaml.Node, path string) { r.Bool(n, path) }},
			{Name: "list", Read: func(n *yaml.Node, path string) { r.Strings(n, path) }},
			{Name: "open", Read: func(n *yaml.Node, path string) {
				r.OpenMapping(n, path,
					[]Field{{Name: "Cmd", Required: true, Read: func(n *yaml.Node, path string) { r.Strings(n, path) }}})
			}},
		})
	}
	tests := map[string]struct{ in, want string }{
		"all good":         {"text: a\nnumber: 1\nswitch: true\nlist: [a, b]\nopen: {Cmd: [a], Other: 1}", ""},
		"nulls":            {"text:\nnumber: null\nswitch: ~\nlist:\nopen:", ""},
		"alias":            {"text: &a x\nlist: [*a]", ""},
		"date is a string": {"text: 2020-01-02", ""},
		"bool for string":  {"text: true", `text: want a string, got the boolean "true"; put it in quotes`},
		"int for string":   {"text: 8", `text: want a string, got the integer "8"; put it in quotes`},
		"float for string": {"text: 1.5", `text: want a string, got the number "1.5"; put it in quotes`},
		"list for string":  {"text: []", `text: want a string, got a list`},
		"binary":           {"text: !!binary aGk=", `text: want a string, got the binary "aGk="; put it in quotes`},
		"string for int":   {"number: '1'", `number: want an integer, got the string "1"; write it without quotes`},
		"word for int":     {"number: one", `number: want an integer, got the string "one"`},
		"huge int": {"number: 99999999999999999999",
			`number: want an integer, got the number "99999999999999999999"`},
		"string for bool": {"switch: 'true'",
			`switch: want true or false, got the string "true"; write it without quotes`},
		"yes for bool":    {"switch: yes", `switch: want true or false, got the string "yes"`},
		"string for list": {"list: a", `list: want a list of strings, got the string "a"`},
		"element": {"list: [a, 1, null]", "list[1]: want a string, got the integer \"1\"; put it in quotes\n" +
			"list[2]: want a string, got null"},
		"unknown":          {"zzz: 1", `zzz: unknown field; known are text, number, switch, list, open`},
		"near miss":        {"Lists: 1", `Lists: unknown field, did you mean list?`},
		"twice":            {"text: a\ntext: b", `text: is given twice`},
		"merge key":        {"<<: {text: a}", `["<<"]: merge keys (<<) are not supported here; write the fields out`},
		"odd key":          {"a b/c: 1", `["a b/c"]: unknown field; known are text, number, switch, list, open`},
		"key is no scalar": {"? [a]\n: b", `a field's name must be a string, got a list`},
		"no mapping":       {"[a]", `want a mapping, got a list`},
		"case in open":     {"open: {cmd: [a], Cmd: [b]}", `open.cmd: case matters in field names: write Cmd`},
		"near in open":     {"open: {Cmds: [a], Cmd: [b]}", `open.Cmds: unknown field, did you mean Cmd?`},
		"missing":          {"open: {Cmd: }", `open.Cmd: is missing`},
		"all, document order": {"switch: 1\nfoobar: 1\ntext: 2", "switch: want true or false, got the integer \"1\"\n" +
			"foobar: unknown field; known are text, number, switch, list, open\ntext: want a string, got the integer \"2\"; " +
			"put it in quotes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var n yaml.Node
			if err := yaml.Unmarshal([]byte(test.in), &n); err != nil {
				t.Fatal(err)
			}
			r := &Reader{}
			read(r, &n)
			got := ""
			if err := r.Err(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	settings := []string{"layouts", "archives", "imageConfigs", "probeTimeout", "replicas"}
	runtimes := []string{"go", "golang", "jvm", "java", "nodejs", "node", "npm", "python", "netcore", "dotnet", ".net"}
	for _, test := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"layout", settings, "layouts"},
		{"probe-timeout", settings, "probeTimeout"},
		{"image_configs", settings, "imageConfigs"},
		{"replica", settings, "replicas"},
		{"something", settings, ""},
		{"", settings, ""},
		{"pyton", runtimes, "python"},
		{"nodjs", runtimes, "nodejs"},
		{"jaba", runtimes, "java"},
		{"net", runtimes, ".net"},
		{"ruby", runtimes, ""},
		{"rust", runtimes, ""},
		{"php", runtimes, ""},
	} {
		if got := Nearest(test.word, test.candidates); got != test.want {
			t.Errorf("Nearest(%q) = %q, want %q", test.word, got, test.want)
		}
	}
}

// TestReaderBounds: what a file holds itself is not too much, however much it is; what aliases make of little is.
func TestReaderBounds(t *testing.T) {
	word := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "x"}
	list := func(items ...*yaml.Node) *yaml.Node { return &yaml.Node{Kind: yaml.SequenceNode, Content: items} }
	var lists []*yaml.Node
	for range 3000 {
		lists = append(lists, list(slices.Repeat([]*yaml.Node{word}, 500)...))
	}
	read := func(n *yaml.Node) (values int, err error) {
		r := &Reader{}
		r.Items(n, "", func(n *yaml.Node, path string) {
			words, _ := r.Strings(n, path)
			values += len(words)
		})
		return values, r.Err()
	}
	if values, err := read(list(lists...)); err != nil || values != 3000*500 {
		t.Errorf("got %d values, error %v", values, err)
	}
	alias := &yaml.Node{Kind: yaml.AliasNode, Alias: lists[0]}
	if values, err := read(list(slices.Repeat([]*yaml.Node{alias}, 1_000_000)...)); err == nil ||
		values > maxRepeated+1000 {
		t.Errorf("got %d values, error %v", values, err)
	}
}
