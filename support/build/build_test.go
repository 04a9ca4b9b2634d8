package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"debuggable.dev/debuggable/internal/ociimage"
)

// TestBuild builds the image that needs no download, twice, pushes it, and looks at what is there.
func TestBuild(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	dir := t.TempDir()
	var digests []string
	for _, out := range []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")} {
		var stdout, stderr strings.Builder
		if err := run(t.Context(), []string{"-o", out, "-only", "nodejs", "-version", "1.2.3", "-push", host + "/debug"},
			&stdout, &stderr); err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		if flags := "--support-registry " + host + "/debug --support-tag 1.2.3"; !strings.Contains(stdout.String(), flags) {
			t.Errorf("it does not print %s:\n%s", flags, stdout.String())
		}
		l, err := layout.ImageIndexFromPath(filepath.Join(out, "nodejs"))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(l); err != nil {
			t.Error(err)
		}
		m, err := l.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Manifests) != 1 {
			t.Fatalf("the layout holds %v", m.Manifests)
		}
		digests = append(digests, m.Manifests[0].Digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds differ: %v", digests)
	}
	boms := [2][]byte{}
	for i, out := range []string{"a", "b"} {
		boms[i], _ = os.ReadFile(filepath.Join(dir, out, "nodejs.spdx.json"))
	}
	if len(boms[0]) == 0 || !bytes.Equal(boms[0], boms[1]) {
		t.Error("two SBOMs differ, or there are none")
	}

	for _, tag := range []string{"1.2.3", "latest"} {
		ref, err := name.ParseReference(host + "/debug/nodejs:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Index(ref)
		if err != nil {
			t.Fatal(err)
		}
		if d, _ := index.Digest(); d.String() != digests[0] {
			t.Errorf("%s is %s, not %s", ref, d, digests[0])
		}
		for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
			img, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
			if err != nil {
				t.Fatal(err)
			}
			checkImage(t, img, arch, machine)
		}
	}

	// The SBOM refers to the image.
	repo, err := name.NewRepository(host + "/debug/nodejs")
	if err != nil {
		t.Fatal(err)
	}
	referrers, err := remote.Referrers(repo.Digest(digests[0]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := referrers.IndexManifest()
	if err != nil || len(m.Manifests) != 1 || m.Manifests[0].ArtifactType != "application/spdx+json" {
		t.Errorf("the image's referrers are %+v, %v", m, err)
	}
	var bom spdxDocument
	if err := json.Unmarshal(boms[0], &bom); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(bom.Packages, func(p spdxPackage) bool {
		return p.Name == "golang.org/x/sys" &&
			p.Version != ""
	}) {
		t.Errorf("the SBOM lacks the installer's dependency: %+v", bom.Packages)
	}
}

func checkImage(t *testing.T, img v1.Image, arch string, machine elf.Machine) {
	t.Helper()
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if cf.Architecture != arch || cf.OS != "linux" || cf.Created.Unix() != 0 {
		t.Errorf("%s: the image is for %s/%s, made at %v", arch, cf.OS, cf.Architecture, cf.Created)
	}
	if c := cf.Config; !slices.Equal(c.Entrypoint, []string{"/install"}) || c.User != "65532:65532" ||
		c.Labels["org.opencontainers.image.version"] != "1.2.3" || c.Labels[labelPrefix+"runtime"] != "nodejs" {
		t.Errorf("%s: %+v", arch, c)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Name < last || h.ModTime.Unix() != 0 || h.Uid != 0 || h.Uname != "" {
				t.Errorf("%s depends on the machine or the order: %+v", h.Name, h)
			}
			last = h.Name
			data, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			files[h.Name] = string(data)
			// /install would give the copies these modes; a volume that is the image has to have them to begin with.
			if mode := h.Mode; mode != 0o755 && (mode != 0o644 || h.Typeflag == tar.TypeDir) {
				t.Errorf("%s has the mode %o, with which not every user can use it where it is", h.Name, mode)
			}
			program := h.Name == "install" || strings.HasPrefix(h.Name, "support/nodejs/bin/") && h.Typeflag == tar.TypeReg
			if program != (h.Typeflag == tar.TypeReg && h.Mode == 0o755) {
				t.Errorf("%s has the mode %o", h.Name, h.Mode)
			}
			if program {
				f, err := elf.NewFile(bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				if libs, _ := f.ImportedLibraries(); f.Machine != machine || len(libs) > 0 {
					t.Errorf("%s is for %v and needs %v", h.Name, f.Machine, libs)
				}
			}
		}
		r.Close()
	}
	for _, want := range []string{"install", "support/nodejs/bin/node", "support/nodejs/lib/attach.cjs",
		"support/nodejs/lib/tools.txt"} {
		if files[want] == "" {
			t.Errorf("%s: %s is missing", arch, want)
		}
	}
}

// archiveOf returns a tar.gz of files that say their names.
func archiveOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(name)),
			Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func TestNetcore(t *testing.T) {
	vsdbg, netcoredbg := archiveOf(t, "./vsdbg", "./lib/a.dll"),
		archiveOf(t, "netcoredbg/netcoredbg", "netcoredbg/libdbgshim.so")
	served := map[string][]byte{
		"/good/vsdbg-1-2-3-4/linux-x64.tar.gz": vsdbg, "/good/vsdbg-1-2-3-4/linux-arm64.tar.gz": vsdbg,
		"/empty/vsdbg-1-2-3-4/linux-x64.tar.gz": nil, "/other/vsdbg-1-2-3-4/linux-x64.tar.gz": netcoredbg,
		"/3.1.2-1054/netcoredbg-linux-amd64.tar.gz": netcoredbg, "/3.1.2-1054/netcoredbg-linux-arm64.tar.gz": netcoredbg,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := served[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write(data)
	}))
	defer server.Close()
	brought := t.TempDir()
	for _, rid := range []string{"linux-x64", "linux-arm64"} {
		if err := os.WriteFile(filepath.Join(brought, "vsdbg-"+rid+".tar.gz"), vsdbg, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	url := func(path string) []string {
		return []string{"-vsdbg-version", "1.2.3.4", "-vsdbg-url",
			server.URL + path + "vsdbg-{version-with-dashes}/{rid}.tar.gz"}
	}
	tests := map[string]struct {
		args      []string
		err, says string
		label     string // and what it says, of the image that is built
		files     []string
	}{
		"fetched": {args: append(url("/good/"), "-netcore=require"), label: "vsdbg 1.2.3.4",
			files: []string{"vsdbg", "lib/a.dll"}},
		"brought along": {args: []string{"-netcore=require", "-vsdbg-version", "9", "-vsdbg-url",
			brought + "/vsdbg-{rid}.tar.gz"}, label: "vsdbg 9", files: []string{"vsdbg", "lib/a.dll"}},
		"the free one": {args: []string{"-netcore=require", "-netcoredbg-version", "3.1.2-1054", "-netcoredbg-url",
			server.URL + "/{version}/netcoredbg-linux-{arch}.tar.gz"}, label: "netcoredbg 3.1.2-1054",
			files: []string{"netcoredbg", "libdbgshim.so"}},
		"not there":             {args: url("/none/"), says: "netcore: skipped, no image built"},
		"not there, but needed": {args: append(url("/none/"), "-netcore=require"), err: "404"},
		"no such file":          {args: []string{"-netcore=require", "-vsdbg-url", brought + "/none"}, err: "no such file"},
		"broken":                {args: append(url("/empty/"), "-netcore=require"), err: "unpacking"},
		"another program":       {args: append(url("/other/"), "-netcore=require"), err: "there is no program vsdbg in it"},
		"not tried":             {args: append(url("/none/"), "-netcore=skip")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			// What an earlier run left does not pass for this one's.
			if err := os.MkdirAll(filepath.Join(out, "netcore"), 0o755); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr strings.Builder
			err := run(t.Context(), append([]string{"-o", out, "-only", "netcore"}, test.args...), &stdout, &stderr)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("got error %v, want %q", err, test.err)
			}
			if !strings.Contains(stderr.String(), test.says) {
				t.Errorf("said %q, want %q", stderr.String(), test.says)
			}
			if test.label == "" {
				if entries, _ := os.ReadDir(filepath.Join(out, "netcore")); len(entries) > 0 {
					t.Errorf("left behind: %v", entries)
				}
				return
			}
			checkNetcore(t, filepath.Join(out, "netcore"), test.label, test.files)
		})
	}
}

