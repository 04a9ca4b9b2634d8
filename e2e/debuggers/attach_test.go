package debuggers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// attachment is one way to start an application, and one way to debug it.
type attachment struct {
	name    string
	command string // what the container runs, as YAML fields
	starts  string // the same, for the table
	args    []string
	// deployed is for those that start as a Deployment that runs already, and are attached to through `debuggable watch`.
	deployed bool
	// attach attaches a debugger at an address to a running application and sets the breakpoint. What it returns waits for
	// the breakpoint, reads the local variable greeting, which has to have the value given, and lets the application go
	// on.
	attach func(t *testing.T, addr string) (stopped func(want string), by by)
}

// by says what was attached with.
type by struct{ runtime, client, debugger string }

// row is a line of the table in docs/runtimes.md.
type row struct{ runtime, starts, client, debugger string }

// application is what is started in several ways. Its first case is the plainest.
type application struct {
	runtime string
	image   func(t *testing.T) string
	cases   []attachment
}

func applications() []application {
	return []application{
		{"go", goImage, goCases()},
		{"jvm", jvmImage, jvmCases()},
		{"nodejs", nodeImage, nodeCases()},
		{"python", pythonImage, pythonCases()},
		{"ruby", rubyImage, rubyCases()},
		{"deno", denoImage, denoCases()},
		{"bun", bunImage, bunCases()},
	}
}

// TestAttach starts every application from its rewritten manifest, attaches, and checks the table in the
// documentation against what happened.
func TestAttach(t *testing.T) {
	var rows []row
	all := 0
	for _, r := range applications() {
		all += len(r.cases)
		t.Run(r.runtime, func(t *testing.T) {
			image := r.image(t)
			for _, a := range r.cases {
				t.Run(a.name, func(t *testing.T) {
					by := attachTo(t, r.runtime, image, a)
					rows = append(rows, row{by.runtime, a.starts, by.client, by.debugger})
				})
			}
		})
	}
	if t.Failed() {
		return
	}
	if len(rows) < all {
		t.Logf("%d of %d were run: the table in docs/runtimes.md is not checked", len(rows), all)
		return
	}
	checkTable(t, rows)
}

// attachTo is the test proper.
func attachTo(t *testing.T, runtime, image string, a attachment) by {
	namespace := newNamespace(t)
	var p pod
	var addr string
	if a.deployed {
		p, addr = rollOut(t, namespace, manifest{image: image, command: a.command}, a.args...)
	} else {
		shared.apply(t, namespace,
			shared.rewrite(t, manifest{kind: "Pod", image: image, command: a.command}.String(), a.args...))
		p = shared.waitPod(t, namespace, "app", "ready", ready)
	}
	told, port := p.debugPort(t)
	if told != runtime {
		t.Fatalf("the annotation says that it is %s", told)
	}
	p.checkRights(t)
	p.listens(t, port)
	if addr == "" {
		addr = p.forward(t, port)
	}
	stopped, by := a.attach(t, addr)
	p.stopsTwice(t, stopped)
	if a.deployed {
		p.outlivesProbes(t, stopped)
	}
	return by
}

// stopsTwice asks the application twice: the program stops at the breakpoint, goes on and answers, and does it again.
func (p pod) stopsTwice(t *testing.T, stopped func(want string)) {
	t.Helper()
	for _, who := range []string{"ada", "grace"} {
		answer := p.ask(t, who)
		stopped("hello " + who)
		if err := <-answer; err != nil {
			t.Fatalf("after the breakpoint: %v", err)
		}
	}
}

// ask asks the application in the background. What it returns gets nil when the answer is right.
func (p pod) ask(t *testing.T, who string) <-chan error {
	answer := make(chan error, 1)
	go func() {
		body, err := p.get(t.Context(), "/?name="+who)
		if err == nil && !strings.HasPrefix(body, "hello "+who) {
			err = fmt.Errorf("the application answers %q", body)
		}
		answer <- err
	}()
	return answer
}

