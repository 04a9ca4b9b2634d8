package launch

import (
	"path"
	"slices"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/reason"
)

// script is one shell script, read in one language.
type script struct {
	*finder
	inv     invocation
	src     string
	file    *syntax.File
	lang    syntax.LangVariant
	depth   int
	unknown int // from this byte on the text is not certain

	functions  map[string]bool
	unexported map[string]bool
	params     int // how often the positional parameters but $0 are used
	zeros      int // how often $0 is
	// plainParams says that the positional parameters are the same words where nothing quotes them.
	plainParams bool
	noParams    bool // set -- or shift: they are no longer those of the command line
	splitting   bool // the script changes IFS
}

// follow finds the script's program and goes on from there.
func (s *script) follow() (Found, error) {
	s.functions, s.unexported = map[string]bool{}, map[string]bool{}
	if err := s.survey(); err != nil {
		return Found{}, err
	}
	call, err := s.locate(s.file.Stmts)
	if err != nil {
		return Found{}, err
	}
	if int(call.Args[0].Pos().Offset()) >= s.unknown {
		return Found{}, reason.Refuse(reason.UnknownText,
			"a value that is not known here is part of the script in front of the program")
	}
	s.before(call)
	words, end, err := s.command(call)
	if err != nil {
		return Found{}, err
	}
	s.others(call)
	for name := range s.unexported {
		s.vars[name] = value{}
	}
	return s.finder.follow(words, end, s.depth)
}

// locate returns the simple command that counts: the last one that is reached unconditionally or by &&.
func (s *script) locate(stmts []*syntax.Stmt) (*syntax.CallExpr, error) {
	for i, st := range stmts {
		if s.ends(st) {
			stmts = stmts[:i+1]
			break
		}
	}
	for i, st := range slices.Backward(stmts) {
		if i > 0 && s.trivial(st) {
			continue
		}
		if err := s.noExec(stmts[:i]); err != nil {
			return nil, err
		}
		return s.locateIn(st)
	}
	return nil, reason.Refuse(reason.ShellNoProgram, "the script starts no program")
}

func (s *script) locateIn(st *syntax.Stmt) (*syntax.CallExpr, error) {
	if st.Background || st.Coprocess || st.Disown {
		return nil, reason.Refuse(reason.ShellBackground, "the script's last command runs in the background")
	}
	switch c := st.Cmd.(type) {
	case *syntax.CallExpr:
		if len(c.Args) == 0 {
			return nil, reason.Refuse(reason.ShellNoProgram, "the script ends with an assignment, not with a program")
		}
		return c, nil
	case *syntax.Block:
		return s.locate(c.Stmts)
	case *syntax.Subshell:
		return s.locate(c.Stmts)
	case *syntax.BinaryCmd:
		return s.locateInBinary(c)
	case *syntax.IfClause, *syntax.CaseClause:
		return nil, reason.Refuse(reason.ShellConditional,
			"the script ends with if or case: which command runs is only known when it runs")
	case *syntax.WhileClause, *syntax.ForClause:
		return nil, reason.Refuse(reason.ShellLoop, "the script ends with a loop")
	case *syntax.FuncDecl:
		return nil, reason.Refuse(reason.ShellFunction, "the script ends with a function")
	case *syntax.CoprocClause:
		return nil, reason.Refuse(reason.ShellBackground, "the script's last command runs in the background")
	case *syntax.TimeClause:
		if c.Stmt != nil {
			return s.locateIn(c.Stmt)
		}
	}
	return nil, reason.Refuse(reason.ShellNoProgram, "the script does not end with a program")
}

