package python

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/runtimes/language"
)

// patient is a timeout, in seconds, that nobody spends at a breakpoint.
const patient = 600

// impatient says how long gunicorn waits for a worker that does not answer, where that is it: a worker that is stopped
// at a breakpoint does not (Source: timeout in gunicorn's "Settings", and murder_workers in its arbiter.py).
func impatient(p language.Process) string {
	args, is := gunicorn(p.Argv)
	if !is {
		return ""
	}
	// The command line wins over the variable, and both over a configuration file, which is not read here.
	timeout, given := timeoutOf(args)
	if !given {
		timeout, given = timeoutOf(strings.Fields(p.Env["GUNICORN_CMD_ARGS"]))
	}
	switch {
	case !given:
		return "gunicorn ends a worker that does not answer for 30 s, as at a breakpoint, unless its configuration file " +
			"says otherwise: " +
			"start it with --timeout=0 for the time"
	case timeout == 0 || timeout >= patient:
		return ""
	}
	return fmt.Sprintf("gunicorn ends a worker that does not answer for %d s, as at a breakpoint: start it with "+
		"--timeout=0 for the time", timeout)
}

// gunicorn returns gunicorn's arguments, and reports whether the command line starts it: by its name, by an
// interpreter, or behind a debugger or an agent.
func gunicorn(argv []string) (args []string, is bool) {
	at := slices.IndexFunc(argv, func(w string) bool { return language.ProgramName(w) == "gunicorn" })
	if at < 0 {
		return nil, false
	}
	name := language.ProgramName(argv[0])
	option := func(w string) bool { return strings.HasPrefix(w, "-") }
	switch {
	case at == 0, slices.Contains(agents(), name), name == "debugpy":
	case isPython(name) && (argv[at-1] == "-m" ||
		!slices.ContainsFunc(argv[1:at], func(w string) bool { return !option(w) })):
	default:
		return nil, false
	}
	return argv[at+1:], true
}

// timeoutOf is the last timeout among gunicorn's arguments, in seconds, and whether there is one.
func timeoutOf(args []string) (seconds int, given bool) {
	for i, a := range args {
		value, is := strings.CutPrefix(a, "--timeout=")
		switch {
		case is:
		case a == "-t" || a == "--timeout":
			if value = ""; i+1 < len(args) {
				value = args[i+1]
			}
		case strings.HasPrefix(a, "-t"):
			value = a[len("-t"):]
		default:
			continue
		}
		if n, err := strconv.Atoi(value); err == nil {
			seconds, given = n, true
		}
	}
	return seconds, given
}
