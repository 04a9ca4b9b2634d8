package dap

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/go-dap"
)

// Session is one editor's session.
type Session struct {
	// Connect connects to the debugger, waiting until there is one. replaced says that the process of the last connection
	// has ended, so that it is another one that is wanted. An error ends the session.
	Connect func(ctx context.Context, replaced bool) (io.ReadWriteCloser, error)
	// Attach changes the arguments of a request to attach.
	Attach func(arguments map[string]json.RawMessage)
	// Address is where the session's editor connects for a process that the debugged one starts, in place of the address
	// in the container; nil: that stays as it is.
	Address func() (host string, port int)
	// Say tells a person what goes on.
	Say func(format string, args ...any)
	// Retry is the wait ahead of another attempt to connect; it doubles up to twenty times that. 0: 250 ms.
	Retry time.Duration
	// Patience is how long a debugger may take to read what it is sent; 0: 10 s.
	Patience time.Duration

	editor io.Writer
	out    int // number of the last message to the editor
	err    error

	introduction, attachment *message // what the editor asked for
	wanted                   []*breakpoints
	configured               bool
	asked                    map[string]*message // its requests of the handshake that have no answer yet
	introduced, initialized  bool                // it has had the answer to initialize, and the event initialized
	child                    bool                // the process debugged is one that another one started
	leaving                  *message            // its request to disconnect
	over                     bool                // there will be no debugger any more

	link    *link
	lost    int  // connections that ended before they were live, in a row
	was     bool // a connection was live
	again   bool // there was a process before the one now
	threads map[int]bool
	stopped bool
	lastID  int // of breakpoints, as the editor knows them
	reverse map[int]int
	events  chan func()
	done    bool
}

// breakpoints are what the editor set with one request.
type breakpoints struct {
	key string
	req *message
	ids []int // as the editor knows them
}

// link is a connection to a debugger.
type link struct {
	conn                                     io.ReadWriteCloser
	patience                                 time.Duration
	out                                      int
	pending                                  map[int]func(*message) // by the number of the request
	requests                                 map[int]*message       // of the editor's that are passed on, by that number
	sentInit, inited, sentAttach, readyToSet bool
	replayed, sentDone, live, hasStopped     bool
	outstanding                              int
	ids                                      map[int]int // breakpoints of the debugger, as the editor knows them
}

// Serve serves an editor until it leaves.
func (s *Session) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	told := ctx.Done()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s.editor, s.threads, s.reverse = out, map[int]bool{}, map[int]int{}
	s.asked = map[string]*message{}
	s.events = make(chan func())
	s.Retry = cmp.Or(s.Retry, 250*time.Millisecond)
	s.Patience = cmp.Or(s.Patience, 10*time.Second)
	go s.readEditor(ctx, bufio.NewReader(in))
	go s.connect(ctx, false, 0)
	for !s.done {
		select {
		case f := <-s.events:
			f()
		case <-told:
			told = nil
			s.leave(nil) // which takes a moment
		}
	}
	if s.link != nil {
		_ = s.link.conn.Close() // it is over
	}
	return s.err
}

// do runs a function on the session's goroutine.
func (s *Session) do(ctx context.Context, f func()) {
	select {
	case s.events <- f:
	case <-ctx.Done():
	}
}

func (s *Session) readEditor(ctx context.Context, r *bufio.Reader) {
	for {
		m, err := read(r)
		if err != nil {
			s.do(ctx, func() {
				if !errors.Is(err, io.EOF) && s.leaving == nil {
					s.err = err
				}
				s.leave(nil)
			})
			return
		}
		s.do(ctx, func() { s.fromEditor(ctx, m) })
	}
}

// send sends a message to the editor. One that is gone is noticed by its end of input.
func (s *Session) send(m *message) {
	s.out++
	_ = m.write(s.editor, s.out)
}

func (s *Session) say(format string, args ...any) {
	if s.Say != nil {
		s.Say(format, args...)
	}
}

// show shows a text in the editor's console.
func (s *Session) show(text string) {
	s.say("%s", text)
	if s.introduced {
		s.send(event("output", map[string]any{"category": "console", "output": "debuggable: " + text + "\n"}))
	}
}

// connect makes a connection, in the background.
func (s *Session) connect(ctx context.Context, replaced bool, wait time.Duration) {
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return
	}
	conn, err := s.Connect(ctx, replaced)
	if err != nil {
		s.do(ctx, func() { s.end(ctx, err) })
		return
	}
	l := &link{
		conn: conn, patience: s.Patience, pending: map[int]func(*message){}, requests: map[int]*message{}, ids: map[int]int{},
	}
	s.do(ctx, func() {
		s.link = l
		s.sync(ctx)
	})
	for r := bufio.NewReader(conn); ; {
		m, err := read(r)
		if err != nil {
			s.do(ctx, func() { s.lose(ctx, l, false) })
			return
		}
		s.do(ctx, func() {
			if s.link == l {
				s.fromDebugger(ctx, l, m)
			}
		})
	}
}

// end tells the editor that there is nothing to debug any more.
func (s *Session) end(ctx context.Context, err error) {
	if s.over {
		return
	}
	s.over, s.link = true, nil
	text := "the debugger is gone"
	if err != nil {
		text = err.Error()
		s.err = err
	}
	s.show(text)
	s.refuse(text)
	switch {
	case s.leaving != nil:
		s.done = true
	case s.introduced:
		s.send(event("terminated", map[string]any{}))
	default: // an editor that has said nothing yet is told when it does
		time.AfterFunc(2*time.Second, func() { s.do(ctx, func() { s.done = true }) })
	}
}

