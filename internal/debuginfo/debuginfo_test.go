package debuginfo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The documentation of "skaffold debug" gives this value as its example.
const documented = `{"web":{"artifact":"gcr.io/random/image","runtime":"go","workingDir":"/some/path",` +
	`"ports":{"dlv":56268}}}`

func TestEncode(t *testing.T) {
	entries := []Entry{
		{"web", Container{Artifact: "gcr.io/random/image", Runtime: "go", WorkingDir: "/some/path",
			Ports: map[string]int32{"dlv": 56268}}},
	}
	if diff := cmp.Diff(documented, Encode(entries)); diff != "" {
		t.Error(diff)
	}
	entries = []Entry{{"z", Container{Runtime: "netcore"}},
		{"a<b>", Container{Ports: map[string]int32{"jdwp": 5005, "dap": 5678}}}}
	if diff := cmp.Diff(`{"z":{"runtime":"netcore"},"a<b>":{"ports":{"dap":5678,"jdwp":5005}}}`,
		Encode(entries)); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeErrors(t *testing.T) {
	for value, want := range map[string]string{
		"":                                  "it is empty",
		"[]":                                "want an object of containers",
		`{"web":1}`:                         `of container "web"`,
		`{"web":{"ports":{"dlv":70000}}}`:   "not between 1 and 65535",
		`{"web":{}} {}`:                     "text after the closing brace",
		"null":                              "want an object of containers",
		`{"web":{`:                          `of container "web": the JSON ends early`,
		`{"web":`:                           `of container "web": the JSON ends early`,
		`{"web":{}`:                         "the JSON ends early",
		`{"web":[]}`:                        `of container "web": want an object, got: array`,
		`{"web":{"runtime":1}}`:             "runtime: want a string, got: number",
		`{"web":{"ports":{"dlv":"56268"}}}`: "want a whole number, got: string",
		`{"web":{"ports":{"dlv":1.5}}}`:     "want a whole number, got: number 1.5",
		`{"web":{"ports":{"dlv":1e10}}}`:    "want a whole number, got: number 1e10",
		`{"web":{"ports":["dlv"]}}`:         "ports: want an object of ports, got: array",
	} {
		if _, err := Decode(value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", value, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(documented)
	f.Add(`{"a":{"other":[1]},"a":{"runtime":"jvm"}}`)
	f.Fuzz(func(t *testing.T, value string) {
		entries, err := Decode(value)
		if err != nil {
			return
		}
		again, err := Decode(Encode(entries))
		if err != nil {
			t.Fatalf("%q: what was encoded is refused: %v", value, err)
		}
		for i, e := range entries {
			if len(e.Ports) == 0 {
				entries[i].Ports = nil // empty ones are left out
			}
		}
		if diff := cmp.Diff(entries, again); diff != "" {
			t.Fatalf("%q: %s", value, diff)
		}
	})
}
