package launch

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

// prune leaves out of a script what is certain not to run, going by its parameters and by the files of the image, and
// carries out what changes the parameters: what official images' entry points do before they exec "$@".
func (s *script) prune() {
	scratch := *s
	scratch.finder = s.clone()
	scratch.functions, scratch.unexported = map[string]bool{}, map[string]bool{}
	if scratch.survey() != nil || scratch.splitting {
		return
	}
	// What the survey takes for unknown because the parameters change is known while their changes are carried out.
	scratch.noParams = false
	p := pruner{script: &scratch}
	file := *s.file
	file.Stmts = p.stmts(s.file.Stmts)
	if p.lost {
		return
	}
	s.file, s.inv = &file, scratch.inv
	s.plainParams = plainWords(s.inv.params)
	s.decisions = append(s.decisions, p.made...)
}

// nowhere is no command of any script.
func nowhere() *syntax.CallExpr {
	at := syntax.NewPos(1<<30, 1, 1)
	return &syntax.CallExpr{Args: []*syntax.Word{{Parts: []syntax.WordPart{&syntax.Lit{ValuePos: at, ValueEnd: at}}}}}
}

// pruner walks through a script in the order in which it runs.
type pruner struct {
	*script          // as it stands where the walk is
	made    []string // decisions
	used    bool     // what is left so far looks at the parameters
	lost    bool     // the parameters are not known any more, or what looked at them before they changed would see others
	ended   bool     // nothing behind is reached
	loosely bool     // nothing is edited, so that what looked at the parameters earlier does not matter
}

func (p *pruner) stmts(stmts []*syntax.Stmt) (kept []*syntax.Stmt) {
	for _, st := range stmts {
		if p.ended {
			return kept
		}
		kept = append(kept, p.stmt(st)...)
	}
	return kept
}

// stmt returns what is left of a statement.
func (p *pruner) stmt(st *syntax.Stmt) []*syntax.Stmt {
	if !st.Background && !st.Coprocess && !st.Disown && !st.Negated && len(st.Redirs) == 0 {
		if left, decided := p.decided(st); decided {
			return left
		}
	}
	p.lost = p.lost || changesParameters(st)
	p.noParams = p.noParams || p.lost && p.loosely
	p.used = p.used || usesParameters(st)
	if !p.ended {
		p.script.stmt(st, nowhere(), certain)
	}
	return []*syntax.Stmt{st}
}

// decided returns what is left of a statement that makes a decision which is known, or changes the parameters.
func (p *pruner) decided(st *syntax.Stmt) (left []*syntax.Stmt, decided bool) {
	switch c := st.Cmd.(type) {
	case *syntax.IfClause:
		if branch, which, known := p.branch(c); known {
			p.decide("if", which)
			return p.stmts(branch), true
		}
		if left, ok := p.withoutAgain(c); ok {
			p.decide(again, 0)
			for _, st := range left {
				p.script.stmt(st, nowhere(), maybe)
			}
			return left, true
		}
	case *syntax.CaseClause:
		if branch, which, known := p.choice(c); known {
			p.decide("case", which)
			return p.stmts(branch), true
		}
	case *syntax.BinaryCmd:
		if goesOn, known := p.goesOn(c); known && goesOn {
			p.decide("list", 1)
			return p.stmt(c.Y), true
		} else if known {
			p.decide("list", 0)
			return nil, true
		}
	case *syntax.CallExpr:
		if p.parametersSet(c) {
			p.lost = p.lost || p.used && !p.loosely
			p.decide("parameters", 0)
			return nil, true
		}
		p.ended = p.ends(st)
	}
	return nil, false
}

// goesOn reports whether the second of two statements that && or || joins is run, where that is known.
func (p *pruner) goesOn(c *syntax.BinaryCmd) (goesOn, known bool) {
	if c.Op != syntax.AndStmt && c.Op != syntax.OrStmt {
		return false, false
	}
	truth, known := p.truth(c.X)
	return truth == (c.Op == syntax.AndStmt), known
}

func (p *pruner) decide(what string, which int) {
	p.made = append(p.made, what+decimal(which))
}

// changesParameters reports whether a statement may change the positional parameters: one that has not been carried
// out.
func changesParameters(st *syntax.Stmt) bool {
	found := false
	syntax.Walk(st, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl, *syntax.CmdSubst, *syntax.Subshell:
			return false // they have their own
		case *syntax.CallExpr:
			if len(n.Args) == 0 {
				break
			}
			switch n.Args[0].Lit() {
			case "shift":
				found = true
			case "set":
				found = found || !onlyOptions(n.Args[1:])
			}
		}
		return !found
	})
	return found
}

