package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"debuggable.dev/debuggable/internal/foreign"
)

// host is a registry host: how it is reached, and what was learned of that. Nothing that one image meets changes what
// another one gets, but for the time that a host is given which does not answer.
type host struct {
	reg      name.Registry
	plain    bool // plain http is allowed
	registry *Registry
	client   http.RoundTripper // send, with our name
	keys     *keychain
	secrets  *foreign.Secrets // what was sent to it

	schemeGate gate   // who passes it may set what follows
	scheme     string // "" until a request was answered

	challengeGate gate
	challenge     *transport.Challenge // the answer to GET /v2/

	mu       sync.Mutex
	timeouts int  // images that got no answer in time
	answers  bool // there was an answer to something
}

func newHost(reg name.Registry, r *Registry) *host {
	h := &host{reg: reg, registry: r, secrets: &foreign.Secrets{},
		schemeGate: make(gate, 1), challengeGate: make(gate, 1)}
	h.plain = loopback(h.name()) || r.insecure(h.name())
	h.keys = &keychain{inner: r.opts.Keychain, secrets: h.secrets}
	h.client = transport.NewUserAgent(roundTripper(h.send), r.opts.UserAgent)
	return h
}

// name is HOST or HOST:PORT.
func (h *host) name() string { return h.reg.RegistryStr() }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// patience is how many images may wait for all the time that an image has. When they have, the host is still asked for
// others, since it may hang for some images alone, but those have to be quick: a fifteenth of the time, 2 seconds, is
// far more than a registry takes. What has not answered anything, as behind a firewall, is not asked again at all; the
// cache may know the image.
const patience = 3

func (h *host) timeLimit() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.timeouts > 0 && !h.answers:
		return 0
	case h.timeouts >= patience:
		return h.registry.opts.Timeout / 15
	}
	return h.registry.opts.Timeout
}

func (h *host) ranOutOfTime() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timeouts++
}

// gate is passed by one at a time.
type gate chan struct{}

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) leave() { <-g }

// schemeTime is how long a host that may speak plain http has for an answer over TLS, before plain http is tried.
const schemeTime = 3 * time.Second

// speak sends a request to a host that may speak plain http, over the scheme that it speaks. Which that is shows the
// first request that is answered, so that no other is needed to find it out.
func (h *host) speak(req *http.Request) (*http.Response, error) {
	if err := h.schemeGate.enter(req.Context()); err != nil {
		return nil, err
	}
	if h.scheme != "" {
		scheme := h.scheme
		h.schemeGate.leave()
		return h.roundTrip(withScheme(req, scheme))
	}
	defer h.schemeGate.leave()
	resp, secureErr := h.overTLS(req)
	if secureErr == nil {
		h.scheme = "https"
		return resp, nil
	}
	if req.Context().Err() != nil {
		return nil, secureErr
	}
	resp, err := h.roundTrip(withScheme(req, "http"))
	if speaksPlain(secureErr) {
		h.scheme = "http" // whatever else is wrong with it
		return resp, err
	}
	if err != nil {
		return nil, secureErr
	}
	if resp.StatusCode == http.StatusBadRequest { // a TLS server's answer to plain requests
		resp.Body.Close()
		return nil, secureErr
	}
	h.scheme = "http"
	return resp, nil
}

// overTLS sends an https request that fails when there is no answer after schemeTime.
func (h *host) overTLS(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	timer := time.AfterFunc(schemeTime, cancel)
	resp, err := h.roundTrip(withScheme(req.WithContext(ctx), "https"))
	if !timer.Stop() && err != nil && req.Context().Err() == nil {
		err = fmt.Errorf("%s gave no answer over TLS within %s", h.name(), schemeTime)
	}
	if err != nil {
		cancel()
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
	c := req.Clone(req.Context())
	c.URL.Scheme = scheme
	return c
}

// speaksPlain reports whether a TLS handshake failed because the answer was not TLS, and so plain http: the answer to
// what is no request may be an error page without a status line. An http.Client tells it with http.ErrSchemeMismatch, a
// transport does not.
func speaksPlain(err error) bool {
	var record tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record)
}

// url is that of a path of the host; send puts the right scheme in its place.
func (h *host) url(path string) string { return "https://" + h.name() + path }

