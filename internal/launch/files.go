package launch

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

// Files answers questions about the files of the image. A nil one knows nothing.
type Files interface {
	// Find says what the first of the paths is that is there; false: that is not known.
	Find(paths []string) (files.File, bool)
	// Exists says whether any of them is there, as far as that is known.
	Exists(paths []string) (there, known bool)
}

// supportFiles is where support images put their files; it is no directory of the image.
const supportFiles = "/dbg/"

// A place in words that the command line does not have yet: word j of leads[k] is line word leadWord + k*leadMost + j.
const (
	leadWord = 1 << 24
	leadMost = 1 << 12
)

// lead is what goes in front of a word of the command line once something has to be put there: the interpreter that the
// kernel starts for a script, or the shell with a copy of the script's text. Without words, only the directory of the
// program is added to its name.
type lead struct {
	words  []string
	at     place  // in front of the script's, or the program's, own word
	dir    string // of what was found on PATH, with a slash at its end
	text   int    // which of words is a copy of the script; -1: none
	script string // the path of that script
}

// candidates lists where a program may be, as the container runtime and the shell look for it; nil where that is not
// known.
func (f *finder) candidates(program string) []string {
	if strings.Contains(program, "/") {
		return f.below(program)
	}
	list := runtimes.DefaultPath
	if v, set := f.variable("PATH"); set && (!v.known || v.unset) || !set && (f.cleared || f.opaque) {
		return nil
	} else if set {
		list = v.text
	}
	var paths []string
	for _, dir := range strings.Split(list, ":") {
		if !path.IsAbs(dir) {
			return nil
		}
		paths = append(paths, path.Join(dir, program))
	}
	return paths
}

// below returns a path, seen from the working directory.
func (f *finder) below(name string) []string {
	switch {
	case path.IsAbs(name):
	case !f.dirKnown:
		return nil
	default:
		name = path.Join("/", f.dir, name)
	}
	return []string{path.Clean(name)}
}

// file says what the file of a program is. Nothing is asked about a program whose name says it.
func (f *finder) file(w word) (file files.File, known bool) {
	if f.in.Files == nil || !w.static || strings.HasPrefix(w.text, supportFiles) {
		return files.File{}, false
	}
	paths := f.candidates(w.text)
	if paths == nil || len(w.text) > 4096 {
		return files.File{}, false
	}
	return f.in.Files.Find(paths)
}

// dirOf is the directory that has to be put in front of a program's name, "" where it has one.
func dirOf(program string, file files.File) string {
	if strings.Contains(program, "/") {
		return ""
	}
	return strings.TrimSuffix(file.Path, program)
}

// addLead notes words in front of a word, and returns their first one's number.
func (f *finder) addLead(l lead) int {
	f.leads = append(slices.Clip(f.leads), l)
	return leadWord + (len(f.leads)-1)*leadMost
}

// interpreted is the command line that the kernel makes of a script for an interpreter (execve(2), "Interpreter
// scripts").
func (f *finder) interpreted(words []word, file files.File) []word {
	script := words[0]
	from := f.addLead(lead{words: file.Interpreter, at: script.at, dir: dirOf(script.text, file), text: -1})
	var line []word
	for i, text := range file.Interpreter {
		at, end := place{arg: from + i, off: -1}, place{arg: from + i + 1, off: -1}
		if i+1 == len(file.Interpreter) {
			end = script.at
		}
		line = append(line, word{text: text, known: len(text), static: true, single: true, at: at, end: end})
	}
	script.text = dirOf(script.text, file) + script.text
	script.known = len(script.text)
	script.content = nil
	return append(append(line, script), words[1:]...)
}

// scriptFile follows a shell script of the image. words are its name and its parameters, and shell is what runs it: the
// words in front of its name. What it changes of f counts only when it is followed.
func (f *finder) scriptFile(words []word, end place, file files.File, shell []string, depth int) (Found, error) {
	name := words[0]
	langs := dialects(shellName(shell))
	if langs == nil || !plainShellOptions(shell) {
		return Found{}, reason.Refuse(reason.ScriptProgram, "the script %s is run in a way that is not known",
			quote(name.text))
	}
	if strings.HasSuffix(file.Script, "\\") {
		return Found{}, reason.Refuse(reason.ScriptProgram,
			"the script %s ends with a backslash, which shells read in different ways",
			quote(name.text))
	}
	c := f.clone()
	dir := dirOf(name.text, file)
	inserted := append(slices.Clone(shell), "-c", file.Script)
	if f.shellIsThere {
		inserted = inserted[len(shell):]
	}
	from := c.addLead(lead{words: inserted, at: name.at, dir: dir, text: len(inserted) - 1, script: file.Path})
	own := place{why: "the script's own name"}
	text := dir + name.text
	c.via = append(slices.Clip(c.via), path.Base(name.text))
	c.shellIsThere = false
	return c.script(invocation{
		langs: langs, via: name.text, end: end, params: words[1:], file: true,
		script: word{text: file.Script, known: len(file.Script), static: true, single: true,
			content: &content{arg: from + len(inserted) - 1}},
		zero: &word{text: text, known: len(text), static: true, single: true, at: own, end: own},
	}, depth+1)
}

