package watch

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"k8s.io/streaming/pkg/httpstream"

	"debuggable.dev/debuggable/internal/debuginfo"
)

// The forwards themselves are tested in e2e/watch, against a real API server.

func TestChooseLocalPort(t *testing.T) {
	f := newForwarder(newHub(), nil, nil)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().(*net.TCPAddr).Port
	other := f.choose(target{port: int32(taken)}, 0, taken)
	if other == 0 || other == taken {
		t.Fatalf("%d for a port that is taken", other)
	}
	if again := f.choose(target{port: int32(taken)}, other, taken); again != other {
		t.Errorf("%d the second time, want the port that it had, %d", again, other)
	}
	l.Close()
	first := f.choose(target{port: int32(taken)}, 0, taken)
	if first != taken {
		t.Errorf("%d, want the debug port's number, %d, which is free", first, taken)
	}
	// Nobody listens on it at the moment, but it belongs to the first.
	if second := f.choose(target{port: int32(taken)}, 0, taken); second == taken || second == other || second == 0 {
		t.Errorf("%d is given away twice", second)
	}
	// A port that is lost to another program is not waited for.
	l, err = net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(first)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if moved := f.choose(target{port: int32(taken)}, first, taken); moved == first || moved == 0 {
		t.Errorf("%d, want another port", moved)
	}
	f.release(other)
	if got := f.choose(target{port: int32(other)}, 0, other); got != other {
		t.Errorf("%d, want %d, which was given back", got, other)
	}
}

// After a restart the same address leads to the same debugger, even if it is not the debug port's number.
func TestChooseLocalPortAfterRestart(t *testing.T) {
	f := newForwarder(newHub(), nil, nil)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := target{pod: "app", port: int32(l.Addr().(*net.TCPAddr).Port)}
	first := f.choose(app, 0, int(app.port))
	f.remember(app, first)
	if other := f.choose(target{pod: "other", port: app.port}, 0, int(app.port)); other == first {
		t.Errorf("another pod gets %d, too", other)
	}
	f.release(first)
	l.Close()
	if again := f.choose(app, 0, int(app.port)); again != first {
		t.Errorf("%d before the restart, %d after it", first, again)
	}
	if other := f.choose(target{pod: "other", port: int32(first)}, 0, first); other == first {
		t.Errorf("another pod gets %d, too", other)
	}
}

// Whoever connects to localhost must not meet another program.
func TestChooseLocalPortThatIsTakenOnIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("there is no IPv6 loopback here: %v", err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	if got := newForwarder(newHub(), nil, nil).choose(target{port: int32(taken)}, 0, taken); got == 0 || got == taken {
		t.Errorf("chose %d, and %d is taken", got, taken)
	}
}

// A forward that cannot be opened is tried again until the container ends, and leaves nothing behind. It is said once,
// unless that the server is away has been said already.
func TestForwardThatCannotBeOpened(t *testing.T) {
	for connected, want := range map[bool][]string{
		true:  {"forwarding port 56268 of pod n/p: no route; trying again"},
		false: nil,
	} {
		var mu sync.Mutex
		var said []string
		attempts := 0
		enough := make(chan struct{})
		h := newHub()
		f := newForwarder(h, func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, fmt.Sprintf(format, args...))
		}, func(_, _ string) (httpstream.Dialer, error) {
			mu.Lock()
			defer mu.Unlock()
			if attempts++; attempts == 5 {
				close(enough)
			}
			return nil, errors.New("no route")
		})
		f.connected = func() bool { return connected }
		f.firstDelay, f.lastDelay = time.Millisecond, 2*time.Millisecond
		c := container{namespace: "n", pod: "p", name: "web",
			info: debuginfo.Container{Ports: map[string]int32{"dlv": 56268}}}
		id := h.publishStarted(c)
		f.start(t.Context(), id, c)
		select {
		case <-enough:
		case <-time.After(10 * time.Second):
			t.Fatal("it is not tried again")
		}
		f.stop(id, false)
		f.done.Wait()
		if !slices.Equal(said, want) {
			t.Errorf("connected %v: said %q, want %q", connected, said, want)
		}
		if len(f.reserved)+len(f.last)+len(f.runs) > 0 {
			t.Errorf("left over: %v, %v, %v", f.reserved, f.last, f.runs)
		}
	}
}
