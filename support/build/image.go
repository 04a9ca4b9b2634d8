package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"sort"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// labelPrefix begins the labels that say what is inside: dev.debuggable.support/<name> = <version>.
const labelPrefix = "dev.debuggable.support/"

// file is a regular file of an image.
type file struct {
	mode int64 // permission bits
	data []byte
}

// tree is a file system: files by their path, without a leading slash. Folders follow from the paths.
type tree map[string]file

// part is one platform's part of an image.
type part struct {
	arch     string // GOARCH
	tree     tree
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

// tarOf returns a tree as a tar archive: folders before what is in them, in the order of their names, owned by root.
func tarOf(t tree, when time.Time) ([]byte, error) {
	names := make([]string, 0, len(t))
	folders := map[string]bool{}
	for name := range t {
		names = append(names, name)
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if !folders[dir] {
				folders[dir] = true
				names = append(names, dir)
			}
		}
	}
	sort.Strings(names)
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range names {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: t[name].mode, Size: int64(len(t[name].data)), ModTime: when, Format: tar.FormatPAX}
		if folders[name] {
			h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(t[name].data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// makeImage makes one platform's image.
func makeImage(runtime, version string, p part, when time.Time) (v1.Image, error) {
	archive, err := tarOf(p.tree, when)
	if err != nil {
		return nil, err
	}
	// Compressed here, and once: the layer would do it anew for each of its readers.
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	if _, err := z.Write(archive); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(compressed.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		return nil, err
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture, cf.Created = "linux", p.arch, v1.Time{Time: when}
	cf.History = []v1.History{{Created: v1.Time{Time: when}, CreatedBy: "debuggable support/build"}}
	cf.Config = v1.Config{
		Entrypoint: []string{"/install"},
		// A number, not root: the kubelet accepts it where a pod sets runAsNonRoot and no user of its own.
		User:       "65532:65532",
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "debuggable support: " + runtime,
			"org.opencontainers.image.description": "Brings the files that debugging " + runtime + " needs to a volume at /dbg.",
			"org.opencontainers.image.version":     version,
			labelPrefix + "runtime":                runtime,
		},
	}
	for k, v := range p.labels {
		cf.Config.Labels[labelPrefix+k] = v
	}
	return mutate.ConfigFile(img, cf)
}

// makeIndex makes the multi-platform image.
func makeIndex(runtime, version string, parts []part) (v1.ImageIndex, error) {
	when, err := epoch()
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range parts {
		img, err := makeImage(runtime, version, p, when)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p.arch}},
		})
	}
	return mutate.Annotations(index, map[string]string{
		"org.opencontainers.image.title":   "debuggable support: " + runtime,
		"org.opencontainers.image.version": version,
	}).(v1.ImageIndex), nil
}

// writeLayout writes an OCI layout that holds nothing but the index, which `crane push` takes as it is.
func writeLayout(dir string, index v1.ImageIndex, version string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	err = l.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version}))
	if err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	return nil
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
