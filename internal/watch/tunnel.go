package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	constants "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/streaming/pkg/httpstream"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"

	"debuggable.dev/debuggable/internal/foreign"
)

// This speaks the port forwarding protocol of pods itself: client-go's package for it links all types of the core API,
// 3.8 MB, for the names of four headers.

// The headers of a stream and the types of streams, as kubelet's remote command server has them (k8s.io/kubelet,
// portforward/httpstream.go): each connection is a pair of streams, one for its bytes and one that says why it failed.
const (
	headerStreamType = "streamType"
	headerPort       = "port"
	headerRequestID  = "requestID"

	streamTypeError = "error"
	streamTypeData  = "data"
)

// pingPeriod keeps a connection that is idle at a breakpoint alive in proxies that close what is silent.
const pingPeriod = 10 * time.Second

// maxErrorText bounds what a server says of a connection that failed.
const maxErrorText = 4096

var (
	errEnded    = errors.New("the container has ended")
	errLostPod  = errors.New("the connection to the pod was lost")
	errProtocol = errors.New("the server does not speak " + constants.PortForwardV1Name)
)

// tunnel is a connection to a pod's port forwarding, for any number of connections to one of its ports.
type tunnel struct {
	conn httpstream.Connection
	port int32

	mu     sync.Mutex
	nextID int
	locals map[net.Conn]struct{} // open local connections; nil once the tunnel is closed
	failed error                 // why the tunnel was closed, if that is known
}

// openTunnel connects to a pod. Dialing knows no context: where ctx ends first, the connection is closed as soon as it
// is made.
func openTunnel(ctx context.Context, dialer httpstream.Dialer, port int32) (*tunnel, error) {
	type dialed struct {
		conn httpstream.Connection
		err  error
	}
	result := make(chan dialed, 1)
	go func() {
		conn, protocol, err := dialer.Dial(constants.PortForwardV1Name)
		if err == nil && protocol != constants.PortForwardV1Name {
			_ = conn.Close()
			conn, err = nil, errProtocol
		}
		result <- dialed{conn, err}
	}()
	select {
	case r := <-result:
		if r.err != nil {
			return nil, fmt.Errorf("connecting to the pod: %w", r.err)
		}
		return &tunnel{conn: r.conn, port: port, locals: map[net.Conn]struct{}{}}, nil
	case <-ctx.Done():
		go func() {
			if r := <-result; r.err == nil {
				_ = r.conn.Close()
			}
		}()
		return nil, errEnded
	}
}

// serve forwards the connections that l accepts, until ctx ends or the tunnel breaks, which it always does: it closes
// both, returns when all local connections are closed, and says why.
func (t *tunnel) serve(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			local, err := l.Accept()
			if err != nil {
				t.fail(fmt.Errorf("accepting a connection: %w", err))
				return
			}
			if !t.admit(local) {
				_ = local.Close()
				return
			}
			open.Go(func() {
				defer t.forget(local)
				t.forward(local)
			})
		}
	}()
	select {
	case <-ctx.Done():
		t.fail(errEnded)
	case <-t.conn.CloseChan():
		t.fail(errLostPod)
	}
	_ = l.Close()
	<-accepting
	open.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// admit notes a local connection, unless the tunnel is closed.
func (t *tunnel) admit(local net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.locals == nil {
		return false
	}
	t.locals[local] = struct{}{}
	return true
}

// used says whether there are local connections.
func (t *tunnel) used() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.locals) > 0
}

func (t *tunnel) forget(local net.Conn) {
	_ = local.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.locals, local)
}

// fail closes the tunnel and all connections through it. The first reason counts.
func (t *tunnel) fail(reason error) {
	t.mu.Lock()
	locals := t.locals
	t.locals = nil
	if t.failed == nil {
		t.failed = reason
	}
	t.mu.Unlock()
	for local := range locals {
		_ = local.Close()
	}
	_ = t.conn.Close()
}

