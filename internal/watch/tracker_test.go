package watch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/debuginfo"
)

const webAndDB = `{"web":{"artifact":"app","runtime":"go","ports":{"dlv":56268}},"db":{"runtime":"jvm",` +
	`"ports":{"jdwp":5005}}}`

// step is one look at the pod "p" in namespace "n", in a short form that the tests are written in:
//
//	"u1: web=a/0 db=-"  the pod with UID u1; container web runs with ID a and restart count 0; db does not run
//	"gone"              the pod is gone
type step struct {
	look       string
	annotation string // "" for the annotation of the step before; "none" for no annotation
	want       string // "+web:a" for started, "-web:a" for terminated, in order; "warning" first for an error
}

func TestTracker(t *testing.T) {
	for name, steps := range map[string][]step{
		"waiting, running, terminated": {
			{look: "u1: web=-", annotation: webAndDB},
			{look: "u1: web=a/0", want: "+web:a"},
			{look: "u1: web=a/0"},
			{look: "u1: web=-", want: "-web:a"},
			{look: "u1: web=-"},
		},
		"running at the first look":   {{look: "u1: web=a/0 db=b/0", annotation: webAndDB, want: "+web:a +db:b"}},
		"ended before the first look": {{look: "u1: web=-", annotation: webAndDB}},
		"restarted between two looks": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u1: web=b/1", want: "-web:a +web:b"},
			{look: "u1: web=d/3", want: "-web:b +web:d"},
		},
		"one of two restarts": {
			{look: "u1: web=a/0 db=b/0", annotation: webAndDB, want: "+web:a +db:b"},
			{look: "u1: web=c/1 db=b/0", want: "-web:a +web:c"},
		},
		"no container ID": {
			{look: "u1: web=/0", annotation: webAndDB, want: "+web:"},
			{look: "u1: web=/0"},
			{look: "u1: web=/1", want: "-web: +web:"},
		},
		"container ID that comes late, or gets lost": {
			{look: "u1: web=/0", annotation: webAndDB, want: "+web:"},
			{look: "u1: web=a/0"},
			{look: "u1: web=b/1", want: "-web: +web:b"},
			{look: "u1: web=/1"},
			{look: "u1: web=/2", want: "-web:b +web:"},
		},
		"same ID, restart count corrected": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u1: web=a/1"},
		},
		"a container that the annotation does not list": {
			{look: "u1: other=x/0 web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u1: other=y/1 web=a/0"},
		},
		"pod gone": {{look: "u1: web=a/0 db=b/0", annotation: webAndDB, want: "+web:a +db:b"},
			{look: "gone", want: "-web:a -db:b"}, {look: "gone"}},
		"pod that was never seen": {{look: "gone"}},
		"replaced under the same name": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u2: web=b/0", want: "-web:a +web:b"},
			{look: "u3: web=-", want: "-web:b"},
		},
		"replaced by a pod that is not debuggable": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u2: web=b/0", annotation: "none", want: "-web:a"},
		},
		"status lost": {{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"}, {look: "u1:", want: "-web:a"}},
		"annotation added": {
			{look: "u1: web=a/0", annotation: "none"},
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
		},
		"annotation taken away and put back": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u1: web=a/0", annotation: "none", want: "-web:a"},
			{look: "u1: web=b/1"},
			{look: "u1: web=b/1", annotation: webAndDB, want: "+web:b"},
		},
		"annotation says another port": {
			{look: "u1: web=a/0 db=b/0", annotation: webAndDB, want: "+web:a +db:b"},
			{look: "u1: web=a/0 db=b/0", annotation: strings.Replace(webAndDB, "56268", "40000", 1), want: "-web:a +web:a"},
		},
		"annotation written in another order": {
			{look: "u1: web=a/0 db=b/0", annotation: webAndDB, want: "+web:a +db:b"},
			{look: "u1: web=a/0 db=b/0",
				annotation: `{"db":{"ports":{"jdwp":5005},"runtime":"jvm"}, ` +
					`"web":{"artifact":"app","runtime":"go","ports":{"dlv":56268}}}`},
		},
		"annotation lists one more": {
			{look: "u1: web=a/0 db=b/0", annotation: `{"web":{}}`, want: "+web:a"},
			{look: "u1: web=a/0 db=b/0", annotation: `{"web":{},"db":{}}`, want: "+db:b"},
			{look: "u1: web=a/0 db=b/0", annotation: `{"db":{}}`, want: "-web:a"},
		},
		"broken annotation": {
			{look: "u1: web=a/0", annotation: `{"web":`, want: "warning"},
			{look: "u1: web=a/0"},
			{look: "u1: web=b/1"},
			{look: "u1: web=b/1", annotation: `[]`, want: "warning"},
			{look: "u1: web=b/1", annotation: webAndDB, want: "+web:b"},
			{look: "u1: web=b/1", annotation: `[]`}, // warned of already
			{look: "u1: web=c/2", want: "-web:b"},
			{look: "u2: web=d/0", want: "warning"}, // another pod
		},
		"annotation broken while a container runs, and mended": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u1: web=a/0", annotation: "oops", want: "warning"},
			{look: "u1: web=a/0", annotation: webAndDB},
		},
		"annotation broken as the container restarts": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u1: web=b/1", annotation: "oops", want: "warning -web:a"},
			{look: "u1: web=b/1", annotation: webAndDB, want: "+web:b"},
		},
		"annotation broken, then gone with the pod": {
			{look: "u1: web=a/0", annotation: webAndDB, want: "+web:a"},
			{look: "u1: web=a/0", annotation: "oops", want: "warning"},
			{look: "gone", want: "-web:a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var tr tracker
			annotation := ""
			for i, s := range steps {
				if s.annotation != "" {
					annotation = s.annotation
				}
				if got := takeStep(&tr, s.look, annotation); got != s.want {
					t.Errorf("step %d (%s): got %q, want %q", i, s.look, got, s.want)
				}
			}
		})
	}
}

