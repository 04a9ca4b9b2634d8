package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"debuggable.dev/debuggable/internal/foreign"
)

// What is here misbehaves on purpose. Work is counted in bytes and requests, so that a slow machine changes nothing.

// TestTimingDoesNotMatter: a host with a private image, public ones, and one for which it answers anonymous requests
// with 429, all of them slow at random, comes to the same for each image in every run.
func TestTimingDoesNotMatter(t *testing.T) {
	hub := newHub(t, false)
	refuse := map[string]int{}
	var wants []Want
	for i := range 12 {
		name := fmt.Sprintf("app%d", i)
		hub.push(t, newImage(t, "linux/amd64"), name+":v1")
		wants = append(wants, Want{Image: hub.host + "/" + name + ":v1"})
		refuse[name] = []int{0, 0, 0, 401, 403, 404, 429, 400}[i%8]
	}
	hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
		time.Sleep(rand.N(3 * time.Millisecond))
		repo, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
		if user, password, _ := r.BasicAuth(); refuse[repo] == 0 || user == "me" && password == "secret" {
			return false
		}
		if refuse[repo] == 401 {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		}
		w.WriteHeader(refuse[repo])
		return true
	})
	o := anonymous()
	var first map[Want]Result
	for run := range 100 {
		o.Keychain = fixed{"me", "secret"}
		got := ResolveAll(context.Background(), NewRegistry(o), wants)
		for _, w := range wants {
			if got[w].Err != nil {
				t.Fatalf("run %d: %v", run, got[w].Err)
			}
			r := got[w]
			r.Config.Layers = nil // functions are never equal
			got[w] = r
		}
		if first == nil {
			first = got
		}
		if !reflect.DeepEqual(got, first) {
			t.Fatalf("run %d: got\n%v\nthe first time\n%v", run, got, first)
		}
	}
}

// TestRegistryChallengesAtTheManifest: GET /v2/ is answered to everybody, and only the manifest asks for a token or a
// password.
func TestRegistryChallengesAtTheManifest(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	for _, challenge := range []string{`Bearer realm="http://HOST/token",service="s",scope="repository:web:pull"`,
		`Basic realm="r"`, `Negotiate, Basic realm="r"`} {
		hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
			user, _, _ := r.BasicAuth()
			switch {
			case r.URL.Path == "/v2/":
				return false
			case r.URL.Path == "/token":
				fmt.Fprintf(w, `{"token":"for-%s"}`, user)
			case user == "me", r.Header.Get("Authorization") == "Bearer for-me":
				return false
			default:
				for c := range strings.SplitSeq(challenge, ", ") {
					w.Header().Add("WWW-Authenticate", strings.ReplaceAll(c, "HOST", hub.host))
				}
				w.WriteHeader(http.StatusUnauthorized)
			}
			return true
		})
		o := anonymous()
		o.Keychain = fixed{"me", "secret"}
		chosen(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
	}
}

// TestRegistryRetryAfterIsAbsurd: who is told to come back tomorrow does not wait at all.
func TestRegistryRetryAfterIsAbsurd(t *testing.T) {
	hub := newHub(t, false)
	for _, after := range []string{"11", "100000", "4000000000"} {
		hub.behave(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		})
		hub.seen()
		if _, err := ask(t, NewRegistry(anonymous()), hub.host+"/web:v1", "linux/amd64"); err == nil ||
			!strings.Contains(err.Error(), "wait, log in") {
			t.Errorf("got error %v", err)
		}
		if got := hub.seen(); len(got) != 1 {
			t.Errorf("Retry-After %s: got requests %q", after, got)
		}
	}
}

