package cluster

import "syscall"

// dieWithParent makes the kernel end a process when the test's process is gone, also when that was killed by a timeout.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
