package sources

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/image/files"
)

// TestHostileImages: reading an image for its sources takes what its layers justify, whatever they unpack to.
func TestHostileImages(t *testing.T) {
	encode := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	list := func(n int, s string) (all []string) {
		for range n {
			all = append(all, s)
		}
		return all
	}
	names := func(n int, name func(i int) string) []files.Layer {
		return []files.Layer{layer(t, func(w *tar.Writer) {
			for i := range n {
				h := &tar.Header{Typeflag: tar.TypeReg, Name: name(i), Mode: 0o644, Format: tar.FormatPAX}
				if err := w.WriteHeader(h); err != nil {
					t.Fatal(err)
				}
			}
		})}
	}
	ending := func(end string) func(i int) string {
		return func(i int) string { return fmt.Sprint(i, "/", end) }
	}
	for name, layers := range map[string][]files.Layer{
		"a long root of many sources": image(t, map[string]string{"a.js.map": encode(map[string]any{
			"sourceRoot": strings.Repeat("r", 1<<20), "sources": list(10_000, "a")})}),
		"many sources behind a long name": image(t, map[string]string{strings.Repeat("d/", 60) + "a.js.map": encode(
			map[string]any{"sources": list(200_000, strings.Repeat("../", 20))})}),
		"long names of files": names(200, ending(strings.Repeat("n", 500_000))),
		"deep names of files": names(3000, ending(strings.Repeat("a/", 2000)+".js")),
		"many long names":     names(20_000, ending(strings.Repeat("n", 4000))),
		"a file that is not there in full": {layer(t, func(w *tar.Writer) {
			if err := w.WriteHeader(&tar.Header{Name: "a.js", Mode: 0o644, Size: 3 << 20}); err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write(make([]byte, 3<<20))
		})},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			started := time.Now()
			img, err := ReadImage(t.Context(), layers, nil, Wanted{Extensions: []string{".js"}, Program: true})
			runtime.ReadMemStats(&after)
			t.Logf("%d MB allocated in %s, %d files", (after.TotalAlloc-before.TotalAlloc)>>20, time.Since(started),
				len(img.Files))
			if err != nil {
				t.Fatal(err)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 512<<20 {
				t.Errorf("%d MB allocated", allocated>>20)
			}
		})
	}
}

// TestManyOfOneName: files of one name and size are not all compared with each other.
func TestManyOfOneName(t *testing.T) {
	local, remote := map[string]string{}, map[string]string{}
	for i := range 2000 {
		local[fmt.Sprintf("l%d/index.js", i)] = fmt.Sprintf("the one that is local, %08d", i)
		remote[fmt.Sprintf("r%d/index.js", i)] = fmt.Sprintf("the one of the image, %08d.", i)
	}
	tree, err := ReadTree(write(t, t.TempDir(), local))
	if err != nil {
		t.Fatal(err)
	}
	img, err := ReadImage(t.Context(), image(t, remote), []*Tree{tree}, Wanted{Extensions: []string{".js"}})
	if err != nil {
		t.Fatal(err)
	}
	reads := 0
	for _, f := range img.Files {
		reads += len(tree.like(f))
	}
	if reads != 0 || len(tree.byContent) != 1 {
		t.Errorf("%d files are alike, of %d names and sizes", reads, len(tree.byContent))
	}
}
