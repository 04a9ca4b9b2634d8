package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// RegistryOptions say how registries are reached. The zero value is a good start: standard keychains, proxies from the
// environment, no cache.
type RegistryOptions struct {
	// Insecure lists the hosts, HOST or HOST:PORT, that may be reached over plain http or with an untrusted certificate.
	// Loopback hosts may always be reached over plain http, as Docker does it.
	Insecure []string
	// UserAgent is put ahead of the client library's own.
	UserAgent string
	// Transport carries the requests; nil for one that honours HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Where it is an
	// *http.Transport, a copy without certificate checks serves the Insecure hosts.
	Transport http.RoundTripper
	// Keychain finds credentials; nil for those of Docker and Podman (auth files, credential helpers).
	Keychain authn.Keychain
	// Timeout bounds the time for one image, with all its requests and retries; 30 seconds where it is 0.
	Timeout time.Duration
	// Backoff is the wait ahead of the first retry, four times as long ahead of the next; 250 milliseconds where it is
	// 0. A registry's Retry-After is waited for where it is longer, up to 10 seconds.
	Backoff time.Duration
	// CacheDir is where indexes, manifests and configurations are kept by digest, "" for nowhere. It is created when
	// there is something to keep. See DefaultCacheDir.
	CacheDir string
}

const (
	defaultTimeout = 30 * time.Second
	defaultBackoff = 250 * time.Millisecond
	attempts       = 3 // for each request, the first included
	maxRetryAfter  = 10 * time.Second
)

// Registry is a source that asks the registry that a reference names. It fetches indexes, manifests and configurations,
// never layers. With a cache, an image by digest that is there needs no request, and an image by tag a single HEAD
// request for the digest.
type Registry struct {
	opts  RegistryOptions
	cache *cache

	mu    sync.Mutex
	base  http.RoundTripper // opts.Transport or the default one
	loose http.RoundTripper // base for insecure hosts
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
	return &Registry{opts: o, cache: &cache{dir: o.CacheDir}, hosts: map[string]*host{}}
}

func (r *Registry) String() string { return "registry" }

