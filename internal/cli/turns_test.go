package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/transform"
)

// related are documents that say something about each other: N is one of a few names, I the number of an image.
var related = []string{
	"apiVersion: v1\nkind: Pod\nmetadata: {name: N}\nspec:\n  hostNetwork: true\n" +
		"  containers:\n  - name: c\n    image: iI\n",
	"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: N\nspec:\n  replicas: 3\n  template:\n    metadata:\n" +
		"      labels:\n        app: N\n    spec:\n      containers:\n      - name: c\n        image: iI\n" +
		"        envFrom:\n        - configMapRef:\n            name: N\n",
	"apiVersion: apps/v1\nkind: Deployment\nmetadata: &m\n  name: N\n  labels: &l {app: N}\nspec:\n  template:\n" +
		"    metadata: {labels: *l}\n    spec:\n      containers:\n      - name: c\n        image: iI\n",
	"apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: N\nspec:\n  replicas: 2\n  template:\n    metadata:\n" +
		"      labels: {app: N}\n      annotations:\n        debuggable.dev/probe-timeout: off\n    spec:\n" +
		"      containers:\n      - name: c\n        image: iI # a comment\n        ports:\n        - containerPort: 9229\n" +
		"        resources:\n          limits: {memory: 64Mi}\n      - {name: d, image: i0}\n",
	"apiVersion: v1\nkind: Service\nmetadata: {name: N}\nspec:\n  selector: {app: N}\n  ports:\n  - port: 5005\n",
	"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: N\ndata:\n  PORT: '9229'\n  JAVA_TOOL_OPTIONS: -Xmx1g\n",
	"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: N\nspec:\n  minReplicas: 2\n" +
		"  maxReplicas: 5\n  scaleTargetRef:\n    kind: Deployment\n    name: N\n",
	"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: N\nspec:\n  maxReplicas: 5\n" +
		"  scaleTargetRef: {kind: Rollout, name: N}\n",
	"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata:\n  name: N\nspec:\n  replicas: 4\n  workloadRef:\n" +
		"    kind: Deployment\n    name: N\n",
	"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: N}\nspec:\n  replicas: 4\n  template:\n" +
		"    spec:\n      containers:\n      - name: c\n        image: iI\n",
	"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: N}\nspec:\n  minAvailable: 2\n  selector:\n" +
		"    matchLabels: {app: N}\n",
	"apiVersion: v1\nkind: LimitRange\nmetadata: {name: N}\nspec:\n  limits:\n" +
		"  - type: Container\n    max: {memory: 99Mi}\n",
	"apiVersion: v1\nkind: List\nitems:\n- apiVersion: batch/v1\n  kind: Job\n  metadata: {name: N}\n  spec:\n" +
		"    template:\n      spec:\n        containers:\n        - name: c\n          image: iI\n",
	`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "N"}, ` +
		`"spec": {"containers": [{"name": "c", "image": "iI"}]}}` + "\n",
	"apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata:\n  name: N\n",
	"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: N\n",
	"apiVersion: debuggable.dev/v1alpha1\nkind: ImageConfigs\nmetadata:\n  name: own-N\nimages:\n" +
		"- image: i9\n  config: {Entrypoint: [node, a.js]}\n",
	"# nothing\n",
}

const relatedImages = "apiVersion: debuggable.dev/v1alpha1\nkind: ImageConfigs\nmetadata: {name: all}\nimages:\n" +
	"- image: i0\n  config: {Entrypoint: [redis-server]}\n" +
	"- image: i1\n  config: {Entrypoint: [node, a.js], Env: [NODE_VERSION=20]}\n" +
	"- image: i2\n  config: {Entrypoint: [java, -jar, a.jar], Env: [JAVA_VERSION=17]}\n" +
	"- image: i3\n  config: {Entrypoint: [python, -m, flask], Env: [PYTHON_VERSION=3.12]}\n---\n"

// TestInTurnAsAtOnce: objects that are edited some at a time, with trees that come and go, become what they become when
// all are planned before one is edited.
func TestInTurnAsAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 60 {
		list := i%2 == 1
		var stream strings.Builder
		stream.WriteString(relatedImages)
		for range 1 + r.IntN(300) {
			doc := related[r.IntN(len(related))]
			if list && strings.Contains(doc, "&") {
				continue // anchors may be meant for other items, so that the list is read as a whole
			}
			doc = strings.ReplaceAll(doc, "N\n", fmt.Sprintf("n%d\n", r.IntN(20)))
			doc = strings.NewReplacer("N}", fmt.Sprintf("n%d}", r.IntN(20)), "iI", fmt.Sprintf("i%d", r.IntN(6))).Replace(doc)
			stream.WriteString(doc + "---\n")
		}
		text := stream.String()
		if list {
			text = asList(t, text)
		}
		compareTurns(t, text)
		if t.Failed() {
			break
		}
	}
}

func compareTurns(t *testing.T, text string) {
	t.Helper()
	edit := func(whole bool) string {
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags := functionconfig.AddFlags(fs)
		if err := fs.Parse([]string{"--offline", "--replicas=1"}); err != nil {
			t.Fatal(err)
		}
		read, err := readToTransform(context.Background(), nil, strings.NewReader(text), flags)
		if err != nil {
			t.Fatal(err)
		}
		var done transformation
		if whole {
			read.set, err = manifest.Read(manifest.Input{Name: manifest.Stdin, Data: []byte(text)})
			if err != nil {
				t.Fatal(err)
			}
			listed, err := itemEntries(read.set.Objects(), read.set.Function)
			if err != nil {
				t.Fatal(err)
			}
			source, err := newSource(context.Background(), read.cfg, listed, nil)
			if err != nil {
				t.Fatal(err)
			}
			plan := resolve(context.Background(), io.Discard, source, transform.Find(objects(read.set), read.cfg), read.cfg).plan
			done.results = plan.Results()
			if err := plan.Apply(); err != nil {
				t.Fatal(err)
			}
		} else if done, err = read.transform(context.Background(), io.Discard, nil); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := read.set.Write(&out, nil); err != nil {
			t.Fatal(err)
		}
		for _, r := range done.results {
			delete(r.Tags, "line") // which functions leave out
			fmt.Fprintln(&out, r.Severity, r.Message, r.Tags, r.Field)
		}
		return out.String()
	}
	if want, got := edit(true), edit(false); got != want {
		t.Errorf("-all at once +in turn:\n%s", cmp.Diff(want, got))
	}
}
