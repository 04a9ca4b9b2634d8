package image

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// TestPodman reads what a real Podman writes: archives and layouts of an image and of a manifest list, and the auth
// file of a login.
func TestPodman(t *testing.T) {
	if _, err := exec.LookPath("podman"); err != nil {
		t.Skip("podman is not on PATH, so that only archives and layouts written by Go libraries are tested")
	}
	dir := t.TempDir()
	podman := func(args ...string) error {
		cmd := exec.CommandContext(t.Context(), "podman",
			append([]string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
				"--storage-driver", "vfs", "--events-backend", "none"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Logf("podman %q: %v\n%s", args, err, out)
		}
		return err
	}
	rootfs := filepath.Join(dir, "rootfs.tar")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "app", Typeflag: tar.TypeReg, Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rootfs, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	const image = "example.com/acme/web:v1"
	for _, p := range []string{"amd64", "arm64"} {
		if err := podman("import", "--quiet", "--os", "linux", "--arch", p, "--change", `ENTRYPOINT ["/app","`+p+`"]`,
			"--change", "WORKDIR /srv", rootfs, image+"-"+p); err != nil {
			t.Skip("podman cannot make images here: see the log")
		}
	}
	must := func(args ...string) {
		t.Helper()
		if err := podman(args...); err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *Local, ref, platform, want string) {
		t.Helper()
		got, err := ask(t, s, ref, platform)
		if err != nil || !slices.Equal(got.Entrypoint, []string{"/app", want}) || got.WorkingDir != "/srv" {
			t.Errorf("%s: %s for %s: got %v in %q, error %v", s, ref, platform, got.Entrypoint, got.WorkingDir, err)
		}
	}
	file := func(name string) string { return filepath.Join(dir, name) }

	must("save", "--quiet", "--format", "docker-archive", "-o", file("docker.tar"), image+"-amd64")
	must("save", "--quiet", "--format", "oci-archive", "-o", file("oci.tar"), image+"-amd64")
	must("save", "--quiet", "--format", "oci-dir", "-o", file("oci"), image+"-amd64")
	must("save", "--quiet", "--multi-image-archive", "--format", "docker-archive", "-o", file("both.tar"), image+"-amd64",
		image+"-arm64")
	for _, s := range []*Local{NewArchive(file("docker.tar")), NewArchive(file("oci.tar")), NewLayout(file("oci"))} {
		check(s, image+"-amd64", "linux/amd64", "amd64")
	}
	check(NewArchive(file("both.tar")), image+"-amd64", "linux/amd64", "amd64")
	check(NewArchive(file("both.tar")), image+"-arm64", "linux/amd64", "arm64")
	check(NewArchive("other="+file("docker.tar")), "other", "linux/amd64", "amd64")

	must("manifest", "create", image)
	for _, p := range []string{"amd64", "arm64"} {
		must("manifest", "add", "--os", "linux", "--arch", p, image, "containers-storage:"+image+"-"+p)
	}
	must("manifest", "push", "--all", image, "oci:"+file("list")+":"+image)
	check(NewLayout(file("list")), image, "linux/arm64", "arm64")
	check(NewLayout(file("list")), image, "linux/amd64", "amd64")

	hub := newHub(t, false)
	hub.behave(basicAuth("me", "secret", 0))
	must("login", "--tls-verify=false", "--authfile", file("auth.json"), "-u", "me", "-p", "secret", hub.host)
	must("push", "--quiet", "--tls-verify=false", "--authfile", file("auth.json"), image+"-amd64", hub.host+"/web:v1")
	must("manifest", "push", "--quiet", "--all", "--tls-verify=false", "--authfile", file("auth.json"), image,
		"docker://"+hub.host+"/list:v1")
	noCredentials(t)
	t.Setenv("REGISTRY_AUTH_FILE", file("auth.json"))
	s := NewRegistry(RegistryOptions{Backoff: time.Millisecond})
	for ref, want := range map[string]string{"web:v1": "amd64", "list:v1": "arm64"} {
		r, err := name.ParseReference(hub.host + "/" + ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Config(t.Context(), r, mustPlatform(t, "linux/arm64"))
		if err != nil || !slices.Equal(got.Entrypoint, []string{"/app", want}) {
			t.Errorf("%s: got %v, error %v", ref, got.Entrypoint, err)
		}
	}
}
