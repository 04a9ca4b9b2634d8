package image

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/foreign"
)

// RegistryOptions say how registries are reached. The zero value is a good start: standard keychains, proxies from the
// environment, no cache.
type RegistryOptions struct {
	// Insecure lists the hosts, HOST or HOST:PORT, that may be reached over plain http or with an untrusted certificate.
	// Loopback hosts may always be reached over plain http, as Docker does it.
	Insecure []string
	// Surface says what the user calls a setting, by its field's name: the field, or the flag with its value. nil for the
	// field.
	Surface func(field string) string
	// UserAgent is put ahead of the client library's own.
	UserAgent string
	// Transport carries the requests; nil for one that honours HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Where it is an
	// *http.Transport, a copy without certificate checks serves the Insecure hosts.
	Transport http.RoundTripper
	// Keychain finds credentials; nil for those of Docker and Podman (auth files, credential helpers).
	Keychain authn.Keychain
	// Timeout bounds the time for one image, with all its requests and retries; 30 seconds where it is 0. A host that has
	// taken all of it several times is given a little of it for its other images.
	Timeout time.Duration
	// Total bounds the time for all images, from the first on; 2 minutes where it is 0.
	Total time.Duration
	// Backoff is the wait ahead of the first retry, four times as long ahead of the next; 250 milliseconds where it is
	// 0. A registry's Retry-After is waited for where it is longer; beyond 10 seconds there is no retry.
	Backoff time.Duration
	// CacheDir is where indexes, manifests and configurations are kept by digest, "" for nowhere. It is created when
	// there is something to keep. See DefaultCacheDir.
	CacheDir string
}

const (
	defaultTimeout = 30 * time.Second
	defaultTotal   = 2 * time.Minute
	defaultBackoff = 250 * time.Millisecond

	small     = 64 << 10 // bytes: many more than most manifests and configurations have
	manyLarge = 4        // documents of more than that are read at a time, since decoding takes a multiple
)

// Registry is a source that asks the registry that a reference names. It fetches indexes, manifests and configurations;
// layers only when a Config's are opened. With a cache, an image by digest that is there needs no request, and an image
// by tag a single HEAD request for the digest.
type Registry struct {
	opts  RegistryOptions
	cache *cache
	large chan struct{}     // holds a token for each large document that is read
	base  http.RoundTripper // opts.Transport or the default one
	loose http.RoundTripper // base for insecure hosts

	mu    sync.Mutex
	end   time.Time // of all requests; zero until the first image
	hosts map[string]*host
}

// NewRegistry returns a source that asks registries. It opens no connection and reads no file until it is asked.
func NewRegistry(o RegistryOptions) *Registry {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Backoff <= 0 {
		o.Backoff = defaultBackoff
	}
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Total <= 0 {
		o.Total = defaultTotal
	}
	r := &Registry{opts: o, cache: &cache{dir: o.CacheDir}, hosts: map[string]*host{},
		large: make(chan struct{}, manyLarge)}
	r.base = o.Transport
	if r.base == nil {
		r.base = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  20 * time.Second,
			MaxResponseHeaderBytes: 256 << 10,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    Jobs,
			IdleConnTimeout:        90 * time.Second,
		}
	}
	r.loose = r.base
	if t, ok := r.base.(*http.Transport); ok && len(o.Insecure) > 0 {
		t = t.Clone()
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{}
		}
		t.TLSClientConfig.InsecureSkipVerify = true // #nosec G402: the user lists these hosts
		r.loose = t
	}
	return r
}

func (r *Registry) String() string { return "registry" }

// Config implements Source.
func (r *Registry) Config(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	h := r.host(ref)
	limited, cancel := context.WithTimeout(ctx, min(h.timeLimit(), r.left()))
	defer cancel()
	start := time.Now()
	config, err := r.find(limited, h, ref, platform)
	if err == nil {
		config.From = r.String()
		return config, nil
	}
	if limited.Err() != nil && ctx.Err() == nil && time.Since(start) >= r.opts.Timeout {
		h.ranOutOfTime()
	}
	return Config{}, r.explain(ctx, limited, h, ref, err)
}

// left is how much time there is for an image because of all the others.
func (r *Registry) left() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end.IsZero() {
		r.end = time.Now().Add(r.opts.Total)
	}
	return time.Until(r.end)
}

// explain says what an error means, and what to do. What the registry says comes into it without secrets and cut.
func (r *Registry) explain(ctx, limited context.Context, h *host, ref name.Reference, err error) error {
	reg := h.name()
	doing := fmt.Sprintf("asking registry %s for %s", reg, ref)
	switch {
	case ctx.Err() != nil:
		return &sourceError{doing, ctx.Err()}
	case limited.Err() != nil && r.left() <= 0:
		return &sourceError{doing, fmt.Errorf("no answer within the %s that there are for all images: %w", r.opts.Total,
			limited.Err())}
	case limited.Err() != nil:
		return &sourceError{doing, fmt.Errorf("no answer within %s: %w", r.opts.Timeout, limited.Err())}
	}
	if nf := new(notFound); errors.As(err, &nf) {
		return &notFound{"registry " + reg + ": " + foreign.Message(nf.detail, h.secrets)}
	}
	if status(err) == http.StatusNotFound {
		return &notFound{"registry " + reg + " does not have it"}
	}
	return &sourceError{doing, h.failed(err)}
}

