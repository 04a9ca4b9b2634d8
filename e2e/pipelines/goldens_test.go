package pipelines

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// TestGoldens gives each pod template of the golden files to a real API server, as a Pod, before and after: a pod that
// the server takes before, with every field validated strictly, it has to take afterwards, and to warn of nothing that
// it did not warn of before.
func TestGoldens(t *testing.T) {
	plane := start(t)
	config, err := plane.Config("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 1000, 1000
	var warned warnings
	config.WarningHandlerWithContext = &warned
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("default")
	create := func(pod *unstructured.Unstructured) (warnings, error) {
		warned = nil
		_, err := pods.Create(t.Context(), pod,
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
		return warned, err
	}
	compared := 0
	for _, file := range goldens(t) {
		t.Run(strings.TrimSuffix(file, ".txtar"), func(t *testing.T) {
			archive := readArchive(t, filepath.Join("../../testdata", file))
			before, after := templates(t, archive["k8s.yaml"]), templates(t, archive["want.yaml"])
			for id, pod := range after {
				was, found := before[id]
				if !found {
					continue
				}
				old, err := create(was)
				if err != nil {
					t.Logf("%s: not a pod to begin with: %v", id, err)
					continue
				}
				compared++
				fresh, err := create(pod)
				if err != nil {
					t.Errorf("%s: the server does not take it any more: %v", id, err)
				}
				if len(fresh) > len(old) {
					t.Errorf("%s: the server warns: %q", id, fresh)
				}
			}
		})
	}
	if compared < 50 {
		t.Errorf("%d pods were compared, want many more", compared)
	}
	t.Logf("%d pods were compared", compared)
}

// warnings are what the server warned of in answer to one request.
type warnings []string

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	// A port is named after its protocol. Where two containers of a pod are debugged alike, that name occurs twice, which
	// matters to Services that select a debug port by its name: nobody's. And two debuggers that were there before may
	// clash on a port.
	if !strings.Contains(text, "duplicate port ") {
		*w = append(*w, text)
	}
}

// goldens are the golden files below testdata.
func goldens(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS("../../testdata"), ".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".txtar") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readArchive reads a txtar file: after lines like "-- name --" come the files.
func readArchive(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	name := ""
	for _, line := range strings.SplitAfter(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(line, " --\n") {
			name = strings.TrimSuffix(rest, " --\n")
			continue
		}
		files[name] += line
	}
	return files
}

// templates are the pod templates of a stream of manifests, as Pods, by kind and name.
func templates(t *testing.T, stream string) map[string]*unstructured.Unstructured {
	t.Helper()
	found := map[string]*unstructured.Unstructured{}
	var add func(object map[string]any)
	add = func(object map[string]any) {
		o := unstructured.Unstructured{Object: object}
		items, _, _ := unstructured.NestedSlice(object, "items")
		for _, item := range items {
			if m, ok := item.(map[string]any); ok {
				add(m)
			}
		}
		template := object
		if o.GetKind() != "Pod" {
			var ok bool
			if template, ok, _ = unstructured.NestedMap(object, "spec", "template"); !ok {
				if template, ok, _ = unstructured.NestedMap(object, "spec", "jobTemplate", "spec", "template"); !ok {
					return
				}
			}
		}
		pod := &unstructured.Unstructured{
			Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "pod"},
				"spec": template["spec"]}}
		annotations, _, _ := unstructured.NestedMap(template, "metadata", "annotations")
		if annotations != nil {
			pod.Object["metadata"].(map[string]any)["annotations"] = annotations
		}
		found[o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName()] = pod
	}
	decoder := yaml.NewYAMLToJSONDecoder(strings.NewReader(stream))
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Logf("not manifests: %v", err)
			return found
		}
		if object != nil {
			add(object)
		}
	}
}
