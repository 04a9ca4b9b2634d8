// Package scaling decides how many pods a workload with a debugger keeps, so that requests meet the process that the
// debugger is attached to, and what else scales it: autoscalers, PodDisruptionBudgets, and the workload's own rules,
// under which fewer replicas may destroy data.
package scaling

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// keepsCount says why the number of a workload's replicas has to stay; "" where it may be lowered.
func keepsCount(w *workload.Workload) string {
	const claims = "with fewer replicas, the volume claims of the pods that go are deleted, and their data with them"
	spec := yamlnode.Get(w.Node, "spec")
	switch w.Rules.Kind {
	case "StatefulSet":
		if yamlnode.Text(spec, "persistentVolumeClaimRetentionPolicy", "whenScaled") == "Delete" {
			return claims + " (persistentVolumeClaimRetentionPolicy.whenScaled)"
		}
	case "CloneSet":
		// Kruise makes each pod the owner of its claims: "Scale with PVC" in the documentation of CloneSet.
		if len(yamlnode.Items(spec, "volumeClaimTemplates")) > 0 {
			return claims + " (volumeClaimTemplates of a CloneSet)"
		}
	}
	if path, value := partition(w); path != "" {
		return fmt.Sprintf("%s is %s, and the pods that would be left keep the old template", path, value)
	}
	return ""
}

// partition is the field that keeps a part of the pods at the old template, where it does.
func partition(w *workload.Workload) (path, value string) {
	for _, path := range w.Rules.Partitions {
		for _, at := range yamlnode.Lookup(w.Node, path) {
			n, err := strconv.Atoi(strings.TrimSuffix(yamlnode.Text(at.Node), "%"))
			if err == nil && n > 0 {
				return path, at.Node.Value
			}
		}
	}
	return "", ""
}

// held says why pods that run already do not get the workload's new template by themselves; "" where they do.
func held(w *workload.Workload) string {
	spec := yamlnode.Get(w.Node, "spec")
	for _, path := range []string{"paused", "updateStrategy.paused", "updateStrategy.rollingUpdate.paused"} {
		for _, at := range yamlnode.Lookup(spec, path) {
			if yamlnode.IsTrue(at.Node) {
				return fmt.Sprintf("spec.%s is true: nothing is rolled out until that changes", path)
			}
		}
	}
	if yamlnode.Text(spec, "updateStrategy", "type") == "OnDelete" {
		return "spec.updateStrategy.type is OnDelete: a pod that runs already is debuggable once you have deleted it"
	}
	if path, value := partition(w); path != "" {
		return fmt.Sprintf("%s is %s: only some of the pods get the debugger", path, value)
	}
	return ""
}

// Rules are what the objects of an input say about the number of pods.
type Rules struct {
	replicas    int // the wanted number; 0 leaves all as they are
	autoscalers map[target][]autoscaler
	budgets     workload.Selectors[budget]
}

// NewRules returns the rules of an input without objects, where workloads with a debugger are to have so many replicas;
// 0 leaves them.
func NewRules(replicas int) *Rules {
	return &Rules{replicas: replicas, autoscalers: map[target][]autoscaler{}, budgets: workload.NewSelectors[budget]()}
}

// Add records what an object says, and reports whether its nodes are referred to.
func (r *Rules) Add(object workload.Object, e workload.Element) (referred bool) {
	if group, _, _ := strings.Cut(e.APIVersion, "/"); group == "policy" && e.Kind == "PodDisruptionBudget" {
		r.budgets.Add(e.Node, yamlnode.Get(e.Node, "spec", "selector", "matchLabels"), budget{yamlnode.Name(e.Node),
			yamlnode.Text(e.Node, "spec", "maxUnavailable"), yamlnode.Text(e.Node, "spec", "minAvailable")})
	}
	a, is := autoscalerOf(object, e)
	if is {
		r.autoscalers[a.target] = append(r.autoscalers[a.target], a)
	}
	return is
}

// Plan is what is to be done with the number of a workload's pods.
type Plan struct {
	Results fn.Results

	counts   []count
	pinned   []autoscaler
	replicas int
}