// shellName is the shell in the words of a #! line.
func shellName(words []string) string {
	if len(words) == 0 {
		return ""
	}
	name := path.Base(words[0])
	if (name == "env" || name == "busybox") && len(words) > 1 {
		name = path.Base(words[1])
	}
	return name
}

// plainShellOptions reports whether a shell's words are options that mean the same with -c.
func plainShellOptions(words []string) bool {
	return !slices.ContainsFunc(words[1:], func(w string) bool {
		return isShell(path.Base(w)) == (len(w) > 1 && w[0] == '-' && strings.Trim(w[1:], "aefuvxhBCE") == "")
	})
}

// asksItself reports whether a script asks who it is, or where in itself it is, other than by $0: a copy would get
// another answer.
func asksItself(text string) bool {
	return slices.ContainsFunc([]string{"BASH_SOURCE", "BASH_LINENO", "BASH_ARGV", "BASH_EXECUTION_STRING", "LINENO",
		"FUNCNAME", "caller", "/proc/", "$-", "${-", "return"},
		func(s string) bool { return strings.Contains(text, s) })
}

// settle puts the words of leads where edits need them: those that touch a lead's own words, or the place in front of
// the word that an interpreter gets.
func (f Found) settle(edits []Edit) ([]Edit, error) {
	for k, l := range slices.Backward(f.leads) {
		from := leadWord + k*leadMost
		var own, ahead, here, rest []Edit
		for _, e := range edits {
			switch {
			case e.Word >= from && e.Word < from+leadMost:
				e.Word -= from
				own = append(own, e)
			case e.Word != l.at.arg || e.Offset != l.at.off:
				rest = append(rest, e)
			case e.guard:
				ahead = append(ahead, e)
			default:
				here = append(here, e)
			}
		}
		if len(own) == 0 && (len(here) == 0 || l.text >= 0) {
			continue
		}
		if err := f.mayLead(l); err != nil {
			return nil, err
		}
		if len(l.words) > 0 {
			if l.text >= 0 {
				own = append(own, exit(l.text, l.words[l.text]))
			}
			inOrder(own)
			e, err := l.edit(Apply(l.words, own))
			if err != nil {
				return nil, err
			}
			ahead = append(ahead, e)
		}
		edits = slices.Concat(ahead, here)
		if l.dir != "" {
			edits = append(edits, Edit{Word: l.at.arg, Offset: max(0, l.at.off), Text: l.dir})
		}
		edits = append(edits, rest...)
	}
	inOrder(edits)
	return edits, nil
}

// mayLead refuses a lead that cannot be put where it belongs, or a copy of a script that would be another.
func (f Found) mayLead(l lead) error {
	switch {
	case l.at.why != "":
		return reason.Refuse(reason.ShellQuoting, "words cannot be put into %s", l.at.why)
	case !plain("/" + l.dir):
		return reason.Refuse(reason.WordNeedsQuoting, "the directory %q cannot be inserted without quotes", l.dir)
	case l.text >= 0 && slices.Contains(f.decisions, again+decimal(0)):
		return reason.Refuse(reason.ScriptProgram, "the script %s would have to change, and starts itself again as "+
			"another user: that would be the one of the image", quote(l.script))
	case l.text >= 0 && asksItself(l.words[l.text]):
		return reason.Refuse(reason.ScriptProgram, "the script %s would have to change, and asks where it is itself",
			quote(l.script))
	}
	return nil
}

// exit lets a copy of a script end as the file does. A shell starts the last command of a file as its child; under -c
// bash, and others since, become that command, which then has another parent and another SHLVL.
func exit(word int, text string) Edit {
	e := Edit{Word: word, Offset: len(text), Text: "exit\n"}
	file, err := parse(text, syntax.LangBash)
	switch {
	case err == nil && neverEnds(file.Stmts):
		e.Text = ""
	case !strings.HasSuffix(text, "\n"):
		e.Text = "\nexit"
	}
	return e
}

// neverEnds reports whether no shell reaches the end of statements, since the last one exits or becomes a program.
func neverEnds(stmts []*syntax.Stmt) bool {
	if len(stmts) == 0 {
		return false
	}
	last := stmts[len(stmts)-1]
	call, is := last.Cmd.(*syntax.CallExpr)
	if !is || last.Background || last.Coprocess || len(call.Args) == 0 {
		return false
	}
	name := call.Args[0].Lit()
	return name == "exit" || name == "exec" && len(call.Args) > 1
}

// inOrder puts edits in the order of their places, and leaves those at the same place in theirs.
func inOrder(edits []Edit) {
	slices.SortStableFunc(edits, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Word, b.Word), cmp.Compare(a.Offset, b.Offset))
	})
}

// edit puts a lead's words in front of its word.
func (l lead) edit(words []string) (Edit, error) {
	e := Edit{Word: l.at.arg, Offset: l.at.off, Words: words}
	if l.text >= 0 {
		e.Script = l.script
	}
	if l.at.off < 0 {
		return e, nil
	}
	for _, w := range words {
		if !plain(w) {
			return Edit{}, reason.Refuse(reason.ShellQuoting, "a script's text cannot be put into another script")
		}
	}
	e.Words, e.Text = nil, strings.Join(words, " ")+" "
	return e, nil
}
