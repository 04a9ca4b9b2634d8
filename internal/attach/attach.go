// Package attach lets an editor attach to a container of a cluster by its workload's name, over the Debug Adapter
// Protocol: it finds the container, waits for it, and keeps the editor's session when another one takes its place
// (package dap).
//
// How the cluster is watched and ports are forwarded is handed in ([Attachment.Follow]): this package knows no
// Kubernetes client.
package attach

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"debuggable.dev/debuggable/internal/dap"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/sources"
	"debuggable.dev/debuggable/runtimes/editor"
)

// Target is what to attach to.
type Target struct {
	Namespace string // "": the context's
	Name      string // of a pod, or of what pods are of
	Container string // "": the only one
}

// ParseTarget reads [NAMESPACE/]POD|WORKLOAD[:CONTAINER].
func ParseTarget(s string) (Target, error) {
	var t Target
	rest, container, has := strings.Cut(s, ":")
	t.Container = container
	if has && container == "" || strings.Contains(container, ":") {
		return Target{}, fmt.Errorf("%q: want [NAMESPACE/]POD|WORKLOAD[:CONTAINER]", s)
	}
	if namespace, name, ok := strings.Cut(rest, "/"); ok {
		t.Namespace, rest = namespace, name
		if namespace == "" {
			return Target{}, fmt.Errorf("%q: want [NAMESPACE/]POD|WORKLOAD[:CONTAINER]", s)
		}
	}
	if t.Name = rest; rest == "" || strings.Contains(rest, "/") {
		return Target{}, fmt.Errorf("%q: want [NAMESPACE/]POD|WORKLOAD[:CONTAINER]", s)
	}
	return t, nil
}

func (t Target) String() string {
	s := t.Name
	if t.Container != "" {
		s += ":" + t.Container
	}
	if t.Namespace != "" {
		s += " in namespace " + t.Namespace
	}
	return s
}

// Fits reports whether a container is one that is meant.
func (t Target) Fits(r debuginfo.Running) bool {
	return (t.Name == r.Pod || t.Name == r.Workload) && (t.Container == "" || t.Container == r.Name)
}

// Attachment attaches.
type Attachment struct {
	Target Target
	// Follow follows the cluster until ctx ends: it forwards the ports of containers that forward wants, and calls look
	// with all that run at each change.
	Follow func(ctx context.Context, forward func(debuginfo.Running) bool, look func([]debuginfo.Running) error) error
	// Locate finds a container's sources.
	Locate func(ctx context.Context, c ide.Container) (sources.Found, error)
	Say    func(format string, args ...any)
	// Timeout is how long the container may take to be there; 0: as long as it takes.
	Timeout time.Duration
	// Settle is how long the cluster may take to tell that a container has ended; 0: 3 s.
	Settle time.Duration

	mu      sync.Mutex
	running []debuginfo.Running
	moved   chan struct{}
	target  Target // that of the running container's workload, once there was one
	failed  error
}

// errNotThere is the end of the time in which a container was to be there.
var errNotThere = errors.New("no such container runs under a debugger")