// TestRegistryThatHangsForSome: images for which the host hangs do not take all their time each, and the others are
// answered. The registry is in this process and the clock is synctest's, so that how busy the machine is decides
// nothing.
func TestRegistryThatHangsForSome(t *testing.T) {
	backend := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	o := anonymous()
	o.Timeout = defaultTimeout
	o.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		if strings.Contains(req.URL.Path, "hangs") {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		if req.Body == nil {
			req.Body = http.NoBody
		}
		answer := httptest.NewRecorder()
		backend.ServeHTTP(answer, req)
		resp := answer.Result()
		resp.Request = req
		return resp, nil
	})
	if err := remote.Write(mustRef(t, "r.example/web:v1"), newImage(t, "linux/amd64"),
		remote.WithTransport(o.Transport)); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := NewRegistry(o)
		took := func(ref string, fails error) time.Duration {
			start := time.Now()
			if _, err := s.Config(t.Context(), mustRef(t, ref), v1.Platform{OS: "linux", Architecture: "amd64"}); !errors.Is(err,
				fails) {
				t.Errorf("%s: got error %v, want %v", ref, err, fails)
			}
			return time.Since(start)
		}
		took("r.example/web:v1", nil)
		for i := range 12 {
			want := o.Timeout
			if i >= patience {
				want /= 15
			}
			if got := took(fmt.Sprintf("r.example/hangs%d:v1", i), context.DeadlineExceeded); got != want {
				t.Errorf("image %d took %s, want %s", i, got, want)
			}
		}
		if got := took("r.example/web:v1", nil); got != 0 {
			t.Errorf("an image that is answered took %s", got)
		}
	})
}

// TestRegistryTotal: the time for all images is bounded; then only the cache answers.
func TestRegistryTotal(t *testing.T) {
	hub := newHub(t, false)
	img := newImage(t, "linux/amd64")
	hub.push(t, img, "web:v1")
	o := anonymous()
	o.CacheDir = t.TempDir()
	o.Total = time.Hour
	chosen(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
	o.Total = time.Nanosecond
	s := NewRegistry(o)
	hub.seen()
	for range 50 {
		if _, err := ask(t, s, hub.host+"/web:v1", "linux/amd64"); !errors.Is(err, context.DeadlineExceeded) ||
			!strings.Contains(err.Error(), "for all images") {
			t.Fatalf("got error %v", err)
		}
	}
	chosen(t, s, hub.host+"/web@"+digestOf(t, img).String(), "linux/amd64")
	if got := hub.seen(); len(got) != 0 {
		t.Errorf("got requests %q", got)
	}
}

// TestRegistryDigestIsOfTheBytes, whatever headers and media types say.
func TestRegistryDigestIsOfTheBytes(t *testing.T) {
	hub := newHub(t, false)
	img := newImage(t, "linux/amd64")
	hub.push(t, img, "web:v1")
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, mediaType := range []types.MediaType{types.DockerManifestSchema1Signed, types.DockerManifestSchema1,
		types.OCIManifestSchema1, ""} {
		hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return true
			}
			w.Header().Set("Content-Type", string(mediaType))
			w.Header().Set("Docker-Content-Digest", digestA)
			_, _ = w.Write(raw)
			return true
		})
		o := anonymous()
		o.CacheDir = t.TempDir()
		for range 2 {
			if got, err := ask(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64"); err != nil ||
				got.Digest != digestOf(t, img) {
				t.Errorf("%s: got digest %s, error %v", mediaType, got.Digest, err)
			}
		}
	}
}

// TestRegistryRedirectsToPlainHTTP: what is checked at one host is not fetched unchecked from another.
func TestRegistryRedirectsToPlainHTTP(t *testing.T) {
	hub, plain := newHub(t, true), newHub(t, false)
	img := newImage(t, "linux/amd64")
	hub.push(t, img, "web:v1")
	plain.push(t, img, "web:v1")
	for _, part := range []string{"/manifests/", "/blobs/"} {
		hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, part) {
				http.Redirect(w, r, plain.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return true
			}
			return false
		})
		o := anonymous()
		o.Transport = hub.Client().Transport
		plain.seen()
		if _, err := ask(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64"); err == nil ||
			!strings.Contains(err.Error(), "plain http is not allowed") {
			t.Errorf("%s: got error %v", part, err)
		}
		if got := plain.seen(); len(got) != 0 {
			t.Errorf("%s: got plain requests %q", part, got)
		}
		o.Insecure = []string{plain.host}
		chosen(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
	}
}

