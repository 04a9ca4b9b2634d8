package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/kio"
)

// manifests repeats the Online Boutique until there are n documents or a few more.
func manifests(b *testing.B, n int) []byte {
	b.Helper()
	one, err := os.ReadFile("../../testdata/realworld/online-boutique.yaml")
	if err != nil {
		b.Fatal(err)
	}
	var all bytes.Buffer
	for docs := 0; docs < n; docs += bytes.Count(one, []byte("\n---\n")) {
		all.Write(one)
		all.WriteString("---\n")
	}
	return all.Bytes()
}

// BenchmarkFilter measures the whole program, from standard input to standard output, against kyaml's own pass over
// the same manifests, which reads and writes them and does nothing else. "x-kyaml" is the ratio of the two times.
func BenchmarkFilter(b *testing.B) {
	for _, docs := range []int{40, 1000} {
		input := manifests(b, docs)
		kyaml := func() {
			var out bytes.Buffer
			nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(input), OmitReaderAnnotations: true}).Read()
			if err != nil {
				b.Fatal(err)
			}
			if err := (kio.ByteWriter{Writer: &out}).Write(nodes); err != nil {
				b.Fatal(err)
			}
		}
		filter := func() {
			var out, errw bytes.Buffer
			args := []string{"debuggable", "--offline", "--image-configs",
				"../../testdata/realworld/online-boutique-images.yaml"}
			if status := run(context.Background(), args, bytes.NewReader(input), &out, &errw); status != statusDone {
				b.Fatalf("exit status %d: %s", status, errw.String())
			}
			if !strings.Contains(out.String(), "debug.cloud.google.com/config") {
				b.Fatal("nothing was made debuggable")
			}
		}
		b.Run(fmt.Sprintf("docs=%d", docs), func(b *testing.B) {
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			var ours, theirs time.Duration
			for b.Loop() {
				start := time.Now()
				filter()
				middle := time.Now()
				kyaml()
				ours, theirs = ours+middle.Sub(start), theirs+time.Since(middle)
			}
			b.ReportMetric(float64(ours)/float64(theirs), "x-kyaml")
		})
	}
}
