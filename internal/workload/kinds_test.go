package workload

import (
	"slices"
	"testing"
)

func TestKindsAreSortedOut(t *testing.T) {
	var seen []string
	for _, k := range Kinds() {
		id := k.Group + "/" + k.Kind
		if slices.Contains(seen, id) {
			t.Errorf("%s is in the table twice", id)
		}
		seen = append(seen, id)
		if len(k.Template) == 0 {
			t.Errorf("%s has no template", id)
		}
	}
}
