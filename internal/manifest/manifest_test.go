package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

const onlineBoutique = "../../testdata/realworld/online-boutique.yaml"

func mustRead(t testing.TB, inputs ...Input) *Set {
	t.Helper()
	s, err := Read(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func input(data string) Input { return Input{Name: "in.yaml", Data: []byte(data)} }

func written(t testing.TB, s *Set, results ...*fn.Result) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.Write(&out, results); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func wantText(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s\n(%q)\n(%q)", got, want, got, want)
	}
}

// untouched are inputs that Read accepts, with the number of objects in them. They also seed the fuzz tests.
var untouched = map[string]struct {
	in      string
	objects int
}{
	"one document":                 {"a: 1\n", 1},
	"no final newline":             {"a: 1", 1},
	"two documents":                {"a: 1\n---\nb: 2\n", 2},
	"leading and trailing markers": {"---\na: 1\n---\n", 1},
	"comment on the separator":     {"a: 1\n--- # next\nb: 2\n", 2},
	"tag on the separator":         {"--- !!map\na: 1\n--- !!map # c\nb: 2\n", 2},
	"anchor on the separator":      {"--- &x\na: 1\n", 1},
	"flow on the separator":        {"--- {a: 1}\n--- {\"b\": 2}\n", 2},
	"terminators":                  {"a: 1\n...\n---\nb: 2\n...\n", 2},
	"bare document behind ...":     {"a: 1\n...\nb: 2\n", 2},
	"only terminators":             {"...\n...\na: 1\n", 1},
	"directive":                    {"%YAML 1.2\n---\na: 1\n...\n%YAML 1.1\n# c\n---\nb: 2\n", 2},
	"directive, flow on ---":       {"%YAML 1.2\n# c\n--- {a: 1}\n", 1},
	"directive, JSON on ---":       {"%YAML 1.2\n# c\n--- {\"a\": 1}\n", 1},
	"tag directive":                {"%TAG !e! tag:example.com,2000:\n---\na: !e!x 1\n", 1},
	"comments all over": {"# top\n\n---\n# head\na: 1 # line\n  # in\n# foot\n\n---\n# alone\n---\n\n# last\n" +
		"b: 2\n# end\n", 2},
	"only comments":              {"# nothing\n\n# here\n", 0},
	"empty documents":            {"---\n---\n---\n", 0},
	"null documents":             {"--- null\n---\n~\n---\nnull # c\n", 0},
	"CRLF":                       {"# c\r\na: 1\r\n---\r\nb: |\r\n  x\r\n  ---\r\n", 2},
	"CR":                         {"a: 1\r---\rb: 2\r", 2},
	"mixed line breaks":          {"a: 1\r\nb: 2\nc: 3\r\n", 1},
	"byte order mark":            {"\ufeffa: 1\n---\nb: 1\n", 2},
	"byte order mark and marker": {"\ufeff---\na: 1\n", 1},
	"byte order mark between":    {"a: 1\n...\n\ufeff---\nb: 1\n", 2},
	"Helm": {"---\n# Source: chart/templates/a.yaml\na: 1\n---\n" +
		"# Source: chart/templates/b.yaml\n---\n# Source: chart/templates/c.yaml\n\nb: 2\n", 2},
	"indented marker in literal":  {"a: |\n  ---\n  b: 2\n  ...\nc: 3\n", 1},
	"indented marker in quotes":   {"a: \"x\n  ---\n  y\"\n", 1},
	"marker ends a block scalar":  {"a: |\n  x\n---\nb: 2\n", 2},
	"dashes that are no marker":   {"a: 1\n---b: 2\n....: 3\n", 1},
	"literal that keeps newlines": {"a: |+\n  x\n\n\n---\nb: >2+\n   x\n\n# c\n", 2},
	"comment-like literal":        {"a: |\n  x\n  # y\n# z\n", 1},
	"quoted scalar in column 0":   {"a: \"x\n# y\"\n", 1},
	"tabs":                        {"a:\t1\t# c\n\nb: 2\n", 1},
	"flow YAML":                   {"{a: 1, b: [2]}\n---\n{\n  a: 1 # c\n}\n", 2},
	"anchors":                     {"a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 1}\n", 1},
	"JSON":                        {"{\"a\": 1}\n", 1},
	"JSON without newline":        {"{\"a\":1}", 1},
	"JSON lines":                  {"{\"a\":1}\n{\"b\":2}\n\n {\"c\":3} {\"d\":4}\n", 4},
	"indented JSON values":        {"{\n  \"a\": 1\n}\n{\n  \"b\": [\n    2\n  ]\n}\n", 2},
	"JSON in a stream": {"# c\n{\"a\": 1}\n---\nb: 2\n---\n# Source: x\n{\"c\": \"\\ud83d\\ude00\"}\n# end\n",
		3},
	"JSON with tabs and CRLF": {"{\r\n\t\"a\": 1\r\n}\r\n", 1},
	"JSON null":               {"{\"a\":1}\n---\nnull\n", 1},
	"List":                    {"apiVersion: v1\nkind: List\nitems:\n- a: 1\n- b: 2\n", 1},
	"ResourceList": {"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- a: 1\n# c\n" +
		"- b: 'x'\n", 2},
	"ResourceList JSON": {`{"kind":"ResourceList","apiVersion":"config.kubernetes.io/v1","items":[{"a":1}]}`,
		1},
	"ResourceList without items":   {"apiVersion: config.kubernetes.io/v1beta1\nkind: ResourceList\n", 0},
	"ResourceList with null items": {"apiVersion: config.kubernetes.io/v1beta1\nkind: ResourceList\nitems:\n", 0},
	"ResourceList of others":       {"apiVersion: example.com/v1\nkind: ResourceList\n---\na: 1\n", 2},
	"ResourceList with separators": {"---\n# c\napiVersion: config.kubernetes.io/v1\nkind: ResourceList\n" +
		"items: [{a: 1}]\n---\n", 1},
	"merge key that is a string": {"'<<': 1\n", 1},
	"unusual line breaks":        {"a: \"x\u2028y\u0085z\"\n", 1},
	"empty scalar key":           {"? a\n: 1\n? b\n", 1},
}

func TestUntouchedBytes(t *testing.T) {
	for name, test := range untouched {
		t.Run(name, func(t *testing.T) {
			s := mustRead(t, input(test.in))
			if got := len(s.Objects()); got != test.objects {
				t.Errorf("%d objects, want %d", got, test.objects)
			}
			wantText(t, written(t, s), test.in)
			wantText(t, written(t, s), test.in)
		})
	}
}

func TestChunksAreTheInput(t *testing.T) {
	for name, test := range untouched {
		var all []byte
		for _, c := range splitInput(input(test.in)) {
			all = append(append(append(all, c.head...), c.body...), c.tail...)
		}
		if string(all) != test.in {
			t.Errorf("%s: chunks hold %q, want %q", name, all, test.in)
		}
	}
}

func TestErrors(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"empty":     {"", "reading in.yaml: the input is empty"},
		"blank":     {" \n\n", "reading in.yaml: the input is empty"},
		"malformed": {"a: 1\n---\nb: 2\nc: [\n", "in.yaml, document 2, line "},
		"template in lines": {"a: 1\n{{- if .x }}\nb: 2\n",
			"line 2: malformed YAML: could not find expected ':' (a template that was not rendered?)"},
		"text behind":     {"a: 1\n]\n", "line 2: malformed YAML"},
		"bad indentation": {"a:\n  b: 1\n c: 2\nd: 3\n", "line 3: malformed YAML"},
		"bad indentation 2": {"x: 1\n---\na: 1\nb:\n  - c: 1\n    d: 2\n   e: 3\n",
			"line 5: malformed YAML: did not find expected '-' indicator"},
		"unclosed quote":       {"a: 1\nb: \"x\nc: 1\n", "line 2: malformed YAML"},
		"unclosed flow":        {"a: 1\nb: [x\nc: 1\n", "line 2: malformed YAML"},
		"JSON values then not": {strings.Repeat("{}\n", 4) + "x", "document 5, line 5: malformed JSON"},
		"tab indentation":      {"a:\n\tb: 1\n", "malformed YAML"},
		"duplicate key": {"# c\na: 1\n---\n# d\nb:\n  x: 1\n  y: 2\n  x: 3\n",
			`in.yaml, document 2, line 8: key "x" is there twice, first in line 6`},
		"duplicate in sequence": {"a:\n- b: 1\n  b: 2\n", `line 3: key "b" is there twice, first in line 2`},
		"duplicate in flow":     {"a: {b: 1, \"b\": 2}\n", `line 1: key "b" is there twice, first in line 1`},
		"duplicate of many": {"a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\nh: 1\ni: 1\nj: 1\nk: 1\nl: 1\nm: 1\nn: 1\n" +
			"a: 2\n", `line 15: key "a" is there twice, first in line 1`},
		"duplicate in JSON": {"{\"a\": 1,\n \"b\": {\"c\": 1,\n \"c\": 2}}",
			`line 3: key "c" is there twice, first in line 2`},
		"duplicate in JSON line": {"{\"a\": 1}\n{\"b\": 1}\n{\"a\": 1, \"a\": 2}",
			`document 3, line 3: key "a" is there twice`},
		"sequence": {"a: 1\n---\n# c\n- b\n", "in.yaml, document 2, line 4: the document is a sequence, not " +
			"a mapping"},
		"JSON array": {"[{\"a\": 1}]", "line 1: the document is a sequence"},
		"scalar": {"Error: x\n---\nhello world\n",
			`line 3: the document is the scalar "hello world", not a mapping`},
		"broken JSON": {"{\"a\": 1}\n{\"b\": 1,\n}\n", "in.yaml, document 2, line 3: malformed JSON"},
		"JSON cut off": {"{\"a\": 1}\n{\"b\": {\n",
			"line 2: malformed JSON: the text ends in the middle of a value"},
		"template":              {"a: 1\nb: {{ .Values.b }}\n", "a template that was not rendered?"},
		"invalid UTF-8":         {"a: 1\nb: \xff\n", "in.yaml, line 2: byte 0xff is not valid UTF-8"},
		"UTF-16":                {"\xff\xfea\x00:\x00 \x001\x00", "UTF-16: convert it to UTF-8"},
		"UTF-16 without mark":   {"a\x00:\x00 \x001\x00", "UTF-16: convert it to UTF-8"},
		"NUL":                   {"a: 1\nb: x\x00y\n", "in.yaml, line 2: there is a NUL byte"},
		"control character":     {"a: 1\nb: \x01\n", "line 2: malformed YAML: control"},
		"directive alone":       {"%YAML 1.2\na: 1\n", "malformed YAML: a directive"},
		"directive and no more": {"a: 1\n...\n%YAML 1.2\n", "in.yaml, document 1, line 3: malformed YAML: a directive"},
		"future YAML in tag":    {"%TAG !e! x\n%YAML 3.0\n---\na: 1\n", "malformed YAML"},
		"two in one":            {"a: 1\u0085--- \u0085b: 2\n", "unusual line break"},
		"unknown alias":         {"a: 1\nb: *x\n", "line 2: alias *x stands for nothing"},
		"alias in itself":       {"a: &x [1, *x]\n", "alias *x is inside of what it stands for"},
		"merge in itself":       {"a: &x\n  <<: *x\n", "alias *x is inside of what it stands for"},
		"merge of a scalar":     {"a: &x 1\nb: {<<: *x}\n", "merge key"},
		"alias bomb":            {aliasBomb(12), "the aliases (*name) stand for more than 500000 nodes"},
		"merge bomb":            {mergeBomb(12), "the aliases (*name) stand for more than 500000 nodes"},
		"deep flow": {"a: " + strings.Repeat("[", 600) + strings.Repeat("]", 600),
			"nest deeper than 500 levels"},
		"very deep flow":         {strings.Repeat("[", 1_000_000), "nest deeper than 500 levels"},
		"very deep flow mapping": {strings.Repeat("{a: ", 300_000), "nest deeper than 500 levels"},
		"very deep block":        {strings.Repeat("- ", 300_000) + "a\n", "nest deeper than 500 levels"},
		"very deep keys":         {strings.Repeat("? ", 300_000) + "a\n", "nest deeper than 500 levels"},
		"deep JSON": {strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600),
			"nest deeper than 500 levels"},
		"very deep JSON": {strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
			"nest deeper than 500 levels"},
		"list among others": {"a: 1\n---\napiVersion: config.kubernetes.io/v1\nkind: ResourceList\n",
			"document 2, line 3: a ResourceList stands among other documents (1)"},
		"two lists": {"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n---\n" +
			"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n", "a ResourceList stands among other documents (1)"},
		"unknown list version": {"apiVersion: config.kubernetes.io/v9\nkind: ResourceList\n",
			"apiVersion config.kubernetes.io/v9 of the ResourceList is not known"},
		"items no sequence": {"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: {a: 1}\n",
			"line 3: items of the ResourceList is a mapping, not a sequence"},
		"item no mapping": {"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- a: 1\n- b\n",
			`line 5: item 2 of the ResourceList is the scalar "b", not a mapping`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(input(test.in))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "reading in.yaml") {
				t.Errorf("error %q does not say %q", err, test.want)
			}
			if len(err.Error()) > 300 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
		})
	}
	if _, err := Read(); err == nil {
		t.Error("no error without inputs")
	}
}