// layoutImages returns those images that match of a layout that holds one index.
func layoutImages(t *testing.T, dir string, matches match.Matcher) []v1.Image {
	t.Helper()
	l, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	indexes, err := partial.FindIndexes(l, func(v1.Descriptor) bool { return true })
	if err != nil || len(indexes) != 1 {
		t.Fatalf("the layout holds %d indexes: %v", len(indexes), err)
	}
	images, err := partial.FindImages(indexes[0], matches)
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// checkNetcore looks into both platforms' images of a layout; the first of the files is the program.
func checkNetcore(t *testing.T, dir, label string, files []string) {
	t.Helper()
	images := layoutImages(t, dir, func(v1.Descriptor) bool { return true })
	if len(images) != 2 {
		t.Fatalf("the index holds %d images", len(images))
	}
	for _, img := range images {
		cf, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		key, value, _ := strings.Cut(label, " ")
		if cf.Config.Labels[labelPrefix+key] != value {
			t.Errorf("%s: labels %v", cf.Architecture, cf.Config.Labels)
		}
		modes := map[string]int64{}
		r := mutate.Extract(img)
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			modes[h.Name] = h.Mode
		}
		r.Close()
		for i, file := range files {
			want := map[bool]int64{true: 0o755, false: 0o644}[i == 0]
			if got := modes["support/netcore/"+file]; got != want {
				t.Errorf("%s: %s has the mode %o, want %o", cf.Architecture, file, got, want)
			}
		}
	}
}

