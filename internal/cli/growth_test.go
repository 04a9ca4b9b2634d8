package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/reason"
)

// growth lists kinds of input by what makes them larger. Each came to cost more than its size, or might.
func growth() map[string]func(n int) string {
	pod := func(rest string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: node\n" + rest
	}
	env := func(first, each string) func(n int) string {
		return func(n int) string {
			var b strings.Builder
			b.WriteString("    env:\n    - {name: A0, value: " + first + "}\n")
			for i := 1; i < n; i++ {
				fmt.Fprintf(&b, "    - {name: A%d, value: '%s'}\n", i, strings.ReplaceAll(each, "LAST", fmt.Sprintf("$(A%d)", i-1)))
			}
			return pod(b.String())
		}
	}
	script := func(before, each, after string) func(n int) string {
		return func(n int) string {
			text := before + strings.Repeat(each, n) + strings.ReplaceAll(after, "CLOSE", strings.Repeat(")", n))
			return pod("    command: [sh, -c, \"" + strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "\n", "\\n").Replace(text) +
				"\"]\n")
		}
	}
	repeated := func(field, text string) func(n int) string {
		return func(n int) string { return pod(fmt.Sprintf(field, strings.Repeat(text, n))) }
	}
	// Of these kinds fewer do: n containers, each with n of something that they share.
	containers := func(each, behind string) func(n int) string {
		return func(n int) string {
			var b strings.Builder
			b.WriteString("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n")
			for i := range n / 16 {
				fmt.Fprintf(&b, "  - {name: c%d, image: nginx, %s}\n", i, each)
			}
			return b.String() + configMap(n/16) + behind
		}
	}
	pods := func(spec string) func(n int) string {
		return func(n int) string {
			var b strings.Builder
			for i := range n / 16 {
				fmt.Fprintf(&b, "apiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nspec: %s\n---\n", i,
					strings.ReplaceAll(spec, "N", fmt.Sprint(i)))
			}
			return b.String() + configMap(n/16)
		}
	}
	// One pod of n containers, which may be named by its annotations.
	single := func(annotation, each, behind string) func(n int) string {
		return func(n int) string {
			var names, b strings.Builder
			for i := range n / 2 {
				fmt.Fprintf(&names, "c%d,", i)
				fmt.Fprintf(&b, "  - {name: c%d, image: node, %s}\n", i, each)
			}
			annotations := strings.ReplaceAll(annotation, "NAMES", strings.TrimSuffix(names.String(), ","))
			return "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {" + annotations + "}}\nspec:\n  containers:\n" +
				b.String() + behind
		}
	}
	return map[string]func(n int) string{
		"containers of one pod":     single("", "resources: {limits: {ephemeral-storage: 9Gi}}", ""),
		"containers that are named": single("debuggable.dev/containers: 'NAMES'", "args: [a.js]", ""),
		"containers under a LimitRange": single("", "resources: {limits: {memory: 64Mi}}",
			"---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\nspec: {limits: [{type: Pod, max: {memory: "+
				"9999Gi}}]}\n"),
		"containers of one ConfigMap": containers("envFrom: [{configMapRef: {name: c}}]", ""),
		"pods of one ConfigMap": pods("{containers: [{name: c, image: node, envFrom: [{configMapRef: {name: " +
			"c}}]}]}"),
		"pods behind Services": func(n int) string {
			var b strings.Builder
			for i := range n / 16 {
				fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d, labels: {a: b}}\n"+
					"spec: {containers: [{name: c, image: node}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s%d}\n"+
					"spec: {selector: {a: b}, ports: [{port: %d}]}\n", i, i, i+1)
			}
			return b.String()
		},
		"templates of a workflow": func(n int) string {
			var b strings.Builder
			b.WriteString("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  templates:\n")
			for i := range n / 16 {
				fmt.Fprintf(&b, "  - {name: t%d, container: {image: node}}\n", i)
			}
			return b.String()
		},
		"pods that add to one " +
			"ConfigMap": pods("{containers: [{name: c, image: node, env: [{name: A, value: x}], envFrom: [{configMapRef: " +
			"{name: c}}]}]}"),
		"pods on the host's network": pods("{hostNetwork: true, containers: [{name: c, image: node}]}"),
		"pods of one long value": longValue(
			pods("{containers: [{name: c, image: java, envFrom: [{configMapRef: {name: l}}]}]}")),
		"pods that refer to a long value": longValue(
			pods("{containers: [{name: c, image: java, args: [$(JAVA_TOOL_OPTIONS)], envFrom: [{configMapRef: {name: l}}]}]}")),
		"prefixes of one ConfigMap":       prefixes(pod),
		"variables that double":           env("x", "LASTLAST"),
		"a value that grows":              env("x", "LASTy"),
		"variables":                       env("x", "y"),
		"references without an end":       repeated("    env: [{name: A, value: \"%s\"}]\n", "$("),
		"references without an end, args": repeated("    args: [\"%s\"]\n", "$("),
		"references": repeated("    env: [{name: A, value: abcdefgh}, {name: B, value: \"%s\"}]\n",
			"$(A)"),
		"assignments that double":        script("a=x;", "a=$a$a;", "exec node a.js"),
		"assignments that grow":          script("", "a=${a}xxxxxxxxxxxxxxxx;", "exec node a.js"),
		"known assignments that grow":    script("a=x;", "a=${a}xxxxxxxxxxxxxxxx;", "exec node a.js"),
		"directories":                    script("", "cd d\n", "exec node a.js"),
		"time":                           script("", "time ", "node a.js"),
		"open brackets":                  script("", "(", ""),
		"open braces":                    script("", "{ ", ""),
		"open substitutions":             script("", "$(", ""),
		"substitutions":                  script("", "<(cat ", "x CLOSE\nexec node a.js"),
		"arithmetic":                     script("x=", "$((1+", "1 CLOSE CLOSE\nexec node a.js"),
		"defaults":                       script("node ", "${a:-", ""),
		"lines":                          script("", "echo \"$A\"\n", "exec node a.js"),
		"artifacts between wildcards":    artifacts("'*/team*/app%d-*'", "r.example/team/app%d-web:v1"),
		"artifacts behind a wildcard":    artifacts("'**/app%d*web'", "r.example/team/app%d-web:v1"),
		"artifacts by their tags":        artifacts("'*/app:v%d'", "r.example/app:v%d"),
		"artifacts by patterns for tags": artifacts("'r.example/app:*v%d-*'", "r.example/app:1v%d-2"),
		"ports whose names are taken": func(n int) string {
			var b strings.Builder
			b.WriteString("    ports:\n    - {containerPort: 1, name: devtools}\n")
			for i := 2; i <= n; i++ {
				fmt.Fprintf(&b, "    - {containerPort: %d, name: devtools-%d}\n", i, i)
			}
			return pod(b.String())
		},
		"mounts": func(n int) string {
			var b strings.Builder
			b.WriteString("    volumeMounts:\n")
			for i := range n {
				fmt.Fprintf(&b, "    - {name: v%d, mountPath: /v%[1]d}\n", i)
			}
			return pod(b.String())
		},
		"aliases": repeated("x:\n- &a v\n%s", "- *a\n"),
		"keys of JSON": func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `"k%d":1,`, i)
			}
			return "{" + b.String() + `"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},` +
				`"spec":{"containers":[{"name":"c","image":"node"}]}}`
		},
		"earlier results": results,
		"lists":           script("", "true && ", "exec node a.js"),
	}
}

