package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Stock Delve kills the program at once when it gets SIGTERM or SIGINT, which is how a container is told to stop. The
// program would have had its time to end. So the watcher takes these signals from Delve and passes them on.

// stopSignals are the signals that containers are stopped with. Delve handles the first two itself.
var stopSignals = [...]os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT}

// forwardSignals passes the first signal to stop on to the program, and lets it go if it is stopped and nobody looks at
// it. On a second one it kills the program and calls exit.
func (w *watcher) forwardSignals(exit func(status int)) {
	for tries := 0; !delveHandlesSignals(); tries++ {
		if tries == 600 {
			return
		}
		time.Sleep(lookEvery / 4)
	}
	signals := make(chan os.Signal, 2)
	signal.Reset(stopSignals[:]...) // takes them from Delve
	signal.Notify(signals, stopSignals[:]...)
	for s := range signals {
		again := w.ending.Swap(true)
		number := s.(syscall.Signal)
		for _, pid := range traced() {
			if again {
				_ = syscall.Kill(-pid, syscall.SIGKILL) // Delve gave it a process group
			} else {
				_ = syscall.Kill(pid, number)
			}
		}
		if again {
			exit(128 + int(number))
			return
		}
	}
}

// delveHandlesSignals says whether Delve asked for its signals. It does so once, when it has started the program, and
// there is no other sign of it than the goroutine that waits for them. Taking them earlier would be in vain. Where this
// Delve names the function otherwise, it keeps its own way to end.
func delveHandlesSignals() bool {
	stacks := make([]byte, 1<<16)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, stack := range bytes.Split(stacks, []byte("\n\n")) {
		head, frames, _ := bytes.Cut(stack, []byte("\n"))
		if bytes.Contains(head, []byte("[select")) && bytes.Contains(frames, []byte("cmds.waitForDisconnectSignal(")) {
			return true
		}
	}
	return false
}

// traced returns the process IDs of the children of this process that it debugs. Delve's own answer waits while the
// program runs.
func traced() []int {
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil
	}
	self := strconv.Itoa(os.Getpid())
	var pids []int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // ended in the meantime
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(data)) {
			name, value, _ := strings.Cut(line, ":")
			fields[name] = strings.TrimSpace(value)
		}
		if fields["PPid"] != self {
			continue
		}
		// The tracer is a thread.
		if _, err := os.Stat("/proc/self/task/" + fields["TracerPid"]); err != nil {
			continue
		}
		var pid int
		if _, err := fmt.Sscan(fields["Pid"], &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
