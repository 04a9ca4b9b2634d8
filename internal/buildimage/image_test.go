package main

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"debuggable.dev/debuggable/internal/ociimage"
)

const resourceList = `apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web}
  spec:
    containers:
    - name: web
      image: web
functionConfig:
  apiVersion: debuggable.dev/v1alpha1
  kind: Debuggable
  metadata: {name: debug}
  offline: true
  images:
  - image: web
    config:
      Entrypoint: [java, -jar, /web.jar]
      Env: [JAVA_VERSION=21]
`

// TestImage builds the image for this machine's architecture, reads it back from its layout, and runs its entry point
// as its user, in a root folder that holds what the image holds and nothing else.
func TestImage(t *testing.T) {
	platform := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	contents, err := files(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "layout")
	var digests []v1.Hash
	for n := range 2 {
		if n == 1 { // settings of the one who builds
			t.Setenv("GOAMD64", "v3")
			t.Setenv("GOARM64", "v9.0")
			t.Setenv("GOFLAGS", "-gcflags=-N")
		}
		var out bytes.Buffer
		if err := run(t.Context(), []string{"-o", dir, "-platform", platform.String()}, &out); err != nil {
			t.Fatal(err)
		}
		l, err := layout.ImageIndexFromPath(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := l.IndexManifest()
		if err != nil || len(m.Manifests) != 1 {
			t.Fatalf("layout lists %v, %v, want one index", m, err)
		}
		digests = append(digests, m.Manifests[0].Digest)
		if !strings.HasPrefix(out.String(), digests[0].String()) {
			t.Errorf("printed %q, want the digest %s", out.String(), digests[0])
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds have the digests %s and %s", digests[0], digests[1])
	}
	image := imageOf(t, dir, digests[0])
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("config is for %s/%s", config.OS, config.Architecture)
	}

	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	extract(t, image, root)
	for name, f := range contents {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm() != os.FileMode(f.Mode) {
			t.Errorf("%s: %v, %v, want mode %o", name, info, err, f.Mode)
		}
	}
	entry := config.Config.Entrypoint[0]
	checkStatic(t, filepath.Join(root, entry))

	cmd := exec.CommandContext(t.Context(), filepath.Join(root, entry))
	if os.Geteuid() == 0 {
		cmd = exec.CommandContext(t.Context(), entry)
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		cmd.Dir = config.Config.WorkingDir
	} else {
		t.Log("not root: the entry point runs outside of a root folder of its own")
	}
	cmd.Env = []string{"PATH=/nowhere"}
	cmd.Stdin = strings.NewReader(resourceList)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running %s: %v\n%s", entry, err, errs.String())
	}
	for _, want := range []string{"kind: ResourceList", `"runtime":"jvm"`, "address=5005"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the function's output lacks %q:\n%s", want, out)
		}
	}
}

// TestDockerfileSaysTheSame compares what the Dockerfile tells an engine with what the program builds without one.
func TestDockerfileSaysTheSame(t *testing.T) {
	image, err := makeImage(ociimage.Tree{program: {Mode: 0o755}}, v1.Platform{OS: "linux", Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, ok := strings.Cut(string(data), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the Dockerfile's last stage is not on scratch")
	}
	said := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([A-Z]+) (.*)$`).FindAllStringSubmatch(last, -1) {
		said[m[1]] = m[2]
	}
	entry, err := json.Marshal(config.Config.Entrypoint)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"COPY": "--from=build /rootfs /", "USER": config.Config.User, "ENTRYPOINT": string(entry)}
	for key, value := range want {
		if said[key] != value {
			t.Errorf("the Dockerfile says %s %s, want %s", key, said[key], value)
		}
	}
	if len(said) != len(want) {
		t.Errorf("the Dockerfile's last stage says %v, want %v alone", said, want)
	}
	if config.Config.User == "" || strings.HasPrefix(config.Config.User, "0") {
		t.Errorf("the image runs as %q", config.Config.User)
	}
}

// TestRootfs is what the Dockerfile calls.
func TestRootfs(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), []string{"-rootfs", dir, "-platform", "linux/" + runtime.GOARCH}, os.Stdout); err != nil {
		t.Fatal(err)
	}
	checkStatic(t, filepath.Join(dir, program))
}

func TestCertificates(t *testing.T) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots()) {
		t.Fatal("no certificate was read")
	}
	if n := bytes.Count(roots(), []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("%d certificates, want the better part of Mozilla's list", n)
	}
}

func TestWrongUse(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "precious"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing to write":    {nil, "one of -o and -rootfs"},
		"both":                {[]string{"-o", "a", "-rootfs", "b"}, "one of -o and -rootfs"},
		"half a platform":     {[]string{"-o", "a", "-platform", "linux"}, "want os/architecture"},
		"platform of nobody":  {[]string{"-rootfs", full, "-platform", "plan10/amd64"}, "building for plan10/amd64"},
		"folder of something": {[]string{"-o", full, "-platform", "linux/" + runtime.GOARCH}, "holds something else"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), test.args, os.Stdout)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(full, "precious")); err != nil {
		t.Error(err)
	}
}

func imageOf(t *testing.T, dir string, digest v1.Hash) v1.Image {
	t.Helper()
	root, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	index, err := root.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// extract unpacks an image with the system's tar.
func extract(t *testing.T, image v1.Image, dir string) {
	t.Helper()
	layers := mutate.Extract(image)
	defer layers.Close()
	cmd := exec.CommandContext(t.Context(), "tar", "-x", "-p", "-C", dir)
	cmd.Stdin = layers
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
}

// checkStatic fails for a binary that needs a loader or libraries, which scratch does not have.
func checkStatic(t *testing.T, binary string) {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s is linked dynamically", binary)
		}
	}
}