// start follows the cluster in the background. What it returns ends that.
func (a *Attachment) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	a.moved, a.target = make(chan struct{}), a.Target
	move := func(f func()) {
		a.mu.Lock()
		defer a.mu.Unlock()
		f()
		close(a.moved)
		a.moved = make(chan struct{})
	}
	var done sync.WaitGroup
	done.Go(func() {
		err := a.Follow(ctx, func(r debuginfo.Running) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.target.Fits(r) || a.Target.Fits(r)
		}, func(running []debuginfo.Running) error {
			move(func() { a.running = running })
			return nil
		})
		if err == nil {
			err = errors.New("told to stop")
		}
		move(func() { a.failed = err })
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// wait waits for a container that fits. Of several it is the one that had is the ID of, if it stays, and else the one
// that serves best. One whose pod is being deleted is as good as gone, unless it was had.
func (a *Attachment) wait(
	ctx context.Context, had string, fits func(debuginfo.Running) bool,
) (debuginfo.Running, error) {
	for {
		was := func(r debuginfo.Running) bool { return had != "" && r.ID == had }
		running, moved, failed := a.state()
		found := slices.DeleteFunc(running, func(r debuginfo.Running) bool { return !fits(r) || r.Deleting && !was(r) })
		switch {
		case failed != nil:
			return debuginfo.Running{}, failed
		case len(found) > 0:
			best := found[0]
			for _, r := range found[1:] {
				stays, comesBack := was(best) && !best.Deleting, was(r) && !r.Deleting
				if comesBack || !stays && debuginfo.Compare(r, best) >= 0 {
					best = r // of those that are as good, the one that started last
				}
			}
			return best, a.choose(found, best)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return debuginfo.Running{}, context.Cause(ctx)
		}
	}
}

// state returns those that are meant of the containers that run, in the order in which they started, and what is closed
// when that changes.
func (a *Attachment) state() (running []debuginfo.Running, moved <-chan struct{}, failed error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.running {
		if a.target.Fits(r) || a.Target.Fits(r) {
			running = append(running, r)
		}
	}
	return running, a.moved, a.failed
}

// leaves reports whether a container ends, or its pod is being deleted, before ctx ends.
func (a *Attachment) leaves(ctx context.Context, id string) bool {
	for {
		running, moved, failed := a.state()
		stays := slices.ContainsFunc(running, func(r debuginfo.Running) bool { return r.ID == id && !r.Deleting })
		if failed != nil || !stays {
			return failed == nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
}

// choose refuses to choose between containers of a pod. From now on, pods of the same workload are as good as this one.
func (a *Attachment) choose(found []debuginfo.Running, last debuginfo.Running) error {
	names := map[string]bool{}
	var all []string
	for _, r := range found {
		if r.Pod == last.Pod && r.Namespace == last.Namespace && !names[r.Name] {
			names[r.Name] = true
			all = append(all, r.Name)
		}
	}
	if len(all) > 1 {
		return fmt.Errorf("pod %s has several debuggable containers: say which, as in %s:%s (it has %s)",
			last.Pod, a.Target.Name, all[0], strings.Join(all, ", "))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if last.Kind != "Pod" {
		a.target = Target{Namespace: last.Namespace, Name: last.Workload, Container: last.Name}
	}
	return nil
}

// first waits for the container, and finds out what its debugger is told.
func (a *Attachment) first(ctx context.Context) (c ide.Container, id string, _ map[string]json.RawMessage, _ error) {
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.Timeout,
			fmt.Errorf("%s: %w after %s", a.Target, errNotThere, a.Timeout))
		defer cancel()
	}
	waiting := time.AfterFunc(2*time.Second, func() { a.Say("waiting for %s", a.Target) })
	r, err := a.wait(ctx, "", func(debuginfo.Running) bool { return true })
	waiting.Stop()
	if err != nil {
		return ide.Container{}, "", nil, err
	}
	c = ide.FromRunning(r)
	protocol, speaks := c.Adapter()
	if !speaks {
		return c, "", nil, fmt.Errorf("container %s of pod %s is %s, whose debugger does not speak the Debug Adapter "+
			"Protocol: %s",
			r.Name, r.Pod, cmp.Or(r.Info.Runtime, "of no runtime that is known"), instead(r))
	}
	if c.Sources, err = a.Locate(ctx, c); err != nil {
		return c, "", nil, err
	}
	a.tellOfNewer(r)
	a.Say("attaching to %s, container %s, %s on port %d", r.Pod, r.Name, protocol, r.Info.Ports[protocol])
	return c, r.ID, c.AttachArguments(), nil
}

// tellOfNewer says how to get to a pod that is not ready, as one is not that waits for a debugger.
func (a *Attachment) tellOfNewer(chosen debuginfo.Running) {
	running, _, _ := a.state()
	for _, r := range running {
		if chosen.Ready && !r.Ready && !r.Deleting && r.Created.After(chosen.Created) {
			a.Say("pod %s is newer, but not ready: name it to attach to it", r.Pod)
			return
		}
	}
}

// instead says how to attach to a debugger that this cannot attach to.
func instead(r debuginfo.Running) string {
	if len(r.Info.Ports) == 0 {
		return "write the editor's own entry with debuggable ide, which starts the debugger in the container"
	}
	return fmt.Sprintf("run debuggable watch -n %s --port-forward, and attach with the entry that debuggable ide writes",
		r.Namespace)
}

// connector hands out connections to the container's debugger, one after the other.
type connector struct {
	a        *Attachment
	protocol string
	going    *editor.Question
	mu       sync.Mutex
	last     string // ID of the container connected to
	local    int    // and the port of this machine
}

func (c *connector) connect(ctx context.Context, replaced bool) (io.ReadWriteCloser, error) {
	for {
		last := c.lastID()
		r, err := c.a.wait(ctx, last, func(r debuginfo.Running) bool {
			return r.Locals[c.protocol] != 0 && !(replaced && r.ID == last)
		})
		if err != nil {
			return nil, err
		}
		local := r.Locals[c.protocol]
		conn, err := dial(ctx, local, c.going)
		if err == nil {
			c.mu.Lock()
			c.last, c.local = r.ID, local
			c.mu.Unlock()
			return conn, nil
		}
		select { // the forward has just ended, which will be known in a moment
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// dial connects to a debugger, once it has let the program go.
func dial(ctx context.Context, local int, going *editor.Question) (net.Conn, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(local))
	if going != nil {
		// One that is suspended, or stands at somebody else's breakpoint, does not go at all.
		asking, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		for !goes(asking, address, *going) {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-asking.Done():
			}
		}
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp4", address)
}

// goes asks whether the program goes; a debugger that does not answer, or not in time, is not waited for.
func goes(ctx context.Context, address string, question editor.Question) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", address)
	if err != nil {
		return true
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, question.Ask); err != nil {
		return true
	}
	answer, err := bufio.NewReader(io.LimitReader(conn, 1<<20)).ReadBytes('\n')
	return err != nil || question.Yes(answer)
}

func (c *connector) lastID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// address is where the port of this machine is.
func (c *connector) address() (string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "127.0.0.1", c.local
}

// Serve serves the editor at the other end of in and out.
func (a *Attachment) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	defer a.start(ctx)()
	c, _, arguments, err := a.first(ctx)
	if err != nil {
		return err
	}
	protocol, _ := c.Adapter()
	connector := &connector{a: a, protocol: protocol, going: c.Going()}
	session := &dap.Session{Connect: connector.connect, Attach: merge(arguments), Say: a.Say, Address: connector.address}
	return session.Serve(ctx, in, out)
}

// mostEditors is how many connections of editors are served at a time: one, and one for each process that the debugged
// one starts.
const mostEditors = 64

// Listen serves editors that connect to a port of the loopback interface: one, and for each process that the debugged
// one starts another one. It ends when all of them have left.
func (a *Attachment) Listen(ctx context.Context, port int) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("listening for editors: %w", err)
	}
	defer listener.Close()
	defer a.start(ctx)()
	address := listener.Addr().(*net.TCPAddr)
	a.Say("listening on %s for an editor", address)
	c, _, arguments, err := a.first(ctx)
	if err != nil {
		return err
	}
	protocol, _ := c.Adapter()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var mu sync.Mutex
	var sessions sync.WaitGroup
	open := 0
	for {
		conn, err := listener.Accept()
		if err != nil {
			sessions.Wait()
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("listening for editors: %w", err)
		}
		mu.Lock()
		if open >= mostEditors {
			mu.Unlock()
			conn.Close()
			continue
		}
		open++
		mu.Unlock()
		sessions.Go(func() {
			connector := &connector{a: a, protocol: protocol, going: c.Going()}
			session := &dap.Session{
				Connect: connector.connect, Attach: merge(arguments), Say: a.Say,
				Address: func() (string, int) { return "127.0.0.1", address.Port },
			}
			if err := session.Serve(ctx, conn, conn); err != nil {
				a.Say("%v", err)
			}
			conn.Close()
			mu.Lock()
			defer mu.Unlock()
			if open--; open == 0 {
				listener.Close()
			}
		})
	}
}

