package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// host is what is known of one registry host, and the library's pullers for it.
//
// The library begins each repository with a ping (GET /v2/) to learn the scheme and the kind of authentication. That
// would be as many requests as all others together where everything is cached, so the host is first asked directly,
// without credentials and with the ping answered here; only when it refuses is it pinged, once, and then asked
// with credentials.
type host struct {
	name     string
	plain    bool // plain http is allowed
	registry *Registry
	keys     *keychain

	direct    *remote.Puller // no credentials, no ping
	regular   *remote.Puller // credentials
	anonymous *remote.Puller // no credentials, for when those there are do not do
	broken    error          // the pullers could not be made

	mu      sync.Mutex
	scheme  string // "" until a request went through
	refuses bool   // credentials are needed
	pinged  *pong
	answers bool // there was an answer to something
	silent  bool // there was none within the time for an image
}

// givesUp reports whether the host is not worth waiting for any more: it has not answered anything, and somebody has waited for all
// the time that an image has. So what cannot be reached at all, as behind a firewall, costs that time once and not for each image.
func (h *host) givesUp() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.silent && !h.answers
}

func (h *host) ranOutOfTime() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = true
}

// pong is the host's answer to a ping.
type pong struct {
	status int
	header http.Header
}

func newHost(hostport string, r *Registry) *host {
	h := &host{name: hostport, plain: loopback(hostport) || r.insecure(hostport), registry: r,
		keys: &keychain{inner: r.opts.Keychain, found: map[string]bool{}}}
	puller := func(t http.RoundTripper, auth remote.Option) *remote.Puller {
		p, err := remote.NewPuller(remote.WithTransport(t), auth, remote.WithUserAgent(r.opts.UserAgent), remote.WithJobs(64),
			remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithRetryStatusCodes()) // retries are ours: they end with the context
		if err != nil && h.broken == nil {
			h.broken = err
		}
		return p
	}
	h.direct = puller(directTransport{h}, remote.WithAuth(authn.Anonymous))
	h.regular = puller(pingTransport{h}, remote.WithAuthFromKeychain(h.keys))
	h.anonymous = puller(pingTransport{h}, remote.WithAuth(authn.Anonymous))
	return h
}

func (h *host) keychainError() error {
	h.keys.mu.Lock()
	defer h.keys.mu.Unlock()
	return h.keys.failed
}

// do calls f with the puller that gets an answer, and again where a failure is transient.
func (h *host) do(ctx context.Context, repo name.Repository, f func(context.Context, *remote.Puller) error) error {
	if h.broken != nil {
		return h.broken
	}
	h.mu.Lock()
	refuses := h.refuses
	h.mu.Unlock()
	if !refuses {
		err := h.retry(ctx, h.direct, f)
		if !denied(err) {
			return err
		}
	}
	err := h.retry(ctx, h.regular, f)
	if err == nil {
		h.mu.Lock()
		h.refuses = true
		h.mu.Unlock()
		return nil
	}
	// Credentials that have expired, or are for another repository, must not keep a public image from being read.
	if denied(err) && h.keys.has(repo) && h.retry(ctx, h.anonymous, f) == nil {
		return nil
	}
	return err
}

