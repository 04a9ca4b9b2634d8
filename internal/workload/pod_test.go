package workload

import (
	"testing"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// TestSumOfLimits: the limits of all containers that stay are added up, once for all who ask.
func TestSumOfLimits(t *testing.T) {
	limited := func(amount string, init bool) *Container {
		limits := yamlnode.Mapping("memory", yamlnode.String(amount))
		return &Container{Init: init, Node: yamlnode.Mapping("resources", yamlnode.Mapping("limits", limits))}
	}
	p := &Pod{Containers: []*Container{limited("1Gi", true), limited("64Mi", false), limited("0", false),
		limited("1Mi", false)}}
	for range 2 {
		sum := p.SumOfLimits("memory")
		if sum.String() != "65Mi" {
			t.Errorf("got %v", sum.String())
		}
		sum.Add(sum) // what one does with it is nothing to others
		p.Containers = nil
	}
	if sum := p.StorageLimit(); !sum.IsZero() {
		t.Errorf("got %v of another resource", sum.String())
	}
}
