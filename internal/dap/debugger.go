package dap

import (
	"context"
	"encoding/json"
)

// fromDebugger deals with a message of the debugger.
func (s *Session) fromDebugger(ctx context.Context, l *link, m *message) {
	switch m.kind {
	case "response":
		if answered := l.pending[m.requestSeq]; answered != nil {
			delete(l.pending, m.requestSeq)
			answered(m)
		}
	case "request":
		if len(s.reverse) >= mostReverse {
			l.send(response(m, nil, "the editor has not answered the requests before this one"))
			return
		}
		s.out++
		s.reverse[s.out] = m.seq
		_ = m.write(s.editor, s.out) // an editor that is gone is noticed by its end of input
	case "event":
		s.eventOf(ctx, l, m)
	}
}

func (s *Session) eventOf(ctx context.Context, l *link, m *message) {
	body := m.part("body")
	switch m.event {
	case "initialized":
		l.readyToSet = true
		if !s.initialized {
			s.initialized = true
			s.send(m)
		}
		s.sync(ctx)
		return
	case "terminated", "exited":
		if s.leaving == nil && !s.child {
			if m.event == "terminated" {
				s.lose(ctx, l, true)
			}
			return
		}
	case "stopped":
		s.stopped, l.hasStopped = true, true
		if id, ok := number(body["threadId"]); ok {
			s.thread(id)
		}
		s.rename(l, m, body, "hitBreakpointIds")
	case "continued":
		s.stopped = false
	case "thread":
		if id, ok := number(body["threadId"]); ok {
			if textOf(body["reason"]) == "exited" {
				delete(s.threads, id)
			} else {
				s.thread(id)
			}
		}
	case "breakpoint":
		b := decodeObject(body["breakpoint"])
		id, ok := number(b["id"])
		known, has := l.ids[id]
		if ok && !has {
			return // set by nobody who is here
		}
		if ok {
			b["id"] = encode(known)
			body["breakpoint"] = encode(b)
			m.set("body", body)
		}
	case "debugpyAttach":
		// The address is the one in the container.
		if _, ok := body["connect"]; ok && s.Address != nil {
			host, port := s.Address()
			body["connect"] = encode(map[string]any{"host": host, "port": port})
			m.set("body", body)
		}
	}
	s.send(m)
}

// rename replaces the debugger's numbers of breakpoints by the editor's.
func (s *Session) rename(l *link, m *message, body object, key string) {
	ids := list(body[key])
	if len(ids) == 0 {
		return
	}
	var known []int
	for _, raw := range ids {
		if id, ok := number(raw); ok {
			if editors, has := l.ids[id]; has {
				known = append(known, editors)
			}
		}
	}
	body[key] = encode(known)
	m.set("body", body)
}

// identify gives breakpoints that were set the numbers that the editor knows them by.
func (s *Session) identify(l *link, b *breakpoints, set json.RawMessage) []object {
	var all []object
	answers := list(set)
	for i, raw := range answers[:min(len(answers), mostKnown)] {
		one := decodeObject(raw)
		if i < len(b.ids) {
			if id, ok := number(one["id"]); ok {
				l.ids[id] = b.ids[i]
			}
			one["id"] = encode(b.ids[i])
		}
		all = append(all, one)
	}
	return all
}

// renew tells the editor what became of breakpoints that were set again.
func (s *Session) renew(l *link, b *breakpoints, m *message) {
	if !m.success {
		s.show("setting breakpoints again: " + m.text("message"))
		return
	}
	for _, one := range s.identify(l, b, m.part("body")["breakpoints"]) {
		if b.req.command != "setExceptionBreakpoints" && s.introduced {
			s.send(event("breakpoint", changed{"changed", one}))
		}
	}
}

// changed is the body of an event that tells of a breakpoint.
type changed struct {
	Reason     string `json:"reason"`
	Breakpoint object `json:"breakpoint"`
}
