package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

const (
	supportDigest = "sha256:3cbe0e08bc1962e7686e1befb7d2c3107dca766fe1cb722c5e9e005a2ae5739e"
	policyImages  = `apiVersion: debuggable.dev/v1alpha1
kind: ImageConfigs
metadata: {name: images}
images:
- {image: "registry.example.com/web:v1@` + supportDigest + `", config: {Entrypoint: [/app], Env: [GOTRACEBACK=single]}}
`
	policyPin = `- {image: registry.example.com/debug/go, pin: "` + supportDigest + `", config: {Entrypoint: [/install]}}
`
	// What of a pod has an image, in CEL: containers of both kinds, and volumes.
	policyContainers = `(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []))`
	policyVolumes    = `(has(object.spec.volumes) ? object.spec.volumes : []).filter(v, has(v.image))`
)

// TestPolicies: a pod that a cluster's policies admit is admitted after it is made debuggable, where the settings of
// support images are what the policies ask for; and refused where they are not, so that the policies are known to look
// at what was added.
func TestPolicies(t *testing.T) {
	program, client := debuggableAndClient(t)
	registry := []string{"--support-registry", "registry.example.com/debug"}
	with := func(flags ...string) []string { return append(slices.Clone(registry), flags...) }
	byDigest := []string{"--support-image", "go=registry.example.com/tools/dlv@" + supportDigest}
	const tagged = `i.contains('@') || i.matches(':[^/]+$') && !i.endsWith(':latest')`
	for _, policy := range []struct {
		name, image, pull string // CEL over one image i, and over one pull policy p
		refused, admitted [][]string
		pinned            bool
	}{
		{
			name: "no-latest", image: tagged, pull: "true",
			refused:  [][]string{nil, registry, with("--support-tag", "latest"), with("--support-pull-policy", "IfNotPresent")},
			admitted: [][]string{with("--support-tag", "v1.2"), byDigest},
		},
		{
			name: "digests", image: `i.contains('@sha256:')`, pull: "true", pinned: true,
			refused:  [][]string{nil, registry, with("--support-tag", "v1.2")},
			admitted: [][]string{byDigest, append(with("--support-tag", "v1.2"), byDigest...)},
		},
		{
			name: "if-not-present", image: "true", pull: `p == 'IfNotPresent'`,
			refused: [][]string{nil, registry, with("--support-pull-policy", "Always"),
				append(slices.Clone(byDigest), "--support-pull-policy", "Never")},
			admitted: [][]string{with("--support-pull-policy", "IfNotPresent"), with("--support-tag", "v1.2"), byDigest},
		},
	} {
		t.Run(policy.name, func(t *testing.T) {
			makePolicy(t, client, policy.name, policy.image, policy.pull)
			admits := func(images string, flags []string) error {
				return dryRun(t.Context(), client, policy.name, rewritePod(t, program, images, flags))
			}
			for _, delivery := range []string{"init", "image"} {
				for _, flags := range policy.refused {
					flags = append(slices.Clone(flags), "--support-delivery", delivery)
					if err := admits(policyImages, flags); err == nil || !strings.Contains(err.Error(), policy.name) {
						t.Errorf("the policy does not refuse what %v makes: %v", flags, err)
					}
				}
				for _, flags := range policy.admitted {
					flags = append(slices.Clone(flags), "--support-delivery", delivery)
					if err := admits(policyImages, flags); err != nil {
						t.Errorf("the policy does not admit what %v makes: %v", flags, err)
					}
				}
				if policy.pinned {
					flags := append(slices.Clone(registry), "--support-delivery", delivery)
					if err := admits(policyImages+policyPin, flags); err != nil {
						t.Errorf("the policy does not admit what a lock file pins, with %v: %v", flags, err)
					}
				}
			}
		})
	}
}

// makePolicy makes a namespace with a policy for its pods, and returns when that is in force.
func makePolicy(t *testing.T, client dynamic.Interface, name, image, pull string) {
	t.Helper()
	create(t, client, "namespaces", "", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}})
	validation := func(of, field, variable, expression string) object {
		return object{"expression": of + ".map(x, x." + field + ").all(" + variable + ", " + expression + ")",
			"message": name}
	}
	in := object{"matchLabels": object{"kubernetes.io/metadata.name": name}}
	for kind, spec := range map[string]object{
		"ValidatingAdmissionPolicy": {
			"failurePolicy": "Fail",
			"matchConstraints": object{"resourceRules": []any{object{
				"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"pods"}}}},
			"validations": []any{
				validation(policyContainers, "image", "i", image), validation(policyVolumes, "image.reference", "i", image),
				validation(policyContainers, "imagePullPolicy", "p", pull),
				validation(policyVolumes, "image.pullPolicy", "p", pull),
			},
		},
		"ValidatingAdmissionPolicyBinding": {"policyName": name, "validationActions": []any{"Deny"},
			"matchResources": object{"namespaceSelector": in}},
	} {
		plural := map[string]string{"ValidatingAdmissionPolicy": "validatingadmissionpolicies",
			"ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings"}
		made := object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": object{"name": name},
			"spec": spec}
		resource := client.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1",
			Resource: plural[kind]})
		if _, err := resource.Create(t.Context(), &unstructured.Unstructured{Object: made},
			metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// The server takes notice of a policy after a while; this pod satisfies none.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := dryRun(ctx, client, name, object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "bad"},
			"spec": object{"containers": []any{object{"name": "app", "image": "web"}}}})
		if err != nil && strings.Contains(err.Error(), name) && strings.Contains(err.Error(), "denied request") {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the policy is not in force after a minute: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := dryRun(t.Context(), client, name, policyPod()); err != nil {
		t.Fatalf("the policy does not admit the pod to begin with: %v", err)
	}
}

// policyPod is a pod that all policies admit.
func policyPod() object {
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "web"},
		"spec": object{"containers": []any{object{
			"name": "web", "image": "registry.example.com/web:v1@" + supportDigest, "imagePullPolicy": "IfNotPresent"}}}}
}

// rewritePod makes policyPod debuggable.
func rewritePod(t *testing.T, program, images string, flags []string) object {
	t.Helper()
	lock := filepath.Join(t.TempDir(), "images.yaml")
	if err := os.WriteFile(lock, []byte(images), 0o600); err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(policyPod())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--offline", "--image-configs", lock}, flags...)...)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", flags, err, stderr.String())
	}
	var pod object
	if err := json.Unmarshal(out, &pod); err != nil {
		t.Fatal(err)
	}
	annotations, _, _ := unstructured.NestedStringMap(pod, "metadata", "annotations")
	if annotations["debug.cloud.google.com/config"] == "" {
		t.Fatalf("%v: the pod was not made debuggable:\n%s", flags, stderr.String())
	}
	return pod
}