// refuse answers what waits for a debugger.
func (s *Session) refuse(text string) {
	for _, m := range s.asked {
		s.send(response(m, nil, text))
		s.done = s.done || !s.introduced
	}
	clear(s.asked)
}

// sync takes the next steps that bring a connection to the state that the editor wants.
func (s *Session) sync(ctx context.Context) {
	l := s.link
	if l == nil {
		return
	}
	if s.introduction != nil && !l.sentInit {
		l.sentInit = true
		s.ask(l, s.introduction, func(m *message) {
			l.inited = true
			s.introduced = true
			s.answer("initialize", m)
			s.sync(ctx)
		})
	}
	if l.inited && s.attachment != nil && !l.sentAttach {
		l.sentAttach = true
		s.ask(l, s.attachment, func(m *message) {
			if !m.success && s.asked["attach"] == nil {
				s.say("attaching again: %s", m.text("message"))
				s.lose(ctx, l, false)
				return
			}
			s.answer("attach", m)
		})
	}
	if !l.readyToSet {
		return
	}
	if !l.replayed {
		l.replayed = true
		for _, b := range s.wanted {
			l.outstanding++
			s.ask(l, b.req, func(m *message) {
				l.outstanding--
				s.renew(l, b, m)
				s.sync(ctx)
			})
		}
	}
	if l.outstanding == 0 && s.configured && !l.sentDone {
		l.sentDone = true
		s.ask(l, request("configurationDone", map[string]any{}), func(m *message) {
			s.answer("configurationDone", m)
			l.live = true
			s.lost = 0
			if s.was {
				s.show("attached again; breakpoints are set")
			}
			s.was = true
		})
	}
}

// ask sends a request of the session's own, or in the editor's words, to the debugger.
func (s *Session) ask(l *link, m *message, answered func(*message)) {
	copied := &message{kind: m.kind, command: m.command, fields: maps.Clone(m.fields)}
	l.pending[l.out+1] = answered
	l.send(copied)
}

// send sends a message to the debugger. A connection that is lost is noticed by its reader; one that nobody reads from
// must not stop the session, and is lost.
func (l *link) send(m *message) {
	if d, ok := l.conn.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = d.SetWriteDeadline(time.Now().Add(l.patience)) // else it has none
	}
	l.out++
	if m.write(l.conn, l.out) != nil {
		_ = l.conn.Close() // it is over
	}
}

// thread takes note of a thread.
func (s *Session) thread(id int) {
	if len(s.threads) < mostKnown {
		s.threads[id] = true
	}
}

// answer answers a request of the editor's handshake, if it waits for that.
func (s *Session) answer(command string, m *message) {
	to := s.asked[command]
	if to == nil {
		return
	}
	delete(s.asked, command)
	m.set("request_seq", to.seq)
	s.send(m)
}

// lose deals with a connection that has ended. ended says that the process did as well.
func (s *Session) lose(ctx context.Context, l *link, ended bool) {
	_ = l.conn.Close()
	if s.link != l {
		return
	}
	s.link = nil
	for _, m := range l.requests {
		s.local(m)
	}
	if s.leaving != nil {
		s.done = true
		return
	}
	if s.child {
		s.end(ctx, nil)
		return
	}
	for _, id := range slices.Sorted(maps.Keys(s.threads)) {
		if s.stopped {
			s.send(event("continued", map[string]any{"threadId": id, "allThreadsContinued": true}))
			s.stopped = false
		}
		s.send(event("thread", dap.ThreadEventBody{Reason: "exited", ThreadId: id}))
	}
	s.stopped, s.again = false, s.again || s.was
	clear(s.threads)
	clear(s.reverse)
	var wait time.Duration
	if l.live {
		s.show("the process is gone; waiting for it to come back")
	} else {
		s.lost++
		wait = s.Retry << min(s.lost-1, 4)
	}
	go s.connect(ctx, ended, wait)
}

// leave ends the session: the debugger is left as it would be without it. m is the editor's request to disconnect, nil
// where it is gone.
func (s *Session) leave(m *message) {
	if s.leaving != nil {
		s.done = s.done || m == nil // it waited for the answer, and does not any more
		return
	}
	if m == nil {
		m = request("disconnect", map[string]any{"restart": false, "terminateDebuggee": false})
	}
	s.leaving = m
	l := s.link
	if l == nil || !l.inited {
		s.local(m)
		s.done = true
		return
	}
	var terminate bool
	_ = json.Unmarshal(m.part("arguments")["terminateDebuggee"], &terminate) // anything else is no
	nothing := func(*message) {}
	if l.readyToSet && !terminate && !s.child {
		for _, b := range s.wanted {
			s.ask(l, b.cleared(), nothing)
		}
		if ids := slices.Sorted(maps.Keys(s.threads)); s.stopped && len(ids) > 0 {
			s.ask(l, request("continue", map[string]any{"threadId": ids[0]}), nothing)
		}
	}
	s.ask(l, m, func(r *message) {
		r.set("request_seq", m.seq)
		if m.seq != 0 {
			s.send(r)
		}
		s.done = true
	})
	time.AfterFunc(3*time.Second, func() { _ = l.conn.Close() }) // a debugger that does not answer is left
}

// cleared is the request that takes breakpoints out again.
func (b *breakpoints) cleared() *message {
	arguments := b.req.part("arguments")
	for _, key := range []string{"breakpoints", "filters", "filterOptions", "exceptionOptions", "lines"} {
		if _, ok := arguments[key]; ok || key == "breakpoints" && b.req.command != "setExceptionBreakpoints" {
			arguments[key] = json.RawMessage("[]")
		}
	}
	return request(b.req.command, arguments)
}
