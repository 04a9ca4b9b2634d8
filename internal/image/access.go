package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// access is how one image's documents are asked for. It sends the requests itself, with the library's transports,
// because the library's own fetchers read and decode as much as a registry sends.
//
// A request goes out without credentials. When it is refused, for whatever reason, it is sent with a token for anybody,
// if the registry says where to get one, and then with the user's credentials, if there are any. What other images of
// the host have met does not count, so that the outcome never depends on which was first; that costs a private image
// one more request.
type access struct {
	host *host
	repo name.Repository

	way       way
	refused   *transport.Challenge // the challenge of the last refusal
	transport http.RoundTripper    // of way
}

type way int

const (
	bare way = iota
	anybody
	credentials
	noWay
)

const (
	attempts      = 3 // for each request, the first included
	maxRetryAfter = 10 * time.Second
)

// ask sends a request for a document and hands over the answer. It tries again where a failure is transient.
func (a *access) ask(ctx context.Context, method string, kind kind, id string, use func(*http.Response) error) error {
	wait := a.host.registry.opts.Backoff
	for try := 1; ; try++ {
		err := a.inAnyWay(ctx, method, kind, id, use)
		if err == nil || try == attempts || ctx.Err() != nil || !transient(err) {
			return err
		}
		pause := wait
		if later := new(comeBack); errors.As(err, &later) {
			pause = max(wait, later.after)
		}
		end, limited := ctx.Deadline()
		if pause > maxRetryAfter || limited && time.Now().Add(pause).After(end) {
			return err // there is nothing to wait for
		}
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

// inAnyWay sends a request in the way that did for the image before, and where that is refused in those that are left.
func (a *access) inAnyWay(
	ctx context.Context, method string, kind kind, id string, use func(*http.Response) error,
) error {
	url := a.host.url(fmt.Sprintf("/v2/%s/%s/%s", a.repo.RepositoryStr(), kind, id))
	var refusal error
	for w := a.way; w < noWay; w++ {
		t, err := a.take(ctx, w, refusal)
		if errors.Is(err, errNoWay) {
			continue
		}
		if err == nil {
			err = a.send(ctx, t, method, url, use)
			if err == nil {
				a.way, a.transport = w, t
				return nil
			}
			if code := status(err); code < 400 || code > 499 {
				return err
			}
		}
		if ctx.Err() != nil || status(err) == 0 && transient(err) {
			return err
		}
		// To be told to come back later says more than that the user's credentials are no better.
		if status(refusal) != http.StatusTooManyRequests {
			refusal = err
		}
	}
	a.transport = nil
	return refusal
}

// errNoWay says that there is no token for anybody, or that there are no credentials.
var errNoWay = errors.New("no such way")

// take makes the transport of a way, after a refusal where it is not the first.
func (a *access) take(ctx context.Context, w way, refusal error) (http.RoundTripper, error) {
	if w == a.way && a.transport != nil {
		return a.transport, nil
	}
	var auth authn.Authenticator
	switch w {
	case bare:
		return a.host.client, nil
	case anybody:
		// Who is told to come back later, or that the request is wrong, was not asked for a token.
		if a.refused == nil && !denied(refusal) {
			return nil, errNoWay
		}
		auth = authn.Anonymous
	default:
		var err error
		if auth, err = a.host.keys.credentials(ctx, a.repo); err != nil {
			return nil, err
		}
		if auth == nil {
			return nil, errNoWay
		}
	}
	if a.refused == nil {
		var err error
		if a.refused, err = a.host.asked(ctx); err != nil {
			return nil, err
		}
	}
	if challenge := a.refused; challenge != nil && strings.EqualFold(challenge.Scheme, "bearer") {
		token, err := a.login(ctx, auth, challenge)
		if err != nil {
			return nil, err
		}
		auth = authn.FromConfig(authn.AuthConfig{RegistryToken: token})
	} else if w == anybody {
		return nil, errNoWay
	}
	// A token that is refused is no reason to get another one, as the library's own transport for tokens has it: it was
	// got for this.
	return transport.FromToken(a.host.reg, auth, a.host.client, &transport.Challenge{Scheme: "basic"}, nil)
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

// login gets a token for the repository.
func (a *access) login(ctx context.Context, auth authn.Authenticator, challenge *transport.Challenge) (string, error) {
	config, err := authn.Authorization(ctx, auth)
	if err != nil {
		return "", err
	}
	if config.RegistryToken != "" {
		return config.RegistryToken, nil
	}
	token, err := transport.Exchange(ctx, a.host.reg, auth, a.host.client, []string{a.repo.Scope(transport.PullScope)},
		challenge)
	if token != nil {
		a.host.secrets.Add(token.Token, token.AccessToken, token.RefreshToken)
	}
	if err != nil {
		// and then what there is, which may be one all the same
		if strings.Contains(err.Error(), "no token in bearer response") {
			err = errors.New("the token server answers without a token")
		}
		return "", err
	}
	return cmp.Or(token.AccessToken, token.Token), nil
}

// accepted are the media types of manifests and indexes. Docker's schema 1 is among them for the sake of what is said
// about it.
const accepted = types.DockerManifestSchema2 + "," + types.OCIManifestSchema1 + "," + types.DockerManifestList + "," +
	types.OCIImageIndex + "," + types.DockerManifestSchema1 + "," + types.DockerManifestSchema1Signed

// send sends one request.
func (a *access) send(
	ctx context.Context, t http.RoundTripper, method, url string, use func(*http.Response) error,
) error {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", string(accepted))
	resp, err := (&http.Client{Transport: t, CheckRedirect: a.host.checkRedirect}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		if c := challengeOf(resp, a.host.reg); c != nil {
			a.refused = c
		}
		if seconds, aerr := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32); aerr == nil {
			err = &comeBack{err, time.Duration(seconds) * time.Second}
		}
		return err
	}
	return use(resp)
}

// comeBack is a refusal that says when to ask again.
type comeBack struct {
	error
	after time.Duration
}

func (e *comeBack) Unwrap() error { return e.error }

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
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || errors.As(err, &ne) && ne.Timeout()
}