// TestRegistryGivesBackSecrets: what was sent does not come back in an error, and what comes back is shown, and not
// acted on.
func TestRegistryGivesBackSecrets(t *testing.T) {
	hub := newHub(t, false)
	long := strings.Repeat("x", 1<<16)
	const password = `hunter"2 +/ü`
	for _, status := range []int{400, 401, 403, 404, 429, 500} {
		for _, shape := range []string{"%s", `{"errors":[{"code":"DENIED","message":%q,"detail":{"sent":%q}}]}`} {
			hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
				_, given, _ := r.BasicAuth()
				text := "\x1b[31m\r\u009b\u202e\u200b\x7f you sent " + r.Header.Get("Authorization") + " that is " + given
				if r.URL.Path == "/token" && !strings.Contains(r.URL.RawQuery, "refuse") {
					fmt.Fprint(w, `{"token":"tok-12345678","refresh_token":"ref-12345678"}`)
					return true
				}
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token"`, r.Host))
				if shape != "%s" {
					quoted, _ := json.Marshal(text + long)
					text = strings.ReplaceAll(shape, "%q", string(quoted))
				} else {
					text += long
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(text[:min(len(text), 60<<10)]))
				return true
			})
			o := anonymous()
			o.Keychain = fixed{"me", password}
			_, err := ask(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
			if err == nil {
				t.Fatal("got no error")
			}
			for _, secret := range []string{password, "hunter", "tok-12345678", "ref-12345678", "bWU6", "\x1b", "\r", "\u009b",
				"\u202e", "\u200b", "\x7f"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%d: %q comes back in %q", status, secret, err)
				}
			}
			if len(err.Error()) > 3*foreign.Most {
				t.Errorf("%d: the error has %d bytes", status, len(err.Error()))
			}
		}
	}
}

// TestRegistryRedirectsSigned: the signature of a URL that a request is redirected to is as good as a password.
func TestRegistryRedirectsSigned(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "hang-up") {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "no object at %s://%s%s", "https", r.Host, r.RequestURI)
	}))
	defer storage.Close()
	for _, to := range []string{storage.URL + "/hang-up?X-Amz-Signature=c0ffee",
		storage.URL + "/o?sig=c0ffee&digest=c0ffee", "http://127.0.0.1:1/o?sig=c0ffee", "https://me:c0ffee@127.0.0.1:1/o"} {
		hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return true
		})
		if _, err := ask(t, NewRegistry(anonymous()), hub.host+"/web:v1", "linux/amd64"); err == nil ||
			strings.Contains(err.Error(), "c0ffee") {
			t.Errorf("%s: got error %v", to, err)
		}
	}
}

