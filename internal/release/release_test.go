package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// TestRelease makes a release for this machine's platform, without the Kubernetes client so that it takes less time,
// and looks at each of its files as who downloads them would.
func TestRelease(t *testing.T) {
	dir, again := t.TempDir(), t.TempDir()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	for _, d := range []string{dir, again} {
		if err := run(t.Context(), []string{"-o", d, "-source", "../..", "-platforms", platform, "-tags", "nowatch"},
			io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	names := list(t, dir)
	archive, sbom := find(t, names, ".tar.gz"), find(t, names, ".cdx.json")
	if want := []string{archive, sbom, sums, program + ".yaml"}; !slices.Equal(sorted(names), sorted(want)) {
		t.Errorf("made %v, want %v", names, want)
	}
	for _, name := range names {
		if !bytes.Equal(read(t, dir, name), read(t, again, name)) {
			t.Errorf("%s is different the second time", name)
		}
	}
	for line := range strings.Lines(string(read(t, dir, sums))) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if got, err := sha256File(filepath.Join(dir, name)); err != nil || got != sum {
			t.Errorf("%s: %s, want %s (%v)", name, got, sum, err)
		}
	}

	files := unpack(t, read(t, dir, archive))
	if got := sorted(files); !slices.Equal(got, []string{"LICENSE", "README.md", program}) {
		t.Errorf("%s holds %v", archive, got)
	}
	binary := filepath.Join(t.TempDir(), program)
	if err := os.WriteFile(binary, files[program], 0o755); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), binary, "version").Output()
	version := strings.TrimSpace(strings.TrimPrefix(string(said), program+" "))
	if err != nil || !strings.Contains(archive, "_"+strings.Trim(strings.TrimPrefix(version, "v"), "()")+"_") {
		t.Errorf("%s says it is %q (%v)", archive, said, err)
	}

	var b bom
	if err := json.Unmarshal(read(t, dir, sbom), &b); err != nil {
		t.Fatal(err)
	}
	if b.Metadata.Component.Name != module || !slices.ContainsFunc(b.Components, func(c component) bool {
		return c.Name == "github.com/spf13/cobra" && strings.HasPrefix(c.URL, "pkg:golang/github.com/spf13/cobra@v1")
	}) {
		t.Errorf("the bill of materials is of %v and lists %d components", b.Metadata.Component, len(b.Components))
	}

	var k krewPlugin
	if err := yaml.UnmarshalStrict(read(t, dir, program+".yaml"), &k); err != nil {
		t.Fatal(err)
	}
	sum, err := sha256File(filepath.Join(dir, archive))
	if err != nil {
		t.Fatal(err)
	}
	if p := k.Spec.Platforms; len(p) != 1 || p[0].SHA256 != sum || !strings.HasSuffix(p[0].URI, "/"+archive) ||
		files[p[0].Bin] == nil {
		t.Errorf("Krew's manifest: %+v", k.Spec)
	}
}

// TestZip: Windows gets a zip file.
func TestZip(t *testing.T) {
	path := filepath.Join(t.TempDir(), program+".exe")
	if err := os.WriteFile(path, []byte("MZ"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := zipFile(&b, []string{path}, time.Unix(1700000000, 0).UTC()); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || len(z.File) != 1 || z.File[0].Name != program+".exe" || z.File[0].Mode() != 0o755 {
		t.Errorf("%v: %v", err, z)
	}
}

// TestPlatforms: the platforms that people have, in both architectures.
func TestPlatforms(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, architecture := range []string{"amd64", "arm64"} {
			if !slices.Contains(platforms(), system+"/"+architecture) {
				t.Errorf("there is none for %s on %s", system, architecture)
			}
		}
	}
}

func unpack(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func find(t *testing.T, names []string, suffix string) string {
	t.Helper()
	i := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, suffix) })
	if i < 0 {
		t.Fatalf("no %s among %v", suffix, names)
	}
	return names[i]
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sorted[T []string | map[string][]byte](names T) []string {
	var all []string
	switch n := any(names).(type) {
	case []string:
		all = slices.Clone(n)
	case map[string][]byte:
		for name := range n {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