// denied reports whether err may be the answer to a request that lacks the right credentials; some registries hide
// what the asker may not see.
func denied(err error) bool {
	switch status(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return false
}

// status returns the HTTP status in err, 0 if there is none.
func status(err error) int {
	var te *transport.Error
	if errors.As(err, &te) {
		return te.StatusCode
	}
	return 0
}

// transient reports whether the same request may succeed a moment later.
func transient(err error) bool {
	switch status(err) {
	case 0:
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout, 522: // 522: Cloudflare could not reach the registry
		return true
	default:
		return false
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary
	}
	var ne net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || errors.As(err, &ne) && ne.Timeout() ||
		// Another image's request for the same token ran out of time, not this one's.
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// maxRequests bounds the requests of one call, with those for authentication and redirects: the library follows redirects for
// as long as there are any.
const maxRequests = 32

// attempt collects, over the requests of one call, what the registry says about coming back. It travels in the
// context, because the library does not hand out responses.
type attempt struct {
	mu       sync.Mutex
	after    time.Duration
	requests int
}

// begin counts a request, and reports whether it may be sent.
func (a *attempt) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests++
	return a.requests <= maxRequests
}

type attemptKey struct{}

func (h *host) retry(ctx context.Context, p *remote.Puller, f func(context.Context, *remote.Puller) error) error {
	wait := h.registry.opts.Backoff
	for try := 1; ; try++ {
		a := new(attempt)
		err := f(context.WithValue(ctx, attemptKey{}, a), p)
		if err == nil || try == attempts || ctx.Err() != nil || !transient(err) {
			return err
		}
		a.mu.Lock()
		pause := max(wait, min(a.after, maxRetryAfter))
		a.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		wait *= 4
	}
}

// errPlain is the error for a plain http request to a host that must be reached over https.
var errPlain = errors.New("plain http is not allowed for this host")

// directTransport answers the library's ping itself: no authentication needed.
type directTransport struct{ h *host }

func (t directTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.h.isPing(req) {
		return (&pong{status: http.StatusOK}).response(req), nil
	}
	return t.h.send(req)
}

// pingTransport remembers the answer to the library's ping for the host's other repositories.
type pingTransport struct{ h *host }

func (t pingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	h := t.h
	if !h.isPing(req) {
		return h.send(req)
	}
	h.mu.Lock()
	known, scheme := h.pinged, h.scheme
	h.mu.Unlock()
	if scheme != "" && scheme != req.URL.Scheme {
		return nil, fmt.Errorf("%s speaks %s", h.name, scheme)
	}
	if known != nil {
		return known.response(req), nil
	}
	resp, err := h.send(req)
	if err == nil && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized) {
		h.mu.Lock()
		h.pinged = &pong{resp.StatusCode, resp.Header.Clone()}
		h.mu.Unlock()
	}
	return resp, err
}

func (h *host) isPing(req *http.Request) bool {
	return req.Method == http.MethodGet && req.URL.Host == h.name && req.URL.Path == "/v2/"
}

func (p *pong) response(req *http.Request) *http.Response {
	header := http.Header{}
	for _, v := range p.header.Values("WWW-Authenticate") {
		header.Add("WWW-Authenticate", v)
	}
	return &http.Response{Status: http.StatusText(p.status), StatusCode: p.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: http.NoBody, Request: req}
}

// handshakeTime is how long a host that may speak plain http has for the answer to a TLS handshake, before plain http
// is tried.
const handshakeTime = 3 * time.Second

// send sends a request to the registry or to a host that it sends us to: a token server, blob storage.
func (h *host) send(req *http.Request) (*http.Response, error) {
	if req.URL.Host != h.name {
		return h.roundTrip(req)
	}
	if !h.plain {
		if req.URL.Scheme != "https" {
			return nil, errPlain
		}
		return h.roundTrip(req)
	}
	h.mu.Lock()
	scheme := h.scheme
	h.mu.Unlock()
	if scheme != "" {
		return h.roundTrip(withScheme(req, scheme))
	}

	resp, secureErr := h.handshake(withScheme(req, "https"))
	if secureErr == nil {
		h.learn("https")
		return resp, nil
	}
	if req.Context().Err() != nil {
		return nil, secureErr
	}
	plainReq := withScheme(req, "http")
	if speaksPlain(secureErr) {
		h.learn("http")
		return h.roundTrip(plainReq)
	}
	resp, err := h.roundTrip(plainReq)
	if err != nil {
		return nil, secureErr
	}
	// A TLS server answers plain requests with 400.
	if resp.StatusCode == http.StatusBadRequest {
		resp.Body.Close()
		return nil, secureErr
	}
	h.learn("http")
	return resp, nil
}

