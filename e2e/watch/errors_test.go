package watch

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Each of these is one clear line on stderr and exit status 1; wrong usage is exit status 2, with a hint.
func TestErrorsAtTheStart(t *testing.T) {
	ns := namespace(t)
	kubeconfig := func(user string, groups ...string) string {
		path, err := plane.Kubeconfig(ns, user, groups...)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	grant(t, ns, "lister", "list")
	admin := kubeconfig("admin", "system:masters")
	other := func(change func(*clientcmdapi.Config)) string { return changed(t, admin, change) }
	server := func(change func(*clientcmdapi.Cluster)) string {
		return other(func(c *clientcmdapi.Config) { change(c.Clusters["test"]) })
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "https://" + closed.Addr().String()
	closed.Close()
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("clusters: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := other(func(c *clientcmdapi.Config) { c.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: "nonsense"} })

	usage := map[string]bool{"bad output": true, "namespace and all": true, "an argument too many": true}
	for name, test := range map[string]struct {
		kubeconfig string
		args       []string
		want       []string
	}{
		"no rights": {kubeconfig("nobody"), nil,
			[]string{"no right to list pods", "namespace " + ns, `User "nobody" cannot list`, "verbs list and watch"}},
		"no rights anywhere": {kubeconfig("nobody"), []string{"-A"},
			[]string{"in all namespaces", "or name the namespaces with -n"}},
		"no right to watch":   {kubeconfig("lister"), nil, []string{"no right to watch pods", `User "lister" cannot watch`}},
		"right in one of two": {kubeconfig("lister"), []string{"-n", "kube-system"}, []string{"namespace kube-system"}},
		"unknown context":     {admin, []string{"--context", "prod"}, []string{`"prod"`, "it has test"}},
		"dead server": {server(func(c *clientcmdapi.Cluster) { c.Server = dead }), nil,
			[]string{dead, "connection refused"}},
		"unknown authority": {server(func(c *clientcmdapi.Cluster) { c.CertificateAuthorityData = nil }), nil,
			[]string{plane.URL, "certificate signed by unknown authority"}},
		"wrong credentials": {stranger, nil, []string{"does not accept the credentials"}},
		"no current context": {other(func(c *clientcmdapi.Config) { c.CurrentContext = "" }), nil,
			[]string{"no current context", "--context", "it has test"}},
		"context to nowhere": {other(func(c *clientcmdapi.Config) { c.Contexts["test"].Cluster = "gone" }), nil,
			[]string{`"test"`, `cluster "gone"`}},
		"context of nobody": {other(func(c *clientcmdapi.Config) { c.Contexts["test"].AuthInfo = "gone" }), nil,
			[]string{`"test"`, `user "gone"`}},
		"sign-in fails":        {signedInBy(t, admin, "exit 3"), nil, []string{"signing in to " + plane.URL, "exit code 3"}},
		"no kubeconfig":        {"", nil, []string{"none found in", ".kube/config", "--kubeconfig"}},
		"no such kubeconfig":   {admin, []string{"--kubeconfig", "/does/not/exist"}, []string{"/does/not/exist"}},
		"broken kubeconfig":    {broken, nil, []string{broken}},
		"bad selector":         {admin, []string{"-l", "a=b=c"}, []string{`"a=b=c"`}},
		"bad namespace":        {admin, []string{"-n", "a/b"}, []string{`"a/b"`}},
		"bad output":           {admin, []string{"-o", "yaml"}, []string{`"yaml"`, "text or json"}},
		"address taken":        {admin, []string{"--listen", taken}, []string{taken, "address already in use"}},
		"no address":           {admin, []string{"--listen", "50052"}, []string{`"50052"`, "HOST:PORT"}},
		"empty address":        {admin, []string{"--listen="}, []string{`""`, "HOST:PORT"}},
		"namespace and all":    {admin, []string{"-A", "-n", ns}, []string{"all-namespaces", "namespace"}},
		"an argument too many": {admin, []string{"web"}, []string{"web"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := watchAs(t, test.kubeconfig, test.args...)
			select {
			case <-s.done:
			case <-time.After(patience):
				t.Fatal("does not end")
			}
			text := s.errors()
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("stderr %q does not say %q", text, want)
				}
			}
			lines, status := 1, 1
			if usage[name] {
				lines, status = 2, 2 // the second line names --help
			}
			if strings.Count(text, "\n") != lines || strings.Contains(text, "goroutine") {
				t.Errorf("stderr is not of %d lines: %s", lines, text)
			}
			if code := s.cmd.ProcessState.ExitCode(); code != status {
				t.Errorf("exit status %d, want %d", code, status)
			}
			for l := range s.lines {
				t.Errorf("stdout: %s", l.text)
			}
			t.Logf("%s", text)
		})
	}
}

// changed returns a kubeconfig like another one but for a change.
func changed(t *testing.T, kubeconfig string, change func(*clientcmdapi.Config)) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	change(config)
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// signedInBy returns a kubeconfig like another one but that credentials come from a script.
func signedInBy(t *testing.T, kubeconfig, script string) string {
	t.Helper()
	return changed(t, kubeconfig, func(c *clientcmdapi.Config) {
		c.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
			APIVersion: "client.authentication.k8s.io/v1", Command: "sh", Args: []string{"-c", script},
			InteractiveMode: clientcmdapi.IfAvailableExecInteractiveMode,
		}}
	})
}

