package functionconfig

import (
	"os"
	"strings"
	"testing"
)

// checkFile compares a generated file with what it should be; UPDATE=1 writes it anew.
func checkFile(t *testing.T, file, want string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale; UPDATE=1 go test ./function-config writes it anew", file)
	}
}

func TestSchemaFileIsFresh(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, "schema.yaml", string(want))
}

func TestDocumentedReferenceIsFresh(t *testing.T) {
	const file, begin, end = "../docs/function-config.md", "<!-- settings: generated -->\n", "<!-- settings: end -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks %q or %q", file, begin, end)
	}
	checkFile(t, file, before+begin+Reference()+end+after)
}
