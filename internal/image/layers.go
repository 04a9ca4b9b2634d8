package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image returns an image with its layers, which are read when they are asked for. Of archives that is what `docker
// save` writes.
func (l *Local) Image(ctx context.Context, ref name.Reference, platform v1.Platform) (v1.Image, error) {
	config, err := l.Config(ctx, ref, platform)
	if err != nil {
		return nil, err
	}
	if l.kind != "layout" {
		return l.archived(ref)
	}
	blobs := layout.Path(l.path)
	raw, err := blobs.Bytes(config.Digest)
	if err != nil {
		return nil, l.wrap(err)
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, l.wrap(err)
	}
	return partial.CompressedToImage(&storedImage{blobs, raw, manifest})
}

// archived finds an image in an archive by its name, or takes the only one.
func (l *Local) archived(ref name.Reference) (v1.Image, error) {
	if tag, ok := ref.(name.Tag); ok && l.tie == nil {
		if img, err := tarball.ImageFromPath(l.path, &tag); err == nil {
			return img, nil
		}
	}
	img, err := tarball.ImageFromPath(l.path, nil)
	if err != nil {
		return nil, l.wrap(err)
	}
	return img, nil
}

// storedImage is an image in a layout at any depth of its indexes: package layout has those of the first level alone.
type storedImage struct {
	blobs    layout.Path
	raw      []byte
	manifest *v1.Manifest
}

func (s *storedImage) MediaType() (types.MediaType, error) { return s.manifest.MediaType, nil }
func (s *storedImage) RawManifest() ([]byte, error)        { return s.raw, nil }
func (s *storedImage) RawConfigFile() ([]byte, error)      { return s.blobs.Bytes(s.manifest.Config.Digest) }

func (s *storedImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range s.manifest.Layers {
		if d.Digest == h {
			return storedLayer{s.blobs, d}, nil
		}
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

type storedLayer struct {
	blobs layout.Path
	desc  v1.Descriptor
}

func (s storedLayer) Digest() (v1.Hash, error)            { return s.desc.Digest, nil }
func (s storedLayer) Size() (int64, error)                { return s.desc.Size, nil }
func (s storedLayer) MediaType() (types.MediaType, error) { return s.desc.MediaType, nil }
func (s storedLayer) Compressed() (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(s.blobs), "blobs", s.desc.Digest.Algorithm, s.desc.Digest.Hex))
}
