package watch

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/foreign"
)

// A pod's annotation opens a few ports of debuggers' protocols, in all no more than maxForwards.
func TestAdmit(t *testing.T) {
	var said []string
	f := newForwarder(newHub(), func(format string, args ...any) {
		said = append(said, fmt.Sprintf(format, args...))
	}, nil)
	ports := map[string]int32{"dlv": 56268, "dap": 56268, "jdwp": 0, "devtools": 70000, "postgres": 5432}
	for i := range 5000 {
		ports[fmt.Sprintf("p%d", i)] = int32(3000 + i)
	}
	if got := f.admit(container{name: "web", info: debuginfo.Container{Ports: ports}}); fmt.Sprint(got) != "[dap dlv]" {
		t.Errorf("admitted %v", got)
	}
	if len(said) != 1 || !strings.Contains(said[0], "not forwarding 5003 ") {
		t.Errorf("said %q", said)
	}
	said = nil
	for range maxForwards * 2 {
		f.admit(container{info: debuginfo.Container{Ports: map[string]int32{"dlv": 56268}}})
	}
	if f.count != maxForwards || len(said) != 1 {
		t.Errorf("%d are admitted, said %q", f.count, said)
	}
}

// Readers share the history: what one gets costs nothing, and does not change when more is published or old records go.
func TestReadersShareTheHistory(t *testing.T) {
	h := testHub()
	for range 1000 {
		h.publishTerminated(h.publishStarted(testContainer("1")))
	}
	h.encodedState("a", func(state) []byte { return nil })
	if n := testing.AllocsPerRun(100, func() { h.since(0); h.stateLine(); h.encodedState("a", nil) }); n > 0 {
		t.Errorf("%v allocations for a reader", n)
	}
	records, _, _ := h.since(0)
	first := records[0].number
	for range 20_000 {
		h.publishTerminated(h.publishStarted(testContainer("1")))
	}
	for i, r := range records {
		if r.number != first+uint64(i) {
			t.Fatalf("record %d has become %d", i, r.number)
		}
	}
}

// The state that is kept for its readers is the state, after every kind of change.
func TestStateLine(t *testing.T) {
	h := testHub()
	check := func(what string) {
		t.Helper()
		if got, want := h.stateLine(), encodeLine(h.state()); !bytes.Equal(got, want) {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
		n := v1Numbers()
		got := h.encodedState(n.service, func(s state) []byte { return n.state(s) })
		if want := n.state(h.state()); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", what, got, want)
		}
	}
	check("nothing")
	id := h.publishStarted(testContainer("1"))
	check("started")
	h.publishForward(id, portEvent{LocalPort: 1}, false)
	check("forwarded")
	h.endForward(id, 1)
	check("forward ended")
	h.publishForward(id, portEvent{LocalPort: 1}, true)
	check("forwarded again")
	h.publishTerminated(id)
	check("terminated")
}

// More readers than there are places for are refused, and a place that is given back is free.
func TestTooManyReaders(t *testing.T) {
	address, _ := serveTest(t, testHub(), 10*time.Second, time.Second)
	get := func() *http.Response {
		t.Helper()
		resp, err := http.Get("http://" + address + "/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	var last *http.Response
	for range maxRequests {
		if last = get(); last.StatusCode != http.StatusOK {
			t.Fatal(last.Status)
		}
	}
	if resp := get(); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: %s", resp.Status)
	}
	last.Body.Close()
	for range 100 {
		if get().StatusCode == http.StatusOK {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the place is not given back")
}

// What nobody reads is bounded, and what is left out is said.
func TestPrinterThatNobodyReads(t *testing.T) {
	p := newPrinter(io.Discard)
	p.dropped = []byte("DROPPED\n")
	text := bytes.Repeat([]byte("a"), 1<<20)
	for range 100 {
		p.add(text)
	}
	queue := p.take()
	if len(queue) != maxQueue>>20+1 || string(queue[len(queue)-1]) != "DROPPED\n" {
		t.Errorf("%d are kept, the last is %.10q", len(queue), queue[len(queue)-1])
	}
	p.add([]byte("b"))
	if queue = p.take(); len(queue) != 1 || string(queue[0]) != "b" {
		t.Errorf("got %q after that", queue)
	}
}

// However many things do not end, the end takes one drainTime.
func TestEnding(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	e, begin := new(ending), time.Now()
	for range 5 {
		e.wait(func() { <-never })
	}
	done := false
	e.wait(func() { done = true })
	if took := time.Since(begin); took > drainTime+time.Second || !done {
		t.Errorf("took %v, done: %v", took, done)
	}
}

func TestWithoutUser(t *testing.T) {
	for host, want := range map[string]string{
		"https://127.0.0.1:6443":              "https://127.0.0.1:6443",
		"https://me:hunter2@127.0.0.1:6443/x": "https://127.0.0.1:6443/x",
		"https://me:hun%zzter2@cluster":       "cluster",
		"me:hunter2@cluster:6443":             "cluster:6443",
	} {
		if got := withoutUser(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}

// The address and the words of a server give no secret away.
func TestNoSecretsFromServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "no \x1b[31m %s %s", r.Header.Get("Authorization"), strings.Repeat("x", 5000))
	})}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	kubeconfig := t.TempDir() + "/config"
	writeFile(t, kubeconfig,
		`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "http://me:hunter2@`+l.Addr().String()+
			`"}}], users: [{name: u, user: {token: open-sesame}}]}`)
	var errw bytes.Buffer
	err = Options{Kubeconfig: kubeconfig}.Run(t.Context(), io.Discard, &errw)
	if err == nil {
		t.Fatal("got no error")
	}
	text := err.Error() + errw.String()
	for _, secret := range []string{"hunter2", "open-sesame", "\x1b"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in %q", secret, text)
		}
	}
	if len(text) > 2*foreign.Most {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A connection of HTTP/2 may have a few streams, which its settings say first (RFC 9113, sections 3.4 and 6.5.2).
func TestFewStreams(t *testing.T) {
	address, _ := serveTest(t, testHub(), 10*time.Second, time.Second)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	header := make([]byte, 9)
	if _, err := io.ReadFull(conn, header); err != nil || header[3] != 4 {
		t.Fatalf("%x, %v: want settings", header, err)
	}
	settings := make([]byte, int(header[1])<<8|int(header[2]))
	if _, err := io.ReadFull(conn, settings); err != nil {
		t.Fatal(err)
	}
	for ; len(settings) >= 6; settings = settings[6:] {
		if settings[1] == 3 && settings[5] == maxStreams && settings[2]|settings[3]|settings[4] == 0 {
			return
		}
	}
	t.Error("no bound on streams")
}
