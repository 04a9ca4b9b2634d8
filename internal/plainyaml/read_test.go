package plainyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// difference says what is different between the library's tree and ours.
func difference(theirs, ours *yaml.Node, path string) string {
	a, b := *theirs, *ours
	a.Content, b.Content = nil, nil
	if !reflect.DeepEqual(a, b) {
		return fmt.Sprintf("%s:\nthe library: %#v\nhere:        %#v", path, a, b)
	}
	if len(theirs.Content) != len(ours.Content) {
		return fmt.Sprintf("%s: the library has %d nodes in it, here are %d", path, len(theirs.Content), len(ours.Content))
	}
	for i := range theirs.Content {
		if d := difference(theirs.Content[i], ours.Content[i], fmt.Sprintf("%s/%d", path, i)); d != "" {
			return d
		}
	}
	return ""
}

// compare reads a text in both ways. It says what is different, and whether there is anything to compare.
func compare(text []byte) (problem string, read bool) {
	ours, ok := Read(text, 1)
	if !ok {
		return "", false
	}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return fmt.Sprintf("the library refuses it: %v", err), true
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return fmt.Sprintf("the library finds more behind it: %v", err), true
	}
	if doc.HeadComment+doc.LineComment+doc.FootComment != "" {
		return "the library finds comments of the document", true
	}
	if problem = difference(doc.Content[0], ours, ""); problem != "" {
		return problem, true
	}
	if !Use(text, func(n *yaml.Node) { problem = difference(doc.Content[0], n, "") }) {
		problem = "Use does not read it"
	}
	return problem, true
}