// artifacts are n patterns, and as many images.
func artifacts(pattern, image string) func(n int) string {
	return func(n int) string {
		var b strings.Builder
		b.WriteString(resourceList + "  artifacts:\n")
		for i := range n / 8 {
			fmt.Fprintf(&b, "  - {image: "+pattern+", name: a%d}\n", i, i)
		}
		b.WriteString("items:\n")
		for i := range n / 8 {
			fmt.Fprintf(&b, "- {apiVersion: v1, kind: Pod, metadata: {name: p%d}, spec: {containers: [{name: c, image: '"+image+
				"'}]}}\n", i, i)
		}
		return b.String()
	}
}

// results are those of functions that ran before.
func results(n int) string {
	return resourceList + "items: []\nresults:\n" + strings.Repeat("- message: m\n  severity: info\n", n)
}

const resourceList = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n" +
	"functionConfig:\n  apiVersion: debuggable.dev/v1alpha1\n  kind: Debuggable\n  metadata: {name: x}\n"

// configMap has n keys, each a number that may be a port.
func configMap(n int) string {
	var b strings.Builder
	b.WriteString("\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n")
	for i := range n {
		fmt.Fprintf(&b, "  k%d: '%d'\n", i, 9229+i)
	}
	return b.String()
}

// longValue adds a ConfigMap whose value grows along with what shares it.
func longValue(shared func(n int) string) func(n int) string {
	return func(n int) string {
		return shared(n) + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: l}\ndata:\n  JAVA_TOOL_OPTIONS: '" +
			strings.Repeat("-Dx=y ", 16*n) + "'\n"
	}
}