// merge returns what changes an editor's arguments: ours come behind those that it has in lists, and do not replace
// others. How the editor was to reach the debugger means nothing to that.
func merge(ours map[string]json.RawMessage) func(map[string]json.RawMessage) {
	return func(arguments map[string]json.RawMessage) {
		for _, key := range []string{"connect", "listen", "host", "port", "processId"} {
			delete(arguments, key)
		}
		for key, value := range ours {
			theirs, ok := arguments[key]
			if !ok {
				arguments[key] = value
				continue
			}
			var a, b []json.RawMessage
			if json.Unmarshal(theirs, &a) != nil || json.Unmarshal(value, &b) != nil {
				continue
			}
			for _, one := range b {
				if !slices.ContainsFunc(a, func(other json.RawMessage) bool { return string(other) == string(one) }) {
					a = append(a, one)
				}
			}
			if joined, err := json.Marshal(a); err == nil {
				arguments[key] = joined
			}
		}
	}
}

// Checked is what became of a breakpoint, in words.
type Checked struct {
	Bound bool
	Text  string
}

// Check sets a breakpoint at FILE:LINE, takes it out again, and says whether it bound.
func (a *Attachment) Check(ctx context.Context, at string) (Checked, error) {
	file, line, err := parsePlace(at)
	if err != nil {
		return Checked{}, err
	}
	defer a.start(ctx)()
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.Timeout,
			fmt.Errorf("%s: %w after %s", a.Target, errNotThere, a.Timeout))
		defer cancel()
	}
	const most = 5 // containers; more come and go than there is one to be checked
	for n := 1; ; n++ {
		c, id, arguments, err := a.first(ctx)
		if err != nil {
			return Checked{}, err
		}
		bound, err := a.checkIn(ctx, c, id, arguments, file, line)
		if err == nil {
			return describe(c, file, line, bound), nil
		}
		if n == most || !errors.Is(err, errLeft) {
			return Checked{}, err
		}
		a.Say("%v; choosing another one", err)
	}
}

