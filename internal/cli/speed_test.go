package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// least keeps the smaller of each: what else a machine does only adds.
func (c *cost) least(o cost) {
	if c.wall == 0 {
		*c = o
		return
	}
	c.wall, c.cpu, c.memory = min(c.wall, o.wall), min(c.cpu, o.cpu), min(c.memory, o.memory)
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
// cancels out of.
func BenchmarkAgainstKyaml(b *testing.B) {
	const lock = "../../testdata/realworld/online-boutique-images.yaml"
	for _, n := range []int{10, 100, 1000, 3000, 10_000, 30_000} {
		for _, kind := range []string{"stream", "list"} {
			b.Run(fmt.Sprintf("%s/resources=%d", kind, n), func(b *testing.B) {
				text := boutiques(b, n)
				if kind == "list" {
					text = asList(b, text)
				}
				input := filepath.Join(b.TempDir(), "input.yaml")
				if err := os.WriteFile(input, []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
				var ours, theirs cost
				for b.Loop() {
					ours.least(costOf(b, input, ourselves, "--offline", "--image-configs", lock))
					theirs.least(costOf(b, input, identity))
				}
				b.ReportMetric(0, "ns/op") // of both together
				b.ReportMetric(float64(ours.cpu.Microseconds())/float64(n), "µs-CPU/resource")
				b.ReportMetric(float64(ours.wall)/float64(theirs.wall), "×time")
				b.ReportMetric(float64(ours.cpu)/float64(theirs.cpu), "×CPU")
				if theirs.memory > 0 {
					b.ReportMetric(float64(ours.memory)/float64(theirs.memory), "×memory")
				}
			})
		}
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