func aliasBomb(levels int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < levels; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return b.String()
}

func mergeBomb(levels int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: 1, y: 2, z: 3}\n")
	for i := 1; i < levels; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {<<: [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return b.String()
}

func TestWhere(t *testing.T) {
	s := mustRead(t,
		Input{Name: "k8s/web.yaml", Data: []byte("# c\n---\na: 1\n---\n\n# d\nb: 2\n---\n{\"c\": 1}\n{\"d\":\n2}\n")})
	var got []string
	for _, o := range s.Objects() {
		got = append(got, o.Where())
	}
	wantText(t, strings.Join(got, "\n"), "k8s/web.yaml, document 1, line 3\nk8s/web.yaml, document 2, line 7\n"+
		"k8s/web.yaml, document 3, line 9\nk8s/web.yaml, document 4, line 10")
	o := s.Objects()[1]
	if _, ok := o.Index(); ok || o.Path() != "k8s/web.yaml" {
		t.Errorf("path %q, index known %t", o.Path(), ok)
	}

	s = mustRead(t, Input{Name: Stdin, Data: []byte(`apiVersion: config.kubernetes.io/v1
kind: ResourceList
functionConfig: {kind: X}
items:
- metadata: {annotations: {internal.config.kubernetes.io/path: a.yaml, internal.config.kubernetes.io/index: '2', config.kubernetes.io/path: old.yaml}}
- metadata: {annotations: {config.kubernetes.io/path: b.yaml, config.kubernetes.io/index: '0'}}
- metadata: {annotations: {config.kubernetes.io/index: 'x'}}
`)})
	got = nil
	for _, o := range s.Objects() {
		i, ok := o.Index()
		got = append(got, fmt.Sprint(o.Where(), " | ", o.Path(), " ", i, " ", ok))
	}
	wantText(t, strings.Join(got, "\n"), `a.yaml, index 2 (<stdin>, item 1, line 5) | a.yaml 2 true
b.yaml, index 0 (<stdin>, item 2, line 6) | b.yaml 0 true
<stdin>, item 3, line 7 | <stdin> 0 false`)
	if !s.Function || s.APIVersion != "config.kubernetes.io/v1" || s.FunctionConfig.GetKind() != "X" {
		t.Errorf("function %t, apiVersion %q, functionConfig %v", s.Function, s.APIVersion, s.FunctionConfig)
	}
}

// edit parses the edit, "path=value", and applies it: path is dotted, with numbers for items; + appends an item; value
// is YAML, and
// - deletes.
func edit(t testing.TB, root *yaml.RNode, edits string) {
	t.Helper()
	for _, e := range strings.Split(edits, "\n") {
		path, value, _ := strings.Cut(e, "=")
		var v *yaml.Node
		if value != "-" {
			v = yaml.MustParse(value).YNode()
		}
		n := root.YNode()
		parts := strings.Split(path, ".")
	walk:
		for i, part := range parts {
			last := i == len(parts)-1
			if n.Kind == yaml.SequenceNode {
				at := len(n.Content)
				if part != "+" {
					if _, err := fmt.Sscan(part, &at); err != nil {
						t.Fatal(err)
					}
				}
				switch {
				case last && v == nil:
					n.Content = append(n.Content[:at:at], n.Content[at+1:]...)
				case last && at == len(n.Content):
					n.Content = append(n.Content, v)
				case last:
					n.Content[at] = v
				default:
					n = n.Content[at]
				}
				continue
			}
			for j := 0; j < len(n.Content); j += 2 {
				if n.Content[j].Value != part {
					continue
				}
				switch {
				case last && v == nil:
					n.Content = append(n.Content[:j:j], n.Content[j+2:]...)
				case last:
					n.Content[j+1] = v
				default:
					n = n.Content[j+1]
				}
				continue walk
			}
			if !last || v == nil {
				t.Fatalf("%s: there is no %s", path, part)
			}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part}, v)
		}
	}
}

