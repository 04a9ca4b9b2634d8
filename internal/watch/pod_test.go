package watch

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
)

func TestReadPod(t *testing.T) {
	const head = `"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n","uid":"u","resourceVersion":"7",` +
		`"creationTimestamp":"2026-01-02T03:04:05Z","deletionTimestamp":"2026-01-02T04:00:00Z",` +
		`"labels":{"a":"b"},"annotations":{"debug.cloud.google.com/config":"{}","x":"y"}}`
	for name, test := range map[string]struct {
		status string
		want   []containerStatus
	}{
		"running": {
			`{"phase":"Running","containerStatuses":[{"name":"web","containerID":"containerd://1","restartCount":2,` +
				`"ready":true,"state":{"running":{"startedAt":null}}}]}`,
			[]containerStatus{{"web", "containerd://1", 2, true, true, "i"}},
		},
		"init containers first": {
			`{"containerStatuses":[{"name":"web","state":{"waiting":{"reason":"PodInitializing"}}}],` +
				`"initContainerStatuses":[{"name":"sidecar","containerID":"s","state":{"running":{}}}]}`,
			[]containerStatus{{"sidecar", "s", 0, true, false, "j"}, {"web", "", 0, false, false, "i"}},
		},
		"terminated": {
			`{"containerStatuses":[{"name":"web","containerID":"1","state":{"terminated":{"exitCode":1}},` +
				`"lastState":{"running":{}}}]}`,
			[]containerStatus{{"web", "1", 0, false, false, "i"}},
		},
		"evicted, with the statuses of before": {
			`{"phase":"Failed","containerStatuses":[{"name":"web","containerID":"1","ready":true,"state":{"running":{}}}]}`,
			[]containerStatus{{"web", "1", 0, false, false, "i"}},
		},
		"nothing yet": {`{}`, nil},
		"other shapes": {
			`{"containerStatuses":["x",{"name":3},{"name":"web","containerID":7,"restartCount":"x","state":[]}]}`,
			[]containerStatus{{name: "web", image: "i"}}},
		"no object": {`"x"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var o unstructured.Unstructured
			if err := json.Unmarshal(
				[]byte(`{`+head+
					`,"spec":{"containers":[{"name":"web","image":"i"}],"initContainers":[{"name":"sidecar","image":"j"}]},"status":`+
					test.status+`}`), &o); err != nil {
				t.Fatal(err)
			}
			got := readPod(&o)
			want := pod{
				namespace: "n", name: "p", uid: "u", annotated: true, annotation: "{}", containers: test.want,
				kind: "Pod", owner: "p", labels: map[string]string{"a": "b"},
				created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Local(), deleting: true,
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestWorkload(t *testing.T) {
	for owners, want := range map[string][2]string{
		`[]`: {"Pod", "web-5f-x"},
		`[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-5f",` +
			`"controller":true}]`: {"Deployment", "web"},
		`[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web",` +
			`"controller":true}]`: {"ReplicaSet", "web"},
		`[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db",` +
			`"controller":true}]`: {"StatefulSet", "db"},
		`[{"apiVersion":"v1","kind":"Node","name":"n"},{"apiVersion":"batch/v1","kind":"Job","name":"j",` +
			`"controller":true}]`: {"Job", "j"},
	} {
		var o unstructured.Unstructured
		text := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-5f-x","labels":{"pod-template-hash":"5f"},` +
			`"ownerReferences":` + owners + `}}`
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if kind, name := workload(&o); kind != want[0] || name != want[1] {
			t.Errorf("%s: %s %s, want %s", owners, kind, name, want)
		}
	}
}

func TestKeepNeeded(t *testing.T) {
	o := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7",
			"labels": map[string]any{"a": "b"}},
		"spec":   map[string]any{"nodeName": "x"},
		"status": map[string]any{"containerStatuses": []any{map[string]any{"name": "web"}}},
	}}
	kept, err := keepNeeded(o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := meta.Accessor(kept)
	if err != nil {
		t.Fatal(err)
	}
	key, err := cache.MetaNamespaceKeyFunc(kept)
	if err != nil || key != "n/p" || m.GetResourceVersion() != "7" || m.GetUID() != "u" || m.GetLabels() != nil {
		t.Errorf("kept %+v under %q, %v", kept, key, err)
	}
	if got := kept.(*storedPod).pod; got.annotated || got.containers != nil {
		t.Errorf("of a pod without the annotation %+v is kept", got)
	}
	if again, err := keepNeeded(kept); err != nil || again != kept {
		t.Errorf("the second time: %v, %v", again, err)
	}
	if _, err := keepNeeded("x"); err == nil {
		t.Error("a string is taken for a pod")
	}
}
