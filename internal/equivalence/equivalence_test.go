package equivalence

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	cases    = flag.Int("cases", 300, "how many made-up pods TestLaunchEquivalence starts")
	seed     = flag.Uint64("seed", 1, "the first one's seed; the next ones follow it")
	maxShown = flag.Int("show", 10, "how many failures are shown in full")
	leftFor  = flag.String("left", "", "show the containers that were left alone for this reason, or for all")
)

// tally counts what became of containers.
type tally struct {
	containers, launches, broken, debuggable, idle, hidden int
	legit, unexpected                                      int
	reasons                                                map[string]map[string]int // reason, class
	// class: containers, debuggable, left alone without need
	classes map[string][3]int
}

func TestLaunchEquivalence(t *testing.T) {
	total := equivalence(t, *cases, false)
	if share := total.share(); *cases >= 300 && share < 97 {
		t.Errorf("%.2f %% of what a person would expect to be debuggable is; want 97 %%", share)
	}
}

// equivalence starts n made-up pods before and after the rewrite.
func equivalence(t *testing.T, n int, inside bool) tally {
	if lacks := requirements(); lacks != "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("this machine lacks %s", lacks)
		}
		t.Skipf("LAUNCH EQUIVALENCE IS NOT TESTED: this machine lacks %s", lacks)
	}
	if lacks := missing(); len(lacks) > 0 {
		fmt.Printf("LAUNCH EQUIVALENCE: this machine lacks %s: stubs stand for them\n", strings.Join(lacks, ", "))
	}
	dir := t.TempDir()
	stub := buildStub(t, dir)
	lifecycles := buildLifecycles(t, dir)
	const workers = 2
	jobs := make(chan uint64)
	var mu sync.Mutex
	var wg sync.WaitGroup
	total := tally{reasons: map[string]map[string]int{}, classes: map[string][3]int{}}
	failures, shown := map[string]int{}, 0
	started := time.Now()
	for w := range workers {
		boxes := map[string]*sandbox{}
		for _, shell := range shellNames() {
			boxes[shell] = newSandbox(t, filepath.Join(dir, fmt.Sprint(shell, w)), stub, shell, lifecycles)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				for _, box := range boxes {
					total.launches += box.launches
				}
			}()
			for s := range jobs {
				tc := generate(s, inside)
				verdicts, err := tc.judge(boxes)
				if err != nil {
					t.Errorf("seed %d: %v", s, err)
					continue
				}
				for i, v := range verdicts {
					if v.broken == "" {
						continue
					}
					mu.Lock()
					failures[kindOf(v.broken)]++
					show := shown < *maxShown
					shown++
					mu.Unlock()
					if show {
						small := tc.shrink(boxes, i, kindOf(v.broken))
						t.Errorf("seed %d, container %s: %s\n%s\nrun again: go test ./internal/equivalence -run %s -%s 1 -seed %d",
							s, tc.Units[i].Container.Name, v.broken, small.describe(boxes), t.Name(),
							map[bool]string{false: "cases", true: "inside"}[inside], s)
					} else {
						t.Errorf("seed %d: %s", s, v.broken)
					}
				}
				mu.Lock()
				total.add(tc, verdicts)
				mu.Unlock()
				for i, v := range verdicts {
					if v.reason != "" && (*leftFor == "all" || *leftFor == v.reason) && tc.Units[i].Legit == "" {
						tr, _ := tc.transform()
						_, _, results := tr.result(tc.Units[i].Container.Name)
						c, img := tc.Units[i].Container, tc.Units[i].Image
						t.Logf("LEFT %d %s\n      %q %q %q %q", s, strings.Join(results, "; "), img.Entrypoint, img.Cmd,
							c.Command, c.Args)
					}
				}
			}
		}()
	}
	for i := range n {
		jobs <- *seed + uint64(i)
	}
	close(jobs)
	wg.Wait()
	t.Logf("%d pods, %d containers, %d launches, %v\n%s", n, total.containers, total.launches,
		time.Since(started).Round(time.Millisecond), total)
	for kind, n := range failures {
		t.Logf("%5d × %s", n, kind)
	}
	return total
}

