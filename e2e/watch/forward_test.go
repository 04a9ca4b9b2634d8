package watch

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/rpc2"
	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"debuggable.dev/debuggable/e2e/cluster"
)

// kubelet is the part of a kubelet that serves port forwarding, made of the kubelet's own streaming code. The API
// server connects to it as to any node. Pods have no network of their own: their ports lead to servers on loopback.
type kubelet struct {
	server *httptest.Server
	node   string

	mu    sync.Mutex
	ports map[string]string // "pod:port" to address
	conns map[net.Conn]bool
}

func startKubelet(t *testing.T, node string) *kubelet {
	t.Helper()
	k := &kubelet{node: node, ports: map[string]string{}, conns: map[net.Conn]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, k, r.PathValue("pod"), "", options, time.Hour, time.Minute,
			portforward.SupportedProtocols)
	})
	k.server = httptest.NewUnstartedServer(mux)
	k.server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if s == http.StateNew {
			k.conns[c] = true
		}
	}
	k.server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // SPDY needs HTTP/1
	k.server.StartTLS()
	t.Cleanup(k.breakConnections)

	_, port, _ := net.SplitHostPort(k.server.Listener.Addr().String())
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	created, err := admin.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}},
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	created.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(number)
	if _, err := admin.CoreV1().Nodes().UpdateStatus(t.Context(), created, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.CoreV1().Nodes().Delete(context.Background(), node, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return k
}

// PortForward implements the interface of the kubelet's streaming code.
func (k *kubelet) PortForward(_ context.Context, pod, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	k.mu.Lock()
	address := k.ports[fmt.Sprintf("%s:%d", pod, port)]
	k.mu.Unlock()
	if address == "" {
		return fmt.Errorf("nothing listens on port %d of %s", port, pod)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, stream) // ends with either side
		conn.Close()
	}()
	_, _ = io.Copy(stream, conn) // as container runtimes, it reports only what goes wrong at the start
	return nil
}

// lead makes a pod's port lead to an address; "" is a port that nothing listens on.
func (k *kubelet) lead(pod string, port int, address string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ports[fmt.Sprintf("%s:%d", pod, port)] = address
}

func (k *kubelet) breakConnections() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		c.Close()
	}
	clear(k.conns)
}

// createPod makes a debuggable pod on the node whose container "web" debugs on a port.
func (k *kubelet) createPod(t *testing.T, ns, name, runtime, protocol string, port int) {
	t.Helper()
	k.createAnnotated(t, ns, name, fmt.Sprintf(`{"web":{"runtime":%q,"ports":{%q:%d}}}`, runtime, protocol, port), "web")
}

// createAnnotated makes a pod on the node with one container for each name.
func (k *kubelet) createAnnotated(t *testing.T, ns, name, annotation string, containers ...string) {
	t.Helper()
	pod := newPod(ns, name, annotation, containers...)
	pod.Spec.NodeName = k.node
	if _, err := admin.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

const debuggee = `package main

import "time"

func work(n int) int {
	return n + 1 // line 6
}

func main() {
	for n := 0; n < 50_000; n = work(n) {
		time.Sleep(10 * time.Millisecond)
	}
}
`

// startDelve runs a program under Delve, in the way that "debuggable" makes a container do, and returns the address it
// listens on.
func startDelve(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(debuggee), 0o644); err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(dir, "app")
	if out, err := exec.Command("go", "build", "-gcflags", "all=-N -l", "-o", app, source).CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v: %s", err, out)
	}
	dlv, err := cluster.Tool(t.Context(), "dlv")
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	startServer(t, address, dlv, "exec", "--headless", "--continue", "--accept-multiclient", "--api-version=2",
		"--listen="+address, app)
	return address
}

