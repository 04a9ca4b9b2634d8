package transform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	v1image "github.com/google/go-containerregistry/pkg/v1"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
)

// TestWrongTypes puts a value of each wrong type into each field that an edit adds to. The API server would refuse what
// comes in, so nothing of it may be replaced: the pod stays as it is, and the result names the field.
func TestWrongTypes(t *testing.T) {
	const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: REPLICAS
  progressDeadlineSeconds: DEADLINE
  template:
    metadata: METADATA
    spec:
      initContainers: INIT
      volumes: VOLUMES
      securityContext: SECURITY
      containers:
      - name: web
        image: web
        env: ENV
        envFrom: ENVFROM
        ports: PORTS
        volumeMounts: MOUNTS
        resources: RESOURCES
        livenessProbe: PROBE
        lifecycle: LIFECYCLE
`
	right := map[string]string{
		"REPLICAS": "3", "DEADLINE": "60", "METADATA": "{annotations: {a: b}, labels: {app: web}}",
		"INIT":    "[{name: init, image: init}]",
		"VOLUMES": "[{name: data, emptyDir: {}}]", "SECURITY": "{runAsUser: 1000}", "ENV": "[{name: A, value: b}]",
		"ENVFROM": "[{secretRef: {name: s}}]",
		"PORTS":   "[{name: http, containerPort: 80}]", "MOUNTS": "[{name: data, mountPath: /data}]",
		"RESOURCES": "{limits: {memory: 1Gi}}", "PROBE": "{httpGet: {port: 80}, timeoutSeconds: 1}", "LIFECYCLE": "{}",
	}
	wrong := map[string][]string{
		"REPLICAS": {"many", "[1]", `"3"`, "{n: 3}"}, "DEADLINE": {"soon", "[60]", `"60"`},
		"METADATA": {"[a]", "web", "{annotations: [a]}", "{annotations: a}", "{annotations: {a: [b]}}", "{labels: [a]}"},
		"INIT":     {"{name: init}", "init", "[init]", "[[init]]"}, "VOLUMES": {"{data: {}}", "data", "[data]"},
		"SECURITY": {"[1000]", "root"},
		"ENV": {"{PROFILE: production}", "PROFILE=production", "[PROFILE=production]", "[{name: [A]}]",
			"[{name: A, value: {b: c}}]"},
		"ENVFROM": {"{secretRef: {name: s}}", "s", "[s]"}, "PORTS": {"{http: 80}", "80", "[80]", `[{containerPort: "80"}]`},
		"MOUNTS":    {"{data: /data}", "/data", "[/data]"},
		"RESOURCES": {"[limits]", "1Gi", "{limits: [1Gi]}", "{limits: {memory: [1Gi]}}"},
		"PROBE":     {"[x]", "x", "{httpGet: {port: 80}, timeoutSeconds: [1]}", `{httpGet: {port: 80}, timeoutSeconds: "1"}`},
		"LIFECYCLE": {"[x]", "x"},
	}
	fill := func(field, value string) string {
		out := deployment
		for f, v := range right {
			if f == field {
				v = value
			}
			out = strings.Replace(out, " "+f+"\n", " "+v+"\n", 1)
		}
		return out
	}
	config := func(string) image.Result {
		return configured(v1image.Config{Entrypoint: []string{"/app"}, Env: []string{"GOTRACEBACK=single"}})
	}
	in := fill("", "")
	if out, results, err := apply(in, functionconfig.Default(), config); err != nil || out == in {
		t.Fatalf("the right types: %v, %v", err, messages(results))
	}
	for field, values := range wrong {
		for _, value := range values {
			t.Run(fmt.Sprint(field, " ", value), func(t *testing.T) {
				in := fill(field, value)
				out, results, err := apply(in, functionconfig.Default(), config)
				if err != nil {
					t.Fatal(err)
				}
				if out != in {
					t.Errorf("edited: %s", out)
				}
				if len(results) != 1 || results[0].Tags["reason"] != "InvalidField" ||
					!strings.Contains(results[0].Message, "is not a") {
					t.Errorf("results %v", messages(results))
				}
			})
		}
	}
}

func messages(results fn.Results) (all []string) {
	for _, r := range results {
		all = append(all, r.Tags["reason"]+": "+r.Message)
	}
	return all
}
