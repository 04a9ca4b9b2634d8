package image

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Bounds on what is read, so that a hostile layout, archive or registry cannot use up memory or time. Real documents
// are far below them: manifests and configurations have tens of kilobytes, indexes tens of images.
const (
	maxDocument = 16 << 20 // bytes of one manifest, index or configuration
	maxDepth    = 8        // indexes inside indexes
	maxImages   = 2048     // images in an index, nested ones included
)

// store holds the documents of images by digest. What it returns is verified against the digest; errMissing, wrapped,
// says that a document is not there.
type store interface {
	manifest(ctx context.Context, d v1.Descriptor) ([]byte, error)
	config(ctx context.Context, d v1.Descriptor) ([]byte, error)
}

// errMissing is wrapped by stores' errors for what is not there.
var errMissing = errors.New("missing")

// errNoImage is wrapped by errors for documents that are no container images: Helm charts, signatures and so on.
var errNoImage = errors.New("not a container image")

// verify checks that b is the content that h names.
func verify(h v1.Hash, b []byte) error {
	hasher, err := v1.Hasher(h.Algorithm)
	if err != nil {
		return err
	}
	hasher.Write(b)
	if got := hex.EncodeToString(hasher.Sum(nil)); got != h.Hex {
		return fmt.Errorf("blob %s is corrupt: its content has the digest %s:%s", h, h.Algorithm, got)
	}
	return nil
}

// document is an image manifest or an index: the two are told apart by what is in them, since media types are optional
// in one and wrong in others.
type document struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Config        *v1.Descriptor  `json:"config"`
	Manifests     []v1.Descriptor `json:"manifests"`
}

func (d document) isIndex() bool {
	return d.MediaType.IsIndex() || d.Config == nil && d.Manifests != nil
}

func parseDocument(h v1.Hash, b []byte) (document, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("manifest %s: %w", h, err)
	}
	if d.SchemaVersion == 1 {
		return d, fmt.Errorf("manifest %s has Docker's schema 1, which is no longer in use: push the image again with a current tool", h)
	}
	return d, nil
}

// candidate is an image that may be chosen.
type candidate struct {
	desc     v1.Descriptor
	platform *v1.Platform // nil while unknown
	manifest []byte       // nil until read
	config   *Config      // nil until read
}

// picker chooses an image among those that descriptors lead to.
type picker struct {
	store store
	// sparse says that images that an index lists may be absent without anything being wrong, as in what
	// `docker save` writes: they are then not there to be chosen.
	sparse bool
}

