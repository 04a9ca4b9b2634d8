package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestLinesAreShort holds the prose of all Markdown files to lines of 120 characters. A table's row is one line, and
// what a program prints stays as it is.
func TestLinesAreShort(t *testing.T) {
	files := 0
	err := filepath.WalkDir(repository(t), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules"}, entry.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fenced := false
		for i, line := range strings.Split(string(text), "\n") {
			start := strings.TrimSpace(line)
			if strings.HasPrefix(start, "```") {
				fenced = !fenced
			}
			if fenced || strings.HasPrefix(start, "|") {
				continue
			}
			if n := utf8.RuneCountInString(line); n > 120 {
				t.Errorf("%s:%d: %d characters", path, i+1, n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("%d Markdown files", files)
	}
}

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
