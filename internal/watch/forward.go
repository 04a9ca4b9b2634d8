package watch

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/streaming/pkg/httpstream"

	"debuggable.dev/debuggable/internal/localport"
	"debuggable.dev/debuggable/runtimes"
)

const loopback = "127.0.0.1"

// forwarder keeps a local port open to each debug port of each container that runs.
type forwarder struct {
	hub    *hub
	ending *ending
	say    func(format string, args ...any)
	dial   func(namespace, pod string) (httpstream.Dialer, error)
	// connected says whether the API server can be reached, as far as is known. If not, that has been said already.
	connected func() bool

	// Waiting times between attempts on a broken forward.
	firstDelay, lastDelay time.Duration
	// patience is how long a forward may be broken before the user hears of it.
	patience time.Duration

	mu       sync.Mutex
	reserved map[int]bool // local ports that forwards of ours have, or had and will want again
	runs     map[runID]*forwards
	plan     localport.Plan
	// last holds the forwards that were started last for a debug port, for their successors to wait for.
	last map[target]chan struct{}
	// locals are the local ports that debug ports were forwarded to, for the forwards after a restart: whoever is
	// attached, attaches to the same address again. At most maxLocals.
	locals map[target]int
	done   sync.WaitGroup
	count  int  // forwards that are open or being opened
	full   bool // that there are maxForwards has been said
}

// maxLocals is far more than one person forwards; pods' names do not come again, so that without a bound they would add
// up.
const maxLocals = 10_000

// target names what a forward leads to, across restarts. Two protocols may share a port, as with Delve; each gets its
// forward.
type target struct {
	namespace, pod, container, protocol string
	port                                int32
}

func newForwarder(
	h *hub, say func(string, ...any), dial func(namespace, pod string) (httpstream.Dialer, error),
) *forwarder {
	return &forwarder{
		hub: h, say: say, dial: dial, connected: func() bool { return true },
		firstDelay: 200 * time.Millisecond, lastDelay: 15 * time.Second, patience: 3 * time.Second,
		reserved: map[int]bool{}, runs: map[runID]*forwards{}, last: map[target]chan struct{}{},
		locals: map[target]int{},
	}
}

