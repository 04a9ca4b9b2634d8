package transform

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/runtimes"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// usedPorts lists the ports that a pod uses for itself: those that a container declares, that a probe asks, or that PORT
// names.
func (p *Pod) usedPorts() map[int32]bool {
	used := map[int32]bool{}
	mark := func(value string) {
		if n, err := strconv.ParseUint(value, 10, 16); err == nil {
			used[int32(n)] = true
		}
	}
	host := p.onHostNetwork()
	for _, c := range p.Containers {
		for _, port := range items(get(c.Node, "ports")) {
			mark(text(get(port, "containerPort")))
			if host {
				mark(text(get(port, "hostPort")))
			}
		}
		for _, probe := range probes {
			for _, kind := range []string{"httpGet", "tcpSocket", "grpc"} {
				mark(text(get(c.Node, probe, kind, "port")))
			}
		}
		for _, entry := range items(get(c.Node, "env")) {
			if text(get(entry, "name")) == "PORT" {
				mark(text(get(entry, "value")))
			}
		}
	}
	return used
}

// onHostNetwork says whether the pod's ports are its node's.
func (p *Pod) onHostNetwork() bool { return isTrue(get(p.Spec, "hostNetwork")) }

// hostPorts lists what is taken in the pods that share their node's network. Two of them may meet on one node, where the
// second to ask for a port does not get it: a JVM whose debug agent cannot listen does not start.
func (s *Scope) hostPorts(images map[image.Want]image.Result) map[int32]bool {
	host := map[int32]bool{}
	for _, w := range s.workloads {
		for _, p := range w.pods {
			if p.pod.onHostNetwork() {
				maps.Copy(host, s.takenPorts(p, images))
			}
		}
	}
	return host
}

// takenPorts lists the ports of a pod that a debugger to be added cannot have: those that the pod uses for itself, and those of
// the debuggers that it has already.
func (s *Scope) takenPorts(p *podScope, images map[image.Want]image.Result) map[int32]bool {
	taken := p.pod.usedPorts()
	for _, e := range p.configured {
		for _, port := range e.Ports {
			taken[port] = true
		}
	}
	for _, c := range p.pod.Containers {
		for _, port := range s.debugPorts(p, c, images) {
			taken[port] = true
		}
	}
	return taken
}

// debugPorts lists where a container has debuggers already. What its own program does is known; what runs beside it, or in
// a container that is left alone, is likely.
func (s *Scope) debugPorts(p *podScope, c *Container, images map[image.Want]image.Result) []int32 {
	open := p.open()
	i := slices.IndexFunc(open, func(o *containerScope) bool { return o.Container == c })
	if i < 0 {
		return s.likelyDebugPorts(c, images)
	}
	analysis, err := open[i].analyse(images, s.sources)
	if err != nil {
		return s.likelyDebugPorts(c, images)
	}
	plan, err := analysis.planned(s.options(p))
	if err != nil {
		return s.likelyDebugPorts(c, images)
	}
	beside := slices.Clone(analysis.Process.Line) // all of the script: what stands in front of a command counts, too
	for _, command := range analysis.Process.Beside {
		beside = append(beside, command.Argv...)
	}
	ports := runtimes.DebugPorts(strings.Join(beside, " "))
	if plan.Existing {
		for _, port := range plan.Ports {
			ports = append(ports, port.Number)
		}
	}
	return ports
}

// likelyDebugPorts lists where the words and variables of a container say that debuggers listen.
func (s *Scope) likelyDebugPorts(c *Container, images map[image.Want]image.Result) []int32 {
	cfg := images[image.Want{Image: c.Image, Platform: c.Pod.platform(s.cfg.Platform)}].Config
	env := c.environment(cfg, s.sources)
	line, err := c.commandLine(cfg, env)
	if err != nil {
		return nil // it does not start
	}
	words, variables := line.argv(), env.all()
	for _, name := range sortedKeys(variables) {
		words = append(words, variables[name])
	}
	return runtimes.DebugPorts(strings.Join(words, " "))
}

// freePorts finds ports for one container after the other.
func freePorts(used map[int32]bool) func(from int32) int32 {
	return func(from int32) int32 {
		for port := int(from); port <= 65535; port++ {
			if !used[int32(port)] {
				return int32(port)
			}
		}
		return 0
	}
}

// declaredPort is a port that a container declares, as the manifest writes it.
type declaredPort struct {
	container    *Container
	name, number string
	protocol     string
}

// declaredPorts lists the ports that the containers of a pod declare.
func (p *Pod) declaredPorts() []declaredPort {
	var declared []declaredPort
	for _, c := range p.Containers {
		for _, n := range items(get(c.Node, "ports")) {
			d := declaredPort{c, text(get(n, "name")), text(get(n, "containerPort")), text(get(n, "protocol"))}
			if d.protocol == "" {
				d.protocol = "TCP"
			}
			declared = append(declared, d)
		}
	}
	return declared
}

// expose declares the debug ports of a pod's containers that they do not declare yet.
func (p *Pod) expose(attached []*attachment) {
	before := p.declaredPorts()
	for _, a := range attached {
		for _, port := range a.plan.Ports {
			number := strconv.Itoa(int(port.Number))
			if slices.ContainsFunc(p.declaredPorts(), func(d declaredPort) bool {
				// On the host's network a port is its host's as well, which Kubernetes lets one container of a pod declare.
				return d.number == number && d.protocol == "TCP" && (d.container == a.Container || p.onHostNetwork())
			}) {
				continue
			}
			// Names are unique within a container; and a Service that names a port means the one that was there before.
			name := port.Protocol
			for i := 2; slices.ContainsFunc(before, func(d declaredPort) bool { return d.name == name }); i++ {
				name = port.Protocol + "-" + strconv.Itoa(i)
			}
			list := ensure(a.Node, "ports", yaml.SequenceNode, "image", "imagePullPolicy", "command", "args", "workingDir")
			list.Content = append(list.Content, mapping("name", str(name), "containerPort", num(int(port.Number))))
		}
	}
}