// usesParameters reports whether a statement looks at the positional parameters.
func usesParameters(st *syntax.Stmt) bool {
	found := false
	syntax.Walk(st, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			return false // it has its own
		case *syntax.ForClause:
			it, ok := n.Loop.(*syntax.WordIter)
			found = found || ok && !it.InPos.IsValid() // for a; do
		case *syntax.ParamExp:
			found = found || n.Param != nil && strings.ContainsAny(n.Param.Value, "@*#123456789") && !isName(n.Param.Value)
		case *syntax.CallExpr:
			// They may look without saying so.
			found = found || len(n.Args) > 0 && slices.Contains([]string{".", "source", "eval", "getopts"}, n.Args[0].Lit())
		}
		return !found
	})
	return found
}

// onlyOptions reports whether set changes options alone.
func onlyOptions(args []*syntax.Word) bool {
	for i, w := range args {
		lit := w.Lit()
		named := i > 0 && strings.HasSuffix(args[i-1].Lit(), "o")
		if !named && (len(lit) < 2 || lit[0] != '-' && lit[0] != '+' || lit == "--") {
			return false
		}
	}
	return true
}

// parametersSet carries out set -- … and shift.
func (p *pruner) parametersSet(c *syntax.CallExpr) bool {
	if len(c.Args) == 0 || len(c.Assigns) > 0 {
		return false
	}
	switch name := c.Args[0].Lit(); {
	case p.functions[name]:
	case name == "shift" && len(c.Args) == 1:
		if len(p.inv.params) == 0 || !p.inv.params[0].single {
			return false
		}
		p.inv.params = p.inv.params[1:]
		return true
	case name == "set" && len(c.Args) > 1 && c.Args[1].Lit() == "--":
		var params []word
		for _, w := range c.Args[2:] {
			if q := p.parameters(w); q != nil && q.Param.Value == "@" {
				if p.in.inText {
					params = append(params, p.positional(*q, p.place(int(w.Pos().Offset())), p.place(int(w.End().Offset())))...)
				} else {
					params = append(params, p.inv.params...)
				}
				continue
			}
			params = append(params, p.expand(w)...)
		}
		if !slices.ContainsFunc(params, func(w word) bool { return !w.single }) {
			if len(params) == 0 || len(p.inv.params) == 0 || params[len(params)-1].at != p.inv.params[len(p.inv.params)-1].at {
				p.inv.end = p.endOf(c)
			}
			p.inv.params = params
			p.plainParams = plainWords(params)
			return true
		}
	}
	return false
}

// branch returns the branch of an if that is taken, and its number.
func (p *pruner) branch(c *syntax.IfClause) (branch []*syntax.Stmt, which int, known bool) {
	for ; c != nil; c = c.Else {
		which++
		if len(c.Cond) == 0 { // else
			return c.Then, which, true
		}
		if len(c.Cond) != 1 {
			return nil, 0, false
		}
		truth, known := p.truth(c.Cond[0])
		if !known {
			return nil, 0, false
		}
		if truth {
			return c.Then, which, true
		}
	}
	return nil, 0, true
}

// choice returns the branch of a case that is taken, and its number.
func (p *pruner) choice(c *syntax.CaseClause) (branch []*syntax.Stmt, which int, known bool) {
	v := p.value(c.Word)
	if !v.known {
		return nil, 0, false
	}
	for i, item := range c.Items {
		for _, pattern := range item.Patterns {
			matches, known := p.matches(pattern, v.text)
			if !known {
				return nil, 0, false
			}
			if matches {
				return item.Stmts, i + 1, item.Op == syntax.Break || i+1 == len(c.Items)
			}
		}
	}
	return nil, 0, true
}

// matches compares a text with a pattern of case or [[: text, * and ?.
func (p *pruner) matches(pattern *syntax.Word, text string) (matches, known bool) {
	if lit := pattern.Lit(); lit != "" && !strings.ContainsAny(lit, `[\!@+(`) {
		if !strings.ContainsAny(lit, "*?") {
			return lit == text, true
		}
		if strings.Contains(lit, "/") || strings.Contains(text, "/") { // which * of the shell's matches, too
			lit, text = strings.ReplaceAll(lit, "/", "\x01"), strings.ReplaceAll(text, "/", "\x01")
		}
		ok, err := path.Match(lit, text)
		return ok, err == nil
	}
	for _, part := range pattern.Parts {
		switch part.(type) {
		case *syntax.SglQuoted, *syntax.DblQuoted:
		default:
			return false, false
		}
	}
	v := p.value(pattern)
	return v.text == text, v.known
}

