package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// newImage returns a real image with a layer, whose ENTRYPOINT is /app and the platform, so that a test sees which one
// was chosen.
func newImage(t testing.TB, platform string) v1.Image {
	t.Helper()
	img, err := random.Image(512, 1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	f = f.DeepCopy()
	f.OS, f.Architecture = "", ""
	if platform != "" {
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		f.OS, f.Architecture, f.Variant, f.OSVersion = p.OS, p.Architecture, p.Variant, p.OSVersion
	}
	f.Author = "github.com/google/ko"
	f.Config = v1.Config{Entrypoint: []string{"/app", platform}, Env: []string{"GOTRACEBACK=single"}, WorkingDir: "/srv"}
	if img, err = mutate.ConfigFile(img, f); err != nil {
		t.Fatal(err)
	}
	return img
}

// newIndex returns an index of an image for each platform, and, like BuildKit, an attestation for each image.
func newIndex(t testing.TB, platforms ...string) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, s := range platforms {
		p, err := v1.ParsePlatform(s)
		if err != nil {
			t.Fatal(err)
		}
		img := newImage(t, s)
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}},
			attestation(t, img))
	}
	return index
}

func attestation(t testing.TB, of v1.Image) mutate.IndexAddendum {
	t.Helper()
	return mutate.IndexAddendum{Add: newImage(t, "unknown/unknown"), Descriptor: v1.Descriptor{
		Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{
			"vnd.docker.reference.type":   "attestation-manifest",
			"vnd.docker.reference.digest": digestOf(t, of).String(),
		}}}
}

func digestOf(t testing.TB, d interface{ Digest() (v1.Hash, error) }) v1.Hash {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func configDigest(t testing.TB, img v1.Image) v1.Hash {
	t.Helper()
	h, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// element is a member of a layout: an image or an index with its annotations.
type element struct {
	add         any // v1.Image or v1.ImageIndex
	annotations map[string]string
	platform    string
}

func refName(n string) map[string]string {
	return map[string]string{"org.opencontainers.image.ref.name": n}
}

// writeLayout writes an OCI layout into a new folder.
func writeLayout(t testing.TB, elements ...element) string {
	t.Helper()
	dir := t.TempDir()
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		opts := []layout.Option{layout.WithAnnotations(e.annotations)}
		if e.platform != "" {
			platform, err := v1.ParsePlatform(e.platform)
			if err != nil {
				t.Fatal(err)
			}
			opts = append(opts, layout.WithPlatform(*platform))
		}
		switch a := e.add.(type) {
		case v1.Image:
			err = p.AppendImage(a, opts...)
		case v1.ImageIndex:
			err = p.AppendIndex(a, opts...)
		default:
			t.Fatalf("%T", a)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func blobFile(dir string, h v1.Hash) string {
	return filepath.Join(dir, "blobs", h.Algorithm, h.Hex)
}

// tarOf packs a folder, with further members, in the order of the walk; zip says whether with gzip.
func tarOf(t testing.TB, dir string, zip bool, more map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name string, content []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644,
			Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if dir != "" {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || p == dir {
				return err
			}
			rel, err := filepath.Rel(dir, p)
			if err != nil {
				return err
			}
			if d.IsDir() {
				return w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel) + "/", Typeflag: tar.TypeDir, Mode: 0o755})
			}
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			add(filepath.ToSlash(rel), content)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		add(name, more[name])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	if zip {
		data = gzipped(t, data)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask asks a source as a test writes it.
func ask(t testing.TB, s Source, ref, platform string) (Config, error) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	return s.Config(context.Background(), r, p)
}

// chosen asks a source and returns which platform's image it chose, by the image's own ENTRYPOINT.
func chosen(t testing.TB, s Source, ref, platform string) string {
	t.Helper()
	c, err := ask(t, s, ref, platform)
	if err != nil {
		t.Fatalf("%s for %s: %v", ref, platform, err)
	}
	if len(c.Entrypoint) != 2 || c.Entrypoint[0] != "/app" || c.WorkingDir != "/srv" || len(c.Env) != 1 ||
		c.Author != "github.com/google/ko" {
		t.Fatalf("%s for %s: got config %+v", ref, platform, c)
	}
	return c.Entrypoint[1]
}

// helmChart is an artifact that is no container image.
func helmChart(t testing.TB) v1.Image {
	t.Helper()
	return mutate.ConfigMediaType(mutate.MediaType(newImage(t, ""), types.OCIManifestSchema1),
		"application/vnd.cncf.helm.config.v1+json")
}

func mustRef(t testing.TB, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
