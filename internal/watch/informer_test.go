package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What a lost connection is said to be, and how long the next attempt waits.
func TestPersist(t *testing.T) {
	const first, signIn = time.Second, time.Minute
	pods := schema.GroupResource{Resource: "pods"}
	refused := &url.Error{Op: "Get", URL: "https://c/api/v1/pods?x=y", Err: noAnswer{"connection refused"}}
	noLogin := &url.Error{Op: "Get", URL: "https://c/api/v1/pods?x=y",
		Err: errors.New("getting credentials: not logged in")}
	unauthorized := apierrors.NewUnauthorized("Unauthorized")
	forbidden := apierrors.NewForbidden(pods, "", errors.New("no"))
	const back = "connected to https://c again"
	const notAccepted = "https://c does not accept our credentials any more: "
	for name, test := range map[string]struct {
		errs  []error
		waits []time.Duration
		said  []string
	}{
		"no error": {nil, nil, nil},
		"no network": {[]error{refused, io.ErrUnexpectedEOF}, []time.Duration{first, 2 * first},
			[]string{"lost the connection to https://c: connection refused; trying again", back}},
		"an answer that is none of a cluster": {
			[]error{errors.New("serializer for text/html doesn't exist")}, []time.Duration{first},
			[]string{"lost the connection to https://c: serializer for text/html doesn't exist; trying again", back},
		},
		"right taken away": {
			[]error{forbidden, forbidden}, []time.Duration{first, 2 * first},
			[]string{"https://c does not let us in any more: pods is forbidden: no; trying again", back},
		},
		"credentials renewed": {[]error{unauthorized}, []time.Duration{first}, nil},
		"credentials not accepted": {
			[]error{unauthorized, unauthorized, unauthorized, unauthorized}, []time.Duration{first, signIn, 4 * first, signIn},
			[]string{notAccepted + "Unauthorized; trying again", back},
		},
		"no credentials": {
			[]error{noLogin, noLogin}, []time.Duration{signIn, signIn},
			[]string{notAccepted + "getting credentials: not logged in; trying again", back},
		},
		"no network, and then no credentials": {
			[]error{refused, noLogin, refused}, []time.Duration{first, signIn, 4 * first},
			[]string{"lost the connection to https://c: connection refused; trying again",
				notAccepted + "getting credentials: not logged in; trying again", back},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			var waits []time.Duration
			i := &informers{
				server: "https://c", firstDelay: first, lastDelay: 5 * first, signInDelay: signIn, down: map[string]bool{},
				say:   func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
				pause: func(_ context.Context, d time.Duration) bool { waits = append(waits, d); return true },
			}
			for range 2 { // the second time all is said again
				said, waits = nil, nil
				errs := slices.Clone(test.errs)
				if err := i.persist(t.Context(), "n", func() error {
					if len(errs) == 0 {
						return nil
					}
					err := errs[0]
					errs = errs[1:]
					return err
				}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(said, test.said) || !slices.Equal(waits, test.waits) {
					t.Errorf("said %q, waited %v\nwant %q, %v", said, waits, test.said, test.waits)
				}
			}
		})
	}
	gone := apierrors.NewResourceExpired("too old")
	if err := (&informers{}).persist(t.Context(), "n", func() error { return gone }); !errors.Is(err, gone) {
		t.Errorf("got %v, want the error that the informer has an answer to", err)
	}
}