func TestEdits(t *testing.T) {
	for name, test := range map[string]struct{ in, edit, want string }{
		"scalar": {"a: 1 # one\nb: 'x'   # two\nc: \"y\"\n", "a=2\nb='z'\nc=\"it's\"",
			"a: 2 # one\nb: 'z'   # two\nc: \"it's\"\n"},
		"scalar to mapping": {"a: 1\nb: 2\n", "a={c: 1}", "a: {c: 1}\nb: 2\n"},
		"scalar to block":   {"x:\n  a: 1\n  b: 2\n", "x.a=c: [1]\nx.b=3", "x:\n  a:\n    c: [1]\n  b: 3\n"},
		"empty value":       {"a:\nb: 2\n", "a=1", "a: 1\nb: 2\n"},
		"new key": {"# top\na:\n  b: 1\n\n# next\nc: 3\n", "a.d=2\ne=4", "# top\na:\n  b: 1\n  d: 2\n\n# next\n" +
			"c: 3\ne: 4\n"},
		"removed key":       {"a: 1\n# of b\nb: 2\n\n# of c\nc: 3\n", "b=-", "a: 1\n\n# of c\nc: 3\n"},
		"removed first key": {"a:\n- b: 1\n  c: 2\n", "a.0.b=-", "a:\n- c: 2\n"},
		"removed last key":  {"a:\n  b: 1\nc: 2\n", "a.b=-", "a: {}\nc: 2\n"},
		"all of it":         {"a: 1\n", "a=-", "{}\n"},
		"new item, compact": {"a:\n- 1\n# end\nb: 2\n", "a.+=3", "a:\n- 1\n- 3\n# end\nb: 2\n"},
		"new item, wide":    {"a:\n    - x: 1\n      y: 2\n", "a.+=z: 3", "a:\n    - x: 1\n      y: 2\n    - z: 3\n"},
		"removed item":      {"a:\n- 1\n# two\n- 2\n- 3\n", "a.1=-", "a:\n- 1\n- 3\n"},
		"mixed styles": {"a:\n- 1\nb:\n  - x:   1   # keep\n    y: \"long\n      string\"\n    z: >-\n      folded\n" +
			"      text\n", "b.0.w=[q]\na.0=5", "a:\n- 5\nb:\n  - x:   1   # keep\n    y: \"long\n      string\"\n    z: >-\n" +
			"      folded\n      text\n    w: [q]\n"},
		"flow sequence": {"a: [\"x\", 'y']  # c\nb:   2\n", "a.+=z", "a: [\"x\", 'y', z]  # c\nb:   2\n"},
		"long flow":     {"a: {\n  b: 1,\n  c: 2\n}\nb:   2\n", "a.c=3", "a: {\n  b: 1,\n  c: 3\n}\nb:   2\n"},
		"flow on lines": {"a: {\n  # of b\n  b: [x:y],  # b\n  c: 'it''s }'  # c\n  # end\n}\n",
			"a.b.+=z\na.d=x:y\na.e=5", "a: {\n  # of b\n  b: [x:y, z],  # b\n  c: 'it''s }',  # c\n  d: 'x:y',\n  e: 5\n" +
				"  # end\n}\n"},
		"flow, last comma": {"a: [\n    x,\n    y , # of y\n]\nb: [1, 2,]\n", "a.+=z\nb.+=3",
			"a: [\n    x,\n    y , # of y\n    z,\n]\nb: [1, 2, 3,]\n"},
		"flow over lines": {"a: [1, 2,\n    3, 4 # four\n]\n", "a.+=5", "a: [1, 2,\n    3, 4, 5 # four\n]\n"},
		"flow in flow": {"a: [ {name: five, image: docker.io/archive:latest, n: {}} ]\n",
			"a.0.ports=[{p: 80}]\na.0.n.o=1\na.0.image=x:y", "a: [ {name: five, image: 'x:y', n: {o: 1}, ports: [{p: 80}]} ]\n"},
		"flow that loses": {"a: [ {b: x:y, c: d} ]\n", "a.0.c=-", "a: [{b: 'x:y'}]\n"},
		"flow without spaces": {"a: [x,y]\nb: {c: [1,2],d: 3}\n", "a.+=z\nb.e=4\nb.c.+=3",
			"a: [x,y,z]\nb: {c: [1,2,3],d: 3,e: 4}\n"},
		"flow, null":        {"a: {b: , c}\n", "a.d=1", "a: {b: , c, d: 1}\n"},
		"flow, text to map": {"a: {b: x:y, c: d}\n", "a.c={e: f}", "a: {b: x:y, c: {e: f}}\n"},
		"flow, plain quotes": {"a: {b: don't, c: x 'y, d: \"}\\\"]\"}   # }\n", "a.e=f",
			"a: {b: don't, c: x 'y, d: \"}\\\"]\", e: f}   # }\n"},
		"flow, long text": {"a: {b: \"x\n    # y\", c: d\n  e}\n", "a.f=g", "a: {b: \"x\n    # y\", c: d\n  e, f: g}\n"},
		"flow, CRLF":      {"a: {\r\n  b: 1\r\n}\r\n", "a.c=2", "a: {\r\n  b: 1,\r\n  c: 2\r\n}\r\n"},
		"behind a literal": {"a:\n  b: |\n    x\n    # y\n\nc: 3\n", "a.d=4", "a:\n  b: |\n    x\n    # y\n  d: 4\n" +
			"\nc: 3\n"},
		"literal changes":  {"a: |\n  x\n  # y\nb:   1\n", "a=\"\"", "a: \"\"\nb:   1\n"},
		"no final newline": {"a: 1\nb:   2", "c=3", "a: 1\nb:   2\nc: 3"},
		"CRLF":             {"a: 1\r\nb:   2\r\n", "a=5\nc=\"\"", "a: 5\r\nb:   2\r\nc: \"\"\r\n"},
		"mixed breaks":     {"a: 1\r\nb:   2\nc: 3\r\n", "a=5", "a: 5\r\nb:   2\nc: 3\r\n"},
		"byte order mark":  {"\ufeffa: 1\n", "a=2", "\ufeffa: 2\n"},
		"around": {"%YAML 1.2\n# head\n--- # marker\n\n# more\na: 1\n\n# foot\n...\n", "a=2",
			"%YAML 1.2\n# head\n--- # marker\n\n# more\na: 2\n\n# foot\n...\n"},
		"tagged document":    {"--- !!map\na: 1\n", "a=2", "--- !!map\na: 2\n"},
		"flow document":      {"# c\n{a: 1, b: [2]}\n# d\n", "a=2", "# c\n{a: 2, b: [2]}\n# d\n"},
		"behind a directive": {"%YAML 1.2\n--- !!map\n# c\na: 1\n", "a=2", "%YAML 1.2\n--- !!map\n# c\na: 2\n"},
		"custom tags": {"%TAG !e! tag:example.com,2000:\n---\na: !e!x  1\nb: 1\n", "b=2",
			"%TAG !e! tag:example.com,2000:\n---\na: !e!x  1\nb: 2\n"},
		"flow on the line": {"--- {a: 1, b: [2]}\n", "a=2", "--- {a: 2, b: [2]}\n"},
		"non-ASCII":        {"x:\n- 'é': 1 # ü\n  b:   \"→\"\n", "x.0.é=2", "x:\n- 'é': 2 # ü\n  b:   \"→\"\n"},
		"nested sequences": {"a:\n- - 1\n  - 2\n- - 3\n", "a.0.0=5\na.1.+=4", "a:\n- - 5\n  - 2\n- - 3\n  - 4\n"},
		"dash on its own":  {"a:\n-\n  b: 1\n-\n  c:   2\n", "a.0.b=3", "a:\n-\n  b: 3\n-\n  c:   2\n"},
		"indent 4": {"a:\n    b:\n        c: 1\n", "a.d=e: {f: 1}", "a:\n    b:\n        c: 1\n    d:\n" +
			"        e: {f: 1}\n"},
		"emptied comment": {"a:\n  b: 1\n  # left\nc: 2\n", "a=5", "a: 5\n  # left\nc: 2\n"},
		"big numbers": {"a: 12345678901234567890123\nb: 1.50\nc: 0o17\nd: 0x1F\n", "e=1",
			"a: 12345678901234567890123\nb: 1.50\nc: 0o17\nd: 0x1F\ne: 1\n"},
		"alias":          {"t: &t\n  x: 1\nu: *t\n", "u.x=2", "t: &t\n  x: 1\nu:\n  x: 2\n"},
		"alias's target": {"t: &t\n  x: 1\nu: *t\n", "t.x=2", "t: &t\n  x: 2\nu:\n  x: 1\n"},
		"merge": {"t: &t {x: 1, y: 2}\nu:\n  <<: *t\n  x: 3\n", "u.z=4",
			"t: {x: 1, y: 2}\nu:\n  y: 2\n  x: 3\n  z: 4\n"},
		"merge of several": {"a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}\n", "c.z=4",
			"a: {x: 1}\nb: {x: 2, y: 2}\nc: {x: 1, y: 2, z: 4}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustRead(t, input(test.in))
			o := s.Objects()[0]
			edit(t, o.Node(), test.edit)
			o.MarkEdited()
			wantText(t, written(t, s), test.want)
			wantText(t, written(t, s), test.want)
			again := mustRead(t, input(test.want))
			if !sameTree(again.Objects()[0].Node().YNode(), o.Node().YNode()) {
				t.Error("what was written is not what was meant")
			}
		})
	}
}

