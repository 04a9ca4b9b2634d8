package language

import (
	"slices"
	"testing"
)

func TestKnownOthersAreSorted(t *testing.T) {
	if !slices.IsSorted(knownOthers) {
		t.Error("knownOthers is searched by halving and must be sorted")
	}
}
