package main

import (
	"archive/tar"
	"bytes"
	"context"
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

// user is a number, so that a kubelet sees that it is not root.
const user = "65532:65532"

// build makes the multi-platform image.
func build(ctx context.Context, platforms []v1.Platform) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		t, err := files(ctx, p)
		if err != nil {
			return nil, err
		}
		img, err := makeImage(t, p)
		if err != nil {
			return nil, fmt.Errorf("making the image for %s: %w", p, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	return index, nil
}

// makeImage makes one platform's image. All times in it are 1970, so that equal contents have equal digests.
func makeImage(t tree, p v1.Platform) (v1.Image, error) {
	archive, err := tarOf(t)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil },
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
	epoch := v1.Time{Time: time.Unix(0, 0).UTC()}
	config.OS, config.Architecture, config.Variant, config.Created = p.OS, p.Architecture, p.Variant, epoch
	config.History = []v1.History{{Created: epoch, CreatedBy: "debuggable internal/buildimage"}}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + program},
		User:       user,
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":       program,
			"org.opencontainers.image.description": "Makes rendered Kubernetes manifests debuggable, as a KRM function.",
			"org.opencontainers.image.licenses":    "Apache-2.0",
		},
	}
	return mutate.ConfigFile(img, config)
}

// tarOf returns the files as a tar archive, each folder before what is in it, owned by root.
func tarOf(t tree) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	var made []string
	for _, f := range t {
		var missing []string
		for dir := path.Dir(f.path); dir != "." && !slices.Contains(made, dir); dir = path.Dir(dir) {
			missing = append(missing, dir)
		}
		slices.Reverse(missing)
		for _, dir := range missing {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
				return nil, err
			}
		}
		made = append(made, missing...)
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// writeLayout writes an OCI layout that holds nothing but the index. It replaces an older layout, but no other folder.
func writeLayout(dir string, index v1.ImageIndex) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		if _, err := layout.FromPath(dir); err != nil {
			return fmt.Errorf("writing layout %s: the folder holds something else: %w", dir, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	if err := l.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": program + ":latest"})); err != nil {
		return fmt.Errorf("writing layout %s: %w", dir, err)
	}
	return nil
}
