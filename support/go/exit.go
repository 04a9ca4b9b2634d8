package main

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-delve/delve/pkg/proc"
	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/rpc2"
	"github.com/spf13/cobra"
)

// Stock Delve outlives the program that it runs headless: it waits for a client that lets go of it. In a container that
// means that a crash goes unnoticed, that a Job never completes and that an init container holds up its pod. So this
// Delve watches the program and ends with it, and with its exit status.
//
// The watcher is one more client of the server in this very process. It does not get in the way of others, because it
// asks only when the program is gone, or is stopped while no client is connected; what it needs to know until then is
// in /proc. It interferes only where no client is connected and the program could not end: see letGo.

const (
	lookEvery = 200 * time.Millisecond
	// farewell is how long connected clients have to learn from Delve itself that the program ended, and to leave.
	farewell = 5 * time.Second
)

// exitWithProgram calls exit with the program's status once the program that cmd started ended. It does nothing where
// Delve is no server (--headless), or does not listen on TCP.
func exitWithProgram(cmd *cobra.Command, exit func(status int)) {
	if f := cmd.Flags().Lookup("headless"); f == nil || f.Value.String() != "true" {
		return
	}
	listen := cmd.Flags().Lookup("listen")
	if listen == nil {
		return
	}
	address, err := ownAddress(listen.Value.String())
	if err != nil {
		return
	}
	go relaySignals()
	go func() {
		conn := connect(address)
		if conn == nil {
			return
		}
		w := &watcher{client: rpc2.NewClientFromConn(conn), port: address.Port}
		go w.forwardSignals(exit)
		if status, ended := w.watch(); ended {
			w.seeOff()
			exit(status)
		}
	}()
}

// watcher follows one program through the server of this process.
type watcher struct {
	client *rpc2.RPCClient
	port   int // that the server listens on
	pid    int // of the program, 0 for unknown; only watch uses it
	// ending says that somebody asked the program to end with a signal.
	ending atomic.Bool
}

// watch returns the exit status of the program when it ended, or false when Delve itself is ending.
func (w *watcher) watch() (status int, ended bool) {
	for ; ; time.Sleep(lookEvery) {
		if w.getsOn() {
			continue
		}
		state, err := w.client.GetStateNonBlocking()
		if status, ended := exitStatus(err); ended {
			return status, true
		}
		var answered rpc.ServerError
		if err != nil && !errors.As(err, &answered) {
			return 0, false // the connection is gone
		}
		if err == nil && w.letGo(state) {
			for range w.client.Continue() { // until it stops again or ended
			}
		}
	}
}

// getsOn says whether the program runs, or is stopped for a client.
func (w *watcher) getsOn() bool {
	p, found := findTracee(w.pid)
	w.pid = p.pid
	return found && (!p.stopped || w.watched())
}

// letGo says whether the program is stopped where it would end without a debugger, and nobody is there to look at it:
// in a panic or another fatal error, for which Delve has breakpoints of its own, or anywhere once it was told to end.
// With a client connected it stays stopped, which is what a debugger is for.
func (w *watcher) letGo(state *api.DebuggerState) bool {
	if state.Running || state.Recording || state.CoreDumping {
		return false
	}
	return (w.ending.Load() || dying(state)) && !w.watched()
}

// dying says whether the program is stopped at one of the breakpoints that Delve sets for fatal errors.
func dying(state *api.DebuggerState) bool {
	for _, thread := range state.Threads {
		if b := thread.Breakpoint; b != nil && (b.Name == proc.UnrecoveredPanic || b.Name == proc.FatalThrow) {
			return true
		}
	}
	return false
}

// watched says whether a client is connected besides the watcher; yes if that cannot be found out.
func (w *watcher) watched() bool {
	n, err := connections(os.DirFS("/proc/self/net"), w.port)
	return err != nil || n > 1
}

// seeOff waits until the clients left, at most for the time of the farewell.
func (w *watcher) seeOff() {
	for end := time.Now().Add(farewell); w.watched() && time.Now().Before(end); {
		time.Sleep(lookEvery / 4)
	}
}

// exitStatus reads the error that Delve gives for the state of a program that ended, which is proc.ErrProcessExited
// turned into text on its way through the connection.
func exitStatus(err error) (int, bool) {
	if err == nil {
		return 0, false
	}
	var pid, status int
	if n, _ := fmt.Sscanf(err.Error(), "Process %d has exited with status %d", &pid, &status); n != 2 {
		return 0, false
	}
	if status < 0 {
		status = 128 - status // ended by a signal: as shells and container runtimes count
	}
	return status, true
}

// ownAddress returns where to reach the server of this process that listens on the address of --listen. It fails for
// a Unix socket.
func ownAddress(listen string) (*net.TCPAddr, error) {
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, err
	}
	if address.IP == nil || address.IP.IsUnspecified() {
		address.IP = net.IPv4(127, 0, 0, 1)
	}
	return address, nil
}

// connect connects to a server as soon as it listens; nil when it does not within a while.
func connect(address *net.TCPAddr) net.Conn {
	for range 100 {
		conn, err := net.DialTimeout("tcp", address.String(), time.Second)
		if err == nil {
			return conn
		}
		time.Sleep(lookEvery / 4)
	}
	return nil
}
