package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tracee is the program that Delve started: a child of this process that one of its threads traces. Delve itself says
// its process ID only while it is stopped.
type tracee struct {
	pid int
	// stopped says that its main thread is stopped by Delve. Now and then that is so for an instant while it runs.
	stopped bool
}

// findTracee finds the program in /proc, at once if it is still the process guess.
func findTracee(guess int) (tracee, bool) {
	if guess != 0 {
		if p, ok := readTracee(guess); ok {
			return p, true
		}
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return tracee{}, false
	}
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			if p, ok := readTracee(pid); ok {
				return p, true
			}
		}
	}
	return tracee{}, false
}

// readTracee reads proc_pid_status(5).
func readTracee(pid int) (tracee, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return tracee{}, false // ended in the meantime, or somebody else's
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	if fields["PPid"] != strconv.Itoa(os.Getpid()) {
		return tracee{}, false
	}
	if _, err := os.Stat("/proc/self/task/" + fields["TracerPid"]); err != nil {
		return tracee{}, false // not traced (0) or by another process
	}
	return tracee{pid: pid, stopped: strings.HasPrefix(fields["State"], "t")}, true
}
