package main

import (
	"bytes"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Stock Delve kills the program at once when it gets SIGTERM or SIGINT, which is how a container is told to stop. The
// program would have had its time to end. So the watcher takes these signals from Delve and passes them on. One that
// comes in the instant before, while Delve starts the program, still has Delve's way.

// stopSignals are the signals that containers are stopped with. Delve handles the first two itself.
var stopSignals = [...]os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT}

// relayedSignals mean whatever the program makes of them: to read its configuration anew, for one. Delve does nothing
// with them but to end at the first.
var relayedSignals = [...]os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

// relaySignals passes these signals on to the program. One that this process was started to ignore stays ignored, and
// so it does in the program, which inherits that.
func relaySignals() {
	signals := make(chan os.Signal, 8)
	for _, s := range relayedSignals {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	for s := range signals {
		if p, found := findTracee(0); found {
			_ = syscall.Kill(p.pid, s.(syscall.Signal))
		}
	}
}

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
		if p, found := findTracee(0); found && again {
			_ = syscall.Kill(-p.pid, syscall.SIGKILL) // Delve gave it a process group
		} else if found {
			_ = syscall.Kill(p.pid, number)
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