// speaksPlain reports whether a TLS handshake failed because the answer was not TLS, and so plain http: the answer to what is no
// request may be an error page without a status line. An http.Client tells it with http.ErrSchemeMismatch, a transport does
// not.
func speaksPlain(err error) bool {
	var record tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record)
}

func (h *host) learn(scheme string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.scheme = scheme
}

// handshake sends an https request that fails when there is no TLS connection after handshakeTime.
func (h *host) handshake(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	var late atomic.Bool
	timer := time.AfterFunc(handshakeTime, func() {
		late.Store(true)
		cancel()
	})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { timer.Stop() },
	})
	resp, err := h.roundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		cancel()
		if late.Load() {
			err = fmt.Errorf("%s made no TLS connection within %s", h.name, handshakeTime)
		}
		return nil, err
	}
	resp.Body = &closing{resp.Body, cancel}
	return resp, nil
}

// closing is a body that calls cancel when it is closed.
type closing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *closing) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

func withScheme(req *http.Request, scheme string) *http.Request {
	if req.URL.Scheme == scheme {
		return req
	}
	c := req.Clone(req.Context())
	c.URL.Scheme = scheme
	return c
}

// roundTrip sends a request, bounds what comes back, and notes a Retry-After.
func (h *host) roundTrip(req *http.Request) (*http.Response, error) {
	base := h.registry.base
	if h.registry.insecure(req.URL.Host) {
		base = h.registry.loose
	}
	a, ok := req.Context().Value(attemptKey{}).(*attempt)
	if ok && !a.begin() {
		return nil, fmt.Errorf("%s does not stop redirecting", h.name)
	}
	resp, err := base.RoundTrip(req)
	if err != nil {
		return nil, withoutPort(err)
	}
	h.mu.Lock()
	h.answers = true
	h.mu.Unlock()
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s < 1<<20 && ok {
			a.mu.Lock()
			a.after = time.Duration(s) * time.Second
			a.mu.Unlock()
		}
	}
	if resp.ContentLength > maxDocument && req.Method != http.MethodHead {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answers with %d bytes, more than any image manifest or configuration has", req.URL.Host, resp.ContentLength)
	}
	resp.Body = &bounded{resp.Body, maxDocument}
	return resp, nil
}

// bounded is a body that fails when more is read than left.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer has more than %d MiB, more than any image manifest or configuration has", maxDocument>>20)
	}
	if err != nil && err != io.EOF {
		err = withoutPort(err)
	}
	return n, err
}

// withoutPort takes the local address out of a network error: its port is a new one each time, and says nothing.
func withoutPort(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		c := *op
		c.Source, c.Err = nil, withoutPort(op.Err)
		return &c
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && strings.Contains(dns.Err, "->") { // read udp 127.0.0.1:43210->127.0.0.11:53: i/o timeout
		c := *dns
		c.Err = strings.TrimSpace(c.Err[strings.LastIndex(c.Err, ": ")+1:])
		return &c
	}
	return err
}

// keychain finds credentials, and none where there are none to find: what is wrong with them is told if the registry
// refuses. It ends when its context does, even if a credential helper does not.
type keychain struct {
	inner authn.Keychain

	mu     sync.Mutex
	found  map[string]bool // by repository
	failed error
}

func (k *keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

// ResolveContext implements authn.ContextKeychain.
func (k *keychain) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	type answer struct {
		auth authn.Authenticator
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		auth, err := authn.Resolve(ctx, k.inner, r)
		answers <- answer{auth, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answers:
		k.mu.Lock()
		defer k.mu.Unlock()
		if a.err != nil {
			k.failed = a.err
			return authn.Anonymous, nil
		}
		k.found[r.String()] = a.auth != authn.Anonymous
		return a.auth, nil
	}
}

func (k *keychain) has(repo name.Repository) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found[repo.String()]
}