// TestCredentialHelperThatFails is named; what it has printed is not quoted.
func TestCredentialHelperThatFails(t *testing.T) {
	hub := newHub(t, false)
	hub.behave(basicAuth("me", "secret", 0))
	dir := noCredentials(t)
	for name, content := range map[string]string{
		"config.json":            fmt.Sprintf(`{"credHelpers":{%q:"test"}}`, hub.host),
		"docker-credential-test": "#!/bin/sh\ncat > /dev/null\necho half-of-a-secret\nexit 1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	_, err := ask(t, NewRegistry(RegistryOptions{Backoff: time.Millisecond}), hub.host+"/web:v1", "linux/amd64")
	if err == nil || strings.Contains(err.Error(), "half-of-a-secret") ||
		!strings.Contains(err.Error(), "credentials could not be read") {
		t.Errorf("got error %v", err)
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLargeDocuments: of what is larger than any document no more than that is read, and nothing is decoded that was
// not counted.
func TestLargeDocuments(t *testing.T) {
	repeat := func(begin, what, end string, size int) []byte {
		return []byte(begin + strings.TrimSuffix(strings.Repeat(what+",", size/(len(what)+1)), ",") + end)
	}
	for name, c := range map[string]struct {
		manifest []byte
		config   []byte
	}{
		"a manifest of 15 MB":         {manifest: repeat(`{"manifests":[`, "{}", "]}", 15<<20)},
		"an index of 4 MB of nothing": {manifest: repeat(`{"manifests":[`, "{}", "]}", 4<<20-64)},
		"an index of 4 MB of " +
			"annotations": {manifest: repeat(`{"config":{"annotations":{`, `"a":"b"`, "}},\"schemaVersion\":2}", 4<<20-64)},
		"a configuration of 15 MB": {config: repeat(`{"config":{"Cmd":[`, `"a"`, "]}}", 15<<20)},
		"a configuration of 4 MB":  {config: repeat(`{"config":{"Cmd":[`, `"a"`, "]}}", 4<<20-64)},
		"labels of 4 MB": {
			config: repeat(`{"config":{"Labels":{`, `"io.buildpacks.build.metadata":"`+strings.Repeat("x", 1000)+`"`, "}}}",
				4<<20-2000)},
	} {
		manifest := c.manifest
		if c.config != nil {
			h, _, err := v1.SHA256(bytes.NewReader(c.config))
			if err != nil {
				t.Fatal(err)
			}
			manifest = jsonOf(t, map[string]any{"schemaVersion": 2, "config": map[string]any{"digest": h.String()}})
		}
		var read atomic.Int64
		hub := newHub(t, false)
		hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
			b := manifest
			if strings.Contains(r.URL.Path, "/blobs/") {
				b = c.config
			}
			_, _ = w.Write(b)
			return true
		})
		cacheDir := t.TempDir()
		got := allocated(func() {
			o := anonymous()
			o.CacheDir = cacheDir
			o.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
				resp, err := http.DefaultTransport.RoundTrip(req)
				if err == nil {
					resp.Body = &counting{resp.Body, &read}
				}
				return resp, err
			})
			config, err := ask(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
			if (err == nil) != strings.HasPrefix(name, "labels") || config.size() > maxConfig {
				t.Errorf("%s: got a configuration of %d bytes, error %v", name, config.size(), err)
			}
		})
		if got > 60*maxDocument {
			t.Errorf("%s: %d MiB were allocated", name, got>>20)
		}
		if got := read.Load(); got > maxDocument+1<<10 {
			t.Errorf("%s: %d bytes were read", name, got)
		}
	}
}

