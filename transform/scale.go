package transform

import (
	"slices"
	"strconv"
	"strings"

	functionconfig "debuggable.dev/debuggable/function-config"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// scaleDown brings a workload with a debugged container down to the wanted number of replicas, so that requests meet
// the process that the debugger is attached to. It says whether anything changed.
func (w *Workload) scaleDown(cfg functionconfig.Config) bool {
	if cfg.Replicas == 0 {
		return false
	}
	changed := false
	for _, path := range w.Kind.Replicas {
		for _, at := range lookup(w.Node, path) {
			changed = lower(at.node, cfg.Replicas) || changed
		}
	}
	for _, p := range w.Pods {
		if !w.Kind.Knative {
			continue // only Knative scales by annotations
		}
		for _, key := range []string{"min-scale", "max-scale", "initial-scale", "minScale", "maxScale", "initialScale"} {
			v := get(p.Template, "metadata", "annotations", "autoscaling.knative.dev/"+key)
			n, ok := integer(v)
			switch {
			case !ok || n > 0 && n <= cfg.Replicas || n == 0 && strings.HasPrefix(key, "initial"):
				continue
			case n == 0 && strings.HasPrefix(key, "min"):
				v.Value = "1" // a minimum of 0 lets the pod go when it is idle
			default:
				v.Value = strconv.Itoa(cfg.Replicas) // a maximum of 0 is no limit
			}
			changed = true
		}
	}
	return changed
}

// lower brings a count above the limit down to it.
func lower(node *yaml.Node, limit int) bool {
	n, ok := integer(node)
	if !ok || n <= limit {
		return false
	}
	node.Value = strconv.Itoa(limit)
	return true
}

// autoscaler is an object that sets another one's replica count.
type autoscaler struct {
	object   Object
	node     *yaml.Node
	kind     string // of the target
	name     string
	min, max string // the fields of its spec
}

// findAutoscalers lists the autoscalers of a document, in lists too.
func findAutoscalers(object Object, node *yaml.Node, depth int) []autoscaler {
	kind := text(get(node, "kind"))
	if strings.HasSuffix(kind, "List") && depth < maxListDepth {
		var found []autoscaler
		for _, item := range items(get(node, "items")) {
			if get(item, "kind") == nil && strings.TrimSuffix(kind, "List") == "HorizontalPodAutoscaler" {
				item = withKind(item, node)
			}
			found = append(found, findAutoscalers(object, item, depth+1)...)
		}
		return found
	}
	group, _, _ := strings.Cut(text(get(node, "apiVersion")), "/")
	target := get(node, "spec", "scaleTargetRef")
	a := autoscaler{object: object, node: node, kind: text(get(target, "kind")), name: text(get(target, "name"))}
	switch {
	case target == nil:
		return nil
	case group == "autoscaling" && kind == "HorizontalPodAutoscaler":
		a.min, a.max = "minReplicas", "maxReplicas"
	case group == "keda.sh" && kind == "ScaledObject":
		a.min, a.max = "minReplicaCount", "maxReplicaCount"
		if a.kind == "" {
			a.kind = "Deployment" // KEDA's default
		}
	default:
		return nil
	}
	return []autoscaler{a}
}

// withKind views an element of a typed list, which may leave out what the list says, as an object of its own. The
// fields are the element's, so edits reach it.
func withKind(item, list *yaml.Node) *yaml.Node {
	view := *item
	view.Content = append([]*yaml.Node{
		str("apiVersion"), get(list, "apiVersion"), str("kind"), str(strings.TrimSuffix(text(get(list, "kind")), "List")),
	}, item.Content...)
	return &view
}

// targets says whether the autoscaler scales the workload.
func (a autoscaler) targets(w *Workload) bool {
	return a.kind == w.kind && a.name != "" && a.name == text(get(w.Node, "metadata", "name")) && namespace(a.node) == namespace(w.Node)
}

// pin makes the autoscaler keep one number of replicas: the wanted one, or its own maximum where that is less.
func (a autoscaler) pin(replicas int) bool {
	spec := get(a.node, "spec")
	changed := false
	if n, ok := integer(get(spec, a.max)); ok && n > 0 {
		replicas = min(replicas, n)
	}
	for _, name := range []string{a.min, a.max} {
		if n, ok := integer(get(spec, name)); !ok || n != replicas {
			set(spec, name, num(replicas), "scaleTargetRef", a.min)
			changed = true
		}
	}
	if i, _ := field(spec, "idleReplicaCount"); i > 0 && a.min == "minReplicaCount" {
		// KEDA goes below the minimum to this number when nothing happens, and refuses one that is not below the minimum.
		spec.Content = slices.Delete(spec.Content, i-1, i+1)
		changed = true
	}
	return changed
}
