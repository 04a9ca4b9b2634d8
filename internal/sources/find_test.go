package sources

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"debuggable.dev/debuggable/internal/image/files"
)

// write writes files, by path, below a directory.
func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// image makes an image of layers of files; a name with a trailing ! is of an executable, one of white-out is .wh.NAME.
func image(t *testing.T, layers ...map[string]string) []files.Layer {
	t.Helper()
	var all []files.Layer
	for _, content := range layers {
		all = append(all, layer(t, func(w *tar.Writer) {
			for name, content := range content {
				add(t, w, name, content)
			}
		}))
	}
	return all
}

func layer(t *testing.T, fill func(w *tar.Writer)) files.Layer {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	fill(w)
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return files.Layer{Name: "test", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}}
}

func add(t *testing.T, w *tar.Writer, name, content string) {
	t.Helper()
	h := &tar.Header{Name: strings.TrimSuffix(name, "!"), Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}
	if strings.HasSuffix(name, "!") {
		h.Mode = 0o755
	}
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
}

func text(what string) string {
	return fmt.Sprintf("this is the text of %s, long enough to tell\n", what)
}

func sourceMap(sources ...string) string {
	data, _ := json.Marshal(map[string]any{"version": 3, "sources": sources, "mappings": ""})
	return string(data)
}

func mapWithContent(source, content string) string {
	data, _ := json.Marshal(map[string]any{"version": 3, "sources": []string{source}, "sourcesContent": []string{content},
		"mappings": ""})
	return string(data)
}

