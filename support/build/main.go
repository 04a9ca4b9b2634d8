// Command build makes the support images, without a container engine:
//
//	go run ./support/build -o dist/support                 OCI layouts in dist/support/<runtime>, SBOMs beside them
//	go run ./support/build -o dist/support -push REGISTRY  and pushes them to REGISTRY/<runtime>
//
// Each image is for linux/amd64 and linux/arm64, on nothing (scratch): the installer as entrypoint, and under
// /support/<runtime> what it brings to /dbg/<runtime>. The same sources and the same Go toolchain give the same bytes.
//
// The data flow: parts (go.go, python.go, netcore.go: a platform in, a file tree with its contents' names and versions
// out) → image.go (trees to a multi-platform image) → sbom.go (names and versions to SPDX) → layouts, registry.
//
// Exit status: 0 all images are built, but for a netcore image whose debugger could not be fetched, which is said on
// standard error (-netcore=require makes that an error, -netcore=skip does not try); 1 something failed; 2 wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/ociimage"
	"debuggable.dev/debuggable/runtimes"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("wrong usage")

// unversioned is the version of images that are built without one.
const unversioned = "dev"

// settings are the program's flags.
type settings struct {
	out, version, push string
	only               []string
	netcore            string
	dotnet             dotnetDebugger
	insecure           bool
	cache              string
}

func parseFlags(args []string, errw io.Writer) (settings, error) {
	var s settings
	fs := flag.NewFlagSet("build", flag.ContinueOnError)
	fs.SetOutput(errw)
	fs.StringVar(&s.out, "o", filepath.Join("dist", "support"), "`folder` for the OCI layouts and SBOMs")
	fs.StringVar(&s.version, "version", unversioned, "the images' version, which becomes their tag")
	fs.StringVar(&s.push, "push", "", "also push to this `registry` prefix (example.com/debug), tagged with the version "+
		"and latest")
	fs.BoolVar(&s.insecure, "insecure", false, "push over plain http where https does not answer")
	only := fs.String("only", "", "comma-separated `runtimes` to build (default: all)")
	fs.StringVar(&s.netcore, "netcore", "auto",
		"auto, require or skip: what to do about .NET's debugger, which can be fetched but not shipped")
	vsdbg := dotnetDebugger{name: "vsdbg"}
	fs.StringVar(&vsdbg.version, "vsdbg-version", "17.6.10401.3", "vsdbg's version")
	fs.StringVar(&vsdbg.source, "vsdbg-url",
		"https://vsdebugger-cyg0dxb6czfafzaz.b01.azurefd.net/vsdbg-{version-with-dashes}/vsdbg-{rid}.tar.gz",
		"where vsdbg is fetched: an address or a file; {rid} is linux-x64 or linux-arm64")
	netcoredbg := dotnetDebugger{name: "netcoredbg"}
	fs.StringVar(&netcoredbg.version, "netcoredbg-version", "",
		"put this version of netcoredbg into the netcore image, instead of vsdbg")
	fs.StringVar(&netcoredbg.source, "netcoredbg-url",
		"https://github.com/Samsung/netcoredbg/releases/download/{version}/netcoredbg-linux-{arch}.tar.gz",
		"where netcoredbg is fetched: an address or a file; {arch} is amd64 or arm64")
	fs.StringVar(&s.cache, "cache", "", "`folder` for downloads (default: debuggable/support in the user's cache folder)")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, errUsage
	}
	s.dotnet = vsdbg
	if netcoredbg.version != "" {
		s.dotnet = netcoredbg
	}
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	if s.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			dir = os.TempDir()
		}
		s.cache = filepath.Join(dir, "debuggable", "support")
	}
	complain := func(format string, args ...any) (settings, error) {
		fmt.Fprintf(errw, "build: "+format+"\n", args...)
		return s, errUsage
	}
	if fs.NArg() > 0 {
		return complain("unexpected argument %q", fs.Arg(0))
	}
	if !slices.Contains([]string{"auto", "require", "skip"}, s.netcore) {
		return complain("-netcore %q is neither auto, require nor skip", s.netcore)
	}
	for _, r := range s.only {
		if !slices.Contains(images(), r) {
			return complain("-only %q: there are %s", r, strings.Join(images(), ", "))
		}
	}
	if _, err := name.NewTag("example.com/x:" + s.version); err != nil {
		return complain("-version %q cannot be a tag", s.version)
	}
	if s.push != "" {
		// It is used as it is checked here: what is pushed is what the setting will name.
		prefix, err := functionconfig.ParseSupportRegistry(s.push)
		if err != nil {
			return complain("-push (make push's REGISTRY): %v", err)
		}
		s.push = prefix
	}
	return s, nil
}

// images are the names of the runtimes that need an image, in the order in which they are built.
func images() (names []string) {
	for _, r := range runtimes.All() {
		if r.HasSupport() {
			names = append(names, r.Name())
		}
	}
	return names
}

