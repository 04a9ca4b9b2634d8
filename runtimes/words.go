package runtimes

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

var errNoProgram = &reason.Refusal{Code: reason.NoCommand, Message: "neither the image nor the manifest names a program to start"}

func refuseScript(argv []string) error {
	program := argv[0]
	if KnownOther(program) && len(argv) > 1 {
		program += " " + argv[1] // the shell and its script
	}
	return &reason.Refusal{Code: reason.ScriptProgram, Message: fmt.Sprintf("program %q is, or may be, a shell script, which the debugger cannot start; give the program that it starts in command", program)}
}

// refuseLauncher refuses to put a debugger in front of a program that starts another one.
func refuseLauncher(p Process) error {
	return &reason.Refusal{Code: reason.LauncherNotFollowed, Message: fmt.Sprintf("%s may be a launcher that is not known here, which starts %s: give the program that it starts in command",
		p.Argv[0], p.behindLauncher())}
}

// refuseManager refuses to put a debugger in front of a process manager, in place of what it starts.
func refuseManager(program string) error {
	return reason.Refuse(reason.LauncherNotFollowed, "%s starts other programs, which are not looked at: give the program in command", programName(program))
}

// supportImageOld refuses what the published support images would start wrongly, and names the way out.
func supportImageOld(what string) error {
	return &reason.Refusal{Code: reason.SupportImageOld, Message: "the published support image " + what + "; build the current ones with make push and name them with --support-registry"}
}

func refuseDynamic(program string) error {
	return &reason.Refusal{Code: reason.ProgramDynamic, Message: fmt.Sprintf("program %s is known at run time only", program)}
}

// dynamic says whether the value of word i is known at run time only.
func (p Process) dynamic(i int) bool { return i < len(p.Dynamic) && p.Dynamic[i] }

// anyDynamic says whether any word's value is known at run time only.
func (p Process) anyDynamic() bool {
	for _, d := range p.Dynamic {
		if d {
			return true
		}
	}
	return false
}

// starts says whether one of some programs is the one that matters or, going by its arguments, one that its script starts.
func (p Process) starts(programs []string) bool {
	for i, w := range p.Argv {
		if (i == 0 || p.Script) && slices.Contains(programs, programName(w)) {
			return true
		}
	}
	return false
}

// freePort returns a port for the debugger.
func freePort(o Options, from int32) (int32, error) {
	if o.FreePort == nil {
		return from, nil
	}
	if port := o.FreePort(from); port > 0 {
		return port, nil
	}
	return 0, &reason.Refusal{Code: reason.NoFreePort, Message: fmt.Sprintf("no port from %d on is free in the pod", from)}
}

// optionValue finds the last value of an option in any of the spellings `--name=V`, `--name V` and, for a name of one
// letter, `-nV`. A given option without a value yields "".
func optionValue(args []string, names ...string) (value string, given bool) {
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

// listening says where a debugger that runs already listens, by the address that it is given: on the protocol's default port
// where the address names none, and on none that is known where it names one that is found at run time (0, or a variable).
func listening(protocol, address string, byDefault int32) []Port {
	if n, ok := portOf(address); ok {
		return []Port{{protocol, n}}
	}
	if _, _, err := net.SplitHostPort(address); err == nil || strings.Contains(address, "$") || address != "" && strings.Trim(address, "0123456789") == "" {
		return nil
	}
	return []Port{{protocol, byDefault}}
}

// portOf reads the port of an address: `5005`, `:5005`, `*:5005`, `host:5005`, `[::1]:5005`. Port 0 is no port.
func portOf(address string) (int32, bool) {
	if _, port, err := net.SplitHostPort(address); err == nil {
		address = port
	}
	n, err := strconv.ParseUint(address, 10, 16)
	return int32(n), err == nil && n > 0
}