// takeStep shows the tracker a look in short form, and returns its answer in short form.
func takeStep(tr *tracker, look, annotation string) string {
	var changes []change
	var out []string
	if look == "gone" {
		changes = tr.forget("n", "p")
	} else {
		p := pod{namespace: "n", name: "p", annotated: annotation != "none", annotation: annotation}
		uid, rest, _ := strings.Cut(look, ":")
		p.uid = uid
		for _, word := range strings.Fields(rest) {
			name, status, _ := strings.Cut(word, "=")
			s := containerStatus{name: name, running: status != "-"}
			if s.running {
				id, count, _ := strings.Cut(status, "/")
				s.id = id
				fmt.Sscan(count, &s.restartCount)
			}
			p.containers = append(p.containers, s)
		}
		var err error
		if changes, err = tr.observe(p); err != nil {
			out = append(out, "warning")
		}
	}
	for _, c := range changes {
		sign := "-"
		if c.started {
			sign = "+"
		}
		out = append(out, sign+c.container.name+":"+c.container.id)
	}
	return strings.Join(out, " ")
}

// What is reported as terminated is what was reported as started, also where the annotation or the restart count has
// changed since.
func TestTerminatedSaysWhatStartedSaid(t *testing.T) {
	var tr tracker
	look := pod{namespace: "n", name: "p", uid: "u", annotated: true, annotation: webAndDB,
		containers: []containerStatus{{name: "web", id: "a", restartCount: 2, running: true}}}
	first, err := tr.observe(look)
	if err != nil || len(first) != 1 {
		t.Fatalf("got %v, %v", first, err)
	}
	look.annotation = `{"web":{"runtime":"jvm"}}`
	look.containers = []containerStatus{{name: "web", id: "b", restartCount: 3}}
	second, err := tr.observe(look)
	if err != nil || len(second) != 1 {
		t.Fatalf("got %v, %v", second, err)
	}
	got, want := second[0].container, first[0].container
	if got.id != want.id || got.restartCount != 2 || !sameInfo(got.info, want.info) || got.info.Runtime != "go" {
		t.Errorf("terminated %+v, want what was started, %+v", got, want)
	}
}

// A history is the truth about one pod name: looks that follow one another in the cluster. The tracker gets to see some
// of them.
type history struct {
	looks []pod // a pod without a UID stands for no pod
}

