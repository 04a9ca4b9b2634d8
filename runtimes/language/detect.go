package language

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/image/files"
)

// Detection is the outcome of Detect.
type Detection struct {
	Runtime *Language // nil: none
	Sign    Sign
	// Tied are the other languages with a sign of the same strength; the order of p.Languages decided.
	Tied []*Language
}

// Detect finds the language of a process by its strongest sign. A program that is known to be something else is never
// given a language by weak signs, nor by any sign but the program where its command line would have to be wrapped.
func Detect(p Process) Detection {
	var d Detection
	for _, l := range p.Languages {
		sign := l.Detect(p)
		if p.compiled() {
			if sign.Strength < Program {
				sign = Sign{} // JAVA_VERSION makes no JVM of a program that is known to be something else
			}
			if words := l.ofFile(*p.File); words != "" && sign.Strength < ProgramFile {
				sign = Sign{ProgramFile, words}
			}
		}
		switch {
		case sign.Strength == None || sign.Strength < d.Sign.Strength:
		case sign.Strength > d.Sign.Strength:
			d = Detection{Runtime: l, Sign: sign}
		default:
			d.Tied = append(d.Tied, l)
		}
	}
	if d.Sign.Strength < Program && p.startsAnother(d) {
		return Detection{}
	}
	return d
}

// compiled reports whether a program is known to be a native one, and not likely to start another that its arguments
// name.
func (p Process) compiled() bool {
	if p.File == nil || p.BehindLauncher() != "" || p.starter(ProgramName(p.Argv[0])) {
		return false
	}
	return p.File.Native || p.File.Go != nil || p.File.Netcore != nil
}

// ofFile says that a file is a program of the language, in words; "" where it is not.
func (l *Language) ofFile(f files.File) string {
	if l.Signs.File == nil {
		return ""
	}
	return l.Signs.File(f)
}

// startsAnother reports whether a process is known to be no program of a runtime that only its surroundings show.
func (p Process) startsAnother(d Detection) bool {
	// A shell that runs a script stands for whatever the script starts.
	if len(p.Argv) == 0 || p.Script || d.Runtime == nil {
		return false
	}
	if p.KnownOther(p.Argv[0]) {
		return d.Sign.Strength <= Weak || !p.starter(ProgramName(p.Argv[0]))
	}
	// Behind a launcher that is not known stands what its arguments name.
	if named := p.behindLauncher(); len(named) > 0 {
		// A debugger that goes in front of the program is refused there, and for that.
		if d.Sign.Strength <= Weak || !d.Runtime.InFront && p.ofAnother(named, d.Runtime) {
			return true
		}
	}
	for _, w := range p.Argv[1:] {
		if strings.HasPrefix(w, "-") {
			continue
		}
		name := ProgramName(w)
		if slices.Contains(servers, name) || p.distinct(name, d.Runtime) {
			return true
		}
		if !slices.Contains(scriptExtensions, path.Ext(name)) && p.wrapped(w) {
			return !d.Runtime.ByVariable
		}
	}
	return false
}

// ofAnother reports whether what a launcher that is not known starts is a program of another language than the one
// given, going by the words that name programs and, for a shell among them, by its script.
func (p Process) ofAnother(named []string, l *Language) bool {
	if i := slices.IndexFunc(named, p.isProgram); i >= 0 {
		return !l.isProgram(named[i])
	}
	if !slices.ContainsFunc(named, isShell) {
		return false
	}
	another := false
	for _, script := range p.Argv[1:] {
		for _, w := range scriptWords(script) {
			if l.isProgram(w) {
				return false
			}
			another = another || p.isProgram(w)
		}
	}
	return another
}

