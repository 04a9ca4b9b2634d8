package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// described is what engines say of an image.
const described = `{"Id":"sha256:1","RepoTags":["web:dev","gcr.io/acme/web:v1"],` +
	`"RepoDigests":["gcr.io/acme/web@sha256:5d0f0c990a68caee0befa4eee5feeb57beb0d40b3e8307828002d45c17878bb3"],` +
	`"Author":"me","Os":"linux",` +
	`"Architecture":"amd64","Variant":"","Config":{"Entrypoint":["/app"],"Cmd":null,"Env":["GOTRACEBACK=all"],` +
	`"WorkingDir":"/srv","User":"65532",` +
	`"Labels":{"dev.debuggable.support/x":"y"},"Volumes":{"/data":{}}},"Size":5}`

// fakeEngine answers on a socket, and counts requests.
func fakeEngine(t *testing.T, handler http.HandlerFunc) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	return socket
}

// docker answers as an engine that has one image, by its names alone.
func docker(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/images/docker.io/library/web:dev/json", "/images/gcr.io/acme/web:v1/json",
		"/images/gcr.io/acme/web@sha256:5d0f0c990a68caee0befa4eee5feeb57beb0d40b3e8307828002d45c17878bb3/json",
		"/images/docker.io/library/1:latest/json": // by a part of its ID
		fmt.Fprint(w, described)
	case "/images/docker.io/library/broken:latest/json":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"message":"the disk is \u001b[31mfull"}`)
	case "/images/docker.io/library/odd:latest/json":
		fmt.Fprint(w, `[]`)
	case "/images/docker.io/library/endless:latest/json":
		for range maxDocument/8 + 1 {
			if _, err := fmt.Fprint(w, "        "); err != nil {
				return
			}
		}
	case "/images/docker.io/library/elsewhere:latest/json":
		http.Redirect(w, r, "http://registry.invalid/", http.StatusFound)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"No such image"}`)
	}
}

func env(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func askFor(t *testing.T, s Source, image string) (Config, error) {
	t.Helper()
	ref, err := ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	return s.Config(t.Context(), ref, v1.Platform{OS: "linux", Architecture: "amd64"})
}

func TestEngine(t *testing.T) {
	socket := fakeEngine(t, docker)
	e := NewEngine(EngineOptions{Getenv: env(map[string]string{"DOCKER_HOST": "unix://" + socket})})
	for _, image := range []string{"web:dev", "gcr.io/acme/web:v1",
		"gcr.io/acme/web:other@sha256:5d0f0c990a68caee0befa4eee5feeb57beb0d40b3e8307828002d45c17878bb3"} {
		c, err := askFor(t, e, image)
		if err != nil {
			t.Errorf("%s: %v", image, err)
			continue
		}
		if c.Engine != "unix://"+socket || c.From != "container engine at unix://"+socket || c.Author != "me" ||
			c.WorkingDir != "/srv" || c.User != "65532" ||
			strings.Join(c.Entrypoint, " ") != "/app" || strings.Join(c.Env, " ") != "GOTRACEBACK=all" ||
			c.Labels["dev.debuggable.support/x"] != "y" || len(c.Volumes) != 1 {
			t.Errorf("%s: %+v", image, c)
		}
	}
	for image, want := range map[string]string{
		"nowhere": "image not found", "1": "image not found",
		"broken":    `for broken: it answers 500 the disk is \x1b[31mfull`,
		"odd":       "its answer is not an image's description",
		"endless":   "its answer has more than 4 MiB",
		"elsewhere": "it answers 302 Found",
	} {
		_, err := askFor(t, e, image)
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrNotFound) != (want == "image not found") {
			t.Errorf("%s: got %v, want %s", image, err, want)
		}
	}
}

// An engine that hangs holds up one image, not all.
func TestEngineHangs(t *testing.T) {
	asked := 0
	socket := fakeEngine(t, func(_ http.ResponseWriter, r *http.Request) {
		asked++
		<-r.Context().Done()
	})
	e := NewEngine(EngineOptions{Getenv: env(map[string]string{"DOCKER_HOST": "unix://" + socket}),
		Timeout: 50 * time.Millisecond})
	if _, err := askFor(t, e, "web"); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Error(err)
	}
	if _, err := askFor(t, e, "web"); !errors.Is(err, ErrNotFound) || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

