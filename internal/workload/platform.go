package workload

import (
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// The labels that say what a node is, and what they were called before Kubernetes 1.14.
var (
	archLabels = []string{"kubernetes.io/arch", "beta.kubernetes.io/arch"}
	osLabels   = []string{"kubernetes.io/os", "beta.kubernetes.io/os"}
)

// Platform is the platform that the pod's containers run on: the default one, unless the pod does not run there; then
// the first that it names, or else the most usual one that it may run on.
func (p *Pod) Platform(byDefault string) string {
	os, rest, _ := strings.Cut(byDefault, "/")
	arch, _, _ := strings.Cut(rest, "/")
	wanted := p.nodeWants(archLabels)
	if wanted.allows(arch) {
		return byDefault
	}
	for _, arch := range append(wanted.named, "amd64", "arm64", "s390x", "ppc64le", "riscv64", "arm") {
		if wanted.allows(arch) {
			return os + "/" + arch
		}
	}
	return byDefault
}

// OnLinux reports whether nothing in the pod asks for another operating system.
func (p *Pod) OnLinux() bool {
	if name := yamlnode.Text(p.Spec, "os", "name"); name != "" && name != "linux" {
		return false
	}
	return p.nodeWants(osLabels).allows("linux")
}

// nodeWants is what a pod wants a label of its node to be.
type nodeWants struct {
	named []string   // the values that it may be, in the order in which they are named; none: any
	not   [][]string // by term of the affinity, the values that it must not be; one term has to hold
}

func (w nodeWants) allows(value string) bool {
	return (len(w.named) == 0 || slices.Contains(w.named, value)) &&
		(len(w.not) == 0 || slices.ContainsFunc(w.not, func(not []string) bool { return !slices.Contains(not, value) }))
}

// nodeWants reads the pod's node selector or, where that does not have the label, its required node affinity. Terms
// that do not name the label say nothing about it.
func (p *Pod) nodeWants(labels []string) nodeWants {
	for _, label := range labels {
		if v := yamlnode.Text(p.Setting("nodeSelector"), label); v != "" {
			return nodeWants{named: []string{v}}
		}
	}
	var w nodeWants
	terms := yamlnode.Get(p.Setting("affinity"), "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution",
		"nodeSelectorTerms")
	for _, term := range yamlnode.Items(terms) {
		var in, not []string
		for _, e := range yamlnode.Items(term, "matchExpressions") {
			if !slices.Contains(labels, yamlnode.Text(e, "key")) {
				continue
			}
			for _, v := range yamlnode.Items(e, "values") {
				switch yamlnode.Text(e, "operator") {
				case "In":
					in = append(in, yamlnode.Text(v))
				case "NotIn":
					not = append(not, yamlnode.Text(v))
				}
			}
		}
		w.named = append(w.named, in...)
		if len(not) > 0 {
			w.not = append(w.not, not)
		}
	}
	return w
}
