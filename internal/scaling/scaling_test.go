package scaling

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// fakeObject counts how often it is edited.
type fakeObject struct{ edits int }

func (o *fakeObject) Node() *yaml.RNode   { return nil }
func (o *fakeObject) MarkEdited()         { o.edits++ }
func (o *fakeObject) File() (string, int) { return "", 0 }

// TestPinAutoscalersGrowth pins many autoscalers of one name for many workloads of that name: work that grows with
// their number, not with its square, and edits each of them once.
func TestPinAutoscalersGrowth(t *testing.T) {
	const many = 20000
	web := target{"Deployment", "web", ""}
	item := "- {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: {maxReplicas: 5, scaleTargetRef: " +
		"{kind: Deployment, name: web}}}\n"
	list := yaml.MustParse("apiVersion: v1\nkind: List\nitems:\n" + strings.Repeat(item, many)).YNode()
	object := &fakeObject{}
	r := NewRules(1)
	for _, e := range workload.Elements(list) {
		r.Add(object, e)
	}
	if n := len(r.autoscalers[web]); n != many {
		t.Fatalf("found %d autoscalers, want %d", n, many)
	}
	start := time.Now()
	for range many {
		Plan{pinned: r.scaling(web), replicas: 1}.Pin()
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("pinning took %v", took)
	}
	if object.edits != many {
		t.Errorf("%d edits, want %d", object.edits, many)
	}
	for i, n := range yamlnode.Items(list, "items") {
		if got := yamlnode.Text(n, "spec", "minReplicas") + ".." + yamlnode.Text(n, "spec", "maxReplicas"); got != "1..1" {
			t.Fatalf("autoscaler %d is pinned to %q", i, got)
		}
	}
	if len(r.autoscalers[web]) == 0 {
		t.Error("nothing says any more that the workload has autoscalers")
	}
}
