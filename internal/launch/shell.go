package launch

import (
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/reason"
)

// dialects returns the languages that a shell of this name may read its script in; nil when it is no shell that is
// known here. sh is dash, BusyBox or bash, depending on the image, and BusyBox knows parts of bash's language: a script
// for them counts only when it reads the same in both.
func dialects(name string) []syntax.LangVariant {
	switch name {
	case "bash":
		return []syntax.LangVariant{syntax.LangBash}
	case "dash":
		return []syntax.LangVariant{syntax.LangPOSIX}
	case "sh", "ash":
		return []syntax.LangVariant{syntax.LangPOSIX, syntax.LangBash}
	}
	return nil
}

func isShell(name string) bool { return dialects(name) != nil }

// invocation is a shell's command line, taken apart.
type invocation struct {
	langs  []syntax.LangVariant
	script word   // what -c runs
	zero   *word  // $0; nil: the shell's own name
	params []word // $1 …
	end    place  // behind the last of params
	via    string // the shell's name, for messages
	file   bool   // the script is a file of the image
}

// shellOptions are what counts of the options of a shell.
type shellOptions struct {
	name           string // the shell's
	command, login bool
}

// read consumes a shell's options.
func (o *shellOptions) read(rest []word) ([]word, error) {
	for len(rest) > 0 {
		var err error
		switch w := rest[0]; {
		case !w.static:
			// The shell's operand may be put together at run time ("node $APP"), but not its options.
			if w.single && w.known > 0 && w.text[0] != '-' && w.text[0] != '+' {
				return rest, nil
			}
			return nil, reason.Refuse(reason.ShellOption, "whether %s is an option of %s is only known when it runs",
				quote(w.text), o.name)
		case w.text == "--" || w.text == "-":
			return rest[1:], nil
		case w.text == "+":
			return nil, reason.Refuse(reason.ShellOption, "the option + of %s is not known", o.name)
		case w.text == "" || w.text[0] != '-' && w.text[0] != '+':
			return rest, nil
		case strings.HasPrefix(w.text, "--"):
			rest, err = o.long(rest)
		default:
			rest, err = o.short(rest)
		}
		if err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// long consumes an option that has a name, and its value.
func (o *shellOptions) long(rest []word) ([]word, error) {
	option := rest[0].text
	rest = rest[1:]
	switch {
	case o.name != "bash":
	case option == "--login":
		o.login = true
		return rest, nil
	case slices.Contains([]string{"--norc", "--noprofile", "--noediting", "--posix", "--verbose"}, option):
		return rest, nil
	case option == "--rcfile" || option == "--init-file":
		if len(rest) == 0 || !rest[0].single {
			return nil, reason.Refuse(reason.ShellOption, "the option %s of %s has no value", quote(option), o.name)
		}
		return rest[1:], nil
	}
	return nil, reason.Refuse(reason.ShellOption, "the option %s of %s is not known", quote(option), o.name)
}

// short consumes options of one letter, and the values of those that have one.
func (o *shellOptions) short(rest []word) ([]word, error) {
	option := rest[0].text
	refusal := reason.Refuse(reason.ShellOption, "the option %s of %s changes what it runs, or is not known",
		quote(option), o.name)
	rest = rest[1:]
	values := 0
	for _, c := range option[1:] {
		switch {
		case c == 'c' && option[0] == '-':
			o.command = true
		case c == 'l' && option[0] == '-':
			o.login = true
		case c == 'o' || c == 'O' && o.name == "bash":
			values++
		case strings.ContainsRune("euxvfabhmCpEHTB", c):
		default:
			return nil, refusal
		}
	}
	for ; values > 0; values-- {
		if len(rest) == 0 || !rest[0].static || slices.Contains([]string{"noexec", "onecmd", "keyword"}, rest[0].text) {
			return nil, refusal
		}
		rest = rest[1:]
	}
	return rest, nil
}

// shell follows a shell's command line. words[0] is the shell.
func (f *finder) shell(words []word, end place, depth int) (Found, error) {
	name := path.Base(words[0].text)
	options := shellOptions{name: name}
	rest, err := options.read(words[1:])
	if err != nil {
		return Found{}, err
	}
	if len(rest) == 0 {
		return Found{}, reason.Refuse(reason.ShellNoScript, "%s has no script: it reads commands from its input", name)
	}
	if v, set := f.variable("BASH_ENV"); options.login || name == "bash" && set && (!v.known || v.text != "") {
		f.loginShell()
	}
	if !options.command {
		if !rest[0].static {
			return Found{}, reason.Refuse(reason.ProgramDynamic, "which script %s runs is only known when it runs", name)
		}
		return f.shellFile(words, rest, end, depth), nil
	}
	if rest[0].mangled {
		return Found{}, reason.Refuse(reason.BuildpackForm, "bash reads the script for %s once before it gets there", name)
	}
	f.via = append(f.via, name+" -c")
	inv := invocation{langs: dialects(name), script: rest[0], via: name, end: end}
	if len(rest) > 1 {
		inv.zero, inv.params = &rest[1], rest[2:]
	}
	return f.script(inv, depth+1)
}

// shellFile is the program of a shell that runs a file, rest[0].
func (f *finder) shellFile(words, rest []word, end place, depth int) Found {
	var text *files.File
	if paths := f.below(rest[0].text); f.in.Files != nil && paths != nil {
		if file, known := f.in.Files.Find(paths); known && file.Script != "" {
			c := f.clone()
			c.shellIsThere = true
			if found, err := c.scriptFile(rest, end, file, []string{words[0].text}, depth); err == nil {
				return found
			}
			text = &file
		}
	}
	f.behind(rest)
	found := f.found(words, end, true)
	if text != nil {
		found.File, found.Within = text, f.within(rest, end, *text, []string{words[0].text})
	}
	return found
}

// loginShell: profiles may set anything, and usually set PATH.
func (f *finder) loginShell() {
	f.forget()
	f.assign("PATH", Assignment{})
}

// maxScript bounds the scripts that are parsed, in bytes: Kubernetes objects are no larger than that.
const maxScript = 1 << 20

// script reads a script in each of the shell's languages and follows its program.
func (f *finder) script(inv invocation, depth int) (Found, error) {
	if f.shells++; f.shells > maxShells {
		return Found{}, reason.Refuse(reason.TooDeep, "more than %d shell scripts, one inside the other", maxShells)
	}
	if err := inv.check(); err != nil {
		return Found{}, err
	}
	text := inv.script.text
	var found []Found
	var errs []error
	for _, lang := range inv.langs {
		file, err := parse(text, lang)
		if r := (*reason.Refusal)(nil); errors.As(err, &r) {
			return Found{}, err
		}
		if err != nil {
			errs = append(errs, reason.Refuse(reason.ShellSyntax, "the script for %s cannot be parsed: %v", inv.via, err))
			continue
		}
		s := &script{finder: f.clone(), inv: inv, src: text, file: file, lang: lang, depth: depth, unknown: len(text),
			plainParams: plainWords(inv.params)}
		if !inv.script.static {
			s.unknown = inv.script.known
		}
		if inv.file || f.in.copies[text] {
			s.prune()
		}
		r, err := s.follow()
		if err != nil {
			// Reading differently counts more than how: the other language may find something.
			errs = append(errs, err)
			continue
		}
		found = append(found, r)
	}
	for _, err := range errs {
		// A language that cannot read the script at all is not the one it was written for.
		if reason.Of(err) != reason.ShellSyntax {
			return Found{}, err
		}
	}
	if len(found) == 0 {
		return Found{}, errs[0]
	}
	for _, r := range found[1:] {
		if !same(found[0], r) {
			return Found{}, reason.Refuse(reason.ShellDialect, "dash and bash read the script differently, and either may be %s",
				inv.via)
		}
		found[0] = merge(found[0], r)
	}
	return found[0], nil
}

// check refuses a script that is not parsed.
func (inv invocation) check() error {
	text := inv.script.text
	switch {
	case len(text) > maxScript:
		return reason.Refuse(reason.ShellSyntax, "the script for %s is too long", inv.via)
	case nested(text):
		return reason.Refuse(reason.TooDeep, "the script for %s may be nested too deep", inv.via)
	case strings.ContainsAny(text, "\r\x00"):
		return reason.Refuse(reason.ShellSyntax, "the script for %s has carriage returns or NUL bytes", inv.via)
	case (len(text)-len(strings.TrimRight(text, "\\")))%2 == 1:
		return reason.Refuse(reason.ShellSyntax, "the script for %s ends with a backslash", inv.via)
	case strings.TrimSpace(text) == "":
		return reason.Refuse(reason.ShellNoProgram, "the script for %s is empty", inv.via)
	}
	return nil
}

// same says whether two readings of a script come to the same program, at the same places.
func same(a, b Found) bool {
	if len(a.words) != len(b.words) || a.end != b.end || a.Script != b.Script || a.Dir != b.Dir {
		return false
	}
	for i := range a.words {
		if a.words[i].text != b.words[i].text || a.words[i].static != b.words[i].static || a.words[i].at != b.words[i].at {
			return false
		}
	}
	return reflect.DeepEqual(a.Via, b.Via) && reflect.DeepEqual(a.assign.at, b.assign.at) && a.argv0 == b.argv0 &&
		a.Cleared == b.Cleared
}

// merge keeps of two readings what is certain in both.
func merge(a, b Found) Found {
	a.Opaque = a.Opaque || b.Opaque
	a.DirKnown = a.DirKnown && b.DirKnown
	for name := range b.References {
		a.References[name] = true
	}
	for _, pair := range [][2]map[string]Assignment{{a.Assigned, b.Assigned}, {b.Assigned, a.Assigned}} {
		for name, x := range pair[0] {
			if y, ok := pair[1][name]; !ok || x != y {
				a.Assigned[name] = Assignment{Keeps: ok && x.Keeps && y.Keeps,
					Text:    strings.TrimSpace(x.Value + x.Text + " " + y.Value + y.Text),
					Perhaps: x.Perhaps || y.Perhaps}
			}
		}
	}
	return a
}
