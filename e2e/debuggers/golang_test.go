package debuggers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/rpc2"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func goImage(t *testing.T) string { return shared.image(t, "go", makeGoImage) }

func makeGoImage(t *testing.T) string {
	dir := t.TempDir()
	for name, content := range map[string]string{"main.go": source(t, "app.go.txt"), "go.mod": "module app\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-gcflags=all=-N -l", "-o", "app", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := newRootfs(t)
	r.file(filepath.Join(dir, "app"), "/ko-app/app")
	return r.push("go", v1.Config{
		Entrypoint: []string{"/ko-app/app"},
		Env:        []string{"PATH=/usr/local/bin:/ko-app", "GOTRACEBACK=all"},
	})
}

func goCases() []attachment {
	dap := func(t *testing.T, addr string) (func(string), by) {
		c := dialDAP(t, addr)
		c.attach("dlv-dap", map[string]any{"mode": "remote"}, "app/main.go", breakpoint(t, "app.go.txt"))
		return func(want string) { c.stopped("greeting", want) }, by{goName(t), "DAP", "Delve " + rpcVersion(t, addr)}
	}
	return []attachment{
		{name: "rpc", deployed: true, command: "args: [one, --two]", starts: "ENTRYPOINT of the image", attach: attachDelve},
		{name: "dap", command: "command: [/ko-app/app, one]", starts: "`command`", attach: dap},
		{name: "path", command: "command: [app, one]", starts: "`command`, found on PATH", attach: attachDelve},
		{name: "cwd", command: "args: [one]\nworkingDir: /tmp", starts: "ENTRYPOINT of the image, with a working directory",
			attach: dap},
	}
}

// attachDelve uses the API of Delve's own clients.
func attachDelve(t *testing.T, addr string) (func(string), by) {
	client := rpc2.NewClientFromConn(dial(t, addr))
	t.Cleanup(func() { client.Disconnect(false) })
	if _, err := client.Halt(); err != nil {
		t.Fatal(err)
	}
	version := &api.GetVersionOut{}
	if err := client.CallAPI("GetVersion", api.GetVersionIn{}, version); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateBreakpoint(
		&api.Breakpoint{File: "app/main.go", Line: breakpoint(t, "app.go.txt")}); err != nil {
		t.Fatal(err)
	}
	states := client.Continue()
	return func(want string) {
		state := <-states
		if state.Err != nil || state.CurrentThread == nil || state.CurrentThread.Breakpoint == nil {
			t.Fatalf("stopped, but not at the breakpoint: %+v", state)
		}
		v, err := client.EvalVariable(api.EvalScope{GoroutineID: -1}, "greeting", api.LoadConfig{MaxStringLen: 64})
		if err != nil {
			t.Fatal(err)
		}
		if v.Value != want {
			t.Fatalf("local variable greeting is %q, not %q", v.Value, want)
		}
		states = client.Continue()
	}, by{goName(t), "Delve's RPC", "Delve " + delveVersion(version.DelveVersion)}
}

// rpcVersion asks a Delve for its version, beside whoever else is connected to it.
func rpcVersion(t *testing.T, addr string) string {
	t.Helper()
	client := rpc2.NewClientFromConn(dial(t, addr))
	defer client.Disconnect(false)
	version := &api.GetVersionOut{}
	if err := client.CallAPI("GetVersion", api.GetVersionIn{}, version); err != nil {
		t.Fatal(err)
	}
	return delveVersion(version.DelveVersion)
}

// goName is the Go that the application is built with. Delve itself tells it only while the program is stopped.
func goName(t *testing.T) string {
	return "Go " + minor(output(t, "", "go", "env", "GOVERSION"))
}

// delveVersion picks the number out of "Version: 1.27.2\nBuild: …".
func delveVersion(s string) string {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "Version: "), "\n")
	return s
}

// minor shortens a version to its first two numbers: the patch level of what is installed where the test runs says
// nothing about debugging.
func minor(version string) string {
	parts := strings.Split(strings.TrimPrefix(version, "go"), ".")
	return strings.Join(parts[:min(2, len(parts))], ".")
}
