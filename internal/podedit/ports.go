package podedit

import (
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// declaredPort is a port that a container declares, as the manifest writes it.
type declaredPort struct {
	container    *workload.Container
	name, number string
	protocol     string
}

// declaredPorts lists the ports that the containers of a pod declare.
func declaredPorts(p *workload.Pod) []declaredPort {
	var declared []declaredPort
	for _, c := range p.Containers {
		for _, n := range yamlnode.Items(c.Node, "ports") {
			d := declaredPort{c, yamlnode.Text(n, "name"), yamlnode.Text(n, "containerPort"), yamlnode.Text(n, "protocol")}
			if d.protocol == "" {
				d.protocol = "TCP"
			}
			declared = append(declared, d)
		}
	}
	return declared
}

// Expose declares the debug ports of a pod's containers that they do not declare yet.
func Expose(p *workload.Pod, debugged []Debugged) error {
	host := p.OnHostNetwork()
	// On the host's network a port is its host's as well, which Kubernetes lets one container of a pod declare.
	type key struct {
		container *workload.Container
		number    string
	}
	place := func(c *workload.Container, number string) key {
		if host {
			c = nil
		}
		return key{c, number}
	}
	declared, names := map[key]bool{}, map[string]bool{}
	for _, d := range declaredPorts(p) {
		names[d.name] = true
		if d.protocol == "TCP" {
			declared[place(d.container, d.number)] = true
		}
	}
	next := map[string]int{}
	for _, a := range debugged {
		for _, port := range a.Ports {
			number := strconv.Itoa(int(port.Number))
			if declared[place(a.Container, number)] {
				continue
			}
			declared[place(a.Container, number)] = true
			// A Service that names a port means the one that was there before, and the API server warns of two of one name.
			name := port.Protocol
			for names[name] {
				next[port.Protocol] = max(next[port.Protocol]+1, 2)
				name = port.Protocol + "-" + strconv.Itoa(next[port.Protocol])
			}
			names[name] = true
			list, err := yamlnode.Ensure(a.Container.Node, "ports", yaml.SequenceNode, "image", "imagePullPolicy", "command",
				"args", "workingDir")
			if err != nil {
				return err
			}
			list.Content = append(list.Content,
				yamlnode.Mapping("name", yamlnode.String(name), "containerPort", yamlnode.Number(int(port.Number))))
		}
	}
	return nil
}
