package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/rpc2"
)

// supervisedVar marks the process that does the debugging. It is taken out of the environment before the program
// under the debugger inherits it.
const supervisedVar = "DEBUGGABLE_DLV_SUPERVISED"

// supervise runs this program's own command line in a child process, and lives and dies as the program under the debugger
// would have without it. Stock Delve stays when that program has exited, so that a Job never completes and a crash is
// never noticed; and it takes SIGTERM for itself and kills the program, so that nothing ends in good order.
//
// The child is asked over its own RPC port what the program does. It returns the exit code: the program's, 128 and the
// signal's number if a signal ended it, or Delve's own if it ends first.
func supervise(listen string) (int, error) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("finding this program: %w", err)
	}
	dlv, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Env:   append(os.Environ(), supervisedVar+"=1"),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 0, fmt.Errorf("starting Delve: %w", err)
	}
	ended := make(chan int, 1)
	go func() { ended <- reap(dlv.Pid) }()

	var client *rpc2.RPCClient
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case code := <-ended:
			return code, nil
		case s := <-signals:
			pass(client, dlv, s.(syscall.Signal))
		case <-tick.C:
			if client == nil {
				client = connect(listen)
				continue
			}
			code, exited := exitCode(client.GetStateNonBlocking())
			if !exited {
				continue
			}
			// Clients that are connected hear of the end before the connection goes.
			time.Sleep(500 * time.Millisecond)
			if err := dlv.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return 0, fmt.Errorf("ending Delve: %w", err)
			}
			<-ended
			return code, nil
		}
	}
}

// reap waits for a child process, and on the way for the orphans that the first process of a container inherits.
func reap(child int) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 1
		case pid == child && status.Exited():
			return status.ExitStatus()
		case pid == child && status.Signaled():
			return 128 + int(status.Signal())
		}
	}
}

// connect returns a client of the Delve that listens on an address, nil while it does not.
func connect(listen string) *rpc2.RPCClient {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), time.Second)
	if err != nil {
		return nil
	}
	return rpc2.NewClientFromConn(conn)
}

// exitCode tells from a state of the debugger whether the program has exited, and how.
func exitCode(state *api.DebuggerState, err error) (int, bool) {
	status := 0
	switch {
	case err == nil && state.Exited:
		status = state.ExitStatus
	case err == nil:
		return 0, false
	default:
		// Once the program is gone, Delve answers with proc.ErrProcessExited, of which only the text arrives.
		_, text, found := strings.Cut(err.Error(), "has exited with status ")
		if _, scanErr := fmt.Sscanf(text, "%d", &status); !found || scanErr != nil {
			return 0, false
		}
	}
	if status < 0 { // Delve's way to say that a signal did it
		status = 128 - status
	}
	return status, true
}

// pass gives a signal to the program under the debugger. A program that cannot take it, because it is stopped in the
// debugger, is ended by Delve when the signal asks for an end.
func pass(client *rpc2.RPCClient, dlv *os.Process, s syscall.Signal) {
	if client != nil {
		if state, err := client.GetStateNonBlocking(); err == nil && state.Running {
			if pid, ok := childOf(dlv.Pid); ok && syscall.Kill(pid, s) == nil {
				return
			}
		}
	}
	if s == syscall.SIGTERM || s == syscall.SIGINT {
		// An error means that it has ended already, which the caller is about to hear.
		_ = dlv.Signal(syscall.SIGTERM)
	}
}

// childOf finds the process whose parent is given: Delve has no other child than the program, and does not tell its
// process ID while it runs.
func childOf(parent int) (int, bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, false
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// proc_pid_status(5)
		status, err := os.ReadFile("/proc/" + e.Name() + "/status")
		if err == nil && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", parent)) {
			return pid, true
		}
	}
	return 0, false
}
