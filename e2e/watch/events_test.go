package watch

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestStartRestartDeletion(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "early", goInfo, "web", "proxy")
	createPod(t, ns, "plain", "", "web")
	setStatus(t, ns, "early", running("web", "e1", 0), running("proxy", "x1", 0))
	setStatus(t, ns, "plain", running("web", "p1", 0))

	s := watch(t, "-n", ns, "-o", "json")
	s.want("+early:web=e1") // running when the watch begins

	createPod(t, ns, "late", goInfo, "web")
	setStatus(t, ns, "late", running("web", "l1", 0))
	s.want("+late:web=l1")
	setStatus(t, ns, "late", ended("web", "l1", 0))
	s.want("-late:web=l1")
	setStatus(t, ns, "late", running("web", "l2", 1))
	s.want("+late:web=l2")
	setStatus(t, ns, "late", running("web", "l3", 2)) // ended and started again between two statuses
	s.want("-late:web=l2", "+late:web=l3")
	deletePod(t, ns, "late")
	s.want("-late:web=l3")
	deletePod(t, ns, "early")
	s.want("-early:web=e1")
	s.stop()
	if text := s.errors(); text != "" {
		t.Errorf("stderr: %s", text)
	}
}

// The line is what IDEs read from "skaffold debug", to the order of the keys.
func TestLine(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "web-f6d56bcc5-6csgs", goInfo, "web")
	setStatus(t, ns, "web-f6d56bcc5-6csgs", running("web", "c1", 4))
	s := watch(t, "-n", ns) // json, since stdout is no terminal
	got := s.next()
	pod, err := admin.CoreV1().Pods(ns).Get(t.Context(), "web-f6d56bcc5-6csgs", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	timestamp := regexp.MustCompile(`"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"`)
	got = timestamp.ReplaceAllString(got, `"TIME"`)
	want := `{"result":{"timestamp":"TIME","event":{"debuggingContainerEvent":{"status":"Started",` +
		`"podName":"web-f6d56bcc5-6csgs","containerName":"web",` +
		`"namespace":"` + ns +
		`","artifact":"gcr.io/acme/web","runtime":"go","workingDir":"/srv","debugPorts":{"dlv":56268},` +
		`"podUid":"` + string(pod.UID) + `","containerId":"containerd://c1","restartCount":4}},"entry":"Debuggable ` +
		`container started pod/web-f6d56bcc5-6csgs:web (` + ns + `)"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.stop()
}

func TestInitContainersAndSidecars(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", `{"sidecar":{"runtime":"go"},"web":{"runtime":"go"}}`, "web")
	s := watch(t, "-n", ns)
	if err := patchStatus(t.Context(), ns, "p", []status{running("sidecar", "s1", 0), ended("setup", "t1", 0)},
		nil); err != nil {
		t.Fatal(err)
	}
	s.want("+p:sidecar=s1")
	if err := patchStatus(t.Context(), ns, "p", []status{running("sidecar", "s1", 0), ended("setup", "t1", 0)},
		[]status{running("web", "w1", 0)}); err != nil {
		t.Fatal(err)
	}
	s.want("+p:web=w1")
	if err := patchStatus(t.Context(), ns, "p", []status{running("sidecar", "s2", 1)},
		[]status{running("web", "w1", 0)}); err != nil {
		t.Fatal(err)
	}
	s.want("-p:sidecar=s1", "+p:sidecar=s2")
	s.stop()
}

func TestAnnotationAddedChangedBroken(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", "", "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	s := watch(t, "-n", ns)
	annotate := func(value string) {
		t.Helper()
		patch := []byte(`{"metadata":{"annotations":{"debug.cloud.google.com/config":` + value + `}}}`)
		if _, err := admin.CoreV1().Pods(ns).Patch(t.Context(), "p", types.MergePatchType, patch,
			metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	annotate(`"{\"web\":{\"runtime\":\"go\"}}"`)
	s.want("+p:web=a")
	annotate(`"{\"web\":{\"runtime\":\"jvm\"}}"`)
	s.want("-p:web=a", "+p:web=a")
	annotate(`"{\"web\":"`)
	s.wantError("pod " + ns + "/p: reading debug.cloud.google.com/config")
	setStatus(t, ns, "p", running("web", "b", 1))
	s.want("-p:web=a")
	annotate(`null`)
	annotate(`"{\"web\":{}}"`)
	s.want("+p:web=b")
	annotate(`null`)
	s.want("-p:web=b")
	s.stop()
	if n := strings.Count(s.errors(), "\n"); n != 1 {
		t.Errorf("%d lines on stderr, want the one warning: %s", n, s.errors())
	}
}

func TestNamespacesAndSelector(t *testing.T) {
	one, two, three := namespace(t, "1"), namespace(t, "2"), namespace(t, "3")
	for _, ns := range []string{one, two, three} {
		createPod(t, ns, "web", goInfo, "web")
		createPod(t, ns, "api", goInfo, "web")
		setStatus(t, ns, "web", running("web", "web-"+ns[len(ns)-1:], 0))
		setStatus(t, ns, "api", running("web", "api-"+ns[len(ns)-1:], 0))
	}
	// What is there at the start comes in order, also across namespaces.
	some := watch(t, "-n", two, "-n", one)
	some.want("+api:web=api-1", "+web:web=web-1", "+api:web=api-2", "+web:web=web-2")
	all := watch(t, "-A", "-l", "app=web")
	all.want("+web:web=web-1", "+web:web=web-2", "+web:web=web-3")
	deletePod(t, two, "web")
	some.want("-web:web=web-2")
	all.want("-web:web=web-2")
	deletePod(t, three, "web")
	all.want("-web:web=web-3")
	// A pod that the selector does not match any more is as good as gone.
	relabel := func(label string) {
		t.Helper()
		patch := []byte(`{"metadata":{"labels":{"app":"` + label + `"}}}`)
		if _, err := admin.CoreV1().Pods(one).Patch(t.Context(), "web", types.MergePatchType, patch,
			metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	relabel("old")
	all.want("-web:web=web-1")
	relabel("web")
	all.want("+web:web=web-1")
	some.stop()
	all.stop()
}

// The namespace of the kubeconfig's context is the default, also where the kubeconfig is a list of files, not all of
// which exist.
func TestDefaultNamespace(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	kubeconfig, err := plane.Kubeconfig(ns, "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	contexts := changed(t, kubeconfig, func(c *clientcmdapi.Config) { clear(c.Clusters); clear(c.AuthInfos) })
	others := changed(t, kubeconfig, func(c *clientcmdapi.Config) { clear(c.Contexts); c.CurrentContext = "" })
	for _, list := range []string{kubeconfig,
		strings.Join([]string{"/does/not/exist", contexts, others}, string(filepath.ListSeparator))} {
		s := watchAs(t, list)
		s.want("+p:web=a")
		s.stop()
	}
}

// What happens while the network is down is told afterwards, and once: what went on running is not told again. With a
// restart of the API server in between, the program's resource version is one that the server does not know any more.
func TestNetworkDown(t *testing.T) {
	for name, meanwhile := range map[string]func(t *testing.T){
		"same server": func(*testing.T) {},
		"server restarted": func(t *testing.T) {
			plane.KillAPIServer()
			if err := plane.StartAPIServer(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ns, other := namespace(t, "1"), namespace(t, "2")
			for _, name := range []string{"stays", "goes", "restarts", "replaced"} {
				createPod(t, ns, name, goInfo, "web")
				setStatus(t, ns, name, running("web", name+"-1", 0))
			}
			kubeconfig, err := plane.Kubeconfig(ns, "admin", "system:masters")
			if err != nil {
				t.Fatal(err)
			}
			link := newLink(t, plane.URL)
			s := watchAs(t, link.kubeconfig(t, kubeconfig), "-n", ns, "-n", other)
			s.want("+goes:web=goes-1", "+replaced:web=replaced-1", "+restarts:web=restarts-1", "+stays:web=stays-1")
			link.cut()
			s.wantError("lost the connection to https://" + link.address)
			deletePod(t, ns, "goes")
			setStatus(t, ns, "restarts", ended("web", "restarts-1", 0))
			setStatus(t, ns, "restarts", running("web", "restarts-2", 1))
			setStatus(t, ns, "restarts", running("web", "restarts-3", 2))
			deletePod(t, ns, "replaced")
			createPod(t, ns, "replaced", goInfo, "web")
			setStatus(t, ns, "replaced", running("web", "replaced-2", 0))
			createPod(t, ns, "comes", goInfo, "web")
			setStatus(t, ns, "comes", running("web", "comes-1", 0))
			createPod(t, ns, "short", goInfo, "web")
			setStatus(t, ns, "short", running("web", "short-1", 0))
			deletePod(t, ns, "short")
			meanwhile(t)
			link.mend()

			// The order among pods is the informer's. Of the pod that came and went either all is told or nothing.
			var got []string
			want := []string{"+comes:web=comes-1", "+replaced:web=replaced-2", "+restarts:web=restarts-3", "-goes:web=goes-1",
				"-replaced:web=replaced-1", "-restarts:web=restarts-1"}
			for !containsAll(got, want) {
				got = append(got, parse(t, s.next()).short())
			}
			s.wantError("connected to https://" + link.address + " again")
			setStatus(t, ns, "stays", running("web", "stays-2", 1))
			s.want("-stays:web=stays-1", "+stays:web=stays-2")
			s.stop()
			got = slices.DeleteFunc(got, func(e string) bool {
				// seen if the watch could be taken up where it was
				return strings.HasPrefix(e[1:], "short:") || strings.Contains(e, "restarts-2")
			})
			for _, name := range []string{"replaced", "restarts"} {
				first := slices.IndexFunc(got, func(e string) bool { return strings.HasPrefix(e, "-"+name) })
				last := slices.IndexFunc(got, func(e string) bool { return strings.HasPrefix(e, "+"+name) })
				if first > last {
					t.Errorf("%s starts before its predecessor ends: %v", name, got)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			for _, text := range []string{"lost the connection", "connected to"} {
				if n := strings.Count(s.errors(), text); n != 1 {
					t.Errorf("%q is said %d times: %s", text, n, s.errors())
				}
			}
		})
	}
}

func containsAll(got, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(got, w) })
}

// A load balancer takes connections for a server that is not there.
func TestConnectionsWithoutAnswer(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	kubeconfig, err := plane.Kubeconfig(ns, "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	link := newLink(t, plane.URL)
	s := watchAs(t, link.kubeconfig(t, kubeconfig))
	s.want("+p:web=a")
	link.setUseless(true)
	s.wantError("lost the connection")
	setStatus(t, ns, "p", running("web", "b", 1))
	link.setUseless(false)
	s.want("-p:web=a", "+p:web=b")
	s.wantError("connected to")
	s.stop()
	if n := strings.Count(s.errors(), "\n"); n != 2 {
		t.Errorf("%d lines on stderr, want 2: %s", n, s.errors())
	}
}

// A cluster whose data are gone starts at low resource versions again.
func TestClusterStartedAnew(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	s := watch(t, "-n", ns)
	s.want("+p:web=a")
	if err := plane.Wipe(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want("-p:web=a")
	if _, err := admin.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "b", 0))
	s.want("+p:web=b")
	s.stop()
}

// The API server is killed and started again, and nothing else happens.
func TestAPIServerRestarted(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	s := watch(t, "-n", ns)
	s.want("+p:web=a")
	for i := range 2 {
		plane.KillAPIServer()
		eventually(t, "the news of the lost connection", func() bool {
			return strings.Count(s.errors(), "lost the connection to "+plane.URL) == i+1
		})
		if err := plane.StartAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the news of the new connection", func() bool {
			return strings.Count(s.errors(), "connected to "+plane.URL+" again") == i+1
		})
	}
	deletePod(t, ns, "p")
	s.want("-p:web=a")
	s.stop()
	if n := strings.Count(s.errors(), "\n"); n != 4 {
		t.Errorf("%d lines on stderr, want 4: %s", n, s.errors())
	}
}