func TestUntarRefusesPathsOutside(t *testing.T) {
	for _, name := range []string{"../x", "/etc/x", "a/../../x"} {
		var archive bytes.Buffer
		z := gzip.NewWriter(&archive)
		w := tar.NewWriter(z)
		w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg})
		w.Close()
		z.Close()
		if files, err := untar(archive.Bytes()); err == nil {
			t.Errorf("%s: %v", name, files)
		}
	}
}

func TestWheelsLock(t *testing.T) {
	data, err := os.ReadFile("../python/wheels.lock")
	if err != nil {
		t.Fatal(err)
	}
	wheels, err := parseLock(data)
	if err != nil {
		t.Fatal(err)
	}
	// Each Python from 3.8 on gets a debugger, in both modes, and a newer Python no older debugger.
	newest := map[string]string{}
	for _, w := range wheels {
		if w.oldest == "3.8" {
			newest[w.name+" for all"] = w.version
		}
		newest[w.name+" "+w.python+" "+w.arch()] = w.version
	}
	for _, want := range []string{"debugpy for all", "pydevd for all", "debugpy cp312 amd64", "debugpy cp38 amd64",
		"pydevd cp312 arm64"} {
		if newest[want] == "" {
			t.Errorf("no %s", want)
		}
	}
	for _, bad := range []string{"3.8 x", "3.8 x.whl " + strings.Repeat("0", 64), "3.8 a-1-cp3-cp3-x.whl 00"} {
		if _, err := parseLock([]byte(bad)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func wheelOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestOverlay(t *testing.T) {
	lib := sharedLibrary(t)
	tr := ociimage.Tree{}
	first := map[string]string{
		"d/a.py": "a", "d/x.cpython-312-x86_64-linux-gnu.so": lib, "d/x.cpython-312-aarch64-linux-gnu.so": lib,
		"d/x.c": "c", "d/x.cp39-win_amd64.pyd": "p", "d-1.dist-info/RECORD": "r", "d-1.dist-info/METADATA": "m",
		"d.libs/libc.so":                        "l",
		"d/pydevd_attach_to_process/inject.dll": "d", "d/pydevd_attach_to_process/__init__.py": "",
		"d/pydevd_attach_to_process/attach_linux_.so": lib,
	}
	second := map[string]string{"d/a.py": "a", "d/x.cpython-313-x86_64-linux-musl.so": lib, "d-1.dist-info/METADATA": "m2"}
	for _, w := range []map[string]string{first, second} {
		if err := overlay(tr, wheelOf(t, w), "d-1", "amd64"); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for name := range tr {
		got = append(got, name)
	}
	slices.Sort(got)
	want := []string{
		"d-1/d-1.dist-info/METADATA", "d-1/d/a.py", "d-1/d/pydevd_attach_to_process/__init__.py",
		"d-1/d/pydevd_attach_to_process/attach_linux_.so", "d-1/d/x.cpython-312-x86_64-linux-gnu.so",
		"d-1/d/x.cpython-313-x86_64-linux-musl.so",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if err := overlay(tr, wheelOf(t, map[string]string{"d/a.py": "b"}), "d-1", "amd64"); err == nil ||
		!strings.Contains(err.Error(), "d/a.py") {
		t.Errorf("two wheels that differ: %v", err)
	}
	if err := overlay(ociimage.Tree{}, wheelOf(t, map[string]string{"d/x.cpython-312-x86_64-linux-gnu.so": "no library"}),
		"d-1", "amd64"); err == nil {
		t.Error("no error for a broken library")
	}
	escaped := ociimage.Tree{}
	if err := overlay(escaped, wheelOf(t, map[string]string{"../../up.py": "x"}), "d-1", "amd64"); err != nil ||
		escaped["d-1/up.py"].Data == nil {
		t.Errorf("a path that leads out: %v, %v", escaped, err)
	}
}

// sharedLibrary builds a small shared library with the machine's C compiler.
func sharedLibrary(t *testing.T) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("cc is missing")
	}
	dir := t.TempDir()
	source, lib := filepath.Join(dir, "x.c"), filepath.Join(dir, "x.so")
	if err := os.WriteFile(source, []byte("int answer(void) { return 42; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), cc, "-g", "-shared", "-fPIC", "-o", lib,
		source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(lib)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A stripped library is smaller and still works.
func TestStripELF(t *testing.T) {
	lib := []byte(sharedLibrary(t))
	stripped, arch, err := stripELF(lib)
	if err != nil {
		t.Fatal(err)
	}
	if len(stripped) >= len(lib) || arch == "" {
		t.Errorf("%d bytes of %d, for %q", len(stripped), len(lib), arch)
	}
	file := filepath.Join(t.TempDir(), "x.so")
	if err := os.WriteFile(file, stripped, 0o755); err != nil {
		t.Fatal(err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is missing")
	}
	out, err := exec.CommandContext(context.Background(), python, "-c",
		"import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())", file).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "42" {
		t.Errorf("%s %v", out, err)
	}
	if _, _, err := stripELF(lib[:100]); err == nil {
		t.Error("no error for half a library")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-only", "perl"}, {"-netcore", "maybe"}, {"-version", "a b"}, {"x"}, {"-nope"},
		{"-push", "https://example.com/debug"}, {"-push", "example.com/debug:v1"}, {"-push", "example.com//debug"},
		{"-push", "a b"}, {"-push", "/"}} {
		var errw strings.Builder
		if _, err := parseFlags(args, &errw); err != errUsage || errw.Len() == 0 {
			t.Errorf("%v: %v, %q", args, err, errw.String())
		}
	}
}

// TestMakePush: a wrong REGISTRY is refused before anything is built, however it is written.
func TestMakePush(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	for registry, want := range map[string]string{
		"https://example.com/debug":  "leave out https://: example.com/debug",
		"example.com/debug:v1":       "is not a repository prefix",
		"example.com/debug and more": "is not a repository prefix",
		"":                           "say where to, with REGISTRY=registry.example.com/debug",
	} {
		out := filepath.Join(t.TempDir(), "out")
		cmd := exec.CommandContext(t.Context(), "make", "-C", "../..", "push", "REGISTRY="+registry, "SUPPORT="+out)
		said, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(said), want) {
			t.Errorf("REGISTRY=%s: %v\n%s", registry, err, said)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("REGISTRY=%s: something was built", registry)
		}
	}
}
