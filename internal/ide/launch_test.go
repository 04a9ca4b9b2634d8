package ide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tailscale/hujson"

	"debuggable.dev/debuggable/runtimes/editor"
)

func ours(name, _ string) bool { return strings.HasPrefix(name, prefix) }

func one(names ...string) []entry {
	var entries []entry
	for i, name := range names {
		entries = append(entries, entry{prefix + name, editor.Object{{Key: "port", Value: i + 1}}})
	}
	return entries
}

func TestMergeLaunch(t *testing.T) {
	for name, test := range map[string]struct {
		old    string
		wanted []entry
		want   string
	}{
		"new": {"", one("a"), `{
  "version": "0.2.0",
  "configurations": [
    {
      "name": "debuggable: a",
      "port": 1
    }
  ]
}
`},
		"comments and formatting of others": {
			"// mine\n{\n\t// Use IntelliSense\n\t\"version\": \"0.2.0\", \"inputs\": [ ],\n\t\"configurations\": [ // here\n" +
				"\t\t/* first */ {\"name\": \"mine\", \"x\": [1,2,],}, // why\n\t], // end\n}\n",
			one("a"),
			"// mine\n{\n\t// Use IntelliSense\n\t\"version\": \"0.2.0\", \"inputs\": [ ],\n\t\"configurations\": [ // here\n" +
				"\t\t{\n\t\t\t\"name\": \"debuggable: a\",\n\t\t\t\"port\": 1\n\t\t},\n\t\t/* first */ {\"name\": \"mine\", " +
				"\"x\": [1,2,],}, // why\n\t], // end\n}\n",
		},
		"what is gone, and what is changed": {
			"{\"configurations\": [\n  {\"name\": \"debuggable: gone\"}, // of mine\n  {\"name\": \"mine\"},\n" +
				"  {\"name\": \"debuggable: a\", \"port\": 7}\n]}",
			one("a"),
			"{\"configurations\": [ // of mine\n  {\"name\": \"mine\"},\n  {\n    \"name\": \"debuggable: a\",\n" +
				"    \"port\": 1\n  }\n]}",
		},
		"what says the same already": {
			"{\"configurations\": [{ \"port\":1, /* fine */ \"name\": \"debuggable: a\" }]}", one("a"),
			"{\"configurations\": [{ \"port\":1, /* fine */ \"name\": \"debuggable: a\" }]}",
		},
		"the last one goes": {
			"{\"configurations\": [\n    {\"name\": \"mine\"}, // about mine\n    {\"name\": \"debuggable: a\"}\n]}", nil,
			"{\"configurations\": [\n    {\"name\": \"mine\"} // about mine\n]}",
		},
		"without configurations": {
			"{\r\n    \"version\": \"0.2.0\" // v\r\n}", one("a"),
			"{\r\n    \"configurations\": [\r\n        {\r\n            \"name\": \"debuggable: a\",\r\n" +
				"            \"port\": 1\r\n        }\r\n    ],\r\n    \"version\": \"0.2.0\" // v\r\n}",
		},
		"an empty object": {"{}", one("a"), "{\n  \"configurations\": [\n    {\n      \"name\": \"debuggable: a\",\n" +
			"      \"port\": 1\n    }\n  ]\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mergeLaunch([]byte(test.old), ours, test.wanted, true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestMergeLaunchErrors(t *testing.T) {
	for old, want := range map[string]string{
		"{\n \"version\": \"0.2.0\",\n \"configurations\": [\n  {\"name\": }\n ]\n}": "line 4",
		"{\n \"configurations\": {}\n}": "line 2: configurations is not " +
			"an array",
		"\n[]": "line 2: want an object",
		"{\"configurations\": [],\n\"configurations\": []}": "line 2: configurations is there twice",
		"{\n \"configurations\": [":                         "line 2",
	} {
		if got, err := mergeLaunch([]byte(old), ours, one("a"), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error with %s", old, got, err, want)
		}
	}
}

// TestMergeLaunchProperties makes files of all sorts, and checks: what is not ours stays, with its comments; merging
// twice is merging once; taking ours out again leaves what JSON takes for the file as it was.
func TestMergeLaunchProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	for range 3000 {
		n := 0
		space := func() string {
			switch r.IntN(6) {
			case 0:
				return "\n\t\t"
			case 1:
				n++
				return fmt.Sprintf(" // comment %d;\n", n)
			case 2:
				n++
				return fmt.Sprintf("/* comment %d; */", n)
			case 3:
				return "\r\n    "
			}
			return pick("", " ")
		}
		var elements []string
		for i := range r.IntN(5) {
			elements = append(elements,
				space()+pick(fmt.Sprintf(`{"name":%s"other %d"%s}`, space(), i, space()), `{"name": "debuggable: a"}`,
					`{"name": "debuggable: b", "port": 2}`, `{"name": "debuggable: gone"}`)+space())
		}
		comma := ""
		if len(elements) > 0 {
			comma = pick("", ","+space())
		}
		old := fmt.Sprintf(`%s{%s"version": "0.2.0"%s,%s"configurations":%s[%s%s%s]%s}%s`, space(), space(), space(),
			space(), space(),
			strings.Join(elements, ","), comma, space(), space(), space())
		if _, err := hujson.Parse([]byte(old)); err != nil {
			t.Fatalf("%s: %v", old, err)
		}
		merged, err := mergeLaunch([]byte(old), ours, one("a", "b"), true)
		if err != nil {
			t.Fatalf("%s: %v", old, err)
		}
		for i := 1; i <= n; i++ {
			if comment := fmt.Sprintf(" comment %d;", i); strings.Count(old, comment) != strings.Count(string(merged), comment) {
				t.Fatalf("%q is lost:\n%s\nbecame\n%s", comment, old, merged)
			}
		}
		if got, want := others(t, merged), others(t, []byte(old)); !cmp.Equal(got, want) {
			t.Fatalf("others' entries changed:\n%s\nbecame\n%s", old, merged)
		}
		again, err := mergeLaunch(merged, ours, one("a", "b"), true)
		if err != nil || !bytes.Equal(again, merged) {
			t.Fatalf("merged twice:\n%s\nbecame\n%s (%v)", merged, again, err)
		}
		removed, err := mergeLaunch(merged, ours, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := others(t, removed), others(t, []byte(old)); !cmp.Equal(got, want) ||
			bytes.Contains(removed, []byte(prefix)) {
			t.Fatalf("ours taken out of\n%s\nleaves\n%s", merged, removed)
		}
	}
}

// others are the texts of the configurations that are not ours.
func others(t *testing.T, text []byte) []string {
	t.Helper()
	v, err := hujson.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	standard := v.Clone()
	standard.Standardize()
	if !json.Valid(standard.Pack()) {
		t.Fatalf("%s: not JSON", text)
	}
	var all []string
	for _, e := range v.Find("/configurations").Value.(*hujson.Array).Elements {
		if name, kind := nameOf(e); !ours(name, kind) {
			e.BeforeExtra, e.AfterExtra = nil, nil
			all = append(all, string(e.Pack()))
		}
	}
	return all
}
