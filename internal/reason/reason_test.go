package reason

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/generated"
)

func TestDocumentationIsFresh(t *testing.T) {
	var b strings.Builder
	b.WriteString("| reason | severity | means | what to do |\n| --- | --- | --- | --- |\n")
	for _, e := range Table() {
		b.WriteString("| `" + string(e.Code) + "` | " + string(e.Severity) + " | " + e.Means + " | " + e.Do + " |\n")
	}
	generated.Section(t, "../../docs/runtimes.md", "reasons", b.String())
}

// TestTableIsComplete compares the constants with the table, in both directions, and looks for each in the program.
func TestTableIsComplete(t *testing.T) {
	declared := map[Code]bool{}
	source, err := os.ReadFile("table.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +Code = "(\w+)"$`).FindAllStringSubmatch(string(source), -1) {
		if m[1] != m[2] {
			t.Errorf("the constant of %s is named %s", m[2], m[1])
		}
		declared[Code(m[2])] = true
	}
	program := program(t)
	for _, e := range Table() {
		if !declared[e.Code] {
			t.Errorf("%s is in the table twice, or is no constant", e.Code)
		}
		delete(declared, e.Code)
		if !strings.Contains(program, "reason."+string(e.Code)) {
			t.Errorf("nothing gives %s", e.Code)
		}
		if e.Means == "" || e.Do == "" || strings.ContainsAny(e.Means+e.Do, "|\n") {
			t.Errorf("%s: %q, %q", e.Code, e.Means, e.Do)
		}
	}
	for code := range declared {
		t.Errorf("%s is not in the table", code)
	}
	if m := regexp.MustCompile(`reason\.Code\("|Code: +"|"reason": +"`).FindString(program); m != "" {
		t.Errorf("a code is written as a string: %s", m)
	}
}

// program is the program's Go source, without this package's and without tests.
func program(t *testing.T) string {
	var b strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() &&
			(d.Name() == "reason" || d.Name() == "e2e" || d.Name() == "support" || strings.HasPrefix(d.Name(), ".") &&
				len(d.Name()) > 2):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			data, err := os.ReadFile(path)
			b.Write(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLookup(t *testing.T) {
	if e, ok := Lookup("programnotapath"); !ok || e.Code != ProgramNotAPath {
		t.Errorf("got %+v, %v", e, ok)
	}
	if _, ok := Lookup("Programmnotapath"); ok {
		t.Error("found a code that there is not")
	}
}
