// Package image finds image configurations: the part of a container image that says what a container of it runs.
//
// A [Source] answers for one image reference; there are sources for entries written down (inline, in ImageConfigs
// resources and files), for OCI layouts, for archives, for registries and for the container engine of this machine, and
// [Chain] asks them in order. [ResolveAll] resolves each distinct reference once, concurrently. Nothing here knows
// about manifests.
package image

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/image/files"
)

// Config is what is known of one image on one platform.
type Config struct {
	// Config is the OCI image configuration's "config": Entrypoint, Cmd, Env, WorkingDir, User, Labels, …
	v1.Config
	// Author is the OCI image configuration's "author"; ko sets it to github.com/google/ko.
	Author string
	// Digest is the digest of the image's manifest (not of an index); zero where the source does not say.
	Digest v1.Hash
	// Root is the digest that the reference stands for, be it an index's; zero where the source does not say.
	Root v1.Hash
	// Pin is the digest by which somebody wrote down that the image is to be pulled; zero for none. See Entry.
	Pin v1.Hash
	// Platform is the image's platform; nil where the source does not say.
	Platform *v1.Platform
	// From says where the configuration was found, for people: `layout build/oci`, `registry`, `images.lock.yaml`.
	From string
	// Engine is where the container engine listens that has the image; "" where another source has it.
	Engine string
	// Files is what is known of the image's files; nil for nothing.
	Files *files.Set
	// Layers are the image's layers, the lowest first, where they can be had; Local says that they are on this machine.
	Layers []files.Layer
	Local  bool
}

// ErrNotFound is what a Source returns, wrapped or not, for an image that it does not hold. Any other error means
// that the source holds the image, or may hold it, but cannot tell its configuration.
var ErrNotFound = errors.New("image not found")

// Source finds the configuration of the image that a reference names, for a platform. Implementations are safe for
// concurrent use and stop early when ctx is done.
type Source interface {
	Config(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error)
}

// Want is one thing to resolve. Image is the reference as a manifest writes it; Platform is like linux/arm64/v8.
// It is comparable: equal Wants are resolved once.
type Want struct {
	Image    string
	Platform string
}

// Result is a resolved Want: a Config, or the error that says why there is none.
type Result struct {
	Config Config
	Err    error
}

// Entry is an image configuration that somebody wrote down: one element of "images" in an ImageConfigs resource or
// in the function's configuration. The keys of config are the OCI image configuration's own.
type Entry struct {
	Image  string `yaml:"image"`
	Digest string `yaml:"digest,omitempty"`
	// Pin is the digest by which a support image is to be pulled, which may be an index's: nodes of any platform take it.
	Pin      string    `yaml:"pin,omitempty"`
	Platform string    `yaml:"platform,omitempty"`
	Author   string    `yaml:"author,omitempty"`
	Config   v1.Config `yaml:"config"`
	// Files are those that matter to what workloads start.
	Files []files.File `yaml:"files,omitempty"`
}
