package watch

import (
	"context"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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

// The line is that of the seeds and of spec, to the order of the keys.
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
	want := `{"result":{"timestamp":"TIME","event":{"debuggingContainerEvent":{"status":"Started","podName":"web-f6d56bcc5-6csgs","containerName":"web",` +
		`"namespace":"` + ns + `","artifact":"gcr.io/acme/web","runtime":"go","workingDir":"/srv","debugPorts":{"dlv":56268},` +
		`"podUid":"` + string(pod.UID) + `","containerId":"containerd://c1","restartCount":4}},"entry":"Debuggable container started pod/web-f6d56bcc5-6csgs:web (` + ns + `)"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.stop()
}

func TestInitContainersAndSidecars(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", `{"sidecar":{"runtime":"go"},"web":{"runtime":"go"}}`, "web")
	s := watch(t, "-n", ns)
	if err := patchStatus(t.Context(), ns, "p", []status{running("sidecar", "s1", 0), ended("setup", "t1", 0)}, nil); err != nil {
		t.Fatal(err)
	}
	s.want("+p:sidecar=s1")
	if err := patchStatus(t.Context(), ns, "p", []status{running("sidecar", "s1", 0), ended("setup", "t1", 0)}, []status{running("web", "w1", 0)}); err != nil {
		t.Fatal(err)
	}
	s.want("+p:web=w1")
	if err := patchStatus(t.Context(), ns, "p", []status{running("sidecar", "s2", 1)}, []status{running("web", "w1", 0)}); err != nil {
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
		if _, err := admin.CoreV1().Pods(ns).Patch(t.Context(), "p", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
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
	some.stop()
	all.stop()
}

// The namespace of the kubeconfig's context is the default.
func TestDefaultNamespace(t *testing.T) {
	ns := namespace(t)
	createPod(t, ns, "p", goInfo, "web")
	setStatus(t, ns, "p", running("web", "a", 0))
	kubeconfig, err := plane.Kubeconfig(ns, "admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	s := watchAs(t, kubeconfig)
	s.want("+p:web=a")
	s.stop()
}

// What happens while the API server is down is told afterwards, once: what went on running is not told again.
func TestAPIServerKilledAndStartedAgain(t *testing.T) {
	ns, other := namespace(t, "1"), namespace(t, "2")
	for _, name := range []string{"stays", "goes", "restarts", "replaced"} {
		createPod(t, ns, name, goInfo, "web")
		setStatus(t, ns, name, running("web", name+"-1", 0))
	}
	s := watch(t, "-n", ns, "-n", other)
	s.want("+goes:web=goes-1", "+replaced:web=replaced-1", "+restarts:web=restarts-1", "+stays:web=stays-1")
	// A stopped process sees nothing of what goes on, as if the network were gone.
	for range 2 {
		plane.KillAPIServer()
		s.wantError("lost the connection to " + plane.URL)
		if err := plane.StartAPIServer(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.wantError("connected to " + plane.URL + " again")
		s.mu.Lock()
		s.stderr.Reset()
		s.mu.Unlock()
	}
	deletePod(t, ns, "goes")
	s.want("-goes:web=goes-1")
	setStatus(t, ns, "restarts", running("web", "restarts-2", 1))
	s.want("-restarts:web=restarts-1", "+restarts:web=restarts-2")
	s.stop()
}

var _ = context.Background
