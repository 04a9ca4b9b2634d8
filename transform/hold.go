package transform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/reason"
)

// A workload may say that fewer replicas destroy data, or that its pods do not follow its template. Both are known from the manifest.

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

// scale brings a workload with a debugged container, and what scales it, down to the wanted number of replicas, unless that would
// do harm. It says whether the workload itself changed.
func (s *Scope) scale(w *workloadScope) (results fn.Results, changed bool) {
	if why := held(w.Workload); why != "" {
		results = append(results, w.Result(fn.Warning, reason.RolloutHeld, why))
	}
	if s.cfg.Replicas == 0 {
		return results, false
	}
	if why := keepsCount(w.Workload); why != "" {
		if above(w.Workload, s.cfg.Replicas) || len(s.autoscalers[targetOf(w.Workload)]) > 0 {
			results = append(results, w.Result(fn.Warning, reason.ReplicasKept, "the number of replicas stays: "+why+"; requests may meet another pod than the one that you attach to"))
		}
		return results, false
	}
	before := count(w.Workload)
	changed = scaleDown(w.Workload, s.cfg)
	s.pinAutoscalers(targetOf(w.Workload))
	if budget := s.blockedBudget(w, before); budget != "" && changed {
		results = append(results, w.Result(fn.Warning, reason.BudgetBlocks, fmt.Sprintf(
			"PodDisruptionBudget %s cannot be kept with %d of %d replicas, so nodes cannot be drained meanwhile", budget, s.cfg.Replicas, before)))
	}
	return results, changed
}

// count is the number of replicas that the workload asks for; 1 where it says nothing.
func count(w *workload.Workload) int {
	for _, path := range w.Rules.Replicas {
		for _, at := range yamlnode.Lookup(w.Node, path) {
			if n, ok := yamlnode.Integer(at.Node); ok {
				return n
			}
		}
	}
	return 1
}

// above says whether a count of the workload is above the limit.
func above(w *workload.Workload, limit int) bool {
	return slices.ContainsFunc(w.Rules.Replicas, func(path string) bool {
		return slices.ContainsFunc(yamlnode.Lookup(w.Node, path), func(at yamlnode.Located) bool {
			n, ok := yamlnode.Integer(at.Node)
			return ok && n > limit
		})
	})
}

// blockedBudget names a PodDisruptionBudget among the items that lets a pod of the workload go before it is scaled down, and none
// after; "" where there is none.
func (s *Scope) blockedBudget(w *workloadScope, before int) string {
	for _, p := range w.pods {
		for _, budget := range s.budgets.Matching(p.pod) {
			if allowed(budget, before) > 0 && allowed(budget, min(before, s.cfg.Replicas)) <= 0 {
				return yamlnode.Name(budget)
			}
		}
	}
	return ""
}

// allowed is how many pods a PodDisruptionBudget lets go of healthy ones. Percentages are rounded up
// (getExpectedPodCount in Kubernetes' pkg/controller/disruption/disruption.go).
func allowed(budget *yaml.Node, healthy int) int {
	amount := func(field string) (int, bool) {
		v := yamlnode.Text(budget, "spec", field)
		if percent, ok := strings.CutSuffix(v, "%"); ok {
			n, err := strconv.Atoi(percent)
			return (n*healthy + 99) / 100, err == nil
		}
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	if n, ok := amount("maxUnavailable"); ok {
		return n
	}
	if n, ok := amount("minAvailable"); ok {
		return healthy - n
	}
	return healthy - 1 // minAvailable is 1 by default
}
