package watch

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Events over HTTP are those of stdout, to the letter: history first, then live. The stream ends whole when the program
// does.
func TestEventsAndStateOverHTTP(t *testing.T) {
	ns := namespace(t)
	for _, name := range []string{"one", "two"} {
		createPod(t, ns, name, goInfo, "web")
		setStatus(t, ns, name, running("web", name, 0))
	}
	s := watch(t, "-n", ns, "--listen", ":0")
	base := s.served()
	if !strings.HasPrefix(base, "http://127.0.0.1:") {
		t.Fatalf("serves on %s", base)
	}
	s.want("+one:web=one", "+two:web=two")
	resp, err := http.Get(base + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	deletePod(t, ns, "one")
	s.want("-one:web=one")

	lines := bufio.NewScanner(resp.Body)
	for i, want := range s.all {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("line %d is %s, %v\nwant %s", i, lines.Text(), lines.Err(), want)
		}
	}
	state, err := http.Get(base + "/v1/state")
	if err != nil {
		t.Fatal(err)
	}
	defer state.Body.Close()
	var got struct {
		DebuggingContainers []json.RawMessage
		ForwardedPorts      json.RawMessage
	}
	if err := json.NewDecoder(state.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	// An entry of the state is what the event said.
	if len(got.DebuggingContainers) != 1 || !strings.Contains(s.all[1], string(got.DebuggingContainers[0])) ||
		string(got.ForwardedPorts) != "{}" {
		t.Errorf("state %s, %s", got.DebuggingContainers, got.ForwardedPorts)
	}
	s.stop()
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("after the end: %q, %v", lines.Text(), lines.Err())
	}
}

// Ctrl-C ends it quietly also while the server cannot be reached.
func TestEndsWhileDisconnected(t *testing.T) {
	ns := namespace(t)
	kubeconfig, err := plane.Kubeconfig(ns, "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	link := newLink(t, plane.URL)
	s := watchAs(t, link.kubeconfig(t, kubeconfig), "--port-forward", "--listen", ":0")
	s.want("+p:web=a")
	link.cut()
	s.wantError("lost the connection")
	s.stop()
}

// A program that starts the watch for its HTTP side alone, and never reads its stdout and stderr, gets all of it over
// HTTP.
func TestOutputsThatNobodyReads(t *testing.T) {
	ns, name := namespace(t), strings.Repeat("p", 60)
	kubeconfig, err := plane.Kubeconfig(ns, "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	cmd := exec.Command(program, "watch", "--kubeconfig", kubeconfig, "--listen", address)
	for _, pipe := range []func() (io.ReadCloser, error){cmd.StdoutPipe, cmd.StderrPipe} {
		if _, err := pipe(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // it has ended if all is well
	createPod(t, ns, name, "", "web")
	const changes = 350
	for i := range changes { // each is a warning on stderr and, once mended, an event on stdout: more than pipes hold
		annotation := fmt.Sprintf(`{"web":{"artifact":"%d"}}`, i)
		for _, value := range []string{strings.TrimSuffix(annotation, "}"), annotation} {
			patch, err := json.Marshal(
				map[string]any{
					"metadata": map[string]any{"annotations": map[string]string{"debug.cloud.google.com/config": value}}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := admin.CoreV1().Pods(ns).Patch(t.Context(), name, types.MergePatchType, patch,
				metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			setStatus(t, ns, name, running("web", "a", 0))
		}
	}
	resp, err := (&http.Client{Timeout: patience}).Get("http://" + address + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	last := fmt.Sprintf(`"artifact":"%d"`, changes-1)
	for lines.Scan() && !(strings.Contains(lines.Text(), last) && strings.Contains(lines.Text(), "Started")) {
	}
	if lines.Err() != nil || !strings.Contains(lines.Text(), last) {
		t.Fatalf("the stream ends with %q, %v", lines.Text(), lines.Err())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