// asked returns the challenge with which the host answers GET /v2/; nil where it does not challenge there.
func (h *host) asked(ctx context.Context) (*transport.Challenge, error) {
	if err := h.challengeGate.enter(ctx); err != nil {
		return nil, err
	}
	defer h.challengeGate.leave()
	if h.challenge == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url("/v2/"), nil)
		if err != nil {
			return nil, err
		}
		resp, err := h.client.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		c := challengeOf(resp, h.reg)
		if c == nil && resp.StatusCode != http.StatusOK {
			return nil, nil // ask again the next time
		}
		if c == nil {
			c = &transport.Challenge{}
		}
		h.challenge = c
	}
	if h.challenge.Scheme == "" {
		return nil, nil
	}
	return h.challenge, nil
}

// challengeOf reads the challenge in an answer; nil where there is none. The library reads challenges only in answers
// to its own ping, so that it gets this one for an answer.
func challengeOf(resp *http.Response, reg name.Registry) *transport.Challenge {
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
		return nil
	}
	c, err := transport.Ping(context.Background(), reg, roundTripper(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: resp.StatusCode,
			Header: http.Header{"Www-Authenticate": resp.Header.Values("WWW-Authenticate")},
			Body:   http.NoBody, Request: req}, nil
	}))
	if err != nil {
		return nil
	}
	c.Insecure = resp.Request != nil && resp.Request.URL.Scheme == "http"
	return c
}

// errPlain is the error for a plain http request to a host that must be reached over https.
var errPlain = errors.New("plain http is not allowed for this host")

// send sends a request to the registry or to a host that it sends us to: a token server, blob storage. It notes what
// must not come back in a text.
func (h *host) send(req *http.Request) (*http.Response, error) {
	h.secrets.AddSent(req)
	if req.URL.Host != h.name() {
		return h.roundTrip(req)
	}
	if h.plain {
		return h.speak(req)
	}
	if req.URL.Scheme != "https" {
		return nil, errPlain
	}
	return h.roundTrip(req)
}

func (h *host) roundTrip(req *http.Request) (*http.Response, error) {
	base := h.registry.base
	if h.registry.insecure(req.URL.Host) {
		base = h.registry.loose
	}
	resp, err := base.RoundTrip(req)
	if err != nil {
		return nil, withoutPort(err)
	}
	h.mu.Lock()
	h.answers = true
	h.mu.Unlock()
	return resp, nil
}

// checkRedirect follows redirects, but not for ever, not from https to plain http, and not from elsewhere into a
// network that only this machine can reach.
func (h *host) checkRedirect(req *http.Request, via []*http.Request) error {
	const most = 10
	if len(via) >= most {
		return fmt.Errorf("%s does not stop redirecting", h.name())
	}
	from, to := via[0].URL, req.URL
	exempt := h.registry.insecure(from.Host) || h.registry.insecure(to.Host)
	if !h.plainly() && to.Scheme != "https" && !exempt {
		return fmt.Errorf("%s redirects to %s: %w", h.name(), foreign.Short(to.Host), errPlain)
	}
	if to.Hostname() != from.Hostname() && private(to.Hostname()) && !private(from.Hostname()) && !exempt {
		return fmt.Errorf("%s redirects to %s, which is an address of a private network", h.name(), foreign.Short(to.Host))
	}
	return nil
}

func (h *host) plainly() bool {
	h.schemeGate <- struct{}{} // nobody holds it for long: the request that is redirected was answered
	defer h.schemeGate.leave()
	return h.scheme == "http"
}

// private reports whether a host is an IP address that is not for everybody.
func private(hostname string) bool {
	ip, err := netip.ParseAddr(hostname)
	return err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
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
	inner   authn.Keychain
	secrets *foreign.Secrets

	mu     sync.Mutex
	failed error
}

// credentials returns what there is for a repository; nil where there is nothing.
func (k *keychain) credentials(ctx context.Context, repo name.Repository) (authn.Authenticator, error) {
	type answer struct {
		auth   authn.Authenticator
		config *authn.AuthConfig
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		auth, err := authn.Resolve(ctx, k.inner, repo)
		var config *authn.AuthConfig
		if err == nil && auth != authn.Anonymous {
			config, err = authn.Authorization(ctx, auth)
		}
		answers <- answer{auth, config, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answers:
		if a.err != nil {
			k.mu.Lock()
			defer k.mu.Unlock()
			// What a helper has printed may be a half of what it was to print.
			why, _, _ := strings.Cut(a.err.Error(), ", out: `")
			k.failed = errors.New(why)
			return nil, nil
		}
		if a.config == nil || *a.config == (authn.AuthConfig{}) {
			return nil, nil
		}
		k.secrets.Add(a.config.Password, a.config.Auth, a.config.IdentityToken, a.config.RegistryToken)
		return authn.FromConfig(*a.config), nil
	}
}

func (k *keychain) err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}
