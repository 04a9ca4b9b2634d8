package watch

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A namespace with 5,000 pods, 200 of them debuggable, that are created, restarted and deleted: each event comes
// exactly once, and in order for each container. What it took is logged; docs/watch.md has the numbers.
func TestManyPods(t *testing.T) {
	const pods, debuggable = 5000, 200
	ns := namespace(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	name := func(i int) string { return fmt.Sprintf("pod-%04d", i) }
	isDebuggable := func(i int) bool { return i%(pods/debuggable) == 0 }
	id := func(i, restarts int) string { return fmt.Sprintf("%s-%d", name(i), restarts) }

	var mu sync.Mutex
	changed := map[string]time.Time{} // when the status that says so was written, by event
	set := func(i, restarts int) error {
		mu.Lock()
		now := time.Now()
		changed["+"+name(i)+":web="+id(i, restarts)] = now
		if restarts > 0 {
			changed["-"+name(i)+":web="+id(i, restarts-1)] = now
		}
		mu.Unlock()
		return patchStatus(ctx, ns, name(i), nil, []status{running("web", id(i, restarts), int32(restarts))})
	}

	s := watch(t, "-n", ns)
	begin := time.Now()
	parallel(t, pods, func(i int) error {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name(i), Namespace: ns, Labels: map[string]string{"app": "shop", "tier": "web"}},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "web", Image: "example.com/web"},
					{Name: "proxy", Image: "example.com/proxy"}}},
		}
		for v := range 20 {
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env,
				corev1.EnvVar{Name: fmt.Sprint("SETTING_", v), Value: "some value of a usual length"})
		}
		if isDebuggable(i) {
			pod.Annotations = map[string]string{"debug.cloud.google.com/config": goInfo}
		}
		if _, err := admin.CoreV1().Pods(ns).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return err
		}
		if !isDebuggable(i) && i%10 != 0 {
			return nil
		}
		return set(i, 0)
	})
	t.Logf("%d pods created in %s", pods, time.Since(begin).Round(time.Second))

	late := watch(t, "-n", ns)
	begin = time.Now()
	for i := range pods {
		if isDebuggable(i) {
			late.want("+" + name(i) + ":web=" + id(i, 0))
		}
	}
	t.Logf("a watch of %d pods that are there says what runs after %s; memory %s", pods,
		time.Since(begin).Round(10*time.Millisecond), memory(t, late))

	const restarts = 5
	for r := 1; r <= restarts; r++ {
		parallel(t, pods, func(i int) error {
			if !isDebuggable(i) {
				return nil
			}
			return set(i, r)
		})
	}
	parallel(t, pods, func(i int) error {
		if !isDebuggable(i) {
			return nil
		}
		mu.Lock()
		changed["-"+name(i)+":web="+id(i, restarts)] = time.Now()
		mu.Unlock()
		zero := int64(0)
		return admin.CoreV1().Pods(ns).Delete(ctx, name(i), metav1.DeleteOptions{GracePeriodSeconds: &zero})
	})

	for which, session := range map[string]*session{"early": s, "late": late} {
		// By pod, the events in the order in which they came.
		got := map[string][]string{}
		var delays []time.Duration
		n := debuggable * 2 * (restarts + 1)
		if session == late {
			n -= debuggable
		}
		for range n {
			text, at := session.nextAt()
			e := parse(t, text)
			pod := e.Result.Event.DebuggingContainerEvent.PodName
			got[pod] = append(got[pod], e.short())
			delays = append(delays, at.Sub(changed[e.short()]))
		}
		for i := range pods {
			var want []string
			for r := 0; isDebuggable(i) && r <= restarts; r++ {
				if r > 0 || session == s {
					want = append(want, "+"+name(i)+":web="+id(i, r))
				}
				want = append(want, "-"+name(i)+":web="+id(i, r))
			}
			if !slices.Equal(got[name(i)], want) {
				t.Fatalf("%s watch, %s: got %v, want %v", which, name(i), got[name(i)], want)
			}
		}
		slices.Sort(delays)
		ms := func(p int) time.Duration { return delays[(len(delays)-1)*p/100].Round(100 * time.Microsecond) }
		t.Logf("%s watch: %d events, from the request that changes a status to the line: half within %s, 99 %% within %s, "+
			"all within %s; memory %s",
			which, n, ms(50), ms(99), ms(100), memory(t, session))
		session.stop()
	}
}

// parallel calls do with 0 to n-1 from a few goroutines, and fails the test at an error.
func parallel(t *testing.T, n int, do func(int) error) {
	t.Helper()
	work := make(chan int)
	errs := make(chan error, 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					select {
					case errs <- err:
					default: // one is enough
					}
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
}

// memory returns the resident memory of the program, now and at its peak, where /proc says it.
func memory(t *testing.T, s *session) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return "unknown"
	}
	mb := func(key string) string {
		m := regexp.MustCompile(key + `:\s+(\d+) kB`).FindSubmatch(text)
		if m == nil {
			return "?"
		}
		kb, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d MB", kb/1024)
	}
	return mb("VmRSS") + ", at most " + mb("VmHWM")
}
