package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// fakeHub is a real registry on loopback that a test can look at, and that can be made to misbehave.
type fakeHub struct {
	*httptest.Server
	host string

	mu       sync.Mutex
	requests []string // "METHOD /path" of all that came in
	handle   func(w http.ResponseWriter, r *http.Request) bool
}

// newHub serves an empty registry over plain http, or over TLS with a certificate that nobody trusts.
func newHub(t testing.TB, secure bool) *fakeHub {
	t.Helper()
	h := &fakeHub{}
	backend := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, r.Method+" "+r.URL.Path)
		handle := h.handle
		h.mu.Unlock()
		if handle == nil || !handle(w, r) {
			backend.ServeHTTP(w, r)
		}
	})
	h.Server = httptest.NewUnstartedServer(handler)
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		h.StartTLS()
	} else {
		h.Start()
	}
	t.Cleanup(h.Close)
	h.host = h.Listener.Addr().String()
	return h
}

// push puts images and indexes into the registry, and returns the layers' digests.
func (h *fakeHub) push(t testing.TB, what any, as string) (layers []string) {
	t.Helper()
	ref, err := name.ParseReference(h.host + "/" + as)
	if err != nil {
		t.Fatal(err)
	}
	opts := []remote.Option{remote.WithTransport(h.Client().Transport)}
	switch a := what.(type) {
	case v1.Image:
		err = remote.Write(ref, a, opts...)
		ls, lerr := a.Layers()
		if lerr != nil {
			t.Fatal(lerr)
		}
		for _, l := range ls {
			layers = append(layers, digestOf(t, l).String())
		}
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, a, opts...)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.seen()
	return layers
}

// behave sets what answers in the registry's place.
func (h *fakeHub) behave(f func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handle = f
}

// seen returns the requests since the last call.
func (h *fakeHub) seen() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.requests
	h.requests = nil
	return r
}

// anonymous are options that keep the user's own credentials out of tests.
func anonymous() RegistryOptions {
	return RegistryOptions{Keychain: authn.NewMultiKeychain(), Backoff: time.Millisecond}
}

func TestRegistry(t *testing.T) {
	hub := newHub(t, false)
	layers := hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	multi := newIndex(t, "linux/amd64", "linux/arm64", "linux/arm/v6")
	hub.push(t, multi, "multi:v1")
	hub.push(t, mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: newIndex(t, "linux/amd64", "linux/s390x")},
		mutate.IndexAddendum{Add: newIndex(t, "linux/arm64")}), "nested:v1")
	hub.push(t, helmChart(t), "chart:v1")
	m, err := multi.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}

	s := NewRegistry(anonymous())
	for _, c := range []struct{ ref, platform, want string }{
		{"web:v1", "linux/amd64", "linux/amd64"},
		{"web:v1", "linux/arm64", "linux/amd64"},
		{"multi:v1", "linux/arm64", "linux/arm64"},
		{"multi:v1", "linux/arm/v7", "linux/arm/v6"},
		{"multi@" + digestOf(t, multi).String(), "linux/arm64", "linux/arm64"},
		{"multi:other@" + m.Manifests[2].Digest.String(), "linux/amd64", "linux/arm64"},
		{"nested:v1", "linux/s390x", "linux/s390x"},
	} {
		ref := hub.host + "/" + c.ref
		if got := chosen(t, s, ref, c.platform); got != c.want {
			t.Errorf("%s for %s: got %s", c.ref, c.platform, got)
		}
		got, err := ask(t, s, ref, c.platform)
		if err != nil || got.From != "registry" || got.Digest.Hex == "" || got.Platform.String() != c.want {
			t.Errorf("%s: got %+v, %v", c.ref, got, err)
		}
	}
	for ref, want := range map[string]string{"none:v1": "does not have it", "web:v2": "does not have it",
		"web@" + digestA: "does not have it"} {
		if _, err := ask(t, s, hub.host+"/"+ref, "linux/amd64"); !errors.Is(err, ErrNotFound) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v", ref, err)
		}
	}
	if _, err := ask(t, s, hub.host+"/multi:v1", "linux/s390x"); !errors.Is(err, ErrNotFound) ||
		!strings.Contains(err.Error(), "linux/amd64, linux/arm64, linux/arm/v6") {
		t.Errorf("got error %v", err)
	}
	if _, err := ask(t, s, hub.host+"/chart:v1", "linux/amd64"); err == nil || errors.Is(err, ErrNotFound) ||
		!strings.Contains(err.Error(), "not a container image") {
		t.Errorf("got error %v", err)
	}
	for _, r := range hub.seen() {
		for _, l := range layers {
			if strings.Contains(r, l) {
				t.Errorf("a layer was asked for: %s", r)
			}
		}
		if !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "HEAD ") {
			t.Errorf("got request %s", r)
		}
	}
}

