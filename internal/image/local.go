package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/lookup"
)

// Local is a source of the images in an OCI image layout or in an archive on this machine. It is opened when it is
// first asked, once.
//
// Images are found by the names in the annotations org.opencontainers.image.ref.name (a full reference) and
// io.containerd.image.name of the layout's index, by the RepoTags of an archive's manifest.json, and by the digests of
// images and indexes at any depth.
type Local struct {
	kind string // "layout" or "archive"
	spec string // as the user wrote it: PATH or IMAGE=PATH

	gate chan struct{} // holds one token: who takes it may open and read
	open bool
	err  error

	path   string
	tie    name.Reference // IMAGE, nil if there is none
	store  fileStore
	sparse bool
	roots  []root       // of index.json
	whole  v1.Hash      // the digest of index.json
	saved  []savedImage // of manifest.json
	cache  map[v1.Hash][]descriptor
	listed int // images in cache
}

// root is an image or an index that a layout's index.json lists.
type root struct {
	desc     descriptor
	names    []string // normalised references
	tag      string   // a bare tag: a name without the image's
	artifact bool     // not an image: an attestation, a chart
}

// savedImage is an element of manifest.json, the table of contents that `docker save` writes
// (https://github.com/moby/docker-image-spec, "combined image JSON + filesystem changeset format").
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// NewLayout returns a source of the images in an OCI image layout. The spec is the layout's folder, or IMAGE=DIR, which
// ties the layout's only image, or the one whose bare tag is IMAGE's, to the reference IMAGE.
func NewLayout(spec string) *Local { return newLocal("layout", spec) }

// NewArchive returns a source of the images in a tar file, plain or compressed with gzip: what `docker save` and
// `podman save` write, or a tar of an OCI image layout. The spec is the file, or IMAGE=FILE as for NewLayout. Only
// manifests and configurations are read; layers are skipped over.
func NewArchive(spec string) *Local { return newLocal("archive", spec) }

func newLocal(kind, spec string) *Local {
	return &Local{kind: kind, spec: spec, gate: make(chan struct{}, 1), cache: map[v1.Hash][]descriptor{}}
}

// String names the source for people, like `layout build/oci`.
func (l *Local) String() string {
	p, _, err := l.split()
	if err != nil {
		p = l.spec
	}
	return l.kind + " " + p
}

// split takes IMAGE= off the spec. A path that exists is a path, even with a "=" in it.
func (l *Local) split() (file string, tie name.Reference, err error) {
	image, file, ok := strings.Cut(l.spec, "=")
	if !ok {
		return l.spec, nil, nil
	}
	if _, err := os.Lstat(l.spec); err == nil {
		return l.spec, nil, nil
	}
	tie, err = ParseReference(image)
	return file, tie, err
}

// Open opens the layout or archive, so that a wrong path is known before an image is asked for. Config does it by
// itself.
func (l *Local) Open(ctx context.Context) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	return l.opened(ctx)
}

func (l *Local) enter(ctx context.Context) error {
	select {
	case l.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return l.wrap(ctx.Err())
	}
}

func (l *Local) leave() { <-l.gate }

func (l *Local) wrap(err error) error {
	return &sourceError{"reading " + l.String(), err}
}

// opened opens what is not open yet. The caller holds the gate.
func (l *Local) opened(ctx context.Context) error {
	if l.open {
		return l.err
	}
	err := l.load(ctx)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no %q%s: write it first, or correct the path", l.path, lookup.Where(l.path))
		}
		err = l.wrap(err)
		if ctx.Err() != nil {
			return err // somebody else may have more time
		}
	}
	l.open, l.err = true, err
	return err
}

func (l *Local) load(ctx context.Context) error {
	var err error
	if l.path, l.tie, err = l.split(); err != nil {
		return err
	}
	if l.path == "" {
		return errors.New("the path is empty")
	}
	if l.kind == "archive" {
		return l.loadArchive(ctx)
	}
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("it is a file; a layout is a folder. If this is a tar file, use it as an archive")
	}
	l.store = fileStore{folder(l.path)}
	found, err := l.loadIndex(ctx)
	if err == nil && !found {
		err = errors.New("it is no OCI image layout: it has no index.json. " +
			"`docker buildx build --output type=oci,tar=false,dest=DIR` and `crane pull --format oci` write layouts")
	}
	return err
}

func (l *Local) loadArchive(ctx context.Context) error {
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("it is a folder; an archive is a tar file. If this is an OCI image layout, use it as a layout")
	}
	a, err := openArchive(ctx, l.path)
	if err != nil {
		return err
	}
	return l.useArchive(ctx, a)
}

func (l *Local) useArchive(ctx context.Context, a *archive) error {
	l.store, l.sparse = fileStore{a}, true
	found, err := l.loadIndex(ctx)
	if err != nil {
		return err
	}
	b, err := a.read(ctx, "manifest.json")
	if errors.Is(err, errMissing) {
		if !found {
			return errors.New("it holds no images: it has neither manifest.json nor index.json. " +
				"`docker save -o FILE IMAGE` and `docker buildx build --output type=oci,dest=FILE` write archives")
		}
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &l.saved); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	return nil
}

