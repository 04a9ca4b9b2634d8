package scaling

import (
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// countsAbove lists the numbers of a workload that are above the limit, and those of Knative's annotations that are no
// number of pods to debug one in.
func countsAbove(w *workload.Workload, limit int) (counts []count) {
	for _, path := range w.Rules.Replicas {
		for _, at := range yamlnode.Lookup(w.Node, path) {
			if n, ok := yamlnode.Integer(at.Node); ok && n > limit {
				counts = append(counts, count{node: at.Node, to: limit})
			}
		}
	}
	if !w.Rules.Knative {
		return counts // only Knative scales by annotations
	}
	for _, p := range w.Pods {
		for _, key := range []string{"min-scale", "max-scale", "initial-scale", "minScale", "maxScale", "initialScale"} {
			v := yamlnode.Get(p.Template, "metadata", "annotations", "autoscaling.knative.dev/"+key)
			n, ok := yamlnode.Integer(v)
			switch {
			case !ok || n > 0 && n <= limit || n == 0 && strings.HasPrefix(key, "initial"):
			case n == 0 && strings.HasPrefix(key, "min"):
				counts = append(counts, count{v, 1, true}) // a minimum of 0 lets the pod go when it is idle
			default:
				counts = append(counts, count{v, limit, true}) // a maximum of 0 is no limit
			}
		}
	}
	return counts
}

// lower brings a count above the limit down to it.
func lower(node *yaml.Node, limit int) bool {
	n, ok := yamlnode.Integer(node)
	if !ok || n <= limit {
		return false
	}
	node.Value = strconv.Itoa(limit)
	return true
}

// target is a workload as the objects that scale it name it.
type target struct{ kind, name, namespace string }

// target is how others name the workload.
func targetOf(w *workload.Workload) target {
	return target{w.Kind, yamlnode.Name(w.Node), yamlnode.Namespace(w.Node)}
}

// autoscaler is an object that sets how many pods another one gets.
type autoscaler struct {
	object workload.Object
	node   *yaml.Node
	target target
	// the fields of its spec; min is "" for a Rollout that takes its pods from the target: it has one count
	min, max string
}

// autoscalerOf returns the autoscaler that an object is, and reports whether it is one.
func autoscalerOf(object workload.Object, e workload.Element) (a autoscaler, is bool) {
	group, _, _ := strings.Cut(e.APIVersion, "/")
	a = autoscaler{object: object, node: e.Node}
	ref := "scaleTargetRef"
	switch {
	case group == "autoscaling" && e.Kind == "HorizontalPodAutoscaler":
		a.min, a.max = "minReplicas", "maxReplicas"
	case group == "keda.sh" && e.Kind == "ScaledObject":
		a.min, a.max = "minReplicaCount", "maxReplicaCount"
	case group == "argoproj.io" && e.Kind == "Rollout":
		a.max, ref = "replicas", "workloadRef"
	default:
		return a, false
	}
	named := yamlnode.Get(e.Node, "spec", ref)
	a.target = target{yamlnode.Text(named, "kind"), yamlnode.Text(named, "name"), yamlnode.Namespace(e.Node)}
	if a.target.kind == "" && group == "keda.sh" {
		a.target.kind = "Deployment" // KEDA's default
	}
	return a, a.target.name != ""
}

// scaling lists what scales a workload, and has to keep the wanted number of replicas.
func (r *Rules) scaling(t target) (all []autoscaler) {
	found := r.autoscalers[t]
	if len(found) > 1 {
		// Workloads of one name, which an input may repeat as often as it likes, come here again, when nothing is left to
		// pin. One autoscaler stays to say that there are some.
		r.autoscalers[t] = found[:1]
	}
	for _, a := range found {
		all = append(all, a)
		if rollout := (target{"Rollout", yamlnode.Name(a.node), t.namespace}); a.min == "" && t.kind != rollout.kind {
			all = append(all, r.scaling(rollout)...) // which may be scaled in turn
		}
	}
	return all
}

// least is the number of pods that the autoscaler sees to; 0 where it does not say.
func (a autoscaler) least() int {
	field := a.min
	if field == "" {
		field = a.max
	}
	n, _ := yamlnode.Integer(a.node, "spec", field)
	return n
}

// pin makes the autoscaler keep one number of replicas: the wanted one, or its own maximum where that is less.
func (a autoscaler) pin(replicas int) bool {
	spec := yamlnode.Get(a.node, "spec")
	for _, name := range []string{a.min, a.max} {
		if _, ok := yamlnode.Integer(spec, name); !ok && yamlnode.Get(spec, name) != nil {
			return false // Kubernetes refuses it as it is; what stands there is not ours to replace
		}
	}
	if a.min == "" {
		return lower(yamlnode.Get(spec, a.max), replicas)
	}
	// The number of pods that a ScaledObject keeps while it is paused.
	changed := lower(yamlnode.Get(a.node, "metadata", "annotations", "autoscaling.keda.sh/paused-replicas"), replicas)
	if n, ok := yamlnode.Integer(spec, a.max); ok && n > 0 {
		replicas = min(replicas, n)
	}
	for _, name := range []string{a.min, a.max} {
		if n, ok := yamlnode.Integer(spec, name); !ok || n != replicas {
			yamlnode.Set(spec, name, yamlnode.Number(replicas), "scaleTargetRef", a.min)
			changed = true
		}
	}
	if a.min == "minReplicaCount" && yamlnode.Remove(spec, "idleReplicaCount") {
		// KEDA goes below the minimum to this number when nothing happens, and refuses one that is not below the minimum.
		changed = true
	}
	return changed
}