// untrusted reports whether err is about a server that does not prove who it is.
func untrusted(err error) bool {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
	)
	return errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &invalid) ||
		errors.Is(err, errPlain) || speaksPlain(err)
}

func (r *Registry) find(ctx context.Context, h *host, ref name.Reference, platform v1.Platform) (Config, error) {
	s := &repoStore{access: &access{host: h, repo: ref.Context()}, cache: r.cache, large: r.large}
	root, err := s.root(ctx, ref)
	if err != nil {
		return Config{}, err
	}
	config, err := (&picker{store: s}).pick(ctx, []descriptor{{Digest: root}}, platform)
	config.Root = root
	return config, err
}

func (r *Registry) host(ref name.Reference) *host {
	r.mu.Lock()
	defer r.mu.Unlock()
	reg := ref.Context().Registry
	h := r.hosts[reg.RegistryStr()]
	if h == nil {
		h = newHost(reg, r)
		r.hosts[reg.RegistryStr()] = h
	}
	return h
}

// insecure reports whether the user allows plain http and untrusted certificates for a host, HOST or HOST:PORT.
func (r *Registry) insecure(hostport string) bool {
	bare := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		bare = h
	}
	for _, i := range r.opts.Insecure {
		i = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(i, "https://"), "http://"), "/")
		if i == "docker.io" {
			i = name.DefaultRegistry
		}
		if strings.EqualFold(i, hostport) || strings.EqualFold(i, bare) || strings.EqualFold(i, "["+bare+"]") {
			return true
		}
	}
	return false
}

// repoStore is the store of one repository, for one image: what the registry has, with the cache in front.
type repoStore struct {
	access *access
	cache  *cache
	large  chan struct{}
	asked  v1.Hash // what the reference names
	first  []byte  // its content, where that was read already and is small
}

// root returns the digest that ref stands for.
func (s *repoStore) root(ctx context.Context, ref name.Reference) (v1.Hash, error) {
	var err error
	if d, ok := ref.(name.Digest); ok {
		s.asked, err = v1.NewHash(d.DigestStr())
		return s.asked, err
	}
	// Registries bound how often manifests are read, but not how often they are asked for a digest. Where the cache has
	// not seen the tag it is all the same: the manifest has to be read.
	if s.cache.knows(ref.Name()) {
		var h v1.Hash
		err := s.access.ask(ctx, http.MethodHead, manifests, ref.Identifier(), func(resp *http.Response) (err error) {
			h, err = v1.NewHash(resp.Header.Get("Docker-Content-Digest"))
			return err
		})
		code := status(err)
		if err == nil || code == http.StatusNotFound || code == http.StatusTooManyRequests || code == 0 && transient(err) ||
			ctx.Err() != nil {
			return h, err
		}
		// Not every registry answers HEAD in full, and those that refuse say why only to GET.
	}
	err = s.fetch(ctx, manifests, ref.Identifier(), func(b []byte) (err error) {
		// The digest is that of the bytes, whatever Docker-Content-Digest says.
		if s.asked, _, err = v1.SHA256(bytes.NewReader(b)); err != nil {
			return err
		}
		if len(b) <= small {
			s.first = b
		}
		s.cache.put(s.asked, b)
		s.cache.see(ref.Name(), s.asked)
		return nil
	})
	return s.asked, err
}

// document implements store.
func (s *repoStore) document(ctx context.Context, kind kind, h v1.Hash, use func([]byte) error) error {
	if s.first != nil && h == s.asked {
		return use(s.first)
	}
	if b := s.cache.get(h); b != nil {
		return use(b)
	}
	err := s.fetch(ctx, kind, h.String(), func(b []byte) error {
		if err := verify(h, b); err != nil {
			return err
		}
		s.cache.put(h, b)
		return use(b)
	})
	if status(err) == http.StatusNotFound && h != s.asked {
		// The registry has the image, but not all of it.
		return fmt.Errorf("blob %s is %w", h, errMissing)
	}
	return err
}

// layer implements store. It is read while it comes, and no further than its reader wants.
func (s *repoStore) layer(ctx context.Context, h v1.Hash) (io.ReadCloser, error) {
	in, out := io.Pipe()
	access := *s.access // others are asked for at the same time
	go func() {
		var reading error
		err := access.ask(ctx, http.MethodGet, blobs, h.String(), func(resp *http.Response) error {
			_, reading = io.Copy(out, resp.Body)
			return nil // what has begun cannot be asked for again
		})
		_ = out.CloseWithError(cmp.Or(err, reading))
	}()
	return in, nil
}

// fetch reads a document and hands it over.
func (s *repoStore) fetch(ctx context.Context, kind kind, id string, use func([]byte) error) error {
	return s.access.ask(ctx, http.MethodGet, kind, id, func(resp *http.Response) error {
		what := string(kind) + "/" + id
		if resp.ContentLength > maxDocument {
			return tooLarge(what)
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, small+1))
		if err != nil {
			return fmt.Errorf("reading %s: %w", what, err)
		}
		if len(b) <= small {
			return use(b)
		}
		select {
		case s.large <- struct{}{}:
			defer func() { <-s.large }()
		case <-ctx.Done():
			return ctx.Err()
		}
		if b, err = readDocument(io.MultiReader(bytes.NewReader(b), resp.Body), what); err != nil {
			return err
		}
		return use(b)
	})
}
