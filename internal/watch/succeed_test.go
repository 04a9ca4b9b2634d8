package watch

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"k8s.io/streaming/pkg/httpstream"

	"debuggable.dev/debuggable/internal/debuginfo"
)

// silentPod is a connection to a pod whose streams never say anything.
type silentPod chan bool

func (s silentPod) Dial(...string) (httpstream.Connection, string, error) {
	return make(silentPod), "portforward.k8s.io", nil
}

func (s silentPod) CreateStream(http.Header) (httpstream.Stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	return silentStream{ctx, cancel}, nil
}
func (s silentPod) Close() error                       { return nil }
func (s silentPod) CloseChan() <-chan bool             { return s }
func (s silentPod) SetIdleTimeout(time.Duration)       {}
func (s silentPod) RemoveStreams(...httpstream.Stream) {}

// silentStream is one whose other end closes as soon as this one does.
type silentStream struct {
	open context.Context
	end  func()
}

func (s silentStream) Read([]byte) (int, error) {
	<-s.open.Done()
	return 0, io.EOF
}
func (s silentStream) Write(p []byte) (int, error) { return len(p), nil }
func (s silentStream) Close() error                { s.end(); return nil }
func (s silentStream) Reset() error                { return s.Close() }
func (s silentStream) Headers() http.Header        { return nil }
func (s silentStream) Identifier() uint32          { return 0 }

// TestSuccession: the pod that takes another one's place gets its local port, once that is gone and nobody is connected
// through another port. Where the container restarts, it keeps the port.
func TestSuccession(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	number := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	h := newHub()
	f := newForwarder(h, t.Logf, func(_, _ string) (httpstream.Dialer, error) { return silentPod(nil), nil })
	f.firstDelay = time.Millisecond
	start := func(kind, owner, pod string) runID {
		c := container{namespace: "n", pod: pod, uid: pod, id: pod, name: "web", kind: kind, owner: owner,
			info: debuginfo.Container{Ports: map[string]int32{"dlv": int32(number)}}}
		id := h.publishStarted(c)
		f.start(t.Context(), id, c)
		return id
	}
	local := func(pod string) int {
		all, _ := h.running()
		if at := slices.IndexFunc(all, func(r debuginfo.Running) bool { return r.Pod == pod }); at >= 0 {
			return all[at].Locals["dlv"]
		}
		return 0
	}
	wait := func(pod string, has func(port int) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !has(local(pod)); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s has %d; the debug port is %d", pod, local(pod), number)
			}
		}
	}
	debugPort := func(port int) bool { return port == number }
	another := func(port int) bool { return port != 0 && port != number }
	end := func(id runID, replaced bool) {
		f.stop(id, replaced)
		h.publishTerminated(id)
	}

	old := start("Deployment", "web", "web-1")
	wait("web-1", debugPort)
	other, successor := start("Deployment", "api", "api-1"), start("Deployment", "web", "web-2")
	wait("api-1", another)
	wait("web-2", another)
	client, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", local("web-2")))
	if err != nil {
		t.Fatal(err)
	}
	for used := false; !used; time.Sleep(time.Millisecond) { // it may be accepted later
		conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", local("web-2")))
		if err != nil {
			t.Fatal(err)
		}
		used = conn.SetReadDeadline(time.Now().Add(time.Millisecond)) == nil
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	end(old, true)
	time.Sleep(50 * time.Millisecond)
	if port := local("web-2"); !another(port) {
		t.Errorf("%d, and a client is connected through another one", port)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	wait("web-2", debugPort)
	if port := local("api-1"); !another(port) {
		t.Errorf("another workload has %d", port)
	}

	// A container that restarts comes back to what it had, whatever else is of the workload.
	beside := start("Deployment", "web", "web-3")
	wait("web-3", another)
	end(successor, false)
	restarted := start("Deployment", "web", "web-2")
	wait("web-2", debugPort)
	if port := local("web-3"); !another(port) {
		t.Errorf("%d, which another pod had", port)
	}
	for _, id := range []runID{other, beside, restarted} {
		end(id, false)
	}
	f.done.Wait()
	if len(f.reserved)+len(f.last)+len(f.runs) > 0 {
		t.Errorf("left over: %v, %v, %v", f.reserved, f.last, f.runs)
	}
}
