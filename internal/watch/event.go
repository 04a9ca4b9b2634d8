package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// The shapes below are those of "skaffold debug", which IDEs read, with podUid, containerId and restartCount added. The
// order of the fields is the order of the JSON keys.

// line is one line of the event stream.
type line struct {
	Result result `json:"result"`
}

type result struct {
	// Timestamp is RFC 3339 in UTC with microseconds: when the event was noticed here.
	Timestamp string `json:"timestamp"`
	Event     event  `json:"event"`
	Entry     string `json:"entry"`
}

// event holds one of its fields.
type event struct {
	Container *containerEvent `json:"debuggingContainerEvent,omitempty"`
	Port      *portEvent      `json:"portEvent,omitempty"`
}

const (
	started    = "Started"
	terminated = "Terminated"
)

// containerEvent says that a debuggable container started or ended; in the state it describes one that runs.
type containerEvent struct {
	Status        string           `json:"status"`
	PodName       string           `json:"podName"`
	ContainerName string           `json:"containerName"`
	Namespace     string           `json:"namespace"`
	Artifact      string           `json:"artifact,omitempty"`
	Runtime       string           `json:"runtime,omitempty"`
	WorkingDir    string           `json:"workingDir,omitempty"`
	DebugPorts    map[string]int32 `json:"debugPorts,omitempty"`
	PodUID        string           `json:"podUid"`
	ContainerID   string           `json:"containerId,omitempty"`
	RestartCount  int32            `json:"restartCount"`
}

// portEvent says that a local port leads to a debug port; in the state it describes one that does.
type portEvent struct {
	LocalPort     int    `json:"localPort"`
	RemotePort    int    `json:"remotePort"`
	PodName       string `json:"podName"`
	ContainerName string `json:"containerName"`
	Namespace     string `json:"namespace"`
	PortName      string `json:"portName"`
	ResourceType  string `json:"resourceType"`
	ResourceName  string `json:"resourceName"`
	// Address is set in the state only, as skaffold has it.
	Address string `json:"address,omitempty"`
}

// state is the answer of GET /v1/state.
type state struct {
	DebuggingContainers []containerEvent `json:"debuggingContainers"`
	// ForwardedPorts is keyed by the local port.
	ForwardedPorts map[int]portEvent `json:"forwardedPorts"`
}

func newContainerEvent(status string, c container) containerEvent {
	return containerEvent{
		Status: status, PodName: c.pod, ContainerName: c.name, Namespace: c.namespace,
		Artifact: c.info.Artifact, Runtime: c.info.Runtime, WorkingDir: c.info.WorkingDir, DebugPorts: c.info.Ports,
		PodUID: c.uid, ContainerID: c.id, RestartCount: c.restartCount,
	}
}

func (e event) describe() string {
	switch {
	case e.Container != nil && e.Container.Status == started:
		return fmt.Sprintf("Debuggable container started pod/%s:%s (%s)", e.Container.PodName, e.Container.ContainerName,
			e.Container.Namespace)
	case e.Container != nil:
		return fmt.Sprintf("Debuggable container terminated pod/%s:%s (%s)", e.Container.PodName, e.Container.ContainerName,
			e.Container.Namespace)
	default:
		return fmt.Sprintf("Forwarding container %s to local port %d", e.Port.ContainerName, e.Port.LocalPort)
	}
}

// encode returns the event's line, with the newline.
func (e event) encode(at time.Time) []byte {
	return encodeLine(line{result{at.UTC().Format("2006-01-02T15:04:05.000000Z"), e, e.describe()}})
}

// encodeLine returns v as one line of JSON. It is for the types of this package, which always have an encoding.
func encodeLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("encoding %T: %v", v, err))
	}
	return b.Bytes()
}