// truth says whether a condition holds, if it has no effects.
func (p *pruner) truth(st *syntax.Stmt) (truth, known bool) {
	if st.Background || st.Coprocess || st.Disown || !silent(st.Redirs) {
		return false, false
	}
	switch c := st.Cmd.(type) {
	case *syntax.CallExpr:
		truth, known = p.test(c)
	case *syntax.TestClause:
		truth, known = p.clause(c.X)
	case *syntax.Block:
		if len(c.Stmts) == 1 {
			truth, known = p.truth(c.Stmts[0])
		}
	case *syntax.BinaryCmd:
		if c.Op == syntax.AndStmt || c.Op == syntax.OrStmt {
			left, leftKnown := p.truth(c.X)
			right, rightKnown := p.truth(c.Y)
			truth, known = either(c.Op == syntax.OrStmt, left, leftKnown, right, rightKnown && (leftKnown || onlyTests(c.X)))
		}
	}
	return truth != st.Negated, known
}

// silent reports whether redirections only throw output away.
func silent(redirs []*syntax.Redirect) bool {
	return !slices.ContainsFunc(redirs, func(r *syntax.Redirect) bool {
		return r.Word == nil || r.Word.Lit() != "/dev/null" && !(r.Op == syntax.DplOut && r.Word.Lit() == "1")
	})
}

// either joins two conditions by || or, where or is false, by &&.
func either(or, left, leftKnown, right, rightKnown bool) (truth, known bool) {
	switch {
	case leftKnown && left == or:
		return or, true
	case rightKnown && right == or:
		return or, true
	}
	return !or, leftKnown && rightKnown
}

// onlyTests reports whether a condition that is not known has no effects, so that it need not be.
func onlyTests(st *syntax.Stmt) bool {
	ok := true
	syntax.Walk(st, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			name := ""
			if len(n.Args) > 0 {
				name = n.Args[0].Lit()
			}
			ok = ok && slices.Contains([]string{"[", "test", "true", "false", ":", "id", "command", "whoami"}, name) &&
				len(n.Assigns) == 0
		case *syntax.ParamExp:
			ok = ok && (n.Exp == nil || n.Exp.Op != syntax.AssignUnset && n.Exp.Op != syntax.AssignUnsetOrNull)
		case *syntax.ArithmExp, *syntax.ProcSubst:
			ok = false
		}
		return ok
	})
	return ok
}

// test is the command [, and those that always say the same.
func (p *pruner) test(c *syntax.CallExpr) (truth, known bool) {
	if len(c.Args) == 0 || len(c.Assigns) > 0 {
		return false, false
	}
	name := c.Args[0].Lit()
	if p.functions[name] {
		return false, false
	}
	args := c.Args[1:]
	switch name {
	case "true", ":":
		return true, true
	case "false":
		return false, true
	case "command", "which", "type", "hash":
		if found, known := p.onPath(c); known {
			return found, true
		}
		return false, false
	case "[":
		if len(args) == 0 || args[len(args)-1].Lit() != "]" {
			return false, false
		}
		args = args[:len(args)-1]
	case "test":
	default:
		return false, false
	}
	for i, w := range args { // -a and -o bind weaker than anything else that is read here
		for _, op := range []string{"-o", "-a"} {
			if w.Lit() == op && i > 0 && !slices.ContainsFunc(args, func(w *syntax.Word) bool {
				return w.Lit() == "-o" && op == "-a" || w.Lit() == "("
			}) {
				left, leftKnown := p.tests(args[:i])
				right, rightKnown := p.tests(args[i+1:])
				return either(op == "-o", left, leftKnown, right, rightKnown)
			}
		}
	}
	return p.tests(args)
}

func (p *pruner) tests(args []*syntax.Word) (truth, known bool) {
	negated := false
	for len(args) > 1 && args[0].Lit() == "!" {
		negated, args = !negated, args[1:]
	}
	switch len(args) {
	case 1:
		v := p.value(args[0])
		truth, known = v.text != "", v.known
		if v.filled {
			truth, known = true, true
		}
	case 2:
		truth, known = p.unary(args[0].Lit(), args[1])
	case 3:
		truth, known = p.compare(args[1].Lit(), args[0], args[2])
	}
	return truth != negated, known
}