// Config implements Source.
func (r *Registry) Config(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	timeout := r.opts.Timeout
	if r.host(ref).givesUp() {
		timeout = 0 // only the cache may know it
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	config, err := r.find(limited, ref, platform)
	if err == nil {
		config.From = r.String()
		return config, nil
	}
	reg := ref.Context().Registry.RegistryStr()
	doing := fmt.Sprintf("asking registry %s for %s", reg, ref)
	switch {
	case ctx.Err() != nil:
		return Config{}, &sourceError{doing, ctx.Err()}
	case limited.Err() != nil:
		r.host(ref).ranOutOfTime()
		return Config{}, &sourceError{doing, fmt.Errorf("no answer within %s: %w", r.opts.Timeout, limited.Err())}
	}
	if nf := new(notFound); errors.As(err, &nf) {
		return Config{}, &notFound{"registry " + reg + ": " + nf.detail}
	}
	var te *transport.Error
	if errors.As(err, &te) {
		switch te.StatusCode {
		case http.StatusNotFound:
			return Config{}, &notFound{"registry " + reg + " does not have it"}
		case http.StatusUnauthorized, http.StatusForbidden:
			login := "docker login " + reg
			if reg == name.DefaultRegistry {
				login = "docker login"
			}
			help := fmt.Sprintf("the image does not exist, or needs credentials: log in with `%s`", login)
			if kerr := r.host(ref).keychainError(); kerr != nil {
				help += fmt.Sprintf(" (credentials could not be read: %v)", kerr)
			}
			return Config{}, &sourceError{doing, fmt.Errorf("%w; %s", err, help)}
		}
	}
	if status(err) == http.StatusTooManyRequests {
		err = fmt.Errorf("%w; wait, log in, or write a lock file once and use that", err)
	}
	if untrusted(err) {
		err = fmt.Errorf("%w; add %s to insecureRegistries if this is intended", err, reg)
	}
	return Config{}, &sourceError{doing, err}
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

func (r *Registry) find(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	s, err := r.store(ref)
	if err != nil {
		return Config{}, err
	}
	d, err := s.root(ctx, ref)
	if err != nil {
		return Config{}, err
	}
	return picker{store: s}.pick(ctx, []v1.Descriptor{d}, platform)
}

// store returns the store of the repository that ref is in.
func (r *Registry) store(ref name.Reference) (*repoStore, error) {
	h := r.host(ref)
	repo := ref.Context()
	if h.plain { // lets the library try plain http
		var err error
		if repo, err = name.NewRepository(repo.Name(), name.Insecure); err != nil {
			return nil, err
		}
	}
	return &repoStore{host: h, repo: repo, cache: r.cache, first: map[v1.Hash][]byte{}}, nil
}

func (r *Registry) host(ref name.Reference) *host {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.base == nil {
		r.base = r.opts.Transport
		if r.base == nil {
			r.base = &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout:   10 * time.Second,
				ResponseHeaderTimeout: 20 * time.Second,
				ForceAttemptHTTP2:     true,
				MaxIdleConnsPerHost:   16, // about as many as images are resolved at a time
				IdleConnTimeout:       90 * time.Second,
			}
		}
		r.loose = r.base
		if t, ok := r.base.(*http.Transport); ok && len(r.opts.Insecure) > 0 {
			t = t.Clone()
			if t.TLSClientConfig == nil {
				t.TLSClientConfig = &tls.Config{}
			}
			t.TLSClientConfig.InsecureSkipVerify = true // #nosec G402: the user lists these hosts
			r.loose = t
		}
	}
	reg := ref.Context().Registry.RegistryStr()
	h := r.hosts[reg]
	if h == nil {
		h = newHost(reg, r)
		r.hosts[reg] = h
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

// loopback reports whether hostport is this machine.
func loopback(hostport string) bool {
	h := hostport
	if bare, _, err := net.SplitHostPort(hostport); err == nil {
		h = bare
	}
	if h == "localhost" || strings.HasSuffix(h, ".localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(h, "[]"))
	return ip != nil && ip.IsLoopback()
}

// repoStore is the store of one repository, for one image: what the registry has, with the cache in front.
type repoStore struct {
	host  *host
	repo  name.Repository
	cache *cache
	first map[v1.Hash][]byte // what root has read already
	asked v1.Hash            // the digest that the reference has, if it has one
}

// root returns the descriptor that ref stands for.
func (s *repoStore) root(ctx context.Context, ref name.Reference) (v1.Descriptor, error) {
	if d, ok := ref.(name.Digest); ok {
		var err error
		s.asked, err = v1.NewHash(d.DigestStr())
		return v1.Descriptor{Digest: s.asked}, err
	}
	tag := s.repo.Tag(ref.Identifier())
	if s.cache.dir != "" {
		var d *v1.Descriptor
		err := s.host.do(ctx, s.repo, func(ctx context.Context, p *remote.Puller) (err error) {
			d, err = p.Head(ctx, tag)
			return err
		})
		if err == nil {
			return v1.Descriptor{Digest: d.Digest}, nil
		}
		if code := status(err); code == http.StatusNotFound || code == http.StatusTooManyRequests || code == 0 && transient(err) || ctx.Err() != nil {
			return v1.Descriptor{}, err
		}
		// Not every registry answers HEAD in full, and those that refuse say why only to GET.
	}
	var got *remote.Descriptor
	err := s.host.do(ctx, s.repo, func(ctx context.Context, p *remote.Puller) (err error) {
		got, err = p.Get(ctx, tag)
		return err
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	s.first[got.Digest] = got.Manifest
	s.cache.put(got.Digest, got.Manifest)
	return v1.Descriptor{Digest: got.Digest}, nil
}

func (s *repoStore) manifest(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	if b := s.first[d.Digest]; b != nil {
		return b, nil
	}
	return s.cached(ctx, d, func(ctx context.Context, p *remote.Puller) ([]byte, error) {
		got, err := p.Get(ctx, s.repo.Digest(d.Digest.String()))
		if err != nil {
			return nil, err
		}
		return got.Manifest, nil
	})
}

// config fetches a configuration. To the library any blob is a layer.
func (s *repoStore) config(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	return s.cached(ctx, d, func(ctx context.Context, p *remote.Puller) ([]byte, error) {
		blob, err := p.Layer(ctx, s.repo.Digest(d.Digest.String()))
		if err != nil {
			return nil, err
		}
		r, err := blob.Compressed()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		b, err := readDocument(r, "blob "+d.Digest.String())
		if err != nil && otherContent(err) {
			err = errors.Unwrap(err) // the caller names the blob
		}
		return b, err
	})
}

func (s *repoStore) cached(ctx context.Context, d v1.Descriptor, fetch func(context.Context, *remote.Puller) ([]byte, error)) ([]byte, error) {
	if b := s.cache.get(d.Digest); b != nil {
		return b, nil
	}
	var b []byte
	err := s.host.do(ctx, s.repo, func(ctx context.Context, p *remote.Puller) (err error) {
		b, err = fetch(ctx, p)
		return err
	})
	switch {
	case status(err) == http.StatusNotFound && d.Digest != s.asked:
		// The registry has the image, but not all of it.
		return nil, fmt.Errorf("blob %s is %w", d.Digest, errMissing)
	case err != nil && otherContent(err):
		return nil, fmt.Errorf("blob %s is corrupt: %w", d.Digest, err)
	case err != nil:
		return nil, err
	}
	if err := verify(d.Digest, b); err != nil {
		return nil, err
	}
	s.cache.put(d.Digest, b)
	return b, nil
}

// otherContent reports whether the library has found content that is not what its digest says. Its errors for that have no type
// that others can name.
func otherContent(err error) bool {
	return strings.Contains(err.Error(), "error verifying") || strings.Contains(err.Error(), "does not match requested digest")
}