// Where an engine is looked for, and what is said where there is none.
func TestEngineIsFound(t *testing.T) {
	socket := fakeEngine(t, docker)
	tcp := httptest.NewServer(http.HandlerFunc(docker))
	defer tcp.Close()
	address := strings.TrimPrefix(tcp.URL, "http")
	home := t.TempDir()
	runtimeDir, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(runtimeDir)
	write := func(file, content string) {
		file = filepath.Join(home, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256([]byte("colima"))
	write(".docker/config.json", `{"currentContext":"colima"}`)
	write(".docker/contexts/meta/"+hex.EncodeToString(sum[:])+"/meta.json",
		`{"Name":"colima","Endpoints":{"docker":{"Host":"unix://`+socket+`"}}}`)
	write("bare/config.json", `{}`)
	write("gone/config.json", `{"currentContext":"gone"}`)
	bare := filepath.Join(home, "bare")
	for what, test := range map[string]struct {
		env     map[string]string
		sockets []string
		offline bool
		found   bool
		says    string
	}{
		"DOCKER_HOST":               {env: map[string]string{"DOCKER_HOST": "unix://" + socket}, found: true},
		"DOCKER_HOST, TCP":          {env: map[string]string{"DOCKER_HOST": "tcp" + address}, found: true},
		"DOCKER_HOST, TCP, offline": {env: map[string]string{"DOCKER_HOST": "tcp" + address}, offline: true},
		"DOCKER_HOST, offline":      {env: map[string]string{"DOCKER_HOST": "unix://" + socket}, offline: true, found: true},
		"DOCKER_HOST, TLS": {env: map[string]string{"DOCKER_HOST": "tcp" + address, "DOCKER_TLS_VERIFY": "1"},
			says: "TLS"},
		"DOCKER_HOST, SSH":     {env: map[string]string{"DOCKER_HOST": "ssh://me:secret@host"}, says: `by "ssh"`},
		"DOCKER_HOST, no host": {env: map[string]string{"DOCKER_HOST": "tcp://:secret@"}, says: "address is none"},
		"DOCKER_HOST, nobody":  {env: map[string]string{"DOCKER_HOST": "unix://" + socket + "x"}},
		"it counts alone": {env: map[string]string{"DOCKER_HOST": "unix://" + socket + "x"},
			sockets: []string{socket}},
		"context":                   {env: map[string]string{"HOME": home}, found: true},
		"context by DOCKER_CONTEXT": {env: map[string]string{"HOME": home, "DOCKER_CONTEXT": "default"}},
		"context that is gone": {env: map[string]string{"DOCKER_CONFIG": filepath.Join(home, "gone")},
			says: `context "gone" cannot be read`},
		"sockets": {env: map[string]string{"DOCKER_CONFIG": bare},
			sockets: []string{home, filepath.Join(home, "none"), socket}, found: true},
		"nothing": {env: map[string]string{}, sockets: []string{filepath.Join(home, "none")}},
	} {
		sockets := test.sockets
		if sockets == nil {
			sockets = []string{}
		}
		e := NewEngine(EngineOptions{Getenv: env(test.env), Sockets: sockets, Offline: test.offline})
		_, err := askFor(t, e, "web:dev")
		said := ""
		if err != nil {
			said = strings.TrimPrefix(strings.TrimPrefix(err.Error(), "image not found"), ": ")
		}
		if (err == nil) != test.found || err != nil && !errors.Is(err, ErrNotFound) || !strings.Contains(said, test.says) ||
			test.says == "" && said != "" || strings.Contains(said, "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Podman's socket for users.
	podman := filepath.Join(runtimeDir, "podman", "podman.sock")
	e := NewEngine(EngineOptions{Getenv: env(map[string]string{"XDG_RUNTIME_DIR": runtimeDir})})
	if got := strings.Join(e.sockets(), " "); got != "/var/run/docker.sock "+podman+" /run/podman/podman.sock" {
		t.Error(got)
	}
}

// registryThat is a registry that answers in one way.
type registryThat struct{ err error }

func (r registryThat) Config(_ context.Context, ref name.Reference, _ v1.Platform) (Config, error) {
	return Config{From: "registry"}, r.err
}
func (registryThat) String() string { return "registry" }

// What a registry does not hand out is looked for in the engine; what it may have and cannot tell is not.
func TestOrEngine(t *testing.T) {
	socket := fakeEngine(t, docker)
	engine := NewEngine(EngineOptions{Getenv: env(map[string]string{"DOCKER_HOST": "unix://" + socket})})
	status := func(code int, image string) (Config, error) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		defer server.Close()
		host := strings.TrimPrefix(server.URL, "http://")
		r := NewRegistry(RegistryOptions{Backoff: time.Millisecond})
		return askFor(t, OrEngine(renamed{r, host}, engine), image)
	}
	for code, found := range map[int]bool{401: true, 403: true, 404: true, 429: false, 500: false, 503: false} {
		if c, err := status(code, "web:dev"); (err == nil) != found || found && c.Engine == "" {
			t.Errorf("%d: %v, %v", code, c.Engine, err)
		}
		if c, err := status(code,
			"gcr.io/acme/web@sha256:5d0f0c990a68caee0befa4eee5feeb57beb0d40b3e8307828002d45c17878bb3"); err != nil ||
			c.Engine == "" {
			t.Errorf("%d by digest: %v", code, err)
		}
		if _, err := status(code, "nowhere"); err == nil || strings.Contains(err.Error(), "engine") {
			t.Errorf("%d, nowhere: %v", code, err)
		}
	}
	r := NewRegistry(RegistryOptions{Backoff: time.Millisecond})
	if c, err := askFor(t, OrEngine(renamed{r, "127.0.0.1:1"}, engine), "web:dev"); err != nil || c.Engine == "" {
		t.Errorf("nobody listens: %v", err)
	}
	if c, err := askFor(t, OrEngine(registryThat{}, engine), "web:dev"); err != nil || c.From != "registry" {
		t.Errorf("the registry has it: %v, %v", c.From, err)
	}
	pushed := Pushed(Chain(engine, OrEngine(registryThat{ErrNotFound}, engine), engine))
	if _, err := askFor(t, pushed, "web:dev"); !errors.Is(err, ErrNotFound) ||
		!strings.Contains(err.Error(), "(asked: registry)") {
		t.Errorf("an image that has to be pushed: %v", err)
	}
	_, err := askFor(t, Chain(OrEngine(registryThat{ErrNotFound}, engine)), "nowhere")
	if err == nil || !strings.Contains(err.Error(), "(asked: registry, container engine)") {
		t.Error(err)
	}
}

// renamed asks a source for images of a host in place of the ones that are wanted.
type renamed struct {
	Source
	host string
}

func (r renamed) Config(ctx context.Context, ref name.Reference, p v1.Platform) (Config, error) {
	other, err := name.ParseReference(r.host + "/" + ref.Context().RepositoryStr() + separator(ref) + ref.Identifier())
	if err != nil {
		return Config{}, err
	}
	return r.Source.Config(ctx, other, p)
}

func separator(ref name.Reference) string {
	if _, ok := ref.(name.Digest); ok {
		return "@"
	}
	return ":"
}

// TestPodmanService asks a real engine: Podman's service, with storage of its own.
func TestPodmanService(t *testing.T) {
	podman, err := exec.LookPath("podman")
	if err != nil {
		t.Skip("podman is not on PATH, so that only a stand-in for a container engine is asked")
	}
	dir, err := os.MkdirTemp("", "podman")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	img, err := mutate.Config(empty.Image,
		v1.Config{Entrypoint: []string{"/app"}, Cmd: []string{"-v"}, Env: []string{"GOTRACEBACK=all"}, WorkingDir: "/srv",
			User: "65532"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Author = "linux", "amd64", "github.com/google/ko"
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("docker.io/library/web:dev")
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "web.tar")
	if err := tarball.WriteToFile(archive, tag, img); err != nil {
		t.Fatal(err)
	}
	own := []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
		"--storage-driver", "vfs"}
	if out, err := exec.CommandContext(t.Context(), podman,
		append(own, "load", "-i", archive)...).CombinedOutput(); err != nil {
		t.Skipf("podman cannot load an image here: %v\n%s", err, out)
	}
	socket := filepath.Join(dir, "podman.sock")
	service := exec.CommandContext(t.Context(), podman,
		append(own, "system", "service", "--time", "0", "unix://"+socket)...)
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = service.Process.Kill()
		_ = service.Wait()
	}()
	for range 200 {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	e := NewEngine(EngineOptions{Getenv: env(map[string]string{"DOCKER_HOST": "unix://" + socket})})
	c, err := askFor(t, e, "web:dev")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal([]any{c.Entrypoint, c.Cmd, c.WorkingDir, c.User, c.Author, c.Platform})
	if err != nil {
		t.Fatal(err)
	}
	if want := `[["/app"],["-v"],"/srv","65532","github.com/google/ko",{"architecture":"amd64","os":"linux"}]`; string(
		got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.Contains(strings.Join(c.Env, " "), "GOTRACEBACK=all") {
		t.Error(c.Env)
	}
	for _, image := range []string{"web:other", "web", "localhost/web:dev", "gcr.io/acme/web:dev"} {
		if _, err := askFor(t, e, image); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", image, err)
		}
	}
}