// kindOf is what failures of one kind have in common.
func kindOf(broken string) string {
	if strings.HasPrefix(broken, "hook ") {
		return "hook"
	}
	kind, _, _ := strings.Cut(broken, ":")
	if i := strings.LastIndexByte(kind, '/'); i >= 0 {
		kind = kind[i+1:]
	}
	if strings.Contains(broken, "other programs") {
		return "other programs"
	}
	if strings.Contains(broken, "does not listen") {
		return "does not listen"
	}
	for _, word := range []string{"arguments", "environment", "directory", "standard input", "output", "exit status"} {
		if strings.Contains(broken, word) {
			return word
		}
	}
	return kind
}

func (t *tally) add(tc testCase, verdicts []verdict) {
	for i, v := range verdicts {
		u := tc.Units[i]
		t.containers++
		expected := u.Legit == ""
		if v.broken != "" {
			t.broken++
		}
		if v.idle {
			t.idle++
		}
		if v.hidden {
			t.hidden++
		}
		switch {
		case v.debuggable:
			t.debuggable++
		case expected:
			t.unexpected++
		default:
			t.legit++
		}
		for _, class := range append([]string{"runtime:" + u.Runtime}, u.Class...) {
			n := t.classes[class]
			n[0]++
			if v.debuggable {
				n[1]++
			} else if expected {
				n[2]++
			}
			t.classes[class] = n
		}
		if v.reason != "" {
			if t.reasons[v.reason] == nil {
				t.reasons[v.reason] = map[string]int{}
			}
			why := u.Legit
			if why == "" {
				why = "NOT EXPECTED"
				for _, c := range u.Class {
					if strings.HasPrefix(c, "script:") || c == "buildpack" {
						why += " " + c
						break
					}
				}
			}
			t.reasons[v.reason][why]++
		}
	}
}

// share is how much, in percent, is debuggable of what a person would expect to be.
func (t tally) share() float64 {
	return 100 * float64(t.debuggable) / max(1, float64(t.debuggable+t.unexpected))
}

func (t tally) String() string {
	var b strings.Builder
	n := float64(t.containers)
	fmt.Fprintf(&b, "broken %d; debuggable %d (%.1f %%); left alone: %d expected, %d (%.1f %%) that a person would "+
		"expect to be debuggable\n", t.broken, t.debuggable,
		100*float64(t.debuggable)/n, t.legit, t.unexpected, 100*float64(t.unexpected)/n)
	fmt.Fprintf(&b, "of those that a person would expect: %.2f %% debuggable; the application was never reached in %d; "+
		"%d with a warning that a variable is hidden\n",
		t.share(), t.idle, t.hidden)
	var names []string
	for r := range t.reasons {
		names = append(names, r)
	}
	sort.Strings(names)
	for _, r := range names {
		var whys []string
		sum := 0
		for why, n := range t.reasons[r] {
			whys = append(whys, fmt.Sprintf("%d %s", n, why))
			sum += n
		}
		sort.Strings(whys)
		fmt.Fprintf(&b, "%5d %-24s %s\n", sum, r, strings.Join(whys, ", "))
	}
	names = names[:0]
	for c := range t.classes {
		names = append(names, c)
	}
	sort.Strings(names)
	for _, c := range names {
		n := t.classes[c]
		fmt.Fprintf(&b, "      %-28s %5d containers, %5d debuggable, %4d left alone unexpectedly\n", c, n[0], n[1], n[2])
	}
	return b.String()
}

