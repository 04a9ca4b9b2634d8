package language

import (
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// Managed refuses programs that run several others, each of which would get the debugger's variables.
func (p Process) Managed() error {
	if p.managed() {
		return RefuseManaged()
	}
	return nil
}

// managed reports whether a process manager is likely to be among what a process starts: as the program, behind a
// script or a launcher that is not known, in the text of a shell that stands there, or beside the program.
func (p Process) managed() bool {
	switch {
	case len(p.Argv) == 0:
		return false
	case p.Manager() != "":
		return true
	case (p.Script || !p.isProgram(p.Argv[0])) && (mentionsManager(p.Argv) || mentions(several, p.Argv) ||
		slices.ContainsFunc(p.Argv, startsSeveral)):
		return true
	}
	if slices.ContainsFunc(p.Within, func(c Command) bool {
		return slices.ContainsFunc(c.programs(), func(argv []string) bool {
			return Manages(argv[0]) || Process{Argv: argv, Languages: p.Languages}.distinctManager() != "" ||
				c.AtOnce && slices.Contains(several, ProgramName(argv[0]))
		})
	}) {
		return true
	}
	return slices.ContainsFunc(p.Beside, func(c Command) bool {
		return !c.Brief && (mentionsManager(c.Argv) || slices.ContainsFunc(c.programs(), func(argv []string) bool {
			return Process{Argv: argv, Languages: p.Languages}.distinctManager() != ""
		}))
	})
}

// RefuseManaged refuses variables that all programs of a process manager would get.
func RefuseManaged() error {
	return reason.Refuse(reason.EnvShared,
		"a process manager starts several programs, which would all get the debugger's variables and want its port")
}

// Manager returns the name of the process manager that a program is or that it runs, being an interpreter or a tool
// that runs the programs of packages: python -m honcho, node node_modules/.bin/concurrently, bun x concurrently. ""
// stands for none.
func (p Process) Manager() string {
	if len(p.Argv) > 0 && slices.Contains(several, ProgramName(p.Argv[0])) {
		return ProgramName(p.Argv[0])
	}
	return p.distinctManager()
}

// distinctManager is Manager, but for what is none beside the program.
func (p Process) distinctManager() string {
	if len(p.Argv) == 0 {
		return ""
	}
	if Manages(p.Argv[0]) {
		return ProgramName(p.Argv[0])
	}
	if p.Script || !p.isProgram(p.Argv[0]) {
		return ""
	}
	for i, w := range p.Argv[1:] {
		before := p.Argv[i]
		name := packageProgram(w)
		if before == "-m" {
			name = w[strings.LastIndexByte(w, '.')+1:]
		}
		switch {
		case Manages(name):
			return ProgramName(name)
		case strings.HasPrefix(w, "-"), slices.Contains(runWords, w):
		case i > 0 && strings.HasPrefix(before, "-") && before != "-m" && before != "--": // it may be that option's value
		default:
			return ""
		}
	}
	return ""
}

// runWords stand between a tool and the package's program that it runs.
var runWords = []string{"dlx", "exec", "run", "x"}

// packageProgram is what a word that may name a package, or a file of one, names without what only packages have:
// npm:concurrently@8, node_modules/concurrently/dist/bin/concurrently.js.
func packageProgram(word string) string {
	if strings.Contains(word, "node_modules/") {
		word = strings.TrimSuffix(word, ".js")
	}
	word = strings.TrimPrefix(word, "npm:")
	if at := strings.LastIndexByte(word, '@'); at > 0 {
		word = word[:at]
	}
	return word
}

// Manages reports whether a program is a process manager.
func Manages(program string) bool {
	return slices.Contains(inits, program) || distinctManager(program) ||
		slices.Contains(plainManagers, ProgramName(program))
}

func distinctManager(program string) bool {
	return slices.Contains(processManagers, ProgramName(program))
}

// mentionsManager reports whether words, or those of a shell's script that is one of them, have the name of a process
// manager among them. A name that is a plain word as well counts only where a program's arguments follow it.
func mentionsManager(words []string) bool {
	for _, w := range words {
		fields := scriptWords(w)
		if slices.ContainsFunc(fields, distinctManager) || len(fields) > 1 && mentionsManager(fields) {
			return true
		}
	}
	return mentions(plainManagers, words) || slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains(inits, w)
	})
}

// startsSeveral reports whether a word is a script in which a program is named that may start several others.
func startsSeveral(word string) bool {
	fields := scriptWords(word)
	return len(fields) > 1 && slices.ContainsFunc(fields, func(w string) bool {
		return slices.Contains(several, ProgramName(w))
	})
}

// inits are s6-overlay's and systemd's, which only their paths tell.
var inits = []string{"/init", "/sbin/init"}

// mentions reports whether one of the names, which are plain words as well, is likely to be a program among words.
func mentions(names, words []string) bool {
	for i, w := range words {
		likely := i == 0 || words[i-1] == "--" || i+1 < len(words) && !strings.HasPrefix(words[i-1], "-")
		if likely && slices.Contains(names, ProgramName(w)) {
			return true
		}
	}
	return false
}

// processManagers run several programs at the same time, or may.
var processManagers = []string{
	"bluepill", "chaperone", "circusd", "concurrently", "containerpilot", "dinit", "forego", "foreman", "god",
	"goreman", "hivemind", "honcho", "horust", "lerna", "monit", "mprocs", "multirun", "my_init", "npm-run-all",
	"npm-run-all2", "openrc-init", "overmind", "perpboot", "perpd", "pm2", "pm2-dev", "pm2-docker", "pm2-runtime",
	"process-compose", "run-p", "run-s", "runit", "runit-init", "runsv", "runsvdir", "runsvdir-start",
	"s6-linux-init", "s6-overlay-init", "s6-rc", "s6-rc-init", "s6-supervise", "s6-svscan", "shoreman",
	"strong-pm", "supercronic", "supervise", "supervisord", "svscan", "svscanboot", "systemd", "tmux", "unitd", "wsrun",
	"yacron",
}

// bareManagers are those that people start without arguments, and that no other program takes for a plain word among
// its own.
var bareManagers = []string{"circusd", "pm2-runtime", "runsvdir", "s6-svscan", "supervisord"}

// plainManagers are those whose names are plain words, or as short as one.
var plainManagers = []string{"eye", "forever", "immortal", "invoker", "nf", "nx", "parallel", "pebble", "screen",
	"turbo"}

// several are those that are no manager where a script runs them on its way to the program, but may run several
// programs at the same time where they are the program.
var several = []string{"gmake", "make", "xargs"}
