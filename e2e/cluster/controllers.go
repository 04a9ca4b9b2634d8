package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
)

// StartControllers starts kube-controller-manager and kube-scheduler, and returns when both are ready. Namespaces then
// get service accounts, Deployments and Jobs pods, and pods a node, where there is one.
func (c *ControlPlane) StartControllers(ctx context.Context) error {
	err := c.startController(ctx, "kube-controller-manager",
		"--root-ca-file="+c.CAFile,
		"--service-account-private-key-file="+c.ServiceAccountKeyFile,
		"--use-service-account-credentials=true",
	)
	if err != nil {
		return err
	}
	return c.startController(ctx, "kube-scheduler")
}

func (c *ControlPlane) startController(ctx context.Context, name string, args ...string) error {
	binary, err := Tool(ctx, name)
	if err != nil {
		return err
	}
	kubeconfig, err := c.Kubeconfig("default", "system:"+name)
	if err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	port := strconv.Itoa(ports[0])
	p, err := startProcess(filepath.Join(c.Dir, name+".log"), binary, append([]string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port=" + port,
	}, args...))
	if err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	c.started(p)
	// Its certificate is made at the start and signed by itself.
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	return p.ready(ctx, func() error { return get(ctx, client, "https://127.0.0.1:"+port+"/healthz") })
}

// started makes Stop end a process.
func (c *ControlPlane) started(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others = append(c.others, p)
}
