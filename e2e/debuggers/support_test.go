package debuggers

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestInstaller runs the support images as init containers are run: as users that the image does not know, without
// rights, on a read-only root file system.
func TestInstaller(t *testing.T) {
	for _, runtime := range []string{"go", "nodejs", "python"} {
		t.Run(runtime, func(t *testing.T) {
			image := shared.registry + "/support/" + runtime
			volume := "dbg-" + runtime
			run := func(args ...string) (string, error) {
				out, err := shared.podman(t.Context(), append([]string{
					"run", "--rm", "--quiet", "--tls-verify=false", "--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges",
				}, append(args, image)...)...)
				return string(out), err
			}
			if _, err := run("--user=1234:4321"); err == nil || !strings.Contains(err.Error(), "/dbg does not exist: mount an emptyDir volume at /dbg") {
				t.Errorf("without a volume: %v", err)
			}
			if _, err := shared.podman(t.Context(), "volume", "create", volume); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { shared.podman(t.Context(), "volume", "rm", "--force", volume) })
			if _, err := run("--user=1234:4321", "-v", volume+":/dbg:ro"); err == nil || !strings.Contains(err.Error(), "is not writable for user 1234, group 4321") {
				t.Errorf("with a volume that is not writable: %v", err)
			}
			for _, says := range []string{"installed", "is up to date"} {
				out, err := run("--user=1234:4321", "-v", volume+":/dbg")
				if want := fmt.Sprintf("/dbg/%s %s\n", runtime, says); err != nil || out != want {
					t.Errorf("got %q, %v, want %q", out, err, want)
				}
			}
		})
	}
}

// TestDelveEnds stops a pod: the program gets the signal through Delve and ends as it would without.
func TestDelveEnds(t *testing.T) {
	manifest := fmt.Sprintf(podManifest, "go-ends", goImage(t), "args: [one]")
	p := shared.play(t, "go-ends", shared.rewrite(t, manifest))
	p.answers(t)
	start := time.Now()
	if _, err := shared.podman(t.Context(), "stop", "--time=30", p.container); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 25*time.Second {
		t.Errorf("it took %v: the signal did not arrive", took)
	}
	out, err := shared.podman(t.Context(), "inspect", "--format", "{{.State.ExitCode}}", p.container)
	if err != nil {
		t.Fatal(err)
	}
	if code := strings.TrimSpace(string(out)); code != "143" { // 128 and SIGTERM's 15: this program does not handle it
		t.Errorf("the exit code is %s, not 143", code)
	}
}
