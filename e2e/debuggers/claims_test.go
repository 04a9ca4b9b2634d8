package debuggers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// claims is a StatefulSet whose claims are deleted, and with them its data, when it is scaled down. Nothing provides
// the volumes: its pods do not run, and its claims are made and deleted all the same.
const claims = `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: app
spec:
  replicas: 3
  serviceName: app
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Delete}
  selector:
    matchLabels: {app: app}
  template:
    metadata:
      labels: {app: app}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        seccompProfile: {type: RuntimeDefault}
      containers:
      - name: app
        image: %s
        securityContext:
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
        volumeMounts:
        - {name: data, mountPath: /data}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Mi}}
`

// TestClaims applies what comes out for a StatefulSet that runs already: its controllers delete no claim, as they do
// once it is scaled down.
func TestClaims(t *testing.T) {
	namespace := newNamespace(t)
	list := func() (alive []string) {
		t.Helper()
		all, err := shared.client.CoreV1().PersistentVolumeClaims(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all.Items {
			if c.DeletionTimestamp == nil {
				alive = append(alive, c.Name+" "+string(c.UID))
			}
		}
		return alive
	}
	waitFor := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d claims", n), func() error {
			if alive := list(); len(alive) != n {
				return fmt.Errorf("claims %v", alive)
			}
			return nil
		})
	}
	before := fmt.Sprintf(claims, goImage(t))
	shared.apply(t, namespace, before)
	waitFor(3)
	made := list()

	after := shared.rewrite(t, before)
	shared.apply(t, namespace, after)
	// Once the controller has seen it and put the pod with the highest number in its place, it has done all it would do
	// about the scale.
	shared.waitPod(t, namespace, "app-2", "debuggable", debuggable)
	eventually(t, "the StatefulSet's status", func() error {
		s, err := shared.client.AppsV1().StatefulSets(namespace).Get(t.Context(), "app", metav1.GetOptions{})
		if err == nil && (s.Status.ObservedGeneration != s.Generation || s.Status.Replicas != 3) {
			err = fmt.Errorf("status %+v", s.Status)
		}
		return err
	})
	// What a controller does, it does within a second or two, as the control below shows: long enough to see that nothing
	// comes.
	time.Sleep(5 * time.Second)
	if got := list(); strings.Join(got, ",") != strings.Join(made, ",") {
		t.Errorf("claims %v are left of %v", got, made)
	}

	// The control: with one replica, claims do go.
	shared.apply(t, namespace, strings.Replace(after, "replicas: 3", "replicas: 1", 1))
	waitFor(1)
}

// debuggable fits pods that were made from a rewritten template.
func debuggable(p *corev1.Pod) error {
	if p.Annotations["debug.cloud.google.com/config"] == "" {
		return errNotYet
	}
	return nil
}