// forward carries one local connection. Where the pod refuses it, the tunnel is closed: a server that has lost its pod
// refuses each connection from then on, and only a new tunnel finds the pod again.
func (t *tunnel) forward(local net.Conn) {
	failure, data, err := t.streams()
	if err != nil {
		t.fail(err)
		return
	}
	defer t.conn.RemoveStreams(failure, data)
	said := make(chan error, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(failure, maxErrorText))
		if err == nil && len(text) > 0 {
			err = fmt.Errorf("the pod's port %d: %s", t.port, foreign.Short(strings.TrimSpace(string(text))))
		}
		said <- err
	}()
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(data, local)
		_ = data.Close() // half-closed: the pod may still answer
		sent <- err
	}()
	received := make(chan struct{})
	go func() {
		_, _ = io.Copy(local, data)
		close(received)
	}()
	// What is sent may be at its end long before the answer is, so only a failure to send ends the connection.
	for done := false; !done; {
		select {
		case <-received:
			done = true
		case err := <-sent:
			done = err != nil
			sent = nil
		}
	}
	// What is left unread in the data stream would hold up the other stream, so it goes first.
	_ = data.Reset()
	if err := <-said; err != nil {
		t.fail(err)
	}
}

// streams opens the pair of streams of one connection.
func (t *tunnel) streams() (failure, data httpstream.Stream, err error) {
	t.mu.Lock()
	id := t.nextID
	t.nextID++
	t.mu.Unlock()
	headers := http.Header{}
	headers.Set(headerStreamType, streamTypeError)
	headers.Set(headerPort, strconv.Itoa(int(t.port)))
	headers.Set(headerRequestID, strconv.Itoa(id))
	if failure, err = t.conn.CreateStream(headers); err != nil {
		return nil, nil, fmt.Errorf("opening a stream to the pod: %w", err)
	}
	_ = failure.Close() // it is only read
	headers.Set(headerStreamType, streamTypeData)
	if data, err = t.conn.CreateStream(headers); err != nil {
		t.conn.RemoveStreams(failure)
		return nil, nil, fmt.Errorf("opening a stream to the pod: %w", err)
	}
	return failure, data, nil
}

// podDialer returns a function that connects to the port-forward endpoint of a pod as kubectl does: over a websocket,
// and where the API server or a proxy does not know that, over SPDY.
func podDialer(config *rest.Config) (func(namespace, pod string) (httpstream.Dialer, error), error) {
	config = rest.CopyConfig(config)
	config.APIPath = "/api"
	config.GroupVersion = &schema.GroupVersion{Version: "v1"}
	// for the client's sake; no object is read
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme())
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing port forwarding: %w", err)
	}
	return func(namespace, pod string) (httpstream.Dialer, error) {
		target := client.Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
		return newDialer(config, target)
	}, nil
}

// dialer connects to a pod over a websocket that carries SPDY, and falls back to SPDY itself.
type dialer struct {
	target    *url.URL
	transport http.RoundTripper
	holder    websocket.ConnectionHolder
	overSPDY  httpstream.Dialer
}

func newDialer(config *rest.Config, target *url.URL) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	overSPDY := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	websockets, holder, err := websocket.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	return &dialer{target: target, transport: websockets, holder: holder, overSPDY: overSPDY}, nil
}

// Dial implements [httpstream.Dialer].
func (d *dialer) Dial(protocols ...string) (httpstream.Connection, string, error) {
	conn, protocol, err := d.overWebsocket(protocols)
	if err != nil && (httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)) {
		return d.overSPDY.Dial(protocols...)
	}
	return conn, protocol, err
}

func (d *dialer) overWebsocket(protocols []string) (httpstream.Connection, string, error) {
	request, err := http.NewRequest(http.MethodGet, d.target.String(), nil)
	if err != nil {
		return nil, "", err
	}
	tunneled := make([]string, len(protocols))
	for i, protocol := range protocols {
		tunneled[i] = constants.WebsocketsSPDYTunnelingPrefix + protocol
	}
	ws, err := websocket.Negotiate(d.transport, d.holder, request, tunneled...)
	if err != nil {
		return nil, "", err
	}
	conn, err := streamspdy.NewClientConnectionWithPings(&messages{Conn: ws}, pingPeriod)
	if err != nil {
		_ = ws.Close()
		return nil, "", err
	}
	return conn, strings.TrimPrefix(ws.Subprotocol(), constants.WebsocketsSPDYTunnelingPrefix), nil
}
