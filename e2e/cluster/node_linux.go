package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Node is a kubelet with containerd and runc, in the namespaces that Isolate made. The addresses of its pods can be
// reached from the tests.
type Node struct {
	Name string
	dir  string
}

const (
	// of the only node: an address of the loopback interface, which API servers take, unlike 127.0.0.1
	nodeAddress = "10.233.1.1"
	podNetwork  = "10.233.0.0/24"
	socket      = "/run/containerd/containerd.sock"
	containers  = "/run/containerd/state" // containerd's folder for what runs
)

// AddNode adds a node that pulls images from the registry, among others, and returns when it is ready for pods. It is
// the only one: nodes would need networks of their own. The tests have to be isolated.
func (c *ControlPlane) AddNode(ctx context.Context, name string, r *Registry) (*Node, error) {
	if Dir() == "" {
		return nil, fmt.Errorf("adding node %s: the tests do not run within Isolate", name)
	}
	n := &Node{Name: name, dir: filepath.Join(c.Dir, name)}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, err
	}
	if err := addLoopback("lo:node", net.ParseIP(nodeAddress).To4()); err != nil {
		return nil, fmt.Errorf("adding node %s: %w", name, err)
	}
	pause, err := pushPause(ctx, n.dir, r)
	if err != nil {
		return nil, fmt.Errorf("making the pause image: %w", err)
	}
	if err := n.startContainerd(ctx, c, pause); err != nil {
		return nil, err
	}
	if err := n.startKubelet(ctx, c); err != nil {
		return nil, err
	}
	return n, nil
}

// pushPause builds the image that every pod's first container is made of.
func pushPause(ctx context.Context, dir string, r *Registry) (string, error) {
	root, err := moduleDir(ctx)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "pause")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "./cluster/pause")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	image, err := programImage(binary, "/pause")
	if err != nil {
		return "", err
	}
	return r.Push(ctx, "pause", image)
}

// networkPlugins returns the folder of the CNI plugins.
func networkPlugins() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("network plugins in /usr/lib/cni or /opt/cni/bin (apt-get install containernetworking-plugins)")
}

const containerdConfig = `version = 3
root = %q
state = "` + containers + `"
[grpc]
address = "` + socket + `"
[plugins."io.containerd.internal.v1.opt"]
path = %q
[plugins."io.containerd.cri.v1.images"]
snapshotter = %q
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = %q
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true # lowering it takes a right that root may lack in a container or virtual machine
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = %q
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = [%q]
conf_dir = %q
`

const networkConfig = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [{
  "type": "bridge", "bridge": "pods0", "isGateway": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "` + podNetwork + `"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
`

func (n *Node) startContainerd(ctx context.Context, c *ControlPlane, pause string) error {
	plugins, err := networkPlugins()
	if err != nil {
		return err
	}
	networks := filepath.Join(n.dir, "networks")
	if err := os.MkdirAll(networks, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(networks, "pods.conflist"), []byte(networkConfig), 0o644); err != nil {
		return err
	}
	snapshotter := "overlayfs"
	var mounted unix.Statfs_t
	if err := unix.Statfs(n.dir, &mounted); err == nil && mounted.Type == unix.OVERLAYFS_SUPER_MAGIC {
		snapshotter = "native" // overlays cannot be stacked like that
	}
	binary, err := Tool(ctx, "containerd")
	if err != nil {
		return err
	}
	shim, err := Tool(ctx, "containerd-shim-runc-v2")
	if err != nil {
		return err
	}
	config := filepath.Join(n.dir, "containerd.toml")
	text := fmt.Sprintf(containerdConfig, filepath.Join(n.dir, "containerd"), filepath.Join(n.dir, "opt"), snapshotter,
		pause, shim, plugins, networks)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	p, err := startProcess(filepath.Join(n.dir, "containerd.log"), binary, []string{"--config=" + config})
	if err != nil {
		return fmt.Errorf("starting containerd: %w", err)
	}
	c.started(p)
	return p.ready(ctx, func() error {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

func (n *Node) startKubelet(ctx context.Context, c *ControlPlane) error {
	binary, err := Tool(ctx, "kubelet")
	if err != nil {
		return err
	}
	kubeconfig, err := c.Kubeconfig("default", "system:node:"+n.Name, "system:nodes")
	if err != nil {
		return err
	}
	config := filepath.Join(n.dir, "kubelet.json")
	text, err := json.Marshal(map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication":           map[string]any{"x509": map[string]any{"clientCAFile": c.CAFile}},
		"containerRuntimeEndpoint": "unix://" + socket,
		"podLogsDir":               filepath.Join(n.dir, "logs"),
		"volumePluginDir":          filepath.Join(n.dir, "plugins"),
		"resolvConf":               "",
		// Control groups, of either version: below a group of the tests' own.
		"cgroupDriver": "cgroupfs", "cgroupRoot": "/" + os.Getenv(nameVariable), "cgroupsPerQOS": true,
		"enforceNodeAllocatable": []string{}, "failCgroupV1": false,
		// Rights and limits that root may lack in a container or virtual machine.
		"oomScoreAdj": 0, "maxOpenFiles": 20000, "failSwapOn": false, "makeIPTablesUtilChains": false,
		// The machine is shared: how full it is says nothing about the tests.
		"localStorageCapacityIsolation": false, "imageGCHighThresholdPercent": 100,
		"evictionHard": map[string]string{"memory.available": "1Mi", "nodefs.available": "0%",
			"nodefs.inodesFree": "0%", "imagefs.available": "0%"},
		"registryPullQPS":                           0,
		"serializeImagePulls":                       false,
		"runtimeRequestTimeout":                     "5m",
		"shutdownGracePeriod":                       "0s",
		"configMapAndSecretChangeDetectionStrategy": "Watch",
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return err
	}
	p, err := startProcess(filepath.Join(n.dir, "kubelet.log"), binary, []string{
		"--config=" + config, "--kubeconfig=" + kubeconfig, "--root-dir=" + filepath.Join(n.dir, "kubelet"),
		"--hostname-override=" + n.Name, "--node-ip=" + nodeAddress,
	})
	if err != nil {
		return fmt.Errorf("starting kubelet: %w", err)
	}
	c.started(p)
	admin, err := c.Config("admin", "system:masters")
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return err
	}
	return p.ready(ctx, func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0 {
				return nil
			}
		}
		return fmt.Errorf("node %s: %v, taints %v", n.Name, node.Status.Conditions, node.Spec.Taints)
	})
}

// PID returns the process ID of a running container's first process, as the tests see it. The ID is the one in the
// pod's status.
func (n *Node) PID(containerID string) (int, error) {
	id := strings.TrimPrefix(containerID, "containerd://")
	data, err := os.ReadFile(filepath.Join(containers, "io.containerd.runtime.v2.task", "k8s.io", id, "init.pid"))
	if err != nil {
		return 0, fmt.Errorf("finding the process of container %s: %w", id, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// Listens says whether a TCP port is listened on in the network of a running container, without connecting to it: a
// debugger may take a connection for its client.
func (n *Node) Listens(containerID string, port int) (bool, error) {
	pid, err := n.PID(containerID)
	if err != nil {
		return false, err
	}
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(string(data)) {
			// proc_net_tcp(5): local address in hexadecimal; state 0A is listening.
			if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == "0A" {
				return true, nil
			}
		}
	}
	return false, nil
}
