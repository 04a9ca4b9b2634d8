package watch

import (
	"fmt"
	"testing"

	"debuggable.dev/debuggable/internal/debuginfo"
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

// TestCondition: that a container is ready, or its pod is being deleted, is known of those that run, and is no event.
func TestCondition(t *testing.T) {
	h := testHub()
	c := changes{hub: h, say: func(string, ...any) {}, runs: map[runKey]runID{}}
	p := pod{namespace: "n", name: "p", uid: "u", annotated: true, annotation: webAndDB,
		containers: []containerStatus{{name: "web", running: true}, {name: "db", id: "b", running: true}}}
	running := func() (web, db debuginfo.Running) {
		all, _ := h.running()
		if len(all) != 2 {
			t.Fatalf("%+v run", all)
		}
		return all[0], all[1]
	}
	c.observe(t.Context(), p)
	_, moved := h.running()
	records := len(h.records)
	for range 2 {
		p.containers[0].ready, p.containers[0].id = true, "a" // which virtual nodes tell late
		c.observe(t.Context(), p)
	}
	if web, db := running(); !web.Ready || web.Deleting || db.Ready || db.Deleting {
		t.Errorf("ready: %+v, %+v", web, db)
	}
	select {
	case <-moved:
	default:
		t.Error("those who look on are not told")
	}
	_, moved = h.running()
	c.observe(t.Context(), p)
	select {
	case <-moved:
		t.Error("those who look on are told of nothing new")
	default:
	}
	p.deleting, p.containers[0].ready = true, false
	c.observe(t.Context(), p)
	if web, db := running(); web.Ready || !web.Deleting || !db.Deleting {
		t.Errorf("deleting: %+v, %+v", web, db)
	}
	if len(h.records) != records {
		t.Errorf("%d events, want %d", len(h.records), records)
	}
}
