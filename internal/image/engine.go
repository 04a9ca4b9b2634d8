package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/foreign"
)

// The values of the setting engine: when the container engine of this machine is asked.
const (
	EngineFallback = "fallback" // for what no registry hands out
	EngineFirst    = "first"    // ahead of registries
	EngineNever    = "never"
)

// EngineOptions say how the container engine is reached. The zero value finds it as Docker's own client does.
type EngineOptions struct {
	// Offline says that no network connection may be opened: an engine that listens on a TCP port is not asked.
	Offline   bool
	UserAgent string
	// Getenv reads the environment; nil for os.Getenv.
	Getenv func(name string) string
	// Sockets are where engines listen when nothing names one; nil for Docker's and Podman's.
	Sockets []string
	// Timeout bounds the time for one image; 10 seconds where it is 0. An engine that has taken all of it is not asked
	// again.
	Timeout time.Duration
}

const engineTimeout = 10 * time.Second

// Engine is a source of the images that a container engine on this machine has, Docker or Podman, so that images that
// were built and never pushed are found. It asks by Docker's API (https://docs.docker.com/reference/api/engine/), which
// both answer.
//
// Where nothing listens, nothing is said: most machines that render manifests have no engine.
type Engine struct {
	opts EngineOptions

	once      sync.Once
	endpoints []*endpoint
	unusable  string // why the one that the user names cannot be asked
}

// endpoint is where an engine listens.
type endpoint struct {
	address string // for people: unix:///var/run/docker.sock
	base    string // what paths are appended to
	client  *http.Client

	mu   sync.Mutex
	dead bool // nothing answers there
}

// NewEngine returns a source that asks the container engine of this machine. It opens no connection and reads no file
// until it is asked.
func NewEngine(o EngineOptions) *Engine {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	o.Timeout = cmp.Or(o.Timeout, engineTimeout)
	return &Engine{opts: o}
}

func (e *Engine) String() string { return "container engine" }

// present reports whether there is an engine to ask, as far as that is known.
func (e *Engine) present() bool {
	return slices.ContainsFunc(e.found(), func(p *endpoint) bool { return !p.isDead() })
}

// found lists where to ask, in this order.
func (e *Engine) found() []*endpoint {
	e.once.Do(func() {
		named, err := e.named()
		switch {
		case err != nil:
			e.unusable = err.Error()
		case named != "":
			e.add(named)
		default:
			for _, socket := range e.sockets() {
				if info, err := os.Stat(socket); err == nil && info.Mode().Type() == fs.ModeSocket {
					e.add("unix://" + socket)
				}
			}
		}
	})
	return e.endpoints
}

// sockets are where Docker and Podman listen by default: docker(1), "--host", and podman-system-service(1).
func (e *Engine) sockets() []string {
	if e.opts.Sockets != nil {
		return e.opts.Sockets
	}
	sockets := []string{"/var/run/docker.sock"}
	if dir := e.opts.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, filepath.Join(dir, "podman", "podman.sock"))
	}
	return append(sockets, "/run/podman/podman.sock")
}

// named is the address that the user has named: by DOCKER_HOST, else by a Docker context; "" for none.
func (e *Engine) named() (string, error) {
	if host := e.opts.Getenv("DOCKER_HOST"); host != "" {
		return host, nil
	}
	dir := e.opts.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home := e.opts.Getenv("HOME")
		if home == "" {
			return "", nil
		}
		dir = filepath.Join(home, ".docker")
	}
	current := e.opts.Getenv("DOCKER_CONTEXT")
	if current == "" {
		var config struct {
			CurrentContext string `json:"currentContext"`
		}
		if err := readJSON(filepath.Join(dir, "config.json"), &config); err != nil {
			return "", nil //nolint:nilerr // it is the registries' matter, which say so
		}
		current = config.CurrentContext
	}
	if current == "" || current == "default" {
		return "", nil
	}
	// A context's folder is named by the digest of its name: github.com/docker/cli, cli/context/store/metadatastore.go.
	sum := sha256.Sum256([]byte(current))
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := readJSON(filepath.Join(dir, "contexts", "meta", hex.EncodeToString(sum[:]), "meta.json"),
		&meta); err != nil {
		return "", fmt.Errorf("the Docker context %s cannot be read: %w", foreign.Quote(current), err)
	}
	return meta.Endpoints["docker"].Host, nil
}