// TestRegistryRequests counts every request, those for authentication included.
func TestRegistryRequests(t *testing.T) {
	hub := newHub(t, false)
	index := newIndex(t, "linux/amd64", "linux/arm64")
	hub.push(t, index, "multi:v1")
	tag, digest := hub.host+"/multi:v1", hub.host+"/multi@"+digestOf(t, index).String()
	o := anonymous()
	o.CacheDir = filepath.Join(t.TempDir(), "not", "there", "yet")
	count := func(what string, o RegistryOptions, ref string, want int) {
		t.Helper()
		hub.seen()
		if got := chosen(t, NewRegistry(o), ref, "linux/arm64"); got != "linux/arm64" {
			t.Errorf("%s: got %s", what, got)
		}
		if got := hub.seen(); len(got) != want {
			t.Errorf("%s: got requests %q, want %d", what, got, want)
		}
	}
	count("no cache", anonymous(), tag, 3) // index, manifest, configuration
	count("tag, cold cache", o, tag, 3)    // the manifest has to be read anyway
	count("tag, warm cache", o, tag, 1)    // HEAD
	count("digest of an index, warm cache", o, digest, 0)

	// What a tag or a digest stands for is known, whatever image of an index is taken, and from where.
	for _, ref := range []string{tag, digest} {
		for _, o := range []RegistryOptions{anonymous(), o} {
			got, err := ask(t, NewRegistry(o), ref, "linux/arm64")
			if err != nil || got.Root != digestOf(t, index) || got.Digest == got.Root {
				t.Errorf("%s stands for %v, of which %v is taken: %v", ref, got.Root, got.Digest, err)
			}
		}
	}

	// Another platform of an index that is known needs only what is its own.
	hub.seen()
	chosen(t, NewRegistry(o), digest, "linux/amd64")
	if got := hub.seen(); len(got) != 2 {
		t.Errorf("got requests %q", got)
	}

	// What is damaged in the cache is fetched again, and repaired.
	files := cacheFiles(t, o.CacheDir)
	if len(files) != 5 {
		t.Fatalf("got %d files in the cache", len(files))
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	count("damaged cache", o, digest, 3)
	count("repaired cache", o, digest, 0)

	// The tag moves: the cache must not hold the old image.
	hub.push(t, newImage(t, "linux/s390x"), "multi:v1")
	if got := chosen(t, NewRegistry(o), tag, "linux/arm64"); got != "linux/s390x" {
		t.Errorf("got %s from a tag that has moved", got)
	}
}

func cacheFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCacheForgets: what nobody asks for any more is removed; what somebody asked for is not.
func TestCacheForgets(t *testing.T) {
	hub := newHub(t, false)
	dir := t.TempDir()
	o := anonymous()
	o.CacheDir = dir
	used := newImage(t, "linux/amd64")
	hub.push(t, used, "used:v1")
	hub.push(t, newImage(t, "linux/arm64"), "unused:v1")
	for _, name := range []string{"used", "unused"} {
		chosen(t, NewRegistry(o), hub.host+"/"+name+":v1", "linux/amd64")
	}
	long := time.Now().Add(-keptFor - time.Hour)
	files := append(cacheFiles(t, dir), filepath.Join(dir, "blobs", "sha256", ".new-1"))
	if err := os.WriteFile(files[len(files)-1], nil, 0o600); err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Chtimes(f, long, long); err != nil {
			t.Fatal(err)
		}
	}
	chosen(t, NewRegistry(o), hub.host+"/used:v1", "linux/amd64") // adds nothing, and so removes nothing
	if got := cacheFiles(t, dir); len(got) != len(files) {
		t.Fatalf("got %q", got)
	}
	hub.push(t, newImage(t, "linux/arm64"), "new:v1")
	chosen(t, NewRegistry(o), hub.host+"/new:v1", "linux/amd64")
	hub.seen()
	chosen(t, NewRegistry(o), hub.host+"/used@"+digestOf(t, used).String(), "linux/amd64")
	if got := hub.seen(); len(got) != 0 {
		t.Errorf("got requests %q for what was in use", got)
	}
	left, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	if err != nil || len(left) != 4 {
		t.Errorf("%d files are left, want the manifests and configurations of two images (%v)", len(left), err)
	}
}

