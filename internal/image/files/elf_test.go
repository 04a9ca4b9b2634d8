package files

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build compiles a module of two lines, its main package below the module's directory, and returns the directory and
// the program.
func build(t testing.TB, args ...string) (dir string, program []byte) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module example.com/web\n\ngo 1.26\n",
		"cmd/server/main.go": "package main\n\nfunc main() { println() }\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "server")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, args...), "./cmd/server")...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS=linux")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if program, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	return dir, program
}

func TestReadGo(t *testing.T) {
	for name, c := range map[string]struct {
		args       []string
		none       bool
		optimised  bool
		compileDir string // "" for the directory itself
	}{
		"plain":          {nil, false, true, ""},
		"for debugging":  {[]string{"-gcflags=all=-N -l"}, false, false, ""},
		"stripped":       {[]string{"-ldflags=-s"}, true, false, "-"},
		"without DWARF":  {[]string{"-ldflags=-w"}, true, false, "-"},
		"paths trimmed":  {[]string{"-trimpath"}, false, true, "example.com/web"},
		"not compressed": {[]string{"-ldflags=-compressdwarf=false"}, false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, program := build(t, c.args...)
			g := ReadGo(bytes.NewReader(program))
			if g == nil {
				t.Fatal("not taken for a Go program")
			}
			want := c.compileDir
			switch want {
			case "":
				want = dir
			case "-":
				want = ""
			}
			if !strings.HasPrefix(g.Version, "go1.") || g.Module != "example.com/web" ||
				g.Package != "example.com/web/cmd/server" ||
				(g.DebugInfo == 0) != c.none || g.Optimised != c.optimised || g.CompileDir != want {
				t.Errorf("got %+v, want the directory %s", *g, want)
			}
		})
	}
}

// elf is the beginning of a program that is none of Go.
const elfHeader = "\x7fELF\x02\x01\x01\x00"

func TestRecognise(t *testing.T) {
	config := `{"runtimeOptions":{"tfm":"net8.0","framework":{"name":"Microsoft.NETCore.App","version":"8.0.4"}}}`
	for name, c := range map[string]struct {
		layers [][]string
		path   string
		want   func(File) bool
	}{
		"native": {[][]string{{"file app " + elfHeader}}, "/app", func(f File) bool { return f.Native }},
		".NET host": {
			[][]string{{"file srv/app " + elfHeader, "plain srv/app.dll x", "plain srv/app.runtimeconfig.json " + config}},
			"/srv/app", func(f File) bool { return f.Netcore != nil && f.Netcore.Version == "8.0.4" && !f.Native }},
		"host without one": {[][]string{{"file srv/app " + elfHeader, "plain srv/app.dll x"}}, "/srv/app", func(f File) bool {
			return f.Native
		}},
		"a host that names its " +
			"application": {
			[][]string{{"plain srv/app.dll x", "plain srv/app.runtimeconfig.json " + config},
				{"file srv/app " + elfHeader + "app.dll\x00"}},
			"/srv/app", func(f File) bool { return f.Netcore != nil }},
		"packed into one": {[][]string{{"file app " + elfHeader + "\x01\x00\x00\x00\x00\x00\x00\x00" + string(bundleMarker)}},
			"/app", func(f File) bool { return f.Netcore != nil }},
		"package.json": {[][]string{{`plain app/package.json {"name":"web","scripts":{"start":"node x.js","n":1}}`}},
			"/app/package.json",
			func(f File) bool {
				return f.Package.Name == "web" && f.Package.Scripts["start"] == "node x.js" && len(f.Package.Scripts) == 1
			}},
		"no package.json": {[][]string{{`plain app/package.json [`}}, "/app/package.json", func(f File) bool {
			return f.Package == nil && !f.Says()
		}},
		"data":  {[][]string{{"file a data"}}, "/a", func(f File) bool { return !f.Says() }},
		"empty": {[][]string{{"file a"}}, "/a", func(f File) bool { return !f.Says() }},
	} {
		var layers []Layer
		for _, lines := range c.layers {
			layers = append(layers, layerOf(t, "gzip", lines...))
		}
		s := New(context.Background(), layers, 0)
		f, err := s.Find(c.path)
		if err != nil || !c.want(f) {
			t.Errorf("%s: got %+v, %v", name, f, err)
		}
		s.Close()
	}
}

func BenchmarkReadGo(b *testing.B) {
	_, program := build(b)
	for b.Loop() {
		ReadGo(bytes.NewReader(program))
	}
}

func FuzzReadGo(f *testing.F) {
	f.Add([]byte(elfHeader))
	f.Add(craft(buildInfo(""), []section{{".debug_info", compileUnit("main", 0), 0}, {".debug_abbrev", abbreviations, 0},
		{".debug_line", lineTable([]byte{1, 8}, 1, "/src\x00\x02\x01\x08\x02\x0b\x01main.go\x00\x00"), 0}}, section{}))
	f.Fuzz(func(_ *testing.T, b []byte) { ReadGo(bytes.NewReader(b)) })
}

func FuzzReadScript(f *testing.F) {
	f.Add([]byte("#!/usr/bin/env -S node --a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		script, words := ReadScript(b)
		if script != "" && len(words) > 0 || len(script) > MaxScript || len(words) == 1 && words[0] == "" {
			t.Errorf("%q, %q", script, words)
		}
	})
}
