package watch

import (
	"context"
	"strings"
	"testing"
	"time"

	protov1 "github.com/GoogleContainerTools/skaffold/v2/proto/v1"
	protov2 "github.com/GoogleContainerTools/skaffold/v2/proto/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Skaffold's own generated clients, of both versions, read what stdout says: the history, what happens then, and the
// state.
func TestSkaffoldClients(t *testing.T) {
	ns := namespace(t)
	for _, name := range []string{"one", "two"} {
		createPod(t, ns, name, goInfo, "web")
		setStatus(t, ns, name, running("web", name, 0))
	}
	s := watch(t, "-n", ns, "--listen", ":0")
	address := strings.TrimPrefix(s.served(), "http://")
	s.want("+one:web=one", "+two:web=two")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	streams := skaffoldStreams(ctx, t, address)
	deletePod(t, ns, "one")
	s.want("-one:web=one")
	for name, receive := range streams {
		for i, line := range s.all {
			want := parse(t, line)
			got, err := receive()
			if err != nil {
				t.Fatalf("%s, event %d: %v", name, i, err)
			}
			compareWithSkaffold(t, name, want, got)
		}
	}
	checkSkaffoldState(ctx, t, address)
	s.stop()
	for name, receive := range streams {
		if _, err := receive(); err == nil {
			t.Errorf("%s: one more event after the end", name)
		}
	}
}

// skaffoldEvent is what both versions of the API say of an event.
type skaffoldEvent struct {
	at        time.Time
	container skaffoldContainer
	entry     string // "" in version 2
}

// skaffoldContainer has the getters of the messages of both versions.
type skaffoldContainer interface {
	GetStatus() string
	GetPodName() string
	GetContainerName() string
	GetNamespace() string
	GetArtifact() string
	GetRuntime() string
	GetWorkingDir() string
	GetDebugPorts() map[string]uint32
}

func connectSkaffold(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

// skaffoldStreams opens every stream of events that there is, and returns how to take the next event of each.
func skaffoldStreams(ctx context.Context, t *testing.T, address string) map[string]func() (skaffoldEvent, error) {
	t.Helper()
	connection := connectSkaffold(t, address)
	events, err := protov1.NewSkaffoldServiceClient(connection).Events(ctx, &emptypb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	eventLog, err := protov1.NewSkaffoldServiceClient(connection).EventLog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	events2, err := protov2.NewSkaffoldV2ServiceClient(connection).Events(ctx, &emptypb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	v1 := func(receive func() (*protov1.LogEntry, error)) func() (skaffoldEvent, error) {
		return func() (skaffoldEvent, error) {
			e, err := receive()
			return skaffoldEvent{e.GetTimestamp().AsTime(), e.GetEvent().GetDebuggingContainerEvent(), e.GetEntry()}, err
		}
	}
	return map[string]func() (skaffoldEvent, error){
		"v1 Events": v1(events.Recv), "v1 EventLog": v1(eventLog.Recv),
		"v2 Events": func() (skaffoldEvent, error) {
			e, err := events2.Recv()
			return skaffoldEvent{e.GetTimestamp().AsTime(), e.GetDebuggingContainerEvent(), ""}, err
		},
	}
}

func compareWithSkaffold(t *testing.T, name string, line event, got skaffoldEvent) {
	t.Helper()
	want, c := line.Result.Event.DebuggingContainerEvent, got.container
	for field, pair := range map[string][2]string{
		"status": {want.Status, c.GetStatus()}, "podName": {want.PodName, c.GetPodName()},
		"containerName": {want.ContainerName, c.GetContainerName()}, "namespace": {want.Namespace, c.GetNamespace()},
		"artifact": {want.Artifact, c.GetArtifact()}, "runtime": {want.Runtime, c.GetRuntime()},
		"workingDir": {want.WorkingDir, c.GetWorkingDir()},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %s is %q, want %q", name, field, pair[1], pair[0])
		}
	}
	if ports := c.GetDebugPorts(); len(ports) != 1 || int(ports["dlv"]) != want.DebugPorts["dlv"] {
		t.Errorf("%s: ports %v, want %v", name, ports, want.DebugPorts)
	}
	// The JSON has microseconds.
	if difference := got.at.Sub(line.Result.Timestamp).Abs(); difference > time.Millisecond {
		t.Errorf("%s: timestamp %v, want %v", name, got.at, line.Result.Timestamp)
	}
	if got.entry != "" && got.entry != line.Result.Entry || got.entry == "" && strings.HasPrefix(name, "v1") {
		t.Errorf("%s: entry %q, want %q", name, got.entry, line.Result.Entry)
	}
}

// checkSkaffoldState wants the one container that runs, and nothing done by a method that would change something.
func checkSkaffoldState(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	connection := connectSkaffold(t, address)
	client1, client2 := protov1.NewSkaffoldServiceClient(connection), protov2.NewSkaffoldV2ServiceClient(connection)
	var running []skaffoldContainer
	state1, err := client1.GetState(ctx, &emptypb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range state1.GetDebuggingContainers() {
		running = append(running, c)
	}
	state2, err := client2.GetState(ctx, &emptypb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range state2.GetDebuggingContainers() {
		running = append(running, c)
	}
	if len(running) != 2 {
		t.Fatalf("states %v, %v", state1, state2)
	}
	for _, c := range running {
		if c.GetPodName() != "two" || c.GetStatus() != "Started" || c.GetDebugPorts()["dlv"] != 56268 {
			t.Errorf("state %v", c)
		}
	}
	if _, err := client1.AutoBuild(ctx, &protov1.TriggerRequest{}); grpcstatus.Code(err) != codes.Unimplemented {
		t.Errorf("AutoBuild: %v, want Unimplemented", err)
	}
}
