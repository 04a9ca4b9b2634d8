package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Options are what tests may want different.
type Options struct {
	// Dir is where keys, data and logs go.
	Dir string
	// APIServerArgs are added to kube-apiserver's command line, after the package's own.
	APIServerArgs []string
}

// ControlPlane is a running etcd and kube-apiserver, and what StartControllers and AddNode add. All files in Dir may be
// read by tests.
type ControlPlane struct {
	Dir string
	// URL is the API server's: https://127.0.0.1:PORT.
	URL string
	// CAFile and CAKeyFile sign the API server's certificate and those of its users; ServiceAccountKeyFile signs
	// service-account tokens.
	CAFile, CAKeyFile, ServiceAccountKeyFile string

	ca        *x509.Certificate
	caKey     *ecdsa.PrivateKey
	etcdPort  int
	peerPort  int
	apiPort   int
	extraArgs []string

	mu              sync.Mutex
	etcd, apiServer *process
	others          []*process // in the order of their start
}

// Start starts a control plane with an empty etcd, and returns when it is ready.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	c := &ControlPlane{
		Dir: o.Dir, extraArgs: o.APIServerArgs,
		CAFile: filepath.Join(o.Dir, "ca.crt"), CAKeyFile: filepath.Join(o.Dir, "ca.key"),
		ServiceAccountKeyFile: filepath.Join(o.Dir, "sa.key"),
	}
	if err := c.writeKeys(); err != nil {
		return nil, fmt.Errorf("starting a control plane: %w", err)
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, fmt.Errorf("starting a control plane: %w", err)
	}
	c.etcdPort, c.apiPort, c.peerPort = ports[0], ports[1], ports[2]
	c.URL = "https://127.0.0.1:" + strconv.Itoa(c.apiPort)
	if err := c.startEtcd(ctx); err != nil {
		return nil, err
	}
	if err := c.StartAPIServer(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// Stop ends all processes. Containers outlive it; with them ends Isolate.
func (c *ControlPlane) Stop() {
	c.mu.Lock()
	for _, p := range slices.Backward(c.others) {
		p.kill()
	}
	c.others = nil
	c.mu.Unlock()
	c.KillAPIServer()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.etcd.kill()
	c.etcd = nil
}

// KillAPIServer ends the API server at once. (After SIGTERM it would hold on to its port for seconds.)
func (c *ControlPlane) KillAPIServer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apiServer.kill()
	c.apiServer = nil
}

// StartAPIServer starts the API server, again after KillAPIServer, at the same address and on the same data; it returns
// when the server is ready.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	binary, err := Tool(ctx, "kube-apiserver")
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := startProcess(filepath.Join(c.Dir, "kube-apiserver.log"), binary, append([]string{
		"--etcd-servers=http://127.0.0.1:" + strconv.Itoa(c.etcdPort),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // which would refuse a loopback address
		"--secure-port=" + strconv.Itoa(c.apiPort),
		"--tls-cert-file=" + filepath.Join(c.Dir, "server.crt"),
		"--tls-private-key-file=" + filepath.Join(c.Dir, "server.key"),
		"--client-ca-file=" + c.CAFile,
		"--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.ServiceAccountKeyFile,
		"--service-account-signing-key-file=" + c.ServiceAccountKeyFile,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--kubelet-client-certificate=" + filepath.Join(c.Dir, "kubelet-client.crt"),
		"--kubelet-client-key=" + filepath.Join(c.Dir, "kubelet-client.key"),
	}, c.extraArgs...))
	if err != nil {
		return fmt.Errorf("starting kube-apiserver: %w", err)
	}
	c.apiServer = p
	config, err := c.Config("admin", "system:masters")
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	return p.ready(ctx, func() error { return get(ctx, client, c.URL+"/readyz") })
}

// Config returns a configuration to connect with as a user in groups, with a client certificate of its own. Group
// system:masters may do anything.
func (c *ControlPlane) Config(user string, groups ...string) (*rest.Config, error) {
	cert, key, err := c.issue(pkix.Name{CommonName: user, Organization: groups}, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: c.URL, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca, CertData: cert, KeyData: key},
	}, nil
}

// Kubeconfig writes a kubeconfig for a user as Config makes it, with the context "test" in the namespace, and returns
// its path.
func (c *ControlPlane) Kubeconfig(namespace, user string, groups ...string) (string, error) {
	config, err := c.Config(user, groups...)
	if err != nil {
		return "", err
	}
	k := clientcmdapi.NewConfig()
	k.Clusters["test"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	k.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	k.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: user, Namespace: namespace}
	k.CurrentContext = "test"
	f, err := os.CreateTemp(c.Dir, user+"-*.kubeconfig")
	if err != nil {
		return "", err
	}
	_ = f.Close()
	return f.Name(), clientcmd.WriteToFile(*k, f.Name())
}

// Wipe starts the control plane anew, at the same address, with an empty etcd.
func (c *ControlPlane) Wipe(ctx context.Context) error {
	c.Stop()
	if err := os.RemoveAll(c.etcdData()); err != nil {
		return err
	}
	if err := c.startEtcd(ctx); err != nil {
		return err
	}
	return c.StartAPIServer(ctx)
}

func (c *ControlPlane) etcdData() string { return filepath.Join(c.Dir, "etcd") }

func (c *ControlPlane) startEtcd(ctx context.Context) error {
	binary, err := Tool(ctx, "etcd")
	if err != nil {
		return err
	}
	clients, peers := "http://127.0.0.1:"+strconv.Itoa(c.etcdPort), "http://127.0.0.1:"+strconv.Itoa(c.peerPort)
	p, err := startProcess(filepath.Join(c.Dir, "etcd.log"), binary, []string{
		"--data-dir=" + c.etcdData(),
		"--unsafe-no-fsync",
		"--listen-client-urls=" + clients, "--advertise-client-urls=" + clients,
		"--listen-peer-urls=" + peers, "--initial-advertise-peer-urls=" + peers, "--initial-cluster=default=" + peers,
	})
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	c.etcd = p
	if err := p.ready(ctx, func() error { return get(ctx, http.DefaultClient, clients+"/health") }); err != nil {
		p.kill()
		return err
	}
	return nil
}
