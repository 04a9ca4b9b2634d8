package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"debuggable.dev/debuggable/internal/ociimage"
	"debuggable.dev/debuggable/runtimes/golang"
)

// repository returns the folder of this repository: the main module that the working directory is in.
func repository(ctx context.Context) (string, error) {
	out, err := command(ctx, "", nil, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}")
	if err != nil {
		return "", err
	}
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if path != "debuggable.dev/debuggable" {
		return "", fmt.Errorf("the working directory is not in debuggable's repository, but in module %s", path)
	}
	return dir, nil
}

// command runs a program and returns its standard output. An error has what it wrote to standard error.
func command(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// goCompiler builds static programs, each once.
type goCompiler struct {
	root, temp string
	toolchain  string // go1.26.8
	built      map[string]program
	licences   map[string]ociimage.Tree // by module path@version
}

// program is a built program with the modules that are in it.
type program struct {
	data     []byte
	contents []content
	licences ociimage.Tree
}

func newGoCompiler(ctx context.Context, root string) (*goCompiler, error) {
	out, err := command(ctx, root, nil, "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "debuggable-support-")
	if err != nil {
		return nil, err
	}
	return &goCompiler{
		root: root, temp: temp, toolchain: strings.TrimSpace(string(out)),
		built: map[string]program{}, licences: map[string]ociimage.Tree{},
	}, nil
}

func (c *goCompiler) close() { os.RemoveAll(c.temp) }

// build builds the package pkg of the module in the folder module. Nothing of this machine gets into the program: no
// paths, no version control state, no build ID, no settings from the environment.
func (c *goCompiler) build(ctx context.Context, module, pkg, arch string) (program, error) {
	key := strings.Join([]string{module, pkg, arch}, " ")
	if p, ok := c.built[key]; ok {
		return p, nil
	}
	dir := filepath.Join(c.root, module)
	file := filepath.Join(c.temp, "program")
	env := []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=",
		"GOWORK=off",
	}
	if _, err := command(ctx, dir, env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o",
		file, pkg); err != nil {
		return program{}, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return program{}, fmt.Errorf("reading what is in %s: %w", pkg, err)
	}
	p := program{data: data, licences: ociimage.Tree{}}
	p.contents = append(p.contents,
		content{kind: "golang", name: "stdlib", version: strings.TrimPrefix(info.GoVersion, "go")})
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		p.contents = append(p.contents, content{kind: "golang", name: dep.Path, version: dep.Version})
		licences, err := c.licencesOf(ctx, dir, dep.Path, dep.Version)
		if err != nil {
			return program{}, err
		}
		for name, f := range licences {
			p.licences[name] = f
		}
	}
	c.built[key] = p
	return p, nil
}

// licenceName matches the names of files that a distribution has to bring along.
var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// licencesOf returns a module's licence files, as <module>/<file>.
func (c *goCompiler) licencesOf(ctx context.Context, dir, path, version string) (ociimage.Tree, error) {
	key := path + "@" + version
	if t, ok := c.licences[key]; ok {
		return t, nil
	}
	out, err := command(ctx, dir, []string{"GOFLAGS=-mod=mod"}, "go", "mod", "download", "-json", key)
	if err != nil {
		return nil, err
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		return nil, fmt.Errorf("finding module %s: %w", key, err)
	}
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding module %s: %w", key, err)
	}
	t := ociimage.Tree{}
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenceName.MatchString(e.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return nil, err
		}
		t[path+"/"+e.Name()] = ociimage.File{Mode: 0o644, Data: data}
	}
	c.licences[key] = t
	return t, nil
}

// add puts a program into the part, with its licences beside it.
func (p *part) add(path string, prog program, runtime string) {
	p.tree[path] = ociimage.File{Mode: 0o755, Data: prog.data}
	p.contents = append(p.contents, prog.contents...)
	for name, f := range prog.licences {
		p.tree["support/"+runtime+"/licenses/"+name] = f
	}
}

func addDelve(ctx context.Context, p *part, c *goCompiler) error {
	dlv, err := c.build(ctx, "support/go", ".", p.arch)
	if err != nil {
		return err
	}
	p.add("support/go/bin/dlv", dlv, "go")
	version := ""
	for _, d := range dlv.contents {
		if d.name == "github.com/go-delve/delve" {
			version = strings.TrimPrefix(d.version, "v")
		}
	}
	if version == "" {
		return errors.New("support/go does not build Delve")
	}
	// All after the versions say how this Delve differs from the stock one, for programs that choose a command line by
	// it. exits-with-program: it ends when the program that it runs headless ends, with the program's exit status.
	p.labels = map[string]string{
		"delve":                 version,
		"go":                    strings.TrimPrefix(c.toolchain, "go"),
		golang.LooksOnPath:      "true",
		golang.ExitsWithProgram: "true",
		"only-same-user":        "false",
		"check-go-version":      "false",
	}
	return nil
}

func addNodeWrapper(ctx context.Context, p *part, c *goCompiler, root string) error {
	wrapper, err := c.build(ctx, ".", "./support/nodejs/wrapper", p.arch)
	if err != nil {
		return err
	}
	p.add("support/nodejs/bin/node", wrapper, "nodejs")
	for to, from := range map[string]string{"attach.cjs": "lib/attach.cjs", "tools.txt": "wrapper/tools.txt"} {
		data, err := os.ReadFile(filepath.Join(root, "support", "nodejs", filepath.FromSlash(from)))
		if err != nil {
			return err
		}
		p.tree["support/nodejs/lib/"+to] = ociimage.File{Mode: 0o644, Data: data}
	}
	p.labels = map[string]string{"inspector": "the image's own node; the wrapper gives --inspect to the application only"}
	return nil
}

// readAll reads at most limit bytes and fails if there are more.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return data, err
}
