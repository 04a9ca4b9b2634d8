package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"syscall"

	"k8s.io/client-go/rest"

	"debuggable.dev/debuggable/internal/foreign"
)

// outspoken is a transport whose errors are all seen by the caller. client-go takes a watch that cannot be opened for
// lack of an answer (a timeout, a connection that is closed or reset) for one without events, and never says so.
type outspoken struct {
	http.RoundTripper
}

func newOutspoken(rt http.RoundTripper) http.RoundTripper { return outspoken{rt} }

// WrappedRoundTripper lets client-go find the transport underneath.
func (t outspoken) WrappedRoundTripper() http.RoundTripper { return t.RoundTripper }

func (t outspoken) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		if errors.Is(err, syscall.ECONNRESET) {
			return resp, noAnswer{"the connection was reset"} // client-go also looks at the words
		}
		return resp, noAnswer{err.Error()}
	}
	return resp, err
}

// listener takes note of the secrets that are sent, for messages not to repeat them.
type listener struct {
	http.RoundTripper
	secrets *foreign.Secrets
}

// WrappedRoundTripper lets client-go find the transport underneath.
func (l listener) WrappedRoundTripper() http.RoundTripper { return l.RoundTripper }

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	l.secrets.AddSent(r)
	return l.RoundTripper.RoundTrip(r)
}

// noAnswer is a network error that does not show what kind it is.
type noAnswer struct{ text string }

func (e noAnswer) Error() string { return e.text }

// noCredentials says whether a request of a client with outspoken transports was not made because there are no
// credentials to make it with.
func noCredentials(err error) bool {
	var failed *url.Error
	var none noAnswer
	return errors.As(err, &failed) && !errors.As(err, &none)
}

// signIn gets the credentials that a program named in the kubeconfig hands out; client-go keeps them for later
// requests. The program may ask the user to sign in, which takes its time, and client-go waits for it whatever becomes
// of the request. So this has no time limit, and leaves the program behind when ctx ends.
func signIn(ctx context.Context, config *rest.Config) error {
	if config.ExecProvider == nil && config.AuthProvider == nil {
		return nil
	}
	config = rest.CopyConfig(config)
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return nowhere{} })
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("signing in to %s: %w", withoutUser(config.Host), err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://nowhere.invalid", http.NoBody)
	if err != nil {
		return fmt.Errorf("signing in to %s: %w", withoutUser(config.Host), err)
	}
	signedIn := make(chan error, 1)
	go func() {
		resp, err := client.Do(request)
		if err == nil {
			err = resp.Body.Close()
		}
		signedIn <- err
	}()
	select {
	case err := <-signedIn:
		if err != nil {
			return fmt.Errorf("signing in to %s: %w", withoutUser(config.Host), withoutURL(err))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nowhere answers requests without sending them.
type nowhere struct{}

func (nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}