// describe shows a case, and what the program makes of it.
func (tc testCase) describe(boxes map[string]*sandbox) string {
	var b strings.Builder
	for _, u := range tc.Units {
		img, _ := json.Marshal(u.Image)
		c, _ := json.Marshal(u.Container)
		fmt.Fprintf(&b, "  image     %s\n  container %s\n  class %v, %s, application %s, sh is %s\n", img, c, u.Class,
			u.Runtime, u.App, tc.Shell)
		if u.CNB != "" {
			fmt.Fprintf(&b, "  cnb %s\n", u.CNB)
		}
		for _, file := range slices.Sorted(maps.Keys(u.Files)) {
			fmt.Fprintf(&b, "  file %s\n    %s\n", file, strings.ReplaceAll(u.Files[file], "\n", "\n    "))
		}
	}
	if len(tc.Stores) > 0 {
		fmt.Fprintf(&b, "  stores %+v\n", tc.Stores)
	}
	t, err := tc.transform()
	if err != nil {
		return b.String() + "  " + err.Error()
	}
	for i, c := range t.pod.Spec.Containers {
		text, _ := json.Marshal(c)
		_, _, results := t.result(c.Name)
		fmt.Fprintf(&b, "  becomes   %s\n  results   %s\n", text, strings.Join(results, "; "))
		if boxes != nil && i < len(tc.Units) {
			if vs, err := tc.judge(boxes); err == nil {
				fmt.Fprintf(&b, "  verdict   %s\n", vs[i].broken)
			}
		}
	}
	return b.String()
}

// shrink makes a failing case smaller while it fails in the same way.
func (tc testCase) shrink(boxes map[string]*sandbox, at int, kind string) testCase {
	fails := func(c testCase) bool {
		vs, err := c.judge(boxes)
		return err == nil && at < len(vs) && vs[at].broken != "" && kindOf(vs[at].broken) == kind
	}
	tries := 0
	attempt := func(change func(*testCase)) bool {
		if tries++; tries > 400 {
			return false
		}
		c := tc.clone()
		change(&c)
		if !fails(c) {
			return false
		}
		tc = c
		return true
	}
	if len(tc.Units) > 1 && at == 0 {
		attempt(func(c *testCase) { c.Units = c.Units[:1] })
	}
	attempt(func(c *testCase) { c.JSON, c.Function = false, false })
	for again := true; again && tries < 400; {
		again = false
		lists := func(c *testCase) []*[]string {
			u := &c.Units[at]
			return []*[]string{&u.Container.Args, &u.Container.Command, &u.Image.Cmd, &u.Image.Entrypoint, &u.Image.Env}
		}
		for l := range lists(&tc) {
			for i := len(*lists(&tc)[l]) - 1; i >= 0; i-- {
				if attempt(func(c *testCase) { p := lists(c)[l]; *p = append((*p)[:i:i], (*p)[i+1:]...) }) {
					again = true
					continue
				}
				// Words of a script.
				for _, sep := range []string{"; ", "\n", " "} {
					for j := strings.Count((*lists(&tc)[l])[i], sep); j >= 0; j-- {
						parts := strings.Split((*lists(&tc)[l])[i], sep)
						if len(parts) < 2 || j >= len(parts) {
							continue
						}
						if attempt(func(c *testCase) {
							p := lists(c)[l]
							(*p)[i] = strings.Join(append(parts[:j:j], parts[j+1:]...), sep)
						}) {
							again = true
						}
					}
				}
			}
		}
		for i := len(tc.Units[at].Container.Env) - 1; i >= 0; i-- {
			if attempt(func(c *testCase) { e := &c.Units[at].Container.Env; *e = append((*e)[:i:i], (*e)[i+1:]...) }) {
				again = true
			}
		}
		for i := len(tc.Units[at].Container.EnvFrom) - 1; i >= 0; i-- {
			attempt(func(c *testCase) { e := &c.Units[at].Container.EnvFrom; *e = append((*e)[:i:i], (*e)[i+1:]...) })
		}
		if tc.Units[at].Container.WorkingDir != "" && attempt(func(c *testCase) { c.Units[at].Container.WorkingDir = "" }) {
			again = true
		}
		if len(tc.Units[at].Container.Ports) > 0 {
			attempt(func(c *testCase) { c.Units[at].Container.Ports = nil })
		}
	}
	return tc
}

func (tc testCase) clone() testCase {
	data, err := json.Marshal(tc)
	if err != nil {
		panic(err)
	}
	var c testCase
	if err := json.Unmarshal(data, &c); err != nil {
		panic(err)
	}
	return c
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}
