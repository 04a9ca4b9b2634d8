package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// TestArm64Runs installs an arm64 image's files by its own installer and starts what it installed, under an emulator.
func TestArm64Runs(t *testing.T) {
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("qemu-aarch64-static is missing")
	}
	out, root := t.TempDir(), t.TempDir()
	inNamespace := func(script string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-ec",
			strings.ReplaceAll(script, "ROOT", root)).CombinedOutput()
		return string(out), err
	}
	if out, err := inNamespace("mount -t tmpfs tmpfs ROOT"); err != nil {
		t.Skipf("mounting needs root and unshare: %v %s", err, out)
	}
	var stdout, stderr strings.Builder
	if err := run(t.Context(), []string{"-o", out, "-only", "nodejs"}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	images := layoutImages(t, filepath.Join(out, "nodejs"),
		match.Platforms(v1.Platform{OS: "linux", Architecture: "arm64"}))
	if len(images) != 1 {
		t.Fatalf("the index holds %d images for arm64", len(images))
	}
	unpack(t, images[0], root)

	// What the wrapper finds as the image's own node, for this machine: the emulator leaves starting it to the kernel.
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source,
		[]byte("package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() { fmt.Println(os.Args[1:]) }\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(root, "bin", "node"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(qemu)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(root, "qemu"), program, 0o755),
		os.Mkdir(filepath.Join(root, "dbg"), 0o755), os.Mkdir(filepath.Join(root, "proc"), 0o755)); err != nil {
		t.Fatal(err)
	}
	said, err := inNamespace(`mount --bind /proc ROOT/proc
mount -t tmpfs -o mode=777 tmpfs ROOT/dbg
chroot ROOT /qemu /install
PATH=/dbg/nodejs/bin:/bin NODE_OPTIONS=--inspect=0.0.0.0:9229 \
  /usr/sbin/chroot ROOT /qemu /dbg/nodejs/bin/node app.js x`)
	if want := "/dbg/nodejs installed\n[--inspect=0.0.0.0:9229 app.js x]\n"; err != nil || said != want {
		t.Errorf("got %v, %q, want %q", err, said, want)
	}
}

// unpack writes an image's folders and files.
func unpack(t *testing.T, img v1.Image, dir string) {
	t.Helper()
	r := mutate.Extract(img)
	defer r.Close()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(target, 0o755)
		case tar.TypeReg:
			var data []byte
			if data, err = io.ReadAll(tr); err == nil {
				err = os.WriteFile(target, data, h.FileInfo().Mode())
			}
		default:
			err = fmt.Errorf("%s is neither a file nor a folder", h.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
