package debuggers

import (
	"fmt"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// dotnet is what PyPI has of .NET.
const (
	dotnetPackage = "dotnetcore2==3.1.23"
	dotnetVersion = "3.1.23"
)

// TestNetcore runs an application of .NET that only its image's files tell of, whose diagnostics are switched off: made
// debuggable, it runs as before, and its runtime opens what debuggers of .NET attach to. There is no such debugger in
// package registries.
func TestNetcore(t *testing.T) {
	image := netcoreImage(t)
	m := manifest{kind: "Pod", image: image}.String()
	for name, rewritten := range map[string]string{
		"as it was": m,
		// Any support image will do: nothing of it is started here.
		"debuggable": shared.rewrite(t, m, layoutOf(t, image), "--support-image",
			"netcore="+shared.registry.Host+"/support/nodejs"),
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			shared.apply(t, namespace, rewritten)
			p := shared.waitPod(t, namespace, "app", "ready", ready)
			if err := <-p.ask(t, "ada"); err != nil {
				t.Error(err)
			}
			pid, err := shared.node.PID(container(p.Pod, "app").ContainerID)
			if err != nil {
				t.Fatal(err)
			}
			pipes, err := filepath.Glob(fmt.Sprintf("/proc/%d/root/tmp/clr-debug-pipe-*", pid))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"as it was": 0, "debuggable": 2}[name]
			if len(pipes) != want {
				t.Errorf("the runtime opened %v, want %d pipes", pipes, want)
			}
		})
	}
}

// netcoreImage has .NET's runtime, and an application with a host of its own.
func netcoreImage(t *testing.T) string {
	const root = "/usr/share/dotnet"
	dir := t.TempDir()
	output(t, dir, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target",
		dir, dotnetPackage)
	runtime := filepath.Join(dir, "dotnetcore2", "bin")
	framework := filepath.Join(runtime, "shared/Microsoft.NETCore.App", dotnetVersion)

	compile := []string{"-debug", "-nostdlib", "-noconfig", "-nowarn:1702", "-target:exe", "-out:hello.exe"}
	for _, name := range []string{"System.Private.CoreLib", "System.Runtime", "System.Runtime.Extensions",
		"System.Net.Sockets", "System.Net.Primitives", "netstandard"} {
		compile = append(compile, "-r:"+filepath.Join(framework, name+".dll"))
	}
	output(t, dir, "mcs", append(compile, filepath.Join(shared.repo, "examples/hello/dotnet/Hello.cs"))...)
	host, err := filepath.Abs("testdata/apphost.c")
	if err != nil {
		t.Fatal(err)
	}
	output(t, dir, "gcc", "-o", "hello", fmt.Sprintf("-DROOT=%q", root),
		fmt.Sprintf("-DFXR=%q", root+"/host/fxr/"+dotnetVersion+"/libhostfxr.so"), host, "-ldl")

	r := newRootfs(t)
	r.folder(runtime, root)
	r.libraries(filepath.Join(framework, "libcoreclr.so"))
	r.program(filepath.Join(dir, "hello"), "/app/hello")
	r.file(filepath.Join(dir, "hello.exe"), "/app/hello.dll")
	r.text("/app/hello.runtimeconfig.json", `{"runtimeOptions": {
  "tfm": "netcoreapp3.1",
  "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
  "configProperties": {"System.Globalization.Invariant": true}
}}`, 0o644)
	return r.push("netcore", v1.Config{
		Entrypoint: []string{"/app/hello"}, WorkingDir: "/app",
		Env: []string{"PATH=/usr/bin:/bin", "COMPlus_EnableDiagnostics=0"},
	})
}
