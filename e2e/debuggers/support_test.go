package debuggers

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// installPod runs a support image: as a user that the image does not know, without rights,
// on a read-only root file system.
const installPod = `apiVersion: v1
kind: Pod
metadata:
  name: %[1]s
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    runAsUser: 1234
    runAsGroup: 4321
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: app
    image: %[2]s
    securityContext: &rights
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts: %[3]s
  volumes:
  - name: dbg
    emptyDir: {}
`

// TestInstaller runs the support images as init containers are run, and as they should not be.
func TestInstaller(t *testing.T) {
	for _, runtime := range []string{"go", "nodejs", "python"} {
		t.Run(runtime, func(t *testing.T) {
			namespace := newNamespace(t)
			image := shared.registry.Host + "/support/" + runtime
			run := func(name, mounts string, init ...string) *corev1.Pod {
				t.Helper()
				manifest := fmt.Sprintf(installPod, name, image, mounts)
				for i, name := range init {
					if i == 0 {
						manifest += "  initContainers:\n"
					}
					manifest += fmt.Sprintf("  - {name: %s, image: %s, securityContext: *rights, volumeMounts: %s}\n", name,
						image, mounts)
				}
				shared.apply(t, namespace, manifest)
				return shared.waitPod(t, namespace, name, "ended", func(p *corev1.Pod) error {
					if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
						return fmt.Errorf("phase %s: %+v", p.Status.Phase, p.Status)
					}
					return nil
				}).Pod
			}
			fails := func(p *corev1.Pod, want string) {
				t.Helper()
				if end := container(p, "app").State.Terminated; end == nil || end.ExitCode == 0 {
					t.Errorf("%s: it ended with %+v", p.Name, end)
				}
				if got := logs(t.Context(), namespace, p.Name, "app"); !strings.Contains(got, want) {
					t.Errorf("%s: it says %q, not %q", p.Name, got, want)
				}
			}
			fails(run("no-volume", "[]"), "/dbg does not exist: mount an emptyDir volume at /dbg")
			fails(run("not-writable", "[{name: dbg, mountPath: /dbg, readOnly: true}]"),
				"is not writable for user 1234, group 4321")
			p := run("installs", "[{name: dbg, mountPath: /dbg}]", "first")
			for name, says := range map[string]string{"first": "installed", "app": "is up to date"} {
				want := fmt.Sprintf("/dbg/%s %s\n", runtime, says)
				if got := logs(t.Context(), namespace, p.Name, name); p.Status.Phase != corev1.PodSucceeded || got != want {
					t.Errorf("container %s says %q, not %q; phase %s", name, got, want, p.Status.Phase)
				}
			}
		})
	}
}