// documents cuts all files below root that may be YAML into documents, as package manifest does; .txtar files into
// their files as well.
func documents(tb testing.TB, root string, use func(name, text string)) {
	tb.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(".yaml.yml.txtar.json", filepath.Ext(path)) ||
			filepath.Ext(path) == "" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, text := range strings.Split("\n"+string(data), "\n--") {
			text = strings.TrimPrefix(text, "\n")
			if i > 0 {
				_, text, _ = strings.Cut(text, "\n")
			}
			if text != "" {
				use(fmt.Sprintf("%s, document %d", path, i), text)
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// TestAsTheLibrary reads all manifests of this repository, or those in the folders that PLAINYAML_CORPUS names.
func TestAsTheLibrary(t *testing.T) {
	roots := []string{"../.."}
	if other := os.Getenv("PLAINYAML_CORPUS"); other != "" {
		roots = filepath.SplitList(other)
	}
	all, read := 0, 0
	for _, root := range roots {
		documents(t, root, func(name, text string) {
			all++
			for _, text := range []string{text, strings.TrimSuffix(text, "\n")} {
				problem, ok := compare([]byte(text))
				if problem != "" {
					t.Errorf("%s: %s\n%.300s", name, problem, text)
				}
				if ok {
					read++
				}
			}
		})
	}
	t.Logf("%d documents, %.0f %% of them read here", all, 50*float64(read)/float64(all))
}

// FuzzTexts reads what the fuzzer makes of manifests.
func FuzzTexts(f *testing.F) {
	documents(f, "../../testdata", func(_, text string) {
		if len(text) < 2000 && strings.Contains(text, "kind:") {
			f.Add([]byte(text))
		}
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		if problem, _ := compare(text); problem != "" {
			t.Errorf("%q: %s", text, problem)
		}
	})
}

// fragments are what texts are made of that have much YAML in little room.
var fragments = []string{
	"# x\n", "# x\n  ", "\n# x\n", "\n  # y\n  ", "\n  # z\n",
	"\n", "\n", "\n", "\n  ", "\n  ", "\n    ", "\n- ", "\n  - ", "- ", "a: ", "b: ", "a:", "c:", "k: v", "\n\n", " ",
	"  ", "word", "two words",
	"#", " # comment", "# ", ":", ": ", "'", "''", "'it''s'", `"`, `"x"`, `\`, `\"`, `\n`, "\\\n", `\\`, "|", "|-", "|+",
	">", ">-", "|\n", "|-\n  ",
	"[", "]", "{", "}", ", ", ",", "[a, b]", "{a: b}", "[]", "{}", "-", "--", "?", "? ", "&x ", "*x", "!!str ", "!", "%",
	"@", "`", "~", "null", "true", "yes", "off", "1", "0x1F", "0o7", "1e3", ".5", "-1", "1_0", "1:30", "2001-01-01", "<<",
	"<<: ", "=", "é", "日本", "\u00a0", "\u0085", "\u2028", "\ufeff", "\t", "\r\n", "\x00", "---", "\n---\n", "\n...\n",
	"  \n", "   x", "kind: Pod\n", "100m", "1Gi", "-x", "--x=y", "a:b", "http://x", "$(A)", "a#b", "(", "^", ";", "\\ ",
	"\\t", "\\x41", "\\/", ".", "..", ".nan", ".inf", "-.inf", "+1", "y", "N", "No", "0", "00", "08", "0b1",
	"9223372036854775808",
}

// assemble makes a text of the fragments that choices are numbers of.
func assemble(choices []byte) []byte {
	var b bytes.Buffer
	for _, c := range choices {
		b.WriteString(fragments[int(c)%len(fragments)])
	}
	return b.Bytes()
}

// FuzzFragments reads texts that have much YAML in little room.
func FuzzFragments(f *testing.F) {
	f.Add([]byte("abc"))
	f.Fuzz(func(t *testing.T, choices []byte) {
		if text := assemble(choices); len(choices) < 60 {
			if problem, _ := compare(text); problem != "" {
				t.Errorf("%q: %s", text, problem)
			}
		}
	})
}

// TestGenerated compares what the readers make of random texts: some of fragments alone, others with a few put into
// what is well formed.
func TestGenerated(t *testing.T) {
	many := 20_000
	if n, err := strconv.Atoi(os.Getenv("PLAINYAML_CASES")); err == nil {
		many = n
	}
	seed := uint64(1)
	if many > 20_000 {
		seed = uint64(time.Now().UnixNano())
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var bases []string
	documents(t, "../../testdata", func(_, text string) {
		if len(text) < 600 && strings.Contains(text, ": ") {
			bases = append(bases, text)
		}
	})
	bases = append(bases, shapes...)
	read := 0
	for range many {
		choices := make([]byte, 1+r.IntN(14))
		for i := range choices {
			choices[i] = byte(r.IntN(256))
		}
		text := assemble(choices)
		if r.IntN(4) > 0 {
			base := bases[r.IntN(len(bases))]
			if r.IntN(2) == 0 {
				base = shapes[r.IntN(len(shapes))]
			}
			text = []byte(base)
			for range r.IntN(4) {
				at := r.IntN(len(text) + 1)
				cut := min(at+r.IntN(4), len(text))
				text = append(append(text[:at:at], fragments[r.IntN(len(fragments))]...), text[cut:]...)
			}
		}
		problem, ok := compare(text)
		if problem != "" {
			t.Fatalf("seed %d: %q: %s", seed, text, problem)
		}
		if ok {
			read++
		}
	}
	t.Logf("%d texts, %d of them read here", many, read)
}

// shapes have something of everything that is read here.
var shapes = []string{
	"a: b\nc:\n  d: 'e'\n  f:\n  - g: h\n    i: |\n      j\n\n      k\n  - - l\n    - m\n",
	"a: one\n  two\n\n  three\nb: 'one\n  two\n\n\n  three' \nc: \"one\\n \\\n  two\\\n\n" +
		"  three \\\" \\\\\n  four\"\nd: e\n",
	"a: {b: c, d: [e, 'f', \"g\"], h: {}} \nb: [1, -2, x:y, a b]\nc: []\n",
	"- a # b\n- c: d # e\n  f: g\n-   h:\n    - i\n    j: |-\n        k\n       # l\n- \"m\": n\n  'o': p # q\n",
	"{a: b, c: [d, {e: f}]}\n", "[a, b, 'c d']\n",
	"a:\n- b\n- c:\n  - d\n  e:\nf:\n  g:\n  h: ü # é\n  ï: j\n  k: # l\n",
	"# a\na: b\n# c\n# d\ne:\n  # f\n  g:\n  # h\n  - i: j\n    # k\n    l: m\n\n  # n\n  - o\n  # p\n  q: |\n    r\n" +
		"  # s\n  t: u # v\n\n# w\nx: y\n",
	"a: |\n  b\n   c\n\n\nd: |-\n\te\nf:\n - |\n  g\n - h\n   i\n -  'j\n  k'\n",
}

// TestTags compares what plain scalars are taken for.
func TestTags(t *testing.T) {
	const chars = "0123456789+-._:~eExXoObBaAcCfFnNuUlLtTrRyYiIsSzZkmg <=/"
	words := []string{"null", "true", "false", "NULL", "True", "FALSE", ".inf", "-.INF", ".nan", "0x1f", "0o17", "0b101",
		"1e3", "2001-01-02", "1_000", "190:20:30"}
	r := rand.New(rand.NewPCG(1, 0))
	for range 100_000 {
		text := make([]byte, 1+r.IntN(6))
		for i := range text {
			text[i] = chars[r.IntN(len(chars))]
		}
		value := string(text)
		if r.IntN(3) == 0 {
			word := words[r.IntN(len(words))]
			at := r.IntN(len(word) + 1)
			value = word[:at] + string(text[:r.IntN(2)]) + word[at:]
		}
		n := yaml.Node{Kind: yaml.ScalarNode, Value: value}
		if ours, theirs := tagOf(value), n.ShortTag(); ours != theirs {
			t.Errorf("%q is %s to the library, and %s here", value, theirs, ours)
		}
	}
}
