package transform

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	v1image "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/workload"
)

// object is a manifest's object as the transform wants it.
type object struct{ *manifest.Object }

func (o object) File() (string, int) { return "", 0 }

// apply transforms manifests; config gives each image its configuration. An error is one of reading or writing.
func apply(manifests string, cfg functionconfig.Config, config func(ref string) image.Result) (string, fn.Results,
	error) {
	set, err := manifest.Read(manifest.Input{Name: "manifests", Data: []byte(manifests)})
	if err != nil {
		return "", nil, fmt.Errorf("reading: %w", err)
	}
	var objects []workload.Object
	for _, o := range set.Objects() {
		objects = append(objects, object{o})
	}
	scope := Find(objects, cfg)
	images := map[image.Want]image.Result{}
	for _, want := range scope.Images() {
		images[want] = config(want.Image)
	}
	programs := scope.Programs(images)
	support := map[image.Want]image.Result{}
	chosen, _ := programs.SupportImages()
	for _, want := range chosen {
		support[want] = image.Result{Err: image.ErrNotFound}
	}
	plan := programs.Plan(support)
	results := plan.Results()
	if err := plan.Apply(); err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	if err := set.Write(&out, nil); err != nil {
		return "", results, fmt.Errorf("writing: %w", err)
	}
	return out.String(), results, nil
}

// configured is an image's configuration.
func configured(c v1image.Config) image.Result { return image.Result{Config: image.Config{Config: c}} }

func TestPlatform(t *testing.T) {
	affinity := func(exprs string) string {
		return "{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: " + exprs +
			"}}}}"
	}
	for name, test := range map[string]struct{ spec, byDefault, want string }{
		"nothing said":         {"{}", "linux/amd64", "linux/amd64"},
		"node selector":        {"{nodeSelector: {kubernetes.io/arch: arm64}}", "linux/amd64", "linux/arm64"},
		"deprecated label":     {"{nodeSelector: {beta.kubernetes.io/arch: s390x}}", "linux/amd64", "linux/s390x"},
		"same, with a variant": {"{nodeSelector: {kubernetes.io/arch: arm}}", "linux/arm/v6", "linux/arm/v6"},
		"selector beats affinity": {"{nodeSelector: {kubernetes.io/arch: arm64}, affinity: {nodeAffinity: " +
			"{requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: " +
			"kubernetes.io/arch, operator: In, values: [amd64]}]}]}}}}", "linux/amd64", "linux/arm64"},
		"affinity": {affinity(
			"[{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]}]"), "linux/amd64", "linux/arm64"},
		"affinity to the default": {affinity(
			"[{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [arm64, amd64]}]}]"), "linux/amd64",
			"linux/amd64"},
		"affinity in several terms": {affinity(
			"[{matchExpressions: [{key: zone, operator: In, values: [a]}]}, {matchExpressions: [{key: kubernetes.io/arch, " +
				"operator: In, values: [arm64]}]}]"), "linux/amd64", "linux/arm64"},
		"another operator": {affinity(
			"[{matchExpressions: [{key: kubernetes.io/arch, operator: NotIn, values: [arm64]}]}]"), "linux/amd64",
			"linux/amd64"},
		"affinity to others": {affinity(
			"[{matchExpressions: [{key: kubernetes.io/arch, operator: NotIn, values: [amd64]}]}]"), "linux/amd64",
			"linux/arm64"},
		"affinity to some others": {affinity(
			"[{matchExpressions: [{key: kubernetes.io/arch, operator: NotIn, values: [arm64, amd64]}]}]"), "linux/amd64",
			"linux/s390x"},
		"to others in one term": {affinity(
			"[{matchExpressions: [{key: kubernetes.io/arch, operator: NotIn, values: [amd64]}]}, {matchExpressions: [{key: " +
				"kubernetes.io/arch, operator: NotIn, values: [arm64]}]}]"), "linux/amd64", "linux/amd64"},
		"another label": {affinity("[{matchExpressions: [{key: zone, operator: In, values: [arm64]}]}]"),
			"linux/amd64", "linux/amd64"},
		"not as it should be": {"{nodeSelector: [kubernetes.io/arch], affinity: x}", "linux/amd64", "linux/amd64"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &workload.Pod{Spec: yaml.MustParse(test.spec).YNode()}
			if got := p.Platform(test.byDefault); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestOnLinux(t *testing.T) {
	for spec, want := range map[string]bool{
		"{}":                  true,
		"{os: {name: linux}}": true,
		"{os: {name: windows}, nodeSelector: {kubernetes.io/os: linux}}": false,
		"{nodeSelector: {kubernetes.io/os: windows}}":                    false,
		"{nodeSelector: {beta.kubernetes.io/os: windows}}":               false,
		"{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: " +
			"[{matchExpressions: [{key: kubernetes.io/os, operator: In, values: [windows, linux]}]}]}}}}": true,
	} {
		p := &workload.Pod{Spec: yaml.MustParse(spec).YNode()}
		if got := p.OnLinux(); got != want {
			t.Errorf("%s: got %v, want %v", spec, got, want)
		}
	}
}

func TestNoFreePort(t *testing.T) {
	var pod strings.Builder
	pod.WriteString("apiVersion: v1\nkind: Pod\nmetadata: {name: busy}\nspec:\n  containers:\n  - name: app\n    image: " +
		"app\n    ports:\n")
	for port := 56268; port <= 65535; port++ {
		fmt.Fprintf(&pod, "    - containerPort: %d\n", port)
	}
	out, results, err := apply(pod.String(), functionconfig.Default(), func(string) image.Result {
		return configured(v1image.Config{Entrypoint: []string{"/app"}, Env: []string{"GOGC=1"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if out != pod.String() {
		t.Error("the pod was changed")
	}
	if len(results) != 1 || results[0].Tags["reason"] != "NoFreePort" || results[0].Severity != fn.Warning {
		t.Errorf("got %v, want one warning for NoFreePort", results)
	}
}

// Sources of one run must not see each other: what one container gets is the same alone and among others.
func TestContainersAreIndependent(t *testing.T) {
	config := func(ref string) image.Result {
		return configured(v1image.Config{Entrypoint: []string{"java", "-jar", ref},
			Env: []string{"JAVA_TOOL_OPTIONS=-Xmx1g"}})
	}
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  containers:\n  - name: app\n    image: %s\n"
	var alone []string
	for _, n := range []string{"a", "b", "c"} {
		out, _, err := apply(fmt.Sprintf(pod, n, n), functionconfig.Default(), config)
		if err != nil {
			t.Fatal(err)
		}
		alone = append(alone, out)
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}} {
		var in, want []string
		for _, i := range order {
			n := string(rune('a' + i))
			in, want = append(in, fmt.Sprintf(pod, n, n)), append(want, alone[i])
		}
		out, _, err := apply(strings.Join(in, "---\n"), functionconfig.Default(), config)
		if err != nil {
			t.Fatal(err)
		}
		if out != strings.Join(want, "---\n") {
			t.Errorf("got\n%s\nwant\n%s", out, strings.Join(want, "---\n"))
		}
	}
}
