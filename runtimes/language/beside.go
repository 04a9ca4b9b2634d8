package language

import (
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// Others lists the commands beside the program that may start a program of a language: all but those that are known not to.
// A variable that starts a debugger would start it there as well.
func (p Process) Others(language string) []Command {
	return slices.DeleteFunc(slices.Clone(p.Beside), func(c Command) bool {
		return !slices.ContainsFunc(c.programs(), func(argv []string) bool { return p.mayBe(language, argv) })
	})
}

// programs are what the command starts.
func (c Command) programs() [][]string {
	if c.Starts == nil {
		return [][]string{c.Argv}
	}
	return c.Starts
}

// Stays reports whether a command is likely to leave something running when it ends.
func (c Command) Stays() bool {
	return slices.ContainsFunc(c.programs(), func(argv []string) bool {
		return slices.ContainsFunc(argv, func(w string) bool { return slices.Contains(staying, ProgramName(w)) })
	})
}

// staying are the words by which programs are told, or known, to leave a server running: zkServer.sh start, kafka-server-start.sh -daemon.
var staying = []string{
	"start", "restart", "--start", "-daemon", "--daemon", "--daemonize", "--background", "--detach", "service", "rc-service", "systemctl",
	"start-stop-daemon", "daemonize", "setsid",
}

// mayBe reports whether a command line may start a program of a language: it is not known to be something else.
func (p Process) mayBe(language string, argv []string) bool {
	if len(argv) == 0 {
		return false
	}
	if Harmless(argv[0]) && !p.isProgram(argv[0]) {
		return false
	}
	return !slices.ContainsFunc(p.Languages, func(l *Language) bool { return l.Name() != language && l.program(Process{Argv: argv}) != "" })
}

// Managed refuses programs that run several others, each of which would get the debugger's variables.
func (p Process) Managed() error {
	switch {
	case len(p.Argv) == 0:
		return nil
	case Manages(p.Argv[0]), p.Script && slices.ContainsFunc(p.Argv, mentionsManager):
	case !p.isProgram(p.Argv[0]) && slices.ContainsFunc(p.Argv, Manages): // behind a script, or a launcher that is not known
	case slices.ContainsFunc(p.Beside, func(c Command) bool { return !c.Brief && slices.ContainsFunc(c.Argv, mentionsManager) }):
	default:
		return nil
	}
	return RefuseManaged()
}

// RefuseManaged refuses variables that all programs of a process manager would get.
func RefuseManaged() error {
	return reason.Refuse(reason.EnvShared, "a process manager starts several programs, which would all get the debugger's variables and want its port")
}

// Manages reports whether a program is a process manager.
func Manages(program string) bool {
	return slices.Contains([]string{"/init", "/sbin/init"}, program) || // s6-overlay's, systemd's
		slices.Contains(processManagers, ProgramName(program))
}

// mentionsManager reports whether a word, a shell's script, has the name of a process manager in it.
func mentionsManager(script string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(script, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()`\"'{}\\", r) }), func(w string) bool {
		return slices.Contains(processManagers, ProgramName(w))
	})
}

// processManagers run several programs at the same time, or may.
var processManagers = []string{
	"chaperone", "circusd", "concurrently", "forego", "foreman", "god", "goreman", "hivemind", "honcho", "monit", "multirun", "my_init",
	"npm-run-all", "npm-run-all2", "overmind", "pm2", "pm2-dev", "pm2-docker", "pm2-runtime", "process-compose", "run-p", "runit", "runit-init",
	"runsv", "runsvdir", "runsvdir-start", "s6-overlay-init", "s6-supervise", "s6-svscan", "supervise", "supervisord", "svscan", "svscanboot",
	"systemd",
}
