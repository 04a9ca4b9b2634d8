package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"debuggable.dev/debuggable/internal/image/files"
)

// store holds the documents of images by digest.
type store interface {
	// document calls use with the content of a document of at most maxDocument bytes, which is what the digest says; use
	// must not keep it. Its error wraps errMissing where the document is not there.
	document(ctx context.Context, kind kind, h v1.Hash, use func([]byte) error) error
	// layer opens a layer.
	layer(ctx context.Context, h v1.Hash) (io.ReadCloser, error)
}

// kind is the kind of a document, as registries' paths have it.
type kind string

const (
	manifests kind = "manifests" // or indexes
	blobs     kind = "blobs"     // configurations
)

// candidate is an image that may be chosen.
type candidate struct {
	digest   v1.Hash
	root     v1.Hash      // which of the roots leads to it
	platform *v1.Platform // nil while unknown
	read     bool         // the manifest was read
	settings *descriptor  // of the configuration; nil while the manifest was not read
	config   *Config      // kept of the best one alone
	layers   descriptors
}

// picker chooses an image among those that descriptors lead to. It is for one choice: what it reads for that is
// bounded.
type picker struct {
	store store
	// sparse says that images that an index lists may be absent without anything being wrong, as in what
	// `docker save` writes: they are then not there to be chosen.
	sparse bool
	read   int // bytes so far
}

// pick returns the configuration of the image for platform among those that roots lead to, through nested indexes.
// Attestations and other artifacts are not considered. A sole image serves whatever the platform. Of equals in one
// index the first is chosen, as container runtimes do it; equals that different roots lead to are an error, unless they
// are configured alike.
func (p *picker) pick(ctx context.Context, roots []descriptor, platform v1.Platform) (Config, error) {
	found, err := p.expand(ctx, roots)
	if err != nil {
		return Config{}, err
	}
	var absent error
	if p.sparse {
		if found, absent, err = p.present(ctx, found, platform); err != nil {
			return Config{}, err
		}
	}
	if len(found) > 1 {
		if c := best(found, platform); c != nil && rank(platform, *c.platform) == 0 && len(roots) == 1 {
			found = []*candidate{c}
		} else if found, err = p.settle(ctx, found, platform); err != nil {
			return Config{}, err
		}
	}
	switch {
	case len(found) == 0 && absent != nil:
		return Config{}, absent
	case len(found) == 0 && len(roots) > 0:
		return Config{}, fmt.Errorf("%s: %w", roots[0].Digest, errNoImage)
	case len(found) == 0:
		return Config{}, errNoImage
	case len(found) == 1:
		return p.load(ctx, found[0])
	}
	if c := best(found, platform); c != nil {
		return p.unrivalled(ctx, c, found, platform)
	}
	var have []*v1.Platform
	for _, c := range found {
		have = append(have, c.platform)
	}
	return Config{}, &notFound{"it is there only for " + platformList(have)}
}