// startServer starts a program that listens on an address. It is told to end when the test ends.
func startServer(t *testing.T, address, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	// To a file, not to a pipe, which a process that it left behind would hold open.
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // on which Delve ends its program too
		_ = cmd.Wait()                          // it was killed
	})
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("%s does not listen: %v: %s", name, err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// stopAtBreakpoint attaches to Delve, stops the program in work and lets it go on.
func stopAtBreakpoint(t *testing.T, address string) {
	t.Helper()
	// The client ends the process when it cannot connect.
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	client := rpc2.NewClientFromConn(conn)
	if _, err := client.Halt(); err != nil {
		t.Fatalf("attaching to Delve: %v", err)
	}
	bp, err := client.CreateBreakpoint(&api.Breakpoint{FunctionName: "main.work"})
	if err != nil {
		t.Fatal(err)
	}
	state := <-client.Continue()
	if state.Err != nil || state.CurrentThread == nil || state.CurrentThread.Function.Name() != "main.work" {
		t.Fatalf("stopped at %+v, want main.work", state)
	}
	n, err := client.EvalVariable(api.EvalScope{GoroutineID: -1}, "n", api.LoadConfig{})
	if err != nil || n.Value == "" {
		t.Fatalf("n = %+v, %v", n, err)
	}
	if _, err := client.ClearBreakpoint(bp.ID); err != nil {
		t.Fatal(err)
	}
	if err := client.Disconnect(true); err != nil {
		t.Fatal(err)
	}
}

// state is the answer of /v1/state, as far as tests look into it.
type state struct {
	DebuggingContainers []struct{ PodName string }
	ForwardedPorts      map[string]struct {
		LocalPort, RemotePort                                                            int
		PodName, ContainerName, Namespace, PortName, ResourceType, ResourceName, Address string
	}
}

// served returns the address that the program says it serves on.
func (s *session) served() string {
	s.t.Helper()
	s.wantError("serving http://")
	return regexp.MustCompile(`serving (http://[^/]+)/`).FindStringSubmatch(s.errors())[1]
}

func (s *session) state(base string) state {
	s.t.Helper()
	resp, err := http.Get(base + "/v1/state")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var st state
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		s.t.Fatal(err)
	}
	return st
}

