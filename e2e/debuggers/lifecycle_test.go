package debuggers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-delve/delve/service/rpc2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestJob runs Jobs under Delve: they end when their programs do, with the exit statuses of these, be a debugger
// attached or not.
func TestJob(t *testing.T) {
	for _, test := range []struct {
		name, status string
		args         []string
		attach       func(t *testing.T, addr string)
		want         batchv1.JobConditionType
	}{
		{name: "succeeds", status: "0", want: batchv1.JobComplete},
		{name: "fails", status: "3", want: batchv1.JobFailed},
		{name: "attached", status: "3", attach: runToEnd, want: batchv1.JobFailed},
		{name: "suspended", status: "3", args: []string{"--suspend"}, attach: runToEnd, want: batchv1.JobFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := newNamespace(t)
			w := shared.watch(t, namespace)
			shared.apply(t, namespace,
				shared.rewrite(t, manifest{kind: "Job", image: goImage(t), command: "args: [job, '" + test.status + "']"}.String(),
					test.args...))
			p := shared.onlyPod(t, namespace)
			addr := w.started(p.Name, "app", 0)
			if test.attach != nil {
				p = shared.waitPod(t, namespace, p.Name, "running", running)
				_, port := p.debugPort(t)
				p.listens(t, port)
				test.attach(t, addr)
			}
			eventually(t, string(test.want), func() error {
				job, err := shared.client.BatchV1().Jobs(namespace).Get(t.Context(), "app", metav1.GetOptions{})
				if err != nil {
					return err
				}
				for _, c := range job.Status.Conditions {
					if c.Type == test.want && c.Status == corev1.ConditionTrue {
						return nil
					}
				}
				return fmt.Errorf("%+v", job.Status)
			})
			w.terminated(p.Name, "app")
			p = shared.waitPod(t, namespace, p.Name, "there", func(*corev1.Pod) error { return nil })
			if end := container(p.Pod, "app").State.Terminated; end == nil || strconv.Itoa(int(end.ExitCode)) != test.status {
				t.Errorf("the container ended with %+v, want exit status %s", end, test.status)
			}
		})
	}
}

// runToEnd attaches to a program that ends with status 3, and lets it go on until then.
func runToEnd(t *testing.T, addr string) {
	t.Helper()
	client := rpc2.NewClientFromConn(dial(t, addr))
	defer client.Disconnect(false)
	if _, err := client.Halt(); err != nil {
		t.Fatal(err)
	}
	if state := <-client.Continue(); !state.Exited || state.ExitStatus != 3 {
		t.Fatalf("the debugger says %+v", state)
	}
}

// onlyPod waits for the pod that a controller makes in a namespace.
func (e *env) onlyPod(t *testing.T, namespace string) pod {
	t.Helper()
	var pods *corev1.PodList
	eventually(t, "the pod", func() (err error) {
		pods, err = e.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
		if err == nil && len(pods.Items) != 1 {
			err = fmt.Errorf("there are %d", len(pods.Items))
		}
		return err
	})
	return pod{&pods.Items[0], 8080}
}

// TestRestart kills processes: kubelet restarts the container, `debuggable watch` says so and forwards the port anew,
// and the debugger can be attached to again.
func TestRestart(t *testing.T) {
	for _, test := range []struct {
		name   string
		image  func(t *testing.T) string
		attach func(t *testing.T, addr string) (stopped func(want string), by by)
		victim func(pid int) (int, error)
	}{
		{"program", goImage, attachDelve, childOf},
		{"debugger", goImage, attachDelve, func(pid int) (int, error) { return pid, nil }},
		{"nodejs", nodeImage, attachNode("app.js", "/app/app.js"), func(pid int) (int, error) { return pid, nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := newNamespace(t)
			w := shared.watch(t, namespace)
			shared.apply(t, namespace, shared.rewrite(t, manifest{kind: "Pod", image: test.image(t)}.String()))
			first := w.started("app", "app", 0)
			p := shared.waitPod(t, namespace, "app", "ready", ready)
			pid, err := shared.node.PID(container(p.Pod, "app").ContainerID)
			if err != nil {
				t.Fatal(err)
			}
			if pid, err = test.victim(pid); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			w.terminated("app", "app")
			if again := w.started("app", "app", 1); again != first {
				t.Errorf("forwarded to %s, and after the restart to %s", first, again)
			}
			p = shared.waitPod(t, namespace, "app", "ready again", func(p *corev1.Pod) error {
				return errors.Join(running(p), ready(p))
			})
			// 128 and SIGKILL's 9
			if last := container(p.Pod, "app").LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
				t.Errorf("it ended with %+v, want exit code 137", last)
			}
			_, port := p.debugPort(t)
			p.listens(t, port)
			stopped, _ := test.attach(t, first)
			p.stopsTwice(t, stopped)
		})
	}
}

