package image

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// TestLayout runs each case on the layout itself, on a tar of it, and on a compressed one.
func TestLayout(t *testing.T) {
	amd64 := newImage(t, "linux/amd64")
	multi := newIndex(t, "linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7")
	nested := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: newIndex(t, "linux/amd64", "linux/s390x")},
		mutate.IndexAddendum{Add: newIndex(t, "linux/arm64")})
	attested := mutate.AppendManifests(empty.Index, attestation(t, amd64), mutate.IndexAddendum{Add: amd64})
	unlabelled := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: newImage(t, "linux/arm64")},
		mutate.IndexAddendum{Add: newImage(t, "linux/amd64")}, mutate.IndexAddendum{Add: helmChart(t)})
	multiManifest, err := multi.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	inside := multiManifest.Manifests[2].Digest.String() // arm64, behind amd64 and its attestation

	for _, c := range []struct {
		name     string
		elements []element
		tie      string // IMAGE= in front of the path
		ref      string
		platform string
		want     string // the chosen platform; "-" not found; else an error's words
	}{
		{"full name", []element{{add: amd64, annotations: refName("gcr.io/acme/web:v1")}}, "", "gcr.io/acme/web:v1",
			"linux/amd64", "linux/amd64"},
		{"short name", []element{{add: amd64, annotations: refName("web:v1")}}, "", "docker.io/library/web:v1", "linux/amd64",
			"linux/amd64"},
		{"containerd name", []element{{add: amd64, annotations: map[string]string{
			"io.containerd.image.name": "docker.io/library/web:latest", "org.opencontainers.image.ref.name": "latest"}}}, "",
			"web", "linux/amd64", "linux/amd64"},
		{"another tag", []element{{add: amd64, annotations: refName("web:v1")}}, "", "web:v2", "linux/amd64", "-"},
		{"bare tag", []element{{add: amd64, annotations: refName("v1")}}, "", "v1", "linux/amd64", "-"},
		{"bare tag, tied", []element{{add: amd64, annotations: refName("v1")}}, "gcr.io/acme/web:v1", "gcr.io/acme/web:v1",
			"linux/amd64", "linux/amd64"},
		{"no name, tied", []element{{add: amd64}}, "web", "docker.io/library/web:latest", "linux/amd64", "linux/amd64"},
		{"no name, not tied", []element{{add: amd64}}, "", "web", "linux/amd64", "-"},
		{"tied to something else", []element{{add: amd64}}, "web", "other", "linux/amd64", "-"},
		{"tied, several tags", []element{{add: amd64, annotations: refName("v1")}, {add: multi, annotations: refName("v2")}},
			"web:v2", "web:v2", "linux/arm64", "linux/arm64"},
		{"tied, ambiguous", []element{{add: amd64, annotations: refName("v1")}, {add: multi, annotations: refName("v2")}},
			"web:v3", "web:v3", "linux/arm64", "does not say which one"},
		{"tied, platforms at the top",
			[]element{{add: amd64, platform: "linux/amd64"}, {add: newImage(t, "linux/arm64"), platform: "linux/arm64"}}, "web",
			"web", "linux/arm64", "linux/arm64"},
		{"same name for two platforms", []element{{add: amd64, annotations: refName("web:v1"), platform: "linux/amd64"},
			{add: newImage(t, "linux/arm64"), annotations: refName("web:v1"), platform: "linux/arm64"}}, "", "web:v1",
			"linux/arm64", "linux/arm64"},
		{"only image, other platform", []element{{add: amd64, annotations: refName("web:v1")}}, "", "web:v1", "linux/s390x",
			"linux/amd64"},
		{"index", []element{{add: multi, annotations: refName("web:v1")}}, "", "web:v1", "linux/arm64", "linux/arm64"},
		{"index, lower variant first listed", []element{{add: multi, annotations: refName("web:v1")}}, "", "web:v1",
			"linux/arm/v7", "linux/arm/v7"},
		{"index, v8 runs v7", []element{{add: multi, annotations: refName("web:v1")}}, "", "web:v1", "linux/arm/v8",
			"linux/arm/v7"},
		{"index, no such platform", []element{{add: multi, annotations: refName("web:v1")}}, "", "web:v1",
			"linux/s390x", "-"},
		{"nested index", []element{{add: nested, annotations: refName("web:v1")}}, "", "web:v1", "linux/s390x",
			"linux/s390x"},
		{"nested index, second", []element{{add: nested, annotations: refName("web:v1")}}, "", "web:v1", "linux/arm64",
			"linux/arm64"},
		{"attestation first", []element{{add: attested, annotations: refName("web:v1")}}, "", "web:v1", "linux/arm64",
			"linux/amd64"},
		{"platforms only in configurations", []element{{add: unlabelled, annotations: refName("web:v1")}}, "", "web:v1",
			"linux/amd64", "linux/amd64"},
		{"digest of an image", []element{{add: amd64}}, "", "any.io/where@" + digestOf(t, amd64).String(), "linux/amd64",
			"linux/amd64"},
		{"digest of an index", []element{{add: multi}}, "", "web:tag@" + digestOf(t, multi).String(), "linux/arm/v7",
			"linux/arm/v7"},
		{"digest inside an index", []element{{add: multi}}, "", "web@" + inside, "linux/amd64", "linux/arm64"},
		{"another digest", []element{{add: multi}, {add: nested}}, "", "web@" + digestA, "linux/amd64", "-"},
		{"Helm chart", []element{{add: helmChart(t), annotations: refName("chart:v1")}}, "", "chart:v1", "linux/amd64",
			"not a container image"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := writeLayout(t, c.elements...)
			tie := ""
			if c.tie != "" {
				tie = c.tie + "="
			}
			for _, s := range []*Local{NewLayout(tie + dir), NewArchive(tie + tarOf(t, dir, false, nil)),
				NewArchive(tie + tarOf(t, dir, true, nil))} {
				got, err := ask(t, s, c.ref, c.platform)
				switch {
				case c.want == "-":
					if !errors.Is(err, ErrNotFound) {
						t.Errorf("%s: got %v, %v, want ErrNotFound", s.kind, got.Entrypoint, err)
					}
				case !strings.HasPrefix(c.want, "linux/"):
					if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), c.want) {
						t.Errorf("%s: got %v, %v, want error with %q", s.kind, got.Entrypoint, err, c.want)
					}
				default:
					if which := chosen(t, s, c.ref, c.platform); which != c.want {
						t.Errorf("%s: got the image for %s, want %s", s.kind, which, c.want)
					}
					if got.From != s.String() || got.Digest.Hex == "" || got.Platform == nil || got.Platform.String() != c.want {
						t.Errorf("%s: got from %q, digest %s, platform %v", s.kind, got.From, got.Digest, got.Platform)
					}
				}
			}
		})
	}
}

