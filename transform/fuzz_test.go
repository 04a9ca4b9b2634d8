package transform

import (
	"bytes"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	v1image "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/workload"
)

// FuzzTransform takes any manifests through the transform, under any settings. Whatever they are: no panic; the output
// can be read again; a second run over it changes nothing; objects that are no workloads, and pods of which nothing is
// debuggable, come out as they came.
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
				for seed := range uint64(2) {
					f.Add(string(file.Data), uint8(i), seed)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, manifests string, settings uint8, seed uint64) {
		if seed > 0 {
			manifests = mutated(manifests, seed)
		}
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
			return r.Tags["reason"] == "Debuggable" || r.Tags["reason"] == "AlreadyDebugged" ||
				r.Tags["reason"] == "AlreadyConfigured"
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

// mutated changes the structure of manifests in a few places: values of other types, missing and doubled elements,
// values from elsewhere in the same manifests. It returns what it cannot read as it is.
func mutated(manifests string, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 0))
	decoder := yaml.NewDecoder(strings.NewReader(manifests))
	var docs []*yaml.Node
	var nodes []*yaml.Node // every value of every document
	for {
		var doc yaml.Node
		if err := decoder.Decode(&doc); err == io.EOF {
			break
		} else if err != nil {
			return manifests
		}
		docs = append(docs, &doc)
		var collect func(n *yaml.Node)
		collect = func(n *yaml.Node) {
			nodes = append(nodes, n)
			for i, c := range n.Content {
				if n.Kind != yaml.MappingNode || i%2 == 1 {
					collect(c)
				}
			}
		}
		collect(&doc)
	}
	if len(nodes) == 0 {
		return manifests
	}
	for range 1 + random.IntN(4) {
		n := nodes[random.IntN(len(nodes))]
		if n.Kind == yaml.DocumentNode || n.Kind == yaml.AliasNode {
			continue
		}
		switch random.IntN(5) {
		case 0:
			*n = *yaml.MustParse([]string{"null", "''", "0", "-1", "true", "[]", "{}", "x", "[x, [y]]", "{x: {y: z}}", "1e400",
				"65536", "$(X)"}[random.IntN(13)]).YNode()
		case 1:
			if i := random.IntN(len(n.Content) + 1); n.Kind == yaml.SequenceNode && i < len(n.Content) {
				n.Content = append(n.Content, n.Content[i])
			} else if n.Kind == yaml.MappingNode && 2*i+1 < len(n.Content) {
				n.Content = slices.Delete(n.Content, 2*i, 2*i+2)
			}
		case 2, 3:
			other := nodes[random.IntN(len(nodes))]
			if other.Kind == n.Kind {
				n.Value, n.Style, n.Tag = other.Value, other.Style, other.Tag
				if n.Kind == yaml.SequenceNode && !contains(other, n) {
					n.Content = append(slices.Clone(n.Content), other.Content...)
				}
			}
		case 4:
			if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
				n.Style ^= yaml.FlowStyle
			} else {
				n.Style = []yaml.Style{0, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle, yaml.LiteralStyle}[random.IntN(4)]
			}
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	for _, doc := range docs {
		if err := encoder.Encode(doc); err != nil {
			return manifests
		}
	}
	return out.String()
}

// contains says whether one node is another, or in it.
func contains(n, part *yaml.Node) bool {
	return n == part || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return contains(c, part) })
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
			slices.ContainsFunc(workload.Kinds(), func(k workload.Kind) bool { return k.Kind == kind }):
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
		{Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"node", "app.js"},
			Env: []string{"NODE_VERSION=20", "PATH=/a:$(B)"}},
		{Cmd: []string{"sh", "-c", "cd /x && exec python app.py \"$@\""}, Env: []string{"PYTHON_VERSION=3"}},
		{Entrypoint: []string{"tini", "--"}, Cmd: []string{"dotnet", "app.dll"}, Env: []string{"DOTNET_EnableDiagnostics=0"}},
		{Entrypoint: []string{"/cnb/process/web"}, Env: []string{"CNB_PLATFORM_API=0.8", "GOGC=1"}, Labels: map[string]string{
			"io.buildpacks.build.metadata": `{"processes":[{"type":"web","command":"/app","args":["$HOME"],"direct":true,` +
				`"buildpackID":"b"}],"buildpacks":[{"id":"b","api":"0.8"}]}`}},
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
