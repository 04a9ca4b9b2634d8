package language

import "slices"

// Others lists the commands beside the program that may start a program of a language: all but those that are known not
// to. A variable that starts a debugger would start it there as well.
func (p Process) Others(language string) []Command {
	return append(slices.DeleteFunc(slices.Clone(p.Beside), func(c Command) bool {
		return !slices.ContainsFunc(c.programs(), func(argv []string) bool { return p.mayBe(language, argv) })
	}), p.othersWithin(language)...)
}

// othersWithin lists those within the script that may start a program of a language: all but the one that is taken for
// the program that matters, and those that one of several conditions leads to and that are not known to be one.
func (p Process) othersWithin(language string) (others []Command) {
	var may []Command
	for _, c := range p.Within {
		c.Starts = slices.DeleteFunc(slices.Clone(c.programs()), func(argv []string) bool {
			return !p.mayBe(language, argv) || c.Maybe && !c.Last && !p.isProgram(argv[0])
		})
		if n := len(c.Starts); n > 1 { // sh -c 'migrate; exec server'
			before := c
			before.Starts = c.Starts[:n-1]
			others = append(others, before)
		}
		if len(c.Starts) > 0 {
			may = append(may, c)
		}
	}
	if !slices.ContainsFunc(may, func(c Command) bool { return c.Last }) {
		return append(others, may[:max(0, len(may)-1)]...)
	}
	return append(others, slices.DeleteFunc(may, func(c Command) bool { return c.Last })...)
}

// programs are what the command starts.
func (c Command) programs() [][]string {
	if c.Starts == nil {
		return [][]string{c.Argv}
	}
	return c.Starts
}

// Disturbed reports whether a command beside the program would come in the way of one that a variable starts a debugger
// for: most find the port taken, say so, and go on; not those that run at the same time, stay, or would wait for
// whoever attaches. Nor those of which the script reads what they say, since a debugger has something to say as well.
func (p Process) Disturbed(language string, o Options) bool {
	return slices.ContainsFunc(p.Others(language), func(c Command) bool {
		return o.Suspend || c.AtOnce && !c.Brief || c.Stays() || c.Heard
	})
}

// Stays reports whether a command is likely to leave something running when it ends.
func (c Command) Stays() bool {
	return slices.ContainsFunc(c.programs(), func(argv []string) bool {
		return slices.ContainsFunc(argv, func(w string) bool { return slices.Contains(staying, ProgramName(w)) })
	})
}

// staying are the words by which programs are told, or known, to leave a server running: zkServer.sh start,
// kafka-server-start.sh -daemon.
var staying = []string{
	"start", "restart", "--start", "-daemon", "--daemon", "--daemonize", "--background", "--detach", "service",
	"rc-service", "systemctl", "start-stop-daemon", "daemonize", "setsid", "cron", "crond", "supercronic",
}

// mayBe reports whether a command line may start a program of a language: it is not known to be something else.
func (p Process) mayBe(language string, argv []string) bool {
	if len(argv) == 0 {
		return false
	}
	if Harmless(argv[0]) && !p.isProgram(argv[0]) {
		return false
	}
	return !slices.ContainsFunc(p.Languages, func(l *Language) bool {
		return l.Name() != language &&
			l.program(Process{Argv: argv}) != ""
	})
}
