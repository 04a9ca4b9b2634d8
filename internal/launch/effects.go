package launch

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/reason"
)

// certainty says whether a command in front of the program is run for certain, maybe, or without an effect on it.
type certainty int

const (
	certain certainty = iota
	maybe
	apart // in a process of its own
)

// survey looks at the whole script for what changes the meaning of words anywhere in it.
func (s *script) survey() error {
	v := surveyor{script: s, keeps: map[*syntax.ParamExp]bool{}}
	syntax.Walk(s.file, func(n syntax.Node) bool {
		v.node(n)
		return v.err == nil
	})
	return v.err
}

// surveyor walks through a script.
type surveyor struct {
	*script
	keeps map[*syntax.ParamExp]bool // expansions that leave a variable as it is
	err   error
}

func (v *surveyor) node(n syntax.Node) {
	switch n := n.(type) {
	case *syntax.FuncDecl:
		for _, name := range append(n.Names, n.Name) {
			if name != nil {
				v.functions[name.Value] = true
			}
		}
	case *syntax.Assign:
		v.assigns(n)
	case *syntax.ForClause:
		// "for a; do" goes over the positional parameters.
		if it, ok := n.Loop.(*syntax.WordIter); ok && !it.InPos.IsValid() {
			v.params++
		}
	case *syntax.Redirect:
		// dash takes only one digit for a file descriptor, and the others for a word.
		if n.N != nil && len(n.N.Value) > 1 && v.lang != syntax.LangBash {
			v.err = reason.Refuse(reason.ShellDialect, "whether %s> is a file descriptor depends on which shell runs", n.N.Value)
		}
	case *syntax.ParamExp:
		if n.Param != nil {
			v.expansion(n)
		}
	case *syntax.ArithmExp, *syntax.ArithmCmd, *syntax.LetClause:
		// Arithmetic may assign to any of its names.
		syntax.Walk(n, func(n syntax.Node) bool {
			if w, ok := n.(*syntax.Word); ok && isName(w.Lit()) {
				v.references[w.Lit()] = true
				v.vars[w.Lit()] = value{}
			}
			return true
		})
	case *syntax.CallExpr:
		if len(n.Args) > 0 {
			keptByEnv(n.Args, v.keeps)
			v.builtin(n.Args)
		}
	}
}

func (v *surveyor) assigns(a *syntax.Assign) {
	if a.Name == nil {
		return
	}
	if a.Name.Value == "IFS" {
		v.splitting = true
	}
	if a.Value != nil {
		for _, p := range keepsItself(a) {
			v.keeps[p] = true
		}
	}
}

func (v *surveyor) expansion(n *syntax.ParamExp) {
	name := n.Param.Value
	switch {
	case name == "0":
		v.zeros++
	case strings.ContainsAny(name, "@*#123456789") && !isName(name):
		v.params++
	case isName(name) && !v.keeps[n]:
		v.references[name] = true
		if strings.HasPrefix(name, "BASH_ARG") {
			v.params++
		}
	}
	if n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull) || n.Excl {
		v.assign(name, Assignment{})
		v.references[name] = true
	}
}

// builtin notes what the shell's own commands do to the rest of the script.
func (v *surveyor) builtin(args []*syntax.Word) {
	switch args[0].Lit() {
	case "export", "readonly", "local", "typeset", "declare":
		for _, w := range args[1:] {
			if a := asAssign(w); a != nil {
				v.assigns(a)
			}
		}
	case "getopts", ".", "source", "eval":
		v.params++ // they may look at the positional parameters without saying so
	case "command", "builtin":
		if len(args) > 1 && (args[1].Lit() == "" && v.parameters(args[1]) == nil || isBuiltin(args[1].Lit())) {
			v.params++
		}
	case "alias":
		v.err = reason.Refuse(reason.ShellAlias, "the script defines aliases")
	case "shopt", "enable", "hash":
		if !harmless(args) {
			v.err = reason.Refuse(reason.ShellOption, "the script changes what the shell runs, by %s", args[0].Lit())
		}
	case "shift":
		v.noParams = true
	case "set":
		v.options(args)
	}
}

