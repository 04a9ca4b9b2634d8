package cluster

import "syscall"

// dieWithParent makes the kernel end a process when the test's process is gone, also when that was killed by a timeout.
// The kernel takes the end of the thread that started a process for that, too, and Online ends threads; isolated
// processes end with their namespaces anyway.
func dieWithParent() *syscall.SysProcAttr {
	if Dir() != "" {
		return nil
	}
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
