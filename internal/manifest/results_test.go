package manifest

import (
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// TestResultNode compares the nodes that are made of results with those that the library makes.
func TestResultNode(t *testing.T) {
	results := fn.Results{
		{},
		{Message: "plain", Severity: fn.Info},
		{Message: "container c: it's \"so\" # really\nand more", Severity: fn.Error,
			Tags: map[string]string{"reason": "X", "port": "9229", "empty": "", "y": "no"}},
		{Message: "ü", ResourceRef: &fn.ResourceRef{APIVersion: "v1", Kind: "Pod", Name: "1e3", Namespace: "null"},
			Field: &fn.Field{Path: "a[0].b"}},
		{ResourceRef: &fn.ResourceRef{}, Field: &fn.Field{}, File: &fn.File{}},
		{File: &fn.File{Path: "a: b.yaml", Index: 3},
			Field: &fn.Field{Path: "x", CurrentValue: map[string]any{"a": 1}, ProposedValue: []string{"b"}}},
	}
	for _, r := range results {
		ours, err := resultNode(r)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := marshalledResult(r)
		if err != nil {
			t.Fatal(err)
		}
		st := defaultStyle
		a, err := st.marshal(ours)
		if err != nil {
			t.Fatal(err)
		}
		b, err := st.marshal(theirs)
		if err != nil || string(a) != string(b) || !sameTree(ours, theirs) {
			t.Errorf("the library makes of %+v\n%s, not\n%s", r, b, a)
		}
	}
}