// readJSON reads a JSON file of at most maxDocument bytes.
func readJSON(file string, into any) error {
	b, err := folder(filepath.Dir(file)).read(context.Background(), filepath.Base(file))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// add adds an address: unix:///SOCKET, or tcp://HOST:PORT for plain http.
func (e *Engine) add(address string) {
	scheme, rest, _ := strings.Cut(address, "://")
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	p := &endpoint{}
	dial := dialer.DialContext
	switch {
	case scheme == "unix" && rest != "":
		p.address, p.base = address, "http://engine"
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", rest) }
	case scheme == "tcp" && e.opts.Offline:
		return // it is the network
	case scheme == "tcp" && (e.opts.Getenv("DOCKER_TLS_VERIFY") != "" || e.opts.Getenv("DOCKER_TLS") != ""):
		e.unusable = "the container engine is reached by TLS, which is not supported here"
		return
	case scheme == "tcp":
		u, err := url.Parse("http://" + rest)
		if err != nil || u.Hostname() == "" {
			e.unusable = "the container engine's address is none" // it may hold a password
			return
		}
		host := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "2375"))
		p.address, p.base = "tcp://"+host, "http://"+host
	default:
		e.unusable = fmt.Sprintf("the container engine cannot be asked by %s: only unix:// and tcp:// are known here",
			foreign.Quote(scheme))
		return
	}
	p.client = &http.Client{
		Transport: &http.Transport{DialContext: dial, MaxResponseHeaderBytes: 64 << 10, MaxConnsPerHost: 8,
			IdleConnTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	e.endpoints = append(e.endpoints, p)
}

// Config implements Source. The first engine that has the image wins.
func (e *Engine) Config(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	detail := ""
	for _, p := range e.found() {
		config, err := e.ask(ctx, p, ref, platform)
		if err == nil {
			config.From = fmt.Sprintf("%s at %s", e, foreign.Short(p.address))
			config.Engine = foreign.Short(p.address)
			return config, nil
		}
		if nf := new(notFound); errors.As(err, &nf) {
			detail = cmp.Or(detail, nf.detail)
			continue
		}
		return Config{}, &sourceError{fmt.Sprintf("asking the %s at %s for %s", e, foreign.Short(p.address), ref), err}
	}
	return Config{}, &notFound{cmp.Or(detail, e.unusable)}
}

// ask asks one engine. What is not there is a notFound.
func (e *Engine) ask(ctx context.Context, p *endpoint, ref name.Reference, platform v1.Platform) (Config, error) {
	if p.isDead() {
		return Config{}, &notFound{}
	}
	limited, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	path := "/images/" + engineName(ref) + "/json"
	// Engines before API 1.49, and Podman, take no platform and ignore it; those that do have none but the one that is
	// asked for, so that a sole image, which serves whatever the platform, has to be asked for without.
	spec, err := json.Marshal(map[string]string{"os": platform.OS, "architecture": platform.Architecture,
		"variant": platform.Variant})
	if err != nil {
		return Config{}, err
	}
	b, err := e.get(limited, p, path+"?platform="+url.QueryEscape(string(spec)))
	if errors.Is(err, errMissing) {
		b, err = e.get(limited, p, path)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return Config{}, ctx.Err()
	case errors.Is(err, errMissing):
		return Config{}, &notFound{}
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		p.kill()
		return Config{}, &notFound{} // a socket that nobody listens to any more is as good as none
	case errors.Is(err, fs.ErrPermission):
		p.kill()
		return Config{}, &notFound{
			fmt.Sprintf("the %s at %s may not be asked: permission denied", e, foreign.Short(p.address))}
	case limited.Err() != nil:
		p.kill()
		return Config{}, fmt.Errorf("no answer within %s: %w", e.opts.Timeout, limited.Err())
	default:
		return Config{}, errors.New(foreign.Message(err.Error(), nil))
	}
	names, err := engineNames(b)
	if err != nil {
		return Config{}, err
	}
	if !slices.Contains(names, ref.Name()) {
		return Config{}, &notFound{} // engines find more than they are asked for: by a part of an ID, or a short name
	}
	return parseConfig(b)
}

// get reads an answer of at most maxDocument bytes. Its error wraps errMissing where the engine has no such image.
func (e *Engine) get(ctx context.Context, p *endpoint, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", e.opts.UserAgent)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, errors.Unwrap(err) // without the URL, which means nothing to people
	}
	defer resp.Body.Close()
	b, err := readDocument(resp.Body, "its answer")
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, errMissing
	case resp.StatusCode != http.StatusOK:
		var said struct{ Message string }
		_ = json.Unmarshal(b, &said) // what is no JSON says nothing
		return nil, fmt.Errorf("it answers %d %s", resp.StatusCode, cmp.Or(said.Message, http.StatusText(resp.StatusCode)))
	}
	return b, nil
}

