package debuggers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// forward makes a port of a pod reachable at the address that it returns, through the API server and the kubelet as
// `kubectl port-forward` does.
func (p pod) forward(t *testing.T, port int) (addr string) {
	t.Helper()
	url := shared.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(p.Namespace).Name(p.Name).SubResource(
		"portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(shared.config)
	if err != nil {
		t.Fatal(err)
	}
	stop, open, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	f, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url),
		[]string{fmt.Sprintf("0:%d", port)}, stop, open, io.Discard, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- f.ForwardPorts() }()
	select {
	case <-open:
	case err := <-ended:
		t.Fatalf("forwarding port %d: %v", port, err)
	case <-time.After(patience):
		t.Fatalf("forwarding port %d takes longer than %s", port, patience)
	}
	t.Cleanup(func() { close(stop) })
	ports, err := f.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local)
}

// watcher is a run of `debuggable watch --port-forward`.
type watcher struct {
	t      *testing.T
	events chan event
}

// event is an event of it, as far as tests look into it. Just one of the two is set.
type event struct {
	DebuggingContainerEvent *struct {
		Status, PodName, ContainerName, Namespace, Artifact, Runtime, ContainerID string
		DebugPorts                                                                map[string]int
		RestartCount                                                              int
	}
	PortEvent *struct {
		LocalPort, RemotePort                       int
		PodName, ContainerName, Namespace, PortName string
	}
}

// watch starts to watch a namespace. It ends with the test.
func (e *env) watch(t *testing.T, namespace string) *watcher {
	t.Helper()
	cmd := exec.Command(e.debuggable, "watch", "-n", namespace, "--port-forward")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KUBE") }),
		"KUBECONFIG="+e.kubeconfig)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &watcher{t: t, events: make(chan event, 1000)}
	go func() {
		defer close(w.events)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var line struct{ Result struct{ Event event } }
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Errorf("debuggable watch prints %q: %v", lines.Text(), err)
			}
			w.events <- line.Result.Event
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		for range w.events { // to the end of its output
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("debuggable watch, interrupted: %v", err)
		}
	})
	return w
}

func (w *watcher) next() event {
	w.t.Helper()
	select {
	case e, ok := <-w.events:
		if !ok {
			w.t.Fatal("debuggable watch ended")
		}
		return e
	case <-time.After(patience):
		w.t.Fatalf("no event for %s", patience)
	}
	return event{}
}

// started wants the events of a container's start, and returns the address that its debug port is forwarded to.
func (w *watcher) started(pod, name string, restarts int) (addr string) {
	w.t.Helper()
	e := w.next()
	c := e.DebuggingContainerEvent
	if c == nil || c.Status != "Started" || c.PodName != pod || c.ContainerName != name || c.RestartCount != restarts ||
		len(c.DebugPorts) != 1 {
		w.t.Fatalf("got %s, want the start of container %s of pod %s, restarted %d times", e, name, pod, restarts)
	}
	e = w.next()
	f := e.PortEvent
	if f == nil || f.PodName != pod || f.ContainerName != name || c.DebugPorts[f.PortName] != f.RemotePort {
		w.t.Fatalf("got %s, want a forward of one of the ports %v", e, c.DebugPorts)
	}
	return fmt.Sprintf("127.0.0.1:%d", f.LocalPort)
}

// terminated wants the event of a container's end.
func (w *watcher) terminated(pod, name string) {
	w.t.Helper()
	e := w.next()
	if c := e.DebuggingContainerEvent; c == nil || c.Status != "Terminated" || c.PodName != pod ||
		c.ContainerName != name {
		w.t.Fatalf("got %s, want the end of container %s of pod %s", e, name, pod)
	}
}

func (e event) String() string {
	text, _ := json.Marshal(e)
	return string(text)
}