// outlivesProbes leaves the program at the breakpoint for longer than its probes would have allowed it.
func (p pod) outlivesProbes(t *testing.T, stopped func(want string)) {
	t.Helper()
	answer := p.ask(t, "alan")
	time.Sleep(probesAllow + 3*time.Second)
	stopped("hello alan")
	if err := <-answer; err != nil {
		t.Fatalf("after a while at the breakpoint: %v", err)
	}
	p.lives(t)
}

// lives checks that the pod is still the one it was: nothing was killed.
func (p pod) lives(t *testing.T) {
	t.Helper()
	now, err := shared.client.CoreV1().Pods(p.Namespace).Get(t.Context(), p.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if was, is := container(p.Pod, "app"), container(now, "app"); now.DeletionTimestamp != nil || is.RestartCount != 0 ||
		is.ContainerID != was.ContainerID || is.State.Running == nil {
		t.Fatalf("container app was %+v, and is %+v", was, is)
	}
}

// checkRights checks that the containers have no more rights than the manifest gave them, and the program the user.
func (p pod) checkRights(t *testing.T) {
	t.Helper()
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			t.Errorf("container %s could write to its root file system", c.Name)
		}
	}
	pid, err := shared.node.PID(container(p.Pod, "app").ContainerID)
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Uid:\t1000\t1000\t1000\t1000\n", "CapPrm:\t0000000000000000\n", "NoNewPrivs:\t1\n",
		"Seccomp:\t2\n"} {
		if !strings.Contains(string(status), line) {
			t.Errorf("the program runs without %q:\n%s", line, status)
		}
	}
}

// rollOut applies a Deployment as it is, waits for its replicas, and applies it made debuggable. It returns the pod
// that takes their place, and the address that `debuggable watch` forwards its debug port to.
func rollOut(t *testing.T, namespace string, m manifest, args ...string) (p pod, addr string) {
	t.Helper()
	m.kind = "Deployment"
	shared.apply(t, namespace, m.String())
	shared.waitRollout(t, namespace, 2)
	w := shared.watch(t, namespace)
	shared.apply(t, namespace, shared.rewrite(t, m.String(), args...))
	shared.waitRollout(t, namespace, 1)
	pods, err := shared.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(pods.Items) != 1 {
		t.Fatalf("there are %d pods", len(pods.Items))
	}
	p = shared.waitPod(t, namespace, pods.Items[0].Name, "ready", ready)
	return p, w.started(p.Name, "app", 0)
}

// waitRollout waits until a Deployment is what was applied last, with as many pods available as are wanted and no
// others.
func (e *env) waitRollout(t *testing.T, namespace string, replicas int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d replicas", replicas), func() error {
		d, err := e.client.AppsV1().Deployments(namespace).Get(t.Context(), "app", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if s := d.Status; s.ObservedGeneration != d.Generation || s.UpdatedReplicas != replicas ||
			s.AvailableReplicas != replicas || s.Replicas != replicas {
			return fmt.Errorf("generation %d, status %+v", d.Generation, s)
		}
		return nil
	})
}

// breakpoint returns the line of a file in testdata that has the word breakpoint in it.
func breakpoint(t *testing.T, file string) int {
	t.Helper()
	return breakpointIn(t, filepath.Join("testdata", file))
}

func breakpointIn(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if strings.Contains(line, " breakpoint") {
			return i + 1
		}
	}
	t.Fatalf("%s has no breakpoint", file)
	return 0
}

func source(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	tableBegin = "<!-- attached: begin -->\n"
	tableEnd   = "<!-- attached: end -->"
)

func checkTable(t *testing.T, rows []row) {
	t.Helper()
	file := filepath.Join(shared.repo, "docs", "runtimes.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	table.WriteString("| runtime | the container runs | client | debugger |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", r.runtime, r.starts, r.client, r.debugger)
	}
	before, rest, ok := strings.Cut(string(data), tableBegin)
	old, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the markers of the table", file)
	}
	if old == table.String() {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("the table in %s is out of date (UPDATE=1 go test ./debuggers writes it):\n%s", file, table.String())
	}
	if err := os.WriteFile(file, []byte(before+tableBegin+table.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
