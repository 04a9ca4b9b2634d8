package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/lookup"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/shell"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// itemEntries reads the ImageConfigs resources among the objects.
func itemEntries(objects []*manifest.Object, function bool) ([]image.Entry, error) {
	var listed []image.Entry
	for _, o := range objects {
		for _, r := range resources(o) {
			if r.APIVersion != image.ImageConfigsAPIVersion || r.Kind != image.ImageConfigsKind {
				continue
			}
			entries, err := image.ParseImageConfigsResource(yaml.NewRNode(r.node))
			if err != nil {
				err = fmt.Errorf("%s: ImageConfigs %s: %w", o.Where(), r.Name, err)
				return nil, &itemError{err, object{o, !function}}
			}
			listed = append(listed, entries...)
		}
	}
	return listed, nil
}

// resource is a mapping and what it says of itself.
type resource struct {
	fn.ResourceRef
	node *yaml.Node
}

func newResource(node *yaml.Node) resource {
	return resource{fn.ResourceRef{
		APIVersion: yamlnode.Text(node, "apiVersion"), Kind: yamlnode.Text(node, "kind"),
		Name: yamlnode.Text(node, "metadata", "name"), Namespace: yamlnode.Text(node, "metadata", "namespace"),
	}, node}
}

// resources are an object itself or, of a List, its items.
func resources(o *manifest.Object) []resource {
	r := newResource(o.Node().YNode())
	if r.Kind != "List" {
		return []resource{r}
	}
	var listed []resource
	for _, item := range yamlnode.Items(r.node, "items") {
		listed = append(listed, newResource(item))
	}
	return listed
}

// itemError is an error in an ImageConfigs resource among the objects.
type itemError struct {
	error
	object object
}

func (e *itemError) Unwrap() error { return e.error }

// readConfigs reads a file of image configurations, of which 64 MiB are more than 100,000 images.
func readConfigs(path string) ([]byte, error) { return lookup.ReadFile(path, 64<<20) }

// newSource chains the sources in the order in which they are asked.
//
// files are the manifests' paths, for the command that makes a lock file anew.
func newSource(
	ctx context.Context, cfg functionconfig.Config, listed []image.Entry, files []string,
) (image.Source, error) {
	lock := []string{"debuggable", "lock"}
	if len(files) == 0 {
		lock = append(lock, "-f", "MANIFESTS")
	}
	for _, file := range files {
		lock = append(lock, "-f", file)
	}
	var sources []image.Source
	if len(cfg.Images) > 0 {
		sources = append(sources, image.NewEntries("images of the settings", shell.Join(lock...), cfg.Images))
	}
	if len(listed) > 0 {
		sources = append(sources, image.NewEntries("ImageConfigs among the manifests", shell.Join(lock...), listed))
	}
	for _, file := range cfg.ImageConfigs {
		data, err := readConfigs(file)
		if err != nil {
			return nil, fmt.Errorf("reading image configurations: %w", err)
		}
		entries, err := image.ParseImageConfigs(data, file)
		if err != nil {
			return nil, err
		}
		again := shell.Join(append(lock[:len(lock):len(lock)], "-o", file)...)
		sources = append(sources, image.NewEntries(file, again, entries))
	}
	var local []*image.Local
	for _, spec := range cfg.Layouts {
		local = append(local, image.NewLayout(spec))
	}
	for _, spec := range cfg.Archives {
		local = append(local, image.NewArchive(spec))
	}
	for _, l := range local {
		// A wrong path is the user's mistake and must not wait for an image that happens to need it.
		if err := l.Open(ctx); err != nil {
			return nil, err
		}
		sources = append(sources, l)
	}
	engine := image.NewEngine(image.EngineOptions{Offline: cfg.Offline, UserAgent: userAgent()})
	hint := sourceHint(cfg, len(sources))
	if cfg.Engine == image.EngineFirst {
		sources = append(sources, engine)
	}
	switch {
	case cfg.Offline:
		sources = append(sources, image.Offline(hint))
		if cfg.Engine == image.EngineFallback {
			sources = append(sources, engine)
		}
	default:
		var registry image.Source = image.NewRegistry(image.RegistryOptions{
			Insecure: cfg.InsecureRegistries, Surface: cfg.Surface,
			UserAgent: userAgent(), CacheDir: image.DefaultCacheDir(),
		})
		if cfg.Engine == image.EngineFallback {
			registry = image.OrEngine(registry, engine)
		}
		sources = append(sources, registry)
	}
	return image.Chain(sources...), nil
}

// sourceHint says what to do where there is no source at all.
func sourceHint(cfg functionconfig.Config, sources int) string {
	if sources > 0 {
		return ""
	}
	verb := "give"
	if cfg.ByField {
		verb = "set"
	}
	var names []string
	for _, name := range []string{"imageConfigs", "layouts", "archives"} {
		name, _, _ := strings.Cut(cfg.Surface(name), " ")
		names = append(names, name)
	}
	return fmt.Sprintf("%s %s, %s or %s", verb, names[0], names[1], names[2])
}
