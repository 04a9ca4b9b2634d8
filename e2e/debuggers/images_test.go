package debuggers

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"debuggable.dev/debuggable/e2e/cluster"
)

// rootfs is an image's files: what is at a path is a file of this machine, a text, or a symbolic link.
type rootfs struct {
	t     *testing.T
	files map[string]entry
}

type entry struct {
	host string // file to copy
	text string
	link string
	mode int64
}

func newRootfs(t *testing.T) *rootfs { return &rootfs{t: t, files: map[string]entry{}} }

// text adds a file with a content.
func (r *rootfs) text(at, content string, mode int64) { r.files[at] = entry{text: content, mode: mode} }

func (r *rootfs) link(at, to string) { r.files[at] = entry{link: to} }

// program adds a program of this machine and the libraries that it needs.
func (r *rootfs) program(host, at string) {
	r.t.Helper()
	r.file(host, at)
	r.libraries(host)
}

// libraries adds what a program or a library needs of this machine's libraries.
func (r *rootfs) libraries(host string) {
	r.t.Helper()
	out, err := exec.Command("ldd", host).Output()
	if err != nil {
		return // static
	}
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/lib") || strings.HasPrefix(word, "/usr/lib/x86_64") {
			r.file(word, word)
		}
	}
}

// file adds a file of this machine.
func (r *rootfs) file(host, at string) {
	r.t.Helper()
	real, err := filepath.EvalSymlinks(host)
	if err != nil {
		r.t.Fatal(err)
	}
	info, err := os.Stat(real)
	if err != nil {
		r.t.Fatal(err)
	}
	r.files[at] = entry{host: real, mode: int64(info.Mode().Perm() | 0o444)}
}

// folder adds a folder of this machine with all that is in it, but for what skip names by its path in the folder.
func (r *rootfs) folder(host, at string, skip ...string) {
	r.t.Helper()
	err := filepath.WalkDir(host, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(host, p)
		if err != nil {
			return err
		}
		for _, s := range skip {
			if ok, _ := path.Match(s, rel); ok {
				if e.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
		}
		target := path.Join(at, filepath.ToSlash(rel))
		switch {
		case e.IsDir():
		case e.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			if filepath.IsAbs(to) { // out of the folder, which the image does not have
				if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
					r.file(p, target)
				}
				return nil
			}
			r.link(target, to)
		case e.Type().IsRegular():
			r.file(p, target)
			if path.Ext(p) == ".so" {
				r.libraries(p)
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// shell adds a shell and what launch scripts use.
func (r *rootfs) shell() {
	r.t.Helper()
	r.program("/bin/sh", "/bin/sh")
	for _, p := range []string{"env", "uname", "dirname"} {
		r.program("/usr/bin/"+p, "/usr/bin/"+p)
	}
}

// push makes an image of the files and pushes it to the tests' registry. It returns the image's name.
func (r *rootfs) push(repo string, config v1.Config) string {
	r.t.Helper()
	archive := filepath.Join(r.t.TempDir(), "layer.tar")
	if err := r.write(archive); err != nil {
		r.t.Fatal(err)
	}
	layer, err := tarball.LayerFromFile(archive, tarball.WithCompressionLevel(1))
	if err != nil {
		r.t.Fatal(err)
	}
	img, err := cluster.Image(config, layer)
	if err != nil {
		r.t.Fatal(err)
	}
	ref, err := shared.registry.Push(r.t.Context(), "apps/"+repo, img)
	if err != nil {
		r.t.Fatal(err)
	}
	return ref
}

func (r *rootfs) write(archive string) error {
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	names := make([]string, 0, len(r.files))
	folders := map[string]bool{}
	for name := range r.files {
		names = append(names, name)
		for dir := path.Dir(name); dir != "/" && dir != "."; dir = path.Dir(dir) {
			if !folders[dir] {
				folders[dir] = true
				names = append(names, dir)
			}
		}
	}
	sort.Strings(names)
	for _, name := range names {
		e, isFile := r.files[name]
		h := &tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: e.mode}
		var content io.Reader = strings.NewReader(e.text)
		switch {
		case !isFile:
			h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o755, h.Name+"/"
		case e.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		case e.host != "":
			data, err := os.ReadFile(e.host)
			if err != nil {
				return err
			}
			h.Size, content = int64(len(data)), bytes.NewReader(data)
		default:
			h.Size = int64(len(e.text))
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, content); err != nil {
			return err
		}
	}
	return w.Close()
}

// output runs a program of this machine, which may fetch from package registries, and returns what it prints.
func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var out []byte
	err := cluster.Online(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v\n%s", fmt.Sprint(cmd.Args), err, out)
	}
	return strings.TrimSpace(string(out))
}
