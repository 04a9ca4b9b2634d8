package runtimes

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestOneFolderAndOneLine adds a language that there is not, by its folder and a line in the list of languages (and the
// import that Go wants for it), to the program as it is, and looks at everything that has to follow from that.
func TestOneFolderAndOneLine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program anew")
	}
	list, err := os.ReadFile("runtimes.go")
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(list), "\tgolang.Language(),\n", "\tgolang.Language(),\n\tquux.Language(),\n", 1)
	with = strings.Replace(with, "import (\n", "import (\n\t\"debuggable.dev/debuggable/runtimes/quux\"\n", 1)
	dir := t.TempDir()
	changed := filepath.Join(dir, "runtimes.go")
	if err := os.WriteFile(changed, []byte(with), 0o644); err != nil {
		t.Fatal(err)
	}
	at := func(elem ...string) string {
		path, err := filepath.Abs(filepath.Join(elem...))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		at("runtimes.go"):      changed,
		at("quux", "quux.go"):  at("testdata", "quux", "quux.go"),
		at("quux_test.go"):     at("testdata", "quux", "quux_hint.go"),
		at("shape_test.go"):    "",
		at("runtimes_test.go"): "",
		at("real_test.go"):     "",
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "debuggable")
	run := func(ok bool, name string, args ...string) (stdout, stderr string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "UPDATE=")
		var out, problems strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &problems
		if err := cmd.Run(); (err == nil) != ok {
			t.Fatalf("%s %q: %v\n%s%s", name, args, err, out.String(), problems.String())
		}
		return out.String(), problems.String()
	}
	// Without the paths, which are new ones each time, and without watch, what was compiled before serves again.
	run(true, "go", "build", "-trimpath", "-tags=nowatch", "-ldflags=-s -w", "-overlay", file, "-o", program, "..")

	manifests, report := run(true, program, "--offline", "--support-registry", "example.com/debug", "--runtime", "b=quux",
		"--image-configs", at("testdata", "quux", "images.yaml"), "-f", at("testdata", "quux", "k8s.yaml"))
	for _, sign := range []string{"by-program", "by-annotation", "by-setting", "clean-env"} {
		if !regexp.MustCompile(`ok +Pod/` + sign + ` +app +quux, qdb on port 4711`).MatchString(report) {
			t.Errorf("%s: %s", sign, report)
		}
	}
	for wanted, times := range map[string]int{
		"image: example.com/debug/quux":        4, // its support files
		"name: install-quux-debug-support":     4,
		"QUUXOPT=-listen=4711, quux, main.qx]": 1, // what env -i would hide
		"containerPort: 4711":                  4,
	} {
		if got := strings.Count(manifests, wanted); got != times {
			t.Errorf("%q stands %d times, want %d, in\n%s", wanted, got, times, manifests)
		}
	}
	if help, _ := run(true, program, "--help"); !strings.Contains(help, "qdb") {
		t.Error("the help does not name its protocol")
	}
	// The documentation's test fails for the row that it lacks, the only one to.
	said, _ := run(false, "go", "test", "-trimpath", "-vet=off", "-v", "-overlay", file, "-run",
		"TestQuuxHint|TestDocumentationIsFresh", ".")
	for _, wanted := range []string{"--- PASS: TestQuuxHint", "| `quux` | `qx` | `quux` | `QUUX_VERSION` |"} {
		if !strings.Contains(said, wanted) {
			t.Errorf("%s is missing in\n%s", wanted, said)
		}
	}
}

// elsewhere are the files outside of languages' folders whose facts are not the languages' own, and why.
var elsewhere = map[string]string{
	"internal/image/entryfiles.go": "keys of lock files",
	"internal/image/files":         "what is read from executables",
	"internal/ide":                 "how editors call their own entries",
	"internal/dap":                 "requests of debuggers' own",
	"internal/launch/launchers.go": "launchers that are programs of a language",
	"internal/reason/table.go":     "the documentation's words",
	"internal/buildimage":          "runs the Go toolchain",
	"internal/release":             "runs the Go toolchain",
}

// TestLanguagesStayInTheirFolders looks for the names of languages, protocols and variables as string literals in Go
// code outside of the languages' folders. A name that is an English word counts when it is the whole literal only.
func TestLanguagesStayInTheirFolders(t *testing.T) {
	var words []string
	for _, r := range All() {
		words = append(words, slices.Concat(r.Names, r.Variables, r.Signs.Strong, r.Signs.Weak)...)
		for _, p := range r.Protocols {
			words = append(words, p.Name)
		}
	}
	words = append(words, "Delve", "debugpy", "vsdbg")
	english := []string{"go", "node", "python", "java", "dap", "bun", "ruby", ".net", "npm"}
	named := map[string]*regexp.Regexp{}
	for _, w := range words {
		if !slices.Contains(english, w) {
			named[w] = regexp.MustCompile(`\b` + regexp.QuoteMeta(w) + `\b`)
		}
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		if d.IsDir() {
			own := ByName(d.Name()) != nil || d.Name() == "golang"
			if slices.Contains([]string{"e2e", "support", "testdata", "dist", "examples", "internal/equivalence"}, name) ||
				d.Name() == "testdata" || strings.HasPrefix(name, "runtimes/") && own || len(d.Name()) > 2 && d.Name()[0] == '.' {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		for excused := range elsewhere {
			if strings.HasPrefix(name, excused) {
				return nil
			}
		}
		return literals(path, func(at token.Position, text string) {
			for _, w := range words {
				if text == "."+w {
					continue // the extension of its files
				}
				if text == w || strings.Contains(text, w) && named[w] != nil && named[w].MatchString(text) {
					t.Errorf("%s: %s stands in %q", at, w, text)
				}
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// literals calls f for each string literal of a Go file but its imports.
func literals(path string, f func(token.Position, string)) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if _, imported := n.(*ast.ImportSpec); imported {
			return false
		}
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				f(fset.Position(lit.Pos()), text)
			}
		}
		return true
	})
	return nil
}
