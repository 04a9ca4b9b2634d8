package debuggers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"debuggable.dev/debuggable/e2e/cluster"
)

// env is what all tests share: a cluster with a node, a registry with the support images, and the debuggable binary.
type env struct {
	plane      *cluster.ControlPlane
	node       *cluster.Node
	registry   *cluster.Registry
	config     *rest.Config // of an administrator
	client     kubernetes.Interface
	dynamic    dynamic.Interface
	kubeconfig string // the same administrator's
	debuggable string
	repo       string            // this repository's folder
	images     map[string]string // of the applications, by runtime, once a test needed them
}

var shared *env

func TestMain(m *testing.M) {
	os.Exit(cluster.Isolate(func() int { return runTests(m) }))
}

func runTests(m *testing.M) int {
	for _, tool := range []string{
		"jdb", "javac", "jlink", "node", "npm", "mvn", "git", "gcc", "mcs", "ruby", "/usr/bin/python3",
	} {
		if _, err := exec.LookPath(tool); err != nil {
			return cluster.Skip(tool)
		}
	}
	var err error
	if shared, err = setUp(context.Background(), cluster.Dir()); err != nil {
		fmt.Println("setting up:", err)
		return 1
	}
	defer shared.plane.Stop()
	return m.Run()
}

func setUp(ctx context.Context, dir string) (*env, error) {
	e := &env{images: map[string]string{}}
	var err error
	if e.repo, err = filepath.Abs("../.."); err != nil {
		return nil, err
	}
	start := time.Now()
	took := func(what string) {
		fmt.Printf("%-40s %5.1f s\n", what, time.Since(start).Seconds())
		start = time.Now()
	}
	if e.debuggable, err = cluster.Debuggable(ctx, dir); err != nil {
		return nil, err
	}
	took("debuggable built")
	if e.registry, err = cluster.NewRegistry(dir); err != nil {
		return nil, err
	}
	support := exec.CommandContext(ctx, "go", "run", "./support/build", "-o", filepath.Join(dir, "support"), "-netcore",
		"skip", "-push", e.registry.Host+"/support")
	support.Dir = e.repo
	err = cluster.Online(func() error {
		if out, err := support.CombinedOutput(); err != nil {
			return fmt.Errorf("building the support images: %w\n%s", err, out)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	took("support images built")
	for _, tool := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"} {
		if _, err := cluster.Tool(ctx, tool); err != nil {
			return nil, err
		}
	}
	took("cluster built")
	if e.plane, err = cluster.Start(ctx, cluster.Options{Dir: dir}); err != nil {
		return nil, err
	}
	if err := e.connect(ctx); err != nil {
		e.plane.Stop()
		return nil, err
	}
	took("cluster ready")
	return e, nil
}

func (e *env) connect(ctx context.Context) (err error) {
	if err := e.plane.StartControllers(ctx); err != nil {
		return err
	}
	if e.node, err = e.plane.AddNode(ctx, "node", e.registry); err != nil {
		return err
	}
	if e.config, err = e.plane.Config("admin", "system:masters"); err != nil {
		return err
	}
	if e.client, err = kubernetes.NewForConfig(e.config); err != nil {
		return err
	}
	if e.dynamic, err = dynamic.NewForConfig(e.config); err != nil {
		return err
	}
	e.kubeconfig, err = e.plane.Kubeconfig("default", "admin", "system:masters")
	return err
}

// image makes an application's image, once.
func (e *env) image(t *testing.T, runtime string, make func(t *testing.T) string) string {
	t.Helper()
	if e.images[runtime] == "" {
		e.images[runtime] = make(t)
	}
	return e.images[runtime]
}
