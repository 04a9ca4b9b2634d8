package dap

import (
	"context"
	"slices"
)

// fromEditor deals with a message of the editor.
func (s *Session) fromEditor(ctx context.Context, m *message) {
	if m.kind == "response" {
		s.toDebugger(m)
		return
	}
	if m.kind != "request" {
		return
	}
	switch m.command {
	case "initialize":
		s.introduction, s.asked["initialize"] = m, m
		s.sync(ctx)
	case "attach":
		arguments := m.part("arguments")
		_, s.child = arguments["subProcessId"]
		if s.Attach != nil && !s.child {
			s.Attach(arguments)
		}
		s.asked["attach"] = &message{seq: m.seq, command: m.command}
		m.set("arguments", arguments)
		s.attachment = m
		s.sync(ctx)
	case "launch":
		s.send(response(m, nil, "the process runs already, in a container: want the request attach"))
	case "configurationDone":
		s.configured, s.asked["configurationDone"] = true, m
		s.sync(ctx)
	case "disconnect", "terminate":
		s.leave(m)
	case "setBreakpoints", "setFunctionBreakpoints", "setExceptionBreakpoints":
		s.setBreakpoints(m)
	default:
		s.pass(m)
	}
	if s.over {
		text := "there is no process any more"
		if s.err != nil {
			text = s.err.Error()
		}
		s.refuse(text)
	}
}

// pass passes a request on, unless it is of a process that is gone.
func (s *Session) pass(m *message) {
	l := s.link
	if l == nil || !l.inited {
		s.local(m)
		return
	}
	if s.again && s.stale(l, m.part("arguments")) {
		s.send(response(m, nil, "this is of a process that is gone"))
		return
	}
	s.forward(l, m, func(r *message) { s.learn(m, r) })
}

// stale reports whether a request is about a thread, a stack frame or a variable of a process before.
func (s *Session) stale(l *link, arguments object) bool {
	if id, ok := number(arguments["threadId"]); ok && !s.threads[id] {
		return true
	}
	for _, key := range []string{"frameId", "variablesReference"} {
		if _, ok := arguments[key]; ok && !l.hasStopped {
			return true
		}
	}
	return false
}

// forward passes a request on, and its answer back.
func (s *Session) forward(l *link, m *message, learn func(*message)) {
	s.ask(l, m, func(r *message) {
		delete(l.requests, m.seq)
		learn(r)
		r.set("request_seq", m.seq)
		s.send(r)
	})
	l.requests[m.seq] = m
}

// learn takes note of what an answer says.
func (s *Session) learn(m, r *message) {
	switch m.command {
	case "threads":
		for _, t := range list(r.part("body")["threads"]) {
			if id, ok := number(decodeObject(t)["id"]); ok {
				s.thread(id)
			}
		}
	case "continue", "next", "stepIn", "stepOut":
		if r.success {
			s.stopped = false
		}
	}
}

// local answers a request while there is no debugger.
func (s *Session) local(m *message) {
	if m.seq == 0 {
		return // the session's own
	}
	switch m.command {
	case "threads":
		s.send(response(m, map[string]any{"threads": []any{}}, ""))
	case "continue":
		s.send(response(m, map[string]any{"allThreadsContinued": true}, ""))
	case "next", "stepIn", "stepOut", "pause", "disconnect", "terminate":
		s.send(response(m, nil, ""))
	case "setBreakpoints", "setFunctionBreakpoints":
		var unverified []any
		for range list(m.part("arguments")["breakpoints"]) {
			unverified = append(unverified, map[string]any{"verified": false, "message": "waiting for the process"})
		}
		s.send(response(m, map[string]any{"breakpoints": unverified}, ""))
	default:
		s.send(response(m, nil, "there is no process at the moment"))
	}
}

// setBreakpoints remembers what the editor sets, and passes it on if there is a debugger.
func (s *Session) setBreakpoints(m *message) {
	key := m.command
	if m.command == "setBreakpoints" {
		key += " " + string(m.part("arguments")["source"])
		if path := textOf(decodeObject(m.part("arguments")["source"])["path"]); path != "" {
			key = m.command + " " + path
		}
	}
	b := &breakpoints{key: key, req: m}
	for range list(m.part("arguments")["breakpoints"]) {
		s.lastID++
		b.ids = append(b.ids, s.lastID)
	}
	if at := slices.IndexFunc(s.wanted, func(o *breakpoints) bool { return o.key == key }); at >= 0 {
		s.wanted[at] = b
	} else {
		s.wanted = append(s.wanted, b)
	}
	l := s.link
	if l == nil || !l.replayed {
		answer := map[string]any{}
		if m.command != "setExceptionBreakpoints" {
			var set []any
			for _, id := range b.ids {
				set = append(set, map[string]any{"id": id, "verified": false, "message": "waiting for the process"})
			}
			answer["breakpoints"] = set
		}
		s.send(response(m, answer, ""))
		return
	}
	s.forward(l, m, func(r *message) {
		if r.success {
			body := r.part("body")
			body["breakpoints"] = encode(s.identify(l, b, body["breakpoints"]))
			r.set("body", body)
		}
	})
}

// toDebugger passes on what the editor answers to a request of the debugger.
func (s *Session) toDebugger(m *message) {
	seq, ok := s.reverse[m.requestSeq]
	if !ok || s.link == nil {
		return // of a debugger that is gone
	}
	delete(s.reverse, m.requestSeq)
	m.set("request_seq", seq)
	s.link.send(m)
}
