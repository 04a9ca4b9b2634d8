//go:build linux

package attach

import (
	"os/exec"
	"syscall"
)

// ownGroup starts a command in a process group of its own, killGroup kills that: debuggers start processes.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
