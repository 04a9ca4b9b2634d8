package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"debuggable.dev/debuggable/internal/ociimage"
	"debuggable.dev/debuggable/runtimes/python"
)

// wheel is a line of support/python/wheels.lock.
type wheel struct {
	name, version string
	python, abi   string   // cp312, cp312
	platforms     []string // manylinux_2_34_x86_64, …
	file, sha256  string
	oldest        string // the oldest Python that gets this version of the package: 3.10
}

// arch returns the GOARCH that the wheel's compiled parts are for.
func (w wheel) arch() string {
	if strings.HasSuffix(w.platforms[0], "aarch64") {
		return "arm64"
	}
	return "amd64"
}

// folder is where the package's files are under /dbg/python.
func (w wheel) folder() string { return w.name + "-" + w.version }

// parseLock reads a lock file: lines of oldest Python, wheel file name and SHA-256 sum; # begins a comment.
func parseLock(data []byte) ([]wheel, error) {
	var wheels []wheel
	for i, line := range strings.Split(string(data), "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || len(f[2]) != 64 {
			return nil, fmt.Errorf("line %d is not: oldest Python, wheel, SHA-256", i+1)
		}
		// PEP 427: name-version-python-abi-platform.whl
		tags := strings.Split(strings.TrimSuffix(f[1], ".whl"), "-")
		if len(tags) != 5 {
			return nil, fmt.Errorf("line %d: %q is not a wheel's file name", i+1, f[1])
		}
		wheels = append(wheels, wheel{
			name: tags[0], version: tags[1], python: tags[2], abi: tags[3], platforms: strings.Split(tags[4], "."),
			file: f[1], sha256: f[2], oldest: f[0],
		})
	}
	return wheels, nil
}

// fetch returns a wheel's bytes, from the cache or through pip. The checksum is the lock's in either case.
func (w wheel) fetch(ctx context.Context, cache string) ([]byte, error) {
	kept := filepath.Join(cache, "wheels", w.file)
	if data, err := os.ReadFile(kept); err == nil && checksum(data) == w.sha256 {
		return data, nil
	}
	dir, err := os.MkdirTemp("", "debuggable-wheel-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	requirement := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", w.name, w.version, w.sha256)
	if err := os.WriteFile(requirement, []byte(line), 0o644); err != nil {
		return nil, err
	}
	args := []string{
		"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
		"--require-hashes",
		"--implementation", "cp", "--python-version", strings.TrimPrefix(w.python, "cp")[:1] + "." +
			strings.TrimPrefix(w.python, "cp")[1:], "--abi", w.abi,
		"-r", requirement, "-d", dir,
	}
	for _, p := range w.platforms {
		args = append(args, "--platform", p)
	}
	if _, err := command(ctx, dir, nil, "python3", args...); err != nil {
		return nil, fmt.Errorf("fetching %s: %w", w.file, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, w.file))
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", w.file, err)
	}
	if sum := checksum(data); sum != w.sha256 {
		return nil, fmt.Errorf("%s has the SHA-256 sum %s, not the locked %s", w.file, sum, w.sha256)
	}
	return data, keep(kept, data)
}

