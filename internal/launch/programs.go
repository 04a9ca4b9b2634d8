package launch

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Programs lists the command lines of the programs that a command line starts, as far as that can be told: what stands
// behind launchers, and all the programs of a shell's script, but for what the shell does itself. What cannot be
// followed stands for itself: a shell that reads a file, say. A word whose value is only known when the script runs is
// its source text. The result is never nil.
func Programs(argv []string) [][]string {
	p := programs{found: [][]string{}, launchers: launcherNames()}
	p.start(argv, 0)
	return p.found
}

type programs struct {
	found     [][]string
	scripts   int
	leaves    bool // they leave something running in the background, or run several at the same time
	heard     bool // a script of theirs reads what one of them has to say
	launchers launcherTable
}

// start adds what a command line starts outside of a shell.
func (p *programs) start(argv []string, depth int) {
	if len(argv) == 0 {
		return
	}
	if next := p.behind(argv); next != nil && depth < maxDepth {
		p.start(next, depth+1)
		return
	}
	if text, ok := shellCommand(argv); ok && p.script(text, depth) {
		return
	}
	p.found = append(p.found, argv)
}

// behind returns the command that a launcher runs, nil for what is none or cannot be followed.
func (p *programs) behind(argv []string) []string {
	switch name := path.Base(argv[0]); name {
	case "busybox":
		return argv[1:]
	case "find":
		if i := slices.IndexFunc(
			argv, func(w string) bool { return slices.Contains([]string{"-exec", "-execdir", "-ok", "-okdir"}, w) }); i > 0 {
			return argv[i+1:]
		}
		return nil
	case "make", "gmake":
		p.leaves = p.leaves || slices.ContainsFunc(argv, func(w string) bool { return isOption(w, 'j', "--jobs") })
		return nil
	case "xargs":
		if len(argv) > 1 && !slices.ContainsFunc(argv[1:], func(w string) bool { return !strings.HasPrefix(w, "-") }) {
			return []string{"echo"} // xargs(1)
		}
		p.leaves = p.leaves || slices.ContainsFunc(argv, func(w string) bool { return isOption(w, 'P', "--max-procs") })
		if i := slices.IndexFunc(argv[1:], func(w string) bool { return !strings.HasPrefix(w, "-") }); i >= 0 {
			return argv[i+1:]
		}
		return nil
	}
	l, ok := p.launchers.named(argv[0])
	if !ok {
		return nil
	}
	words, _ := argvWords(argv, nil)
	f := newFinder(p.launchers)
	f.in = Input{Argv: argv}
	rest, err := l.unwrap(f, words)
	if err != nil {
		return nil
	}
	return textsOf(rest)
}

// isOption reports whether a word is an option by which a program runs several at the same time, or several in one word
// with it.
func isOption(w string, short rune, long string) bool {
	if strings.HasPrefix(w, "--") {
		return strings.HasPrefix(w, long)
	}
	return strings.HasPrefix(w, "-") && strings.ContainsRune(w, short)
}

// shellCommand returns the script that a shell is given on its command line.
func shellCommand(argv []string) (text string, ok bool) {
	if !isShell(path.Base(argv[0])) {
		return "", false
	}
	for i := 1; i < len(argv); i++ {
		w := argv[i]
		switch {
		case ok && !strings.HasPrefix(w, "-"):
			return w, true
		case ok && w == "--" && i+1 < len(argv):
			return argv[i+1], true
		case len(w) < 2 || w[0] != '-' && w[0] != '+':
			return "", false
		case !strings.HasPrefix(w, "--"):
			ok = ok || strings.Contains(w, "c")
			if strings.HasSuffix(w, "o") || strings.HasSuffix(w, "O") {
				i++
			}
		}
	}
	return "", false
}

// script adds the programs of a script; it reports whether it could read it.
func (p *programs) script(text string, depth int) bool {
	if p.scripts++; p.scripts > maxShells || len(text) > maxScript || nested(text) || depth > maxDepth {
		return false
	}
	for _, lang := range []syntax.LangVariant{syntax.LangBash, syntax.LangPOSIX} {
		file, err := parse(text, lang)
		if err != nil {
			continue
		}
		s := &script{finder: newFinder(p.launchers), src: text, file: file, lang: lang, unknown: len(text),
			functions: map[string]bool{}, unexported: map[string]bool{}}
		syntax.Walk(file, func(n syntax.Node) bool {
			if decl, ok := n.(*syntax.FuncDecl); ok && decl.Name != nil {
				s.functions[decl.Name.Value] = true
			}
			return true
		})
		p.heard = p.heard || len(heard(file)) > 0
		syntax.Walk(file, func(n syntax.Node) bool {
			p.leaves = p.leaves || besides(n)
			if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 {
				p.call(s.wordsOf(call), s.functions, depth+1)
			}
			return true
		})
		return true
	}
	return false
}

// behind records what else a shell starts that stands among the arguments of a program that is not known, a launcher
// maybe: all the programs of its script but the last, which is taken for the one that matters.
func (f *finder) behind(words []word) {
	argv := textsOf(words)
	if f.launchers.knownProgram(argv[0]) {
		return
	}
	for i := range argv {
		if i == 0 || !isShell(path.Base(argv[i])) {
			continue
		}
		text, ok := shellCommand(argv[i:])
		p := programs{found: [][]string{}, launchers: f.launchers}
		if !ok || !p.script(text, 0) {
			continue
		}
		c := Command{Argv: argv[i:], Starts: p.found, Background: p.leaves, Heard: p.heard}
		if n := len(p.found); n > 0 {
			c.Starts = p.found[:n-1]
		}
		f.rest = append(f.rest, c)
		return
	}
}

// wordsOf returns a command's words: a word's value where it is known, else its source text.
func (s *script) wordsOf(call *syntax.CallExpr) []string {
	var argv []string
	for _, w := range call.Args {
		argv = append(argv, s.textOf(w))
	}
	return argv
}

// behindOptions is what the shell's command, builtin or exec runs; nil for nothing.
func behindOptions(name string, args []string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] == "-v" || args[0] == "-V" {
			return nil
		}
		if name == "exec" && strings.HasSuffix(args[0], "a") && len(args) > 1 {
			args = args[1:]
		}
		args = args[1:]
	}
	return args
}

// call adds the programs that a command of a script starts.
func (p *programs) call(argv []string, functions map[string]bool, depth int) {
	own := func() { p.found = append(p.found, argv) }
	switch name, args := argv[0], argv[1:]; {
	case functions[name]: // its commands are the script's
	case name == "." || name == "source":
		own()
	case name == "eval" && !p.script(strings.Join(args, " "), depth):
		own()
	case name == "trap" && len(args) > 1 && args[0] != "-" && !p.script(args[0], depth):
		own()
	case name == "command" || name == "builtin" || name == "exec":
		if args = behindOptions(name, args); len(args) > 0 {
			p.call(args, functions, depth)
		}
	case isBuiltin(name):
	default:
		p.start(argv, depth)
	}
}