// present returns the candidates that are there, and the error for one that is not: for platform if possible.
func (p *picker) present(
	ctx context.Context, all []*candidate, platform v1.Platform,
) (found []*candidate, absent, err error) {
	for _, c := range all {
		err := p.readManifest(ctx, c)
		if errors.Is(err, errMissing) {
			if c.platform == nil || rank(platform, *c.platform) != noMatch || absent == nil {
				absent = err
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		found = append(found, c)
	}
	return found, absent, nil
}

// unrivalled loads c, the best of found, unless another root leads to one that is as good and not the same.
func (p *picker) unrivalled(
	ctx context.Context, c *candidate, found []*candidate, platform v1.Platform,
) (Config, error) {
	config, err := p.load(ctx, c)
	if err != nil {
		return Config{}, err
	}
	for _, other := range found {
		if other.root == c.root || other.digest == c.digest || other.platform == nil ||
			rank(platform, *other.platform) != rank(platform, *c.platform) {
			continue
		}
		rival, err := p.load(ctx, other)
		if err != nil {
			return Config{}, err
		}
		if !sameSettings(config, rival) {
			return Config{}, fmt.Errorf("there are two images of this name, %s and %s, which differ: remove one of them, or "+
				"name the one that is meant by its digest",
				c.digest, other.digest)
		}
	}
	return config, nil
}

// best returns the candidate of a known platform that serves platform best, the first of equals; nil if none does.
func best(cs []*candidate, platform v1.Platform) *candidate {
	var b *candidate
	bestRank := noMatch
	for _, c := range cs {
		if c.platform == nil {
			continue
		}
		if r := rank(platform, *c.platform); r != noMatch && (b == nil || r < bestRank) {
			b, bestRank = c, r
		}
	}
	return b
}

// settle reads the configurations of candidates whose platform is unknown, and drops those that are no images.
func (p *picker) settle(ctx context.Context, cs []*candidate, platform v1.Platform) ([]*candidate, error) {
	var kept []*candidate
	var holder *candidate // of a configuration: the best so far
	for _, c := range cs {
		if c.platform == nil {
			config, err := p.load(ctx, c)
			if errors.Is(err, errNoImage) {
				continue
			}
			if err != nil {
				return nil, err
			}
			c.platform = config.Platform
			if holder == nil || best([]*candidate{holder, c}, platform) == c {
				if holder != nil {
					holder.config = nil
				}
				holder, c.config = c, &config
			}
		}
		kept = append(kept, c)
	}
	return kept, nil
}

// expand lists the images that roots lead to, in document order, each once.
func (p *picker) expand(ctx context.Context, roots []descriptor) ([]*candidate, error) {
	var found []*candidate
	seen := map[v1.Hash]bool{}
	var root v1.Hash
	var walk func(ds []descriptor, depth int) error
	walk = func(ds []descriptor, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("indexes are nested more than %d deep", maxDepth)
		}
		for _, d := range ds {
			if seen[d.Digest] || !runnable(d) {
				continue
			}
			if len(seen) == maxImages {
				return fmt.Errorf("an index leads to more than %d images", maxImages)
			}
			seen[d.Digest] = true
			if depth == 0 {
				root = d.Digest
			}
			// An image inside an index is read only if it is chosen; what roots are shows only in their content, since
			// a root's media type may be unknown.
			c := &candidate{digest: d.Digest, root: root, platform: d.Platform.known()}
			if d.MediaType.IsImage() && (depth > 0 || len(ds) > 1) {
				found = append(found, c)
				continue
			}
			doc, err := p.document(ctx, d.Digest)
			if err != nil {
				if p.sparse && depth > 0 && errors.Is(err, errMissing) {
					continue
				}
				return err
			}
			if !doc.isIndex() {
				c.read, c.settings, c.layers = true, doc.Config, doc.Layers
				found = append(found, c)
				continue
			}
			if err := walk(doc.Manifests, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(roots, 0); err != nil {
		return nil, err
	}
	return found, nil
}

// runnable reports whether a descriptor may lead to an image that can be run. BuildKit attaches attestations to
// an index as manifests of the platform unknown/unknown with an annotation
// (https://docs.docker.com/build/metadata/attestations/attestation-storage/).
func runnable(d descriptor) bool {
	if p := d.Platform; p != nil && p.OS == "unknown" && p.Architecture == "unknown" {
		return false
	}
	if d.Annotations[referenceType] != "" {
		return false
	}
	if d.ArtifactType != "" && !imageConfig(types.MediaType(d.ArtifactType)) {
		return false
	}
	return d.MediaType == "" || d.MediaType.IsImage() || d.MediaType.IsIndex() || d.MediaType.IsSchema1()
}

// imageConfig reports whether m is the media type of a container image's configuration.
func imageConfig(m types.MediaType) bool {
	return m == "" || m == types.OCIConfigJSON || m == types.DockerConfigJSON
}

// count adds to what was read.
func (p *picker) count(b []byte) error {
	if p.read += len(b); p.read > maxRead {
		return fmt.Errorf("to choose an image takes more than %d MiB of manifests and configurations", maxRead>>20)
	}
	return nil
}

// document reads a manifest or an index.
func (p *picker) document(ctx context.Context, h v1.Hash) (doc document, err error) {
	err = p.store.document(ctx, manifests, h, func(b []byte) (err error) {
		if err := p.count(b); err != nil {
			return err
		}
		doc, err = parseDocument(h, b)
		return err
	})
	return doc, err
}

func (p *picker) readManifest(ctx context.Context, c *candidate) error {
	if c.read {
		return nil
	}
	doc, err := p.document(ctx, c.digest)
	if err != nil {
		return err
	}
	c.read, c.settings, c.layers = true, doc.Config, doc.Layers
	return nil
}

// load reads the configuration of a candidate.
func (p *picker) load(ctx context.Context, c *candidate) (Config, error) {
	if c.config != nil {
		return *c.config, nil
	}
	if err := p.readManifest(ctx, c); err != nil {
		return Config{}, err
	}
	if c.settings == nil || c.settings.Digest.Hex == "" {
		return Config{}, fmt.Errorf("manifest %s names no configuration: %w", c.digest, errNoImage)
	}
	if !imageConfig(c.settings.MediaType) {
		return Config{}, fmt.Errorf("manifest %s: its configuration is %s: %w", c.digest, c.settings.MediaType, errNoImage)
	}
	var config Config
	err := p.store.document(ctx, blobs, c.settings.Digest, func(b []byte) (err error) {
		if err := p.count(b); err != nil {
			return err
		}
		if config, err = parseConfig(b); err != nil {
			return fmt.Errorf("image configuration %s: %w", c.settings.Digest, err)
		}
		return nil
	})
	if err != nil {
		return Config{}, err
	}
	config.Digest = c.digest
	for _, d := range c.layers {
		config.Layers = append(config.Layers, files.Layer{
			Name: d.Digest.String(), Open: func(ctx context.Context) (io.ReadCloser, error) {
				return p.store.layer(ctx, d.Digest)
			},
		})
	}
	// An index tells the variant of arm more often than configurations do.
	if c.platform != nil {
		config.Platform = c.platform
	}
	return config, nil
}
