package watch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	constants "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"
)

// podServer stands for an API server that forwards to a pod, in which port 7 echoes what it hears until that ends, and
// no other port listens.
type podServer struct {
	websockets bool

	mu    sync.Mutex
	pairs map[string]httpstream.Stream // error streams, by request
	paths []string                     // methods and paths of the requests
}

func (s *podServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.paths = append(s.paths, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if websocket.IsWebSocketUpgrade(r) {
		if !s.websockets {
			http.Error(w, "no websockets here", http.StatusForbidden)
			return
		}
		upgrader := websocket.Upgrader{Subprotocols: []string{constants.WebsocketsSPDYTunnelingPortForwardV1}}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		conn, err := streamspdy.NewServerConnection(&messages{Conn: ws}, s.accept)
		if err != nil {
			return
		}
		<-conn.CloseChan()
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{constants.PortForwardV1Name}); err != nil {
		return
	}
	if conn := streamspdy.NewResponseUpgrader().UpgradeResponse(w, r, s.accept); conn != nil {
		<-conn.CloseChan()
	}
}

func (s *podServer) accept(stream httpstream.Stream, _ <-chan struct{}) error {
	id := stream.Headers().Get(headerRequestID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream.Headers().Get(headerStreamType) == streamTypeError {
		s.pairs[id] = stream
		return nil
	}
	failure := s.pairs[id]
	go func() {
		if port := stream.Headers().Get(headerPort); port != "7" {
			_, _ = io.WriteString(failure, "connection refused\x1b[31m\n")
		} else {
			_, _ = io.Copy(stream, stream)
		}
		_ = stream.Close()
		_ = failure.Close()
	}()
	return nil
}

// open returns the address at which a tunnel to a port is served, and what serve returned.
func (s *podServer) open(t *testing.T, ctx context.Context, port int32) (address string, ended <-chan error) {
	t.Helper()
	s.pairs = map[string]httpstream.Stream{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	dial, err := podDialer(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	d, err := dial("n", "p")
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := openTunnel(ctx, d, port)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- tunnel.serve(ctx, l) }()
	return l.Addr().String(), result
}

// Bytes arrive whole and in order, several connections at a time, and an end that one side has said is heard while the
// other still answers.
func TestTunnel(t *testing.T) {
	for _, websockets := range []bool{true, false} {
		s := &podServer{websockets: websockets}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		address, ended := s.open(t, ctx, 7)
		var clients sync.WaitGroup
		for i := range 3 {
			clients.Go(func() {
				sent := bytes.Repeat([]byte{byte('a' + i), 0, '\n'}, 100_000)
				c, err := net.Dial("tcp4", address)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				go func() {
					_, _ = c.Write(sent)
					_ = c.(*net.TCPConn).CloseWrite()
				}()
				if received, err := io.ReadAll(c); err != nil || !bytes.Equal(received, sent) {
					t.Errorf("websockets %v: %d bytes of %d came back, %v", websockets, len(received), len(sent), err)
				}
			})
		}
		clients.Wait()
		// A connection that is open when the container ends is closed with it.
		idle, err := net.Dial("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		if _, err := idle.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(idle, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := wait(t, ended); !errors.Is(err, errEnded) {
			t.Errorf("it ended with %v", err)
		}
		if n, err := idle.Read(make([]byte, 1)); err == nil {
			t.Errorf("%d bytes after the end", n)
		}
		if c, err := net.Dial("tcp4", address); err == nil {
			c.Close()
			t.Error("it still listens")
		}
		want := "GET /api/v1/namespaces/n/pods/p/portforward"
		if !websockets {
			want += " POST /api/v1/namespaces/n/pods/p/portforward"
		}
		if got := strings.Join(s.paths, " "); got != want {
			t.Errorf("requests %q, want %q", got, want)
		}
	}
}

// A connection that the pod refuses ends the tunnel with what the server says of it, without its control characters.
func TestTunnelRefused(t *testing.T) {
	for _, websockets := range []bool{true, false} {
		address, ended := (&podServer{websockets: websockets}).open(t, t.Context(), 8)
		c, err := net.Dial("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.ReadAll(c); err != nil && !errors.Is(err, io.EOF) {
			t.Logf("the client sees %v", err)
		}
		const want = `the pod's port 8: connection refused\x1b[31m`
		if err := wait(t, ended); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it ended with %v, want %s", err, want)
		}
	}
}

// neverDialed is a server that does not answer until it is told to.
type neverDialed chan struct{}

func (n neverDialed) Dial(...string) (httpstream.Connection, string, error) {
	<-n
	return nil, "", errors.New("too late")
}

func TestTunnelThatHangs(t *testing.T) {
	hanging := make(neverDialed)
	defer close(hanging)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := openTunnel(ctx, hanging, 7); !errors.Is(err, errEnded) {
		t.Errorf("it ended with %v", err)
	}
}

func wait(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
		return nil
	}
}
