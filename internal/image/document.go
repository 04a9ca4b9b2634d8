package image

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"debuggable.dev/debuggable/internal/foreign"
)

// Bounds on what is read, so that a hostile layout, archive or registry cannot use up memory or time. Real documents
// are far below them: manifests and configurations have tens of kilobytes, indexes tens of images.
const (
	// maxDocument is the most bytes of one manifest, index or configuration: as much as the reference registry accepts
	// (github.com/distribution/distribution, registry/handlers/manifests.go, maxManifestBodySize).
	maxDocument = 4 << 20
	// maxRead is the most bytes of all documents that are read for one image.
	maxRead = 8 * maxDocument
	// maxConfig is the most bytes that are kept of a configuration. Linux starts no process whose words and variables have
	// more: execve(2), "Limits on size of arguments and environment".
	maxConfig = 2 << 20
	maxDepth  = 8    // indexes inside indexes
	maxImages = 2048 // images in an index, nested ones included
)

// errMissing is wrapped by stores' errors for what is not there.
var errMissing = errors.New("missing")

// errNoImage is wrapped by errors for documents that are no container images: Helm charts, signatures and so on.
var errNoImage = errors.New("not a container image")

// readDocument reads r to its end, or fails where that is beyond maxDocument.
func readDocument(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(b) > maxDocument {
		return nil, tooLarge(name)
	}
	return b, nil
}

func tooLarge(name string) error {
	return fmt.Errorf("%s has more than %d MiB, which no image manifest or configuration has", foreign.Short(name),
		maxDocument>>20)
}

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

// descriptor is what counts of an OCI descriptor. The rest may be megabytes, and is not kept.
type descriptor struct {
	MediaType    types.MediaType `json:"mediaType"`
	Digest       v1.Hash         `json:"digest"`
	Platform     *platform       `json:"platform"`
	ArtifactType string          `json:"artifactType"`
	Annotations  annotations     `json:"annotations"`
}

// platform is what a descriptor or a configuration says about its platform.
type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	OSVersion    string `json:"os.version"`
	Variant      string `json:"variant"`
}

// known returns p in its normal form, or nil where p does not say enough to choose by.
func (p *platform) known() *v1.Platform {
	if p == nil || p.OS == "" || p.Architecture == "" {
		return nil
	}
	n := normalPlatform(v1.Platform{OS: p.OS, Architecture: p.Architecture, OSVersion: p.OSVersion, Variant: p.Variant})
	return &n
}

// The annotations that count.
const (
	referenceType  = "vnd.docker.reference.type"
	refNameKey     = "org.opencontainers.image.ref.name"
	containerdName = "io.containerd.image.name"
)

type annotations map[string]string

func (a *annotations) UnmarshalJSON(b []byte) error {
	return eachMember(b, func(key string, value json.RawMessage) error {
		if key != referenceType && key != refNameKey && key != containerdName {
			return nil
		}
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return err
		}
		if *a == nil {
			*a = annotations{}
		}
		(*a)[key] = s
		return nil
	})
}

// eachMember calls f for each member of a JSON object, one after the other, so that no more than one is in memory.
func eachMember(b []byte, f func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return err // null has no members
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		name, _ := key.(string)
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

// descriptors is a list that is counted while it is read.
type descriptors []descriptor

func (ds *descriptors) UnmarshalJSON(b []byte) error {
	*ds = nil
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return err // null is an empty list
	}
	*ds = descriptors{}
	for d.More() {
		if len(*ds) == maxImages {
			return fmt.Errorf("it lists more than %d images", maxImages)
		}
		var one descriptor
		if err := d.Decode(&one); err != nil {
			return err
		}
		*ds = append(*ds, one)
	}
	return nil
}

// document is what counts of an image manifest or an index: the two are told apart by what is in them, since media
// types are optional in one and wrong in others.
type document struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Config        *descriptor     `json:"config"`
	Manifests     descriptors     `json:"manifests"`
	Layers        descriptors     `json:"layers"`
}

func (d document) isIndex() bool {
	return d.MediaType.IsIndex() || d.Config == nil && d.Manifests != nil
}

func parseDocument(h v1.Hash, b []byte) (document, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return document{}, fmt.Errorf("manifest %s: %w", h, err)
	}
	if d.SchemaVersion == 1 {
		return document{}, fmt.Errorf("manifest %s has Docker's schema 1, which is no longer in use: push the image again "+
			"with a current tool", h)
	}
	return d, nil
}

// labels keeps the labels that something here reads: what buildpacks tell of an image's processes, and what support
// images tell of themselves.
type labels map[string]string

func (l *labels) UnmarshalJSON(b []byte) error {
	return eachMember(b, func(key string, value json.RawMessage) error {
		if key != "io.buildpacks.build.metadata" && !strings.HasPrefix(key, "dev.debuggable.support/") {
			return nil
		}
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return err
		}
		if *l == nil {
			*l = labels{}
		}
		(*l)[key] = s
		return nil
	})
}

// parseConfig reads an OCI image configuration. It looks at nothing but what is used of it, so that a date or a history
// that is not well-formed does not matter.
func parseConfig(b []byte) (Config, error) {
	var file struct {
		platform
		Author string `json:"author"`
		Config struct {
			Entrypoint []string
			Cmd        []string
			Env        []string
			WorkingDir string
			User       string
			Labels     labels
			Volumes    map[string]struct{}
		} `json:"config"`
	}
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '{' {
		return Config{}, errors.New("it is no JSON object")
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return Config{}, err
	}
	c := file.Config
	config := Config{Author: file.Author, Platform: file.platform.known(), Config: v1.Config{
		Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkingDir: c.WorkingDir, User: c.User, Labels: c.Labels,
		Volumes: c.Volumes,
	}}
	if config.size() > maxConfig {
		return Config{}, fmt.Errorf("its words, variables and labels take more than %d MiB, which no image has",
			maxConfig>>20)
	}
	return config, nil
}

// size is about how many bytes c takes.
func (c *Config) size() int {
	const header = 16 // of a string
	n := len(c.Author) + len(c.WorkingDir) + len(c.User)
	for _, list := range [][]string{c.Entrypoint, c.Cmd, c.Env} {
		for _, s := range list {
			n += len(s) + header
		}
	}
	for key, value := range c.Labels {
		n += len(key) + len(value) + 2*header
	}
	for volume := range c.Volumes {
		n += len(volume) + header
	}
	return n
}