func TestLayoutCorrupt(t *testing.T) {
	multi := newIndex(t, "linux/amd64", "linux/arm64")
	img := newImage(t, "linux/amd64")
	m, err := multi.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		ref   string
		which v1.Hash
	}{
		{"manifest", "one:v1", digestOf(t, img)},
		{"configuration", "one:v1", configDigest(t, img)},
		{"index", "multi:v1", digestOf(t, multi)},
		{"manifest in an index", "multi:v1", m.Manifests[0].Digest},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := writeLayout(t, element{add: img, annotations: refName("one:v1")},
				element{add: multi, annotations: refName("multi:v1")})
			file := blobFile(dir, c.which)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for what, damage := range map[string]func() error{
				"corrupt": func() error { return os.WriteFile(file, bytes.Replace(b, []byte("{"), []byte("{ "), 1), 0o644) },
				"missing": func() error { return os.Remove(file) },
			} {
				if err := damage(); err != nil {
					t.Fatal(err)
				}
				_, err := ask(t, NewLayout(dir), c.ref, "linux/amd64")
				if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), c.which.String()) ||
					!strings.Contains(err.Error(), what) ||
					!strings.Contains(err.Error(), dir) {
					t.Errorf("%s: got error %v", what, err)
				}
				other := "multi:v1"
				if c.ref == other {
					other = "one:v1"
				}
				chosen(t, NewLayout(dir), other, "linux/amd64")
			}
		})
	}
}

func TestLocalPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("neither"), 0o644); err != nil {
		t.Fatal(err)
	}
	emptyTar := tarOf(t, "", false, nil)
	noImages := tarOf(t, "", false, map[string][]byte{"hello": []byte("world")})
	badIndex := tarOf(t, "", false, map[string][]byte{"index.json": []byte("{")})
	for _, c := range []struct {
		source *Local
		want   string
	}{
		{NewLayout(filepath.Join(dir, "none")), "write it first, or correct the path"},
		{NewLayout("web=" + filepath.Join(dir, "none")), "write it first, or correct the path"},
		{NewLayout("web="), "path is empty"},
		{NewLayout("Not A Ref=" + dir), `"Not A Ref" is not an image reference`},
		{NewLayout(file), "use it as an archive"},
		{NewLayout(dir), "no index.json"},
		{NewArchive(filepath.Join(dir, "none.tar")), "write it first, or correct the path"},
		{NewArchive(dir), "use it as a layout"},
		{NewArchive(file), "not a tar archive"},
		{NewArchive(emptyTar), "not a tar archive, or an empty one"},
		{NewArchive(noImages), "it holds no images"},
		{NewArchive(badIndex), "index.json"},
	} {
		_, err := ask(t, c.source, "web", "linux/amd64")
		if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), c.want) ||
			!strings.HasPrefix(err.Error(), "reading "+c.source.kind) {
			t.Errorf("%s %s: got error %v, want %q", c.source.kind, c.source.spec, err, c.want)
		}
		if openErr := c.source.Open(context.Background()); openErr == nil || !strings.Contains(openErr.Error(), c.want) {
			t.Errorf("%s %s: Open: %v", c.source.kind, c.source.spec, openErr)
		}
	}
}