func (s *script) locateInBinary(c *syntax.BinaryCmd) (*syntax.CallExpr, error) {
	switch c.Op {
	case syntax.AndStmt:
		if s.ends(c.X) || s.trivial(c.Y) {
			return s.locateIn(c.X)
		}
		if err := s.noExec([]*syntax.Stmt{c.X}); err != nil {
			return nil, err
		}
		return s.locateIn(c.Y)
	case syntax.OrStmt:
		if s.trivial(c.Y) {
			return s.locateIn(c.X)
		}
		return nil, reason.Refuse(reason.ShellConditional, "the script's last command is one of two, joined by ||")
	}
	return s.locatePipe(c)
}

// filters are programs that people pipe a server's input or output through, and that do nothing else.
func filters() []string {
	return []string{"tee", "cat", "grep", "egrep", "sed", "awk", "gawk", "mawk", "ts", "jq", "logger", "cronolog",
		"rotatelogs", "multilog", "svlogd", "s6-log", "head", "tail", "tr", "cut", "fold", "nl", "column", "echo", "printf",
		"yes"}
}

// locatePipe: the program is the only part of a pipeline that is no plain filter.
func (s *script) locatePipe(c *syntax.BinaryCmd) (*syntax.CallExpr, error) {
	var parts []*syntax.Stmt
	var flatten func(st *syntax.Stmt)
	flatten = func(st *syntax.Stmt) {
		if b, ok := st.Cmd.(*syntax.BinaryCmd); ok && len(st.Redirs) == 0 && (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) {
			flatten(b.X)
			flatten(b.Y)
			return
		}
		parts = append(parts, st)
	}
	flatten(c.X)
	flatten(c.Y)
	parts = slices.DeleteFunc(parts, func(st *syntax.Stmt) bool {
		name, call := callName(st)
		return call != nil && slices.Contains(filters(), path.Base(name)) && !s.functions[name]
	})
	if len(parts) != 1 {
		return nil, reason.Refuse(reason.ShellPipe, "the script ends with a pipeline of several programs")
	}
	return s.locateIn(parts[0])
}

// callName returns the literal first word of a statement that is a simple command in the foreground, else "".
func callName(st *syntax.Stmt) (string, *syntax.CallExpr) {
	call, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 || st.Background || st.Coprocess || st.Disown {
		return "", nil
	}
	return call.Args[0].Lit(), call
}

// ends says whether nothing behind a statement is reached: exec PROGRAM, exit.
func (s *script) ends(st *syntax.Stmt) bool {
	switch c := st.Cmd.(type) {
	case *syntax.Block:
		if st.Background {
			return false
		}
		return slices.ContainsFunc(c.Stmts, s.ends)
	case *syntax.BinaryCmd:
		return !st.Background && (c.Op == syntax.AndStmt || c.Op == syntax.OrStmt) && s.ends(c.X)
	}
	name, call := callName(st)
	return name == "exit" && !s.functions[name] || name == "exec" && len(call.Args) > 1
}

// trivial says whether a statement behind the program starts nothing: exit $?, true, rc=$?, { echo failed; exit 1; }.
func (s *script) trivial(st *syntax.Stmt) bool {
	if st.Background || st.Coprocess || st.Disown {
		return false
	}
	all := func(stmts []*syntax.Stmt) bool {
		return !slices.ContainsFunc(stmts, func(st *syntax.Stmt) bool { return !s.trivial(st) })
	}
	switch c := st.Cmd.(type) {
	case *syntax.Block:
		return all(c.Stmts)
	case *syntax.Subshell:
		return all(c.Stmts)
	case *syntax.BinaryCmd:
		return (c.Op == syntax.AndStmt || c.Op == syntax.OrStmt) && s.trivial(c.X) && s.trivial(c.Y)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			if !all(c.Cond) || !all(c.Then) {
				return false
			}
		}
		return true
	case *syntax.TestClause:
		return !substitutes(st)
	case *syntax.CallExpr:
		if len(c.Args) == 0 { // rc=$?
			return !substitutes(st)
		}
	}
	name, call := callName(st)
	silent := []string{"exit", "true", ":", "echo", "printf", "false", "return", "[", "test", "unset"}
	return call != nil && !s.functions[name] && slices.Contains(silent, name) && !substitutes(st)
}

