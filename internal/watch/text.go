package watch

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/shell"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/runtimes"
)

// text formats events for people: a line per event in columns that line up, and below it what to type to attach.
type text struct {
	painter  terminal.Painter
	location *time.Location
	// kubectl starts the commands that are shown: kubectl with the options that lead to the same cluster.
	kubectl []string
	// forwards says that the ports are forwarded here, so that kubectl is not needed for it.
	forwards bool

	// Widths of the columns beyond the usual; they grow and never shrink.
	podWidth, containerWidth, runtimeWidth int
}

// The usual widths of the columns, so that the first lines line up with the later ones.
const (
	usualPod       = len("default/web-f6d56bcc5-6csgs") + 5
	usualContainer = 8
	usualRuntime   = 7 // the longest name of a runtime
)

// verbWidth is the width of the column with terminated, the longest of the three verbs.
const verbWidth = len("terminated")

func (t *text) format(r record) []byte {
	var b strings.Builder
	at := r.at.In(t.location).Format("15:04:05")
	switch e := r.event; {
	case e.Container != nil && e.Container.Status == started:
		t.row(&b, at, "started", terminal.Green, e.Container, t.portList(e.Container))
		for _, hint := range t.startedHints(e.Container) {
			t.hint(&b, hint)
		}
	case e.Container != nil:
		t.row(&b, at, "terminated", terminal.Red, e.Container, "")
	case e.Port != nil:
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(e.Port.LocalPort))
		c := &containerEvent{PodName: e.Port.PodName, ContainerName: e.Port.ContainerName, Namespace: e.Port.Namespace}
		t.row(&b, at, "forwarding", terminal.Cyan, c, fmt.Sprintf("%s %s -> %d", e.Port.PortName, address, e.Port.RemotePort))
		t.hint(&b, attachHint("", e.Port.PortName, e.Port.LocalPort))
	}
	return []byte(b.String())
}

func (t *text) row(b *strings.Builder, at, verb string, colour terminal.Style, c *containerEvent, rest string) {
	pod := foreign.Line(c.Namespace + "/" + c.PodName)
	name := foreign.Line(c.ContainerName)
	if c.RestartCount > 0 {
		rest = strings.TrimLeft(fmt.Sprintf("%s  (restart %d)", rest, c.RestartCount), " ")
	}
	runtime := foreign.Line(c.Runtime)
	t.podWidth = max(t.podWidth, usualPod, len([]rune(pod)))
	t.containerWidth = max(t.containerWidth, usualContainer, len([]rune(name)))
	t.runtimeWidth = max(t.runtimeWidth, usualRuntime, len([]rune(runtime)))
	tail := fmt.Sprintf("  %-*s  %-*s  %-*s  %s", t.podWidth, pod, t.containerWidth, name, t.runtimeWidth, runtime,
		foreign.Line(rest))
	fmt.Fprintf(b, "%s  %s%s\n", t.painter.Paint(terminal.Faint, at),
		t.painter.Paint(colour, fmt.Sprintf("%-*s", verbWidth, verb)), strings.TrimRight(tail, " "))
}

func (t *text) hint(b *strings.Builder, hint string) {
	fmt.Fprintf(b, "%*s%s\n", len("15:04:05")+4, "", t.painter.Paint(terminal.Faint, foreign.Line(hint)))
}

func (t *text) portList(c *containerEvent) string {
	var ports []string
	for _, protocol := range slices.Sorted(maps.Keys(c.DebugPorts)) {
		ports = append(ports, fmt.Sprintf("%s %d", protocol, c.DebugPorts[protocol]))
	}
	return strings.Join(ports, ", ")
}

// startedHints says how to get at the debugger of a container that has just started.
func (t *text) startedHints(c *containerEvent) []string {
	if len(c.DebugPorts) == 0 {
		r := runtimes.ByName(c.Runtime)
		if r == nil || r.Exec == nil {
			return nil
		}
		// It listens on no port; IDEs start it in the container and talk to it over stdin and stdout.
		words := []string{"exec", "-i", "-n", c.Namespace, "pod/" + c.PodName, "-c", c.ContainerName, "--"}
		return []string{t.command(append(words, r.Exec...)...)}
	}
	if t.forwards {
		return nil // the forward's own event says it
	}
	words := []string{"port-forward", "-n", c.Namespace, "pod/" + c.PodName}
	protocols := slices.Sorted(maps.Keys(c.DebugPorts))
	for _, protocol := range protocols {
		// Delve has two on one port
		if word := fmt.Sprintf("%d:%[1]d", c.DebugPorts[protocol]); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	hints := []string{t.command(words...)}
	for _, protocol := range protocols {
		hints = append(hints, attachHint(c.Runtime, protocol, int(c.DebugPorts[protocol])))
	}
	return hints
}

func (t *text) command(words ...string) string {
	return shell.Join(append(slices.Clone(t.kubectl), words...)...)
}

// attachHint is the command, or for protocols without one the setting, that attaches a debugger to a local port.
func attachHint(runtime, protocol string, port int) string {
	if hint := runtimes.Hint(runtime, protocol, "127.0.0.1", port); hint != "" {
		return hint
	}
	return fmt.Sprintf("attach a %s client to %s", protocol, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