func TestCacheFailureIsNoError(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), os.DevNull} {
		o := anonymous()
		o.CacheDir = dir
		chosen(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
	}
}

func TestDefaultCacheDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/somewhere/cache")
	if got := DefaultCacheDir(); got != filepath.FromSlash("/somewhere/cache/debuggable") {
		t.Errorf("got %q", got)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if got := DefaultCacheDir(); got != "" {
		t.Errorf("got %q without a home", got)
	}
}

// basicAuth makes the registry ask for a user and password.
func basicAuth(user, password string, hideAs int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, ok := r.BasicAuth(); ok && u == user && p == password {
			return false
		}
		if r.URL.Path != "/v2/" && hideAs != 0 {
			w.WriteHeader(hideAs)
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

// TestRegistryBasicAuth takes credentials from where Docker and Podman keep them, and from a credential helper.
func TestRegistryBasicAuth(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	hub.push(t, newImage(t, "linux/amd64"), "other:v1")
	hub.behave(basicAuth("me", "secret", 0))
	auths := fmt.Sprintf(`{"auths":{%q:{"auth":"bWU6c2VjcmV0"}}}`, hub.host)
	helper := fmt.Sprintf(`{"credHelpers":{%q:"test"}}`, hub.host)

	for _, c := range []struct {
		name  string
		files map[string]string
		env   string // set to the folder of files
	}{
		{"Docker", map[string]string{"config.json": auths}, "DOCKER_CONFIG"},
		{"Podman", map[string]string{"containers/auth.json": auths}, "XDG_RUNTIME_DIR"},
		{"helper", map[string]string{"config.json": helper,
			"docker-credential-test": "#!/bin/sh\ncat > /dev/null\necho '{\"Username\":\"me\",\"Secret\":\"secret\"}'\n"},
			"DOCKER_CONFIG"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := noCredentials(t)
			for f, content := range c.files {
				f = filepath.Join(dir, f)
				if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(f, []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv(c.env, dir)
			t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			s := NewRegistry(RegistryOptions{Backoff: time.Millisecond})
			chosen(t, s, hub.host+"/web:v1", "linux/amd64")
			hub.seen()
			// Another image is asked for without credentials all the same: it may be public.
			chosen(t, s, hub.host+"/other:v1", "linux/amd64")
			if got := hub.seen(); len(got) != 3 {
				t.Errorf("got requests %q", got)
			}
		})
	}

	t.Run("none", func(t *testing.T) {
		noCredentials(t)
		_, err := ask(t, NewRegistry(RegistryOptions{Backoff: time.Millisecond}), hub.host+"/web:v1", "linux/amd64")
		if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "docker login "+hub.host) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("broken helper", func(t *testing.T) {
		dir := noCredentials(t)
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(helper), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("DOCKER_CONFIG", dir)
		_, err := ask(t, NewRegistry(RegistryOptions{Backoff: time.Millisecond}), hub.host+"/web:v1", "linux/amd64")
		if err == nil || !strings.Contains(err.Error(), "docker-credential-test") {
			t.Errorf("got error %v, want one that names the helper", err)
		}
		// For a public image it does not matter.
		hub.behave(nil)
		chosen(t, NewRegistry(RegistryOptions{}), hub.host+"/web:v1", "linux/amd64")
	})
}

// noCredentials hides the user's own credentials, and returns an empty folder.
func noCredentials(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, v := range []string{"HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE"} {
		t.Setenv(v, filepath.Join(dir, "none"))
	}
	return dir
}

type fixed struct{ user, password string }

func (f fixed) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{Username: f.user, Password: f.password}), nil
}

func TestRegistryHidesPrivateImages(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	for _, status := range []int{http.StatusNotFound, http.StatusForbidden} {
		hub.behave(basicAuth("me", "secret", status))
		o := anonymous()
		o.Keychain = fixed{"me", "secret"}
		chosen(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
	}
}

// TestRegistryToken is the flow of Docker Hub: a token for each repository, got with or without credentials.
func TestRegistryToken(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "public:v1")
	hub.push(t, newImage(t, "linux/amd64"), "private:v1")
	hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			user, password, given := r.BasicAuth()
			if given && (user != "me" || password != "secret") {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			token := r.URL.Query().Get("scope")
			if strings.Contains(token, "private") && !given {
				token = "nothing"
			}
			fmt.Fprintf(w, `{"token":%q}`, token)
			return true
		}
		repo, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
		if repo != "" && r.Header.Get("Authorization") == "Bearer repository:"+repo+":pull" {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, r.Host))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	o := anonymous()
	chosen(t, NewRegistry(o), hub.host+"/public:v1", "linux/amd64")
	if _, err := ask(t, NewRegistry(o), hub.host+"/private:v1", "linux/amd64"); err == nil ||
		!strings.Contains(err.Error(), "docker login") {
		t.Errorf("got error %v", err)
	}
	o.Keychain = fixed{"me", "secret"}
	chosen(t, NewRegistry(o), hub.host+"/private:v1", "linux/amd64")
	// Credentials that are no longer good do not keep a public image from being read.
	o.Keychain = fixed{"me", "expired"}
	chosen(t, NewRegistry(o), hub.host+"/public:v1", "linux/amd64")
	if _, err := ask(t, NewRegistry(o), hub.host+"/private:v1", "linux/amd64"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v", err)
	}
}

func TestRegistryUntrusted(t *testing.T) {
	hub := newHub(t, true)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	ref := hub.host + "/web:v1"
	if _, err := ask(t, NewRegistry(anonymous()), ref, "linux/amd64"); err == nil ||
		!strings.Contains(err.Error(), "add "+hub.host+" to insecureRegistries") {
		t.Errorf("got error %v", err)
	}
	o := anonymous()
	for _, allowed := range []string{hub.host, "127.0.0.1", "https://" + hub.host + "/"} {
		o.Insecure = []string{allowed}
		chosen(t, NewRegistry(o), ref, "linux/amd64")
	}
	o.Insecure = []string{"127.0.0.1:1", "example.com"}
	if _, err := ask(t, NewRegistry(o), ref, "linux/amd64"); err == nil {
		t.Error("a host that is not listed was trusted")
	}
	// A trusted certificate needs no setting.
	o = anonymous()
	o.Transport = hub.Client().Transport
	chosen(t, NewRegistry(o), ref, "linux/amd64")
}

// TestRegistryPlain: hosts that are not this machine are reached over plain http only if they are listed.
func TestRegistryPlain(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	to := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, hub.host)
	}}
	defer to.CloseIdleConnections()
	for _, host := range []string{"registry.example:5000", "10.1.2.3:5000"} {
		hub.seen()
		o := anonymous()
		o.Transport = to
		if _, err := ask(t, NewRegistry(o), host+"/web:v1", "linux/amd64"); err == nil ||
			!strings.Contains(err.Error(), "add "+host+" to insecureRegistries") {
			t.Errorf("%s: got error %v", host, err)
		}
		if got := hub.seen(); len(got) != 0 {
			t.Errorf("%s: got plain requests %q", host, got)
		}
		o.Insecure = []string{host}
		chosen(t, NewRegistry(o), host+"/web:v1", "linux/amd64")
		hub.seen()
		hub.behave(basicAuth("me", "secret", 0))
		o.Keychain = fixed{"me", "secret"}
		chosen(t, NewRegistry(o), host+"/web:v1", "linux/amd64")
		hub.behave(nil)
	}
}

