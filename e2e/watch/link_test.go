package watch

import (
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// link is the network between the program and the API server. It can be cut: connections break, and new ones are
// refused.
type link struct {
	target  string
	address string

	mu       sync.Mutex
	useless  bool
	listener net.Listener
	conns    map[net.Conn]bool
}

func newLink(t *testing.T, target string) *link {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{target: u.Host, address: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	l.mend()
	t.Cleanup(l.cut)
	return l
}

// kubeconfig returns a copy of a kubeconfig that leads over the link.
func (l *link) kubeconfig(t *testing.T, path string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config.Clusters["test"].Server = "https://" + l.address
	path = filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (l *link) mend() {
	listener, err := net.Listen("tcp", l.address)
	if err != nil {
		panic(err) // the port was ours a moment ago
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener, l.address = listener, listener.Addr().String()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			useless := l.useless
			l.mu.Unlock()
			if useless {
				near.Close()
				continue
			}
			far, err := net.Dial("tcp", l.target)
			if err != nil {
				near.Close()
				continue
			}
			l.mu.Lock()
			l.conns[near], l.conns[far] = true, true
			l.mu.Unlock()
			go pipe(near, far)
			go pipe(far, near)
		}
	}()
}

func pipe(a, b net.Conn) {
	_, _ = io.Copy(a, b) // however it ends, the connection is over
	a.Close()
	b.Close()
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Close()
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

// setUseless makes the link take new connections and close them right away, as a load balancer does that has no server;
// or ends that.
func (l *link) setUseless(useless bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.useless = useless
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

func canList(t *testing.T, config *rest.Config, ns string) bool {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	return err == nil
}
