package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDependenciesAreExplained wants each module that the program depends on in the table that says what for.
func TestDependenciesAreExplained(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(repository(t), name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, table, _ := strings.Cut(read("docs/design.md"), "## Dependencies")
	found := 0
	for line := range strings.Lines(read("go.mod")) {
		words := strings.Fields(line)
		if len(words) != 2 || !strings.HasPrefix(words[1], "v") {
			continue // others say that they are indirect
		}
		found++
		if !strings.Contains(table, words[0]) {
			t.Errorf("docs/design.md does not say what %s is for", words[0])
		}
	}
	if found < 10 {
		t.Errorf("%d modules in go.mod", found)
	}
}
