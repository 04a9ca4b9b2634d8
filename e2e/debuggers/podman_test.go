package debuggers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/sys/unix"
)

// env is what all tests share: a registry with the support images, a Podman of their own, and the debuggable binary.
type env struct {
	registry   string // host:port
	podmanDir  string
	conf       string // a containers.conf
	debuggable string
	repo       string // this repository's folder
	// netns is a network namespace of the tests' own: Podman publishes the ports of a pod on the host that it runs on.
	netns *os.File
}

var shared *env

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	for _, tool := range []string{"podman", "runc", "conmon", "catatonit", "jdb", "javac", "jlink", "node", "npm", "/usr/bin/python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Printf("%s is missing (apt-get install podman runc conmon catatonit containernetworking-plugins)\n", tool)
			if os.Getenv("CI") != "" {
				return 1
			}
			fmt.Println("SKIP: without it no test of this package can run")
			return 0
		}
	}
	dir, err := os.MkdirTemp("", "debuggers-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared, err = setUp(dir)
	if err != nil {
		fmt.Println("setting up:", err)
		return 1
	}
	defer shared.podman(context.Background(), "system", "reset", "--force")
	return m.Run()
}

func setUp(dir string) (*env, error) {
	e := &env{podmanDir: filepath.Join(dir, "podman"), conf: filepath.Join(dir, "containers.conf"), debuggable: filepath.Join(dir, "debuggable")}
	var err error
	if e.repo, err = filepath.Abs("../.."); err != nil {
		return nil, err
	}
	// crun does not work with every cgroup layout; runc does. The limits are those of an ordinary login, so that no
	// capability is needed to raise them.
	conf := "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=4096:4096\"]\nlog_driver = \"k8s-file\"\n[engine]\ncgroup_manager = \"cgroupfs\"\nruntime = \"runc\"\nevents_logger = \"file\"\n"
	if err := os.WriteFile(e.conf, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e.registry = l.Addr().String()
	if e.netns, err = newNetns(); err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	var inside net.Listener
	err = inNetns(e.netns, func() error {
		inside, err = net.Listen("tcp", e.registry)
		return err
	})
	if err != nil {
		return nil, err
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	go http.Serve(l, handler)
	go http.Serve(inside, handler)

	start := time.Now()
	build := exec.Command("go", "build", "-o", e.debuggable, ".")
	build.Dir = e.repo
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building debuggable: %w\n%s", err, out)
	}
	support := exec.Command("go", "run", "./support/build", "-o", filepath.Join(dir, "support"), "-netcore", "skip", "-push", e.registry+"/support")
	support.Dir = e.repo
	if out, err := support.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the support images: %w\n%s", err, out)
	}
	fmt.Printf("debuggable and the support images built in %.0f s\n", time.Since(start).Seconds())
	return e, nil
}

// podman runs the tests' own Podman.
func (e *env) podman(ctx context.Context, args ...string) ([]byte, error) {
	global := []string{"--root", filepath.Join(e.podmanDir, "root"), "--runroot", filepath.Join(e.podmanDir, "run")}
	cmd := exec.CommandContext(ctx, "podman", append(global, args...)...)
	cmd.Dir = "/" // kube play builds an image from a folder of its name, if the working directory has one
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+e.conf)
	var stdout, stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Stdout = &stdout
	err := inNetns(e.netns, cmd.Run)
	out := stdout.Bytes()
	if len(args) > 0 && args[0] == "logs" {
		out = append(out, stderr.Bytes()...)
	}
	if err != nil {
		err = fmt.Errorf("podman %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out, err
}

// rewrite runs debuggable on a manifest and returns what comes out.
func (e *env) rewrite(t *testing.T, manifest string, args ...string) string {
	t.Helper()
	args = append([]string{"--support-registry", e.registry + "/support", "--insecure-registry", e.registry}, args...)
	cmd := exec.Command(e.debuggable, args...)
	cmd.Stdin = strings.NewReader(manifest)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("debuggable: %v\n%s", err, stderr.Bytes())
	}
	if !strings.Contains(string(out), "debug.cloud.google.com/config") {
		t.Fatalf("nothing was made debuggable:\n%s", stderr.Bytes())
	}
	return string(out)
}

// annotationLine matches the one thing of the rewritten manifest that Podman does not get to see: Podman 4 takes
// annotations for labels and refuses values of more than 63 bytes.
var annotationLine = regexp.MustCompile(`(?m)^ *debug\.cloud\.google\.com/config:.*\n`)

// pod is a running pod.
type pod struct {
	name      string
	container string // the application's
	proc      string // folder in /proc of a process in the pod's network namespace
}

