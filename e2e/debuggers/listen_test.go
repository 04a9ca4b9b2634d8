package debuggers

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestListenOn has debuggers listen on loopback alone and on all addresses, and connects to each from the other's pod:
// what listens on loopback is refused there, and is attached to through a forwarded port.
func TestListenOn(t *testing.T) {
	pydevd := application{"pydevd", pythonImage, []attachment{named(t, pythonCases(), "pydevd")}}
	for _, r := range append(applications(), pydevd) {
		t.Run(r.runtime, func(t *testing.T) {
			plain := r.cases[0]
			image := r.image(t)
			start := func(on string) (p pod, address string, port int) {
				namespace := newNamespace(t)
				m := manifest{kind: "Pod", image: image, command: plain.command}
				args := append([]string{"--listen-on", on}, plain.args...)
				shared.apply(t, namespace, shared.rewrite(t, m.String(), args...))
				p = shared.waitPod(t, namespace, "app", "ready", ready)
				_, port = p.debugPort(t)
				p.listens(t, port)
				return p, fmt.Sprintf("%s/%d", p.Status.PodIP, port), port
			}
			all, onAll, _ := start("all")
			loopback, onLoopback, port := start("loopback")
			if out, err := loopback.connect(t, onAll); err != nil {
				t.Errorf("--listen-on all, from another pod: %v\n%s", err, out)
			}
			if out, err := all.connect(t, onLoopback); err == nil || !strings.Contains(out, "Connection refused") {
				t.Errorf("--listen-on loopback, from another pod: %v\n%s", err, out)
			}
			stopped, _ := plain.attach(t, loopback.forward(t, port))
			loopback.stopsTwice(t, stopped)
		})
	}
}

// connect connects to ADDRESS/PORT from within the network of a pod, and says what comes of it.
func (p pod) connect(t *testing.T, address string) (string, error) {
	t.Helper()
	pid, err := shared.node.PID(container(p.Pod, "app").ContainerID)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("nsenter", "--net", "--target", fmt.Sprint(pid),
		"timeout", "10", "bash", "-c", "exec 3<> /dev/tcp/"+address).CombinedOutput()
	return string(out), err
}

// named returns the case of a name.
func named(t *testing.T, cases []attachment, name string) attachment {
	t.Helper()
	i := slices.IndexFunc(cases, func(a attachment) bool { return a.name == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	return cases[i]
}
