package language

import (
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// DefaultPath is what container runtimes set PATH to where the image does not.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// RefuseNothing refuses a process of which nothing is known.
func RefuseNothing() error {
	return reason.Refuse(reason.NoCommand, "neither the image nor the manifest names a program to start")
}

// RefuseScript refuses to put a debugger in front of a shell script.
func RefuseScript(p Process) error {
	program := p.Argv[0]
	if p.KnownOther(program) && len(p.Argv) > 1 {
		program += " " + p.Argv[1] // the shell and its script
	}
	return reason.Refuse(reason.ScriptProgram, "program %q is, or may be, a shell script, which the debugger cannot "+
		"start; give the program that it starts in command", program)
}

// RefuseLauncher refuses to put a debugger in front of a program that starts another one.
func RefuseLauncher(p Process) error {
	return reason.Refuse(reason.LauncherNotFollowed, "%s may be a launcher that is not known here, which starts %s: "+
		"give the program that it starts in command",
		p.Argv[0], p.BehindLauncher())
}

// RefuseManager refuses to put a debugger in front of a process manager, in place of what it starts.
func RefuseManager(program string) error {
	return reason.Refuse(reason.LauncherNotFollowed,
		"%s starts other programs, which are not looked at: give the program in command", ProgramName(program))
}

// SupportImageOld refuses what the published support images would start wrongly, and names the way out.
func SupportImageOld(what string) error {
	return reason.Refuse(reason.SupportImageOld, "the published support image %s; build the current ones with make push "+
		"and name them with --support-registry", what)
}

// RefuseDynamic refuses a program whose name is not known.
func RefuseDynamic(program string) error {
	return reason.Refuse(reason.ProgramDynamic, "program %s is known at run time only", program)
}

// IsDynamic says whether the value of word i is known at run time only.
func (p Process) IsDynamic(i int) bool { return i < len(p.Dynamic) && p.Dynamic[i] }

// AnyDynamic says whether any word's value is known at run time only.
func (p Process) AnyDynamic() bool {
	for _, d := range p.Dynamic {
		if d {
			return true
		}
	}
	return false
}

// Starts says whether one of some programs is the one that matters or, going by its arguments, one that its script
// starts.
func (p Process) Starts(programs []string) bool {
	for i, w := range p.Argv {
		if (i == 0 || p.Script) && slices.Contains(programs, ProgramName(w)) {
			return true
		}
	}
	return false
}

// OptionValue finds the last value of an option in any of the spellings `--name=V`, `--name V` and, for a name of one
// letter, `-nV`. A given option without a value yields "".
func OptionValue(args []string, names ...string) (value string, given bool) {
	for i, a := range args {
		for _, n := range names {
			short := len(n) == 2
			switch {
			case a == n:
				value, given = "", true
				if i+1 < len(args) {
					value = args[i+1]
				}
			case strings.HasPrefix(a, n+"="):
				value, given = a[len(n)+1:], true
			case short && strings.HasPrefix(a, n) && !strings.HasPrefix(a, "--"):
				value, given = a[len(n):], true
			}
		}
	}
	return value, given
}

// WordsFrom returns the words of a variable from the first on that holds one of the marks; none where no word does. A
// value may be long, and thousands of containers share it, each of which is looked at: most hold no mark, and finding
// that takes little.
func WordsFrom(value string, marks ...string) []string {
	first := -1
	for _, mark := range marks {
		if i := strings.Index(value, mark); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first < 0 {
		return nil
	}
	return strings.Fields(value[strings.LastIndexAny(value[:first], " \t\n\v\f\r")+1:])
}

// LeadingOptions returns the words up to the first that is neither an option nor the value of one.
func LeadingOptions(args []string, withValue []string) []string {
	return args[:OptionsEnd(args, func(name string) bool { return slices.Contains(withValue, name) })]
}

// OptionsEnd is the index of the first word that is neither an option nor the value of one.
func OptionsEnd(args []string, takesValue func(string) bool) int {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") || args[i] == "--" || args[i] == "-" {
			return i
		}
		if takesValue(args[i]) {
			i++
		}
	}
	return len(args)
}
