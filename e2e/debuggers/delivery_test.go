package debuggers

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestImageVolumes mounts the support images as volumes: no init container runs, and nothing is copied.
func TestImageVolumes(t *testing.T) {
	for _, r := range applications() {
		if !slices.Contains([]string{"go", "nodejs", "python", "ruby"}, r.runtime) {
			continue // needs no support image
		}
		t.Run(r.runtime, func(t *testing.T) {
			image := r.image(t)
			namespace := newNamespace(t)
			m := manifest{kind: "Pod", image: image, command: r.cases[0].command}
			shared.apply(t, namespace, shared.rewrite(t, m.String(), "--support-delivery", "image"))
			p := shared.waitPod(t, namespace, "app", "ready", ready)
			sent, err := shared.client.CoreV1().Pods(namespace).Get(t.Context(), "app", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			mounted := 0
			for _, v := range sent.Spec.Volumes {
				if v.Image != nil {
					mounted++
				}
			}
			if len(sent.Spec.InitContainers) != 0 || mounted != 1 {
				t.Fatalf("%d init containers and %d volumes of images", len(sent.Spec.InitContainers), mounted)
			}
			p.checkRights(t)
			_, port := p.debugPort(t)
			p.listens(t, port)
			stopped, _ := r.cases[0].attach(t, p.forward(t, port))
			p.stopsTwice(t, stopped)
		})
	}
}
