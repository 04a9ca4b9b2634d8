package watch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/debuginfo"
)

var testTime = time.Date(2020, 2, 5, 3, 27, 30, 114354999, time.FixedZone("", 3600))

func testHub() *hub {
	h := newHub()
	h.now = func() time.Time { return testTime }
	return h
}

func testContainer(id string) container {
	return container{namespace: "default", pod: "web-f6d56bcc5-6csgs", uid: "b1f6", name: "web", id: id,
		info: debuginfo.Container{Artifact: "skaffold-jib", Runtime: "jvm", WorkingDir: "/app",
			Ports: map[string]int32{"jdwp": 5005}}}
}

func TestLines(t *testing.T) {
	h := testHub()
	id := h.publishStarted(testContainer("containerd://1"))
	h.publishForward(id,
		portEvent{LocalPort: 5006, RemotePort: 5005, PodName: "web-f6d56bcc5-6csgs", ContainerName: "web",
			Namespace: "default",
			PortName:  "jdwp", ResourceType: "pod", ResourceName: "web-f6d56bcc5-6csgs", Address: "127.0.0.1"}, false)
	h.publishTerminated(id)
	bare := h.publishStarted(container{namespace: "n", pod: "p", uid: "u", name: "<&>", info: debuginfo.Container{}})
	_ = bare
	records, _, _ := h.since(0)
	var got strings.Builder
	for _, r := range records {
		got.Write(r.json)
	}
	want := `{"result":{"timestamp":"2020-02-05T02:27:30.114354Z","event":{"debuggingContainerEvent":{"status":"Started","podName":"web-f6d56bcc5-6csgs","containerName":"web","namespace":"default","artifact":"skaffold-jib","runtime":"jvm","workingDir":"/app","debugPorts":{"jdwp":5005},"podUid":"b1f6","containerId":"containerd://1","restartCount":0}},"entry":"Debuggable container started pod/web-f6d56bcc5-6csgs:web (default)"}}
{"result":{"timestamp":"2020-02-05T02:27:30.114354Z","event":{"portEvent":{"localPort":5006,"remotePort":5005,"podName":"web-f6d56bcc5-6csgs","containerName":"web","namespace":"default","portName":"jdwp","resourceType":"pod","resourceName":"web-f6d56bcc5-6csgs"}},"entry":"Forwarding container web to local port 5006"}}
{"result":{"timestamp":"2020-02-05T02:27:30.114354Z","event":{"debuggingContainerEvent":{"status":"Terminated","podName":"web-f6d56bcc5-6csgs","containerName":"web","namespace":"default","artifact":"skaffold-jib","runtime":"jvm","workingDir":"/app","debugPorts":{"jdwp":5005},"podUid":"b1f6","containerId":"containerd://1","restartCount":0}},"entry":"Debuggable container terminated pod/web-f6d56bcc5-6csgs:web (default)"}}
{"result":{"timestamp":"2020-02-05T02:27:30.114354Z","event":{"debuggingContainerEvent":{"status":"Started","podName":"p","containerName":"<&>","namespace":"n","podUid":"u","restartCount":0}},"entry":"Debuggable container started pod/p:<&> (n)"}}
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestState(t *testing.T) {
	h := testHub()
	check := func(want string) {
		t.Helper()
		got, err := json.Marshal(h.state())
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
	check(`{"debuggingContainers":[],"forwardedPorts":{}}`)
	id := h.publishStarted(testContainer("1"))
	forward := portEvent{LocalPort: 5005, RemotePort: 5005, PodName: "p", ContainerName: "web", Namespace: "n",
		PortName: "jdwp", ResourceType: "pod", ResourceName: "p", Address: "127.0.0.1"}
	h.publishForward(id, forward, false)
	const running = `{"debuggingContainers":[{"status":"Started","podName":"web-f6d56bcc5-6csgs","containerName":"web",` +
		`"namespace":"default","artifact":"skaffold-jib","runtime":"jvm","workingDir":"/app","debugPorts":{"jdwp":5005},` +
		`"podUid":"b1f6","containerId":"1","restartCount":0}],"forwardedPorts":`
	const forwarded = `{"5005":{"localPort":5005,"remotePort":5005,"podName":"p","containerName":"web","namespace":"n",` +
		`"portName":"jdwp","resourceType":"pod","resourceName":"p","address":"127.0.0.1"}}}`
	check(running + forwarded)
	h.endForward(id, 5005)
	check(running + `{}}`)
	h.publishForward(id, forward, true)
	check(running + forwarded)
	if records, _, _ := h.since(0); len(records) != 2 {
		t.Errorf("%d records, want two: a forward that comes back is no event", len(records))
	}
	h.publishTerminated(id)
	h.publishForward(id, forward, false) // too late
	h.publishTerminated(id)
	check(`{"debuggingContainers":[],"forwardedPorts":{}}`)
	if records, _, _ := h.since(0); len(records) != 3 {
		t.Errorf("%d records, want 3", len(records))
	}
}

// The history is bounded, and yet a reader who comes late can tell from it what runs.
func TestHistoryIsBounded(t *testing.T) {
	h := testHub()
	h.limit = 100
	old := h.publishStarted(testContainer("old"))
	var last runID
	for i := range 10_000 {
		last = h.publishStarted(testContainer(fmt.Sprint(i)))
		if i%2 == 0 {
			h.publishForward(last, portEvent{LocalPort: i}, false)
		}
		if i != 5000 {
			h.publishTerminated(last)
		}
	}
	records, missed, _ := h.since(0)
	if n := len(records); n < 50 || n > 130 {
		t.Errorf("%d records are kept", n)
	}
	if !missed {
		t.Error("nothing is said of what was dropped")
	}
	runs := map[string]bool{}
	number := uint64(0)
	for _, r := range records {
		if r.number <= number {
			t.Fatalf("record %d after %d", r.number, number)
		}
		number = r.number
		if c := r.event.Container; c != nil && c.Status == started {
			runs[c.ContainerID] = true
		} else if c != nil && !runs[c.ContainerID] {
			t.Errorf("%s ends without a start", c.ContainerID)
		} else if c != nil {
			delete(runs, c.ContainerID)
		}
	}
	if len(runs) != 2 || !runs["old"] || !runs["5000"] {
		t.Errorf("the history says that %v run", runs)
	}
	if _, missed, _ := h.since(number); missed {
		t.Error("a reader that has all is told that it missed something")
	}
	h.publishTerminated(old)
	if records, missed, _ := h.since(number); missed || len(records) != 1 {
		t.Errorf("got %d records, missed %v, want the last one", len(records), missed)
	}
}

// Where more runs than the history holds, all of it is kept, and events do not get slower and slower.
func BenchmarkPublishWithManyRunning(b *testing.B) {
	h := newHub()
	for i := range 10_000 {
		h.publishStarted(testContainer(fmt.Sprint(i)))
	}
	for b.Loop() {
		h.publishTerminated(h.publishStarted(testContainer("x")))
	}
}