func (p *pruner) unary(op string, w *syntax.Word) (truth, known bool) {
	v := p.value(w)
	switch op {
	case "-z", "-n":
		if v.filled {
			return op == "-n", true
		}
		return (v.text == "") == (op == "-z"), v.known
	case "-f":
		if !v.known || v.text == "" || p.in.Files == nil {
			return false, v.known && v.text == ""
		}
		paths := p.below(v.text)
		if paths == nil {
			return false, false
		}
		// Whether something there is a regular file is not known of all that is.
		there, known := p.in.Files.Exists(paths)
		return false, known && !there
	}
	return false, false
}

func (p *pruner) compare(op string, left, right *syntax.Word) (truth, known bool) {
	a, b := p.value(left), p.value(right)
	known = a.known && b.known
	switch op {
	case "=", "==":
		return a.text == b.text, known
	case "!=":
		return a.text != b.text, known
	}
	x, y := number(a.text), number(b.text)
	known = known && x >= 0 && y >= 0
	switch op {
	case "-eq":
		return x == y, known
	case "-ne":
		return x != y, known
	case "-gt":
		return x > y, known
	case "-ge":
		return x >= y, known
	case "-lt":
		return x < y, known
	case "-le":
		return x <= y, known
	}
	return false, false
}

// number reads a number of a test; -1 where it is none.
func number(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' || len(s) > 6 {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	if s == "" {
		return -1
	}
	return n
}

// clause is what stands in [[ ]].
func (p *pruner) clause(x syntax.TestExpr) (truth, known bool) {
	switch x := x.(type) {
	case *syntax.Word:
		v := p.value(x)
		return v.text != "" || v.filled, v.known || v.filled
	case *syntax.ParenTest:
		return p.clause(x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			truth, known = p.clause(x.X)
			return !truth, known
		}
		if w, ok := x.X.(*syntax.Word); ok {
			return p.unary(x.Op.String(), w)
		}
	case *syntax.BinaryTest:
		if x.Op == syntax.AndTest || x.Op == syntax.OrTest {
			left, leftKnown := p.clause(x.X)
			right, rightKnown := p.clause(x.Y)
			return either(x.Op == syntax.OrTest, left, leftKnown, right, rightKnown)
		}
		left, ok := x.X.(*syntax.Word)
		right, ok2 := x.Y.(*syntax.Word)
		if !ok || !ok2 {
			break
		}
		switch x.Op {
		case syntax.TsMatchShort, syntax.TsMatch, syntax.TsNoMatch:
			v := p.value(left)
			if !v.known {
				return false, false
			}
			truth, known = p.matches(right, v.text)
			return truth == (x.Op != syntax.TsNoMatch), known
		}
		return p.compare(x.Op.String(), left, right)
	}
	return false, false
}

// tested is what is known of a word in a condition.
type tested struct {
	text   string
	known  bool
	filled bool // not known, but not empty
}

// value finds the value of a word that a condition tests: text, variables, parameters and what a command says where a
// program is.
func (p *pruner) value(w *syntax.Word) tested {
	var all tested
	all.known = true
	for _, part := range w.Parts {
		v := p.part(part)
		all.text += v.text
		all.filled = all.filled || v.filled || v.known && v.text != ""
		all.known = all.known && v.known
	}
	if all.known {
		all.filled = false
	}
	if int(w.End().Offset()) > p.unknown || !p.budget.take(1+len(all.text)/16) {
		return tested{}
	}
	return all
}

func (p *pruner) part(part syntax.WordPart) tested {
	switch part := part.(type) {
	case *syntax.DblQuoted:
		if joined, is := p.joined(part); is {
			return joined
		}
		if !part.Dollar {
			return p.value(&syntax.Word{Parts: part.Parts})
		}
	case *syntax.ParamExp:
		return p.parameter(part)
	case *syntax.CmdSubst:
		if len(part.Stmts) == 1 && silent(part.Stmts[0].Redirs) {
			if call, ok := part.Stmts[0].Cmd.(*syntax.CallExpr); ok && len(call.Assigns) == 0 {
				found, known := p.onPath(call)
				return tested{known: known && !found, filled: known && found}
			}
		}
		return tested{}
	case *syntax.Lit, *syntax.SglQuoted:
	default:
		return tested{}
	}
	text, known := p.valueOf(&syntax.Word{Parts: []syntax.WordPart{part}})
	return tested{text: text, known: known}
}