func TestEditsJSON(t *testing.T) {
	for name, test := range map[string]struct{ in, edit, want string }{
		"compact": {`{"b":1,"a":{"z":"<&>","y":[1,2]}}`, "b=2\na.y.+=3\nc={d: x}",
			`{"b":2,"a":{"z":"<&>","y":[1,2,3]},"c":{"d":"x"}}`},
		"spaced": {`{"b": 1, "a": [1, 2]}` + "\n", "b='<x>'\na.+=3", `{"b": "<x>", "a": [1, 2, 3]}` + "\n"},
		"two spaces": {"{\n  \"b\": 1,\n  \"a\": {},\n  \"c\": [1, 2]\n}\n", "b=2\na.x=[y]\nc.+=3",
			"{\n  \"b\": 2,\n  \"a\": {\n    \"x\": [\n      \"y\"\n    ]\n  },\n  \"c\": [1, 2, 3]\n}\n"},
		"four spaces": {"{\n    \"b\": {\n        \"c\": null\n    }\n}\n", "b.d=true",
			"{\n    \"b\": {\n        \"c\": null,\n        \"d\": true\n    }\n}\n"},
		"tabs and CRLF": {"{\r\n\t\"a\": 1\r\n}\r\n", "b=2", "{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}\r\n"},
		"numbers stay": {`{"a":12345678901234567890,"b":1.50,"c":1e400,"d":-0}`, "e=0x10",
			`{"a":12345678901234567890,"b":1.50,"c":1e400,"d":-0,"e":16}`},
		"escapes stay":  {`{"a":"\/\u00e9\ud83d\ude00\ud800","b":1}`, "b=2", `{"a":"\/\u00e9\ud83d\ude00\ud800","b":2}`},
		"emptied":       {"{\n  \"a\": [\n    1\n  ]\n}", "a.0=-", "{\n  \"a\": []\n}"},
		"comments stay": {"# Source: x\n{\"a\": 1}\n# end\n", "a=2", "# Source: x\n{\"a\": 2}\n# end\n"},
		"on the marker": {"--- {\"a\": 1}\n", "a=2", "--- {\"a\": 2}\n"},
		"lines":         {"{\"a\":1}\n{\"a\": 2}\n", "a=3", "{\"a\":3}\n{\"a\": 2}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustRead(t, input(test.in))
			o := s.Objects()[0]
			edit(t, o.Node(), test.edit)
			o.MarkEdited()
			wantText(t, written(t, s), test.want)
		})
	}
	s := mustRead(t, input(`{"a": 1}`))
	edit(t, s.Objects()[0].Node(), "a=.inf")
	s.Objects()[0].MarkEdited()
	var out bytes.Buffer
	if err := s.Write(&out, nil); err == nil || out.Len() > 0 {
		t.Errorf("writing infinity as JSON: error %v, output %q", err, out.String())
	}
}

