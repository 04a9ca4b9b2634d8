package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

// server serves the hub over HTTP:
//
//	GET /v1/events  newline-delimited JSON: what has happened so far, and then what happens
//	GET /v1/state   one JSON object: what runs now
//
// It is meant for programs on the same machine. It sends no CORS headers, so that browsers keep the answers from
// foreign pages, and refuses requests for other host names, so that a foreign page cannot reach it by pointing its own
// name at this address (DNS rebinding).
type server struct {
	hub *hub
	// host is the host that the user asked to listen on.
	host string
	// readTime is how long a client may take to send a request; writeTime how long it may take to accept data before it is
	// dropped.
	readTime, writeTime time.Duration
	// ending bounds the wait for readers at the end; nil is one of its own.
	ending *ending
}

// maxRequests is how many requests are answered at a time, and maxConnections how many connections are open: far more
// than the editors and scripts of one machine need. Who comes when all are taken is refused, or waits to be connected.
const (
	maxRequests    = 128
	maxConnections = 256
	maxStreams     = 32 // of a connection of HTTP/2: each costs something before it is refused
)

// listen opens the address HOST:PORT. No host means loopback: other machines get in only when the user says so.
func listen(ctx context.Context, address string) (net.Listener, string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", fmt.Errorf("listening on %q: want HOST:PORT or :PORT: %w", address, err)
	}
	if host == "" {
		host = loopback
	}
	network := "tcp"
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		network = "tcp4" // or 0.0.0.0 would be all IPv6 addresses too
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, network, net.JoinHostPort(host, port))
	if err != nil {
		return nil, "", fmt.Errorf("listening on %q: %w", address, err)
	}
	return l, host, nil
}

// serve answers requests until ctx ends. Streams end then, with all that was written to them whole.
func (s *server) serve(ctx context.Context, l net.Listener) error {
	hs := &http.Server{
		Handler:        s.handler(),
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ReadTimeout:    s.readTime,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       log.New(io.Discard, "", 0), // what clients do wrong is theirs to report
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	hs.Protocols = new(http.Protocols)
	hs.Protocols.SetHTTP1(true)
	hs.Protocols.SetUnencryptedHTTP2(true) // for gRPC
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving events on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	if err := hs.Shutdown(s.ending.grace()); err != nil {
		_ = hs.Close() // a reader that does not read: nothing is owed to it
	}
	return nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/events", getOnly(s.events))
	mux.HandleFunc("/v1/state", getOnly(s.state))
	s.handleGRPC(mux)
	places := make(chan struct{}, maxRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !s.knownHost(r.Host, local) {
			http.Error(w, fmt.Sprintf("host %q is not served here: use the address that debuggable watch listens on", r.Host),
				http.StatusForbidden)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			s.deadline(w)
			http.Error(w, fmt.Sprintf("%d requests are being answered: try again when one has ended", maxRequests),
				http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// getOnly also refuses HEAD, which means nothing for a stream.
func getOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "only GET is served here", http.StatusMethodNotAllowed)
			return
		}
		h(w, r)
	}
}

// knownHost says whether a request's Host is a name under which this server may be addressed: localhost, a loopback
// address, the host that it was told to listen on, or the very address that the connection came in on.
func (s *server) knownHost(header string, local net.Addr) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, s.host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if addr.Unmap().IsLoopback() {
		return true
	}
	tcp, ok := local.(*net.TCPAddr)
	return ok && tcp.AddrPort().Addr().Unmap() == addr.Unmap()
}

func (s *server) state(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	s.deadline(w)
	_, _ = w.Write(s.hub.stateLine())
}

// streamEnd is the last line for a reader that missed events.
type streamEnd struct {
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

var errMissed = errors.New("read too slowly, so that events were missed: get the state (/v1/state) and connect again")

func missedEvents() []byte {
	var end streamEnd
	end.Error.Message = errMissed.Error()
	return encodeLine(end)
}

func (s *server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	s.deadline(w)
	// After a quiet time the deadline is long past; the end of the stream has to be written all the same.
	defer s.deadline(w)
	out := http.NewResponseController(w)
	// The headers go out at once, even when nothing has happened yet.
	if out.Flush() != nil {
		return
	}
	var seen uint64
	for first := true; ; first = false {
		records, missed, more := s.hub.since(seen)
		if missed && !first {
			s.deadline(w)
			_, _ = w.Write(missedEvents())
			return
		}
		for _, rec := range records {
			// Each write starts the reader's time anew; one that takes nothing for that long is dropped.
			s.deadline(w)
			if _, err := w.Write(rec.json); err != nil {
				return
			}
			seen = rec.number
		}
		if len(records) > 0 {
			if out.Flush() != nil {
				return
			}
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

func (s *server) deadline(w http.ResponseWriter) {
	// Only connections that know no deadlines refuse one; those of net/http do.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.writeTime))
}
