package scalar

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// notStrings are words that some reader takes for something else: all examples of https://yaml.org/type/ and of YAML
// 1.2's core schema, and what resolvers are known to take beyond these.
const notStrings = `y Y yes Yes YES n N no No NO on On ON off Off OFF true True TRUE false False FALSE
	null Null NULL ~ = <<
	0 00 7 -7 +12 1_000 1,000 -1_0 010 -010 08 0o7 0o17 0O7 -0o7 0b1 0b1_0 +0b1 0B1 0x1F 0xFf_0 -0x1 0X1F
	1. 1.5 -1.5 +.5 .5 .5_0 1_0.5 6.8523015e+5 685.230_15e+03 1e3 1E3 -1e-3 1e+3 12e03
	.inf .Inf .INF -.inf +.inf .nan .NaN .NAN
	190:20:30 22:22 1:30 -1:30 +1:30:59 1:30.5 190:20:30.15 0:0 1_0:30
	2001-12-15 2001-1-5 2001-12-15T02:59:43.1Z 2001-12-14t21:59:43.10-05:00 2001-12-15T02:59:43+05`

// unlikely are texts that are strings for all readers if they are written well.
func unlikely() []string {
	return []string{"", " ", " a", "a ", "\t", "\ta", "a\tb", "a\rb", "a\r\nb", "a\nb", "a\nb\n", "a\n\n", "\na", " a\nb",
		"a\n b", "a \nb", "#a\nb", "a\n#b",
		"a\n\tb", "a\u0085b", "a\u2028b\u2029", "\ufeffa", "a\ufeff", "a\ufffe", "a\uffff", "\x7f", "\u0080", "\u009f",
		"\x01", "é", "日本", "😀", "\u202e", "\u00a0a", "- a", "-", "--", "---", "--- a", "...", "a: b", "a:", ":", ": a",
		":8080", "a #b", "#a", "&a", "*a", "!a", "!!str a", "|", ">", "%a", "@a", "`a",
		"'a", `"a`, `a"b'`, `\`, "{", "}", "[", "]", "{a: b}", "[a]", "a,b", ",a", ", a", "?", "? a", "?a", "a?",
		"2001-12-14 21:59:43.10 -5",
		"2001-12-15 2:59:43.10", "$(A)", "${A:-b}", "a=b", "=a", "<<a", "a'b", "1e", "0x", "0b", "1:60a"}
}

func TestNotStrings(t *testing.T) {
	for _, word := range strings.Fields(notStrings) {
		for _, s := range []string{word, strings.ToLower(word), strings.ToUpper(word)} {
			if IsString(s) || Style(s) != yaml.DoubleQuotedStyle {
				t.Errorf("%q would be written without quotes", s)
			}
		}
	}
	for _, s := range []string{"2001-12-14 21:59:43.10 -5", "2001-12-15 2:59:43.10", ""} {
		if IsString(s) {
			t.Errorf("%q would be written without quotes", s)
		}
	}
}

// TestStrings: what is no cause for quotes gets none.
func TestStrings(t *testing.T) {
	for _, s := range strings.Fields(
		`a node app.js /srv/app --inspect=0.0.0.0:9229 -jar -Xmx1g
		-1a --5 - + . .. ./a .js -.a yess nope nil none Yes! tru offf
		1.2.3 10.0.0.1 v1 1a 0xg 0x 1:60 8080:80 22:22:b 2001-12-151 2001-12 1-2 1e
		1e3a _1 <<a =a ~a ~/a nan inf http://a:80/ é 日本 1.5Gi 100m`) {
		if s != "-" && s != "0x" && Style(s) != 0 {
			t.Errorf("%q would be quoted", s)
		}
	}
}

func TestLike(t *testing.T) {
	for _, test := range []struct {
		s          string
		like, want yaml.Style
	}{
		{"a", 0, 0},
		{"yes", 0, yaml.DoubleQuotedStyle},
		{"yes", yaml.SingleQuotedStyle, yaml.SingleQuotedStyle},
		{"a", yaml.DoubleQuotedStyle, yaml.DoubleQuotedStyle},
		{"a\u2028b", yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle},
		{"a\nb", yaml.SingleQuotedStyle, yaml.LiteralStyle},
		{"a\nb", yaml.FoldedStyle, yaml.FoldedStyle},
		{"a\rb", yaml.LiteralStyle, yaml.DoubleQuotedStyle},
		{"5", yaml.TaggedStyle, yaml.TaggedStyle},
	} {
		if got := Like(test.s, test.like); got != test.want {
			t.Errorf("Like(%q, %v) = %v, want %v", test.s, test.like, got, test.want)
		}
	}
}

// written has every word in every place: as an item, a value and a key, in block and flow collections.
func written(t *testing.T, words []string) []byte {
	t.Helper()
	var items, flow, entries, flowEntries []*yaml.Node
	for _, w := range words {
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Style: Style(w), Value: w}
		items, flow = append(items, n), append(flow, n)
		entries, flowEntries = append(entries, n, n), append(flowEntries, n, n)
	}
	key := func(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		key("items"), {Kind: yaml.SequenceNode, Content: items},
		key("flow"), {Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: flow},
		key("entries"), {Kind: yaml.MappingNode, Content: entries},
		key("flowentries"), {Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: flowEntries},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type read struct {
	Items, Flow          []string
	Entries, FlowEntries map[string]string
}

func checkRead(t *testing.T, got read, words []string) {
	t.Helper()
	if !slices.Equal(got.Items, words) || !slices.Equal(got.Flow, words) {
		t.Errorf("got items %q and %q,\nwant %q", got.Items, got.Flow, words)
	}
	for _, w := range words {
		if got.Entries[w] != w || got.FlowEntries[w] != w {
			t.Errorf("entry %q is %q and %q", w, got.Entries[w], got.FlowEntries[w])
		}
	}
}

func allWords() []string {
	var all []string
	for _, w := range strings.Fields(notStrings) {
		all = append(all, w, strings.ToLower(w), strings.ToUpper(w))
	}
	slices.Sort(all)
	return append(slices.Compact(all), unlikely()...)
}

func TestReadBack(t *testing.T) {
	words := allWords()
	var got read
	if err := yaml.Unmarshal(written(t, words), &got); err != nil {
		t.Fatal(err)
	}
	checkRead(t, got, words)
}

// TestReadByPyYAML: a reader of YAML 1.1 to the letter gets the same strings.
func TestReadByPyYAML(t *testing.T) {
	if err := exec.Command("python3", "-c", "import yaml").Run(); err != nil {
		t.Skip("python3 with PyYAML (Debian's python3-yaml) is not installed, so that no reader of YAML 1.1 checks what " +
			"is written")
	}
	words := allWords()
	cmd := exec.Command("python3", "-c", "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout)")
	cmd.Stdin = bytes.NewReader(written(t, words))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var got read
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkRead(t, got, words)
}
