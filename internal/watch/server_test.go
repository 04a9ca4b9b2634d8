package watch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveTest serves a hub on loopback until the test ends, and returns the address.
func serveTest(t *testing.T, h *hub, readTime, writeTime time.Duration) (address string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l, host, err := listen(ctx, ":0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- (&server{hub: h, host: host, readTime: readTime, writeTime: writeTime}).serve(ctx, l) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if !stopped {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return l.Addr().String(), stop
}

func TestServerRequests(t *testing.T) {
	h := testHub()
	h.publishStarted(testContainer("1"))
	address, _ := serveTest(t, h, 10*time.Second, time.Second)
	if !strings.HasPrefix(address, "127.0.0.1:") {
		t.Fatalf("without a host it listens on %s", address)
	}
	_, port, _ := net.SplitHostPort(address)
	for name, test := range map[string]struct {
		request string
		status  string
		body    string
	}{
		"state": {"GET /v1/state HTTP/1.1\r\nHost: HOST\r\n\r\n", "200",
			`{"debuggingContainers":[{"status":"Started"`},
		"localhost":            {"GET /v1/state HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", "200", ""},
		"IPv6 loopback":        {"GET /v1/state HTTP/1.1\r\nHost: [::1]:PORT\r\n\r\n", "200", ""},
		"another port":         {"GET /v1/state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200", ""},
		"a foreign name":       {"GET /v1/state HTTP/1.1\r\nHost: evil.example:PORT\r\n\r\n", "403", "evil.example"},
		"a name with ours":     {"GET /v1/state HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", "403", ""},
		"an address with ours": {"GET /v1/state HTTP/1.1\r\nHost: 127.0.0.1.nip.example\r\n\r\n", "403", ""},
		"another address":      {"GET /v1/events HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "403", ""},
		"an empty host":        {"GET /v1/state HTTP/1.1\r\nHost:\r\n\r\n", "403", ""},
		"a foreign full URL":   {"GET http://evil.example/v1/state HTTP/1.1\r\nHost: HOST\r\n\r\n", "403", ""},
		"no host":              {"GET /v1/state HTTP/1.1\r\n\r\n", "400", ""},
		"POST":                 {"POST /v1/state HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n", "405", "GET"},
		"HEAD of the stream":   {"HEAD /v1/events HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n", "405", ""},
		"OPTIONS": {"OPTIONS /v1/events HTTP/1.1\r\nHost: HOST\r\nOrigin: http://evil.example\r\n" +
			"Access-Control-Request-Method: GET\r\n\r\n", "405", ""},
		"another path":  {"GET /v1/secrets HTTP/1.1\r\nHost: HOST\r\n\r\n", "404", ""},
		"the root":      {"GET / HTTP/1.1\r\nHost: HOST\r\n\r\n", "404", ""},
		"a longer path": {"GET /v1/state/x HTTP/1.1\r\nHost: HOST\r\n\r\n", "404", ""},
		"no HTTP":       {"\x16\x03\x01\x02\x00 longer than HTTP/2 preface\r\n\r\n", "400", ""},
		"headers without end": {"GET /v1/state HTTP/1.1\r\nHost: HOST\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n",
			"431", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn,
				strings.NewReplacer("HOST", address, "PORT", port).Replace(test.request)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if !strings.HasPrefix(resp.Status, test.status) {
				t.Errorf("status %s, want %s", resp.Status, test.status)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("header %s", name)
				}
			}
			body := make([]byte, 400)
			n, _ := io.ReadAtLeast(resp.Body, body, len(test.body))
			if !strings.Contains(string(body[:n]), test.body) {
				t.Errorf("body %q, want %q", body[:n], test.body)
			}
		})
	}
}

func TestKnownHost(t *testing.T) {
	s := &server{host: "devbox.example"}
	local := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 50052}
	for host, want := range map[string]bool{
		"devbox.example:50052": true, "DevBox.Example": true, "localhost": true, "LOCALHOST:1": true, "127.9.9.9:1": true,
		"[::1]": true, "::1": true,
		"192.0.2.7:50052": true, "[::ffff:192.0.2.7]:50052": true, "192.0.2.8": false, "evil.example": false, "": false,
		":50052": false, "[": false, "0.0.0.0": false,
	} {
		if got := s.knownHost(host, local); got != want {
			t.Errorf("host %q: %v, want %v", host, got, want)
		}
	}
}

