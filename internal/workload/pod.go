package workload

import (
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// OnHostNetwork reports whether the pod's ports are its node's.
func (p *Pod) OnHostNetwork() bool { return yamlnode.IsTrue(p.Setting("hostNetwork")) }

// Setting is a field of the pod's spec, or else what the object says for all its pods.
func (p *Pod) Setting(name string) *yaml.Node {
	if v := yamlnode.Get(p.Spec, name); v != nil {
		return v
	}
	return yamlnode.Get(p.Outer, name)
}

// Volumes are the volumes that the pod gets: its own, and what the object says for all its pods.
func (p *Pod) Volumes() []*yaml.Node {
	return slices.Concat(yamlnode.Items(p.Spec, "volumes"), yamlnode.Items(p.Outer, "volumes"))
}

// CheckPatched refuses a pod that will be another one than is written here.
func (p *Pod) CheckPatched() error {
	for _, field := range p.Workload.Rules.Patched {
		if v := p.Setting(field); v != nil && !yamlnode.IsNull(v) && (v.Kind != yaml.ScalarNode || v.Value != "") {
			return reason.Refuse(reason.PodPatched, "%s makes another pod of it than is written here", field)
		}
	}
	return nil
}

// OutputRead says who reads what the program writes, and would take what a debugger writes for it; "" where nobody is
// known to.
func (p *Pod) OutputRead() string {
	switch w := p.Workload; {
	case w.Rules.Output == "":
		return ""
	case w.Rules.Shared:
		return "a workflow that refers to it may read " + w.Rules.Output
	case w.outputRead:
		return "the workflow reads " + w.Rules.Output
	}
	return ""
}

// Completes reports whether the container is meant to end: it belongs to a job, or the pod waits for it.
func (c *Container) Completes() bool {
	if c.Init {
		return yamlnode.Text(c.Node, "restartPolicy") != "Always" // a native sidecar stays
	}
	policy := yamlnode.Text(c.Pod.Spec, "restartPolicy")
	return c.Pod.Workload.Rules.Ends || policy == "Never" || policy == "OnFailure"
}

// NoTemp reports whether the container cannot write to /tmp.
func (c *Container) NoTemp() bool {
	if !yamlnode.IsTrue(c.Node, "securityContext", "readOnlyRootFilesystem") {
		return false
	}
	for _, m := range yamlnode.Items(c.Node, "volumeMounts") {
		if p := path.Clean(yamlnode.Text(m, "mountPath")); (p == "/tmp" || p == "/") && !yamlnode.IsTrue(m, "readOnly") {
			return false
		}
	}
	return true
}

// NonRoot reports whether the container runs as another user than root, going by the manifest and the image's user.
func (c *Container) NonRoot(imageUser string) bool {
	securities := []*yaml.Node{yamlnode.Get(c.Node, "securityContext"), c.Pod.Setting("securityContext")}
	for _, security := range securities {
		if user := yamlnode.Text(security, "runAsUser"); user != "" {
			return user != "0"
		}
	}
	for _, security := range securities {
		if yamlnode.IsTrue(security, "runAsNonRoot") {
			return true
		}
	}
	user, _, _ := strings.Cut(imageUser, ":")
	return user != "" && user != "0" && user != "root"
}

// Limit is the container's limit of a resource, if it has one; 0 is none.
func (c *Container) Limit(name string) (resource.Quantity, bool) {
	q, err := resource.ParseQuantity(yamlnode.Text(c.Node, "resources", "limits", name))
	return q, err == nil && !q.IsZero()
}

// SumOfLimits is what the containers' limits of a resource come to, without init containers and before any edit. It is
// added up once: there may be thousands of containers, and each of them may ask. 0 is no limit.
func (p *Pod) SumOfLimits(name string) resource.Quantity {
	if sum, known := p.sums[name]; known {
		return sum.DeepCopy()
	}
	sum := resource.Quantity{}
	for _, c := range p.Containers {
		if q, ok := c.Limit(name); ok && !c.Init {
			sum.Add(q)
		}
	}
	if p.sums == nil {
		p.sums = map[string]resource.Quantity{}
	}
	p.sums[name] = sum.DeepCopy()
	return sum
}

// StorageLimit is how much its containers, their logs and its emptyDir volumes may store before the kubelet evicts the
// pod: the sum of the containers' limits (podEphemeralStorageLimitEviction in the kubelet's eviction_manager.go). 0 is
// no limit.
func (p *Pod) StorageLimit() resource.Quantity { return p.SumOfLimits("ephemeral-storage") }

// Has reports whether the pod has a container of that name.
func (p *Pod) Has(name string) bool { return p.named[name] > 0 }