// Ctrl-C ends it quietly also while a program that the kubeconfig names waits for the user to sign in, or the server
// does not answer.
func TestEndsWhileStarting(t *testing.T) {
	kubeconfig, err := plane.Kubeconfig("default", "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := filepath.Join(t.TempDir(), "began")
	signIn := watchAs(t, signedInBy(t, kubeconfig, "touch "+began+"; exec sleep 40 2>/dev/null"))
	eventually(t, "the program that signs in", func() bool { _, err := os.Stat(began); return err == nil })
	signIn.stop()
	silent := watchAs(t, changed(t, kubeconfig, func(c *clientcmdapi.Config) {
		c.Clusters["test"].Server = "https://" + l.Addr().String()
	}))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	silent.stop()
	for _, s := range []*session{signIn, silent} {
		if text := s.errors(); text != "" {
			t.Errorf("stderr: %s", text)
		}
	}
}

// Credentials that expire are renewed by the program that gave them; where it cannot, that is said once, and the watch
// goes on as soon as it can.
func TestCredentialsExpire(t *testing.T) {
	ns := namespace(t)
	grantTo(t, ns, "robot", rbacv1.Subject{Kind: "ServiceAccount", Name: "robot", Namespace: ns}, "list", "watch")
	accounts := admin.CoreV1().ServiceAccounts(ns)
	token := func() string {
		t.Helper()
		if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}},
			metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		answer, err := accounts.CreateToken(t.Context(), "robot", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"` +
			answer.Status.Token + `"}}`
	}
	revoke := func() {
		t.Helper()
		if err := accounts.Delete(t.Context(), "robot", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	given := filepath.Join(t.TempDir(), "credentials")
	give := func(credentials string) {
		t.Helper()
		if err := os.WriteFile(given, []byte(credentials), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	restart := func() { // the API server remembers for a while whose token it took
		t.Helper()
		plane.KillAPIServer()
		if err := plane.StartAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	give(token())
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	kubeconfig, err := plane.Kubeconfig(ns, "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	s := watchAs(t, signedInBy(t, kubeconfig, "cat "+given))
	s.want("+p:web=a")

	revoke()
	give(token())
	restart()
	setStatus(t, ns, "p", running("web", "b", 1))
	s.want("-p:web=a", "+p:web=b")
	if text := s.errors(); strings.Contains(text, "credentials") {
		t.Errorf("stderr: %s", text)
	}

	revoke()
	restart()
	s.wantError("does not accept our credentials any more: Unauthorized; trying again")
	setStatus(t, ns, "p", running("web", "c", 2))
	give(token())
	s.want("-p:web=b", "+p:web=c")
	s.stop()
	if n := strings.Count(s.errors(), "credentials"); n != 1 {
		t.Errorf("said %d times: %s", n, s.errors())
	}
}

// grant gives a user verbs on pods in a namespace.
func grant(t *testing.T, ns, user string, verbs ...string) {
	t.Helper()
	grantTo(t, ns, user, rbacv1.Subject{Kind: "User", Name: user, APIGroup: rbacv1.GroupName}, verbs...)
	// RBAC is watched by the API server: a right is there a moment later.
	eventually(t, "the role of "+user, func() bool {
		config, err := plane.Config(user)
		if err != nil {
			t.Fatal(err)
		}
		return canList(t, config, ns)
	})
}

// grantTo makes a role of that name with verbs on pods in a namespace, and gives it to somebody.
func grantTo(t *testing.T, ns, name string, subject rbacv1.Subject, verbs ...string) {
	t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: verbs}},
	}
	if _, err := admin.RbacV1().Roles(ns).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns},
		Subjects:   []rbacv1.Subject{subject},
		RoleRef:    rbacv1.RoleRef{Kind: "Role", Name: name, APIGroup: rbacv1.GroupName},
	}
	if _, err := admin.RbacV1().RoleBindings(ns).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// A right that is taken away later is a connection lost: what is granted again is watched on.
func TestRightTakenAway(t *testing.T) {
	ns := namespace(t)
	grant(t, ns, "guest", "list", "watch")
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	kubeconfig, err := plane.Kubeconfig(ns, "guest")
	if err != nil {
		t.Fatal(err)
	}
	link := newLink(t, plane.URL)
	s := watchAs(t, link.kubeconfig(t, kubeconfig))
	s.want("+p:web=a")
	bindings := admin.RbacV1().RoleBindings(ns)
	binding, err := bindings.Get(t.Context(), "guest", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := bindings.Delete(t.Context(), "guest", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := plane.Config("guest")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the right", func() bool { return !canList(t, config, ns) })
	link.cut() // a watch that is open goes on without a right
	link.mend()
	s.wantError("forbidden")
	setStatus(t, ns, "p", running("web", "b", 1))
	binding.ResourceVersion = ""
	if _, err := bindings.Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.want("-p:web=a", "+p:web=b")
	s.wantError("connected to")
	s.stop()
}