func TestListen(t *testing.T) {
	for _, bad := range []string{"", "50052", "localhost", "127.0.0.1:99999", "[::1", "127.0.0.1:x"} {
		if l, _, err := listen(t.Context(), bad); err == nil {
			l.Close()
			t.Errorf("listens on %q", bad)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", bad)) {
			t.Errorf("error %q does not name %q", err, bad)
		}
	}
	l, host, err := listen(t.Context(), "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Not on all IPv6 addresses too, which nobody asked for.
	if host != "0.0.0.0" || !strings.HasPrefix(l.Addr().String(), "0.0.0.0:") {
		t.Errorf("listens on %s as %s", l.Addr(), host)
	}
}

// Three readers at once, one of which never reads: the two get everything, history first, and nobody waits for the
// third.
func TestThreeReadersOneOfWhichNeverReads(t *testing.T) {
	h := newHub()
	h.limit = 2000
	const writeTime = 300 * time.Millisecond
	address, stop := serveTest(t, h, 10*time.Second, writeTime)
	const before, after = 10, 20_000
	h.publishStarted(testContainer("first"))
	for i := 1; i < before; i++ {
		h.publishTerminated(h.publishStarted(testContainer(fmt.Sprint("before", i))))
	}
	request := "GET /v1/events HTTP/1.1\r\nHost: " + address + "\r\n\r\n"
	never, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer never.Close()
	if _, err := io.WriteString(never, request); err != nil {
		t.Fatal(err)
	}

	const total = 1 + 2*(before-1) + 2*after
	progress := [2]chan struct{}{make(chan struct{}, total), make(chan struct{}, total)}
	errs := make(chan error, 2)
	ends := make(chan error, 2)
	for i := range 2 {
		resp, err := http.Get("http://" + address + "/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); got != "application/x-ndjson" {
			t.Errorf("content type %q", got)
		}
		go func() {
			lines := bufio.NewScanner(resp.Body)
			for n := range total {
				if !lines.Scan() {
					errs <- fmt.Errorf("reader %d: %d lines, then %w", i, n, io.ErrUnexpectedEOF)
					return
				}
				if !strings.HasPrefix(lines.Text(), `{"result":`) {
					errs <- fmt.Errorf("reader %d: line %s", i, lines.Text())
					return
				}
				progress[i] <- struct{}{}
			}
			// After the shutdown the stream ends as it should.
			if lines.Scan() || lines.Err() != nil {
				ends <- fmt.Errorf("reader %d: after the end: %q, %w", i, lines.Text(), lines.Err())
				return
			}
			ends <- nil
		}()
	}
	for n := range after {
		h.publishTerminated(h.publishStarted(testContainer(fmt.Sprint("after", n))))
		if n%100 == 99 { // no faster than the two read
			for i := range 2 {
				for range 200 {
					select {
					case <-progress[i]:
					case err := <-errs:
						t.Fatal(err)
					case <-time.After(20 * time.Second):
						t.Fatalf("reader %d is held up", i)
					}
				}
			}
		}
	}
	// The third was dropped: what it was sent ends somewhere. (Reading too soon would make it a reader.)
	time.Sleep(3 * writeTime)
	_ = never.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, never); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("the reader that never reads is still served: %v", err)
	}
	begin := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > drainTime {
		t.Errorf("the shutdown took %s", d)
	}
	for range 2 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

// A reader that is too slow for the history to keep what it has not read yet is told so, and its stream ends.
func TestReaderFallsBehind(t *testing.T) {
	h := newHub()
	h.limit = 50
	address, _ := serveTest(t, h, 10*time.Second, 20*time.Second)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := io.WriteString(conn, "GET /v1/events HTTP/1.1\r\nHost: "+address+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60_000 { // more than the buffers of the connection hold
		h.publishTerminated(h.publishStarted(testContainer(fmt.Sprint(i))))
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	var last string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		last = lines.Text()
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if want := `{"error":{"message":"read too slowly, so that events were missed: get the state (/v1/state) and connect ` +
		`again"}}`; last != want {
		t.Errorf("the last line is %s", last)
	}
}

// An idle stream stays open beyond the times that requests and writes may take.
func TestIdleStream(t *testing.T) {
	h := newHub()
	address, _ := serveTest(t, h, 100*time.Millisecond, 100*time.Millisecond)
	resp, err := http.Get("http://" + address + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	time.Sleep(300 * time.Millisecond)
	h.publishStarted(testContainer("1"))
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || !strings.Contains(line, `"Started"`) {
		t.Errorf("got %q, %v", line, err)
	}
}

// A client that does not finish its request is dropped.
func TestSlowRequest(t *testing.T) {
	address, _ := serveTest(t, newHub(), 200*time.Millisecond, time.Second)
	for _, request := range []string{"", "GET /v1/state HTTP/1.1\r\nHost: localhost\r\n",
		"POST /v1/state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("after %q the connection stays open", request)
		}
	}
}
