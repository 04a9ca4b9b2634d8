package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"debuggable.dev/debuggable/e2e/cluster"
)

type object = map[string]any

// TestAdmission gives generated pods to a real API server, before and after, in namespaces that are strict about
// security, sizes and sums: what a namespace admits before, it has to admit afterwards.
func TestAdmission(t *testing.T) {
	const pods, seed = 400, 7
	program, client := debuggableAndClient(t)
	namespaces := makeNamespaces(t, client)

	var before []object
	g := podGenerator{rand.New(rand.NewPCG(seed, seed))}
	for i := range pods {
		text, err := json.Marshal(g.pod(fmt.Sprintf("pod-%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		var pod object // as the client has it: numbers are float64
		if err := json.Unmarshal(text, &pod); err != nil {
			t.Fatal(err)
		}
		before = append(before, pod)
	}
	for _, delivery := range []string{"init", "image"} {
		t.Run(delivery, func(t *testing.T) { checkAdmission(t, program, client, namespaces, before, delivery) })
	}
}

// debuggableAndClient builds the program, starts an API server and connects to it as an administrator.
func debuggableAndClient(t *testing.T) (program string, client dynamic.Interface) {
	t.Helper()
	program, err := cluster.Debuggable(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config, err := start(t).Config("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 1000, 1000
	client, err = dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return program, client
}

// checkAdmission makes pods debuggable, with support images as they are delivered, and has each namespace take what it
// took before.
func checkAdmission(
	t *testing.T, program string, client dynamic.Interface, namespaces []string, before []object, delivery string,
) {
	t.Helper()
	after := rewrite(t, program, before, delivery)
	if len(after) != len(before) {
		t.Fatalf("%d pods came out of %d", len(after), len(before))
	}
	if !reflect.DeepEqual(rewrite(t, program, after, delivery), after) {
		t.Error("a second run changes something")
	}
	admitted, debuggable := map[string]int{}, 0
	for i := range before {
		annotations, _, _ := unstructured.NestedStringMap(after[i], "metadata", "annotations")
		if annotations["debug.cloud.google.com/config"] == "" {
			continue // it is as it was
		}
		debuggable++
		for _, namespace := range namespaces {
			if dryRun(t.Context(), client, namespace, before[i]) != nil {
				continue
			}
			admitted[namespace]++
			if err := dryRun(t.Context(), client, namespace, after[i]); err != nil {
				text, _ := json.MarshalIndent(before[i]["spec"], "", "  ")
				t.Errorf("namespace %s does not admit %v any more: %v\n%s", namespace, before[i]["metadata"], err, text)
			}
		}
	}
	t.Logf("%d of %d pods were made debuggable; admitted before: %v", debuggable, len(before), admitted)
	if debuggable < len(before)/3 { // small limits that may not be raised leave some alone
		t.Errorf("%d of %d pods were made debuggable, want more", debuggable, len(before))
	}
	for _, namespace := range namespaces {
		if admitted[namespace] < 10 {
			t.Errorf("namespace %s admitted %d pods to begin with, which says little", namespace, admitted[namespace])
		}
	}
}

// makeNamespaces makes namespaces of all strictnesses and returns their names.
func makeNamespaces(t *testing.T, client dynamic.Interface) []string {
	t.Helper()
	limits := func(limit object) object {
		limit["type"] = "Container"
		return object{"apiVersion": "v1", "kind": "LimitRange", "metadata": object{"name": "limits"},
			"spec": object{"limits": []any{limit}}}
	}
	hard := object{"requests.cpu": "3", "requests.memory": "4Gi", "limits.cpu": "4", "limits.memory": "5Gi"}
	table := []struct {
		name, level string
		resource    string
		object      object
	}{
		{name: "plain"},
		{name: "baseline", level: "baseline"},
		{name: "restricted", level: "restricted"},
		{name: "least", resource: "limitranges", object: limits(object{"min": object{"cpu": "150m", "memory": "100Mi"}})},
		{name: "least-by-default", resource: "limitranges", object: limits(object{
			"min": object{"cpu": "150m", "memory": "100Mi"}, "defaultRequest": object{"cpu": "200m", "memory": "128Mi"},
			"default": object{"cpu": "1", "memory": "2Gi"}})},
		{name: "most", resource: "limitranges", object: limits(object{"max": object{"cpu": "1500m", "memory": "1Gi"}})},
		{name: "ratio", resource: "limitranges",
			object: limits(object{"maxLimitRequestRatio": object{"cpu": "2", "memory": "2"}})},
		{name: "quota", resource: "resourcequotas",
			object: object{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": object{"name": "quota"},
				"spec": object{"hard": hard}}},
	}
	var names []string
	for _, row := range table {
		names = append(names, row.name)
		create(t, client, "namespaces", "", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{
			"name": row.name, "labels": object{"pod-security.kubernetes.io/enforce": or(row.level, "privileged")}}})
		if row.object == nil {
			continue
		}
		made := create(t, client, row.resource, row.name, row.object)
		if row.resource == "resourcequotas" {
			// What a controller manager would fill in.
			used := object{}
			for name := range hard {
				used[name] = "0"
			}
			made.Object["status"] = object{"hard": hard, "used": used}
			if _, err := resource(client, row.resource, row.name).UpdateStatus(t.Context(), made,
				metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return names
}

func or(value, byDefault string) string {
	if value == "" {
		return byDefault
	}
	return value
}

func resource(client dynamic.Interface, name, namespace string) dynamic.ResourceInterface {
	r := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: name})
	if namespace == "" {
		return r
	}
	return r.Namespace(namespace)
}

func create(t *testing.T, client dynamic.Interface, name, namespace string, o object) *unstructured.Unstructured {
	t.Helper()
	made, err := resource(client, name, namespace).Create(t.Context(), &unstructured.Unstructured{Object: o},
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// dryRun says whether a namespace would admit a pod, with every field validated strictly.
func dryRun(ctx context.Context, client dynamic.Interface, namespace string, pod object) error {
	u := (&unstructured.Unstructured{Object: pod}).DeepCopy()
	_, err := resource(client, "pods", namespace).Create(ctx, u,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	return err
}

// rewrite gives pods to the program, and returns what comes out in their order.
func rewrite(t *testing.T, program string, pods []object, delivery string) []object {
	t.Helper()
	lock := filepath.Join(t.TempDir(), "images.yaml")
	if err := os.WriteFile(lock, []byte(images), 0o600); err != nil {
		t.Fatal(err)
	}
	items := make([]any, len(pods))
	for i, pod := range pods {
		items[i] = pod
	}
	// As a function, since a filter writes nothing where there is an error: a mount path that is taken is one.
	input, err := json.Marshal(object{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items})
	if err != nil {
		t.Fatal(err)
	}
	// The rules of these namespaces are not among the manifests, so that limits are to stay.
	cmd := exec.CommandContext(t.Context(), program, "--offline", "--quiet", "--memory=keep", "--support-delivery",
		delivery, "--image-configs", lock)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var list struct{ Items []object }
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return list.Items
}

const images = `apiVersion: debuggable.dev/v1alpha1
kind: ImageConfigs
metadata: {name: images}
images:
- {image: go, config: {Entrypoint: [/app], Env: [GOTRACEBACK=single], User: "1001"}}
- {image: java, config: {Entrypoint: [java, -jar, app.jar], Env: [JAVA_VERSION=21]}}
- {image: node, config: {Cmd: [node, app.js], Env: [NODE_VERSION=20], User: "1000:1000"}}
- {image: yarn, config: {Cmd: [yarn, start], Env: [NODE_VERSION=20]}}
- {image: python, config: {Cmd: [python, app.py], Env: [PYTHON_VERSION=3.12]}}
- {image: dotnet, config: {Entrypoint: [dotnet, app.dll], Env: [DOTNET_VERSION=8]}}
- {image: debugged, config: {Entrypoint: [dlv, exec, --headless, "--listen=:8080", /app]}}
- {image: other, config: {Entrypoint: [nginx]}}
`

// podGenerator makes pods that are mostly valid.
type podGenerator struct{ *rand.Rand }

func (g podGenerator) one(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g podGenerator, values ...T) T { return values[g.IntN(len(values))] }

func (g podGenerator) pod(name string) object {
	level := pick(g, "restricted", "restricted", "baseline", "privileged")
	host := level == "privileged" && g.one(2)
	sized := g.one(2)
	spec := object{"restartPolicy": pick(g, "Always", "Never"),
		"volumes": []any{object{"name": "data", "emptyDir": object{}}}}
	if g.one(12) {
		spec["volumes"] = append(spec["volumes"].([]any), pick(g,
			object{"name": "debugging-support-files", "emptyDir": object{}},
			object{"name": "debugging-support-files", "configMap": object{"name": "x"}}))
	}
	if g.one(10) {
		spec["volumes"] = append(spec["volumes"].([]any),
			object{"name": "disk", "persistentVolumeClaim": object{"claimName": "disk"}})
	}
	if host {
		spec["hostNetwork"] = true
	}
	podSecurity := g.security(level, true)
	if len(podSecurity) > 0 {
		spec["securityContext"] = podSecurity
	}
	if g.one(8) {
		spec["resources"] = object{"requests": object{"cpu": "1", "memory": "1Gi"},
			"limits": object{"cpu": "3", "memory": "3Gi"}}
	}
	if g.one(6) {
		spec["os"] = object{"name": "linux"}
	}
	var containers, inits []any
	for i := range 1 + g.IntN(3) {
		containers = append(containers, g.container(fmt.Sprintf("c%d", i), level, podSecurity, host, sized, spec))
	}
	for i := range g.IntN(3) {
		c := g.container(fmt.Sprintf("i%d", i), level, podSecurity, host, sized, spec)
		if g.one(2) {
			c["restartPolicy"] = "Always"
		} else {
			for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
				delete(c, probe)
			}
		}
		inits = append(inits, c)
	}
	spec["containers"] = containers
	if len(inits) > 0 {
		spec["initContainers"] = inits
	}
	pod := object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name}, "spec": spec}
	if len(inits) > 0 && g.one(3) {
		pod["metadata"].(object)["annotations"] = object{"debuggable.dev/containers": "c0,i0"}
	}
	return pod
}

// security is a security context for a level: a pod's, or what a container's has to add to its pod's.
func (g podGenerator) security(level string, ofPod bool) object {
	s := object{}
	switch level {
	case "restricted":
		if ofPod && g.one(3) {
			return s
		}
		if ofPod {
			s["runAsNonRoot"], s["seccompProfile"] = true, object{"type": "RuntimeDefault"}
		}
		if g.one(2) {
			s["runAsUser"] = 1000 + g.IntN(3)
		}
		if g.one(3) {
			s["runAsGroup"] = 2000
		}
		if ofPod && g.one(3) {
			s["fsGroup"] = 3000
		}
	case "baseline":
		if g.one(3) {
			s["runAsUser"] = g.IntN(2)
		}
	}
	return s
}

func (g podGenerator) container(name, level string, podSecurity object, host, sized bool, spec object) object {
	c := object{"name": name, "image": pick(g, "go", "java", "node", "yarn", "python", "dotnet", "debugged", "other")}
	security := g.security(level, false)
	if level == "restricted" {
		security["allowPrivilegeEscalation"], security["capabilities"] = false, object{"drop": []any{"ALL"}}
		if podSecurity["runAsNonRoot"] == nil {
			security["runAsNonRoot"], security["seccompProfile"] = true, object{"type": "RuntimeDefault"}
		}
	}
	if level == "privileged" && g.one(3) {
		security["privileged"] = true
	}
	if g.one(3) {
		security["readOnlyRootFilesystem"] = true
	}
	if len(security) > 0 {
		c["securityContext"] = security
	}
	if r := g.resources(sized); len(r) > 0 {
		c["resources"] = r
	}
	var ports []any
	for _, number := range []int{pick(g, 8080, 56268), pick(g, 5005, 9229)} {
		port := object{"containerPort": number}
		if g.one(2) {
			port["name"] = pick(g, "http", "dlv", "jdwp") + fmt.Sprint(number%10)
		} else if g.one(3) {
			port["protocol"] = "UDP"
		}
		if host && g.one(2) {
			port["hostPort"] = number
		}
		if g.one(2) {
			ports = append(ports, port)
		}
	}
	if g.one(4) {
		ports = append(ports, object{"containerPort": 7000, "name": pick(g, "dlv", "jdwp", "devtools", "dap")})
	}
	if len(ports) > 0 {
		c["ports"] = ports
	}
	mounts := []any{}
	if g.one(2) {
		mounts = append(mounts, object{"name": "data", "mountPath": pick(g, "/data", "/data", "/tmp", "/dbg", "/dbg/x")})
	}
	if len(spec["volumes"].([]any)) > 1 && g.one(2) {
		c["volumeDevices"] = []any{object{"name": "disk", "devicePath": pick(g, "/dev/disk", "/dbg")}}
	}
	if len(mounts) > 0 {
		c["volumeMounts"] = mounts
	}
	for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
		if g.one(3) {
			p := pick(g, object{"httpGet": object{"port": 8080}}, object{"tcpSocket": object{"port": 8080}},
				object{"grpc": object{"port": 8080}}, object{"exec": object{"command": []any{"true"}}})
			if g.one(2) {
				p["timeoutSeconds"] = pick(g, 1, 30, 700)
			}
			if probe != "readinessProbe" && g.one(3) {
				p["terminationGracePeriodSeconds"] = 5
			}
			c[probe] = p
		}
	}
	var env []any
	for _, name := range []string{"JAVA_TOOL_OPTIONS", "NODE_OPTIONS", "PATH", "OTHER"} {
		switch g.IntN(8) {
		case 0:
			env = append(env, object{"name": name, "value": "x $(OTHER)"})
		case 1:
			env = append(env, object{"name": name, "valueFrom": object{"secretKeyRef": object{"name": "s", "key": "k"}}})
		}
	}
	if len(env) > 0 {
		c["env"] = env
	}
	return c
}

// resources are a container's requests and limits.
func (g podGenerator) resources(sized bool) object {
	r := object{}
	if !sized && g.one(2) {
		return r
	}
	if g.one(4) {
		both := object{"cpu": pick(g, "50m", "200m", "1"), "memory": pick(g, "32Mi", "256Mi", "1Gi")}
		return object{"requests": both, "limits": both}
	}
	if sized || g.one(2) {
		r["requests"] = object{"cpu": pick(g, "20m", "150m", "500m"), "memory": pick(g, "32Mi", "128Mi", "0.5Gi")}
	}
	if sized || g.one(2) {
		r["limits"] = object{"cpu": pick(g, "500m", "1", "1.5"), "memory": pick(g, "512Mi", "1Gi", "2Gi")}
		if g.one(3) {
			r["limits"].(object)["ephemeral-storage"] = pick(g, "1Gi", "2Gi")
		}
	}
	return r
}
