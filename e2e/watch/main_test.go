// Package watch tests "debuggable watch", the real program, against a real kube-apiserver and etcd. There is no node:
// the tests write the statuses that a kubelet would.
package watch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"debuggable.dev/debuggable/e2e/cluster"
)

// These are set once, by TestMain: the control plane is shared, and tests keep apart by namespaces.
var (
	plane   *cluster.ControlPlane
	admin   kubernetes.Interface
	config  *rest.Config
	program string
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "debuggable-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if program, err = cluster.Debuggable(ctx, dir); err != nil {
		return 1, err
	}
	// There is no controller manager that would make service accounts.
	plane, err = cluster.Start(ctx,
		cluster.Options{Dir: dir, APIServerArgs: []string{"--disable-admission-plugins=ServiceAccount"}})
	if err != nil {
		return 1, err
	}
	defer plane.Stop()
	if config, err = plane.Config("admin", "system:masters"); err != nil {
		return 1, err
	}
	if admin, err = kubernetes.NewForConfig(config); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

const goInfo = `{"web":{"artifact":"gcr.io/acme/web","runtime":"go","workingDir":"/srv","ports":{"dlv":56268}}}`

// namespace makes a namespace for a test, which is emptied of pods when the test ends.
func namespace(t *testing.T, labels ...string) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(t.Name()))
	if len(labels) > 0 {
		name += "-" + labels[0]
	}
	_, err := admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		zero := int64(0)
		if err := admin.CoreV1().Pods(name).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &zero},
			metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	})
	return name
}

// createPod makes a pod with one container for each name; annotation "" makes one that is not debuggable.
func createPod(t testing.TB, namespace, name, annotation string, containers ...string) {
	t.Helper()
	pod := newPod(namespace, name, annotation, containers...)
	if _, err := admin.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func newPod(namespace, name, annotation string, containers ...string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app": name}}}
	if annotation != "" {
		pod.Annotations = map[string]string{"debug.cloud.google.com/config": annotation}
	}
	for _, c := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: c, Image: "example.com/" + c})
	}
	return pod
}

func deletePod(t testing.TB, namespace, name string) {
	t.Helper()
	zero := int64(0)
	if err := admin.CoreV1().Pods(namespace).Delete(t.Context(), name,
		metav1.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
		t.Fatal(err)
	}
}

// status is a container's status in short: its name, its ID and restart count, and whether it runs.
type status struct {
	name     string
	id       string
	restarts int32
	running  bool
}

func running(name, id string, restarts int32) status { return status{name, id, restarts, true} }
func ended(name, id string, restarts int32) status   { return status{name, id, restarts, false} }

func (s status) full() corev1.ContainerStatus {
	full := corev1.ContainerStatus{
		Name: s.name, ContainerID: "containerd://" + s.id, RestartCount: s.restarts,
		Image: "example.com/" + s.name, ImageID: "sha256:0",
	}
	if s.running {
		full.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.Now()}
	} else {
		full.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, ContainerID: full.ContainerID}
	}
	return full
}

// setStatus replaces the container statuses of a pod, as a kubelet does.
func setStatus(t testing.TB, namespace, pod string, statuses ...status) {
	t.Helper()
	if err := patchStatus(t.Context(), namespace, pod, nil, statuses); err != nil {
		t.Fatal(err)
	}
}