// substitutes reports whether a statement starts something for the sake of its output.
func substitutes(st *syntax.Stmt) bool {
	found := false
	syntax.Walk(st, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst:
			found = true
		}
		return !found
	})
	return found
}

// noExec refuses statements in front of the program that may replace the shell by another program.
func (s *script) noExec(stmts []*syntax.Stmt) error {
	var err error
	for _, st := range stmts {
		syntax.Walk(st, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst:
				return false
			case *syntax.Stmt:
				if n.Background {
					return false
				}
			case *syntax.BinaryCmd:
				if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
					return false
				}
			case *syntax.CallExpr:
				if len(n.Args) > 1 && n.Args[0].Lit() == "exec" {
					err = reason.Refuse(reason.ShellConditional,
						"the script may start another program instead, by exec in a condition")
				}
			}
			return err == nil
		})
	}
	return err
}

// builtins are commands of the shell itself, those that all the shells have: a program cannot be put in front of them.
func isBuiltin(name string) bool {
	return slices.Contains([]string{".", ":", "[", "[[", "alias", "bg", "break", "builtin", "caller", "cd", "chdir",
		"compgen", "complete", "continue", "declare", "dirs", "disown", "echo", "enable", "eval", "exit", "export", "false",
		"fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile", "popd",
		"printf", "pushd", "pwd", "read", "readarray", "readonly", "return", "set", "shift", "shopt", "source", "suspend",
		"test", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait"}, name)
}

// utilities are programs that scripts end with and that nobody debugs: the server was started before them, or not at
// all.
func utilities() []string {
	return []string{"basename", "cat", "chgrp", "chmod", "chown", "cp", "cut", "date", "dirname", "echo", "false", "find",
		"grep", "hostname", "id", "ln", "ls", "mkdir", "mv", "printenv", "printf", "ps", "pwd", "readlink", "rm", "rmdir",
		"sed", "sleep", "sort", "stat", "sync", "tail", "tee", "test", "touch", "true", "uname", "wc", "whoami", "yes"}
}

// command returns the words of the command that counts, without the shell's own prefixes exec and command.
func (s *script) command(call *syntax.CallExpr) ([]word, place, error) {
	var words []word
	for _, w := range call.Args {
		words = append(words, s.expand(w)...)
	}
	end := s.endOf(call)
	// The words are expanded before the command's own assignments are made.
	for _, a := range call.Assigns {
		s.assignment(a, certain, true)
	}
	words, err := s.behindPrefixes(words)
	return words, end, err
}

// behindPrefixes takes the shell's own prefixes off the words of a command, and refuses what the shell does by itself.
func (s *script) behindPrefixes(words []word) ([]word, error) {
	external := false
	for {
		if len(words) == 0 {
			return nil, reason.Refuse(reason.NoCommand, "the command that the script ends with is empty")
		}
		first := words[0]
		if !first.static || external {
			return words, nil
		}
		name := first.text
		switch {
		case s.functions[name]:
			return nil, reason.Refuse(reason.ShellFunction, "the script's last command is its function %s", name)
		case name == "exec":
			rest, err := s.execOptions(words[1:])
			if err != nil {
				return nil, err
			}
			words, external = rest, true
		case name == "command":
			rest := words[1:]
			if len(rest) > 0 && rest[0].static && rest[0].text == "--" {
				rest = rest[1:]
			}
			if len(rest) == 0 || !rest[0].static || rest[0].text[:min(1, len(rest[0].text))] == "-" {
				return nil, reason.Refuse(reason.ShellBuiltin, "the script's last command is the shell's own %s", name)
			}
			words = rest
		default:
			return words, s.checkLast(name)
		}
	}
}

// checkLast refuses what the shell does by itself, and what no script is for.
func (s *script) checkLast(name string) error {
	switch {
	case name == "eval" || name == "." || name == "source":
		return reason.Refuse(reason.ShellEval, "the script's last command is %s: what it runs is not known", name)
	case name == "wait":
		return reason.Refuse(reason.ShellBackground, "the script ends with wait: its programs run in the background")
	case isBuiltin(name):
		return reason.Refuse(reason.ShellBuiltin, "the script's last command is the shell's own %s", name)
	case len(s.file.Stmts) > 1 && slices.Contains(utilities(), path.Base(name)):
		return reason.Refuse(reason.ShellNoProgram, "the script ends with %s", name)
	}
	return nil
}

// execOptions consumes bash's options of exec. dash takes them for the program, and fails.
func (s *script) execOptions(words []word) ([]word, error) {
	for len(words) > 0 && words[0].static && len(words[0].text) > 1 && words[0].text[0] == '-' {
		w := words[0]
		words = words[1:]
		if w.text == "--" {
			return words, nil
		}
		for i, c := range w.text[1:] {
			switch c {
			case 'c':
				s.clear()
			case 'l':
				s.argv0 = "exec -l"
			case 'a':
				s.argv0 = "exec -a"
				if i+2 == len(w.text) {
					if len(words) == 0 || !words[0].single {
						return nil, reason.Refuse(reason.LauncherUnknownOption, "exec -a has no name that is known to be one word")
					}
					words = words[1:]
				}
			default:
				return nil, reason.Refuse(reason.LauncherUnknownOption, "the option %s of exec is not known", quote(w.option()))
			}
			if c == 'a' {
				break
			}
		}
	}
	return words, nil
}

// others records the script's commands other than the one that counts. A function's commands run where it is called,
// which may be in the background.
func (s *script) others(call *syntax.CallExpr) {
	background, function, parallel := 0, 0, false
	var inFunctions []int
	var leave []func()
	from := len(s.rest)
	piped := map[*syntax.Stmt]bool{} // the other parts of the program's pipeline
	read := heard(s.file)
	syntax.Walk(s.file, func(n syntax.Node) bool {
		if n == nil {
			leave[len(leave)-1]()
			leave = leave[:len(leave)-1]
			return true
		}
		done := func() {}
		if besides(n) {
			background++
			done = func() { background-- }
		}
		switch n := n.(type) {
		case *syntax.Stmt:
			if piped[n] {
				background++
				end := done
				done = func() { background--; end() }
			}
		case *syntax.BinaryCmd:
			if (n.Op == syntax.Pipe || n.Op == syntax.PipeAll) && contains(n, call) {
				piped[n.X], piped[n.Y] = !contains(n.X, call), !contains(n.Y, call)
			}
		case *syntax.FuncDecl:
			function++
			done = func() { function-- }
		case *syntax.CallExpr:
			if n == call || len(n.Args) == 0 {
				break
			}
			if function > 0 {
				inFunctions = append(inFunctions, len(s.rest))
			}
			c := s.other(n, background > 0, read[n])
			parallel = parallel || background > 0 && s.functions[c.Argv[0]]
			s.rest = append(s.rest, c)
		}
		leave = append(leave, done)
		return true
	})
	if !parallel {
		return
	}
	for _, i := range inFunctions {
		if i >= from {
			s.rest[i].Background = true
		}
	}
}

// other is a command other than the one that counts.
func (s *script) other(call *syntax.CallExpr, background, read bool) Command {
	argv := s.wordsOf(call)
	p := programs{found: [][]string{}, launchers: s.launchers}
	p.call(argv, s.functions, s.depth)
	return Command{Argv: argv, Starts: p.found, Background: background || p.leaves, Heard: read || p.heard}
}

// besides reports whether what is in a node runs beside the program. Of pipelines that is only the program's own.
func besides(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.Stmt:
		return n.Background || n.Coprocess || n.Disown
	case *syntax.ProcSubst, *syntax.CoprocClause:
		return true
	}
	return false
}
