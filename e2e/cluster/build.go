// Package cluster runs a real Kubernetes cluster for tests. Its programs need not be installed: they are built from the
// Go module proxy, once a version, and kept in the user's cache directory.
//
// Start runs etcd and kube-apiserver on loopback, which is all that tests of API clients need. Tests whose pods have to
// run call their TestMain's part within Isolate, then StartControllers and AddNode: that takes root on Linux, runc and
// network plugins.
//
//	os.Exit(cluster.Isolate(func() int {
//		registry, err := cluster.NewRegistry(cluster.Dir())
//		plane, err := cluster.Start(ctx, cluster.Options{Dir: cluster.Dir()})
//		err = plane.StartControllers(ctx)
//		node, err := plane.AddNode(ctx, "node", registry)
//		…
//		return m.Run()
//	}))
package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Tool builds a program that the e2e module lists as a tool, a Kubernetes program such as kube-apiserver, etcd,
// containerd, its shim or dlv, and returns the path of the binary. The first build of kube-apiserver takes minutes; its
// version is that of k8s.io/kubernetes in e2e/go.mod.
func Tool(ctx context.Context, name string) (string, error) {
	root, err := moduleDir(ctx)
	if err != nil {
		return "", err
	}
	if name == "dlv" {
		return build(ctx, root, name, "github.com/go-delve/delve", "github.com/go-delve/delve/cmd/dlv")
	}
	// Modules of their own, for these and Kubernetes do not agree on the versions of what they share.
	switch name {
	case "etcd":
		return build(ctx, filepath.Join(root, "etcd"), name, "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3")
	case "containerd", "containerd-shim-runc-v2":
		const module = "github.com/containerd/containerd/v2"
		return build(ctx, filepath.Join(root, "containerd"), name, module, module+"/cmd/"+name)
	}
	return build(ctx, root, name, "k8s.io/kubernetes", "k8s.io/kubernetes/cmd/"+name)
}

// Debuggable builds the program under test from the repository that holds the e2e module, and returns its path.
func Debuggable(ctx context.Context, dir string) (string, error) {
	root, err := moduleDir(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "debuggable")
	return path, goRun(ctx, filepath.Dir(root), "build", "-o", path, ".")
}

// moduleDir returns the folder of the e2e module, which the test runs in.
func moduleDir(ctx context.Context) (string, error) {
	out, err := goOutput(ctx, ".", "env", "GOMOD")
	if err != nil {
		return "", err
	}
	if filepath.Base(out) != "go.mod" {
		return "", fmt.Errorf("finding the e2e module: the tests have to run in its folder, not by -c binaries elsewhere")
	}
	return filepath.Dir(out), nil
}

func build(ctx context.Context, dir, name, module, pkg string) (string, error) {
	version, err := goOutput(ctx, dir, "list", "-m", "-f", "{{.Version}}", module)
	if err != nil {
		return "", err
	}
	caches, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("building %s: %w", name, err)
	}
	caches = filepath.Join(caches, "debuggable-e2e")
	if err := os.MkdirAll(caches, 0o755); err != nil {
		return "", fmt.Errorf("building %s: %w", name, err)
	}
	path := filepath.Join(caches, fmt.Sprintf("%s-%s-%s", name, version, runtime.Version()))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// Test packages run at the same time, and one build takes all there is of this machine.
	unlock, err := lock(path + ".lock")
	if err != nil {
		return "", fmt.Errorf("building %s: %w", name, err)
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := goRun(ctx, dir, "build", "-trimpath", "-ldflags", "-s -w", "-o", path+".new", pkg); err != nil {
		return "", err
	}
	return path, os.Rename(path+".new", path)
}

func goRun(ctx context.Context, dir string, args ...string) error {
	_, err := goOutput(ctx, dir, args...)
	return err
}

func goOutput(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	var out []byte
	err := Online(func() (err error) {
		out, err = cmd.Output()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("running go %s in %s: %w\n%s", strings.Join(args, " "), dir, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