func patchStatus(ctx context.Context, namespace, pod string, inits, statuses []status) error {
	s := map[string]any{"phase": "Running"}
	for key, list := range map[string][]status{"initContainerStatuses": inits, "containerStatuses": statuses} {
		var full []corev1.ContainerStatus
		for _, st := range list {
			full = append(full, st.full())
		}
		if full != nil {
			s[key] = full
		}
	}
	patch, err := json.Marshal(map[string]any{"status": s})
	if err != nil {
		return err
	}
	_, err = admin.CoreV1().Pods(namespace).Patch(ctx, pod, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// session is a run of "debuggable watch".
type session struct {
	t      testing.TB
	cmd    *exec.Cmd
	lines  chan line
	done   chan struct{}
	mu     sync.Mutex
	stderr bytes.Buffer
	all    []string
}

// line is a line of stdout, and when it came.
type line struct {
	text string
	at   time.Time
}

// watch starts "debuggable watch" as the administrator. It is killed when the test ends.
func watch(t testing.TB, args ...string) *session {
	t.Helper()
	kubeconfig, err := plane.Kubeconfig("default", "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	return watchAs(t, kubeconfig, args...)
}

func watchAs(t testing.TB, kubeconfig string, args ...string) *session {
	t.Helper()
	s := &session{t: t, lines: make(chan line, 100_000), done: make(chan struct{})}
	s.cmd = exec.Command(program, append([]string{"watch"}, args...)...)
	s.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KUBE") }),
		"KUBECONFIG="+kubeconfig, "HOME="+t.TempDir())
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = lockedWriter{&s.mu, &s.stderr}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			s.lines <- line{lines.Text(), time.Now()}
		}
		close(s.lines)
		_ = s.cmd.Wait() // tests look at ProcessState
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // it may have ended
		<-s.done
		if t.Failed() {
			t.Logf("stdout so far:\n%s\nstderr:\n%s", strings.Join(s.all, "\n"), s.errors())
		}
	})
	return s
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}

func (s *session) errors() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// patience is how long tests wait for something that should come.
const patience = 30 * time.Second

// next returns the next line, and fails the test when there is none.
func (s *session) next() string {
	s.t.Helper()
	text, _ := s.nextAt()
	return text
}

// nextAt is next, with the time at which the line came.
func (s *session) nextAt() (string, time.Time) {
	s.t.Helper()
	select {
	case l, ok := <-s.lines:
		if !ok {
			s.t.Fatalf("debuggable watch ended: %s", s.errors())
		}
		s.all = append(s.all, l.text)
		return l.text, l.at
	case <-time.After(patience):
		s.t.Fatalf("no event within %s; stderr: %s", patience, s.errors())
	}
	return "", time.Time{}
}

// event is an event line, as far as tests look into it.
type event struct {
	Result struct {
		Timestamp time.Time
		Event     struct {
			DebuggingContainerEvent *struct {
				Status, PodName, ContainerName, Namespace, Artifact, Runtime, WorkingDir, PodUID, ContainerID string
				DebugPorts                                                                                    map[string]int
				RestartCount                                                                                  int
			}
			PortEvent *struct {
				LocalPort, RemotePort                                                   int
				PodName, ContainerName, Namespace, PortName, ResourceType, ResourceName string
			}
		}
		Entry string
	}
}

func parse(t testing.TB, line string) event {
	t.Helper()
	var e event
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatalf("reading %s: %v", line, err)
	}
	return e
}

// short is an event in short: "+pod:container=id", "-pod:container=id" or "pod:container 56268->56268".
func (e event) short() string {
	if c := e.Result.Event.DebuggingContainerEvent; c != nil {
		sign := map[string]string{"Started": "+", "Terminated": "-"}[c.Status]
		return fmt.Sprintf("%s%s:%s=%s", sign, c.PodName, c.ContainerName, strings.TrimPrefix(c.ContainerID, "containerd://"))
	}
	p := e.Result.Event.PortEvent
	return fmt.Sprintf("%s:%s %d->%d", p.PodName, p.ContainerName, p.LocalPort, p.RemotePort)
}

// want reads as many events as are wanted and compares them.
func (s *session) want(events ...string) {
	s.t.Helper()
	for _, want := range events {
		if got := parse(s.t, s.next()).short(); got != want {
			s.t.Fatalf("got event %s, want %s", got, want)
		}
	}
}

// wantError waits until stderr contains text.
func (s *session) wantError(text string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%q on stderr", text), func() bool { return strings.Contains(s.errors(), text) })
}

// stop interrupts the program, and wants it to end quietly, without another event.
func (s *session) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatal("does not end on SIGINT")
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("exit status %d, want 0", code)
	}
	for l := range s.lines {
		s.t.Errorf("event that nobody expected: %s", l.text)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}
