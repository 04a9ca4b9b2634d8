// Package pipelines gives what debuggable writes to a real API server.
package pipelines

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"debuggable.dev/debuggable/e2e/cluster"
)

const testdata = "../../testdata/realworld"

// TestApply is `debuggable < rendered.yaml | kubectl apply -f -` with a server that validates every field strictly and
// warns of what the Pod Security level does not allow. The manifests satisfy "restricted", so what comes out has to as
// well.
func TestApply(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is not installed")
	}
	program, err := cluster.Debuggable(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	plane := start(t)
	kubeconfig, err := plane.Kubeconfig("shop", "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	run := func(stdin string, argv ...string) (string, string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s%s", strings.Join(argv, " "), err, out.String(), errs.String())
		}
		return out.String(), errs.String()
	}
	run("", "kubectl", "create", "namespace", "shop")
	run("", "kubectl", "label", "namespace", "shop", "pod-security.kubernetes.io/warn=restricted")

	data, err := os.ReadFile(filepath.Join(testdata, "online-boutique.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// All that Online Boutique lacks for the level.
	manifests := strings.ReplaceAll(string(data), "        runAsNonRoot: true\n",
		"        runAsNonRoot: true\n        seccompProfile: {type: RuntimeDefault}\n")
	apply := []string{"kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-"}
	before, warnings := run(manifests, apply...)
	if warnings != "" {
		t.Fatalf("the manifests do not satisfy the level to begin with:\n%s", warnings)
	}
	rewritten, _ := run(manifests, program, "--offline", "--image-configs",
		filepath.Join(testdata, "online-boutique-images.yaml"))
	// Python 3.14 has no debugger in the published support image
	if n := strings.Count(rewritten, "debug.cloud.google.com/config"); n != 8 {
		t.Errorf("%d workloads are debuggable, want 8", n)
	}
	after, warnings := run(rewritten, apply...)
	if warnings != "" {
		t.Errorf("the server warns of what was rewritten:\n%s", warnings)
	}
	if after != before {
		t.Errorf("the server takes\n%s\nwhere it took\n%s", after, before)
	}

	// For real, and then as an update: what runs undebugged today is debuggable after the next apply, and back.
	run(manifests, "kubectl", "apply", "--validate=strict", "-f", "-")
	run(rewritten, "kubectl", "apply", "--validate=strict", "-f", "-")
	ports, _ := run("", "kubectl", "get", "deployment", "frontend", "-o",
		"jsonpath={.spec.template.spec.containers[0].ports[*].name}")
	if ports != "dlv" {
		t.Errorf("frontend's named ports are %q after the update, want dlv", ports)
	}
	run(manifests, "kubectl", "apply", "--validate=strict", "-f", "-")
	command, _ := run("", "kubectl", "get", "deployment", "frontend", "-o",
		"jsonpath={.spec.template.spec.containers[0].command}{.spec.template.spec.initContainers}"+
			"{.spec.template.spec.volumes}")
	if command != "" {
		t.Errorf("frontend keeps %s after the way back", command)
	}
}

// start starts a control plane. There is no controller manager that would make service accounts.
func start(t *testing.T) *cluster.ControlPlane {
	t.Helper()
	plane, err := cluster.Start(context.WithoutCancel(t.Context()),
		cluster.Options{Dir: t.TempDir(), APIServerArgs: []string{"--disable-admission-plugins=ServiceAccount"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Stop)
	return plane
}