// count is a number in a workload and what becomes of it.
type count struct {
	node      *yaml.Node
	to        int
	annotated bool // it is an annotation's
}

// Plan plans to bring a workload that gets a debugger, and what scales it, down to the wanted number of replicas,
// unless that would do harm.
func (r *Rules) Plan(w *workload.Workload) Plan {
	p := Plan{replicas: r.replicas}
	if why := held(w); why != "" {
		p.Results = append(p.Results, w.Result(fn.Warning, reason.RolloutHeld, why))
	}
	if r.replicas == 0 {
		return p
	}
	counts := countsAbove(w, r.replicas)
	if why := keepsCount(w); why != "" {
		if len(r.autoscalers[targetOf(w)]) > 0 || slices.ContainsFunc(counts, func(c count) bool { return !c.annotated }) {
			p.Results = append(p.Results, w.Result(fn.Warning, reason.ReplicasKept,
				"the number of replicas stays: "+why+"; requests may meet another pod than the one that you attach to"))
		}
		return p
	}
	p.counts, p.pinned = counts, r.scaling(targetOf(w))
	before := replicasOf(w)
	for _, a := range p.pinned {
		before = max(before, a.least())
	}
	if budget := r.blockedBudget(w, before); budget != "" && (len(counts) > 0 || before > r.replicas) {
		p.Results = append(p.Results, w.Result(fn.Warning, reason.BudgetBlocks, fmt.Sprintf(
			"PodDisruptionBudget %s cannot be kept with %d of %d replicas, so nodes cannot be drained meanwhile", budget,
			r.replicas, before)))
	}
	return p
}

// Apply edits the workload, and reports whether it did.
func (p Plan) Apply() bool {
	for _, c := range p.counts {
		c.node.Value = strconv.Itoa(c.to)
	}
	return len(p.counts) > 0
}

// Pins reports whether there is anything that scales the workload.
func (p Plan) Pins() bool { return len(p.pinned) > 0 }

// WithoutCounts is the plan for what scales the workload alone, which does not refer to the workload.
func (p Plan) WithoutCounts() Plan { return Plan{pinned: p.pinned, replicas: p.replicas} }

// Pin edits what scales the workload.
func (p Plan) Pin() {
	for _, a := range p.pinned {
		if a.pin(p.replicas) {
			a.object.MarkEdited()
		}
	}
}

// replicasOf is the number of replicas that the workload asks for; 1 where it says nothing.
func replicasOf(w *workload.Workload) int {
	for _, path := range w.Rules.Replicas {
		for _, at := range yamlnode.Lookup(w.Node, path) {
			if n, ok := yamlnode.Integer(at.Node); ok {
				return n
			}
		}
	}
	return 1
}

// blockedBudget names a PodDisruptionBudget among the items that lets a pod of the workload go before it is scaled
// down, and none after; "" where there is none.
func (r *Rules) blockedBudget(w *workload.Workload, before int) string {
	for _, p := range w.Pods {
		for _, same := range r.budgets.Matching(p) {
			for _, budget := range same.What {
				if budget.allowed(before) > 0 && budget.allowed(min(before, r.replicas)) <= 0 {
					return budget.name
				}
			}
		}
	}
	return ""
}

// budget is what a PodDisruptionBudget says.
type budget struct{ name, maxUnavailable, minAvailable string }

// allowed is how many pods a PodDisruptionBudget lets go of healthy ones. Percentages are rounded up
// (getExpectedPodCount in Kubernetes' pkg/controller/disruption/disruption.go).
func (b budget) allowed(healthy int) int {
	amount := func(v string) (int, bool) {
		if percent, ok := strings.CutSuffix(v, "%"); ok {
			n, err := strconv.Atoi(percent)
			return (n*healthy + 99) / 100, err == nil
		}
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	if n, ok := amount(b.maxUnavailable); ok {
		return n
	}
	if n, ok := amount(b.minAvailable); ok {
		return healthy - n
	}
	return healthy - 1 // minAvailable is 1 by default
}
