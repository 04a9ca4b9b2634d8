package launch

import (
	"maps"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// heard finds the commands of a script whose messages something reads: V=$(java -version 2>&1), java -version 2>&1 |
// head -1. What a debugger makes a program say there would be taken for what the program says. What only goes to the
// container's log, or to a file that is not mentioned again, is for people.
func heard(file *syntax.File) map[*syntax.CallExpr]bool {
	h := ears{mentions: map[string]int{}, functions: map[string]bool{}}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			if n.Name != nil {
				h.functions[n.Name.Value] = true
			}
		case *syntax.Word:
			name, _ := literal(n)
			h.mentions[name]++
		}
		return true
	})
	// Where the output of functions is read is known only when all their calls have been seen; and a function may call
	// another.
	for {
		before := h.called
		h.calls, h.piped = map[*syntax.CallExpr]bool{}, map[*syntax.Stmt]pipe{}
		if h.walk(file); maps.Equal(before, h.called) {
			return h.calls
		}
	}
}

type ears struct {
	mentions  map[string]int // how often words are, which may be the names of files
	calls     map[*syntax.CallExpr]bool
	piped     map[*syntax.Stmt]pipe // the statements whose output goes into one
	functions map[string]bool
	called    streams // where those of functions lead, from anywhere that one is called
}

// pipe is one that a statement writes to: errors as well (|&), and to somebody who reads all of it.
type pipe struct{ all, read bool }

// streams says which file descriptors lead to somebody who reads them.
type streams map[string]bool

func (h *ears) walk(file *syntax.File) {
	to := []streams{{}}
	syntax.Walk(file, func(n syntax.Node) bool {
		if n == nil {
			to = to[:len(to)-1]
			return true
		}
		now := to[len(to)-1]
		switch n := n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst:
			now = now.with("1", true)
		case *syntax.BinaryCmd:
			if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
				h.piped[n.X] = pipe{all: n.Op == syntax.PipeAll, read: !selects(n.Y)}
			}
		case *syntax.Stmt:
			now = h.redirected(n, now)
		case *syntax.FuncDecl:
			now = h.called
		case *syntax.CallExpr:
			h.call(n, now)
		}
		to = append(to, now)
		return true
	})
}

// call notes a command whose streams lead somewhere.
func (h *ears) call(call *syntax.CallExpr, to streams) {
	if len(call.Args) == 0 {
		return
	}
	if h.functions[call.Args[0].Lit()] {
		for _, fd := range []string{"1", "2"} {
			if to[fd] {
				h.called = h.called.with(fd, true)
			}
		}
	}
	if to["2"] {
		h.calls[call] = true
	}
}

func (s streams) with(fd string, read bool) streams {
	if s[fd] == read {
		return s
	}
	changed := streams{fd: read}
	for other, is := range s {
		if other != fd {
			changed[other] = is
		}
	}
	return changed
}

// redirected is where a statement's streams lead, given where those around it do.
func (h *ears) redirected(st *syntax.Stmt, now streams) streams {
	if p, is := h.piped[st]; is {
		now = now.with("1", p.read)
		if p.all {
			now = now.with("2", p.read)
		}
	}
	for _, r := range st.Redirs {
		fd := "1"
		if r.N != nil {
			fd = r.N.Value
		}
		if len(fd) > 1 {
			continue // nobody does this, and there may be any number of them
		}
		switch r.Op {
		case syntax.DplOut:
			to := r.Word.Lit()
			if strings.Trim(to, "0123456789-") == "" && to != "" {
				now = now.with(fd, now[to])
			} else { // bash: both, to a file
				now = now.with("1", h.readLater(r.Word)).with("2", h.readLater(r.Word))
			}
		case syntax.RdrOut, syntax.AppOut, syntax.RdrClob:
			now = now.with(fd, h.readLater(r.Word))
		case syntax.RdrAll, syntax.AppAll:
			now = now.with("1", h.readLater(r.Word)).with("2", h.readLater(r.Word))
		}
	}
	return now
}

// readLater reports whether a file may be read by the script: it is mentioned once more, or its name is not known.
func (h *ears) readLater(w *syntax.Word) bool {
	name, all := literal(w)
	return !all || !strings.HasPrefix(name, "/dev/") && h.mentions[name] > 1
}

// selects reports whether a command picks the lines that name a version, which no message about a debugger does: grep
// version, sed -n 's/.* version "\(.*\)"/\1/p', awk '/version/ …'.
func selects(st *syntax.Stmt) bool {
	name, call := callName(st)
	if call == nil {
		return false
	}
	var text string
	options := ""
	for _, w := range call.Args[1:] {
		s, _ := literal(w)
		if strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "--") {
			options += s[1:]
		}
		text += " " + s
	}
	if !strings.Contains(text, "version") {
		return false
	}
	switch name = path.Base(name); {
	case slices.Contains([]string{"grep", "egrep", "fgrep"}, name):
		return !strings.ContainsAny(options, "vcL") && !strings.Contains(text, "--")
	case name == "sed":
		return strings.Contains(options, "n")
	case slices.Contains([]string{"awk", "gawk", "mawk"}, name):
		return strings.Contains(text, "/version") || strings.Contains(text, "version/")
	}
	return false
}

// literal is the text of a word that is written out, within quotes or not, and whether that is all of it.
func literal(w *syntax.Word) (text string, all bool) {
	all = true
	for _, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			text += part.Value
		case *syntax.SglQuoted:
			text += part.Value
		case *syntax.DblQuoted:
			inner, whole := literal(&syntax.Word{Parts: part.Parts})
			text, all = text+inner, all && whole
		default:
			all = false
		}
	}
	return text, all
}
