package image

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"debuggable.dev/debuggable/internal/foreign"
)

// A failure to ask a registry is told as a cause and what to do about it. The image and the registry stand in front of
// it, so that neither needs to be in it: the library's errors repeat them as a URL.
type failure struct {
	error
	cause, todo string
}

func (f *failure) Error() string {
	if f.todo == "" {
		return f.cause
	}
	return f.cause + "; " + f.todo
}

func (f *failure) Unwrap() error { return f.error }

// failed words an error of a host.
func (h *host) failed(err error) *failure {
	f := &failure{error: err}
	f.cause, f.todo = h.answered(err)
	if f.cause == "" {
		f.cause, f.todo = h.unreached(err)
	}
	f.cause = foreign.Message(f.cause, h.secrets)
	return f
}

// answered words an answer that is no image; "" where there was none.
func (h *host) answered(err error) (cause, todo string) {
	answer := new(transport.Error)
	if !errors.As(err, &answer) {
		return "", ""
	}
	code := answer.StatusCode
	cause = strings.ToLower(http.StatusText(code))
	if cause == "" {
		cause = "refused"
	}
	cause = fmt.Sprintf("%s (%d)", cause, code)
	var said []string
	for _, d := range answer.Errors {
		if text := strings.TrimSuffix(strings.TrimSpace(string(d.Code)+": "+d.Message), ":"); text != "" {
			said = append(said, text)
		}
	}
	if len(said) > 0 {
		cause += ": " + strings.Join(said, "; ")
	}
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		login := "docker login " + h.name()
		if h.name() == name.DefaultRegistry {
			login = "docker login"
		}
		todo = "the image does not exist, or needs credentials: log in with `" + login + "`"
		if kerr := h.keys.err(); kerr != nil {
			todo += fmt.Sprintf(" (credentials could not be read: %s)", foreign.Message(kerr.Error(), h.secrets))
		}
	case code == http.StatusTooManyRequests:
		todo = "wait, log in, or write a lock file once and " + h.use("imageConfigs", "FILE")
	case code >= 500:
		todo = "try again later, or write a lock file once and " + h.use("imageConfigs", "FILE")
	}
	return cause, todo
}

// unreached words why there was no answer, or none that could be read.
func (h *host) unreached(err error) (cause, todo string) {
	elsewhere := "where it cannot be reached, " + h.use("imageConfigs", "FILE")
	op, dns := new(net.OpError), new(net.DNSError)
	proxied := errors.As(err, &op) && op.Op == "proxyconnect"
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		cause, todo = "no such host", "is the name right? "+elsewhere
		if dns.Name != "" && !strings.EqualFold(strings.TrimSuffix(dns.Name, "."), hostname(h.name())) {
			cause += " as " + dns.Name
		}
	case errors.As(err, &dns):
		cause, todo = "no answer from the name server: "+dns.Err, elsewhere
	case errors.Is(err, syscall.ECONNREFUSED):
		cause, todo = "connection refused", "does it run there? "+elsewhere
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		cause, todo = "no route to it", elsewhere
	case errors.Is(err, errPlain), speaksPlain(err):
		cause, todo = "it speaks http, not https", "if this is intended, "+h.use("insecureRegistries", h.name())
		if errors.Is(err, errPlain) {
			cause = withoutURL(err).Error()
		}
	case untrusted(err):
		cause = "its certificate is not trusted: " + certificate(err)
		todo = "SSL_CERT_FILE names a file of further authorities; if this is intended, " +
			h.use("insecureRegistries", h.name())
	case errors.Is(err, context.DeadlineExceeded), op.Err != nil && op.Timeout():
		cause, todo = "no answer in time", elsewhere
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		cause, todo = "the connection was closed: "+withoutURL(err).Error(), "try again"
	default:
		return withoutURL(err).Error(), ""
	}
	if proxied {
		return "the proxy cannot be reached: " + cause, "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
	}
	return cause, todo
}

// use says how to set a setting in the words of the surface that the user is on.
func (h *host) use(setting, value string) string {
	called := setting
	if say := h.registry.opts.Surface; say != nil {
		called = say(setting)
	}
	if flag, _, isFlag := strings.Cut(called, " "); isFlag {
		return "use " + flag + " " + value
	}
	if value == h.name() {
		return "add " + value + " to " + called
	}
	return "set " + called
}

// certificate says what is wrong with a server's certificate.
func certificate(err error) string {
	unknown, wrong := new(x509.UnknownAuthorityError), new(x509.HostnameError)
	invalid := new(x509.CertificateInvalidError)
	switch {
	case errors.As(err, unknown):
		return unknown.Error()
	case errors.As(err, wrong):
		return wrong.Error()
	case errors.As(err, invalid):
		return invalid.Error()
	}
	return withoutURL(err).Error()
}

// withoutURL returns what happened to a request without which it was.
func withoutURL(err error) error {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return withoutURL(wrapped.Err)
	}
	return err
}

func hostname(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return hostport
}
