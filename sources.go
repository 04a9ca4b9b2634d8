package main

import (
	"context"
	"fmt"
	"os"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// resolveJobs is how many images are resolved at a time: enough to hide latency, few enough for a registry's limits.
const resolveJobs = 8

// itemEntries reads the ImageConfigs resources among the objects.
func itemEntries(set *manifest.Set) ([]image.Entry, error) {
	var listed []image.Entry
	for _, o := range set.Objects() {
		for _, node := range imageConfigs(o) {
			entries, err := image.ParseImageConfigsResource(node)
			if err != nil {
				return nil, &itemError{fmt.Errorf("%s: ImageConfigs %s: %w", o.Where(), node.GetName(), err), object{o}}
			}
			listed = append(listed, entries...)
		}
	}
	return listed, nil
}

// imageConfigs returns the ImageConfigs resources in an object: itself, or items of a List.
func imageConfigs(o *manifest.Object) []*yaml.RNode {
	var found []*yaml.RNode
	for _, node := range resources(o.Node()) {
		if node.GetKind() == image.ImageConfigsKind && node.GetApiVersion() == image.ImageConfigsAPIVersion {
			found = append(found, node)
		}
	}
	return found
}

// resources are an object itself or, of a List, its items.
func resources(node *yaml.RNode) []*yaml.RNode {
	if node.GetKind() != "List" {
		return []*yaml.RNode{node}
	}
	field := node.Field("items")
	if field == nil {
		return nil
	}
	items, err := field.Value.Elements()
	if err != nil {
		return nil // a list whose items are no list has no ImageConfigs either
	}
	return items
}

// itemError is an error in an ImageConfigs resource among the objects.
type itemError struct {
	error
	object object
}

func (e *itemError) Unwrap() error { return e.error }

// newSource chains the sources in the order in which they are asked.
func newSource(ctx context.Context, cfg functionconfig.Config, listed []image.Entry) (image.Source, error) {
	var sources []image.Source
	if len(cfg.Images) > 0 {
		sources = append(sources, image.NewEntries("images of the settings", cfg.Images))
	}
	if len(listed) > 0 {
		sources = append(sources, image.NewEntries("ImageConfigs among the manifests", listed))
	}
	for _, file := range cfg.ImageConfigs {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading image configurations: %w", err)
		}
		entries, err := image.ParseImageConfigs(data, file)
		if err != nil {
			return nil, err
		}
		sources = append(sources, image.NewEntries(file, entries))
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
	if cfg.Offline {
		sources = append(sources, image.Offline())
	} else {
		sources = append(sources, image.NewRegistry(image.RegistryOptions{
			Insecure: cfg.InsecureRegistries, UserAgent: userAgent(), CacheDir: image.DefaultCacheDir(),
		}))
	}
	return image.Chain(sources...), nil
}
