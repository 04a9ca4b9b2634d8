package cli

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/sources"
)

// finder finds the sources of containers.
type finder struct {
	workspace string
	trees     []*sources.Tree
	platform  string
	local     []*image.Local
	written   []image.Source // what was written down of images, in lock files and the like
	found     map[string]sources.Image
}

// finder reads the directories with sources. Images are those of layouts and archives.
func (w workspace) finder(cfg functionconfig.Config, listed []image.Entry) (*finder, error) {
	here, err := currentDirectory()
	if err != nil {
		return nil, err
	}
	f := &finder{workspace: sources.WorkTree(here), platform: cfg.Platform, found: map[string]sources.Image{}}
	if w.dir != "" {
		if f.workspace, err = filepath.Abs(w.dir); err != nil {
			return nil, fmt.Errorf("reading --workspace: %w", err)
		}
		if resolved, err := filepath.EvalSymlinks(f.workspace); err == nil {
			f.workspace = resolved
		}
	}
	dirs := w.sources
	if len(dirs) == 0 {
		dirs = []string{f.workspace}
	}
	for _, dir := range dirs {
		tree, err := sources.ReadTree(dir)
		if err != nil {
			return nil, err
		}
		f.trees = append(f.trees, tree)
	}
	for _, spec := range cfg.Layouts {
		f.local = append(f.local, image.NewLayout(spec))
	}
	for _, spec := range cfg.Archives {
		f.local = append(f.local, image.NewArchive(spec))
	}
	for _, entries := range [][]image.Entry{cfg.Images, listed} {
		f.written = append(f.written, image.NewEntries("", "", entries))
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
		f.written = append(f.written, image.NewEntries(file, "", entries))
	}
	return f, nil
}

// find finds a container's sources.
func (f *finder) find(ctx context.Context, c ide.Container) (sources.Found, error) {
	if !c.NeedsMapping() {
		return sources.Found{}, nil
	}
	img, err := f.image(ctx, c)
	if err != nil {
		return sources.Found{}, fmt.Errorf("finding the sources of %s:%s: %w", c.Workload, c.Name, err)
	}
	img.WorkingDir = cmp.Or(c.Info.RemoteRoot, c.Info.WorkingDir)
	img.RootKnown = c.Info.RemoteRoot != ""
	switch root := c.Info.RemoteRoot; {
	case img.Program.Module != "" && img.Program.Directory == "":
		img.Program.Directory = root
	case img.Program.Module == "" && c.Built() && root != "" && !path.IsAbs(root): // paths were trimmed
		img.Program = sources.Program{Module: root, Directory: root}
	}
	// A guess is made with what the user named, if that is one directory.
	local := f.workspace
	if len(f.trees) == 1 {
		local = f.trees[0].Root
	}
	return sources.Find(f.trees, img, c.Extensions(), local, c.Remote()), nil
}

// image reads a container's image; one that is nowhere at hand tells nothing.
func (f *finder) image(ctx context.Context, c ide.Container) (sources.Image, error) {
	platform := f.platform
	if c.Arch != "" {
		platform = "linux/" + c.Arch
	}
	key := c.Image + " " + platform + " " + c.Info.Runtime
	if img, ok := f.found[key]; ok {
		return img, nil
	}
	ref, err := image.ParseReference(c.Image)
	if err != nil {
		return sources.Image{}, nil //nolint:nilerr // it cannot run, and says nothing of sources
	}
	want, err := image.ParsePlatform(platform)
	if err != nil {
		return sources.Image{}, err
	}
	for _, l := range f.local {
		if err := l.Open(ctx); err != nil {
			return sources.Image{}, err
		}
		stored, err := l.Config(ctx, ref, want)
		if err != nil {
			continue // another one may have it
		}
		img, err := sources.ReadImage(ctx, stored.Layers, f.trees, sources.Wanted{
			Extensions: c.Extensions(), Program: c.Built(),
			Started: append(c.Words[:len(c.Words):len(c.Words)], processOf(stored.Config)...),
		})
		if err != nil {
			return sources.Image{}, fmt.Errorf("%s: %w", l, err)
		}
		f.found[key] = img
		return img, nil
	}
	for _, source := range f.written {
		config, err := source.Config(ctx, ref, want)
		if err == nil && c.Built() {
			return sources.Image{
				Program: lockedProgram(config, append(c.Words[:len(c.Words):len(c.Words)], processOf(config.Config)...))}, nil
		}
	}
	return sources.Image{}, nil
}

// lockedProgram is what was written down of the program that a container starts: of the one that its command line
// mentions or, if there is just one, that.
func lockedProgram(config image.Config, words []string) sources.Program {
	var programs []files.File
	for _, file := range config.Files.List() {
		if file.Go != nil && file.Go.Module != "" {
			programs = append(programs, file)
		}
	}
	for _, file := range programs {
		if len(programs) == 1 || slices.ContainsFunc(words, func(w string) bool { return sources.Mentions(w, file.Path) }) {
			return sources.Program{Module: file.Go.Module, Package: file.Go.Package, Directory: file.Go.CompileDir}
		}
	}
	return sources.Program{}
}

func processOf(config v1.Config) []string {
	return append(config.Entrypoint[:len(config.Entrypoint):len(config.Entrypoint)], config.Cmd...)
}