// start opens the forwards of a container that has started.
func (f *forwarder) start(ctx context.Context, id runID, c container) {
	ctx, cancel := context.WithCancel(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	run := &forwards{cancel: cancel, container: c}
	f.runs[id] = run
	for _, protocol := range f.admit(c) {
		t := target{c.namespace, c.pod, c.name, protocol, c.info.Ports[protocol]}
		f.plan.Want(int(t.port))
		one := &forwarding{target: t, number: f.plan.Take(int(t.port)), moved: make(chan struct{}, 1)}
		run.all = append(run.all, one)
		before, closed := f.last[t], make(chan struct{})
		f.last[t] = closed
		f.done.Go(func() {
			defer func() {
				close(closed)
				f.mu.Lock()
				defer f.mu.Unlock()
				f.count--
				if f.last[t] == closed {
					delete(f.last, t)
				}
			}()
			// The container that was here before gives back the local port, so that this one can have the same.
			if before != nil {
				select {
				case <-before:
				case <-ctx.Done():
					return
				}
			}
			f.keep(ctx, id, one)
		})
	}
}

// A pod's annotation is written by whoever may edit the pod. These bound what it opens here: a few ports of a
// container, which is one debugger with two protocols, or a wrapper and what it starts; and in all more than one person
// debugs.
const (
	maxPorts    = 4
	maxForwards = 256
)

// protocols are those that debuggers speak in the annotation. Another word there may be any port of any program.
func protocols() []string {
	names := append(runtimes.Protocols(), "xdebug") // that of PHP, which Skaffold's readers know
	slices.Sort(names)
	return slices.Compact(names)
}

// admit returns the protocols of a container to forward, and says once what is left out. It counts them; f.mu is held.
func (f *forwarder) admit(c container) []string {
	var admitted []string
	for _, protocol := range protocols() {
		if port := c.info.Ports[protocol]; port > 0 && port < 1<<16 && len(admitted) < maxPorts {
			admitted = append(admitted, protocol)
		}
	}
	if left := len(c.info.Ports) - len(admitted); left > 0 {
		f.say("not forwarding %d of the ports that pod %s/%s lists for container %s: at most %d of debuggers' protocols "+
			"(%s) are",
			left, c.namespace, c.pod, c.name, maxPorts, strings.Join(protocols(), ", "))
	}
	if room := maxForwards - f.count; len(admitted) > room {
		admitted = admitted[:max(room, 0)]
		if !f.full {
			f.full = true
			f.say("%d ports are forwarded, which is all that will be at a time: choose pods with -n or -l", maxForwards)
		}
	}
	f.count += len(admitted)
	return admitted
}

// stop ends the forwards of a container that has ended. replaced says that its pod goes as well.
func (f *forwarder) stop(id runID, replaced bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run := f.runs[id]
	if run == nil {
		return
	}
	run.cancel()
	delete(f.runs, id)
	for _, one := range run.all {
		f.plan.Release(one.number)
	}
	if replaced {
		f.succeed(run)
	}
}

// wait returns when all forwards are closed, or after a while; at once where nothing is forwarded.
func (f *forwarder) wait() {
	if f != nil {
		f.ending.wait(f.done.Wait)
	}
}

// expect takes note of the debug ports of a container that may start.
func (f *forwarder) expect(ports map[string]int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, port := range ports {
		if port > 0 && port < 1<<16 {
			f.plan.Want(int(port))
		}
	}
}

// keep opens one forward, again and again when it breaks, until ctx ends.
func (f *forwarder) keep(ctx context.Context, id runID, one *forwarding) {
	t := one.target
	var local int // the port that it has had, 0 before the first time
	defer func() { f.release(local) }()
	delay := f.firstDelay
	var broken time.Time // since when it has been
	var said bool
	for ctx.Err() == nil {
		number, moves := f.move(ctx, one)
		if moves {
			f.release(local)
			local = 0
		}
		opened := false
		err := f.open(ctx, one, local, number, func(port int) {
			opened = true
			if said {
				f.say("forwarding port %d of pod %s/%s again", t.port, t.namespace, t.pod)
				said = false
			}
			f.hub.publishForward(id, portEvent{
				LocalPort: port, RemotePort: int(t.port), PodName: t.pod, ContainerName: t.container, Namespace: t.namespace,
				PortName: t.protocol, ResourceType: "pod", ResourceName: t.pod, Address: loopback,
			}, port == local)
			if port != local {
				f.release(local)
				local = port
				f.remember(t, port)
			}
		})
		f.hub.endForward(id, local)
		if ctx.Err() != nil {
			return
		}
		if opened {
			// A forward breaks as soon as one connection is refused in the pod, as happens while the debugger is
			// still starting. So this is nothing to speak of, and the port is opened again right away.
			delay, broken = f.firstDelay, time.Now()
			if !pause(ctx, delay) {
				return
			}
			continue
		}
		if !said && f.connected() && (local == 0 || time.Since(broken) > f.patience) {
			f.say("forwarding port %d of pod %s/%s: %v; trying again", t.port, t.namespace, t.pod, err)
			said = true
		}
		if !pause(ctx, delay) {
			return
		}
		delay = min(2*delay, f.lastDelay)
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// open opens one forward, calls ready with the local port, and returns when the forward breaks or ctx ends. had is the
// local port that the forward had before, which it gets again if it is still free, and number the one that is planned.
func (f *forwarder) open(ctx context.Context, one *forwarding, had, number int, ready func(port int)) error {
	t := one.target
	dialer, err := f.dial(t.namespace, t.pod)
	if err != nil {
		return err
	}
	tunnel, err := openTunnel(ctx, dialer, t.port)
	if err != nil {
		return err
	}
	local := f.choose(t, had, number)
	if local == 0 {
		tunnel.fail(nil)
		return errors.New("no local port is free")
	}
	l, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(local)))
	if err != nil {
		tunnel.fail(nil)
		if local != had {
			f.release(local)
		}
		return err
	}
	ready(local)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if one.unused(ctx, tunnel) {
			cancel()
		}
	}()
	return tunnel.serve(ctx, l)
}

// choose reserves a local port: the one that the forward had, the one that was forwarded to before the container was
// restarted, the planned one, or any that is free; 0 if none is.
func (f *forwarder) choose(t target, had, number int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted := []int{had, f.locals[t], number}
	wanted = append(slices.DeleteFunc(wanted, func(port int) bool { return port == 0 }), 0) // 0 is any
	for _, port := range wanted {
		if port != had && f.reserved[port] {
			continue
		}
		l, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		free := l.Addr().(*net.TCPAddr).Port
		_ = l.Close() // the forward opens it for itself
		if port != 0 && takenOnIPv6(port) {
			continue
		}
		f.reserved[free] = true
		return free
	}
	return 0
}

// remember keeps the local port of a debug port for the forward after a restart.
func (f *forwarder) remember(t target, local int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.locals) >= maxLocals {
		clear(f.locals)
	}
	f.locals[t] = local
}

// takenOnIPv6 says whether another program listens on the port of the IPv6 loopback alone. Clients that are told
// localhost may try that first, and would find themselves at the wrong debugger.
func takenOnIPv6(port int) bool {
	l, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE) // else there is no IPv6 here
	}
	_ = l.Close()
	return false
}

func (f *forwarder) release(port int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.reserved, port)
}