// counting is a body that counts what is read.
type counting struct {
	io.ReadCloser
	read *atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// TestManyLargeCandidates: the sum of what is read for one image is bounded, and so is what the cache gets of it.
func TestManyLargeCandidates(t *testing.T) {
	hub := newHub(t, false)
	documents := map[string][]byte{}
	add := func(b []byte) string {
		h, _, err := v1.SHA256(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		documents[h.String()] = b
		return h.String()
	}
	var list []map[string]any
	for i := range 30 {
		config := add(fmt.Appendf(nil, `{"os":"linux","architecture":"s390x","history":%q,"n":%d}`,
			strings.Repeat("x", 3<<20), i))
		m := add(jsonOf(t, map[string]any{"schemaVersion": 2, "config": map[string]any{"digest": config}}))
		list = append(list, map[string]any{"digest": m, "mediaType": types.OCIManifestSchema1})
	}
	index := jsonOf(t, map[string]any{"schemaVersion": 2, "manifests": list})
	var sent atomic.Int64
	hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
		b := documents[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		if b == nil {
			b = index
		}
		sent.Add(int64(len(b)))
		_, _ = w.Write(b)
		return true
	})
	o := anonymous()
	o.CacheDir = t.TempDir()
	if _, err := ask(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64"); err == nil ||
		!strings.Contains(err.Error(), "to choose an image takes more than") {
		t.Errorf("got error %v", err)
	}
	if sent.Load() > maxRead+maxDocument {
		t.Errorf("%d bytes were sent", sent.Load())
	}
}

// TestArchiveWithLongNames: names that cannot be any of an image's are not kept.
func TestArchiveWithLongNames(t *testing.T) {
	a, err := archiveWithLongNames(t, 40)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.members) != 1 || a.names > 100 {
		t.Errorf("%d members with %d bytes of names are kept", len(a.members), a.names)
	}
	// Nor is all of it read: two megabytes of an archive can stand for two gigabytes of names.
	if _, err := archiveWithLongNames(t, maxHeaders/1000000); err == nil ||
		!strings.Contains(err.Error(), "the headers of its members have more than 256 MiB") {
		t.Errorf("got error %v", err)
	}
}

// archiveWithLongNames reads a compressed archive with so many names of a megabyte.
func archiveWithLongNames(t *testing.T, names int) (*archive, error) {
	t.Helper()
	compressed := func(write func(w *tar.Writer) error) []byte {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(write(tar.NewWriter(z)), z.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	// The same one again and again, since gzip's files may be put behind one another.
	long := compressed(func(w *tar.Writer) error {
		return w.WriteHeader(&tar.Header{Name: strings.Repeat("x", 1000000), Format: tar.FormatPAX})
	})
	end := compressed(func(w *tar.Writer) error {
		return errors.Join(w.WriteHeader(&tar.Header{Name: "manifest.json", Size: 2}), writeAll(w, "[]"), w.Close())
	})
	all := append(bytes.Repeat(long, names), end...)
	return readArchive(t.Context(), func() (archiveFile, error) { return inMemory{bytes.NewReader(all)}, nil })
}

func writeAll(w *tar.Writer, s string) error {
	_, err := w.Write([]byte(s))
	return err
}

// TestCacheCleansNothingElse: files that the cache did not write, and whatever is behind a link, are somebody's.
func TestCacheCleansNothingElse(t *testing.T) {
	old := func(t *testing.T, file string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-keptFor - time.Hour)
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
		return file
	}
	entry := strings.Repeat("a", 64)
	for _, linked := range []string{"", "blobs", "blobs/sha256", "tags", "."} {
		for _, name := range []string{"thesis.doc", entry + ".txt", strings.ToUpper(entry), ".new-", ".new-1x",
			"notes/" + entry, entry} {
			dir, elsewhere := filepath.Join(t.TempDir(), "debuggable"), t.TempDir()
			file := filepath.Join(dir, blobsFolder, name)
			if linked != "" {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, linked)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(elsewhere, filepath.Join(dir, linked)); err != nil {
					if linked != "." {
						t.Fatal(err)
					}
					if err := errors.Join(os.Remove(dir), os.Symlink(elsewhere, dir)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if linked == "tags" {
				file = filepath.Join(dir, "tags", name)
			}
			old(t, file)
			(&cache{dir: dir}).put(v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("b", 64)}, []byte("new"))
			_, err := os.Stat(file)
			if want := linked == "" && name == entry; os.IsNotExist(err) != want {
				t.Errorf("link %q, file %q: removed: %t", linked, name, os.IsNotExist(err))
			}
		}
	}
}

// TestCacheSize: the oldest goes when there is too much.
func TestCacheSize(t *testing.T) {
	dir := t.TempDir()
	c := &cache{dir: dir}
	for i := range 5 {
		file := filepath.Join(dir, blobsFolder, strings.Repeat(fmt.Sprint(i), 64))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o600),
			os.Truncate(file, maxCached/4)); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-time.Duration(10-i) * time.Hour)
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	c.put(v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("b", 64)}, []byte("new"))
	files := cacheFiles(t, dir)
	if len(files) != 5 || strings.Contains(strings.Join(files, " "), "000") {
		t.Errorf("got %q", files)
	}
}