// joined is "$*", all parameters as one word.
func (p *pruner) joined(q *syntax.DblQuoted) (all tested, is bool) {
	if len(q.Parts) != 1 || q.Dollar {
		return tested{}, false
	}
	e, is := q.Parts[0].(*syntax.ParamExp)
	if !is || e.Param == nil || e.Param.Value != "*" || !simpleParam(e) {
		return tested{}, false
	}
	if p.splitting || !p.paramsCertain(len(p.inv.params)) {
		return tested{}, true
	}
	var texts []string
	for _, w := range p.inv.params {
		if !w.static || !p.budget.take(1+len(w.text)/16) {
			return tested{}, true
		}
		texts = append(texts, w.text)
	}
	return tested{text: strings.Join(texts, " "), known: true}, true
}

// parameter is an expansion, with those operators that scripts test their first parameter by.
func (p *pruner) parameter(e *syntax.ParamExp) tested {
	if e.Param == nil {
		return tested{}
	}
	if name := e.Param.Value; name == "#" && simpleParam(e) {
		if !p.paramsCertain(len(p.inv.params)) {
			return tested{}
		}
		return tested{text: decimal(len(p.inv.params)), known: true}
	}
	if text, known := p.param(e); known || e.Exp == nil || !noOperator(e) {
		return tested{text: text, known: known}
	}
	bare := *e
	bare.Exp = nil
	text, known := p.param(&bare)
	if !known || e.Exp.Word == nil {
		return tested{}
	}
	pattern := e.Exp.Word.Lit()
	if pattern == "" || strings.ContainsAny(pattern, `*?[\`) {
		return tested{}
	}
	switch e.Exp.Op {
	case syntax.RemSmallPrefix, syntax.RemLargePrefix:
		return tested{text: strings.TrimPrefix(text, pattern), known: true}
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		return tested{text: strings.TrimSuffix(text, pattern), known: true}
	}
	return tested{}
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + decimal(n%10)
}

// onPath says whether a command that looks for a program finds one: command -v NAME.
func (p *pruner) onPath(c *syntax.CallExpr) (found, known bool) {
	args := c.Args
	if len(args) == 0 {
		return false, false
	}
	switch args[0].Lit() {
	case "command":
		if len(args) < 2 || args[1].Lit() != "-v" {
			return false, false
		}
		args = args[1:]
	case "which", "type", "hash":
	default:
		return false, false
	}
	if len(args) != 2 {
		return false, false
	}
	v := p.value(args[1])
	switch {
	case !v.known:
		return false, false
	case v.text == "":
		return false, true
	case isBuiltin(v.text) || p.functions[v.text] || syntax.IsKeyword(v.text) || strings.HasPrefix(v.text, supportFiles):
		return true, true
	case strings.HasPrefix(v.text, "-") || p.in.Files == nil:
		return false, false
	}
	paths := p.candidates(v.text)
	if paths == nil {
		return false, false
	}
	return p.in.Files.Exists(paths)
}

// holds reports whether the edited command line still starts the same, with what was inserted: where a branch of a
// script was left out because of what the command line says, it may say something else now.
func (f Found) holds(at []runtimes.Insertion, edits []Edit) error {
	if len(f.decisions) == 0 {
		return nil
	}
	changed := reason.Refuse(reason.ShellConditional, "a script on the way to %s would take another way with other words",
		quote(f.Argv[0]))
	if f.Base != nil || slices.ContainsFunc(f.unknownFrom, func(from int) bool { return from >= 0 }) {
		return changed
	}
	in := f.in
	in.Argv, in.UnknownFrom, in.copies = Apply(f.line, edits), nil, map[string]bool{}
	for _, e := range edits {
		for _, w := range e.Words {
			in.copies[w] = in.copies[w] || e.Script != ""
		}
	}
	again, err := Find(in)
	if err != nil {
		return changed
	}
	var want []string
	for i := 0; i <= len(f.Argv); i++ {
		for _, ins := range at {
			if ins.Before == i {
				want = append(want, ins.Words...)
			}
		}
		if i < len(f.Argv) {
			want = append(want, f.Argv[i])
		}
	}
	if f.File != nil && !strings.Contains(f.Argv[0], "/") {
		if i := slices.Index(want, f.Argv[0]); i >= 0 && len(at) > 0 && at[0].Before == 0 {
			want[i] = f.File.Path
		}
	}
	if !slices.Equal(want, again.Argv) || !slices.Equal(f.decisions, again.decisions) {
		return changed
	}
	return nil
}
