package launch

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// again is the decision to leave out that a script starts itself again.
const again = "again"

// withoutAgain returns what is left of an if by which a script starts itself again as another user, with the parameters
// that it has, as many official images' entry points do: if [ "$(id -u)" = 0 ]; then …; exec gosu app "$0" "$@"; fi.
// Whether it does or not, it comes to the same. ok is false for any other if.
func (p *pruner) withoutAgain(c *syntax.IfClause) (left []*syntax.Stmt, ok bool) {
	n := len(c.Then)
	if c.Else != nil || len(c.Cond) == 0 || n == 0 || p.lost || slices.ContainsFunc(p.made, func(made string) bool {
		return strings.HasPrefix(made, "parameters")
	}) || slices.ContainsFunc(c.Cond, func(st *syntax.Stmt) bool { return !onlyTests(st) || !p.decidedByOthers(st) }) {
		return nil, false
	}
	last := c.Then[n-1]
	call, is := last.Cmd.(*syntax.CallExpr)
	if !is || besides(last) || last.Negated || len(last.Redirs) > 0 || len(call.Assigns) > 0 || !p.startsAgain(call.Args) {
		return nil, false
	}
	if before := c.Then[:n-1]; len(before) > 0 {
		if p.noExec(before) != nil || slices.ContainsFunc(before, changesParameters) {
			return nil, false
		}
		// Which condition it is does not matter any more: it may be so or not.
		from, to := c.Cond[0].Pos(), c.Cond[0].End()
		may := &syntax.CallExpr{Args: []*syntax.Word{{Parts: []syntax.WordPart{
			&syntax.Lit{ValuePos: from, ValueEnd: to, Value: "true"}}}}}
		rest := *c
		rest.Cond, rest.Then = []*syntax.Stmt{{Position: from, Cmd: may}}, before
		left = []*syntax.Stmt{{Position: c.Pos(), Cmd: &rest}}
	}
	p.used = p.used || slices.ContainsFunc(c.Cond, usesParameters)
	return left, true
}

// decidedByOthers reports whether all of a condition that looks at the parameters is known, so that what is not known
// does not depend on them.
func (p *pruner) decidedByOthers(st *syntax.Stmt) bool {
	if !usesParameters(st) {
		return true
	}
	if _, known := p.truth(st); known {
		return true
	}
	switch c := st.Cmd.(type) {
	case *syntax.BinaryCmd:
		return (c.Op == syntax.AndStmt || c.Op == syntax.OrStmt) && p.decidedByOthers(c.X) && p.decidedByOthers(c.Y)
	case *syntax.Block:
		return !slices.ContainsFunc(c.Stmts, func(st *syntax.Stmt) bool { return !p.decidedByOthers(st) })
	case *syntax.CallExpr:
		return len(c.Args) > 2 && len(c.Assigns) == 0 && c.Args[0].Lit() == "[" &&
			p.testsDecided(c.Args[1:len(c.Args)-1])
	}
	return false
}

// testsDecided is decidedByOthers for tests joined by -a and -o: [ "$1" = server -a "$(id -u)" = 0 ].
func (p *pruner) testsDecided(args []*syntax.Word) bool {
	for len(args) > 0 {
		end := slices.IndexFunc(args, func(w *syntax.Word) bool { return w.Lit() == "-a" || w.Lit() == "-o" })
		test, rest := args, args[len(args):]
		if end >= 0 {
			test, rest = args[:end], args[end+1:]
		}
		if usesParameters(&syntax.Stmt{Cmd: &syntax.CallExpr{Args: test}}) {
			if _, known := p.tests(test); !known {
				return false
			}
		}
		args = rest
	}
	return true
}

// startsAgain reports whether the words of a command start the script itself, with its parameters, as another user.
func (p *pruner) startsAgain(args []*syntax.Word) bool {
	n := len(args)
	if n < 5 || args[0].Lit() != "exec" || p.functions["exec"] || !p.isAll(args[n-1]) || !p.isItself(args[n-2]) {
		return false
	}
	switch launcher, own := path.Base(args[1].Lit()), args[2:n-2]; launcher {
	case "gosu", "su-exec":
		return len(own) == 1
	case "setpriv":
		return !slices.ContainsFunc(own, func(w *syntax.Word) bool {
			lit, _ := w.Parts[0].(*syntax.Lit)
			return lit == nil || !strings.HasPrefix(lit.Value, "--") || lit.Value == "--"
		})
	}
	return false
}

// isAll reports whether a word is "$@".
func (p *pruner) isAll(w *syntax.Word) bool {
	q := p.parameters(w)
	return q != nil && q.Param.Value == "@"
}

// isItself reports whether a word is the script's name.
func (p *pruner) isItself(w *syntax.Word) bool {
	if lit := w.Lit(); lit != "" {
		return p.inv.zero != nil && lit == p.inv.zero.text
	}
	if len(w.Parts) != 1 {
		return false
	}
	part := w.Parts[0]
	if q, is := part.(*syntax.DblQuoted); is && len(q.Parts) == 1 {
		part = q.Parts[0]
	}
	e, is := part.(*syntax.ParamExp)
	if !is || e.Param == nil {
		return false
	}
	indexed := *e
	indexed.Index = nil
	return (e.Param.Value == "0" || e.Param.Value == "BASH_SOURCE") && simpleParam(&indexed)
}