// TestOneNameTwice: of two images that a layout or an archive gives the same name, none is taken without a word.
func TestOneNameTwice(t *testing.T) {
	named := func(command string) v1.Image {
		img, err := mutate.ConfigFile(newImage(t, "linux/amd64"),
			&v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Cmd: []string{command}}})
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	index := func(img v1.Image) v1.ImageIndex {
		return mutate.AppendManifests(empty.Index,
			mutate.IndexAddendum{Add: img,
				Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	}
	a, b := named("a"), named("b")
	for what, elements := range map[string][]element{
		"images": {{add: a, annotations: refName("web:v1")},
			{add: b, annotations: refName("docker.io/library/web:v1")}},
		"indexes": {{add: index(a), annotations: refName("web:v1")},
			{add: index(b), annotations: refName("web:v1")}},
		"an image, an index": {{add: a, annotations: refName("web:v1"), platform: "linux/amd64"},
			{add: index(b), annotations: refName("web:v1")}},
		"one with a platform": {{add: a, annotations: refName("web:v1"), platform: "linux/amd64"},
			{add: b, annotations: refName("web:v1")}},
	} {
		dir := writeLayout(t, elements...)
		for _, s := range []Source{NewLayout(dir), NewArchive(tarOf(t, dir, false, nil)), NewLayout("web:v1=" + dir)} {
			_, err := ask(t, s, "web:v1", "linux/amd64")
			if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), digestOf(t, a).String()) ||
				!strings.Contains(err.Error(), digestOf(t, b).String()) {
				t.Errorf("%s in %s: got error %v, want one that names both", what, s, err)
			}
		}
	}
	// The same twice, and one for each platform, are fine.
	arm := newImage(t, "linux/arm64")
	dir := writeLayout(t, element{add: a, annotations: refName("web:v1")},
		element{add: index(a), annotations: refName("web:v1")}, element{add: arm, annotations: refName("web:v1")})
	if c, err := ask(t, NewLayout(dir), "web:v1", "linux/amd64"); err != nil || c.Cmd[0] != "a" {
		t.Errorf("got %v, error %v", c, err)
	}

	config := func(command string) []byte {
		return []byte(`{"os":"linux","architecture":"amd64","config":{"Cmd":["` + command + `"]}}`)
	}
	for second, ok := range map[string]bool{"a.json": true, "copy.json": true, "b.json": false} {
		s := NewArchive(tarOf(t, "", false, map[string][]byte{
			"a.json": config("a"), "copy.json": config("a"), "b.json": config("b"),
			"manifest.json": []byte(`[{"Config":"a.json","RepoTags":["web:v1"]},{"Config":"` + second +
				`","RepoTags":["web:v1"]}]`)}))
		if _, err := ask(t, s, "web:v1", "linux/amd64"); ok != (err == nil) || !ok &&
			(!strings.Contains(err.Error(), "a.json") || !strings.Contains(err.Error(), "b.json")) {
			t.Errorf("%s: got error %v", second, err)
		}
	}
}

// TestHostsDoNotHoldUpOthers: a host that hangs takes no more than its share of what is done at a time.
func TestHostsDoNotHoldUpOthers(t *testing.T) {
	hanging, other := newHub(t, false), newHub(t, false)
	other.push(t, newImage(t, "linux/amd64"), "web:v1")
	var once sync.Once
	answered := make(chan struct{})
	hanging.behave(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-answered: // the other host was, while this one hangs
		case <-r.Context().Done():
		}
		return true
	})
	other.behave(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			once.Do(func() { close(answered) })
		}
		return false
	})
	var wants []Want
	for i := range 3 * Jobs {
		wants = append(wants, Want{Image: fmt.Sprintf("%s/app%d:v1", hanging.host, i)})
	}
	last := Want{Image: other.host + "/web:v1"}
	o := anonymous()
	o.Timeout = 5 * time.Second
	if got := ResolveAll(t.Context(), NewRegistry(o), append(wants, last)); got[last].Err != nil {
		t.Errorf("got error %v", got[last].Err)
	}
	select {
	case <-answered:
	default:
		t.Error("the other host was not asked")
	}
}