func randomHistory(r *rand.Rand, name string) history {
	var h history
	names := []string{"init", "web", "db", "other"}
	ids, uids := 0, 0
	var now pod
	for range 40 {
		switch {
		case now.uid == "":
			uids++
			now = pod{namespace: "n", name: name, uid: fmt.Sprintf("%s-%d", name, uids), annotated: r.IntN(8) > 0}
			now.annotation = randomAnnotation(r)
			for _, n := range names {
				now.containers = append(now.containers, containerStatus{name: n})
			}
		case r.IntN(15) == 0:
			now = pod{namespace: "n", name: name}
		case r.IntN(10) == 0:
			now.annotated = r.IntN(4) > 0
			now.annotation = randomAnnotation(r)
		default:
			now.containers = slices.Clone(now.containers)
			c := &now.containers[r.IntN(len(now.containers))]
			if c.running {
				c.running = false
				c.restartCount++
			} else {
				ids++
				c.id = fmt.Sprintf("%s-%s-%d", name, c.name, ids)
				c.running = true
			}
		}
		h.looks = append(h.looks, now)
	}
	return h
}

func randomAnnotation(r *rand.Rand) string {
	return []string{
		webAndDB, webAndDB, webAndDB,
		`{"init":{},"web":{}}`,
		`{"web":{"ports":{"dlv":1}}}`,
		`{}`,
		`{"web":`,
	}[r.IntN(7)]
}

// Whatever is missed between two looks: a container is started, then terminated, never twice the same; a successor
// starts after its predecessor ended; what is held to be running after a look is what runs; and nothing is left at the
// end.
func TestTrackerProperties(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		histories := []history{randomHistory(r, "p"), randomHistory(r, "q")}
		seen := r.Float64() // the share of looks that gets through
		var tr tracker
		reported := map[string]debuginfo.Container{} // by container ID
		slot := map[string]string{}                  // the ID that runs, by pod and container name
		check := func(changes []change) {
			t.Helper()
			for _, c := range changes {
				id, at := c.container.id, c.container.pod+"/"+c.container.name
				info, running := reported[id]
				switch {
				case c.started && running:
					t.Fatalf("seed %d: %s started twice", seed, id)
				case c.started && slot[at] != "":
					t.Fatalf("seed %d: %s started while %s runs in its place", seed, id, slot[at])
				case !c.started && !running:
					t.Fatalf("seed %d: %s terminated, but does not run", seed, id)
				case !c.started && !sameInfo(info, c.container.info):
					t.Fatalf("seed %d: %s terminated as %v, started as %v", seed, id, c.container.info, info)
				}
				if c.started {
					reported[id], slot[at] = c.container.info, id
				} else {
					delete(reported, id)
					delete(slot, at)
				}
			}
		}
		for i := range histories[0].looks {
			for _, h := range histories {
				look := h.looks[i]
				if r.Float64() > seen {
					continue
				}
				if look.uid == "" {
					check(tr.forget(look.namespace, look.name))
				} else {
					changes, _ := tr.observe(look)
					check(changes)
				}
				want := map[string]bool{}
				entries, err := debuginfo.Decode(look.annotation)
				for _, c := range look.containers {
					listed := slices.ContainsFunc(entries, func(e debuginfo.Entry) bool { return e.Name == c.name })
					if look.annotated && err == nil && listed && c.running {
						want[c.id] = true
					}
				}
				broken := look.uid != "" && look.annotated && err != nil
				for id := range want {
					if _, ok := reported[id]; !ok {
						t.Fatalf("seed %d: %s runs and is not reported", seed, id)
					}
				}
				for at, id := range slot {
					if strings.HasPrefix(at, look.name+"/") && !want[id] && !broken {
						t.Fatalf("seed %d: %s is reported and does not run", seed, id)
					}
				}
			}
		}
		check(tr.forget("n", "p"))
		check(tr.forget("n", "q"))
		if len(reported) > 0 || len(tr.pods) > 0 {
			t.Fatalf("seed %d: left over: %v, %v", seed, reported, tr.pods)
		}
	}
}