// pick returns the configuration of the image for platform among those that roots lead to, through nested indexes.
// Attestations and other artifacts are not considered. A sole image serves whatever the platform.
func (p picker) pick(ctx context.Context, roots []v1.Descriptor, platform v1.Platform) (Config, error) {
	all, err := p.expand(ctx, roots)
	if err != nil {
		return Config{}, err
	}
	var absent error
	found := all
	if p.sparse {
		found = nil
		for _, c := range all {
			if c.manifest == nil {
				if c.manifest, err = p.store.manifest(ctx, c.desc); errors.Is(err, errMissing) {
					if c.platform == nil || rank(platform, *c.platform) != noMatch || absent == nil {
						absent = err
					}
					continue
				} else if err != nil {
					return Config{}, err
				}
			}
			found = append(found, c)
		}
	}
	if len(found) > 1 {
		if c := best(found, platform); c != nil && rank(platform, *c.platform) == 0 {
			found = []*candidate{c}
		} else if found, err = p.settle(ctx, found); err != nil {
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
		return p.load(ctx, c)
	}
	var have []*v1.Platform
	for _, c := range found {
		have = append(have, c.platform)
	}
	return Config{}, &notFound{"it is there only for " + platformList(have)}
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
func (p picker) settle(ctx context.Context, cs []*candidate) ([]*candidate, error) {
	var kept []*candidate
	for _, c := range cs {
		if c.platform == nil {
			config, err := p.load(ctx, c)
			if errors.Is(err, errNoImage) {
				continue
			}
			if err != nil {
				return nil, err
			}
			c.config, c.platform = &config, config.Platform
		}
		kept = append(kept, c)
	}
	return kept, nil
}

// expand lists the images that roots lead to, in document order, each once.
func (p picker) expand(ctx context.Context, roots []v1.Descriptor) ([]*candidate, error) {
	var found []*candidate
	seen := map[v1.Hash]bool{}
	budget := maxImages
	var walk func(ds []v1.Descriptor, depth int) error
	walk = func(ds []v1.Descriptor, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("indexes are nested more than %d deep", maxDepth)
		}
		for _, d := range ds {
			if seen[d.Digest] || !runnable(d) {
				continue
			}
			seen[d.Digest] = true
			if budget--; budget < 0 {
				return fmt.Errorf("an index leads to more than %d images", maxImages)
			}
			// An image inside an index is read only if it is chosen; what roots are shows only in their content, since
			// a root's media type may be unknown.
			if d.MediaType.IsImage() && (depth > 0 || len(ds) > 1) {
				found = append(found, &candidate{desc: d, platform: known(d.Platform)})
				continue
			}
			b, err := p.store.manifest(ctx, d)
			if err != nil {
				if p.sparse && depth > 0 && errors.Is(err, errMissing) {
					continue
				}
				return err
			}
			doc, err := parseDocument(d.Digest, b)
			if err != nil {
				return err
			}
			if !doc.isIndex() {
				found = append(found, &candidate{desc: d, platform: known(d.Platform), manifest: b})
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

// known returns p, or nil where p does not say enough to choose by.
func known(p *v1.Platform) *v1.Platform {
	if p == nil || p.OS == "" || p.Architecture == "" {
		return nil
	}
	return p
}

// runnable reports whether a descriptor may lead to an image that can be run. BuildKit attaches attestations to
// an index as manifests of the platform unknown/unknown with an annotation
// (https://docs.docker.com/build/metadata/attestations/attestation-storage/).
func runnable(d v1.Descriptor) bool {
	if p := d.Platform; p != nil && p.OS == "unknown" && p.Architecture == "unknown" {
		return false
	}
	if d.Annotations["vnd.docker.reference.type"] != "" {
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

// load reads the configuration of a candidate.
func (p picker) load(ctx context.Context, c *candidate) (Config, error) {
	if c.config != nil {
		return *c.config, nil
	}
	b := c.manifest
	if b == nil {
		var err error
		if b, err = p.store.manifest(ctx, c.desc); err != nil {
			return Config{}, err
		}
	}
	doc, err := parseDocument(c.desc.Digest, b)
	if err != nil {
		return Config{}, err
	}
	if doc.Config == nil || doc.Config.Digest.Hex == "" {
		return Config{}, fmt.Errorf("manifest %s names no configuration: %w", c.desc.Digest, errNoImage)
	}
	if !imageConfig(doc.Config.MediaType) {
		return Config{}, fmt.Errorf("manifest %s: its configuration is %s: %w", c.desc.Digest, doc.Config.MediaType, errNoImage)
	}
	raw, err := p.store.config(ctx, *doc.Config)
	if err != nil {
		return Config{}, err
	}
	config, err := parseConfig(raw)
	if err != nil {
		return Config{}, fmt.Errorf("image configuration %s: %w", doc.Config.Digest, err)
	}
	config.Digest = c.desc.Digest
	// An index tells the variant of arm more often than configurations do.
	if k := known(c.platform); k != nil {
		n := normalPlatform(*k)
		config.Platform = &n
	}
	return config, nil
}

// parseConfig reads an OCI image configuration. It looks at nothing but what Config holds, so that a date or a history
// that is not well-formed does not matter.
func parseConfig(b []byte) (Config, error) {
	var file struct {
		Architecture string    `json:"architecture"`
		OS           string    `json:"os"`
		OSVersion    string    `json:"os.version"`
		Variant      string    `json:"variant"`
		Author       string    `json:"author"`
		Config       v1.Config `json:"config"`
	}
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return Config{}, errors.New("it is no JSON object")
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return Config{}, err
	}
	c := Config{Config: file.Config, Author: file.Author}
	if p := known(&v1.Platform{OS: file.OS, Architecture: file.Architecture, OSVersion: file.OSVersion, Variant: file.Variant}); p != nil {
		n := normalPlatform(*p)
		c.Platform = &n
	}
	return c, nil
}
