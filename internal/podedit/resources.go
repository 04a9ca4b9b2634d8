package podedit

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

const mebi = 1 << 20

// installerResources gives the init container requests and limits where the pod's containers have any, so that a
// ResourceQuota admits it: the least that a container has, if that is not much. Much less could be below the minimum of
// a LimitRange, which the manifest does not show; more would raise the pod's share of the node, for which an init
// container counts by the maximum, or change its quality of service.
func installerResources(p *workload.Pod) *yaml.Node {
	resources := &yaml.Node{Kind: yaml.MappingNode}
	limits := map[string]least{}
	for _, kind := range []string{"limits", "requests"} {
		amounts := &yaml.Node{Kind: yaml.MappingNode}
		for _, r := range []struct{ name, most string }{{"cpu", "500m"}, {"ephemeral-storage", "1Gi"}, {"memory", "512Mi"}} {
			l, found := leastOf(p, kind, r.name)
			if !found {
				continue
			}
			if most := resource.MustParse(r.most); most.Cmp(l.amount) < 0 {
				l = least{most, r.most}
			}
			// The limits may be another container's: a request above its limit is refused.
			if limit, ok := limits[r.name]; ok && limit.amount.Cmp(l.amount) < 0 {
				l = limit
			}
			if kind == "limits" {
				limits[r.name] = l
			}
			yamlnode.Set(amounts, r.name, yamlnode.String(l.written))
		}
		if len(amounts.Content) > 0 {
			yamlnode.Set(resources, kind, amounts)
		}
	}
	if len(resources.Content) == 0 {
		return nil
	}
	return resources
}

// least is the smallest amount of a resource that a container of a pod has, and how the manifest writes it.
type least struct {
	amount  resource.Quantity
	written string
}

// leastOf finds the smallest amount in the containers' limits or requests, if any has one.
func leastOf(p *workload.Pod, kind, name string) (l least, found bool) {
	for _, c := range p.Containers {
		written := yamlnode.Text(c.Node, "resources", kind, name)
		amount, err := resource.ParseQuantity(written)
		if err == nil && (!found || amount.Cmp(l.amount) < 0) {
			l, found = least{amount, written}, true
		}
	}
	return l, found
}