func TestFind(t *testing.T) {
	scripts, compiled := []string{".py"}, []string{".js", ".mjs", ".cjs", ".ts", ".tsx"}
	for name, test := range map[string]struct {
		tree       map[string]string
		layers     []map[string]string
		workingDir string
		extensions []string
		want       Found // Local is relative to the tree
	}{
		"a script": {
			tree: map[string]string{"app.py": text("app")}, layers: []map[string]string{{"app/app.py": text("app")}},
			extensions: scripts,
			want:       Found{Mappings: []Mapping{{"", "/app"}}, Evidence: "the content of 1 file", Compared: 1},
		},
		"a service of a monorepo, one file of which is stale": {
			tree: map[string]string{
				"services/cart/src/a.py": text("a"), "services/cart/src/b/c.py": text("c"),
				"services/cart/src/d.py": text("d, changed"),
				"services/pay/src/a.py":  text("a of pay"), "services/pay/src/d.py": text("d of pay"),
			},
			layers:     []map[string]string{{"srv/a.py": text("a"), "srv/b/c.py": text("c"), "srv/d.py": text("d")}},
			extensions: scripts,
			want: Found{Mappings: []Mapping{{"services/cart/src", "/srv"}}, Evidence: "the contents of 2 files", Compared: 3,
				Differ: []string{"/srv/d.py"}},
		},
		"two services with a file in common": {
			tree: map[string]string{
				"a/log.py": text("log"), "a/app.py": text("a"), "b/log.py": text("log"), "b/app.py": text("b"),
			},
			layers:     []map[string]string{{"app/log.py": text("log"), "app/app.py": text("b")}},
			extensions: scripts,
			want:       Found{Mappings: []Mapping{{"b", "/app"}}, Evidence: "the contents of 2 files", Compared: 2},
		},
		"the same name alone tells nothing": {
			tree: map[string]string{"app.py": text("one")}, layers: []map[string]string{{"app/app.py": text("two")}},
			extensions: scripts,
			want: Found{Guess: true, Mappings: []Mapping{{"", "/remote"}},
				Missing: "no file of the image is among the sources"},
		},
		"empty files tell nothing": {
			tree: map[string]string{"x/__init__.py": ""}, layers: []map[string]string{{"usr/lib/y/__init__.py": ""}},
			extensions: scripts,
			want: Found{Guess: true, Mappings: []Mapping{{"", "/remote"}},
				Missing: "no file of the image is among the sources"},
		},
		"an installed package": {
			tree: map[string]string{"src/cart/a.py": text("a"), "src/cart/b.py": text("b")},
			layers: []map[string]string{
				{"usr/lib/python3/site-packages/cart/a.py": text("a"), "usr/lib/python3/site-packages/cart/b.py": text("b")}},
			extensions: scripts,
			want: Found{Mappings: []Mapping{{"src", "/usr/lib/python3/site-packages"}},
				Evidence: "the contents of 2 files", Compared: 2},
		},
		"put together from two places": {
			tree: map[string]string{
				"cart/a.py": text("a"), "cart/b.py": text("b"), "cart/c.py": text("c"), "libs/common/x.py": text("x"),
				"libs/common/y.py": text("y"),
			},
			layers: []map[string]string{
				{"app/a.py": text("a"), "app/b.py": text("b"), "app/c.py": text("c"), "app/shared/x.py": text("x"),
					"app/shared/y.py": text("y")},
			},
			extensions: scripts,
			want: Found{Mappings: []Mapping{{"cart", "/app"}, {"libs/common", "/app/shared"}},
				Evidence: "the contents of 5 files",
				Compared: 5},
		},
		"a later layer counts": {
			tree:       map[string]string{"app.py": text("new")},
			layers:     []map[string]string{{"app/app.py": text("old")}, {"app/app.py": text("new")}},
			extensions: scripts,
			want:       Found{Mappings: []Mapping{{"", "/app"}}, Evidence: "the content of 1 file", Compared: 1},
		},
		"what is deleted does not": {
			tree:       map[string]string{"app.py": text("app")},
			layers:     []map[string]string{{"app/app.py": text("app")}, {"app/.wh.app.py": ""}},
			extensions: scripts,
			want: Found{Guess: true, Mappings: []Mapping{{"", "/remote"}},
				Missing: "nothing is known of the image's files"},
		},
		"compiled, with source maps that hold the sources": {
			tree: map[string]string{"cart/src/a.ts": text("a.ts"), "pay/src/a.ts": text("another a.ts")},
			layers: []map[string]string{{
				"usr/src/app/dist/a.js":     "//# sourceMappingURL=a.js.map",
				"usr/src/app/dist/a.js.map": mapWithContent("../src/a.ts", text("a.ts")),
			}},
			extensions: compiled,
			want:       Found{Mappings: []Mapping{{"cart", "/usr/src/app"}}, Evidence: "the content of 1 file", Compared: 1},
		},
		"compiled, with source maps that name the sources": {
			tree: map[string]string{"cart/src/a.ts": text("a.ts"), "cart/src/b.ts": text("b.ts"),
				"pay/src/a.ts": text("another a.ts")},
			layers: []map[string]string{{
				"usr/src/app/dist/a.js":     "",
				"usr/src/app/dist/a.js.map": sourceMap("../src/a.ts", "../src/b.ts", "webpack://x/y.ts"),
			}},
			extensions: compiled,
			want:       Found{Mappings: []Mapping{{"cart", "/usr/src/app"}}, Evidence: "the contents of 2 files", Compared: 2},
		},
		"copied without being compiled": {
			tree: map[string]string{"services/cart/src/a.js": text("a"), "services/cart/src/lib/b.js": text("b"),
				"node_modules/x/a.js": text("a")},
			layers: []map[string]string{
				{"usr/src/app/dist/a.js": text("a"), "usr/src/app/dist/lib/b.js": text("b"),
					"usr/src/app/node_modules/x/a.js": text("a")}},
			extensions: compiled,
			want: Found{Mappings: []Mapping{{"services/cart/src", "/usr/src/app/dist"}},
				Evidence: "the contents of 2 files", Compared: 2},
		},
		"the working directory settles a tie": {
			tree:       map[string]string{"app.py": text("app")},
			layers:     []map[string]string{{"a/app.py": text("app"), "srv/app.py": text("app")}},
			workingDir: "/srv", extensions: scripts,
			want: Found{Mappings: []Mapping{{"", "/srv"}}, Evidence: "the content of 1 file", Compared: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree, err := ReadTree(write(t, t.TempDir(), test.tree))
			if err != nil {
				t.Fatal(err)
			}
			img, err := ReadImage(t.Context(), image(t, test.layers...), []*Tree{tree}, Wanted{Extensions: test.extensions})
			if err != nil {
				t.Fatal(err)
			}
			img.WorkingDir = test.workingDir
			got := Find([]*Tree{tree}, img, test.extensions, tree.Root, "/remote")
			for i := range test.want.Mappings {
				test.want.Mappings[i].Local = filepath.Join(tree.Root, test.want.Mappings[i].Local)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestDifference(t *testing.T) {
	f := Found{Compared: 14, Differ: []string{"/app/a.py"}}
	if got, want := f.Difference(), "the image was built from other sources: 1 of 14 files (/app/a.py)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestProgram builds programs in the ways that paths get into them, and finds their module's directory again.
func TestProgram(t *testing.T) {
	build := write(t, t.TempDir(), map[string]string{
		"services/web/go.mod":             "module example.com/acme/web // the module\n\ngo 1.26\n",
		"services/web/cmd/server/main.go": "package main\n\nfunc main() { println(1) }\n",
		"services/web/main.go":            "package main\n\nfunc main() { println(2) }\n",
	})
	local := write(t, t.TempDir(), map[string]string{
		"services/web/go.mod": "module \"example.com/acme/web\"\n", "services/web/cmd/server/main.go": "",
		"services/web/main.go": "",
		"services/pay/go.mod":  "module example.com/acme/pay\n",
		"old/go.mod":           "module example.com/acme/web\n",
	})
	tree, err := ReadTree(local)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		pkg, from string
		flags     []string
		want      string
	}{
		"plain":           {".", "services/web", nil, filepath.Join(build, "services/web")},
		"package":         {"./cmd/server", "services/web", nil, filepath.Join(build, "services/web")},
		"in the package":  {".", "services/web/cmd/server", nil, filepath.Join(build, "services/web")},
		"trimmed":         {".", "services/web", []string{"-trimpath"}, "example.com/acme/web"},
		"trimmed package": {"./cmd/server", "services/web", []string{"-trimpath"}, "example.com/acme/web"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "server")
			cmd := exec.Command("go",
				append(append([]string{"build", "-buildvcs=false", "-o", out}, test.flags...), test.pkg)...)
			cmd.Dir = filepath.Join(build, test.from)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
			if msg, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, msg)
			}
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			img, err := ReadImage(t.Context(), image(t, map[string]string{"bin/server!": string(data), "bin/sh!": "no program"}),
				[]*Tree{tree},
				Wanted{Program: true, Started: []string{"/bin/server"}})
			if err != nil {
				t.Fatal(err)
			}
			got := Find([]*Tree{tree}, img, nil, tree.Root, "/remote")
			want := Found{Mappings: []Mapping{{filepath.Join(tree.Root, "services/web"), test.want}},
				Evidence: "module example.com/acme/web"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestBrokenProgram(t *testing.T) {
	for _, data := range []string{"", "\x7fELF", "\x7fELF" + strings.Repeat("\x01", 200)} {
		if p, ok := ReadProgram(strings.NewReader(data)); ok {
			t.Errorf("%q: %+v", data, p)
		}
	}
}

func TestReadTree(t *testing.T) {
	outside := write(t, t.TempDir(), map[string]string{"secret.py": text("secret")})
	dir := write(t, t.TempDir(), map[string]string{"a.py": text("a")})
	for link, target := range map[string]string{"loop": ".", "out": outside, "gone": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := ReadTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.files) != 1 {
		t.Errorf("it has %v", tree.files)
	}
	if _, err := ReadTree(filepath.Join(dir, "a.py")); err == nil {
		t.Error("a file passes for a directory")
	}
	if _, err := ReadTree(filepath.Join(dir, "none")); err == nil {
		t.Error("what does not exist passes for a directory")
	}
}
