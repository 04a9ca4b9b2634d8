package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"debuggable.dev/debuggable/internal/ociimage"
)

// labelPrefix begins the labels that say what is inside: dev.debuggable.support/<name> = <version>.
const labelPrefix = "dev.debuggable.support/"

// part is one platform's part of an image.
type part struct {
	arch     string // GOARCH
	tree     ociimage.Tree
	labels   map[string]string // without labelPrefix
	contents []content
}

// epoch is the time of everything in the images: SOURCE_DATE_EPOCH (reproducible-builds.org), or 1970.
func epoch() (time.Time, error) {
	s, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok {
		return time.Unix(0, 0).UTC(), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}

// makeImage makes one platform's image.
func makeImage(runtime, version string, p part, when time.Time) (v1.Image, error) {
	labels := map[string]string{
		"org.opencontainers.image.title":       "debuggable support: " + runtime,
		"org.opencontainers.image.description": "Brings the files that debugging " + runtime + " needs to a volume at /dbg.",
		"org.opencontainers.image.version":     version,
		labelPrefix + "runtime":                runtime,
	}
	for k, v := range p.labels {
		labels[labelPrefix+k] = v
	}
	return ociimage.Make(p.tree, ociimage.Spec{
		Platform: v1.Platform{OS: "linux", Architecture: p.arch}, Created: when, By: "debuggable support/build",
		// A number, not root: the kubelet accepts it where a pod sets runAsNonRoot and no user of its own.
		Config: v1.Config{Entrypoint: []string{"/install"}, User: "65532:65532", WorkingDir: "/", Labels: labels},
	})
}

// makeIndex makes the multi-platform image.
func makeIndex(runtime, version string, parts []part) (v1.ImageIndex, error) {
	when, err := epoch()
	if err != nil {
		return nil, err
	}
	var platforms []v1.Platform
	var images []v1.Image
	for _, p := range parts {
		img, err := makeImage(runtime, version, p, when)
		if err != nil {
			return nil, err
		}
		platforms, images = append(platforms, v1.Platform{OS: "linux", Architecture: p.arch}), append(images, img)
	}
	index := ociimage.Index(platforms, images)
	return mutate.Annotations(index, map[string]string{
		"org.opencontainers.image.title":   "debuggable support: " + runtime,
		"org.opencontainers.image.version": version,
	}).(v1.ImageIndex), nil
}

// compressedSize returns the size of what a registry holds for an index, in bytes.
func compressedSize(index v1.ImageIndex) (int64, error) {
	m, err := index.IndexManifest()
	if err != nil {
		return 0, err
	}
	var total int64
	var seen []v1.Hash
	for _, d := range m.Manifests {
		img, err := index.Image(d.Digest)
		if err != nil {
			return 0, err
		}
		im, err := img.Manifest()
		if err != nil {
			return 0, err
		}
		for _, l := range im.Layers {
			if !slices.Contains(seen, l.Digest) {
				seen = append(seen, l.Digest)
				total += l.Size
			}
		}
	}
	return total, nil
}
