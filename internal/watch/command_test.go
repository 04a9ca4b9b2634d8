package watch

import (
	"fmt"
	"testing"
)

// However long the watch runs and whatever comes and goes, what is kept of it does not grow.
func TestLongRunKeepsNothing(t *testing.T) {
	h := testHub()
	h.limit = 100
	c := changes{hub: h, say: func(string, ...any) {}, runs: map[runKey]runID{}}
	for i := range 2000 {
		p := pod{namespace: "n", name: fmt.Sprint("p", i%10), uid: fmt.Sprint("u", i/50), annotated: i%7 > 0,
			annotation: webAndDB}
		if i%11 == 0 {
			p.annotation = fmt.Sprint("broken ", i)
		}
		for _, name := range []string{"web", "db"} {
			p.containers = append(p.containers,
				containerStatus{name: name, id: fmt.Sprint(name, i), restartCount: int32(i), running: i%3 > 0})
		}
		c.observe(t.Context(), p)
		if n := len(c.runs); n != len(h.runs) || n > 20 {
			t.Fatalf("look %d: %d runs are known, %d are published, of 10 pods with two containers", i, n, len(h.runs))
		}
		if n := len(h.records); n > 150 {
			t.Fatalf("look %d: %d records", i, n)
		}
	}
	for i := range 10 {
		c.forget(t.Context(), "n", fmt.Sprint("p", i))
	}
	if len(c.runs)+len(h.runs)+len(c.tracker.pods) > 0 {
		t.Errorf("left over: %v, %v, %v", c.runs, h.runs, c.tracker.pods)
	}
}