func TestPathWithEqualsSign(t *testing.T) {
	dir := writeLayout(t, element{add: newImage(t, "linux/amd64"), annotations: refName("web:v1")})
	odd := filepath.Join(t.TempDir(), "a=b")
	if err := os.Rename(dir, odd); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(odd))
	chosen(t, NewLayout("a=b"), "web:v1", "linux/amd64")
	chosen(t, NewLayout("other:v2=a=b"), "other:v2", "linux/amd64")
}

func TestDockerSave(t *testing.T) {
	img := newImage(t, "linux/amd64")
	tag := name.MustParseReference("gcr.io/acme/web:v1").(name.Tag)
	file := filepath.Join(t.TempDir(), "web.tar")
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	zipped := filepath.Join(t.TempDir(), "web.tar.gz")
	if err := os.WriteFile(zipped, gzipped(t, plain), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file, zipped} {
		if got := chosen(t, NewArchive(f), "gcr.io/acme/web:v1", "linux/arm64"); got != "linux/amd64" {
			t.Errorf("got %s", got)
		}
		chosen(t, NewArchive("other="+f), "other", "linux/amd64")
		if _, err := ask(t, NewArchive(f), "gcr.io/acme/web:v2", "linux/amd64"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got error %v", err)
		}
	}
}

func TestTieToOneOfSeveral(t *testing.T) {
	config := []byte(`{"os":"linux","architecture":"amd64","config":{}}`)
	s := NewArchive("web=" + tarOf(t, "", false, map[string][]byte{"a": config, "b": config,
		"manifest.json": jsonOf(t, []savedImage{{"a", []string{"one:v1"}, nil}, {"b", []string{"two:v1"}, nil}})}))
	if _, err := ask(t, s, "web", "linux/amd64"); err == nil || errors.Is(err, ErrNotFound) ||
		!strings.Contains(err.Error(), "holds 2 images") {
		t.Errorf("got error %v", err)
	}
	if _, err := ask(t, s, "two:v1", "linux/amd64"); err != nil {
		t.Error(err)
	}
}

func TestNamelessImagesAreExplained(t *testing.T) {
	dir := writeLayout(t, element{add: newImage(t, "linux/amd64"), annotations: refName("v1")})
	if _, err := ask(t, NewLayout(dir), "web:v1", "linux/amd64"); !errors.Is(err, ErrNotFound) ||
		!strings.Contains(err.Error(), "web:v1="+dir) {
		t.Errorf("got error %v", err)
	}
}

