package watch

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Events over HTTP are those of stdout, to the letter: history first, then live. The stream ends whole when the program does.
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
	if len(got.DebuggingContainers) != 1 || !strings.Contains(s.all[1], string(got.DebuggingContainers[0])) || string(got.ForwardedPorts) != "{}" {
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
