package process

import (
	"fmt"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/workload"
)

// TestContainersShareWhatEnvFromSets: one ConfigMap's variables are made once for all containers that have them and
// nothing of their own, and for those that have there is a bound.
func TestContainersShareWhatEnvFromSets(t *testing.T) {
	const keys = 2048
	container := func(own string) *workload.Container {
		node := yaml.MustParse("envFrom: [{configMapRef: {name: c}}]\n" + own).YNode()
		object := yaml.MustParse("kind: Pod").YNode()
		return &workload.Container{Node: node, Pod: &workload.Pod{Workload: &workload.Workload{Node: object}}}
	}
	known, data := NewSources(), map[string]string{}
	for i := range keys {
		data[fmt.Sprintf("K%d", i)] = "v"
	}
	known.data[[3]string{"ConfigMap", "", "c"}] = source{values: data, bytes: 6 * keys}
	for range 10 * maxCopies / keys {
		if e := EnvironmentOf(container(""), image.Config{}, known); len(e.all) != keys || e.expanded.tooLarge() != nil {
			t.Fatalf("%d variables, %v", len(e.all), e.expanded.tooLarge())
		}
	}
	if known.copies != keys {
		t.Errorf("%d variables are made for containers that have the same", known.copies)
	}
	left := 0
	for range 2 * maxCopies / keys {
		if EnvironmentOf(container("env: [{name: A, value: x}]"), image.Config{}, known).expanded.tooLarge() != nil {
			left++
		}
	}
	if known.copies > 3*maxCopies || left < maxCopies/keys {
		t.Errorf("%d variables are made, and %d containers left alone", known.copies, left)
	}
}

// TestManyLongValues: what thousands of containers are given of one long value is bounded in all.
func TestManyLongValues(t *testing.T) {
	known := NewSources()
	known.data[[3]string{"ConfigMap", "", "c"}] = source{values: map[string]string{"A": "x"}, bytes: 5 << 20}
	node := yaml.MustParse("envFrom: [{configMapRef: {name: c}}]").YNode()
	c := &workload.Container{Node: node, Pod: &workload.Pod{Workload: &workload.Workload{
		Node: yaml.MustParse("kind: Pod").YNode()}}}
	left := 0
	for range 2 * maxGiven / (5 << 20) {
		if EnvironmentOf(c, image.Config{}, known).expanded.tooLarge() != nil {
			left++
		}
	}
	if left < maxGiven/(5<<20) || left > maxGiven/(5<<20)+2 {
		t.Errorf("%d containers are left alone", left)
	}
}
