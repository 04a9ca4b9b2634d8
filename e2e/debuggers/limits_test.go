package debuggers

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLimits starts pods in a namespace whose quota they use up, and that admits no container below a minimum: what is
// added to them takes nothing more, is admitted, and does its work within its limits.
func TestLimits(t *testing.T) {
	for _, test := range []struct {
		runtime string
		image   func(t *testing.T) string
		attach  func(t *testing.T, addr string) (stopped func(want string), by by)
		memory  string
	}{
		{"go", goImage, attachDelve, "128Mi"},
		{"python", pythonImage, attachDebugpy("app.py"), "192Mi"},
	} {
		t.Run(test.runtime, func(t *testing.T) {
			namespace := newNamespace(t)
			cpu, memory := resource.MustParse("500m"), resource.MustParse(test.memory)
			_, err := shared.client.CoreV1().ResourceQuotas(namespace).Create(t.Context(), &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "quota"},
				Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
					"requests.cpu": cpu, "limits.cpu": cpu, "requests.memory": memory, "limits.memory": memory,
				}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = shared.client.CoreV1().LimitRanges(namespace).Create(t.Context(), &corev1.LimitRange{
				ObjectMeta: metav1.ObjectMeta{Name: "range"},
				Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
					Type: corev1.LimitTypeContainer,
					Min:  corev1.ResourceList{"cpu": resource.MustParse("50m"), "memory": resource.MustParse("32Mi")},
					Max:  corev1.ResourceList{"cpu": cpu, "memory": memory},
				}}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the quota", func() error {
				q, err := shared.client.CoreV1().ResourceQuotas(namespace).Get(t.Context(), "quota", metav1.GetOptions{})
				if err == nil && len(q.Status.Hard) == 0 {
					err = errNotYet
				}
				return err
			})
			resources := "resources: {requests: {cpu: 500m, memory: " + test.memory + "}, limits: {cpu: 500m, memory: " +
				test.memory + "}}"
			shared.apply(t, namespace,
				shared.rewrite(t, manifest{kind: "Pod", image: test.image(t), command: resources}.String(), "--memory=keep"))
			p := shared.waitPod(t, namespace, "app", "ready", ready)
			_, port := p.debugPort(t)
			p.listens(t, port)
			stopped, _ := test.attach(t, p.forward(t, port))
			p.stopsTwice(t, stopped)
			p.lives(t)
		})
	}
}

// TestRaisedMemory debugs a program whose memory limit holds it, and would not hold its debugger.
func TestRaisedMemory(t *testing.T) {
	const limits = "resources: {requests: {memory: 16Mi}, limits: {memory: 24Mi}}"
	namespace := newNamespace(t)
	before := manifest{kind: "Pod", image: goImage(t), command: limits}.String()
	plain := strings.Replace(before, "name: app\n", "name: plain\n", 1)
	shared.apply(t, namespace, plain)
	shared.waitPod(t, namespace, "plain", "ready as it was", ready)

	shared.apply(t, namespace, shared.rewrite(t, before))
	p := shared.waitPod(t, namespace, "app", "ready", ready)
	resources := p.Spec.Containers[0].Resources
	if got := resources.Requests.Memory().String(); got != "16Mi" {
		t.Errorf("requests %s, want 16Mi as before", got)
	}
	if got := resources.Limits.Memory(); got.Cmp(resource.MustParse("64Mi")) < 0 {
		t.Errorf("a limit of %s, want one that holds Delve", got)
	}
	_, port := p.debugPort(t)
	p.listens(t, port)
	stopped, _ := attachDelve(t, p.forward(t, port))
	p.stopsTwice(t, stopped)
	p.lives(t) // which one that is out of memory does not
}