// childOf returns the only child of a process.
func childOf(pid int) (int, error) {
	children := ""
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			return 0, err
		}
		children += string(data)
	}
	return strconv.Atoi(strings.TrimSpace(children))
}

// TestDeletion deletes a pod: the program gets the signal through its debugger and ends as it would without, and
// `debuggable watch` says so.
func TestDeletion(t *testing.T) {
	for _, test := range []struct {
		name  string
		image func(t *testing.T) string
		code  int32 // 128 and SIGTERM's 15, where the program does not handle it; Node as process 1 ignores it, and is killed
	}{
		{"go", goImage, 143},
		{"jvm", jvmImage, 143},
		{"nodejs", nodeImage, 137},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := newNamespace(t)
			w := shared.watch(t, namespace)
			shared.apply(t, namespace, shared.rewrite(t, manifest{kind: "Pod", image: test.image(t), restart: "Never"}.String()))
			w.started("app", "app", 0)
			shared.waitPod(t, namespace, "app", "ready", ready)
			pods := shared.client.CoreV1().Pods(namespace)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			changes, err := pods.Watch(ctx, metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := pods.Delete(ctx, "app", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			var end *corev1.ContainerStateTerminated
			for change := range changes.ResultChan() {
				if p, ok := change.Object.(*corev1.Pod); ok {
					end = container(p, "app").State.Terminated
				}
				if change.Type == "DELETED" {
					break
				}
			}
			if end == nil || end.ExitCode != test.code {
				t.Errorf("it ended with %+v, want exit code %d", end, test.code)
			}
			w.terminated("app", "app")
		})
	}
}

const initContainers = `initContainers:
- name: migrate
  image: %[1]s
  args: [job, "0"]
  securityContext: &rights
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
- name: sidecar
  image: %[1]s
  restartPolicy: Always
  env: [{name: ADDRESS, value: ":8081"}]
  securityContext: *rights
`

// TestInitContainers debugs an init container, a native sidecar and a container of one pod.
func TestInitContainers(t *testing.T) {
	namespace, image := newNamespace(t), goImage(t)
	w := shared.watch(t, namespace)
	shared.apply(t, namespace, shared.rewrite(t, manifest{
		kind: "Pod", image: image, annotations: "{debuggable.dev/containers: 'migrate,sidecar,app'}",
	}.String()+indent(fmt.Sprintf(initContainers, image), 2)))
	w.started("app", "migrate", 0)
	w.terminated("app", "migrate")
	addrs := map[int]string{8081: w.started("app", "sidecar", 0), 8080: w.started("app", "app", 0)}
	p := shared.waitPod(t, namespace, "app", "ready", ready)
	if end := container(p.Pod, "migrate").State.Terminated; end == nil || end.ExitCode != 0 {
		t.Errorf("container migrate ended with %+v", end)
	}
	for port, addr := range addrs {
		_, debug, _ := strings.Cut(addr, ":") // the same number here as there, where all are free
		n, err := strconv.Atoi(debug)
		if err != nil {
			t.Fatal(err)
		}
		p.listens(t, n)
		stopped, _ := attachDelve(t, addr)
		p.serves = port
		p.stopsTwice(t, stopped)
	}
}

// TestRollover: the pod that takes another one's place gets the local port that led to that, and with it the editors
// that know the port.
func TestRollover(t *testing.T) {
	namespace := newNamespace(t)
	m := manifest{kind: "Deployment", image: goImage(t), lingers: 5}
	shared.apply(t, namespace, shared.rewrite(t, m.String()))
	shared.waitRollout(t, namespace, 1)
	old := shared.newest(t, namespace)
	w := shared.watch(t, namespace)
	addr := w.started(old.Name, "app", 0)
	m.annotations = `{rolled: "over"}`
	shared.apply(t, namespace, shared.rewrite(t, m.String()))
	shared.waitRollout(t, namespace, 1)
	p := shared.newest(t, namespace)
	if beside := w.started(p.Name, "app", 0); beside == addr {
		t.Fatalf("both pods have %s", addr)
	}
	w.terminated(old.Name, "app")
	e := w.next()
	if f := e.PortEvent; f == nil || f.PodName != p.Name || fmt.Sprintf("127.0.0.1:%d", f.LocalPort) != addr {
		t.Fatalf("got %s, want the forward of %s to pod %s", e, addr, p.Name)
	}
	stopped, _ := attachDelve(t, addr)
	p.stopsTwice(t, stopped)
}
