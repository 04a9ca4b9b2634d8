package launch

import (
	"slices"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/image/files"
)

// within lists the commands that a script of the image may run, which is not followed: the program that matters is one
// of them. shell is what runs it. nil: the text cannot be read.
func (f *finder) within(words []word, end place, file files.File, shell []string) []Command {
	inv := invocation{langs: dialects(shellName(shell)), via: words[0].text, end: end, params: words[1:], file: true,
		script: word{text: file.Script, known: len(file.Script), static: true, single: true}, zero: &words[0]}
	if f.shells++; f.shells > maxShells || inv.check() != nil {
		return nil
	}
	for _, lang := range inv.langs {
		parsed, err := parse(file.Script, lang)
		if err != nil {
			continue
		}
		s := &script{finder: f.clone(), inv: inv, src: file.Script, file: parsed, lang: lang, unknown: len(file.Script),
			plainParams: plainWords(inv.params), functions: map[string]bool{}, unexported: map[string]bool{}}
		if s.survey() == nil && !s.splitting {
			s.noParams = false
			pruned := *parsed
			p := pruner{script: s, loosely: true}
			pruned.Stmts = p.stmts(parsed.Stmts)
			parsed = &pruned
		}
		lister := lister{script: s, last: map[*syntax.CallExpr]bool{}, heard: heard(parsed)}
		lister.lastOf(parsed.Stmts)
		lister.list(parsed, surroundings{})
		return lister.commands
	}
	return nil
}

// lister lists the commands of a script.
type lister struct {
	*script
	last     map[*syntax.CallExpr]bool // those that it ends with, one of which is run
	heard    map[*syntax.CallExpr]bool
	commands []Command
}

// surroundings are what a command of a script stands in.
type surroundings struct {
	maybe      bool // a condition, or a function
	background bool
	loop       bool
	apart      bool // in a process of its own, which exec ends, and not the script
}

// lastOf finds the commands that statements end with.
func (l *lister) lastOf(stmts []*syntax.Stmt) {
	if len(stmts) == 0 {
		return
	}
	st := stmts[len(stmts)-1]
	if len(stmts) > 1 && l.trivial(st) { // exit $?
		l.lastOf(stmts[:len(stmts)-1])
		return
	}
	if besides(st) {
		return
	}
	switch c := st.Cmd.(type) {
	case *syntax.CallExpr:
		l.last[c] = true
	case *syntax.Block:
		l.lastOf(c.Stmts)
	case *syntax.Subshell:
		l.lastOf(c.Stmts)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			l.lastOf(c.Then)
		}
	case *syntax.CaseClause:
		for _, item := range c.Items {
			l.lastOf(item.Stmts)
		}
	case *syntax.WhileClause:
		l.lastOf(c.Do)
	case *syntax.BinaryCmd:
		if c.Op != syntax.AndStmt { // the first part of a pipeline, and the first one of two that || joins
			l.lastOf([]*syntax.Stmt{c.X})
		}
		if c.Op == syntax.AndStmt || c.Op == syntax.OrStmt {
			l.lastOf([]*syntax.Stmt{c.Y})
		}
	}
}

// list adds the commands within a node.
func (l *lister) list(node syntax.Node, in surroundings) {
	syntax.Walk(node, func(n syntax.Node) bool {
		if n == nil || n == node {
			if call, is := n.(*syntax.CallExpr); is && n != nil {
				l.add(call, in)
			}
			return true
		}
		to := in
		switch n := n.(type) {
		case *syntax.Stmt:
			to.background = to.background || besides(n)
			to.apart = to.apart || besides(n)
		case *syntax.ProcSubst, *syntax.CoprocClause:
			to.background, to.apart = true, true
		case *syntax.Subshell, *syntax.CmdSubst:
			to.apart = true
		case *syntax.IfClause, *syntax.CaseClause, *syntax.FuncDecl:
			to.maybe = true
		case *syntax.WhileClause, *syntax.ForClause:
			to.maybe, to.loop = true, true
		case *syntax.BinaryCmd:
			l.binary(n, in)
			return false
		case *syntax.CallExpr:
			l.add(n, in)
			return true // for the sake of its substitutions
		default:
			return true
		}
		l.list(n, to)
		return false
	})
}

// binary adds the commands of a list, or of a pipeline, whose parts run at the same time.
func (l *lister) binary(n *syntax.BinaryCmd, in surroundings) {
	to := in
	if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
		in.background, in.apart = true, true
		to = in
		to.maybe = to.maybe && !l.endsIn(n.X) // it runs where the program does
	} else {
		to.maybe = true
	}
	for _, part := range []struct {
		st *syntax.Stmt
		in surroundings
	}{{n.X, in}, {n.Y, to}} {
		part.in.background = part.in.background || besides(part.st)
		part.in.apart = part.in.apart || besides(part.st)
		l.list(part.st, part.in)
	}
}

// endsIn reports whether a statement has one of the commands that the script ends with.
func (l *lister) endsIn(st *syntax.Stmt) bool {
	for call := range l.last {
		if contains(st, call) {
			return true
		}
	}
	return false
}

// add adds a command.
func (l *lister) add(call *syntax.CallExpr, in surroundings) {
	if len(call.Args) == 0 {
		return
	}
	name := call.Args[0].Lit()
	if name == "." || name == "source" { // what a file does that is not known is not known
		return
	}
	c := l.other(call, in.background, l.heard[call])
	if len(c.Starts) == 0 {
		return
	}
	c.Maybe = in.maybe
	c.Last = l.last[call] || name == "exec" && len(call.Args) > 1 && !in.apart
	l.commands = append(l.commands, c)
	if in.loop && in.background { // several at the same time
		l.commands = append(slices.Clip(l.commands), c)
	}
}
