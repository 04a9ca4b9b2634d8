// Package bun says everything about Bun, whose inspector is part of it and is started by a variable.
//
// Source: Bun's documentation, "Debugging"; which processes open the inspector, and what a port that is taken does, was
// tried with Bun 1.4: `bun run` leaves both to the script, a second program goes on without an inspector.
package bun

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
)

const (
	port     = 6499
	variable = "BUN_INSPECT"
)

// Language returns Bun.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"bun"},
		Signs: language.Signs{
			Programs: []string{"bun", "bunx"},
			Distinct: []string{"bun", "bunx"},
			Strong:   []string{"BUN_INSTALL"},
			Weak:     []string{"BUN_RUNTIME_TRANSPILER_CACHE_PATH"},
		},
		Protocols: []language.Protocol{{Name: "bun", Port: port, Client: "https://debug.bun.sh/#ADDRESS/"}},
		Listeners: []language.Listener{{
			Protocol: "bun", Started: regexp.MustCompile(`\bbunx? .*--inspect|` + variable), Port: port,
			Address: regexp.MustCompile(`(?:--inspect(?:-brk|-wait)?|` + variable + `)=(?:ws://)?([^\s"'/]*\d)`),
		}},
		Variables:  []string{variable},
		ByVariable: true,
		Plan:       plan,
		Editor:     inEditors(),
		Doc:        language.Doc{Rewrite: "`BUN_INSPECT=ws://0.0.0.0:6499/`", Support: "none"},
	}
}

// plan starts the inspector by its variable.
func plan(p language.Process, o language.Options) (language.Plan, error) {
	if plan, found := existing(p); found {
		return plan, nil
	}
	number, err := language.FreePort(o, port)
	if err != nil {
		return language.Plan{}, err
	}
	if p.Disturbed("bun", o) {
		return language.Plan{}, reason.Refuse(reason.EnvShared,
			"a probe, a hook or the script starts another program, which may be Bun: it would get the same inspector, and "+
				"take its port or wait for a debugger")
	}
	if err := p.Managed(); err != nil {
		return language.Plan{}, err
	}
	address := "ws://" + o.Host("0.0.0.0") + ":" + strconv.Itoa(int(number)) + "/"
	if o.Suspend {
		address += "?wait=1"
	}
	return language.Plan{
		Env:   []language.EnvChange{{Name: variable, Value: address, How: language.Replace}},
		Ports: []language.Port{{Protocol: "bun", Number: number}},
	}, nil
}

// existing looks for an inspector in the variable and among Bun's own options, which end where the script begins.
func existing(p language.Process) (language.Plan, bool) {
	address, found := p.Env[variable]
	if len(p.Argv) > 0 && !p.Script && language.ProgramName(p.Argv[0]) == "bun" {
		args := p.Argv[1:]
		if len(args) > 0 && args[0] == "run" {
			args = args[1:]
		}
		for _, w := range language.LeadingOptions(args, valueOptions) {
			if name, value, _ := strings.Cut(w, "="); slices.Contains([]string{"--inspect", "--inspect-brk", "--inspect-wait"},
				name) {
				address, found = value, true
			}
		}
	}
	if address == "" && !found {
		return language.Plan{}, false
	}
	address = strings.TrimPrefix(address, "ws://")
	address, _, _ = strings.Cut(address, "/")
	return language.Plan{Existing: true, Ports: language.Listening("bun", address, port)}, true
}

// valueOptions take the next word as their value. Source: `bun run --help`, Bun 1.4.
var valueOptions = []string{
	"-r", "--preload", "--require", "--import", "-e", "--eval", "-p", "--print", "--cwd", "-c", "--config", "--env-file",
	"--conditions", "-d", "--define", "-l", "--loader", "--tsconfig-override", "--extension-order", "--main-fields",
	"--port", "-F", "--filter", "--shell",
}
