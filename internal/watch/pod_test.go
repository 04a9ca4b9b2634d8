package watch

import (
	"encoding/json"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
)

func TestReadPod(t *testing.T) {
	const head = `"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n","uid":"u","resourceVersion":"7","labels":{"a":"b"},"annotations":{"debug.cloud.google.com/config":"{}","x":"y"}}`
	for name, test := range map[string]struct {
		status string
		want   []containerStatus
	}{
		"running": {
			`{"phase":"Running","containerStatuses":[{"name":"web","containerID":"containerd://1","restartCount":2,"state":{"running":{"startedAt":null}}}]}`,
			[]containerStatus{{"web", "containerd://1", 2, true}},
		},
		"init containers first": {
			`{"containerStatuses":[{"name":"web","state":{"waiting":{"reason":"PodInitializing"}}}],"initContainerStatuses":[{"name":"sidecar","containerID":"s","state":{"running":{}}}]}`,
			[]containerStatus{{"sidecar", "s", 0, true}, {"web", "", 0, false}},
		},
		"terminated": {
			`{"containerStatuses":[{"name":"web","containerID":"1","state":{"terminated":{"exitCode":1}},"lastState":{"running":{}}}]}`,
			[]containerStatus{{"web", "1", 0, false}},
		},
		"evicted, with the statuses of before": {
			`{"phase":"Failed","containerStatuses":[{"name":"web","containerID":"1","state":{"running":{}}}]}`,
			[]containerStatus{{"web", "1", 0, false}},
		},
		"nothing yet":  {`{}`, nil},
		"other shapes": {`{"containerStatuses":["x",{"name":3},{"name":"web","containerID":7,"restartCount":"x","state":[]}]}`, []containerStatus{{name: "web"}}},
		"no object":    {`"x"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var o unstructured.Unstructured
			if err := json.Unmarshal([]byte(`{`+head+`,"status":`+test.status+`}`), &o); err != nil {
				t.Fatal(err)
			}
			got := readPod(&o)
			want := pod{"n", "p", "u", true, "{}", test.want}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestKeepNeeded(t *testing.T) {
	o := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7", "labels": map[string]any{"a": "b"}},
		"spec":     map[string]any{"nodeName": "x"},
		"status":   map[string]any{"containerStatuses": []any{map[string]any{"name": "web"}}},
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
