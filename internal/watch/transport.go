package watch

import (
	"errors"
	"net/http"
	"syscall"
)

// frank is a transport whose errors are all seen by the caller. client-go takes a watch that cannot be opened for lack of an answer (a
// timeout, a connection that is closed or reset) for one without events, and never says so.
type frank struct {
	http.RoundTripper
}

func newFrank(rt http.RoundTripper) http.RoundTripper { return frank{rt} }

// WrappedRoundTripper lets client-go find the transport underneath.
func (f frank) WrappedRoundTripper() http.RoundTripper { return f.RoundTripper }

func (f frank) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := f.RoundTripper.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		if errors.Is(err, syscall.ECONNRESET) {
			return resp, noAnswer{"the connection was reset"} // client-go also looks at the words
		}
		return resp, noAnswer{err.Error()}
	}
	return resp, err
}

// noAnswer is a network error that does not show what kind it is.
type noAnswer struct{ text string }

func (e noAnswer) Error() string { return e.text }