func TestRegistryProxy(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	o := anonymous()
	o.Insecure = []string{"registry.example"}
	proxy := hub.URL
	o.Transport = &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }}
	chosen(t, NewRegistry(o), "registry.example/web:v1", "linux/amd64")
}

func TestRegistryRetries(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	failing := func(times int, how func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		var mu sync.Mutex
		failed := map[string]int{}
		return func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if failed[r.URL.Path] >= times {
				return false
			}
			failed[r.URL.Path]++
			how(w)
			return true
		}
	}
	reply := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	hangUp := func(w http.ResponseWriter) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	}
	cutShort := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"schemaVersion":2`))
	}
	for what, how := range map[string]func(http.ResponseWriter){
		"500": reply(500), "502": reply(502), "503": reply(503), "429": reply(429), "hang up": hangUp, "cut short": cutShort,
	} {
		for _, withCache := range []bool{false, true} {
			o := anonymous()
			if withCache {
				o.CacheDir = t.TempDir()
			}
			hub.behave(failing(2, how))
			if got := chosen(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64"); got != "linux/amd64" {
				t.Errorf("%s: got %s", what, got)
			}
		}
		hub.behave(failing(1000, how))
		hub.seen()
		_, err := ask(t, NewRegistry(anonymous()), hub.host+"/web:v1", "linux/amd64")
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%s, for good: got error %v", what, err)
		}
		if got := hub.seen(); len(got) > 2*attempts {
			t.Errorf("%s, for good: got %d requests", what, len(got))
		}
	}
	// Nothing else is tried again.
	hub.behave(failing(1000, reply(http.StatusBadRequest)))
	hub.seen()
	if _, err := ask(t, NewRegistry(RegistryOptions{Keychain: authn.NewMultiKeychain(), Transport: http.DefaultTransport}),
		hub.host+"/web:v1", "linux/amd64"); err == nil {
		t.Error("got no error")
	}
	if got := hub.seen(); len(got) != 1 {
		t.Errorf("got requests %q", got)
	}
}

func TestRegistryRetryAfter(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	var once sync.Once
	hub.behave(func(w http.ResponseWriter, _ *http.Request) (wrong bool) {
		once.Do(func() {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			wrong = true
		})
		return wrong
	})
	start := time.Now()
	chosen(t, NewRegistry(anonymous()), hub.host+"/web:v1", "linux/amd64")
	if d := time.Since(start); d < 900*time.Millisecond {
		t.Errorf("came back after %s", d)
	}
}

func TestRegistryTimeLimit(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	release := make(chan struct{})
	hub.behave(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	defer close(release)
	platform := mustPlatform(t, "linux/amd64")
	ref, err := name.ParseReference(hub.host + "/web:v1")
	if err != nil {
		t.Fatal(err)
	}

	o := anonymous()
	o.Timeout = 50 * time.Millisecond
	if _, err := NewRegistry(o).Config(context.Background(), ref, platform); !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("got error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	if _, err := NewRegistry(anonymous()).Config(ctx, ref, platform); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("ended %s after the context", d)
	}
	// A credential helper that hangs does not hold up anything either.
	hub.behave(basicAuth("me", "secret", 0))
	o.Keychain = hanging(release)
	if _, err := NewRegistry(o).Config(context.Background(), ref, platform); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v", err)
	}
}

// TestRegistryThatNeverAnswers is waited for once, not for each of its images; the cache and other registries answer
// all the same.
func TestRegistryThatNeverAnswers(t *testing.T) {
	hub, other := newHub(t, false), newHub(t, false)
	img := newImage(t, "linux/amd64")
	hub.push(t, img, "web:v1")
	other.push(t, img, "web:v1")
	o := anonymous()
	o.CacheDir = t.TempDir()
	chosen(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
	hub.behave(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	o.Timeout = 300 * time.Millisecond
	s := NewRegistry(o)
	start := time.Now()
	var said []string
	for i := range 20 {
		ref := fmt.Sprintf("%s/web:v%d", hub.host, i)
		_, err := ask(t, s, ref, "linux/amd64")
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Fatalf("got error %v", err)
		}
		said = append(said, strings.TrimPrefix(err.Error(), "asking registry "+hub.host+" for "+ref+": "))
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("20 images took %s", d)
	}
	if said = slices.Compact(said); len(said) != 1 || said[0] != "no answer within 300ms: context deadline exceeded" {
		t.Errorf("got errors %q", said)
	}
	chosen(t, s, hub.host+"/web@"+digestOf(t, img).String(), "linux/amd64")
	chosen(t, s, other.host+"/web:v1", "linux/amd64")
	// One that answers at times is asked for each image.
	hub.behave(nil)
	s = NewRegistry(o)
	chosen(t, s, hub.host+"/web:v1", "linux/amd64")
	hub.behave(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	if _, err := ask(t, s, hub.host+"/web:v1", "linux/amd64"); err == nil {
		t.Error("got no error")
	}
	hub.behave(nil)
	chosen(t, s, hub.host+"/web:v1", "linux/amd64")
}

type hanging chan struct{}

func (h hanging) Resolve(authn.Resource) (authn.Authenticator, error) {
	<-h
	return authn.Anonymous, nil
}

// TestRegistryLies: what a registry sends is checked, and bounded.
func TestRegistryLies(t *testing.T) {
	hub := newHub(t, false)
	img := newImage(t, "linux/amd64")
	hub.push(t, img, "web:v1")
	config := configDigest(t, img).String()
	endless := func(w http.ResponseWriter, r *http.Request) {
		block := make([]byte, 1<<20)
		for range 64 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		what   string
		path   string
		answer func(w http.ResponseWriter, r *http.Request)
	}{
		{"other configuration", config, func(w http.ResponseWriter,
			_ *http.Request) {
			fmt.Fprint(w, `{"config":{"Entrypoint":["/evil"]}}`)
		}},
		{"endless configuration", config, endless},
		{"endless manifest", "/manifests/", endless},
		{"text", "/manifests/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome to the login page") }},
		{"null", "/manifests/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "null") }},
		{"schema 1", "/manifests/", func(w http.ResponseWriter,
			_ *http.Request) {
			fmt.Fprint(w, `{"schemaVersion":1,"name":"web"}`)
		}},
	} {
		hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, c.path) {
				return false
			}
			c.answer(w, r)
			return true
		})
		o := anonymous()
		o.CacheDir = t.TempDir()
		got, err := ask(t, NewRegistry(o), hub.host+"/web:v1", "linux/amd64")
		if err == nil || errors.Is(err, ErrNotFound) || !strings.HasPrefix(err.Error(), "asking registry "+hub.host) {
			t.Errorf("%s: got %v, error %v", c.what, got.Entrypoint, err)
		}
	}
}

// TestRegistryDamage: a registry that has an image, but not all of it, does not count as one without the image.
func TestRegistryDamage(t *testing.T) {
	hub := newHub(t, false)
	img := newImage(t, "linux/amd64")
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	hub.push(t, index, "web:v1")
	gone := func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }
	other := func(w http.ResponseWriter) { fmt.Fprint(w, "{}") }
	manifest, config := digestOf(t, img).String(), configDigest(t, img).String()
	for _, c := range []struct {
		damaged string
		answer  func(http.ResponseWriter)
		want    string
	}{
		{manifest, gone, "blob " + manifest + " is missing"},
		{config, gone, "blob " + config + " is missing"},
		{manifest, other, "blob " + manifest + " is corrupt: "},
		{config, other, "blob " + config + " is corrupt: "},
	} {
		hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, c.damaged) {
				return false
			}
			c.answer(w)
			return true
		})
		for _, ref := range []string{"web:v1", "web@" + digestOf(t, index).String()} {
			for _, cacheDir := range []string{"", t.TempDir()} {
				o := anonymous()
				o.CacheDir = cacheDir
				_, err := ask(t, NewRegistry(o), hub.host+"/"+ref, "linux/amd64")
				if err == nil || errors.Is(err, ErrNotFound) || strings.Count(err.Error(), c.want) != 1 {
					t.Errorf("%s: got error %v, want %q", ref, err, c.want)
				}
			}
		}
	}
}

// TestRegistryRedirects: redirects are followed, but not for ever.
func TestRegistryRedirects(t *testing.T) {
	hub, storage := newHub(t, false), newHub(t, false)
	img := newImage(t, "linux/amd64")
	hub.push(t, img, "web:v1")
	storage.push(t, img, "web:v1")
	hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, storage.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	chosen(t, NewRegistry(anonymous()), hub.host+"/web:v1", "linux/amd64")
	hub.behave(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
		return true
	})
	hub.seen()
	_, err := ask(t, NewRegistry(anonymous()), hub.host+"/web:v1", "linux/amd64")
	if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "does not stop redirecting") {
		t.Errorf("got error %v", err)
	}
	if got := hub.seen(); len(got) > 32 {
		t.Errorf("got %d requests", len(got))
	}
}

// TestRegistryAnswersHandshakeWithText: some servers answer a TLS handshake with an error page that has no status line.
func TestRegistryAnswersHandshakeWithText(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newImage(t, "linux/amd64"), "web:v1")
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	hungUp := false
	go func() {
		for {
			c, err := front.Accept()
			if err != nil {
				return
			}
			first := make([]byte, 1)
			if _, err := io.ReadFull(c, first); err != nil || first[0] == 22 { // a TLS record: a handshake
				_, _ = io.WriteString(c, "<!DOCTYPE HTML>\n<p>Bad request version")
				c.Close()
				continue
			}
			if !hungUp { // then what was learned must not be forgotten
				hungUp = true
				c.Close()
				continue
			}
			back, err := net.Dial("tcp", hub.host)
			if err != nil {
				c.Close()
				continue
			}
			go func() {
				_, _ = back.Write(first)
				_, _ = io.Copy(back, c)
				back.Close()
			}()
			go func() {
				_, _ = io.Copy(c, back)
				c.Close()
			}()
		}
	}()
	chosen(t, NewRegistry(anonymous()), front.Addr().String()+"/web:v1", "linux/amd64")
}

func TestRegistryUnreachable(t *testing.T) {
	hub := newHub(t, false)
	hub.Close()
	var errs []string
	for range 2 {
		_, err := ask(t, NewRegistry(anonymous()), hub.host+"/web:v1", "linux/amd64")
		if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "connection refused") {
			t.Fatalf("got error %v", err)
		}
		errs = append(errs, err.Error())
	}
	if errs[0] != errs[1] {
		t.Errorf("the same failure reads\n%s\n%s", errs[0], errs[1])
	}
}

func TestErrorsHoldNoLocalPort(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 43210}
	for err, want := range map[error]string{
		&net.OpError{Op: "read", Net: "tcp", Source: local, Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443},
			Err: io.EOF}: "read tcp 10.0.0.1:443: EOF",
		&net.OpError{Op: "proxyconnect", Net: "tcp",
			Err: &net.OpError{Op: "dial", Net: "tcp", Source: local, Err: io.EOF}}: "proxyconnect tcp: dial tcp: EOF",
		&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "read udp 127.0.0.1:43210->127.0.0.11:53: i/o timeout",
			Name: "r.io", IsTimeout: true}}: "dial tcp: lookup r.io: i/o timeout",
	} {
		if got := withoutPort(fmt.Errorf("wrapped: %w", err)).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