// engineName is what engines call an image: Docker Hub is docker.io there.
func engineName(ref name.Reference) string {
	return strings.Replace(ref.Name(), name.DefaultRegistry+"/", "docker.io/", 1)
}

// engineNames lists the references of an image that an engine describes, in full.
func engineNames(b []byte) (names []string, err error) {
	var image struct{ RepoTags, RepoDigests []string }
	if err := json.Unmarshal(b, &image); err != nil {
		return nil, fmt.Errorf("its answer is not an image's description: %w", err)
	}
	const most = 4096 // of its names
	all := slices.Concat(image.RepoTags, image.RepoDigests)
	for _, n := range all[:min(len(all), most)] {
		if ref, err := name.ParseReference(n); err == nil {
			names = append(names, ref.Name())
		}
	}
	return names, nil
}

func (p *endpoint) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *endpoint) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// OrEngine returns a source that asks a registry, and for what that does not hand out the engine. An image that was
// built and never pushed is one that the registry does not have, or does not tell from one that nobody may see, or one
// of a registry that is not there. What a registry may have and cannot tell just now is not looked for elsewhere: a tag
// may stand for another image there.
func OrEngine(registry Source, engine *Engine) Source { return orEngine{registry, engine} }

type orEngine struct {
	registry Source
	engine   *Engine
}

func (o orEngine) Config(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	config, err := o.registry.Config(ctx, ref, platform)
	_, fixed := ref.(name.Digest)
	if err == nil || ctx.Err() != nil || !fixed && !handsOutNothing(err) {
		return config, err
	}
	other, engineErr := o.engine.Config(ctx, ref, platform)
	if engineErr == nil {
		return other, nil
	}
	detail := engineErr.Error()
	if nf := new(notFound); errors.As(engineErr, &nf) {
		detail = nf.detail
	}
	if nf := new(notFound); errors.As(err, &nf) {
		return Config{}, &notFound{
			strings.Join(slices.DeleteFunc([]string{nf.detail, detail}, func(s string) bool { return s == "" }), "; ")}
	}
	if detail != "" {
		err = fmt.Errorf("%w; %s", err, detail)
	}
	return Config{}, err
}

// String names both, where there is an engine.
func (o orEngine) String() string {
	if o.engine.present() {
		return sourceName(o.registry) + ", " + o.engine.String()
	}
	return sourceName(o.registry)
}

// handsOutNothing reports whether an error of a registry means that it has no such image for anybody here.
func handsOutNothing(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, ErrNotFound) || denied(err) || errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) &&
		dns.IsNotFound
}

// Pushed returns a source without the container engine of this machine: for images that a cluster will have to pull for
// certain.
func Pushed(s Source) Source {
	c, ok := s.(chain)
	if !ok {
		return s
	}
	var rest chain
	for _, s := range c {
		switch s := s.(type) {
		case *Engine:
		case orEngine:
			rest = append(rest, s.registry)
		default:
			rest = append(rest, s)
		}
	}
	return rest
}
