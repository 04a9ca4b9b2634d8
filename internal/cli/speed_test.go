package cli

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/kio"
)

// The commands that benchmarks start.
const (
	identity  = "kyaml-identity"
	ourselves = "debuggable-measured"
)

// measuredMain is the program, and afterwards says what the kernel knows of the process: the parent would be told of
// its own memory where that was larger, since a child begins in it.
func measuredMain() {
	exit(Run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// identityMain is kyaml's own pass over manifests, or over a ResourceList, which reads and writes them and does nothing
// else.
func identityMain() {
	rw := &kio.ByteReadWriter{
		Reader: os.Stdin, Writer: os.Stdout, OmitReaderAnnotations: true, KeepReaderAnnotations: true,
	}
	nodes, err := rw.Read()
	if err == nil {
		err = rw.Write(nodes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		exit(1)
	}
	exit(0)
}

func exit(status int) {
	if kernel, err := os.ReadFile("/proc/self/status"); err == nil {
		_ = os.WriteFile(os.Getenv("MEASURED"), kernel, 0o600)
	}
	os.Exit(status)
}

// boutiques is the Online Boutique, each time in a namespace of its own, until there are n resources.
func boutiques(tb testing.TB, n int) string {
	tb.Helper()
	data, err := os.ReadFile("../../testdata/realworld/online-boutique.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	one := strings.Split(string(data), "\n---\n")
	var b strings.Builder
	for i := range n {
		namespace := fmt.Sprintf("\nmetadata:\n  namespace: boutique-%d\n", i/len(one))
		b.WriteString(strings.Replace(one[i%len(one)], "\nmetadata:\n", namespace, 1) + "\n---\n")
	}
	return b.String()
}

// asList makes a ResourceList of a stream, as kyaml writes it.
func asList(tb testing.TB, stream string) string {
	tb.Helper()
	var out bytes.Buffer
	rw := &kio.ByteReadWriter{
		Reader: strings.NewReader(stream), OmitReaderAnnotations: true, KeepReaderAnnotations: true,
	}
	nodes, err := rw.Read()
	if err == nil {
		err = kio.ByteWriter{
			Writer: &out, WrappingAPIVersion: kio.ResourceListAPIVersion, WrappingKind: kio.ResourceListKind,
		}.Write(nodes)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// cost is what a process took.
type cost struct {
	wall, cpu time.Duration
	memory    int64 // in kB, the most that was resident
}

// costs are what the processes of several runs took.
type costs []cost

// least is the smallest of each: what else a machine does only adds.
func (all costs) least() cost {
	least := all[0]
	for _, c := range all {
		least = cost{min(least.wall, c.wall), min(least.cpu, c.cpu), min(least.memory, c.memory)}
	}
	return least
}

// noise is by how much the median of the CPU times is above the least.
func (all costs) noise() float64 {
	var times []time.Duration
	for _, c := range all {
		times = append(times, c.cpu)
	}
	slices.Sort(times)
	return float64(times[len(times)/2])/float64(times[0]) - 1
}

// costOf runs one of this test's own commands as a process of its own over a file.
func costOf(b *testing.B, input, program string, args ...string) cost {
	b.Helper()
	in, err := os.Open(input)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	var errw bytes.Buffer
	measured := filepath.Join(b.TempDir(), "status")
	cmd.Args, cmd.Stdin, cmd.Stderr = append([]string{program}, args...), in, &errw
	cmd.Env = append(os.Environ(), "MEASURED="+measured)
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v: %.500s", program, err, errw.String())
	}
	c := cost{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	kernel, err := os.ReadFile(measured)
	if err != nil {
		return c // not Linux
	}
	_, peak, _ := strings.Cut(string(kernel), "VmHWM:")
	if _, err := fmt.Sscan(peak, &c.memory); err != nil {
		b.Fatalf("reading the most memory of %s: %v", program, err)
	}
	return c
}

// BenchmarkAgainstKyaml measures the whole program as a process, from standard input to standard output, and in turn
// with it kyaml's pass over the same input. What is reported are ratios of the least that each took, which the machine
// cancels out of, and its noise: by how much the median of kyaml's CPU times is above the least, in percent. At the end
// comes how the CPU time grows: the line of best fit, and the exponent of the curve, which is 1 for a line.
func BenchmarkAgainstKyaml(b *testing.B) {
	for _, kind := range []string{"stream", "list"} {
		var grown []point
		for _, n := range []int{10, 100, 1000, 3000, 10_000, 30_000} {
			b.Run(fmt.Sprintf("%s/resources=%d", kind, n), func(b *testing.B) {
				text := boutiques(b, n)
				if kind == "list" {
					text = asList(b, text)
				}
				input := filepath.Join(b.TempDir(), "input.yaml")
				if err := os.WriteFile(input, []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
				var ours, theirs costs
				for b.Loop() {
					ours = append(ours, costOf(b, input, ourselves, "--offline", "--image-configs", boutiqueImages))
					theirs = append(theirs, costOf(b, input, identity))
				}
				our, their := ours.least(), theirs.least()
				b.ReportMetric(0, "ns/op") // of both together
				b.ReportMetric(float64(our.wall)/float64(their.wall), "×time")
				b.ReportMetric(float64(our.cpu)/float64(their.cpu), "×CPU")
				if their.memory > 0 {
					b.ReportMetric(float64(our.memory)/float64(their.memory), "×memory")
				}
				b.ReportMetric(100*theirs.noise(), "%noise")
				if len(grown) > 0 && grown[len(grown)-1].x == float64(n) { // an earlier try with fewer runs
					grown = grown[:len(grown)-1]
				}
				grown = append(grown, point{float64(n), float64(our.cpu.Microseconds())})
			})
		}
		b.Run(kind+"/growth", func(b *testing.B) {
			for b.Loop() {
			}
			if len(grown) < 3 {
				b.Skip("the sizes were not measured")
			}
			slope, start := fit(grown)
			var logs []point
			for _, p := range grown[len(grown)/2:] { // of the small ones, most is the start
				logs = append(logs, point{math.Log(p.x), math.Log(p.y)})
			}
			exponent, _ := fit(logs)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(slope, "µs/resource")
			b.ReportMetric(start/1000, "ms-at-start")
			b.ReportMetric(exponent, "exponent")
		})
	}
}

type point struct{ x, y float64 }

// fit is the line that fits points best, in the sense that the sum of the squares of relative errors is the least.
func fit(points []point) (slope, start float64) {
	var w, x, y, xx, xy float64
	for _, p := range points {
		weight := 1 / (p.y * p.y)
		w, x, y, xx, xy = w+weight, x+weight*p.x, y+weight*p.y, xx+weight*p.x*p.x, xy+weight*p.x*p.y
	}
	slope = (w*xy - x*y) / (w*xx - x*x)
	return slope, (y - slope*x) / w
}

const boutiqueImages = "../../testdata/realworld/online-boutique-images.yaml"

// BenchmarkAgainstTools measures other tools' simplest pass over the same manifests in turn with ours.
func BenchmarkAgainstTools(b *testing.B) {
	if os.Getenv("DEBUGGABLE_BUILD_TOOLS") == "" {
		b.Skip("kustomize and yq are not built; DEBUGGABLE_BUILD_TOOLS=1 builds them from their modules")
	}
	bin := b.TempDir()
	for _, module := range []string{"sigs.k8s.io/kustomize/kustomize/v5@v5.8.2", "github.com/mikefarah/yq/v4@v4.54.3"} {
		cmd := exec.Command("go", "install", module)
		cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("go install %s: %v\n%s", module, err, out)
		}
	}
	for _, n := range []int{100, 1000, 3000} {
		b.Run(fmt.Sprintf("resources=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			input := filepath.Join(dir, "input.yaml")
			for name, text := range map[string]string{
				"input.yaml": boutiques(b, n), "kustomization.yaml": "resources: [input.yaml]\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			tools := map[string]*exec.Cmd{
				"kustomize": exec.Command(filepath.Join(bin, "kustomize"), "build", dir),
				"yq":        exec.Command(filepath.Join(bin, "yq"), ".", input),
			}
			var ours costs
			theirs := map[string]costs{}
			for b.Loop() {
				ours = append(ours, costOf(b, input, ourselves, "--offline", "--image-configs", boutiqueImages))
				for name, tool := range tools {
					cmd := exec.Command(tool.Path, tool.Args[1:]...)
					start := time.Now()
					if err := cmd.Run(); err != nil {
						b.Fatalf("%s: %v", name, err)
					}
					took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
					theirs[name] = append(theirs[name], cost{wall: time.Since(start), cpu: took})
				}
			}
			b.ReportMetric(0, "ns/op") // of all together
			for name, all := range theirs {
				b.ReportMetric(float64(ours.least().wall)/float64(all.least().wall), "×time-"+name)
				b.ReportMetric(float64(ours.least().cpu)/float64(all.least().cpu), "×CPU-"+name)
			}
		})
	}
}

// BenchmarkHuge is of documents that are large in one way.
func BenchmarkHuge(b *testing.B) {
	var containers, pods strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&containers, "  - {name: c%d, image: node, args: [a.js]}\n", i)
	}
	for i := range 6_000 {
		fmt.Fprintf(&pods, ", {apiVersion: v1, kind: Pod, metadata: {name: p%d}, "+
			"spec: {containers: [{name: c, image: node, args: [a.js]}]}}", i)
	}
	lock := growthLock(b)
	for name, text := range map[string]string{
		"containers-of-one-pod": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n" +
			containers.String(),
		"pods-on-one-line": "{apiVersion: v1, kind: List, items: [" + strings.TrimPrefix(pods.String(), ", ") + "]}\n",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				work(b, lock, text)
			}
		})
	}
}
