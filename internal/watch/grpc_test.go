package watch

import (
	"context"
	"encoding/hex"
	"net"
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
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: (&net.Dialer{}).DialContext}}
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