func TestResults(t *testing.T) {
	result := &fn.Result{Message: "m: 1", Severity: fn.Info,
		ResourceRef: &fn.ResourceRef{APIVersion: "v1", Kind: "Pod", Name: "p"},
		Field:       &fn.Field{Path: "spec"}, File: &fn.File{Path: "a.yaml", Index: 1},
		Tags: map[string]string{"b": "2", "a": "1"}}
	const shape = "- message: 'm: 1'\n  severity: info\n  resourceRef:\n    apiVersion: v1\n    kind: Pod\n    name: p\n" +
		"  field:\n    path: spec\n  file:\n    path: a.yaml\n    index: 1\n  tags:\n    a: \"1\"\n    b: \"2\"\n"
	const list = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
	indented := strings.TrimSuffix(strings.ReplaceAll("  "+strings.ReplaceAll(shape, "\n", "\n  "), "  - ", "  - "), "  ")
	for name, test := range map[string]struct{ in, want string }{
		"none before": {list + "items:\n- a:   1\n", list + "items:\n- a:   1\nresults:\n" + shape},
		"some before": {list + "results:\n- message: old # c\nitems:\n- a:   1\n",
			list + "results:\n- message: old # c\n" + shape + "items:\n- a:   1\n"},
		"empty before": {list + "results: []\nextra:   1\n", list + "results:\n" + shape + "extra:   1\n"},
		"null before":  {list + "results:\n", list + "results:\n" + shape},
		"a mapping":    {list + "results:\n  name: x\n", list + "results:\n- name: x\n" + shape},
		"wide": {list + "items:\n  - a:   1\nresults:\n  - message: old\n",
			list + "items:\n  - a:   1\nresults:\n  - message: old\n" + indented},
		"no items": {list, list + "results:\n" + shape},
		"around": {"---\n# c\n" + list + "items: []\n# d\n", "---\n# c\n" + list + "items: []\nresults:\n" + shape +
			"# d\n"},
		"aliases survive": {list + "items:\n- a: &x {b: 1}\n  c: *x\n  d:\n    <<: *x\n", list + "items:\n- a: &x {b: 1}\n" +
			"  c: *x\n  d:\n    <<: *x\nresults:\n" + shape},
		"aliases in flow": {"{apiVersion: config.kubernetes.io/v1, kind: ResourceList, items: [{a: &x {b: 1}, c: *x, " +
			"<<: *x}]}\n",
			"{apiVersion: config.kubernetes.io/v1, kind: ResourceList, items: [{a: &x {b: 1}, c: *x, <<: *x}], results: " +
				"[{message: 'm: 1', severity: info, resourceRef: {apiVersion: v1, kind: Pod, name: p}, field: {path: spec}, " +
				"file: {path: a.yaml, index: 1}, tags: {a: \"1\", b: \"2\"}}]}\n"},
		"JSON": {`{"kind":"ResourceList","apiVersion":"config.kubernetes.io/v1","items":[{"a":1.0}]}`,
			`{"kind":"ResourceList","apiVersion":"config.kubernetes.io/v1","items":[{"a":1.0}],"results":[{"message":"m: ` +
				`1","severity":"info","resourceRef":{"apiVersion":"v1","kind":"Pod","name":"p"},"field":{"path":"spec"},` +
				`"file":{"path":"a.yaml","index":1},"tags":{"a":"1","b":"2"}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustRead(t, input(test.in))
			wantText(t, written(t, s, result), test.want)
			wantText(t, written(t, s), test.in) // Write leaves the set as it is
		})
	}
	// Results are a matter of functions.
	wantText(t, written(t, mustRead(t, input("a: 1\n")), result), "a: 1\n")
}

func TestEditedItem(t *testing.T) {
	s := mustRead(t, input(`# c
apiVersion: config.kubernetes.io/v1
kind: ResourceList
extra: [ 1 ]
items:
- apiVersion: v1   # first
  t: &t
    x: 1
- u: *t
- v:   1
functionConfig:   {a: 1}
`))
	edit(t, s.Objects()[1].Node(), "u.x=2")
	s.Objects()[1].MarkEdited()
	wantText(t, written(t, s, &fn.Result{Message: "m"}), `# c
apiVersion: config.kubernetes.io/v1
kind: ResourceList
extra: [ 1 ]
items:
- apiVersion: v1   # first
  t: &t
    x: 1
- u:
    x: 2
- v:   1
functionConfig:   {a: 1}
results:
- message: m
`)
}

func TestJoin(t *testing.T) {
	for name, test := range map[string]struct {
		in   []string
		want string
	}{
		"plain":              {[]string{"a: 1\n", "b: 2\n"}, "a: 1\n---\nb: 2\n"},
		"separators there":   {[]string{"---\na: 1\n", "---\nb: 2\n"}, "---\na: 1\n---\nb: 2\n"},
		"comment before it":  {[]string{"a: 1\n", "# c\n---\nb: 2\n"}, "a: 1\n# c\n---\nb: 2\n"},
		"comment, no marker": {[]string{"a: 1\n", "# c\nb: 2\n"}, "a: 1\n---\n# c\nb: 2\n"},
		"separator at end":   {[]string{"a: 1\n---\n", "b: 2\n"}, "a: 1\n---\n---\nb: 2\n"},
		"no final newline":   {[]string{"a: 1", "b: 2"}, "a: 1\n---\nb: 2"},
		"no newline, CRLF":   {[]string{"a: 1\r\nc: 2", "b: 2"}, "a: 1\r\nc: 2\r\n---\r\nb: 2"},
		"empty ones":         {[]string{"", "a: 1\n", "", "b: 2\n", ""}, "a: 1\n---\nb: 2\n"},
		"comments only":      {[]string{"# x\n", "a: 1\n", "# y\n", "b: 2\n"}, "# x\na: 1\n# y\n---\nb: 2\n"},
		"byte order marks": {[]string{"\ufeffa: 1\n", "\ufeffb: 2\n", "\ufeff---\nc: 1\n"},
			"\ufeffa: 1\n---\nb: 2\n---\nc: 1\n"},
		"directive":           {[]string{"a: 1\n", "%YAML 1.2\n---\nb: 2\n"}, "a: 1\n...\n%YAML 1.2\n---\nb: 2\n"},
		"directive after ...": {[]string{"a: 1\n...\n", "%YAML 1.2\n---\nb: 2\n"}, "a: 1\n...\n%YAML 1.2\n---\nb: 2\n"},
		"kept blank lines":    {[]string{"a: |+\n  x\n", "\n# c\n---\nb: 2\n"}, "a: |+\n  x\n---\n\n# c\n---\nb: 2\n"},
		"JSON and JSON":       {[]string{`{"a":1}`, `{"b":1}` + "\n", `{"c":1}`}, "{\"a\":1}\n{\"b\":1}\n{\"c\":1}"},
		"JSON and comments":   {[]string{`{"a":1}`, "# c\n", `{"b":1}`}, "{\"a\":1}\n# c\n---\n{\"b\":1}"},
		"JSON and YAML": {[]string{`{"a":1}`, "b: 1\n", `{"c":1}`, `{"d":1}`},
			"{\"a\":1}\n---\nb: 1\n---\n{\"c\":1}\n---\n{\"d\":1}"},
		"unended literal": {[]string{"a: |\n  x", "b: >2\n    y"}, "a: |-\n  x\n---\nb: >2\n    y"},
		"unended plain":   {[]string{"a:   x # c", "# d"}, "a:   x # c\n# d"},
		"list and nothing": {[]string{"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n", "# c\n"},
			"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n# c\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var inputs []Input
			for i, in := range test.in {
				inputs = append(inputs, Input{Name: fmt.Sprint(i), Data: []byte(in)})
			}
			s := mustRead(t, inputs...)
			out := written(t, s)
			wantText(t, out, test.want)
			again := mustRead(t, input(out))
			if len(again.Objects()) != len(s.Objects()) {
				t.Fatalf("%d objects come out of %d", len(again.Objects()), len(s.Objects()))
			}
			for i, o := range again.Objects() {
				if !sameTree(o.Node().YNode(), s.Objects()[i].Node().YNode()) {
					t.Errorf("object %d changed", i)
				}
			}
		})
	}
}

func TestOnlineBoutique(t *testing.T) {
	data, err := os.ReadFile(onlineBoutique)
	if err != nil {
		t.Fatal(err)
	}
	s := mustRead(t, Input{Name: onlineBoutique, Data: data})
	wantText(t, written(t, s), string(data))
	for _, o := range s.Objects() {
		if o.Node().GetKind() != "Deployment" {
			continue
		}
		spec, err := o.Node().Pipe(yaml.Lookup("spec", "template", "spec"))
		if err != nil || spec == nil {
			t.Fatal(err)
		}
		if spec.Field("volumes") == nil {
			edit(t, spec, "volumes=[]")
			spec.Field("volumes").Value.YNode().Style = 0
		}
		edit(t, spec, "containers.0.command=[/dbg/go/bin/dlv, exec]\nvolumes.+={name: debugging, emptyDir: {}}")
		if spec.Field("initContainers") == nil {
			edit(t, spec, "initContainers=[{name: install}]")
		}
		o.MarkEdited()
	}
	out := written(t, s)
	before, after := strings.Split(string(data), "\n"), strings.Split(out, "\n")
	i := 0
	for _, line := range after {
		if i < len(before) && line == before[i] {
			i++
		}
	}
	// Nothing was replaced, only added.
	if lost := len(before) - i; lost > 0 {
		t.Errorf("from line %d on (%q), lines of the original are lost", i+1, before[i])
	}
	if added := len(after) - len(before); added > 60 {
		t.Errorf("%d lines were added", added)
	}
}

func TestBlockText(t *testing.T) {
	for name, test := range map[string]struct{ in, old, new, want string }{
		"folded": {"a: >-   # c\n   exec java\n   -jar\n\n   app.jar\n   # no comment\nb:   1\n", "-jar", "-x -jar",
			"a: >-   # c\n   exec java\n   -x -jar\n\n   app.jar\n   # no comment\nb:   1\n"},
		"end of a line":    {"a: >\n     b\n     c\n", "b", "bd", "a: >\n     bd\n     c\n"},
		"end":              {"a: >\n     b\n     c\n", "c", "c d", "a: >\n     b\n     c d\n"},
		"behind a blank":   {"a: >\n     b\n\n     c\n", "c", "dc", "a: >\n     b\n\n     dc\n"},
		"over lines":       {"a: >\n     b\n     c\n", "b c", "d e", "a: |\n  d e\n"},
		"to two lines":     {"a: >\n     b\n     c\n", "b c", "b\nc", "a: |\n  b\n  c\n"},
		"blank at the end": {"a: >\n     b\n     c\n", "c", "c ", "a: \"b c \\n\"\n"},
		"literal":          {"a: |2-\n     b\n\n   c\n", "c", "d", "a: |2-\n     b\n\n   d\n"},
		"deep in literal": {"a: |\n     b\n       c\n     d é é\n", "é é", "é f é",
			"a: |\n     b\n       c\n     d é f é\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustRead(t, input(test.in))
			o := s.Objects()[0]
			v := yamlnode.Get(o.Node().YNode(), "a")
			v.Value = strings.Replace(v.Value, test.old, test.new, 1)
			o.MarkEdited()
			wantText(t, written(t, s), test.want)
			if again := mustRead(t, input(test.want)); !sameTree(again.Objects()[0].Node().YNode(), o.Node().YNode()) {
				t.Error("what was written is not what was meant")
			}
		})
	}
}

// TestJSONString: what readers of YAML refuse, or nobody sees, is escaped; all else stands as it is.
func TestJSONString(t *testing.T) {
	for r := rune(0); r <= 0x10ffff; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		quoted := jsonString(string(r))
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil || back != string(r) {
			t.Fatalf("%U is written %s, which is read as %q: %v", r, quoted, back, err)
		}
		// The characters that YAML 1.1 calls printable, but for U+0085 and U+FEFF.
		printable := r >= 0x20 && r <= 0x7e || r >= 0xa0 && r <= 0xfffd && r != 0xfeff || r > 0xffff
		if escaped := quoted[1] == '\\'; escaped == printable && !strings.ContainsRune("\"\\\u2028\u2029", r) {
			t.Errorf("%U is written %s", r, quoted)
		}
	}
}