// play starts a Pod manifest and ends it with the test. The name is the pod's; its only container is called app.
func (e *env) play(t *testing.T, name, manifest string) pod {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(file, []byte(annotationLine.ReplaceAllString(manifest, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p := pod{name: name, container: name + "-app"}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if t.Failed() {
			logs, err := e.podman(ctx, "logs", p.container)
			t.Logf("manifest:\n%s\nlogs:\n%s%v", manifest, logs, err)
		}
		// A container that ends at that very moment makes Podman 4 give up ("container state improper"): once more.
		_, err := e.podman(ctx, "pod", "rm", "--force", "--time", "1", name)
		for try := 0; err != nil && try < 5; try++ {
			time.Sleep(time.Second)
			_, err = e.podman(ctx, "pod", "rm", "--force", "--time", "1", name)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if _, err := e.podman(ctx, "kube", "play", "--tls-verify=false", file); err != nil {
		t.Fatal(err)
	}
	out, err := e.podman(ctx, "pod", "inspect", name)
	if err != nil {
		t.Fatal(err)
	}
	var info struct{ InfraContainerID string }
	if err := json.Unmarshal(out, &info); err != nil {
		t.Fatal(err)
	}
	out, err = e.podman(ctx, "inspect", "--format", "{{.State.Pid}}", info.InfraContainerID)
	if err != nil {
		t.Fatal(err)
	}
	p.proc = "/proc/" + strings.TrimSpace(string(out))
	return p
}

// forward makes a port of the pod's loopback interface reachable at the address that it returns, as `kubectl
// port-forward` does: the connection is made within the pod's network namespace, to localhost.
func (p pod) forward(t *testing.T, port string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := p.dial("127.0.0.1:" + port)
				if err != nil {
					return
				}
				defer server.Close()
				done := make(chan struct{}, 2)
				pipe := func(to, from net.Conn) {
					io.Copy(to, from)
					done <- struct{}{}
				}
				go pipe(server, client)
				go pipe(client, server)
				<-done
			}()
		}
	}()
	// A debugger may start listening after its application does.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		listening, err := p.listens(port)
		if listening {
			return l.Addr().String()
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing listens on the debug port %s: %v", port, err)
		}
	}
}

// listens reports whether a TCP port of the pod is being listened on, without connecting to it: a debugger may take
// a connection for its client.
func (p pod) listens(port string) (bool, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return false, err
	}
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(p.proc + "/net/" + table)
		if err != nil {
			return false, err
		}
		for _, line := range strings.Split(string(data), "\n") {
			// proc_net_tcp(5): local address in hexadecimal; state 0A is listening.
			if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) && f[3] == "0A" {
				return true, nil
			}
		}
	}
	return false, nil
}

// dial connects to an address in the pod's network namespace.
func (p pod) dial(addr string) (net.Conn, error) {
	ns, err := os.Open(p.proc + "/ns/net")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	var conn net.Conn
	err = inNetns(ns, func() error {
		conn, err = net.DialTimeout("tcp", addr, 5*time.Second)
		return err
	})
	return conn, err
}

// inNetns runs a function in a network namespace. A namespace belongs to a thread, a socket to the namespace in which
// it was made, and a process to that of the thread that started it.
func inNetns(ns *os.File, f func() error) error {
	result := make(chan error)
	go func() {
		// Never unlocked: the thread, which stays in the other namespace, ends with the goroutine.
		runtime.LockOSThread()
		err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

// newNetns makes a network namespace with a loopback interface.
func newNetns() (*os.File, error) {
	type made struct {
		ns  *os.File
		err error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread()
		result <- func() (m made) {
			if m.err = unix.Unshare(unix.CLONE_NEWNET); m.err != nil {
				return m
			}
			if m.ns, m.err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())); m.err != nil {
				return m
			}
			var fd int
			if fd, m.err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); m.err != nil {
				return m
			}
			defer unix.Close(fd)
			var lo *unix.Ifreq
			if lo, m.err = unix.NewIfreq("lo"); m.err == nil {
				lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
				m.err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
			}
			return m
		}()
	}()
	m := <-result
	return m.ns, m.err
}

// answers waits until the application answers a request, and returns the answer.
func (p pod) answers(t *testing.T) string {
	t.Helper()
	var last error
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		body, err := p.get(t.Context(), "/")
		if err == nil {
			return body
		}
		last = err
	}
	t.Fatalf("the application does not answer: %v", last)
	return ""
}

func (p pod) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8080"+path, nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{
		DialContext:       func(_ context.Context, _, addr string) (net.Conn, error) { return p.dial(addr) },
		DisableKeepAlives: true,
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}
