// Package deno says everything about Deno, whose inspector is part of it and is started by an option.
//
// Source: `deno run --help`; which commands take the option was tried with Deno 2.9.
package deno

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
)

const port = 9229

// Language returns Deno.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"deno"},
		Signs: language.Signs{
			Programs: []string{"deno"},
			Distinct: []string{"deno"},
			Strong:   []string{"DENO_VERSION"},
			Weak:     []string{"DENO_DIR"},
		},
		Protocols: []language.Protocol{{Name: "devtools", Port: port, Client: "node inspect ADDRESS   or chrome://inspect"}},
		Listeners: []language.Listener{{
			Protocol: "devtools", Started: regexp.MustCompile(`\bdeno .*--inspect(-brk|-wait)?($|[^\w-])`), Port: port,
			Address: regexp.MustCompile(`--inspect(?:-brk|-wait)?=([^\s"']*\d)`),
		}},
		InFront: true,
		Plan:    plan,
		Editor:  inEditors(),
		Doc: language.Doc{
			Rewrite: "`--inspect=0.0.0.0:9229` behind `deno run`, `deno serve` and `deno`; `deno task` is left alone",
			Support: "none",
		},
	}
}

// plan puts the option behind the command that runs a program.
func plan(p language.Process, o language.Options) (language.Plan, error) {
	switch {
	case len(p.Argv) == 0:
		return language.Plan{}, language.RefuseNothing()
	case p.Script:
		return language.Plan{}, language.RefuseScript(p)
	case p.IsDynamic(0):
		return language.Plan{}, language.RefuseDynamic(p.Argv[0])
	case p.Manager() != "":
		return language.Plan{}, language.RefuseManager(p.Manager())
	case language.ProgramName(p.Argv[0]) != "deno":
		return language.Plan{}, reason.Refuse(reason.LauncherNotFollowed,
			"%s is not deno, whose command line the inspector's option has to be put into: give the command line of deno in "+
				"command", p.Argv[0])
	}
	at, script := command(p)
	if at < 0 {
		return language.Plan{}, reason.Refuse(reason.LauncherImplicit,
			"what %s starts is not on its command line: use deno run with a file",
			strings.Join(p.Argv[:min(3, len(p.Argv))], " "))
	}
	for _, w := range p.Argv[at:script] {
		if name, address, _ := strings.Cut(w, "="); slices.Contains([]string{"--inspect", "--inspect-brk", "--inspect-wait"},
			name) {
			return language.Plan{Existing: true, Ports: language.Listening("devtools", address, port)}, nil
		}
	}
	number, err := language.FreePort(o, port)
	if err != nil {
		return language.Plan{}, err
	}
	option := "--inspect"
	if o.Suspend {
		option = "--inspect-brk"
	}
	return language.Plan{
		Insert: []language.Insertion{
			{Before: at, Words: []string{option + "=" + o.Host("0.0.0.0") + ":" + strconv.Itoa(int(number))}}},
		Ports: []language.Port{{Protocol: "devtools", Number: number}},
	}, nil
}

// command finds where the options of the command that runs a program begin, and the program; -1 where none is run, or
// where a word that is known at run time only, or the name of a task, may stand in its place.
func command(p language.Process) (options, script int) {
	at := 1 + len(language.LeadingOptions(p.Argv[1:], valueOptions))
	if at >= len(p.Argv) || p.AnyDynamic() && slices.Contains(p.Dynamic[:at+1], true) {
		return -1, 0
	}
	options, script = 1, at
	if slices.Contains([]string{"run", "serve"}, p.Argv[at]) {
		options = at + 1
		script = options + len(language.LeadingOptions(p.Argv[options:], valueOptions))
	}
	if script >= len(p.Argv) || p.IsDynamic(script) {
		return -1, 0
	}
	// deno run NAME, and deno NAME, run a task of the project where there is one.
	if file := p.Argv[script]; file != "-" && !strings.ContainsAny(file, "./:") {
		return -1, 0
	}
	return options, script
}

// valueOptions take the next word as their value.
var valueOptions = []string{
	"--ext", "--import-map", "--node-modules-linker", "-c", "--config", "--cert", "--min-dep-age", "--inspect-publish-uid",
	"--location", "--seed", "--preload", "--require", "--conditions", "--port", "--host", "-L", "--log-level",
}
