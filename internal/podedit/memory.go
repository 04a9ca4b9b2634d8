package podedit

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

const (
	// ampleMemory is how many times what a debugger takes for an ordinary program a limit is raised by. A limit reserves
	// nothing, and what the debugger really takes grows with the program.
	ampleMemory = 3
	// leastProgram is what a program is taken to need, in MiB, where the manifest does not say.
	leastProgram = 32
)

// memoryRules are what a namespace's LimitRanges and ResourceQuotas among the items say about memory limits.
type memoryRules struct {
	byDefault      string             // the limit of a container that has none
	most, mostPod  *resource.Quantity // of a container, of a pod's containers together
	limitToRequest *resource.Quantity // how many times its request a container's limit may be
	counted        bool               // a quota counts limits, so that more of one pod may leave too little for another
}

// Memory decides on memory limits, by the rules of namespaces among the items.
type Memory struct {
	keep        bool // no limit is raised
	byNamespace map[string]*memoryRules
}

// NewMemory returns what decides where nothing is known of namespaces; keep leaves all limits as they are.
func NewMemory(keep bool) *Memory { return &Memory{keep: keep, byNamespace: map[string]*memoryRules{}} }

// Add records what a LimitRange or a ResourceQuota says; of other objects, nothing.
func (m *Memory) Add(e workload.Element) {
	if e.APIVersion != "v1" || e.Kind != "LimitRange" && e.Kind != "ResourceQuota" {
		return
	}
	node := e.Node
	r := m.byNamespace[yamlnode.Namespace(node)]
	if r == nil {
		r = &memoryRules{}
		m.byNamespace[yamlnode.Namespace(node)] = r
	}
	if e.Kind == "ResourceQuota" {
		r.counted = r.counted || yamlnode.Get(node, "spec", "hard", "limits.memory") != nil
		return
	}
	for _, limit := range yamlnode.Items(node, "spec", "limits") {
		switch yamlnode.Text(limit, "type") {
		case "Container":
			if v := yamlnode.Text(limit, "default", "memory"); v != "" {
				r.byDefault = v
			}
			r.most = lesser(r.most, yamlnode.Text(limit, "max", "memory"))
			r.limitToRequest = lesser(r.limitToRequest, yamlnode.Text(limit, "maxLimitRequestRatio", "memory"))
		case "Pod":
			r.mostPod = lesser(r.mostPod, yamlnode.Text(limit, "max", "memory"))
		}
	}
}

// quantity reads an amount, and reports whether it is one.
func quantity(written string) (resource.Quantity, bool) {
	q, err := resource.ParseQuantity(written)
	return q, err == nil
}

// lesser is the lesser of two amounts; what is none counts for nothing.
func lesser(q *resource.Quantity, written string) *resource.Quantity {
	other, is := quantity(written)
	if !is || q != nil && q.Cmp(other) <= 0 {
		return q
	}
	return &other
}

// MemoryRaise is a container's new memory limit.
type MemoryRaise struct {
	From, To string
	by       resource.Quantity
	request  string // what the request is to be, where the manifest leaves it to follow the limit; "" otherwise
}

// Plan decides on the memory limit of a container that is about to be debugged; nil leaves it. It refuses a container
// whose limit cannot hold its debugger and may not be raised: a program that is killed for it is worse off than one
// without.
func (m *Memory) Plan(c *workload.Container, needed int) (*MemoryRaise, error) {
	need := *resource.NewQuantity(int64(needed)*mebi, resource.BinarySI)
	rules := m.byNamespace[yamlnode.Namespace(c.Pod.Workload.Node)]
	if rules == nil {
		rules = &memoryRules{}
	}
	written := yamlnode.Text(c.Node, "resources", "limits", "memory")
	if written == "" {
		written = rules.byDefault
	}
	limit, limited := quantity(written)
	if !limited || limit.IsZero() || need.IsZero() {
		return nil, nil
	}
	request, hasRequest := quantity(yamlnode.Text(c.Node, "resources", "requests", "memory"))
	want := limit.DeepCopy()
	for range ampleMemory {
		want.Add(need)
	}
	to := want.DeepCopy()
	for _, most := range []*resource.Quantity{m.most(c.Pod, rules, limit, want), rules.most,
		ratioOf(rules.limitToRequest, request, hasRequest)} {
		if most != nil && most.Cmp(to) < 0 {
			to = most.DeepCopy()
		}
	}
	if to.Cmp(limit) <= 0 {
		to = limit
	}
	floor := *resource.NewQuantity(leastProgram*mebi, resource.BinarySI)
	if hasRequest && request.Cmp(limit) < 0 {
		floor = request.DeepCopy()
	}
	floor.Add(need)
	switch {
	case to.Cmp(floor) < 0:
		return nil, reason.Refuse(reason.TightMemory, "the debugger takes some %dMi, and the container's memory limit of "+
			"%s cannot hold that and may not be raised%s",
			needed, written, m.whyNotRaised(rules))
	case to.Cmp(limit) == 0:
		return nil, nil
	}
	by := to.DeepCopy()
	by.Sub(limit)
	raise := &MemoryRaise{From: written, To: to.String(), by: by}
	if !hasRequest {
		// Kubernetes takes the limit for the request, where that is missing; and what is scheduled is to stay what it was.
		raise.request = written
	}
	return raise, nil
}

// most is the limit itself where it may not be raised at all; nil otherwise.
func (m *Memory) most(p *workload.Pod, rules *memoryRules, limit, want resource.Quantity) *resource.Quantity {
	if m.keep || rules.counted {
		return &limit
	}
	if rules.mostPod == nil {
		return nil
	}
	sum, by := p.SumOfLimits("memory"), want.DeepCopy()
	by.Sub(limit)
	by.Mul(int64(len(p.Containers))) // each of them may be raised by as much
	sum.Add(by)
	if sum.Cmp(*rules.mostPod) > 0 {
		return &limit
	}
	return nil
}

func ratioOf(ratio *resource.Quantity, request resource.Quantity, hasRequest bool) *resource.Quantity {
	if ratio == nil || !hasRequest {
		return nil
	}
	return resource.NewQuantity(int64(ratio.AsApproximateFloat64()*float64(request.Value())), resource.BinarySI)
}

func (m *Memory) whyNotRaised(rules *memoryRules) string {
	switch {
	case m.keep:
		return " (memory: keep)"
	case rules.counted:
		return ": a ResourceQuota counts limits"
	default:
		return " by more: a LimitRange says so"
	}
}

// Write writes the new limit, and the pod's own where it has one; nil writes nothing.
func (raise *MemoryRaise) Write(c *workload.Container) error {
	if raise == nil {
		return nil
	}
	resources, err := yamlnode.Ensure(c.Node, "resources", yaml.MappingNode)
	if err != nil {
		return err
	}
	for _, amount := range []struct{ field, to string }{{"limits", raise.To}, {"requests", raise.request}} {
		if amount.to == "" {
			continue
		}
		amounts, err := yamlnode.Ensure(resources, amount.field, yaml.MappingNode)
		if err != nil {
			return err
		}
		yamlnode.SetQuantity(amounts, "memory", amount.to)
	}
	if pod := yamlnode.Get(c.Pod.Spec, "resources", "limits", "memory"); pod != nil {
		if q, is := quantity(pod.Value); is {
			q.Add(raise.by)
			pod.Value = q.String()
		}
	}
	return nil
}
