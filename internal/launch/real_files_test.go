package launch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/image/files"
)

// rigFiles are the files of the machine, of which only one is a script whose text is known.
type rigFiles struct{ script string }

func (f rigFiles) Find(paths []string) (files.File, bool) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || info.IsDir() || len(paths) > 1 && info.Mode()&0o111 == 0 {
			continue
		}
		if p != f.script {
			return files.File{Path: p, Native: true}, true
		}
		text, _ := os.ReadFile(p)
		file := files.File{Path: p}
		file.Script, file.Interpreter = files.ReadScript(text)
		return file, true
	}
	return files.File{}, false
}

func (f rigFiles) Exists(paths []string) (there, known bool) {
	_, there = f.Find(paths)
	return there, true
}

// entryPoint makes a script as images have them in front of their programs.
func (g *gen) entryPoint() string {
	lines := []string{
		g.pick("#!/bin/sh", "#!/bin/dash", "#!/bin/sh -e", "#!/bin/bash", "#!/bin/bash -eu", "#!/usr/bin/env bash",
			"#!/usr/bin/env sh")}
	bash := strings.Contains(lines[0], "bash")
	for range g.IntN(4) {
		line := g.pick(
			"set -e", `cd "$(dirname "$0")"`, "cd sub", "export X=1", "Y=$1", "echo starting >/dev/null", `migrate "$0"`,
			`migrate "$1"`, "migrate $#", `migrate "$@"`,
			`if [ "$1" = node ]; then migrate "$1"; fi`, `if [ "$1" = app ]; then set -- node "$@"; fi`,
			`if [ "${1#-}" != "$1" ]; then set -- node "$@"; fi`,
			`[ "${1#-}" = "$1" ] || set -- app "$@"`, `[ $# -gt 0 ] || set -- app a.js`,
			`if [ $# = 0 ]; then set -- python3 -u; fi`, "shift", `set -- "$@" last`,
			`if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then set -- `+
				`node "$@"; fi`,
			"case \"$1\" in\n  -*) set -- app \"$@\" ;;\n  serve) shift; set -- node app.js \"$@\" ;;\n"+
				"  migrate|check) exec migrate ;;\nesac",
			`case $1 in node) X=node; export X ;; *) migrate x ;; esac`,
			`if command -v "$1" >/dev/null 2>&1; then migrate there; else set -- app "$@"; fi`,
			`for d in a b; do migrate "$d"; done`, `if [ "$(id -u)" = 12345 ]; then exec migrate "$@"; fi`,
			`test -f in.txt && migrate file`, `if [ ! -f nothere ]; then migrate none; fi`,
			`if [ -n "$NOPE" ]; then set -- app "$@"; fi`, `if [ "$1" = app ] && [ "$(id -u)" = 12345 ]; then exec migrate; fi`,
			`if [ "$X" = 1 ]; then Y=x; export Y; fi`,
			`while [ $# -gt 2 ]; do shift; done`, `run() { "$@"; }`, `: "${W:=w}"`,
			`[ "$1" = node ] && migrate yes || migrate no`, `if true; then migrate t; elif [ "$1" = x ]; then exec app; fi`,
			`if [ "$1" = "node" -o "$1" = "app" ]; then set -- gosu u "$@"; fi`, `if ! [ "$1" = node ]; then migrate not; fi`,
			`set -- gosu u "$@"`, `exec </dev/null`,
		)
		if bash && g.IntN(3) == 0 {
			line = g.pick(`if [[ $1 == -* ]]; then set -- node "$@"; fi`, `[[ "$1" != node ]] || migrate n`,
				`cd "$(dirname "${BASH_SOURCE[0]}")"`, `if [[ "$1" = app && $# -gt 1 ]]; then shift; set -- node "$@"; fi`,
				`if [[ -z $1 ]]; then set -- app; fi`, `migrate "${@:2}"`, `migrate "$LINENO"`)
		}
		lines = append(lines, line)
	}
	end := g.pick(`exec "$@"`, `exec "$@"`, `exec "$@"`, `"$@"`, `exec gosu u "$@"`, `exec node --x "$@"`, "exec app",
		`node "$1"`, `exec app $1`, `exec tini -- "$@"`, "X=2 exec node x.js", `if [ "$1" = node ]; then exec "$@"; fi
exec app "$@"`, `case "$1" in app) exec "$@" ;; *) exec node "$@" ;; esac`)
	return strings.Join(append(lines, end), "\n") + "\n"
}

// TestRealScripts starts scripts of every shape as they are and with words inserted, and compares: each shell sees the
// same, the program gets the same words, variables and directory, and so does all that the script starts besides.
func TestRealScripts(t *testing.T) {
	seed := *launchSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	r := newRig(t)
	r.sh(t, "dash")
	script := filepath.Join(r.bin, "entry.sh")
	counts := map[string]int{}
	for i := range *launches {
		g := &gen{Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		text := g.entryPoint()
		if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		argv := []string{g.pick(script, "entry.sh")}
		switch g.IntN(8) {
		case 0:
			argv = []string{g.pick("tini", "gosu"), "--", argv[0]}
			if argv[0] == "gosu" {
				argv[1] = "u"
			}
		case 1:
			argv = []string{g.pick("dash", "bash"), script}
		case 2:
			argv = []string{"sh", "-c", "exec " + argv[0] + ` "$@"`, "zero"}
		}
		for range g.IntN(4) {
			argv = append(argv,
				g.pick("node", "app", "app", "node", "python3", "-x", "--flag=1", "serve", "a.js", "two words",
					filepath.Join(r.bin, "node"), filepath.Join(r.bin, "app"), "migrate", "nothere"))
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			env := []string{"X=x", "Y=y"}
			in := Input{Argv: argv, WorkingDir: r.work, Files: rigFiles{script},
				Env: map[string]string{"X": "x", "Y": "y", "PATH": r.bin + ":/usr/bin:/bin"}}
			defer func() {
				if t.Failed() {
					t.Logf("seed %d, script %d:\n%s", seed, i, text)
				}
			}()
			counts[r.check(t, in, env, g.Rand)]++
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("followed and edited: %d of %d; else %v", counts[""], *launches, counts)
	if counts[""] < *launches/3 {
		t.Errorf("only %d of %d scripts are followed", counts[""], *launches)
	}
}