// options notes what the shell's set does.
func (v *surveyor) options(args []*syntax.Word) {
	for i, w := range args[1:] {
		lit := w.Lit()
		switch {
		case lit == "" || lit[0] != '-' && lit[0] != '+':
			if i == 0 || !strings.HasSuffix(args[i].Lit(), "o") {
				v.noParams = true
			}
		case lit == "--" || lit == "-":
			v.noParams = true
		case lit[0] == '-' && strings.ContainsAny(lit[1:], "knt"):
			v.err = reason.Refuse(reason.ShellOption, "the script sets an option that changes what it runs")
			return
		}
	}
}

// keptByEnv adds to keeps the expansions of a variable in what an env assigns to it, as keepsItself does.
func keptByEnv(args []*syntax.Word, keeps map[*syntax.ParamExp]bool) {
	env := false
	for _, w := range args {
		lit := w.Lit()
		if env = env || lit == "env" || strings.HasSuffix(lit, "/env"); !env {
			continue
		}
		if name := assignedBy(w); name != "" {
			for _, p := range keptIn(w, name) {
				keeps[p] = true
			}
		}
	}
}

// harmless says whether a call of shopt, enable or hash changes neither what the words of the program are nor what they
// run.
func harmless(args []*syntax.Word) bool {
	switch args[0].Lit() {
	case "enable":
		return len(args) == 1
	case "hash":
		return !slices.ContainsFunc(args[1:], func(w *syntax.Word) bool { return w.Lit() != "-r" })
	}
	options := []string{"-s", "-u", "-q", "-p", "nullglob", "failglob", "dotglob", "globstar", "nocaseglob",
		"inherit_errexit", "checkwinsize", "huponexit"}
	return !slices.ContainsFunc(args[1:], func(w *syntax.Word) bool { return !slices.Contains(options, w.Lit()) })
}

// keepsItself returns the expansions of a variable in the value that is assigned to it, when they leave the old value
// whole whatever it is: X=$X:/a, X="${X:+$X }a".
func keepsItself(a *syntax.Assign) []*syntax.ParamExp { return keptIn(a.Value, a.Name.Value) }

// keptIn returns the expansions of a variable in a word that leave its value whole.
func keptIn(w *syntax.Word, name string) []*syntax.ParamExp {
	var out []*syntax.ParamExp
	var in func(parts []syntax.WordPart)
	in = func(parts []syntax.WordPart) {
		for _, p := range parts {
			switch p := p.(type) {
			case *syntax.DblQuoted:
				in(p.Parts)
			case *syntax.ParamExp:
				if p.Param == nil || p.Param.Value != name {
					continue
				}
				if simpleParam(p) {
					out = append(out, p)
				} else if p.Exp != nil && p.Exp.Op == syntax.AlternateUnsetOrNull && p.Exp.Word != nil && noOperator(p) {
					n := len(out)
					in(p.Exp.Word.Parts)
					if len(out) > n {
						out = append(out, p)
					}
				}
			}
		}
	}
	in(w.Parts)
	return out
}

// assignedBy returns the name in a word for env, NAME=value or "NAME=value".
func assignedBy(w *syntax.Word) string {
	part := w.Parts[0]
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) > 0 {
		part = q.Parts[0]
	}
	if lit, ok := part.(*syntax.Lit); ok {
		if name, _, ok := strings.Cut(lit.Value, "="); ok && isName(name) {
			return name
		}
	}
	return ""
}

// asAssign reads an argument of export as the assignment that it is, where the parser knows export as a plain command.
func asAssign(w *syntax.Word) *syntax.Assign {
	lit, ok := w.Parts[0].(*syntax.Lit)
	if !ok {
		return nil
	}
	name, val, ok := strings.Cut(lit.Value, "=")
	if !ok || !isName(name) {
		return nil
	}
	n := uint(len(name) + 1)
	pos := syntax.NewPos(lit.ValuePos.Offset()+n, lit.ValuePos.Line(), lit.ValuePos.Col()+n)
	a := &syntax.Assign{Name: &syntax.Lit{ValuePos: lit.ValuePos, ValueEnd: pos, Value: name}}
	parts := w.Parts[1:]
	if val != "" || pos.Offset() < lit.ValueEnd.Offset() {
		parts = append([]syntax.WordPart{&syntax.Lit{ValuePos: pos, ValueEnd: lit.ValueEnd, Value: val}}, parts...)
	}
	if len(parts) > 0 {
		a.Value = &syntax.Word{Parts: parts}
	}
	return a
}

