package transform

import (
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	v1image "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/tools/txtar"
)

// FuzzTransform takes any manifests through the transform, under any settings. Whatever they are: no panic; the output can be
// read again; a second run over it changes nothing; objects that are no workloads, and pods of which nothing is debuggable,
// come out as they came.
func FuzzTransform(f *testing.F) {
	scripts, err := filepath.Glob("../testdata/*/*.txtar")
	if err != nil || len(scripts) == 0 {
		f.Fatalf("no scripts in ../testdata (%v)", err)
	}
	for _, script := range scripts {
		data, err := os.ReadFile(script)
		if err != nil {
			f.Fatal(err)
		}
		for i, file := range txtar.Parse(data).Files {
			if file.Name == "k8s.yaml" || file.Name == "want.yaml" || file.Name == "rl.yaml" {
				f.Add(string(file.Data), uint8(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, manifests string, settings uint8) {
		cfg := functionconfig.Default()
		cfg.Suspend = settings&1 != 0
		cfg.Strict = settings&2 != 0
		cfg.Replicas = int(settings >> 2 & 3)
		cfg.ProbeTimeout.Skip = settings&16 != 0
		if settings&32 != 0 {
			cfg.Protocols = []string{"pydevd"}
		}
		once, results, err := apply(manifests, cfg, someConfig)
		if err != nil {
			if strings.HasPrefix(err.Error(), "writing") {
				return // the manifest package refuses what it cannot write faithfully, and nothing is written
			}
			return
		}
		debugged := slices.ContainsFunc(results, func(r *fn.Result) bool {
			return r.Tags["reason"] == Debuggable || r.Tags["reason"] == AlreadyDebugged || r.Tags["reason"] == AlreadyConfigured
		})
		if !debugged && once != manifests {
			t.Errorf("nothing was debuggable, yet\n%s\nbecame\n%s", manifests, once)
		}
		twice, _, err := apply(once, cfg, someConfig)
		if err != nil {
			t.Fatalf("the output cannot be read again: %v\n%s", err, once)
		}
		if once != twice {
			t.Errorf("a second run changed the output:\n%s\nbecame\n%s", once, twice)
		}
		sameBystanders(t, manifests, once)
	})
}

// sameBystanders checks that objects of kinds that are never edited hold what they held.
func sameBystanders(t *testing.T, before, after string) {
	a, errA := manifest.Read(manifest.Input{Name: "before", Data: []byte(before)})
	b, errB := manifest.Read(manifest.Input{Name: "after", Data: []byte(after)})
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if len(a.Objects()) != len(b.Objects()) {
		t.Fatalf("%d objects became %d", len(a.Objects()), len(b.Objects()))
	}
	for i, o := range a.Objects() {
		switch kind := o.Node().GetKind(); {
		case strings.HasSuffix(kind, "List"), kind == "HorizontalPodAutoscaler", kind == "ScaledObject",
			slices.ContainsFunc(kinds, func(k Kind) bool { return k.Kind == kind }):
			continue
		}
		was, errA := o.Node().String()
		is, errB := b.Objects()[i].Node().String()
		if (errA == nil) != (errB == nil) || was != is {
			t.Errorf("object %d is no workload, yet\n%s\nbecame\n%s", i, was, is)
		}
	}
}

// someConfig gives an image a configuration that depends on its name alone.
func someConfig(ref string) image.Result {
	configs := []v1image.Config{
		{Entrypoint: []string{"/app"}, Env: []string{"GOGC=1"}, User: "1000"},
		{Entrypoint: []string{"java", "-jar", "$(X) $$"}, Env: []string{"JAVA_TOOL_OPTIONS=$(A)$$"}, WorkingDir: "/srv"},
		{Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"node", "app.js"}, Env: []string{"NODE_VERSION=20", "PATH=/a:$(B)"}},
		{Cmd: []string{"sh", "-c", "cd /x && exec python app.py \"$@\""}, Env: []string{"PYTHON_VERSION=3"}},
		{Entrypoint: []string{"tini", "--"}, Cmd: []string{"dotnet", "app.dll"}, Env: []string{"DOTNET_EnableDiagnostics=0"}},
		{Entrypoint: []string{"/cnb/process/web"}, Env: []string{"CNB_PLATFORM_API=0.8", "GOGC=1"}, Labels: map[string]string{
			"io.buildpacks.build.metadata": `{"processes":[{"type":"web","command":"/app","args":["$HOME"],"direct":true,"buildpackID":"b"}],"buildpacks":[{"id":"b","api":"0.8"}]}`}},
		{},
	}
	h := fnv.New32a()
	h.Write([]byte(ref))
	i := int(h.Sum32() % uint32(len(configs)+1))
	if i == len(configs) {
		return image.Result{Err: image.ErrNotFound}
	}
	return configured(configs[i])
}