// loadIndex reads index.json; it reports whether there is one.
func (l *Local) loadIndex(ctx context.Context) (bool, error) {
	b, err := l.store.files.read(ctx, "index.json")
	if errors.Is(err, errMissing) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	var index struct {
		Manifests descriptors `json:"manifests"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return true, fmt.Errorf("index.json: %w", err)
	}
	l.whole, _, _ = v1.SHA256(bytes.NewReader(b))
	for _, d := range index.Manifests {
		r := root{desc: d, artifact: !runnable(d)}
		for _, key := range []string{containerdName, refNameKey} {
			n := d.Annotations[key]
			if n == "" {
				continue
			}
			if !strings.ContainsAny(n, "/:@") {
				r.tag = n
				continue
			}
			if ref, err := name.ParseReference(n); err == nil && !slices.Contains(r.names, ref.Name()) {
				r.names = append(r.names, ref.Name())
			}
		}
		l.roots = append(l.roots, r)
	}
	return true, nil
}

// Config implements Source.
func (l *Local) Config(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	if err := l.enter(ctx); err != nil {
		return Config{}, err
	}
	defer l.leave()
	if err := l.opened(ctx); err != nil {
		return Config{}, err
	}
	config, err := l.find(ctx, ref, platform)
	if nf := new(notFound); errors.As(err, &nf) {
		return Config{}, &notFound{l.String() + ": " + nf.detail}
	}
	if errors.Is(err, ErrNotFound) {
		return Config{}, err
	}
	if err != nil {
		return Config{}, l.wrap(fmt.Errorf("%s: %w", ref, err))
	}
	config.From, config.Local = l.String(), true
	config.Config = *config.Config.DeepCopy()
	return config, nil
}

func (l *Local) find(ctx context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	roots, err := l.rootsOf(ctx, ref)
	if err != nil {
		return Config{}, err
	}
	var config Config
	err = ErrNotFound
	if len(roots) > 0 {
		config, err = (&picker{store: l.store, sparse: l.sparse}).pick(ctx, roots, platform)
		if err == nil {
			return config, nil
		}
	}
	// Archives may have the image in manifest.json alone; and where index.json has it too, perhaps not for this platform.
	if errors.Is(err, ErrNotFound) || errors.Is(err, errMissing) {
		if saved := l.savedAs(ref); len(saved) > 0 {
			return l.loadSaved(ctx, saved, platform)
		}
		if l.tie != nil && ref.Name() == l.tie.Name() && len(l.saved) > 1 {
			return Config{}, l.ambiguous(len(l.saved))
		}
	}
	bare := err == ErrNotFound //nolint:errorlint // one that is wrapped says more
	if _, tag := ref.(name.Tag); tag && bare && l.tie == nil && l.nameless() {
		return Config{}, &notFound{fmt.Sprintf("its images have no names; if one is meant, tie it: %s=%s", ref, l.path)}
	}
	return Config{}, err
}

func (l *Local) ambiguous(images int) error {
	return fmt.Errorf("it holds %d images, so that %s= does not say which one is meant", images, l.tie)
}

// nameless reports whether there are images, but no reference can name any of them.
func (l *Local) nameless() bool {
	for _, r := range l.roots {
		if len(r.names) > 0 {
			return false
		}
	}
	for _, s := range l.saved {
		if len(s.RepoTags) > 0 {
			return false
		}
	}
	return len(l.all()) > 0 || len(l.saved) > 0
}

// rootsOf returns the descriptors that ref names; none if the layout has no such image.
func (l *Local) rootsOf(ctx context.Context, ref name.Reference) ([]descriptor, error) {
	if l.tie != nil && ref.Name() == l.tie.Name() {
		if roots, err := l.tied(); len(roots) > 0 || err != nil {
			return roots, err
		}
	}
	var named []descriptor
	for _, r := range l.roots {
		if slices.Contains(r.names, ref.Name()) {
			named = append(named, r.desc)
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	digest, ok := ref.(name.Digest)
	if !ok {
		return nil, nil
	}
	h, err := v1.NewHash(digest.DigestStr())
	if err != nil {
		return nil, nil //nolint:nilerr // a digest of another kind is none of what a layout holds
	}
	if h == l.whole {
		return l.all(), nil
	}
	d, err := l.byDigest(ctx, l.all(), h, 0, map[v1.Hash]bool{})
	if err != nil || d == nil {
		return nil, err
	}
	return []descriptor{*d}, nil
}

func (l *Local) all() []descriptor {
	var ds []descriptor
	for _, r := range l.roots {
		if !r.artifact {
			ds = append(ds, r.desc)
		}
	}
	return ds
}

// byDigest searches ds and the indexes among them for the digest h. An index that cannot be read hides nothing that is
// asked for elsewhere, so that it is an error only when h is not found.
func (l *Local) byDigest(
	ctx context.Context, ds []descriptor, h v1.Hash, depth int, seen map[v1.Hash]bool,
) (*descriptor, error) {
	for _, d := range ds {
		if d.Digest == h {
			return &d, nil
		}
	}
	if depth >= maxDepth {
		return nil, nil
	}
	var unread error
	for _, d := range ds {
		if seen[d.Digest] || !runnable(d) || d.MediaType.IsImage() || len(seen) >= maxImages {
			continue
		}
		seen[d.Digest] = true
		children, err := l.children(ctx, d)
		if err == nil {
			var found *descriptor
			if found, err = l.byDigest(ctx, children, h, depth+1, seen); found != nil {
				return found, nil
			}
		}
		if err != nil && !(l.sparse && errors.Is(err, errMissing)) && unread == nil {
			unread = err
		}
	}
	return nil, unread
}

func (l *Local) children(ctx context.Context, d descriptor) ([]descriptor, error) {
	if ds, ok := l.cache[d.Digest]; ok {
		return ds, nil
	}
	b, err := l.store.blob(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(d.Digest, b)
	if err != nil {
		return nil, err
	}
	const most = 1 << 16 // images that are kept in mind
	if l.listed += len(doc.Manifests); l.listed <= most {
		l.cache[d.Digest] = doc.Manifests
	}
	return doc.Manifests, nil
}

// tied returns what IMAGE=PATH stands for.
func (l *Local) tied() ([]descriptor, error) {
	var tagged, named []descriptor
	var names []string
	for _, r := range l.roots {
		if r.artifact {
			continue
		}
		if slices.Contains(r.names, l.tie.Name()) {
			named = append(named, r.desc)
		}
		if r.tag != "" && r.tag == l.tie.Identifier() {
			tagged = append(tagged, r.desc)
		}
		n := strings.Join(append(slices.Clone(r.names), r.tag), " ")
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	switch {
	case len(names) == 0:
		return nil, nil
	case len(named) > 0:
		return named, nil
	case len(names) == 1: // one image, or the platforms of one
		return l.all(), nil
	case len(tagged) > 0:
		return tagged, nil
	}
	return nil, l.ambiguous(len(l.all()))
}

// savedAs returns the images that manifest.json has under the name ref.
func (l *Local) savedAs(ref name.Reference) []savedImage {
	if l.tie != nil && ref.Name() == l.tie.Name() && len(l.saved) == 1 {
		return l.saved
	}
	var found []savedImage
	for _, s := range l.saved {
		for _, t := range s.RepoTags {
			if r, err := name.ParseReference(t); err == nil && r.Name() == ref.Name() {
				found = append(found, s)
				break
			}
		}
	}
	return found
}

// loadSaved reads the configuration of the one of saved that serves platform. The digest of the image's manifest is not
// known: archives of this form do not have the manifest.
func (l *Local) loadSaved(ctx context.Context, saved []savedImage, platform v1.Platform) (Config, error) {
	var cs []*candidate
	for _, s := range saved {
		member := path.Clean("/" + s.Config)[1:]
		// Members are named after their digest, by Docker, Podman and containerd alike; other tools may not do it.
		digest, noDigest := v1.NewHash("sha256:" + strings.TrimSuffix(path.Base(member), ".json"))
		b, err := l.store.files.read(ctx, member)
		switch {
		case err != nil && noDigest == nil:
			return Config{}, fmt.Errorf("blob %s: %w", digest, err)
		case err != nil:
			return Config{}, fmt.Errorf("image configuration: %w", err)
		case noDigest == nil:
			if err := verify(digest, b); err != nil {
				return Config{}, err
			}
		}
		config, err := parseConfig(b)
		if err != nil {
			return Config{}, fmt.Errorf("image configuration %s: %w", member, err)
		}
		for _, layer := range s.Layers {
			config.Layers = append(config.Layers,
				files.Layer{Name: layer, Open: func(ctx context.Context) (io.ReadCloser, error) {
					return l.store.files.open(ctx, path.Clean("/" + layer)[1:])
				}})
		}
		cs = append(cs, &candidate{config: &config, platform: config.Platform})
	}
	if len(cs) == 1 {
		return *cs[0].config, nil
	}
	if c := best(cs, platform); c != nil {
		for i, other := range cs {
			if other.platform != nil && rank(platform, *other.platform) == rank(platform, *c.platform) &&
				!sameSettings(*c.config, *other.config) {
				return Config{}, fmt.Errorf("manifest.json has two images of this name, %s and %s, which differ: remove "+
					"one of them",
					foreign.Short(saved[slices.Index(cs, c)].Config), foreign.Short(saved[i].Config))
			}
		}
		return *c.config, nil
	}
	var have []*v1.Platform
	for _, c := range cs {
		have = append(have, c.platform)
	}
	return Config{}, &notFound{"it is there only for " + platformList(have)}
}
