package debuginfo

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
	// Locals are the ports of this machine that lead to its debug ports, by protocol.
	Locals map[string]int
}
