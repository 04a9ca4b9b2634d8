package image

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestFailuresInWords: the image once, then the cause, then what to do on the surface that the user is on.
func TestFailuresInWords(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: err}
	}
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	flags := map[string]string{"imageConfigs": "--image-configs FILE", "insecureRegistries": "--insecure-registry HOST"}
	for name, c := range map[string]struct {
		err          error
		status       int
		body         string
		flag, fields string
	}{
		"no such host": {
			err:    dial(&net.DNSError{Err: "no such host", Name: "ghcr.example", IsNotFound: true}),
			flag:   "no such host; is the name right? where it cannot be reached, use --image-configs FILE",
			fields: "no such host; is the name right? where it cannot be reached, set imageConfigs",
		},
		"name server": {
			err:  dial(&net.DNSError{Err: "server misbehaving", Name: "ghcr.example"}),
			flag: "no answer from the name server: server misbehaving; where it cannot be reached, use --image-configs FILE",
		},
		"refused": {err: dial(refused), flag: "connection refused; does it run there? where it cannot be reached, use " +
			"--image-configs FILE"},
		"proxy": {
			err:  &net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial(refused)},
			flag: "the proxy cannot be reached: connection refused; look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
		},
		"no route": {err: dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)),
			flag: "no route to it; where it cannot be reached, use --image-configs FILE"},
		"slow": {err: dial(os.ErrDeadlineExceeded),
			flag: "no answer in time; where it cannot be reached, use --image-configs FILE"},
		"closed": {err: io.EOF, flag: "the connection was closed: EOF; try again"},
		"certificate": {
			err: x509.UnknownAuthorityError{},
			flag: "its certificate is not trusted: x509: certificate signed by unknown authority; SSL_CERT_FILE names a file " +
				"of further authorities; " +
				"if this is intended, use --insecure-registry ghcr.example",
			fields: "its certificate is not trusted: x509: certificate signed by unknown authority; SSL_CERT_FILE names a " +
				"file of further authorities; " +
				"if this is intended, add ghcr.example to insecureRegistries",
		},
		"plain": {err: http.ErrSchemeMismatch,
			flag: "it speaks http, not https; if this is intended, use --insecure-registry ghcr.example"},
		"other": {err: errors.New("something else"), flag: "something else"},
		"500": {status: 500, body: `{"errors":[{"code":"UNKNOWN","message":"disk full"}]}`,
			flag: "internal server error (500): UNKNOWN: disk full; try again later, or write a lock file once and use " +
				"--image-configs FILE"},
		"401": {status: 401, flag: "unauthorized (401); the image does not exist, or needs credentials: log in with " +
			"`docker login ghcr.example`"},
		"418": {status: 418, flag: "i'm a teapot (418)"},
	} {
		for surface, want := range map[string]string{"flag": c.flag, "field": c.fields} {
			if want == "" {
				continue
			}
			o := anonymous()
			o.Backoff = time.Millisecond
			o.Transport = transportFunc(func(*http.Request) (*http.Response, error) {
				if c.err != nil {
					return nil, c.err
				}
				w := httptest.NewRecorder()
				w.WriteHeader(c.status)
				_, _ = w.WriteString(c.body)
				return w.Result(), nil
			})
			if surface == "flag" {
				o.Surface = func(field string) string { return flags[field] }
			}
			_, err := ask(t, NewRegistry(o), "ghcr.example/acme/web:v1", "linux/amd64")
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			got, found := strings.CutPrefix(err.Error(), "asking registry ghcr.example for ghcr.example/acme/web:v1: ")
			if !found || got != want {
				t.Errorf("%s: got  %s\nwant %s", name, err, want)
			}
		}
	}
}
