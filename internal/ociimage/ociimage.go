// Package ociimage makes OCI images out of files, without a container engine: the same bytes for the same files.
package ociimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// File is a regular file of an image.
type File struct {
	Mode int64 // permission bits
	Data []byte
}

// Tree is a file system: files by their path, without a leading slash. Folders follow from the paths.
type Tree map[string]File

// Spec is all of an image but its files.
type Spec struct {
	Platform v1.Platform
	Created  time.Time // of the image, and of each file in it
	By       string    // what its history says made it
	Config   v1.Config
}

// Make makes the image of one platform, with all files in one layer, owned by root.
func Make(t Tree, s Spec) (v1.Image, error) {
	compressed, err := archive(t, s.Created)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(compressed)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = s.Platform.OS, s.Platform.Architecture, s.Platform.Variant
	config.Created = v1.Time{Time: s.Created}
	config.History = []v1.History{{Created: config.Created, CreatedBy: s.By}}
	config.Config = s.Config
	return mutate.ConfigFile(img, config)
}

// archive returns a tree as a compressed tar archive: folders before what is in them, in the order of their names. It
// is compressed here, and once, since a layer would do it anew for each of its readers.
func archive(t Tree, when time.Time) ([]byte, error) {
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
	slices.Sort(names)
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for _, name := range names {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: t[name].Mode, Size: int64(len(t[name].Data)), ModTime: when,
			Format: tar.FormatPAX}
		if folders[name] {
			h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(t[name].Data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Index makes a multi-platform image of images by platform, in the order given.
func Index(platforms []v1.Platform, images []v1.Image) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, img := range images {
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platforms[i]}})
	}
	return index
}

// WriteLayout writes an OCI layout that holds nothing but the index, under the name given, which `crane push` takes as
// it is. It replaces an older layout, but no other folder.
func WriteLayout(dir string, index v1.ImageIndex, name string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		if _, err := layout.FromPath(dir); err != nil {
			return fmt.Errorf("writing layout %s: the folder holds something else: %w", dir, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("writing layout %s: %w", dir, err)
		}
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	if err := l.AppendIndex(index,
		layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": name})); err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	return nil
}