// simpleParam says whether an expansion is $X or ${X}.
func simpleParam(p *syntax.ParamExp) bool { return p.Exp == nil && noOperator(p) }

// noOperator says whether an expansion is $X, ${X} or ${X-word} with any operator that takes a word.
func noOperator(p *syntax.ParamExp) bool {
	return p.Param != nil && p.Flags == nil && !p.Excl && !p.Length && !p.Width && !p.IsSet && p.NestedParam == nil &&
		p.Index == nil &&
		len(p.Modifiers) == 0 && p.Slice == nil && p.Repl == nil && p.Names == 0 &&
		p.Split == syntax.OptUnset && p.GlobSubst == syntax.OptUnset && p.RcExpand == syntax.OptUnset
}

// before applies what the script does before the command that counts.
func (s *script) before(call *syntax.CallExpr) {
	s.stmts(s.file.Stmts, call, certain)
}

func (s *script) stmts(stmts []*syntax.Stmt, call *syntax.CallExpr, how certainty) (reached bool) {
	for _, st := range stmts {
		if s.stmt(st, call, how) {
			return true
		}
	}
	return false
}

func contains(n syntax.Node, call *syntax.CallExpr) bool {
	return n.Pos().Offset() <= call.Pos().Offset() && call.End().Offset() <= n.End().Offset()
}

func (s *script) stmt(st *syntax.Stmt, call *syntax.CallExpr, how certainty) (reached bool) {
	here := contains(st, call)
	if st.Background || st.Coprocess || st.Disown {
		how = apart
	}
	switch c := st.Cmd.(type) {
	case *syntax.CallExpr:
		if c == call {
			return true
		}
		s.simple(c, how)
	case *syntax.DeclClause:
		s.declare(c, how)
	case *syntax.Block:
		return s.stmts(c.Stmts, call, how)
	case *syntax.Subshell:
		if !here {
			how = apart
		}
		return s.stmts(c.Stmts, call, how)
	case *syntax.BinaryCmd:
		return s.binary(c, call, how)
	case *syntax.TimeClause:
		if c.Stmt != nil {
			return s.stmt(c.Stmt, call, how)
		}
	case *syntax.FuncDecl:
		return s.stmt(c.Body, call, max(how, maybe))
	case *syntax.ForClause:
		if it, ok := c.Loop.(*syntax.WordIter); ok && how != apart {
			s.set(it.Name.Value, Assignment{}, false)
		}
		s.inner(c, how)
	case nil:
	default:
		s.inner(st.Cmd, how)
	}
	return false
}

// binary applies two statements that &&, || or a pipe joins.
func (s *script) binary(c *syntax.BinaryCmd, call *syntax.CallExpr, how certainty) (reached bool) {
	if c.Op == syntax.AndStmt || c.Op == syntax.OrStmt {
		if s.stmt(c.X, call, how) {
			return true
		}
		if contains(c.Y, call) {
			return s.stmt(c.Y, call, how)
		}
		return s.stmt(c.Y, call, max(how, maybe))
	}
	for _, part := range []*syntax.Stmt{c.X, c.Y} {
		h := apart
		if contains(part, call) {
			h = how
		}
		if s.stmt(part, call, h) {
			return true
		}
	}
	return false
}

// inner applies the statements of a compound command that does not contain the program: each may run or not.
func (s *script) inner(n syntax.Node, how certainty) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst:
			return false
		case *syntax.CallExpr:
			s.simple(n, max(how, maybe))
		case *syntax.DeclClause:
			s.declare(n, max(how, maybe))
		}
		return true
	})
}

// set records an assignment of the shell's.
func (s *script) set(name string, a Assignment, export bool) {
	s.assign(name, a)
	if export {
		delete(s.unexported, name)
	} else {
		s.unexported[name] = true
	}
}

