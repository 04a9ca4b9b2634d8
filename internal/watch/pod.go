package watch

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"debuggable.dev/debuggable/internal/debuginfo"
)

// pod is what the tracker needs to know of a pod.
type pod struct {
	namespace, name, uid string
	// annotated says that the pod carries the annotation; annotation is its value.
	annotated  bool
	annotation string
	// kind and owner are the workload that the pod is of, or Pod and its own name.
	kind, owner string
	labels      map[string]string
	arch        string
	created     time.Time
	deleting    bool
	// containers holds the statuses of the init containers and then of the containers, in the order of the pod's
	// status. It is empty for a pod without the annotation.
	containers []containerStatus
}

// containerStatus is what the tracker needs to know of a container.
type containerStatus struct {
	name string
	// id is the container ID with its runtime (containerd://…).
	id           string
	restartCount int32
	running      bool
	ready        bool
	image        string // as the pod's spec has it
}

// storedPod is what the informer keeps of a pod: metadata for the informer's own sake, and the tracker's view.
type storedPod struct {
	metav1.ObjectMeta // name, namespace, UID and resource version alone
	pod               pod
}

// keepNeeded is the informer's transform function: it replaces a pod as it came from the API server by the little that
// is kept. An informer may call it again with its own result.
func keepNeeded(obj any) (any, error) {
	switch o := obj.(type) {
	case *unstructured.Unstructured:
		return &storedPod{
			ObjectMeta: metav1.ObjectMeta{
				Name:            o.GetName(),
				Namespace:       o.GetNamespace(),
				UID:             o.GetUID(),
				ResourceVersion: o.GetResourceVersion(),
			},
			pod: readPod(o),
		}, nil
	case *storedPod, cache.DeletedFinalStateUnknown:
		return o, nil
	default:
		return nil, fmt.Errorf("reading a pod: got a %T", obj)
	}
}

// readPod cuts the tracker's view out of a pod. What is missing or of another type than the API's counts as absent.
func readPod(o *unstructured.Unstructured) pod {
	p := pod{namespace: o.GetNamespace(), name: o.GetName(), uid: string(o.GetUID())}
	// Not o.GetAnnotations(), which copies the map, and gives nothing at all if one value is not a string.
	value, found, _ := unstructured.NestedFieldNoCopy(o.Object, "metadata", "annotations", debuginfo.Annotation)
	p.annotation, p.annotated = value.(string)
	if !found || !p.annotated {
		return p
	}
	p.kind, p.owner = workload(o)
	p.labels = o.GetLabels()
	p.created, p.deleting = o.GetCreationTimestamp().Time, o.GetDeletionTimestamp() != nil
	p.arch, _, _ = unstructured.NestedString(o.Object, "spec", "nodeSelector", "kubernetes.io/arch")
	images := map[string]string{}
	for _, list := range []string{"initContainers", "containers"} {
		specs, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", list)
		entries, _ := specs.([]any)
		for _, entry := range entries {
			c, _ := entry.(map[string]any)
			name, _ := c["name"].(string)
			images[name], _ = c["image"].(string)
		}
	}
	status, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status")
	fields, _ := status.(map[string]any)
	phase, _ := fields["phase"].(string)
	// An evicted pod may keep the statuses that its containers had.
	over := phase == "Succeeded" || phase == "Failed"
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		entries, _ := fields[list].([]any)
		for _, entry := range entries {
			c, _ := entry.(map[string]any)
			name, _ := c["name"].(string)
			if name == "" {
				continue
			}
			id, _ := c["containerID"].(string)
			restarts, _ := c["restartCount"].(int64)
			state, _ := c["state"].(map[string]any)
			_, running := state["running"].(map[string]any)
			ready, _ := c["ready"].(bool)
			p.containers = append(p.containers, containerStatus{
				name: name, id: id, restartCount: int32(restarts), running: running && !over, ready: ready && running && !over,
				image: images[name],
			})
		}
	}
	return p
}

// workload returns the kind and the name of what a pod is of: of its controller or, where that is a ReplicaSet of a
// Deployment, of that. The Deployment's controller names a ReplicaSet after it and the hash that its pods have in a
// label (getNewReplicaSet in pkg/controller/deployment/sync.go).
func workload(o *unstructured.Unstructured) (kind, name string) {
	kind, name = "Pod", o.GetName()
	owner := metav1.GetControllerOfNoCopy(o)
	if owner == nil {
		return kind, name
	}
	kind, name = owner.Kind, owner.Name
	if hash := o.GetLabels()["pod-template-hash"]; kind == "ReplicaSet" && hash != "" {
		if deployment, ok := strings.CutSuffix(name, "-"+hash); ok {
			return "Deployment", deployment
		}
	}
	return kind, name
}