func run(ctx context.Context, args []string, out, errw io.Writer) error {
	s, err := parseFlags(args, errw)
	if err != nil {
		return err
	}
	root, err := repository(ctx)
	if err != nil {
		return err
	}
	goc, err := newGoCompiler(ctx, root)
	if err != nil {
		return err
	}
	defer goc.close()

	for _, runtime := range images() {
		if len(s.only) > 0 && !slices.Contains(s.only, runtime) || runtime == "netcore" && s.netcore == "skip" {
			continue
		}
		var parts []part
		for _, arch := range []string{"amd64", "arm64"} {
			p, err := buildPart(ctx, runtime, arch, root, goc, s)
			if err != nil {
				if runtime == "netcore" && s.netcore == "auto" {
					fmt.Fprintf(errw, "netcore: skipped, no image built: %v\n", err)
					parts = nil
					break
				}
				return fmt.Errorf("building %s for %s: %w", runtime, arch, err)
			}
			parts = append(parts, p)
		}
		if parts == nil {
			// What an earlier run left must not pass for this one's.
			if err := errors.Join(os.RemoveAll(filepath.Join(s.out, runtime)),
				os.RemoveAll(sbomPath(s.out, runtime))); err != nil {
				return err
			}
			continue
		}
		if err := finish(ctx, runtime, parts, s, out); err != nil {
			return fmt.Errorf("%s: %w", runtime, err)
		}
	}
	if s.push != "" {
		fmt.Fprintf(out, "\nUse them with --support-registry %s\n", s.push)
		if s.version != unversioned {
			fmt.Fprintf(out, "or, whatever is pushed later, with --support-registry %s --support-tag %s\n", s.push, s.version)
		}
	}
	return nil
}

// buildPart makes one platform's part of a runtime's image.
func buildPart(ctx context.Context, runtime, arch, root string, goc *goCompiler, s settings) (part, error) {
	p := part{arch: arch, tree: ociimage.Tree{}}
	installer, err := goc.build(ctx, ".", "./support/install", arch)
	if err != nil {
		return p, err
	}
	p.tree["install"] = ociimage.File{Mode: 0o755, Data: installer.data}
	p.contents = append(p.contents, installer.contents...)
	switch runtime {
	case "go":
		err = addDelve(ctx, &p, goc)
	case "nodejs":
		err = addNodeWrapper(ctx, &p, goc, root)
	case "python":
		err = addPython(ctx, &p, goc, root, s.cache)
	case "netcore":
		err = addDotnetDebugger(ctx, &p, s.dotnet)
	default:
		err = addFiles(&p, runtime, root)
	}
	return p, err
}

// addFiles puts a runtime's files into its image as they are in its folder here: those that need not be built.
func addFiles(p *part, runtime, root string) error {
	dir := filepath.Join(root, "support", runtime)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.IsDir() || strings.HasSuffix(file.Name(), ".go") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return err
		}
		p.tree["support/"+runtime+"/"+file.Name()] = ociimage.File{Mode: 0o644, Data: data}
	}
	p.labels = map[string]string{"debugger": "the image's own; the files open it"}
	return nil
}

// finish writes the image's layout and SBOM, and pushes them where asked to.
func finish(ctx context.Context, runtime string, parts []part, s settings, out io.Writer) error {
	index, err := makeIndex(runtime, s.version, parts)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.out, runtime)
	if err := ociimage.WriteLayout(dir, index, s.version); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	sbom, err := makeSBOM(runtime, s.version, digest.String(), parts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(sbomPath(s.out, runtime), sbom, 0o644); err != nil {
		return err
	}
	size, err := compressedSize(index)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\t%s\t%.1f MB for both platforms\n", dir, digest, float64(size)/1e6)
	if s.push == "" {
		return nil
	}

	var opts []name.Option
	if s.insecure {
		opts = append(opts, name.Insecure)
	}
	repo, err := name.NewRepository(s.push+"/"+runtime, opts...)
	if err != nil {
		return fmt.Errorf("-push: %w", err)
	}
	remoteOpts := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(repo.Tag(s.version), index, remoteOpts...); err != nil {
		return fmt.Errorf("pushing to %s: %w", repo, err)
	}
	if err := remote.Tag(repo.Tag("latest"), index, remoteOpts...); err != nil {
		return fmt.Errorf("tagging %s: %w", repo.Tag("latest"), err)
	}
	if err := pushSBOM(repo, index, sbom, remoteOpts); err != nil {
		return fmt.Errorf("attaching the SBOM to %s: %w", repo, err)
	}
	fmt.Fprintf(out, "%s@%s\ttags %s, latest\n", repo, digest, s.version)
	return nil
}

func sbomPath(out, runtime string) string { return filepath.Join(out, runtime+".spdx.json") }