// scriptWords are the words of a shell's script, more or less.
func scriptWords(script string) []string {
	return strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()`\"'{}\\", r) })
}

// BehindLauncher returns the word among the arguments that names a program, which the first word is likely to start: it
// is a launcher, but none that the launch package follows. "" where there is none.
func (p Process) BehindLauncher() string {
	if named := p.behindLauncher(); len(named) > 0 {
		return named[0]
	}
	return ""
}

// behindLauncher returns all words like that: a launcher may start another.
func (p Process) behindLauncher() (named []string) {
	if len(p.Argv) == 0 || p.isProgram(p.Argv[0]) {
		return nil
	}
	for i, w := range p.Argv {
		last := i+1 == len(p.Argv)
		switch {
		case i == 0 || strings.HasPrefix(w, "-"):
		case p.namesProgram(w, p.Argv[i-1] == "--", last):
			named = append(named, w)
		}
	}
	return named
}

// namesProgram reports whether an argument names a program: by a path to where programs are or, behind "--", to
// anywhere; by a name that is known. A known name that nothing follows may be a plain word.
func (p Process) namesProgram(word string, behindDashes, last bool) bool {
	dir, name := path.Split(word)
	switch {
	case name == "":
		return false
	case !last && (isShell(name) || Manages(word)), slices.Contains(bareManagers, name):
		return true
	case dir != "":
		rooted := dir[0] == '/' || strings.HasPrefix(dir, "./")
		if ext := path.Ext(name); !rooted || ext != "" && !slices.Contains(scriptExtensions, ext) {
			return false
		}
		return behindDashes || ShellScript(name) || p.holdsPrograms(path.Base(dir))
	case behindDashes:
		return p.isProgram(name) || p.KnownOther(name) && !slices.Contains(tools, name) ||
			!last && (slices.Contains(launchers, name) || slices.Contains([]string{"env", "exec", "nice", "timeout"}, name))
	}
	return p.barelyNames(name, last)
}

// ShellScript reports whether a file's name says that it is a shell's script, which is there to be started.
func ShellScript(name string) bool {
	return slices.Contains([]string{".sh", ".bash", ".ash", ".dash", ".ksh", ".zsh"}, path.Ext(name))
}

// barelyNames reports whether an argument without a path, in no special place, names a program.
func (p Process) barelyNames(name string, last bool) bool {
	return !last && (p.isProgram(name) || slices.Contains(launchers, name)) ||
		slices.Contains(servers, name) || p.distinct(name, nil)
}

// holdsPrograms reports whether directories of a name are where programs are put.
func (p Process) holdsPrograms(dir string) bool {
	return dir == "bin" || dir == "sbin" ||
		slices.ContainsFunc(p.Languages, func(l *Language) bool { return slices.Contains(l.Signs.Directories, dir) })
}

// distinct reports whether a word can only be the name of a program of a language, other than the one given.
func (p Process) distinct(word string, but *Language) bool {
	return slices.ContainsFunc(p.Languages, func(l *Language) bool {
		return (but == nil || l.Name() != but.Name()) && slices.Contains(l.Signs.Distinct, word)
	})
}

// isProgram reports whether a program is known to be one of a language.
func (p Process) isProgram(program string) bool {
	return slices.ContainsFunc(p.Languages, func(l *Language) bool { return l.isProgram(program) })
}

// isProgram reports whether a program is known to be one of the language.
func (l *Language) isProgram(program string) bool {
	return l.program(Process{Argv: []string{program}}) != ""
}

// wrapped reports whether a program is known to be one of a language whose debugger goes in front of it.
func (p Process) wrapped(program string) bool {
	return slices.ContainsFunc(p.Languages, func(l *Language) bool {
		return l.InFront && l.program(Process{Argv: []string{program}}) != ""
	})
}

// ProgramName is the last path element of a program.
func ProgramName(program string) string { return path.Base(program) }

// EnvSign looks for variables in the order given. strong says how much one of them weighs.
func EnvSign(p Process, strong bool, names ...string) Sign {
	image, manifest := Weak, WeakManifest
	if strong {
		image, manifest = Strong, StrongManifest
	}
	for _, n := range names {
		if _, ok := p.ImageEnv[n]; ok {
			return Sign{image, "image sets " + n}
		}
	}
	for _, n := range names {
		if _, ok := p.Env[n]; ok || p.Unknown[n] {
			return Sign{manifest, "manifest sets " + n}
		}
	}
	return Sign{}
}

// Strongest returns the first of the strongest signs.
func Strongest(signs ...Sign) Sign {
	return slices.MaxFunc(signs, func(a, b Sign) int { return cmp.Compare(a.Strength, b.Strength) })
}
