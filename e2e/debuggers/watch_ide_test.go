package debuggers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWatchIDE: debuggable watch --ide writes the entries of what runs, with the ports that it forwards to, which are
// those that debuggable ide has for the same manifests, and takes out those of what has ended.
func TestWatchIDE(t *testing.T) {
	c := editorCases()[slices.IndexFunc(editorCases(), func(c editorCase) bool { return c.name == "go-subfolder" })]
	tree, file, line := c.workTree(t)
	image := c.image(t, tree)
	at := layoutOf(t, image)
	namespace := newNamespace(t)
	var manifests []string
	for _, name := range []string{"web", "api"} {
		m := manifest{kind: "Pod", image: image}.String()
		m = strings.Replace(m, "metadata:\n  name: app\n", "metadata:\n  name: "+name+"\n  namespace: "+namespace+"\n", 1)
		manifests = append(manifests, shared.rewrite(t, m))
	}
	web, api := manifests[0], manifests[1]
	shared.apply(t, namespace, web)
	shared.waitPod(t, namespace, "web", "ready", ready)
	shared.apply(t, namespace, api)
	shared.waitPod(t, namespace, "api", "ready", ready)

	watch := exec.Command(shared.debuggable, "watch", "-n", namespace, "--port-forward", "--ide", "vscode", "--workspace",
		tree, at)
	watch.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KUBE") }),
		"KUBECONFIG="+shared.kubeconfig)
	watch.Stderr = os.Stderr
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if watch.ProcessState == nil {
			_ = watch.Process.Kill()
			_ = watch.Wait() // killed
		}
	})
	launch := filepath.Join(tree, ".vscode", "launch.json")
	both := ports(t, entriesFor(t, web+"---\n"+api, tree, at))
	if len(both) != 2 || both["debuggable: web:app"] == both["debuggable: api:app"] {
		t.Fatalf("debuggable ide has %v", both)
	}
	waitForPorts(t, launch, tree, both)

	p := shared.waitPod(t, namespace, "web", "ready", ready)
	entries, _ := readLaunch(launch, tree)
	for _, e := range entries {
		if e["name"] == "debuggable: web:app" {
			p.stopsTwice(t, attachDAP(t, fmt.Sprintf("%s:%v", e["host"], e["port"]), e, file, line))
		}
	}

	// What ends is taken out; what stays keeps its port, and what comes back gets that which it had.
	one := int64(1)
	err := shared.client.CoreV1().Pods(namespace).Delete(t.Context(), "api",
		metav1.DeleteOptions{GracePeriodSeconds: &one})
	if err != nil {
		t.Fatal(err)
	}
	waitForPorts(t, launch, tree, map[string]any{"debuggable: web:app": both["debuggable: web:app"]})
	eventually(t, "the end of the pod", func() error {
		if _, err := shared.client.CoreV1().Pods(namespace).Get(t.Context(), "api", metav1.GetOptions{}); err == nil {
			return errNotYet
		}
		return nil
	})
	shared.apply(t, namespace, api)
	waitForPorts(t, launch, tree, both)

	if err := errors.Join(watch.Process.Signal(os.Interrupt), watch.Wait()); err != nil {
		t.Errorf("debuggable watch, interrupted: %v", err)
	}
}

// waitForPorts waits until launch.json has just the entries with these ports.
func waitForPorts(t *testing.T, launch, tree string, want map[string]any) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v in launch.json", want), func() error {
		entries, err := readLaunch(launch, tree)
		if err != nil {
			return err
		}
		if got := ports(t, entries); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
}

// ports are those of entries, by their names.
func ports(t *testing.T, entries []map[string]any) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, e := range entries {
		all[fmt.Sprint(e["name"])] = e["port"]
	}
	return all
}

// readLaunch reads the entries of launch.json, as VS Code gives them to debug adapters; none if there is no file.
func readLaunch(launch, tree string) ([]map[string]any, error) {
	data, err := os.ReadFile(launch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return parseLaunch(data, tree)
}

func parseLaunch(data []byte, tree string) ([]map[string]any, error) {
	var file struct{ Configurations []map[string]any }
	err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), "${workspaceFolder}", tree)), &file)
	return file.Configurations, err
}