func TestForwardToDelve(t *testing.T) {
	ns := namespace(t)
	k := startKubelet(t, "node-delve")
	delve, port := startDelve(t), freePort(t)
	s := watch(t, "-n", ns, "--port-forward", "--listen", "127.0.0.1:0")
	base := s.served()

	k.createPod(t, ns, "first", "go", "dlv", port)
	setStatus(t, ns, "first", running("web", "a", 0))
	same := fmt.Sprintf("first:web %d->%d", port, port)
	s.want("+first:web=a", same)
	local := fmt.Sprintf("127.0.0.1:%d", port)

	// The debugger is still starting: the first connection is refused in the pod.
	if conn, err := net.Dial("tcp", local); err == nil {
		_, _ = io.ReadAll(conn) // ends when the forward gives up
		conn.Close()
	}
	k.lead("first", port, delve)
	eventually(t, "the forward to be open again", func() bool { return answers(local) })
	stopAtBreakpoint(t, local)
	forwarded := s.state(base).ForwardedPorts[strconv.Itoa(port)]
	if f := forwarded; f.LocalPort != port || f.RemotePort != port || f.PodName != "first" || f.PortName != "dlv" ||
		f.Address != "127.0.0.1" || f.ResourceType != "pod" {
		t.Errorf("forwardedPorts has %+v", f)
	}

	// Another pod debugs on the same port, which is taken here.
	k.createPod(t, ns, "second", "go", "dlv", port)
	k.lead("second", port, delve)
	setStatus(t, ns, "second", running("web", "b", 0))
	s.want("+second:web=b")
	second := parse(t, s.next()).Result.Event.PortEvent
	if second.LocalPort == port || second.RemotePort != port || second.PodName != "second" {
		t.Fatalf("got %+v", second)
	}
	stopAtBreakpoint(t, fmt.Sprintf("127.0.0.1:%d", second.LocalPort))

	// The connection to the node breaks: the forward comes back by itself, with its port, and without another event.
	held, err := net.Dial("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if !answers(local) { // which gives the held connection the time to reach the node
		t.Fatal("the forward does not answer")
	}
	k.breakConnections()
	// Until it ends, the dying forward may still take connections, only to drop them.
	_ = held.SetReadDeadline(time.Now().Add(time.Minute))
	_, _ = io.Copy(io.Discard, held)
	eventually(t, "the forward to be back", func() bool { return answers(local) })
	stopAtBreakpoint(t, local)

	setStatus(t, ns, "first", running("web", "c", 1))
	s.want("-first:web=a", "+first:web=c", same)
	eventually(t, "the new forward", func() bool { return answers(local) })
	stopAtBreakpoint(t, local)

	setStatus(t, ns, "first", ended("web", "c", 1))
	s.want("-first:web=c")
	eventually(t, "the forward to end with the container", func() bool {
		conn, err := net.Dial("tcp", local)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if st := s.state(base); len(st.ForwardedPorts) != 1 || len(st.DebuggingContainers) != 1 {
		t.Errorf("state %+v, want the second pod's alone", st)
	}
	s.stop()
}

// answers says whether a connection to the address stays open: the forward closes one that it cannot take further.
func answers(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, err = conn.Read(make([]byte, 1))
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func TestForwardToNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on PATH: its inspector cannot be tested")
	}
	ns := namespace(t)
	k := startKubelet(t, "node-inspector")
	inspector, port := fmt.Sprintf("127.0.0.1:%d", freePort(t)), freePort(t)
	startServer(t, inspector, node, "--inspect="+inspector, "-e", "globalThis.answer = 41; setInterval(() => {}, 1000)")
	k.createPod(t, ns, "js", "nodejs", "devtools", port)
	k.lead("js", port, inspector)
	setStatus(t, ns, "js", running("web", "a", 0))
	s := watch(t, "-n", ns, "--port-forward")
	s.want("+js:web=a", fmt.Sprintf("js:web %d->%d", port, port))

	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/json/list", port))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var targets []struct{ WebSocketDebuggerURL string }
	if err := json.NewDecoder(resp.Body).Decode(&targets); err != nil || len(targets) != 1 {
		t.Fatalf("targets %v, %v", targets, err)
	}
	// The inspector names itself by the Host of the request, so this URL leads through the forward.
	ws, _, err := websocket.DefaultDialer.Dial(targets[0].WebSocketDebuggerURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	request := map[string]any{"id": 1, "method": "Runtime.evaluate", "params": map[string]any{"expression": "answer + 1"}}
	if err := ws.WriteJSON(request); err != nil {
		t.Fatal(err)
	}
	var reply struct {
		Result struct{ Result struct{ Value int } }
	}
	if err := ws.ReadJSON(&reply); err != nil || reply.Result.Result.Value != 42 {
		t.Fatalf("reply %+v, %v", reply, err)
	}
	s.stop()
}

// hello serves a greeting, in place of a debugger, and returns the address.
func hello(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// getHello reads the greeting from a local port, over a connection of its own.
func getHello(port int) error {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
		return fmt.Errorf("got %q, %w", body, err)
	}
	return nil
}

// While the API server is away nothing is forwarded, and the state says so. Then the forward is back, with its port,
// and without another event.
func TestForwardWhileTheAPIServerRestarts(t *testing.T) {
	ns := namespace(t)
	k := startKubelet(t, "node-restart")
	port := freePort(t)
	k.createPod(t, ns, "p", "go", "dlv", port)
	k.lead("p", port, hello(t))
	setStatus(t, ns, "p", running("web", "a", 0))
	s := watch(t, "-n", ns, "--port-forward", "--listen", ":0")
	base := s.served()
	s.want("+p:web=a", fmt.Sprintf("p:web %d->%d", port, port))
	if err := getHello(port); err != nil {
		t.Fatal(err)
	}
	forwarded := func() int { return len(s.state(base).ForwardedPorts) }
	if n := forwarded(); n != 1 {
		t.Errorf("%d forwards in the state", n)
	}
	plane.KillAPIServer()
	eventually(t, "the end of the forward", func() bool { return forwarded() == 0 })
	if n := len(s.state(base).DebuggingContainers); n != 1 {
		t.Errorf("%d containers in the state: that the server is away says nothing of them", n)
	}
	s.wantError("lost the connection")
	if err := plane.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the forward to be back", func() bool { return getHello(port) == nil })
	if n := forwarded(); n != 1 {
		t.Errorf("%d forwards in the state", n)
	}
	s.wantError("connected to")
	s.stop()
	// That the server is away is not said again for each forward.
	if text := s.errors(); strings.Contains(text, "forwarding") {
		t.Errorf("stderr: %s", text)
	}
}

// Whoever comes second gets another port: another program, another container, another watch. What is forwarded is the
// container's own port all the same, and ports are given back at the end.
func TestForwardToPortsThatAreTaken(t *testing.T) {
	ns := namespace(t)
	k := startKubelet(t, "node-taken")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken, free := l.Addr().(*net.TCPAddr).Port, freePort(t)
	k.createAnnotated(t, ns, "p",
		fmt.Sprintf(`{"web":{"ports":{"dlv":%d,"jdwp":%d}},"db":{"ports":{"dap":%[2]d}}}`, taken, free), "web", "db")
	k.lead("p", taken, hello(t))
	k.lead("p", free, hello(t))
	setStatus(t, ns, "p", running("web", "a", 0), running("db", "b", 0))

	used := map[int]bool{taken: true}
	var sessions []*session
	for range 2 {
		s := watch(t, "-n", ns, "--port-forward", "--listen", ":0")
		sessions = append(sessions, s)
		base := s.served()
		s.want("+p:web=a", "+p:db=b")
		same := 0
		for range 3 {
			e := parse(t, s.next()).Result
			p := e.Event.PortEvent
			if used[p.LocalPort] {
				t.Errorf("local port %d is used twice", p.LocalPort)
			}
			used[p.LocalPort] = true
			if p.LocalPort == free {
				same++
			}
			if want := map[string]int{"web/dlv": taken, "web/jdwp": free, "db/dap": free}[p.ContainerName+"/"+
				p.PortName]; p.RemotePort != want {
				t.Errorf("%s of %s leads to %d, want %d", p.PortName, p.ContainerName, p.RemotePort, want)
			}
			if want := fmt.Sprintf("Forwarding container %s to local port %d", p.ContainerName, p.LocalPort); e.Entry != want {
				t.Errorf("entry %q, want %q", e.Entry, want)
			}
			if err := getHello(p.LocalPort); err != nil {
				t.Error(err)
			}
		}
		if want := 2 - len(sessions); same != want {
			t.Errorf("watch %d: %d forwards have port %d, want %d", len(sessions), same, free, want)
		}
		if n := len(s.state(base).ForwardedPorts); n != 3 {
			t.Errorf("%d forwards in the state, want 3", n)
		}
	}
	for _, s := range sessions {
		s.stop()
	}
	delete(used, taken)
	for port := range used {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Errorf("port %d is not given back: %v", port, err)
			continue
		}
		l.Close()
	}
}

// Two protocols on one port, as Delve has it, are two forwards.
func TestForwardTwoProtocolsOnOnePort(t *testing.T) {
	ns := namespace(t)
	k := startKubelet(t, "node-two")
	port := freePort(t)
	k.createAnnotated(t, ns, "p", fmt.Sprintf(`{"web":{"ports":{"dlv":%d,"dap":%[1]d}}}`, port), "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	s := watch(t, "-n", ns, "--port-forward")
	s.want("+p:web=a")
	locals := map[string]int{}
	for range 2 {
		p := parse(t, s.next()).Result.Event.PortEvent
		locals[p.PortName] = p.LocalPort
	}
	if locals["dlv"] == locals["dap"] || locals["dlv"] == 0 || locals["dap"] == 0 || locals["dlv"] != port &&
		locals["dap"] != port {
		t.Errorf("local ports %v", locals)
	}
	s.stop()
}

// The right to create pods/portforward is enough: without the right to get, which websockets need, SPDY is used.
func TestForwardOverSPDY(t *testing.T) {
	ns := namespace(t)
	k := startKubelet(t, "node-spdy")
	grant(t, ns, "forwarder", "list", "watch")
	role, err := admin.RbacV1().Roles(ns).Get(t.Context(), "forwarder", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role.Rules = append(role.Rules,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create"}})
	if _, err := admin.RbacV1().Roles(ns).Update(t.Context(), role, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := plane.Kubeconfig(ns, "forwarder")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	k.createPod(t, ns, "p", "go", "dlv", port)
	k.lead("p", port, hello(t))
	setStatus(t, ns, "p", running("web", "a", 0))
	s := watchAs(t, kubeconfig, "--port-forward")
	s.want("+p:web=a", fmt.Sprintf("p:web %d->%d", port, port))
	if err := getHello(port); err != nil {
		t.Error(err)
	}
	s.stop()
}

// Without the right to forward ports, events come all the same, and one line says why there are no forwards.
func TestForwardWithoutRight(t *testing.T) {
	ns := namespace(t)
	k := startKubelet(t, "node-right")
	grant(t, ns, "watcher", "list", "watch")
	kubeconfig, err := plane.Kubeconfig(ns, "watcher")
	if err != nil {
		t.Fatal(err)
	}
	k.createPod(t, ns, "p", "go", "dlv", freePort(t))
	setStatus(t, ns, "p", running("web", "a", 0))
	s := watchAs(t, kubeconfig, "--port-forward")
	s.want("+p:web=a")
	s.wantError(`cannot create resource "pods/portforward"`)
	setStatus(t, ns, "p", running("web", "b", 1))
	s.want("-p:web=a", "+p:web=b")
	s.stop()
}
