package watch

import (
	"bytes"
	"context"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
)

// received reads a message as the client has it.
type received struct{ codec }

func (received) Unmarshal(b []byte, v any) error {
	*v.(*message) = append(message(nil), b...)
	return nil
}

// The services answer over cleartext HTTP/2; the bytes of a container are those of Skaffold's fields.
func TestGRPC(t *testing.T) {
	h := testHub()
	id := h.publishStarted(container{pod: "p"})
	h.publishForward(id, portEvent{LocalPort: 1, RemotePort: 2, PodName: "p", Address: loopback}, false)
	address, _ := serveTest(t, h, 10*time.Second, time.Second)
	client := grpcClient(t)
	for _, n := range []numbers{v1Numbers(), v2Numbers()} {
		base := "http://" + address + "/" + n.service
		options := []connect.ClientOption{connect.WithGRPC(), connect.WithCodec(received{})}
		state, err := connect.NewClient[message, message](client, base+"/GetState", options...).
			CallUnary(t.Context(), connect.NewRequest(&message{}))
		if err != nil {
			t.Fatal(err)
		}
		want := n.state(h.state())
		if hex.EncodeToString(*state.Msg) != hex.EncodeToString(want) {
			t.Errorf("%s: state %x, want %x", n.service, *state.Msg, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, err := connect.NewClient[message, message](client, base+"/Events", options...).
			CallServerStream(ctx, connect.NewRequest(&message{}))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if !events.Receive() {
				t.Fatal(events.Err())
			}
		}
		cancel()
	}
	var c message
	c.message(8, v1Numbers().container(containerEvent{Status: started, DebugPorts: map[string]int32{"dlv": 1}}))
	if got := hex.EncodeToString(c); got != "4212"+"0a07"+hex.EncodeToString([]byte(started))+"4207"+"0a03646c76"+"1001" {
		t.Errorf("container %s", got)
	}
}

// EventLog is a stream both ways: it goes on while the client says nothing, or more than is read, longer than a request
// may take, and ends when the client does.
func TestEventLog(t *testing.T) {
	h := testHub()
	h.publishStarted(container{pod: "p"})
	address, _ := serveTest(t, h, 300*time.Millisecond, 10*time.Second)
	n := v1Numbers()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := connect.NewClient[message, message](grpcClient(t), "http://"+address+"/"+n.service+"/EventLog",
		connect.WithGRPC(), connect.WithCodec(received{})).CallBidiStream(ctx)
	entry := message{}
	entry.text(3, "hello")
	if err := stream.Send(&entry); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		got, err := stream.Receive()
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		records, _, _ := h.since(0)
		if want := n.record(records[i]); !bytes.Equal(*got, want) {
			t.Errorf("entry %d: %x, want %x", i, *got, want)
		}
		time.Sleep(500 * time.Millisecond)
		h.publishStarted(container{pod: "q"})
	}
}

// What a client got is its own: the state is the same for whoever asks next, whatever was sent in between.
func TestSharedStateStays(t *testing.T) {
	h := testHub()
	for range 100 {
		h.publishStarted(testContainer("1"))
	}
	address, _ := serveTest(t, h, 10*time.Second, 10*time.Second)
	client, n := grpcClient(t), v2Numbers()
	want := n.state(h.state())
	for _, version := range []numbers{n, v1Numbers(), n, v1Numbers(), n} {
		got, err := connect.NewClient[message, message](client, "http://"+address+"/"+version.service+"/GetState",
			connect.WithGRPC(), connect.WithCodec(received{})).CallUnary(t.Context(), connect.NewRequest(&message{}))
		if err != nil {
			t.Fatal(err)
		}
		if version == n && !bytes.Equal(*got.Msg, want) {
			t.Fatalf("got %x, want %x", *got.Msg, want)
		}
	}
}

// grpcClient speaks cleartext HTTP/2.
func grpcClient(t *testing.T) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
