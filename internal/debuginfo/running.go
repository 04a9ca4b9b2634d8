package debuginfo

import "time"

// Running is a debuggable container that runs in a cluster.
type Running struct {
	Namespace, Pod, Name string
	// ID is the container's: one that restarts gets another.
	ID string
	// Kind and Workload are what the pod is of: Deployment, web; Pod and its own name where it is of nothing.
	Kind, Workload string
	Labels         map[string]string // of the pod
	Image, Arch    string            // as the pod's spec has them
	Info           Container
	// Created is when the pod was made, Deleting says that it is being deleted, and Ready that the container is ready.
	Created         time.Time
	Deleting, Ready bool
	// Locals are the ports of this machine that lead to its debug ports, by protocol.
	Locals map[string]int
}

// Compare orders containers by how well they serve someone who wants one of several: a pod that is being deleted comes
// first, and last, which is best, the newest that is ready.
func Compare(a, b Running) int {
	switch {
	case a.Deleting != b.Deleting:
		return order(!a.Deleting)
	case a.Ready != b.Ready:
		return order(a.Ready)
	}
	return a.Created.Compare(b.Created)
}

func order(after bool) int {
	if after {
		return 1
	}
	return -1
}
