//go:build unix && !linux

package cluster

import "syscall"

// dieWithParent has nothing to offer here: processes outlive a test that is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