func (s *script) assignment(a *syntax.Assign, how certainty, export bool) {
	if how == apart || a.Name == nil || a.Naked {
		return
	}
	name := a.Name.Value
	as := Assignment{Keeps: a.Append}
	if a.Value != nil {
		v, ok := s.valueOf(a.Value)
		if a.Append {
			old := s.lookup(name)
			v, ok = old.text+v, ok && old.known
		}
		as.Value, as.Known = v, ok && a.Index == nil
		as.Keeps = as.Keeps || len(keepsItself(a)) > 0
	} else if a.Array == nil && a.Index == nil && !a.Append {
		as.Known = true // X=
	}
	if how == maybe || !as.Known {
		as.Value, as.Known = "", false
		as.Perhaps = how == maybe
		if a.Value != nil {
			as.Text = s.writtenOf(a.Value)
		}
	}
	s.set(name, as, export)
}

func (s *script) declare(d *syntax.DeclClause, how certainty) {
	if how == apart {
		return
	}
	export := d.Variant.Value == "export"
	for _, a := range d.Args {
		if a.Name == nil {
			if a.Value != nil && strings.HasPrefix(a.Value.Lit(), "-") {
				export = export || strings.Contains(a.Value.Lit(), "x")
				continue
			}
			s.forget() // export $X
			continue
		}
		if a.Naked {
			if export {
				delete(s.unexported, a.Name.Value)
			}
			continue
		}
		s.assignment(a, how, export)
	}
}

// simple applies a simple command in front of the program.
func (s *script) simple(c *syntax.CallExpr, how certainty) {
	if how == apart {
		return
	}
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			s.assignment(a, how, false)
		}
		return
	}
	name, args, ok := s.called(c)
	if isBuiltin(name) {
		for _, a := range c.Assigns { // X=1 export Y: special builtins keep it
			s.assignment(a, maybe, false)
		}
	}
	if !ok || slices.Contains([]string{"eval", ".", "source"}, name) {
		s.forget()
		s.dirSet, s.dirKnown = s.dirSet || !ok || name == "eval", s.dirKnown && ok && name != "eval"
		return
	}
	switch name {
	case "cd", "chdir":
		s.cd(args, how)
	case "pushd", "popd":
		s.chdir("", false)
	case "export", "readonly", "local", "typeset", "declare":
		s.export(args, how, name == "export")
	case "unset":
		s.unset(args, how)
	case "printf":
		if len(args) > 0 && args[0].Lit() == "-v" {
			s.reads(args)
		}
	case "read", "getopts", "mapfile", "readarray":
		s.reads(args)
	}
}

// reads applies what sets the variables that its arguments name to what is not known.
func (s *script) reads(args []*syntax.Word) {
	for _, a := range args {
		if v := a.Lit(); isName(v) {
			s.set(v, Assignment{}, false)
		}
	}
}

// called is the name of what a command calls, without command and builtin; ok is false where that is not known.
func (s *script) called(c *syntax.CallExpr) (name string, args []*syntax.Word, ok bool) {
	name, ok = s.valueOf(c.Args[0])
	args = c.Args[1:]
	for ok && (name == "command" || name == "builtin") && len(args) > 0 {
		name, ok = s.valueOf(args[0])
		args = args[1:]
	}
	return name, args, ok
}

// cd changes the working directory.
func (s *script) cd(args []*syntax.Word, how certainty) {
	to, known := "", false
	for len(args) > 0 && (args[0].Lit() == "--" || args[0].Lit() == "-P" || args[0].Lit() == "-L") {
		args = args[1:]
	}
	if len(args) == 1 {
		to, known = s.valueOf(args[0])
	}
	s.chdir(to, known && how == certain && !strings.HasPrefix(to, "~"))
}

// export applies export, and what is like it but for that.
func (s *script) export(args []*syntax.Word, how certainty, export bool) {
	for _, w := range args {
		a := asAssign(w)
		switch v, ok := s.valueOf(w); {
		case a != nil:
			// Some shells split the value here, others do not.
			h := how
			if f, _ := s.decode(w, true).fields(); len(f) != 1 {
				h = maybe
			}
			s.assignment(a, h, export)
		case !ok:
			s.forget()
		case export:
			delete(s.unexported, v)
		}
	}
}

// unset takes variables away.
func (s *script) unset(args []*syntax.Word, how certainty) {
	for _, a := range args {
		v, ok := s.valueOf(a)
		if !ok {
			s.forget()
			continue
		}
		if isName(v) {
			s.set(v, Assignment{Known: how == certain, Unset: how == certain}, true)
		}
	}
}