// prefixes is one ConfigMap under many prefixes.
func prefixes(pod func(rest string) string) func(n int) string {
	return func(n int) string {
		var b strings.Builder
		b.WriteString("    envFrom:\n")
		for i := range n / 16 {
			fmt.Fprintf(&b, "    - {configMapRef: {name: c}, prefix: P%d_}\n", i)
		}
		return pod(b.String()) + configMap(n/16)
	}
}

// work runs the filter over an input, and returns how many bytes it allocated: unlike time, that is much the same each
// time, and nothing that copies, expands or builds more than its input justifies goes without.
func work(tb testing.TB, lock, input string) uint64 {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var errw bytes.Buffer
	args := []string{"debuggable", "--offline", "--image-configs", lock}
	status := run(context.Background(), args, strings.NewReader(input), io.Discard, &errw)
	// A pod of thousands of containers is planned as a whole before its annotation is found to be too large.
	if status != statusDone && !strings.Contains(errw.String(), string(reason.AnnotationsFull)) {
		tb.Fatalf("exit status %d: %.500s", status, errw.String())
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func growthLock(tb testing.TB) string {
	tb.Helper()
	lock := filepath.Join(tb.TempDir(), "lock.yaml")
	text := "apiVersion: debuggable.dev/v1alpha1\nkind: ImageConfigs\nmetadata: {name: images}\n" +
		"images:\n- image: node\n  config: {Entrypoint: [node, a.js], Env: [NODE_VERSION=20]}\n" +
		"- image: java\n  config: {Entrypoint: [java, -jar, a.jar], Env: [JAVA_VERSION=17]}\n"
	if err := os.WriteFile(lock, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return lock
}

// TestGrowth: twice the input is at most a bit more than twice the work, once what is the same for all inputs and what
// a container's budget allows is taken away.
func TestGrowth(t *testing.T) {
	lock := growthLock(t)
	const size, budget = 4096, 96 << 20
	for name, input := range growth() {
		t.Run(name, func(t *testing.T) {
			small, large := work(t, lock, input(size)), work(t, lock, input(4*size))
			t.Logf("%d kB, %d kB with four times as much", small>>10, large>>10)
			// Per doubling 2.6, so for two of them 6.8.
			if large > 64<<20 && float64(large) > 6.8*float64(small)+budget {
				t.Errorf("%d kB of work become %d kB with four times the input", small>>10, large>>10)
			}
			if large > 1<<30 {
				t.Errorf("%d MB of work", large>>20)
			}
		})
	}
}

// BenchmarkGrowth doubles each input, and says how many times the work of the half of it is: 2 for what is linear, 4
// for what is quadratic, less where much is the same for all.
func BenchmarkGrowth(b *testing.B) {
	lock, inputs := growthLock(b), growth()
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		for _, n := range []int{1024, 2048, 4096, 8192, 16384} {
			half, text := inputs[name](n/2), inputs[name](n)
			b.Run(fmt.Sprintf("%s/n=%d", strings.ReplaceAll(name, " ", "-"), n), func(b *testing.B) {
				b.ReportAllocs()
				first, times := work(b, lock, half), 0
				before := time.Now()
				work(b, lock, half)
				took := time.Since(before)
				var bytes uint64
				for b.Loop() {
					bytes += work(b, lock, text)
					times++
				}
				b.ReportMetric(float64(bytes)/float64(times)/float64(first), "×bytes")
				b.ReportMetric(b.Elapsed().Seconds()/float64(times)/took.Seconds(), "×time")
			})
		}
	}
}
