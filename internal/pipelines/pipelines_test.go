// Package pipelines_test runs debuggable inside the tools that people call it from: kustomize, kpt, Helm and kubectl,
// on the manifests of Online Boutique, with image configurations from each kind of source.
package pipelines_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
)

const (
	root    = "../.."
	project = "us-central1-docker.pkg.dev/online-boutique-ci/microservices-demo/"
	user    = "reader"
	pass    = "of images"
)

// runtimes says what the services of Online Boutique are written in:
// https://github.com/GoogleCloudPlatform/microservices-demo. redis-cart is none of them; and emailservice,
// loadgenerator and recommendationservice run Python 3.14, for which the published support image has no debugger.
func runtimes() map[string]string {
	return map[string]string{
		"adservice": "jvm", "cartservice": "netcore", "checkoutservice": "go", "currencyservice": "nodejs", "frontend": "go",
		"paymentservice": "nodejs", "productcatalogservice": "go", "shippingservice": "go",
	}
}

// source is where debuggable finds the image configurations.
type source struct {
	name string
	// settings are a functionConfig's fields, as YAML, and what the same are as key=value.
	settings string
	values   []string
	lock     bool   // the lock file is among the items
	host     string // the registry that stands for the project's, or ""
}

// world is what the tests share: programs, image sources and manifests.
type world struct {
	bin       string // folder of debuggable and kustomize, first on PATH
	manifests string
	lock      []byte
	entries   []image.Entry
	env       []string
	sources   []source
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{bin: t.TempDir()}
	goCommand(t, "build", "-o", filepath.Join(w.bin, "debuggable"), ".")
	manifests, err := os.ReadFile(filepath.Join(root, "testdata/realworld/online-boutique.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.manifests = string(manifests)
	const lock = "testdata/realworld/online-boutique-images.yaml"
	if w.lock, err = os.ReadFile(filepath.Join(root, lock)); err != nil {
		t.Fatal(err)
	}
	if w.entries, err = image.ParseImageConfigs(w.lock, lock); err != nil {
		t.Fatal(err)
	}
	images := map[name.Reference]v1.Image{}
	for _, e := range w.entries {
		ref, err := name.ParseReference(e.Image)
		if err != nil {
			t.Fatal(err)
		}
		img, err := mutate.ConfigFile(empty.Image,
			&v1.ConfigFile{OS: "linux", Architecture: "amd64", Author: e.Author, Config: e.Config})
		if err != nil {
			t.Fatal(err)
		}
		images[ref] = img
	}
	dir := t.TempDir()
	layoutDir, archive := filepath.Join(dir, "layout"), filepath.Join(dir, "images.tar")
	l, err := layout.Write(layoutDir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for ref, img := range images {
		if err := l.AppendImage(img,
			layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": ref.Name()})); err != nil {
			t.Fatal(err)
		}
	}
	if err := tarball.MultiRefWriteToFile(archive, images); err != nil {
		t.Fatal(err)
	}
	host := startRegistry(t, w.entries)
	config := t.TempDir()
	auth, err := json.Marshal(
		map[string]any{"auths": map[string]any{host: map[string]string{"username": user, "password": pass}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "config.json"), auth, 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = append(os.Environ(), "PATH="+w.bin+":"+os.Getenv("PATH"), "DOCKER_CONFIG="+config,
		"DOCKER_HOST=unix:///nowhere/engine.sock", "XDG_CACHE_HOME="+t.TempDir())
	w.sources = []source{
		{name: "layout", settings: "offline: true\nlayouts: [" + layoutDir + "]\n",
			values: []string{"offline=true", "layouts=" + layoutDir}},
		{name: "archive", settings: "offline: true\narchives: [" + archive + "]\n",
			values: []string{"offline=true", "archives=" + archive}},
		{name: "lock", settings: "offline: true\n", values: []string{"offline=true"}, lock: true},
		{name: "registry", settings: "insecureRegistries: [" + host + "]\n", values: []string{"insecureRegistries=" + host},
			host: host},
	}
	return w
}

// startRegistry serves the images on loopback, to those who know the password.
func startRegistry(t *testing.T, entries []image.Entry) string {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != pass {
			w.Header().Set("WWW-Authenticate", `Basic realm="images"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, e := range entries {
		ref, err := name.ParseReference(atRegistry("image: "+e.Image, host)[len("image: "):], name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		img, err := mutate.ConfigFile(empty.Image,
			&v1.ConfigFile{OS: "linux", Architecture: "amd64", Author: e.Author, Config: e.Config})
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: user, Password: pass})); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

// atRegistry makes manifests name the images of the registry on loopback, and fromRegistry takes that back.
func atRegistry(text, host string) string {
	text = strings.ReplaceAll(text, project, host+"/"+project)
	return strings.ReplaceAll(text, "image: redis:alpine", "image: "+host+"/library/redis:alpine")
}

func fromRegistry(text, host string) string {
	text = strings.ReplaceAll(text, host+"/"+project, project)
	return strings.ReplaceAll(text, host+"/library/redis:alpine", "redis:alpine")
}

// pkg lays out a package with the manifests, for one source of images.
func (w *world) pkg(t *testing.T, s source) string {
	t.Helper()
	dir := t.TempDir()
	manifests := w.manifests
	if s.host != "" {
		manifests = atRegistry(manifests, s.host)
	}
	write(t, dir, "boutique.yaml", manifests)
	if s.lock {
		write(t, dir, "images.yaml", string(w.lock))
	}
	return dir
}

// settings is the typed functionConfig of a source, with what kustomize and kpt want to find in it.
func (w *world) settings(s source) string {
	return `apiVersion: debuggable.dev/v1alpha1
kind: Debuggable
metadata:
  name: debug
  annotations:
    config.kubernetes.io/local-config: "true"
    config.kubernetes.io/function: |
      exec:
        path: ` + filepath.Join(w.bin, "debuggable") + "\n" + s.settings
}

// run starts a program in a folder, with standard input, and returns its standard output.
func (w *world) run(t *testing.T, dir, stdin string, argv ...string) string {
	t.Helper()
	out, errs, err := w.try(t, dir, stdin, argv...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, errs)
	}
	return out
}

func (w *world) try(t *testing.T, dir, stdin string, argv ...string) (stdout, stderr string, err error) {
	t.Helper()
	path, err := lookPath(w.bin, argv[0])
	if err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(t.Context(), path, argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, w.env, strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func lookPath(bin, program string) (string, error) {
	if path := filepath.Join(bin, program); exists(path) {
		return path, nil
	}
	return exec.LookPath(program)
}

// checkBoutique looks at the workloads: every service is debuggable, in its own language, and no probe gives up early.
func checkBoutique(t *testing.T, manifests string) {
	t.Helper()
	nodes, err := kio.FromBytes([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, n := range nodes {
		if n.GetKind() != "Deployment" {
			continue
		}
		text := annotation(t, n)
		if text == "" {
			continue
		}
		var config map[string]struct {
			Artifact, Runtime string
			Ports             map[string]int
		}
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatalf("%s: %v", n.GetName(), err)
		}
		if len(config) != 1 {
			t.Errorf("%s: %d containers in the annotation, want 1", n.GetName(), len(config))
		}
		for _, c := range config {
			got[n.GetName()] = c.Runtime
			if c.Runtime != "netcore" && len(c.Ports) != 1 {
				t.Errorf("%s: ports %v", n.GetName(), c.Ports)
			}
		}
		checkProbes(t, n)
	}
	if diff := cmp.Diff(runtimes(), got); diff != "" {
		t.Errorf("runtimes of the debuggable services (-want +got):\n%s", diff)
	}
}

func annotation(t *testing.T, n *yaml.RNode) string {
	t.Helper()
	value, err := n.Pipe(yaml.Lookup("spec", "template", "metadata", "annotations", "debug.cloud.google.com/config"))
	if err != nil {
		t.Fatal(err)
	}
	return yaml.GetValue(value)
}

func checkProbes(t *testing.T, n *yaml.RNode) {
	t.Helper()
	containers, err := n.Pipe(yaml.Lookup("spec", "template", "spec", "containers"))
	if err != nil {
		t.Fatal(err)
	}
	err = containers.VisitElements(func(c *yaml.RNode) error {
		for _, kind := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
			probe := c.Field(kind)
			if probe.IsNilOrEmpty() {
				continue
			}
			var timeout int
			if field := probe.Value.Field("timeoutSeconds"); !field.IsNilOrEmpty() {
				if err := field.Value.YNode().Decode(&timeout); err != nil {
					return err
				}
			}
			if timeout < 600 {
				t.Errorf("%s: %s times out after %d s", n.GetName(), kind, timeout)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// same compares what two sources of the same images give.
type same struct{ first, from string }

func (s *same) check(t *testing.T, from, got string) {
	t.Helper()
	if s.from == "" {
		s.first, s.from = got, from
		return
	}
	if diff := cmp.Diff(s.first, got); diff != "" {
		t.Errorf("images from %s and from %s give different manifests:\n%s", s.from, from, diff)
	}
}

func TestPipelines(t *testing.T) {
	w := newWorld(t)
	kustomize := strings.TrimSpace(goCommand(t, "tool", "-modfile=tools.mod", "-n", "kustomize"))
	if err := os.Symlink(kustomize, filepath.Join(w.bin, "kustomize")); err != nil {
		t.Fatal(err)
	}
	t.Run("filter", w.testFilter)
	t.Run("kustomize", w.testKustomize)
	t.Run("kpt", w.testKpt)
	t.Run("relative paths", w.testRelativePaths)
	t.Run("helm", w.testHelm)
	t.Run("kubectl", w.testKubectl)
}

// testFilter is `debuggable < rendered.yaml`, and what a Helm post-renderer is called like.
func (w *world) testFilter(t *testing.T) {
	var all same
	for _, s := range w.sources {
		t.Run(s.name, func(t *testing.T) {
			dir := w.pkg(t, s)
			var args []string
			for _, v := range s.values {
				field, value, _ := strings.Cut(v, "=")
				args = append(args, map[string]string{
					"offline": "--offline", "layouts": "--layout=" + value, "archives": "--archive=" + value,
					"insecureRegistries": "--insecure-registry=" + value,
				}[field])
			}
			if s.lock {
				args = append(args, "--image-configs=images.yaml")
			}
			in, err := os.ReadFile(filepath.Join(dir, "boutique.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			out := w.run(t, dir, string(in), append([]string{"debuggable"}, args...)...)
			checkBoutique(t, out)
			all.check(t, s.name, fromRegistry(out, s.host))
			if again := w.run(t, dir, out, append([]string{"debuggable"}, args...)...); again != out {
				t.Errorf("a second run changes something:\n%s", cmp.Diff(out, again))
			}
		})
	}
}

// testKustomize is a transformer of a kustomization.
func (w *world) testKustomize(t *testing.T) {
	var all same
	for _, s := range w.sources {
		t.Run(s.name, func(t *testing.T) {
			dir := w.pkg(t, s)
			resources := "[boutique.yaml]"
			if s.lock {
				resources = "[boutique.yaml, images.yaml]"
			}
			write(t, dir, "debug.yaml", w.settings(s))
			write(t, dir, "kustomization.yaml", "resources: "+resources+"\ntransformers: [debug.yaml]\n")
			build := []string{"kustomize", "build", "--enable-alpha-plugins", "--enable-exec", dir}
			out := w.run(t, dir, "", build...)
			checkBoutique(t, out)
			if strings.Contains(out, "kind: ImageConfigs") {
				t.Error("the lock file is among what kustomize would apply")
			}
			all.check(t, s.name, fromRegistry(out, s.host))
			write(t, dir, "boutique.yaml", out)
			if again := w.run(t, dir, "", build...); again != out {
				t.Errorf("a second run changes something:\n%s", cmp.Diff(out, again))
			}
		})
	}
}

// testKpt is the same package as a function of kpt, called in each of kpt's ways.
func (w *world) testKpt(t *testing.T) {
	if _, err := exec.LookPath("kpt"); err != nil {
		t.Skip("kpt is not installed")
	}
	program := filepath.Join(w.bin, "debuggable")
	for _, way := range []struct {
		name string
		argv func(dir string, s source) []string
	}{
		{"eval with a functionConfig", func(dir string, s source) []string {
			config := filepath.Join(t.TempDir(), "debug.yaml")
			write(t, filepath.Dir(config), "debug.yaml", w.settings(s))
			return []string{"kpt", "fn", "eval", dir, "--exec", program, "--fn-config", config}
		}},
		{"eval with key=value", func(dir string, s source) []string {
			return append([]string{"kpt", "fn", "eval", dir, "--exec", program, "--"}, s.values...)
		}},
		{"render", func(dir string, s source) []string {
			write(t, dir, "debug.yaml", w.settings(s))
			write(t, dir, "Kptfile", "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: boutique\npipeline:\n"+
				"  mutators:\n  - exec: "+program+"\n    configPath: debug.yaml\n")
			return []string{"kpt", "fn", "render", dir, "--allow-exec"}
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			var all same
			for _, s := range w.sources {
				t.Run(s.name, func(t *testing.T) {
					dir := w.pkg(t, s)
					argv := way.argv(dir, s)
					w.run(t, dir, "", argv...)
					out := read(t, dir, "boutique.yaml")
					checkBoutique(t, out)
					all.check(t, s.name, fromRegistry(out, s.host))
					before := snapshot(t, dir)
					w.run(t, dir, "", argv...)
					if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
						t.Errorf("a second run changes something:\n%s", diff)
					}
					if s.lock {
						// kpt writes every file anew, in its own quoting, whatever the function does.
						plain := w.pkg(t, s)
						w.run(t, plain, "", "kpt", "fn", "eval", plain, "--exec", "cat")
						if diff := cmp.Diff(read(t, plain, "images.yaml"), read(t, dir, "images.yaml")); diff != "" {
							t.Errorf("the lock file was changed:\n%s", diff)
						}
					}
				})
			}
		})
	}
	t.Run("errors", func(t *testing.T) {
		dir := w.pkg(t, w.sources[2])
		before := snapshot(t, dir)
		_, errs, err := w.try(t, dir, "", "kpt", "fn", "eval", dir, "--exec", program, "--", "ofline=true")
		if err == nil || !strings.Contains(errs, "ofline") || !strings.Contains(errs, "offline") {
			t.Errorf("%v; kpt prints %s", err, errs)
		}
		if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
			t.Errorf("a failed run changed the package:\n%s", diff)
		}
	})
}

// testRelativePaths pins where the tools start functions, and so where relative paths begin: kustomize in the
// kustomization's folder, kpt in the caller's.
func (w *world) testRelativePaths(t *testing.T) {
	s := source{settings: "offline: true\nimageConfigs: [images.lock]\n"}
	t.Run("kustomize", func(t *testing.T) {
		dir := w.pkg(t, s)
		write(t, dir, "images.lock", string(w.lock))
		write(t, dir, "debug.yaml", w.settings(s))
		write(t, dir, "kustomization.yaml", "resources: [boutique.yaml]\ntransformers: [debug.yaml]\n")
		checkBoutique(t, w.run(t, t.TempDir(), "", "kustomize", "build", "--enable-alpha-plugins", "--enable-exec", dir))
	})
	t.Run("kpt", func(t *testing.T) {
		if _, err := exec.LookPath("kpt"); err != nil {
			t.Skip("kpt is not installed")
		}
		dir, elsewhere := w.pkg(t, s), t.TempDir()
		write(t, elsewhere, "images.lock", string(w.lock))
		w.run(t, elsewhere, "", "kpt", "fn", "eval", dir, "--exec", filepath.Join(w.bin, "debuggable"), "--", "offline=true",
			"imageConfigs=images.lock")
		checkBoutique(t, read(t, dir, "boutique.yaml"))
	})
}

// testHelm is a post-renderer: of Helm 3 the program as it is, of Helm 4 the plugin of this repository.
func (w *world) testHelm(t *testing.T) {
	for _, version := range []string{"v3.22.0", "v4.3.1"} {
		t.Run(version, func(t *testing.T) { w.testHelmVersion(t, version) })
	}
}

func (w *world) testHelmVersion(t *testing.T, version string) {
	helm := buildHelm(t, version)
	dir := t.TempDir()
	env := w.env
	defer func() { w.env = env }()
	for _, kind := range []string{"CACHE", "CONFIG", "DATA"} { // no plugin or repository of the user's
		w.env = append(w.env, "HELM_"+kind+"_HOME="+filepath.Join(dir, kind))
	}
	if strings.HasPrefix(version, "v4") {
		plugin, err := filepath.Abs(filepath.Join(root, "helm-plugin"))
		if err != nil {
			t.Fatal(err)
		}
		w.run(t, dir, "", helm, "plugin", "install", plugin)
	}
	write(t, dir, "chart/Chart.yaml", "apiVersion: v2\nname: boutique\nversion: 0.1.0\n")
	write(t, dir, "chart/templates/boutique.yaml", w.manifests)
	write(t, dir, "images.yaml", string(w.lock))
	argv := []string{helm, "template", "boutique", "chart", "--post-renderer", "debuggable",
		"--post-renderer-args", "--offline", "--post-renderer-args", "--image-configs=images.yaml"}
	out, errs, err := w.try(t, dir, "", argv...)
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	checkBoutique(t, out)
	want := strings.Count(w.run(t, dir, "", argv[:4]...), "\n# Source: ")
	if strings.HasPrefix(version, "v4") { // which takes out what is not an object, before any post-renderer
		nodes, err := kio.FromBytes([]byte(out))
		if err != nil {
			t.Fatal(err)
		}
		want = len(nodes)
	}
	if got := strings.Count("\n"+out, "\n# Source: "); got == 0 || got != want {
		t.Errorf("%d of Helm's # Source: lines are left, want %d", got, want)
	}
	// What the documentation says: warnings do not come through, and an error does, if only as one.
	if strings.Contains(errs, "not made debuggable") {
		t.Errorf("%s shows what a post-renderer says after all:\n%s", version, errs)
	}
	out, errs, err = w.try(t, dir, "", append(argv, "--post-renderer-args", "--strict")...)
	if err == nil || strings.Contains(out, "kind: Deployment") {
		t.Errorf("--strict does not end it: %v", err)
	}
	if shows := strings.Contains(errs, "not made debuggable"); shows != strings.HasPrefix(version, "v3") {
		t.Errorf("what a post-renderer says when it fails is shown: %v\n%s", shows, errs)
	}
}

// buildHelm finds a version of Helm that was built before, or builds it where the environment says that this may take a
// while.
func buildHelm(t *testing.T, version string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(cache, "debuggable-tools", "helm-"+version)
	if path := filepath.Join(bin, "helm"); exists(path) {
		return path
	}
	if os.Getenv("DEBUGGABLE_BUILD_TOOLS") == "" {
		t.Skipf("helm %s is not built; DEBUGGABLE_BUILD_TOOLS=1 builds it from its module", version)
	}
	major, _, _ := strings.Cut(version, ".")
	cmd := exec.CommandContext(t.Context(), "go", "install", "helm.sh/helm/"+major+"/cmd/helm@"+version)
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install helm: %v\n%s", err, out)
	}
	return filepath.Join(bin, "helm")
}

// testKubectl is `… | debuggable | kubectl apply --dry-run=client -f -`. Even so kubectl asks a server which kinds
// there are and which objects exist; a server on loopback tells it the kinds, and that nothing exists.
func (w *world) testKubectl(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is not installed")
	}
	server := httptest.NewServer(http.HandlerFunc(discovery))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write(t, dir, "images.yaml", string(w.lock))
	out := w.run(t, dir, w.manifests, "debuggable", "--offline", "--image-configs=images.yaml")
	said := w.run(t, dir, out, "kubectl", "--kubeconfig=/dev/null", "--server="+server.URL, "apply", "--dry-run=client",
		"--validate=false", "-f", "-")
	for service := range runtimes() {
		if want := "deployment.apps/" + service + " created (dry run)"; !strings.Contains(said, want) {
			t.Errorf("kubectl does not say %q:\n%s", want, said)
		}
	}
}

// discovery answers as an API server does that has no objects.
func discovery(w http.ResponseWriter, r *http.Request) {
	resource := func(plural, kind string) map[string]any {
		return map[string]any{"name": plural, "singularName": strings.ToLower(kind), "namespaced": true, "kind": kind,
			"verbs": []string{"create", "get", "patch"}}
	}
	answer := map[string]map[string]any{
		"/api": {"kind": "APIVersions", "versions": []string{"v1"}},
		"/api/v1": {"kind": "APIResourceList", "groupVersion": "v1",
			"resources": []any{resource("services", "Service"), resource("serviceaccounts", "ServiceAccount")}},
		"/apis": {"kind": "APIGroupList",
			"groups": []any{
				map[string]any{"name": "apps", "versions": []any{map[string]string{"groupVersion": "apps/v1", "version": "v1"}},
					"preferredVersion": map[string]string{"groupVersion": "apps/v1", "version": "v1"}}}},
		"/apis/apps/v1": {"kind": "APIResourceList", "groupVersion": "apps/v1",
			"resources": []any{resource("deployments", "Deployment")}},
	}[r.URL.Path]
	status := http.StatusOK
	if answer == nil {
		status = http.StatusNotFound
		answer = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
			"code": status}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

func write(t *testing.T, dir, file, text string) {
	t.Helper()
	path := filepath.Join(dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// snapshot is every file of a folder.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if !e.IsDir() {
			files[e.Name()] = read(t, dir, e.Name())
		}
	}
	return files
}

func goCommand(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatal(fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, errs.String()))
	}
	return out.String()
}