func TestSavedForms(t *testing.T) {
	config := func(platform string) []byte {
		b, err := newImage(t, platform).RawConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	amd64, arm64 := config("linux/amd64"), config("linux/arm64")
	hash := func(b []byte) v1.Hash {
		h, _, err := v1.SHA256(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	type saved struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	legacy := hash(amd64).Hex + ".json"
	modern := "blobs/sha256/" + hash(amd64).Hex
	for _, c := range []struct {
		name    string
		members map[string][]byte
		want    string
	}{
		{"legacy", map[string][]byte{legacy: amd64, "manifest.json": jsonOf(t, []saved{{legacy, []string{"web:v1"}, nil}})},
			"linux/amd64"},
		{"modern", map[string][]byte{modern: amd64, "manifest.json": jsonOf(t, []saved{{modern, []string{"web:v1"}, nil}})},
			"linux/amd64"},
		{"with ./", map[string][]byte{"./" + legacy: amd64,
			"./manifest.json": jsonOf(t, []saved{{legacy, []string{"web:v1"}, nil}})}, "linux/amd64"},
		{"any name",
			map[string][]byte{"config": amd64, "manifest.json": jsonOf(t, []saved{{"config", []string{"web:v1"}, nil}})},
			"linux/amd64"},
		{"two platforms",
			map[string][]byte{"a": amd64, "b": arm64,
				"manifest.json": jsonOf(t, []saved{{"a", []string{"web:v1"}, nil}, {"b", []string{"web:v1"}, nil}})},
			"linux/arm64"},
		{"corrupt", map[string][]byte{legacy: append([]byte(" "), amd64...),
			"manifest.json": jsonOf(t, []saved{{legacy, []string{"web:v1"}, nil}})}, "corrupt"},
		{"missing", map[string][]byte{"manifest.json": jsonOf(t, []saved{{legacy, []string{"web:v1"}, nil}})},
			"blob sha256:" + hash(amd64).Hex + ": " + legacy + " is missing"},
		{"no JSON", map[string][]byte{"a": []byte("text"),
			"manifest.json": jsonOf(t, []saved{{"a", []string{"web:v1"}, nil}})}, "no JSON object"},
	} {
		for _, zip := range []bool{false, true} {
			s := NewArchive(tarOf(t, "", zip, c.members))
			got, err := ask(t, s, "web:v1", "linux/arm64")
			if strings.HasPrefix(c.want, "linux/") {
				if err != nil || got.Entrypoint[1] != c.want || got.Digest.Hex != "" {
					t.Errorf("%s, compressed %t: got %v, digest %q, error %v", c.name, zip, got.Entrypoint, got.Digest.Hex, err)
				}
			} else if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, compressed %t: got error %v, want %q", c.name, zip, err, c.want)
			}
		}
	}
}

// TestHybrid: Docker with the containerd image store writes an index of all platforms, of which only one is there.
func TestHybrid(t *testing.T) {
	index := newIndex(t, "linux/amd64", "linux/arm64")
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	dir := writeLayout(t, element{add: index, annotations: map[string]string{
		"io.containerd.image.name": "docker.io/library/web:v1", "org.opencontainers.image.ref.name": "v1"}})
	for i, d := range m.Manifests {
		if i == 2 { // arm64
			continue
		}
		if err := os.Remove(blobFile(dir, d.Digest)); err != nil {
			t.Fatal(err)
		}
	}
	arm64, err := index.Image(m.Manifests[2].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config := "blobs/sha256/" + configDigest(t, arm64).Hex
	for _, zip := range []bool{false, true} {
		s := NewArchive(
			tarOf(t, dir, zip, map[string][]byte{"manifest.json": jsonOf(t, []savedImage{{config, []string{"web:v1"}, nil}})}))
		for _, platform := range []string{"linux/arm64", "linux/amd64"} {
			if got := chosen(t, s, "web:v1", platform); got != "linux/arm64" {
				t.Errorf("got %s", got)
			}
			c, err := ask(t, s, "web:v1", platform)
			if err != nil || c.Digest != m.Manifests[2].Digest {
				t.Errorf("got digest %s, error %v", c.Digest, err)
			}
		}
	}
}

func TestLocalStopsWithContext(t *testing.T) {
	dir := writeLayout(t, element{add: newImage(t, "linux/amd64"), annotations: refName("web:v1")})
	ref := name.MustParseReference("web:v1")
	for _, s := range []*Local{NewLayout(dir), NewArchive(tarOf(t, dir, false, nil)),
		NewArchive(tarOf(t, dir, true, nil))} {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := s.Config(ctx, ref, mustPlatform(t, "linux/amd64")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v", s.kind, err)
		}
		// One caller that gave up does not spoil the source for others.
		if _, err := s.Config(context.Background(), ref, mustPlatform(t, "linux/amd64")); err != nil {
			t.Errorf("%s: %v", s.kind, err)
		}
	}
}

// TestArchiveMemory: a layer, even one that is far larger than what is kept, never gets into memory.
func TestArchiveMemory(t *testing.T) {
	img := newImage(t, "linux/amd64")
	dir := writeLayout(t, element{add: img, annotations: refName("web:v1")})
	layer := make([]byte, 48<<20)
	for _, zip := range []bool{false, true} {
		s := NewArchive(tarOf(t, dir, zip, map[string][]byte{"blobs/sha256/" + strings.Repeat("0", 64): layer}))
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		chosen(t, s, "web:v1", "linux/amd64")
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
			t.Errorf("compressed %t: reading allocated %d MiB", zip, grown>>20)
		}
	}
}

// TestHostileIndexes: indexes that lead to themselves, deep or wide, end.
func TestHostileIndexes(t *testing.T) {
	deep := newIndex(t, "linux/amd64")
	for range maxDepth + 2 {
		deep = mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: deep})
	}
	dir := writeLayout(t, element{add: deep, annotations: refName("deep:v1")})
	if _, err := ask(t, NewLayout(dir), "deep:v1", "linux/amd64"); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("got error %v", err)
	}
	if _, err := ask(t, NewLayout(dir), "deep@"+digestA, "linux/amd64"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v", err)
	}
}
