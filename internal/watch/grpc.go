package watch

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
)

// The two gRPC services of "skaffold debug", as far as they are about debuggers. The field numbers are those of
// proto/v1/skaffold.proto and proto/v2/skaffold.proto in github.com/GoogleContainerTools/skaffold; what is not set is
// not sent. Both versions have the same fields in the same order, at other numbers, so that a table of numbers takes
// the place of generated code.

// numbers are the field numbers of one version of the API.
type numbers struct {
	service                                             string
	statePorts, stateContainers                         protowire.Number
	eventPort, eventContainer                           protowire.Number
	localPort, remotePort, podName, address, targetPort protowire.Number // podName is followed by the other names
	containerStatus                                     protowire.Number // followed by the other fields
}

func v1Numbers() numbers {
	return numbers{
		service: "proto.SkaffoldService", statePorts: 4, stateContainers: 7, eventPort: 4, eventContainer: 8,
		localPort: 1, remotePort: 2, podName: 3, address: 9, targetPort: 10, containerStatus: 1,
	}
}

func v2Numbers() numbers {
	return numbers{
		service: "proto.v2.SkaffoldV2Service", statePorts: 3, stateContainers: 6, eventPort: 8, eventContainer: 11,
		localPort: 3, podName: 4, address: 10, targetPort: 11, containerStatus: 3,
	}
}

// message is an encoded protobuf message.
type message []byte

func (m *message) text(n protowire.Number, s string) {
	if s != "" {
		*m = protowire.AppendString(protowire.AppendTag(*m, n, protowire.BytesType), s)
	}
}

func (m *message) number(n protowire.Number, v int64) {
	if v != 0 && n != 0 {
		*m = protowire.AppendVarint(protowire.AppendTag(*m, n, protowire.VarintType), uint64(v))
	}
}

func (m *message) message(n protowire.Number, inner message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, n, protowire.BytesType), inner)
}

func (n numbers) container(c containerEvent) (m message) {
	fields := []string{c.Status, c.PodName, c.ContainerName, c.Namespace, c.Artifact, c.Runtime, c.WorkingDir}
	for i, field := range fields {
		m.text(n.containerStatus+protowire.Number(i), field)
	}
	for _, protocol := range slices.Sorted(maps.Keys(c.DebugPorts)) {
		var entry message
		entry.text(1, protocol)
		entry.number(2, int64(c.DebugPorts[protocol]))
		m.message(n.containerStatus+protowire.Number(len(fields)), entry)
	}
	return m
}

func (n numbers) port(p portEvent) (m message) {
	m.number(n.localPort, int64(p.LocalPort))
	m.number(n.remotePort, int64(p.RemotePort))
	for i, field := range []string{p.PodName, p.ContainerName, p.Namespace, p.PortName, p.ResourceType, p.ResourceName} {
		m.text(n.podName+protowire.Number(i), field)
	}
	m.text(n.address, p.Address)
	var target message // IntOrString, whose type 0 is a number
	target.number(2, int64(p.RemotePort))
	m.message(n.targetPort, target)
	return m
}

func (n numbers) state(s state) (m message) {
	for _, port := range slices.Sorted(maps.Keys(s.ForwardedPorts)) {
		var entry message
		entry.number(1, int64(port))
		entry.message(2, n.port(s.ForwardedPorts[port]))
		m.message(n.statePorts, entry)
	}
	for _, c := range s.DebuggingContainers {
		m.message(n.stateContainers, n.container(c))
	}
	return m
}

// record is a LogEntry of version 1, an Event with its timestamp of version 2.
func (n numbers) record(r record) (m message) {
	var e message
	if n == v2Numbers() {
		e.message(1, timestamp(r.at))
	}
	if r.event.Container != nil {
		e.message(n.eventContainer, n.container(*r.event.Container))
	} else {
		e.message(n.eventPort, n.port(*r.event.Port))
	}
	if n == v2Numbers() {
		return e
	}
	m.message(1, timestamp(r.at))
	m.message(2, e)
	m.text(3, r.event.describe())
	return m
}

func timestamp(at time.Time) (m message) {
	m.number(1, at.Unix())
	m.number(2, int64(at.Nanosecond()))
	return m
}

// codec passes messages on as they are. Requests hold nothing that counts here.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, fmt.Errorf("encoding %T: want a message", v)
	}
	return *m, nil
}

// MarshalAppend keeps connect from taking a message's own bytes, which others share, for its pool of buffers to write
// in.
func (c codec) MarshalAppend(b []byte, v any) ([]byte, error) {
	m, err := c.Marshal(v)
	return append(b, m...), err
}

func (codec) Unmarshal([]byte, any) error { return nil }

// handleGRPC adds the services to mux.
func (s *server) handleGRPC(mux *http.ServeMux) {
	options := []connect.HandlerOption{connect.WithCodec(codec{}), connect.WithReadMaxBytes(64 << 10)}
	for _, n := range []numbers{v1Numbers(), v2Numbers()} {
		handle := func(method string, h http.Handler) {
			mux.HandleFunc("/"+n.service+"/"+method, func(w http.ResponseWriter, r *http.Request) {
				defer s.deadline(w) // for the end of the stream, after a quiet time
				h.ServeHTTP(timely{w, s}, r)
			})
		}
		handle("GetState", connect.NewUnaryHandler("/"+n.service+"/GetState",
			func(context.Context, *connect.Request[message]) (*connect.Response[message], error) {
				m := message(s.hub.encodedState(n.service, func(s state) []byte { return n.state(s) }))
				return connect.NewResponse(&m), nil
			}, options...))
		handle("Events", connect.NewServerStreamHandler("/"+n.service+"/Events",
			func(ctx context.Context, _ *connect.Request[message], out *connect.ServerStream[message]) error {
				return s.send(ctx, n, out.Send)
			}, options...))
		if n == v1Numbers() {
			handle("EventLog", connect.NewBidiStreamHandler("/"+n.service+"/EventLog",
				func(ctx context.Context, stream *connect.BidiStream[message, message]) error {
					// As with Skaffold, what the client sends is not read.
					return s.send(ctx, n, stream.Send)
				}, options...))
		}
	}
}

// send sends what has happened so far, and then what happens.
func (s *server) send(ctx context.Context, n numbers, send func(*message) error) error {
	var seen uint64
	for first := true; ; first = false {
		records, missed, more := s.hub.since(seen)
		if missed && !first {
			return connect.NewError(connect.CodeResourceExhausted, errMissed)
		}
		for _, r := range records {
			m := n.record(r)
			if err := send(&m); err != nil {
				return err
			}
			seen = r.number
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}

// timely gives each write its own time.
type timely struct {
	http.ResponseWriter
	server *server
}

func (t timely) Write(b []byte) (int, error) {
	t.server.deadline(t.ResponseWriter)
	return t.ResponseWriter.Write(b)
}

// Flush implements http.Flusher.
func (t timely) Flush() {
	t.server.deadline(t.ResponseWriter)
	_ = http.NewResponseController(t.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (t timely) Unwrap() http.ResponseWriter { return t.ResponseWriter }
