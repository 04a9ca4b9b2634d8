package debuggers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// patience is how long tests wait for something that should come: the machine may be busy.
const patience = 2 * time.Minute

// errNotYet is for what says no more.
var errNotYet = errors.New("not yet")

// eventually waits until f has nothing to complain about.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s: %v", patience, what, err)
		}
	}
}

// newNamespace makes a namespace that admits no pods but those under the restricted rules of the Pod Security
// Standards. It is emptied when the test ends.
func newNamespace(t *testing.T) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(strings.TrimPrefix(t.Name(), "Test")))
	made, err := shared.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: name + "-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	name = made.Name
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() {
			describe(ctx, t, name)
		}
		if err := shared.client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		one := int64(1)
		if err := shared.client.CoreV1().Pods(name).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &one},
			metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	})
	// Both are made by controllers, and pods cannot do without.
	eventually(t, "the service account", func() error {
		_, err := shared.client.CoreV1().ServiceAccounts(name).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	eventually(t, "the cluster's certificate", func() error {
		_, err := shared.client.CoreV1().ConfigMaps(name).Get(t.Context(), "kube-root-ca.crt", metav1.GetOptions{})
		return err
	})
	return name
}

// describe logs what is in a namespace.
func describe(ctx context.Context, t *testing.T, namespace string) {
	events, err := shared.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, e := range events.Items {
		t.Logf("%s %s/%s: %s: %s", e.LastTimestamp.Format("15:04:05"), e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason,
			e.Message)
	}
	pods, err := shared.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, p := range pods.Items {
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			state, _ := json.Marshal(s.State)
			t.Logf("%s, container %s, %d restarts: %s\n%s", p.Name, s.Name, s.RestartCount, state,
				logs(ctx, namespace, p.Name, s.Name))
		}
	}
}

func logs(ctx context.Context, namespace, pod, container string) string {
	data, err := shared.client.CoreV1().Pods(namespace).GetLogs(pod,
		&corev1.PodLogOptions{Container: container}).DoRaw(ctx)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// rewrite runs debuggable on a manifest and returns what comes out.
func (e *env) rewrite(t *testing.T, manifest string, args ...string) string {
	t.Helper()
	args = append([]string{"--support-registry", e.registry.Host + "/support", "--insecure-registry", e.registry.Host},
		args...)
	cmd := exec.Command(e.debuggable, args...)
	cmd.Stdin = strings.NewReader(manifest)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("debuggable: %v\n%s", err, stderr.Bytes())
	}
	if !strings.Contains(string(out), "debug.cloud.google.com/config") {
		t.Fatalf("nothing was made debuggable:\n%s", stderr.Bytes())
	}
	return string(out)
}

var resources = map[string]schema.GroupVersionResource{
	"Pod":         {Version: "v1", Resource: "pods"},
	"Deployment":  {Group: "apps", Version: "v1", Resource: "deployments"},
	"StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"Job":         {Group: "batch", Version: "v1", Resource: "jobs"},
}

// apply applies a manifest of one document, as kubectl apply --server-side --validate=strict does.
func (e *env) apply(t *testing.T, namespace, manifest string) {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	var o unstructured.Unstructured
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	force := true
	_, err = e.dynamic.Resource(resources[o.GetKind()]).Namespace(namespace).Patch(t.Context(), o.GetName(),
		types.ApplyPatchType, data,
		metav1.PatchOptions{FieldManager: "tests", Force: &force, FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatalf("applying: %v\n%s", err, manifest)
	}
}

// pod is a pod of one application, in a container called app.
type pod struct {
	*corev1.Pod
	serves int // the port that the application serves on
}

// waitPod waits for a pod that fits, and returns it as it then is.
func (e *env) waitPod(t *testing.T, namespace, name, what string, fits func(*corev1.Pod) error) pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, fmt.Sprintf("pod %s: %s", name, what), func() (err error) {
		if found, err = e.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{}); err != nil {
			return err
		}
		return fits(found)
	})
	return pod{found, 8080}
}

// container returns the status of a container of any kind.
func container(p *corev1.Pod, name string) corev1.ContainerStatus {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.Name == name {
			return s
		}
	}
	return corev1.ContainerStatus{}
}

// running fits pods whose container app runs.
func running(p *corev1.Pod) error {
	if s := container(p, "app"); s.State.Running == nil || p.Status.PodIP == "" {
		return fmt.Errorf("phase %s, container app: %+v", p.Status.Phase, s.State)
	}
	return nil
}

// ready fits pods that are ready.
func ready(p *corev1.Pod) error {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("not ready: %+v", p.Status)
}

// debugPort returns the runtime and the only debug port that the pod's annotation has for its container app.
func (p pod) debugPort(t *testing.T) (runtime string, port int) {
	t.Helper()
	var config map[string]struct {
		Runtime string
		Ports   map[string]int
	}
	if err := json.Unmarshal([]byte(p.Annotations["debug.cloud.google.com/config"]), &config); err != nil {
		t.Fatal(err)
	}
	if len(config) != 1 || len(config["app"].Ports) != 1 {
		t.Fatalf("the annotation says %v", config)
	}
	for _, port = range config["app"].Ports {
	}
	return config["app"].Runtime, port
}

// listens waits until a port is listened on: a debugger may start after its container, and may end with its first
// connection.
func (p pod) listens(t *testing.T, port int) {
	t.Helper()
	var running string
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.State.Running != nil {
			running = s.ContainerID // any one: they share the network
		}
	}
	eventually(t, fmt.Sprintf("something that listens on port %d", port), func() error {
		ok, err := shared.node.Listens(running, port)
		if err == nil && !ok {
			err = errNotYet
		}
		return err
	})
}

// get asks the application.
func (p pod) get(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		fmt.Sprintf("http://%s:%d%s", p.Status.PodIP, p.serves, path), nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}
