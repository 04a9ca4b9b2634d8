package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"debuggable.dev/debuggable/internal/foreign"
)

// FuzzArchive reads whatever bytes as an archive: no panic, and an end within the time of its context and beyond that
// little.
func FuzzArchive(f *testing.F) {
	// Small ones: what a change does to a large input takes longer to find out.
	small, err := mutate.ConfigFile(empty.Image,
		&v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Cmd: []string{"/app"}}})
	if err != nil {
		f.Fatal(err)
	}
	dir := writeLayout(f, element{add: small, annotations: refName("web:v1")})
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
		for _, spec := range []string{"a.tar", "tied=a.tar"} {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			l := NewArchive(spec)
			l.path, l.tie, l.err = l.split()
			var a *archive
			if l.err == nil {
				a, l.err = readArchive(ctx, func() (archiveFile, error) { return inMemory{bytes.NewReader(b)}, nil })
			}
			if l.err == nil {
				l.err = l.useArchive(ctx, a)
			}
			l.open = true
			askEverything(t, l)
		}
	})
}

// inMemory is an archive that is no file.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// memory is the files of a layout that is nowhere.
type memory map[string][]byte

func (m memory) read(_ context.Context, name string) ([]byte, error) {
	if b, ok := m[name]; ok {
		return readDocument(bytes.NewReader(b), name)
	}
	return nil, errMissing
}

func (m memory) open(ctx context.Context, name string) (io.ReadCloser, error) {
	b, err := m.read(ctx, name)
	return io.NopCloser(bytes.NewReader(b)), err
}

func (m memory) add(b []byte) v1.Hash {
	h, _, _ := v1.SHA256(bytes.NewReader(b))
	m["blobs/sha256/"+h.Hex] = b
	return h
}

// layoutOf is a layout of these files.
func layoutOf(m memory, spec string) *Local {
	l := NewLayout(spec)
	l.path, l.tie, l.err = l.split()
	l.store = fileStore{m}
	if l.err == nil {
		_, l.err = l.loadIndex(context.Background())
	}
	l.open = true
	return l
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
	whole := memory{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		whole.add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := maps.Clone(whole)
		m["index.json"] = b
		askEverything(t, layoutOf(m, "dir"))
		askEverything(t, layoutOf(m, "tied=dir"))
		h := m.add(b)
		m["index.json"] = jsonOf(t,
			v1.IndexManifest{SchemaVersion: 2,
				Manifests: []v1.Descriptor{{Digest: h, Size: int64(len(b)), Annotations: refName("web:v1")}}})
		askEverything(t, layoutOf(m, "dir"))
	})
}

// FuzzRegistry reads whatever bytes as what a registry answers with: manifest and configuration, type and challenge.
func FuzzRegistry(f *testing.F) {
	img := newImage(f, "linux/amd64")
	manifest, err := img.RawManifest()
	if err != nil {
		f.Fatal(err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		f.Fatal(err)
	}
	index, err := newIndex(f, "linux/amd64", "linux/arm64").RawManifest()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest, config, `Bearer realm="https://r.example/token",service="r",scope="repository:web:pull"`, 401)
	f.Add(index, manifest, `Basic realm="r"`, 429)
	f.Add([]byte(`{"token":"t","refresh_token":"r"}`),
		[]byte(`{"errors":[{"code":"DENIED","message":"\u001b[31m","detail":[1]}]}`), "", 404)
	f.Fuzz(func(t *testing.T, manifest, config []byte, challenge string, status int) {
		if status < 200 || status > 599 {
			status = 401
		}
		answer := func(req *http.Request) (*http.Response, error) {
			b, code := manifest, http.StatusOK
			if strings.Contains(req.URL.Path, "/blobs/") {
				b = config
			}
			if req.Header.Get("Authorization") == "" && challenge != "" {
				b, code = config, status
			}
			return &http.Response{StatusCode: code, Header: http.Header{"Www-Authenticate": {challenge}},
				Body: io.NopCloser(bytes.NewReader(b)), ContentLength: -1, Request: req}, nil
		}
		o := RegistryOptions{Keychain: fixed{"me", "hunter22"}, Backoff: time.Nanosecond, Transport: roundTripper(answer)}
		s := NewRegistry(o)
		askEverything(t, s)
		if _, err := ask(t, s, "r.example/web:v1", "linux/amd64"); err != nil &&
			strings.Contains(foreign.Line(err.Error()), "hunter22") {
			t.Fatalf("a password comes back: %v", err)
		}
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
