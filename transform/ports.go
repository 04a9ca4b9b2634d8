package transform

import (
	"iter"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/podedit"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// portSet is a set of ports, a bit for each of them: one pod may name all, and so may each of many.
type portSet [1 << 16 / 64]uint64

func (s *portSet) add(port int32) { s[uint16(port)/64] |= 1 << (uint16(port) % 64) }

// merge adds all ports of another set.
func (s *portSet) merge(other *portSet) {
	for i, word := range other {
		s[i] |= word
	}
}

// mark adds a port that is written as a number.
func (s *portSet) mark(value string) {
	if n, err := strconv.ParseUint(value, 10, 16); err == nil {
		s.add(int32(n))
	}
}

// free is the first port from here on that is in none of the sets; 0 for none.
func free(from int32, sets ...*portSet) int32 {
	for word := int(from) / 64; word < len(portSet{}); word++ {
		var taken uint64
		for _, s := range sets {
			taken |= s[word]
		}
		if word == int(from)/64 {
			taken |= 1<<(from%64) - 1
		}
		if taken != math.MaxUint64 {
			return int32(word*64 + bits.TrailingZeros64(^taken))
		}
	}
	return 0
}

// markIn adds each number in a text that may be a port: in `--listen=:5005`, `http://+:5005`, `-Dserver.port=5005` it
// is one. A number that is none costs nothing but that a debugger takes the next.
func markIn(ports *portSet, text string) { eachPort(text, ports.add) }

// eachPort calls found for each number in a text that may be a port.
func eachPort(text string, found func(port int32)) {
	for i := 0; i < len(text); {
		if text[i] < '0' || text[i] > '9' {
			i++
			continue
		}
		start := i
		for i < len(text) && '0' <= text[i] && text[i] <= '9' {
			i++
		}
		if n, err := strconv.ParseUint(text[start:i], 10, 16); err == nil && n > 1023 {
			found(int32(n))
		}
	}
}

// markAsked marks the ports that a container's probes and hooks ask.
func markAsked(used *portSet, c *workload.Container) {
	asking := [][]string{{"lifecycle", "postStart"}, {"lifecycle", "preStop"}}
	for _, probe := range podedit.Probes() {
		asking = append(asking, []string{probe})
	}
	for _, at := range asking {
		for _, kind := range []string{"httpGet", "tcpSocket", "grpc"} {
			used.mark(yamlnode.Text(c.Node, append(slices.Clone(at), kind, "port")...))
		}
		for _, w := range yamlnode.Items(c.Node, append(slices.Clone(at), "exec", "command")...) {
			markIn(used, yamlnode.Text(w))
		}
	}
}

// addUsedPorts adds the ports that a pod uses for itself, or may: those that a container declares, that a probe asks,
// that the command lines, the variables and the configuration among the items name, and those that a Service sends to.
func (s *Programs) addUsedPorts(used *portSet, p *workload.Pod, platform string) {
	host := p.OnHostNetwork()
	var configs []string // of ConfigMaps and Secrets
	asked := map[image.Want]bool{}
	for _, c := range p.Containers {
		for _, port := range yamlnode.Items(c.Node, "ports") {
			used.mark(yamlnode.Text(port, "containerPort"))
			if host {
				used.mark(yamlnode.Text(port, "hostPort"))
			}
		}
		markAsked(used, c)
		if want := (image.Want{Image: c.Image, Platform: platform}); !asked[want] {
			asked[want] = true
			s.ports[want].addTo(used)
		}
		for _, list := range []string{"command", "args"} {
			for _, w := range yamlnode.Items(c.Node, list) {
				markIn(used, yamlnode.Text(w))
			}
		}
		for _, entry := range yamlnode.Items(c.Node, "env") {
			markIn(used, yamlnode.Text(entry, "value"))
			configs = append(configs, "ConfigMap/"+yamlnode.Text(entry, "valueFrom", "configMapKeyRef", "name"),
				"Secret/"+yamlnode.Text(entry, "valueFrom", "secretKeyRef", "name"))
		}
		for _, from := range yamlnode.Items(c.Node, "envFrom") {
			configs = append(configs, "ConfigMap/"+yamlnode.Text(from, "configMapRef", "name"),
				"Secret/"+yamlnode.Text(from, "secretRef", "name"))
		}
	}
	for _, v := range p.Volumes() {
		configs = append(configs, "ConfigMap/"+yamlnode.Text(v, "configMap", "name"),
			"Secret/"+yamlnode.Text(v, "secret", "secretName"))
		for _, source := range yamlnode.Items(v, "projected", "sources") {
			configs = append(configs, "ConfigMap/"+yamlnode.Text(source, "configMap", "name"),
				"Secret/"+yamlnode.Text(source, "secret", "name"))
		}
	}
	slices.Sort(configs)
	for _, name := range slices.Compact(configs) {
		kind, name, _ := strings.Cut(name, "/")
		s.scope.configPorts[[3]string{kind, yamlnode.Namespace(p.Workload.Node), name}].addTo(used)
	}
	for _, services := range s.scope.services.Matching(p) {
		ports, ok := s.services[services]
		if !ok { // for all pods that they select once
			ports = numbersIn(func(yield func(string) bool) {
				for _, of := range services.What {
					for _, port := range of {
						if isNumber(port) && !yield(port) {
							return
						}
					}
				}
			})
			s.services[services] = ports
		}
		ports.addTo(used)
	}
}

// isNumber reports whether a Service's port is a number: it may be a name, which may have a number in it.
func isNumber(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// targetPorts are the ports of pods that a Service sends to.
func targetPorts(service *yaml.Node) (ports []string) {
	for _, port := range yamlnode.Items(service, "spec", "ports") {
		target := yamlnode.Get(port, "targetPort")
		if target == nil {
			target = yamlnode.Get(port, "port")
		}
		ports = append(ports, strings.Clone(yamlnode.Text(target)))
	}
	return ports
}

// portNumbers are the numbers in an object or an image that may be ports, which all who name it share.
type portNumbers struct {
	few []int32
	all *portSet // where they are many
}

// manyPorts is where a set is smaller than a list, in a way: each of 100,000 objects may have a few.
const manyPorts = 1024

// numbersIn lists the numbers in texts.
func numbersIn(texts iter.Seq[string]) portNumbers {
	p, seen := portNumbers{}, map[int32]bool{}
	for text := range texts {
		eachPort(text, func(port int32) {
			switch {
			case p.all != nil:
				p.all.add(port)
			case !seen[port]:
				seen[port] = true
				p.few = append(p.few, port)
			}
		})
		if p.all == nil && len(p.few) > manyPorts {
			p.all = &portSet{}
			for _, port := range p.few {
				p.all.add(port)
			}
		}
	}
	return p
}

// addTo adds them to a set.
func (p portNumbers) addTo(s *portSet) {
	if p.all != nil {
		s.merge(p.all)
		return
	}
	for _, port := range p.few {
		s.add(port)
	}
}

// portsOf are the numbers in what images start and in their variables.
func portsOf(images map[image.Want]image.Result) map[image.Want]portNumbers {
	ports := make(map[image.Want]portNumbers, len(images))
	for want, r := range images {
		ports[want] = numbersIn(slices.Values(slices.Concat(r.Config.Entrypoint, r.Config.Cmd, r.Config.Env)))
	}
	return ports
}

// hostPorts lists what is taken in the pods that share their node's network. Two of them may meet on one node, where
// the second to ask for a port does not get it: a JVM whose debug agent cannot listen does not start.
func (s *Programs) hostPorts() *portSet {
	host := &portSet{}
	for _, w := range s.scope.workloads {
		for _, p := range w.pods {
			if p.pod.OnHostNetwork() {
				s.addTakenPorts(host, p)
			}
		}
	}
	return host
}

// addTakenPorts adds the ports of a pod that a debugger to be added cannot have: those that the pod uses for itself,
// and those of the debuggers that it has already.
func (s *Programs) addTakenPorts(taken *portSet, p *podScope) {
	platform := p.pod.Platform(s.scope.cfg.Platform)
	s.addUsedPorts(taken, p.pod, platform)
	for _, e := range p.configured {
		for _, port := range e.Ports {
			taken.add(port)
		}
	}
	open := map[*workload.Container]*known{}
	for _, c := range p.open() {
		open[c.container] = s.known[c]
	}
	for _, c := range p.pod.Containers {
		var ports []int32
		if k := open[c]; k != nil && k.err == nil {
			ports = k.debugPorts()
		} else {
			ports = s.likelyDebugPorts(c, platform)
		}
		for _, port := range ports {
			taken.add(port)
		}
	}
}

// debugPorts lists where a container has debuggers already: what its own program does is known, what runs beside it is
// likely.
func (k *known) debugPorts() []int32 {
	beside := slices.Clone(k.program.Process.Line) // all of the script: what stands in front of a command counts, too
	for _, command := range k.program.Process.Beside {
		beside = append(beside, command.Argv...)
	}
	ports := runtimes.DebugPorts(strings.Join(beside, " "))
	if k.debugger.Existing {
		for _, port := range k.debugger.Ports {
			ports = append(ports, port.Number)
		}
	}
	return ports
}

// likelyDebugPorts lists where the words and variables of a container that is left alone say that debuggers listen.
func (s *Programs) likelyDebugPorts(c *workload.Container, platform string) []int32 {
	cfg := s.images[image.Want{Image: c.Image, Platform: platform}].Config
	env := process.EnvironmentOf(c, cfg, s.scope.sources)
	line, err := process.CommandLineOf(c, cfg, env)
	if err != nil {
		return nil // it does not start
	}
	return append(runtimes.DebugPorts(strings.Join(line.Argv(), " ")), env.Ports(runtimes.DebugPorts)...)
}
