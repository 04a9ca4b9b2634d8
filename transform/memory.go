package transform

import (
	"fmt"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const (
	// ampleMemory is how many times what a debugger takes for an ordinary program a limit is raised by. A limit reserves nothing, and what
	// the debugger really takes grows with the program.
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

// addMemoryRules records what a LimitRange or a ResourceQuota says.
func (s *Scope) addMemoryRules(node *yaml.Node, kind string) {
	r := s.memory[yamlnode.Namespace(node)]
	if r == nil {
		r = &memoryRules{}
		s.memory[yamlnode.Namespace(node)] = r
	}
	if kind == "ResourceQuota" {
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

// memoryRaise is a container's new memory limit.
type memoryRaise struct {
	from, to string
	by       resource.Quantity
	request  string // what the request is to be, where the manifest leaves it to follow the limit; "" otherwise
}

// planMemory decides on the memory limit of a container that is about to be debugged; nil leaves it. It refuses a container whose
// limit cannot hold its debugger and may not be raised: a program that is killed for it is worse off than one without.
func (s *Scope) planMemory(a *attachment) (*memoryRaise, error) {
	need := *resource.NewQuantity(int64(a.plan.Memory)*mebi, resource.BinarySI)
	rules := s.memory[yamlnode.Namespace(a.Pod.Workload.Node)]
	if rules == nil {
		rules = &memoryRules{}
	}
	written := yamlnode.Text(a.Node, "resources", "limits", "memory")
	if written == "" {
		written = rules.byDefault
	}
	limit, limited := quantity(written)
	if !limited || limit.IsZero() || need.IsZero() {
		return nil, nil
	}
	request, hasRequest := quantity(yamlnode.Text(a.Node, "resources", "requests", "memory"))
	want := limit.DeepCopy()
	for range ampleMemory {
		want.Add(need)
	}
	to := want.DeepCopy()
	for _, most := range []*resource.Quantity{s.mostMemory(a, rules, limit, want), rules.most, ratioOf(rules.limitToRequest, request, hasRequest)} {
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
		return nil, &reason.Refusal{Code: reason.TightMemory, Message: fmt.Sprintf(
			"the debugger takes some %dMi, and the container's memory limit of %s cannot hold that and may not be raised%s",
			a.plan.Memory, written, s.whyNotRaised(rules))}
	case to.Cmp(limit) == 0:
		return nil, nil
	}
	by := to.DeepCopy()
	by.Sub(limit)
	raise := &memoryRaise{from: written, to: to.String(), by: by}
	if !hasRequest {
		// Kubernetes takes the limit for the request, where that is missing; and what is scheduled is to stay what it was.
		raise.request = written
	}
	return raise, nil
}

// mostMemory is the limit itself where it may not be raised at all; nil otherwise.
func (s *Scope) mostMemory(a *attachment, rules *memoryRules, limit, want resource.Quantity) *resource.Quantity {
	if s.cfg.Memory == "keep" || rules.counted {
		return &limit
	}
	if rules.mostPod == nil {
		return nil
	}
	sum := resource.Quantity{}
	for _, c := range a.Pod.Containers {
		if q, ok := c.Limit("memory"); ok && !c.Init {
			sum.Add(q)
		}
	}
	by := want.DeepCopy()
	by.Sub(limit)
	for range a.Pod.Containers { // each of them may be raised by as much
		sum.Add(by)
	}
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

func (s *Scope) whyNotRaised(rules *memoryRules) string {
	switch {
	case s.cfg.Memory == "keep":
		return " (memory: keep)"
	case rules.counted:
		return ": a ResourceQuota counts limits"
	default:
		return " by more: a LimitRange says so"
	}
}

// raiseMemory writes the new limit, and the pod's own where it has one.
func (a *attachment) raiseMemory() error {
	raise := a.memory
	if raise == nil {
		return nil
	}
	resources, err := yamlnode.Ensure(a.Node, "resources", yaml.MappingNode)
	if err != nil {
		return err
	}
	for _, amount := range []struct{ field, to string }{{"limits", raise.to}, {"requests", raise.request}} {
		if amount.to == "" {
			continue
		}
		amounts, err := yamlnode.Ensure(resources, amount.field, yaml.MappingNode)
		if err != nil {
			return err
		}
		yamlnode.SetQuantity(amounts, "memory", amount.to)
	}
	if pod := yamlnode.Get(a.Pod.Spec, "resources", "limits", "memory"); pod != nil {
		if q, is := quantity(pod.Value); is {
			q.Add(raise.by)
			pod.Value = q.String()
		}
	}
	return nil
}
