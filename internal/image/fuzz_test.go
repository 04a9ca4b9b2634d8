package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// FuzzArchive reads whatever bytes as an archive: no panic, and an end within the time of its context and beyond that
// little.
func FuzzArchive(f *testing.F) {
	dir := writeLayout(f, element{add: newIndex(f, "linux/amd64", "linux/arm64"), annotations: refName("web:v1")})
	for _, zip := range []bool{false, true} {
		for _, d := range []string{"", dir} {
			b, err := os.ReadFile(tarOf(f, d, zip, map[string][]byte{
				"manifest.json": []byte(`[{"Config":"config.json","RepoTags":["web:v1"],"Layers":["l"]}]`),
				"config.json":   []byte(`{"os":"linux","architecture":"amd64","config":{"Cmd":["/app"]}}`)}))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	var links bytes.Buffer
	w := tar.NewWriter(&links)
	for _, h := range []*tar.Header{
		{Name: "index.json", Typeflag: tar.TypeSymlink, Linkname: "manifest.json"},
		{Name: "manifest.json", Typeflag: tar.TypeLink, Linkname: "index.json"},
	} {
		if err := w.WriteHeader(h); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(links.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		file := filepath.Join(t.TempDir(), "a.tar")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		askEverything(t, NewArchive(file))
		askEverything(t, NewArchive("tied="+file))
	})
}

// FuzzLayoutIndex reads whatever bytes as the index.json of a layout, and as the index that one of its blobs is.
func FuzzLayoutIndex(f *testing.F) {
	dir := writeLayout(f, element{add: newIndex(f, "linux/amd64", "linux/arm64"), annotations: refName("web:v1")},
		element{add: newImage(f, "linux/amd64"), annotations: refName("v1")})
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, filepath.Join(dir, "index.json")) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if json.Valid(b) {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, "index.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		askEverything(t, NewLayout(dir))
		askEverything(t, NewLayout("tied="+dir))

		h, size, err := v1.SHA256(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		inner := t.TempDir()
		if err := os.MkdirAll(filepath.Join(inner, "blobs", "sha256"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(blobFile(inner, h), b, 0o600); err != nil {
			t.Fatal(err)
		}
		index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{{Digest: h, Size: size, Annotations: refName("web:v1")}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(inner, "index.json"), index, 0o600); err != nil {
			t.Fatal(err)
		}
		askEverything(t, NewLayout(inner))
	})
}

func askEverything(t *testing.T, s Source) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, ref := range []string{"web:v1", "tied", "web@" + digestA} {
		r, err := name.ParseReference(ref)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Config(ctx, r, v1.Platform{OS: "linux", Architecture: "amd64"}); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
	}
	if ctx.Err() != nil {
		t.Fatal("reading took more than ten seconds")
	}
}