// keep writes a file to the cache, so that another process never sees half of it.
func keep(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Close()); err != nil {
		os.Remove(temp.Name())
		return err
	}
	return os.Rename(temp.Name(), file)
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// fetchAll fetches wheels, a few at a time, and returns their bytes in the same order.
func fetchAll(ctx context.Context, wheels []wheel, cache string) ([][]byte, error) {
	all, errs := make([][]byte, len(wheels)), make([]error, len(wheels))
	slots := make(chan struct{}, 4)
	var wg sync.WaitGroup
	for i, w := range wheels {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i], errs[i] = w.fetch(ctx, cache)
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

// compiled matches the extension modules of CPython on Linux: their names say for which Python, machine and C library
// they are, so that those of many wheels live in one folder and each Python finds its own.
var compiled = regexp.MustCompile(`\.cpython-\d+t?-(x86_64|aarch64)-linux-(gnu|musl)\.so$`)

// tracer matches the library with which pydevd traces the threads that run already when it comes. Its name says
// nothing about the C library, and not always for which machine it is.
var tracer = regexp.MustCompile(`^(?:.*/)?pydevd_attach_to_process/attach_linux_\w*\.so$`)

// unwanted matches what no debugged program needs: what attaches to a running process by its id, files for other
// systems, sources of the compiled parts.
var unwanted = regexp.MustCompile(
	`(^|/)(pydevd_attach_to_process/(?:.*\.(?:dll|exe|pdb|dylib|cpp|hpp|h|bat|sh|cmd|md)|winappdbg/.*|` +
		`windows/.*|linux_and_mac/.*|common/.*)$|[^/]*\.libs/|[^/]*\.data/|` +
		`[^/]*\.dist-info/(RECORD|WHEEL|top_level\.txt|entry_points\.txt))|` +
		`\.(c|pyx|pxd|pyd|dll|exe|pdb|dylib|template\.\w+)$|\.pyx?\.template$`)

// overlay adds a wheel's files for a GOARCH to a tree, below a folder. Wheels of one package and version differ in
// their compiled parts only, which is checked.
func overlay(t ociimage.Tree, data []byte, folder, arch string) error {
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || unwanted.MatchString(f.Name) {
			continue
		}
		m := compiled.FindStringSubmatch(f.Name)
		native := strings.HasSuffix(f.Name, ".so")
		if native && !tracer.MatchString(f.Name) && (m == nil || m[1] != machine) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		content, err := readAll(r, 64<<20)
		if err := errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if native {
			var of string
			if content, of, err = stripELF(content); err != nil {
				return fmt.Errorf("stripping %s: %w", f.Name, err)
			}
			if of != arch {
				continue
			}
		}
		name := path.Join(folder, path.Clean("/"+f.Name))
		old, there := t[name]
		switch {
		case !there:
			t[name] = ociimage.File{Mode: 0o644, Data: content}
		case bytes.Equal(old.Data, content), strings.Contains(f.Name, ".dist-info/"):
		case native:
			// Wheels for glibc and for musl each have one of that name. The first one stays; the other C library's
			// Python cannot load it and does without.
		default:
			return fmt.Errorf("%s is not the same in all wheels", f.Name)
		}
	}
	return nil
}

func addPython(ctx context.Context, p *part, c *goCompiler, root, cache string) error {
	launcher, err := c.build(ctx, ".", "./support/python/launcher", p.arch)
	if err != nil {
		return err
	}
	p.add("support/python/launcher", launcher, "python")
	bootstrap, err := os.ReadFile(filepath.Join(root, "support", "python", "bootstrap.py"))
	if err != nil {
		return err
	}
	p.tree["support/python/bootstrap.py"] = ociimage.File{Mode: 0o644, Data: bootstrap}

	lock, err := os.ReadFile(filepath.Join(root, "support", "python", "wheels.lock"))
	if err != nil {
		return err
	}
	wheels, err := parseLock(lock)
	if err != nil {
		return fmt.Errorf("support/python/wheels.lock: %w", err)
	}
	data, err := fetchAll(ctx, wheels, cache)
	if err != nil {
		return err
	}
	var versions strings.Builder
	p.labels = map[string]string{python.ListensOnHost: "true"}
	for i, w := range wheels {
		folder := "support/python/" + w.folder()
		if err := overlay(p.tree, data[i], folder, p.arch); err != nil {
			return fmt.Errorf("unpacking %s: %w", w.file, err)
		}
		if w.arch() == p.arch {
			p.contents = append(p.contents,
				content{kind: "pypi", name: w.name, version: w.version, file: w.file, sha256: w.sha256})
		}
		row := w.name + " " + w.oldest + " " + w.folder() + "\n"
		if !strings.Contains(versions.String(), row) {
			versions.WriteString(row)
			label := w.name
			if p.labels[label] != "" {
				p.labels[label] += " "
			}
			p.labels[label] += w.version + " (Python " + w.oldest + " and later)"
		}
	}
	p.tree["support/python/versions"] = ociimage.File{Mode: 0o644, Data: []byte(versions.String())}
	return nil
}