// errLeft says that it was not the debugger that did not want to.
var errLeft = errors.New("the container has ended, or is about to")

// checkIn sets a breakpoint in a container, and takes it out again. It waits until the debugger listens.
func (a *Attachment) checkIn(
	ctx context.Context, c ide.Container, id string, arguments map[string]json.RawMessage, file string, line int,
) (dap.Bound, error) {
	merge(arguments)(arguments)
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 4*time.Second) {
		bound, err := a.checkOnce(ctx, c, id, arguments, file, line)
		if err == nil || ctx.Err() != nil || errors.Is(err, errLeft) {
			return bound, err
		}
		refused := !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !isReset(err)
		if refused {
			wait = a.settle() // a process that ends makes its debugger refuse before the cluster tells
		}
		pause, cancel := context.WithTimeout(ctx, wait)
		left := a.leaves(pause, id)
		cancel()
		switch {
		case ctx.Err() != nil:
			return bound, context.Cause(ctx)
		case left:
			return bound, fmt.Errorf("%w: %w", errLeft, err)
		case refused:
			return bound, fmt.Errorf("setting a breakpoint: %w", err)
		}
	}
}

// settle is how long it may take to be told that a container has ended.
func (a *Attachment) settle() time.Duration { return cmp.Or(a.Settle, 3*time.Second) }

func (a *Attachment) checkOnce(
	ctx context.Context, c ide.Container, id string, arguments map[string]json.RawMessage, file string, line int,
) (dap.Bound, error) {
	protocol, _ := c.Adapter()
	local, err := a.forwarded(ctx, id, protocol)
	if err != nil {
		return dap.Bound{}, err
	}
	conn, err := dial(ctx, local, c.Going())
	if err != nil {
		return dap.Bound{}, err
	}
	defer conn.Close()
	return dap.Check(ctx, conn, arguments, file, line)
}

// forwarded waits for the port of this machine that leads to a container's.
func (a *Attachment) forwarded(ctx context.Context, id, protocol string) (int, error) {
	for {
		running, moved, failed := a.state()
		at := slices.IndexFunc(running, func(r debuginfo.Running) bool { return r.ID == id && !r.Deleting })
		switch {
		case failed != nil:
			return 0, failed
		case at < 0:
			return 0, errLeft
		case running[at].Locals[protocol] != 0:
			return running[at].Locals[protocol], nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// parsePlace reads FILE:LINE.
func parsePlace(at string) (file string, line int, err error) {
	i := strings.LastIndexByte(at, ':')
	if i <= 0 {
		return "", 0, fmt.Errorf("%q is not a place like main.go:12", at)
	}
	if line, err = strconv.Atoi(at[i+1:]); err != nil || line < 1 {
		return "", 0, fmt.Errorf("%q is not a place like main.go:12", at)
	}
	if file, err = filepath.Abs(at[:i]); err != nil {
		return "", 0, err
	}
	if _, err := os.Stat(file); err != nil {
		return "", 0, fmt.Errorf("a breakpoint at %q: %w", at, err)
	}
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		file = resolved // the sources were found without symbolic links
	}
	return file, line, nil
}

// describe says what became of a breakpoint, and in which file of the container.
func describe(c ide.Container, file string, line int, b dap.Bound) Checked {
	place := fmt.Sprintf("%s:%d", file, line)
	remote, mapped := c.RemotePath(file)
	if !b.Verified {
		text := "not bound: " + place
		if mapped {
			text += " (the debugger was asked for " + remote + ")"
		} else if len(c.Sources.Modules) == 0 {
			text += " (it is in no directory that is mapped)"
		}
		if b.Message != "" {
			text += ": " + b.Message
		}
		return Checked{Text: text}
	}
	at := cmp.Or(b.Line, line)
	if !mapped {
		remote = cmp.Or(b.Path, file)
	}
	return Checked{Bound: true, Text: fmt.Sprintf("bound: %s -> %s:%d", place, remote, at)}
}
