package image

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// The benchmarks resolve 1 and 100 distinct images, Jobs at a time.

func benchmark(b *testing.B, n int, image func(i int) string, source func() Source) {
	wants := make([]Want, n)
	for i := range wants {
		wants[i] = Want{Image: image(i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		for w, r := range ResolveAll(context.Background(), source(), wants) {
			if r.Err != nil {
				b.Fatalf("%v: %v", w, r.Err)
			}
		}
	}
}

func BenchmarkEntries(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			entries := make([]Entry, n)
			for i := range entries {
				entries[i] = entry(fmt.Sprintf("gcr.io/acme/app-%d:v1", i), "linux/amd64", "/app")
			}
			benchmark(b, n, func(i int) string { return entries[i].Image }, func() Source {
				return Chain(NewEntries("images.lock.yaml", "debuggable lock", entries))
			})
		})
	}
}

func BenchmarkLayout(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var elements []element
			for i := range n {
				elements = append(elements,
					element{add: newImage(b, "linux/amd64"), annotations: refName(fmt.Sprintf("gcr.io/acme/app-%d:v1", i))})
			}
			dir := writeLayout(b, elements...)
			benchmark(b, n, func(i int) string {
				return elements[i].annotations["org.opencontainers.image.ref.name"]
			}, func() Source { return NewLayout(dir) })
		})
	}
}

// BenchmarkRegistry asks a registry on loopback for indexes of two images: without a cache, and with everything cached.
func BenchmarkRegistry(b *testing.B) {
	for _, n := range []int{1, 100} {
		hub := newHub(b, false)
		digests := make([]string, n)
		for i := range n {
			index := newIndex(b, "linux/amd64", "linux/arm64")
			hub.push(b, index, fmt.Sprintf("app-%d:v1", i))
			digests[i] = fmt.Sprintf("%s/app-%d@%s", hub.host, i, digestOf(b, index))
		}
		tag := func(i int) string { return fmt.Sprintf("%s/app-%d:v1", hub.host, i) }
		digest := func(i int) string { return digests[i] }
		b.Run(fmt.Sprintf("cold/tag/%d", n), func(b *testing.B) {
			benchmark(b, n, tag, func() Source { return NewRegistry(anonymous()) })
		})
		warm := anonymous()
		warm.CacheDir = b.TempDir()
		b.Run(fmt.Sprintf("warm/tag/%d", n), func(b *testing.B) {
			benchmark(b, n, tag, func() Source { return NewRegistry(warm) })
		})
		b.Run(fmt.Sprintf("warm/digest/%d", n), func(b *testing.B) {
			benchmark(b, n, digest, func() Source { return NewRegistry(warm) })
		})
	}
}

// BenchmarkRegistryLibrary asks a registry that takes 50 milliseconds for each answer for 100 images, and has
// go-containerregistry do it, which does not share what it learns of a host.
func BenchmarkRegistryLibrary(b *testing.B) {
	const n = 100
	hub := newHub(b, false)
	img := newImage(b, "linux/amd64")
	for i := range n {
		hub.push(b, img, fmt.Sprintf("app-%d:v1", i))
	}
	hub.behave(func(http.ResponseWriter, *http.Request) bool {
		time.Sleep(50 * time.Millisecond)
		return false
	})
	ref := func(i int) string { return fmt.Sprintf("%s/app-%d:v1", hub.host, i) }
	b.Run("here", func(b *testing.B) { benchmark(b, n, ref, func() Source { return NewRegistry(anonymous()) }) })
	theirs := func(b *testing.B, get func(name.Reference) (*remote.Descriptor, error)) {
		for b.Loop() {
			var all errgroup.Group
			all.SetLimit(Jobs)
			for i := range n {
				all.Go(func() error {
					parsed, err := name.ParseReference(ref(i))
					if err != nil {
						return err
					}
					d, err := get(parsed)
					if err != nil {
						return err
					}
					image, err := d.Image()
					if err != nil {
						return err
					}
					_, err = image.ConfigFile()
					return err
				})
			}
			if err := all.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("remote.Get", func(b *testing.B) {
		theirs(b, func(r name.Reference) (*remote.Descriptor, error) { return remote.Get(r) })
	})
	b.Run("remote.Puller", func(b *testing.B) {
		puller, err := remote.NewPuller()
		if err != nil {
			b.Fatal(err)
		}
		theirs(b, func(r name.Reference) (*remote.Descriptor, error) { return puller.Get(b.Context(), r) })
	})
}

// BenchmarkRegistryFarAway asks a registry that takes 50 milliseconds for each answer for 500 images, with nothing
// cached.
func BenchmarkRegistryFarAway(b *testing.B) {
	hub := newHub(b, false)
	img := newImage(b, "linux/amd64")
	for i := range 500 {
		hub.push(b, img, fmt.Sprintf("app-%d:v1", i))
	}
	hub.behave(func(http.ResponseWriter, *http.Request) bool {
		time.Sleep(50 * time.Millisecond)
		return false
	})
	benchmark(b, 500, func(i int) string { return fmt.Sprintf("%s/app-%d:v1", hub.host, i) }, func() Source {
		o := anonymous()
		o.CacheDir = b.TempDir()
		return NewRegistry(o)
	})
}
