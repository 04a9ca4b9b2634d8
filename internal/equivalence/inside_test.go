package equivalence

import (
	"flag"
	"path"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/image/files"
)

var insideCases = flag.Int("inside", 200, "how many made-up pods TestInsideEquivalence starts")

// TestInsideEquivalence starts containers of images that are looked into, each behind an entry point that is a script
// of the image: what is followed starts the same programs with the same words, variables, directory and $0, in dash,
// bash and busybox.
func TestInsideEquivalence(t *testing.T) {
	total := equivalence(t, *insideCases, true)
	if share := 100 * total.debuggable / max(1, total.containers); *insideCases >= 200 && share < 40 {
		t.Errorf("only %d %% are followed; want 40 %%", share)
	}
}

// known is what is known of the files of the unit's image: nil where it is not looked into.
func (u unit) known() *files.Set {
	if !u.Known {
		return nil
	}
	var list []files.File
	for _, texts := range []map[string]string{scripts, u.Files} {
		for file, text := range texts {
			f := files.File{Path: file}
			if f.Script, f.Interpreter = files.ReadScript([]byte(text)); f.Says() && strings.HasPrefix(text, "#!") {
				list = append(list, f)
			}
		}
	}
	for _, line := range stubPaths {
		for _, p := range strings.Fields(line) {
			switch path.Base(p) {
			case "java", "node", "dotnet", "python", "python3", "python3.12", "setup", "migrate", "gosu", "su-exec", "tini":
				if !strings.HasPrefix(p, "/dbg/") {
					list = append(list, files.File{Path: p, Native: true})
				}
			}
		}
	}
	if u.Runtime == "go" && path.IsAbs(u.App) {
		list = append(list,
			files.File{Path: u.App, Go: &files.Go{Version: "go1.26.1", Module: "example.com/web", DebugInfo: 1 << 20}})
	}
	return files.NewSet(list)
}

// entryPoint puts the command behind a script of the image, of the shapes that people and the official images write.
func (g *generator) entryPoint(argv []string) []string {
	g.class("inside")
	g.u.Known = true
	const file = "/app/entry.sh"
	lines := []string{
		g.one("#!/bin/sh", "#!/bin/sh", "#!/bin/sh -e", "#!/bin/bash", "#!/bin/bash -eu", "#!/usr/bin/env bash",
			"#!/usr/bin/env sh")}
	bash := strings.Contains(lines[0], "bash")
	plain := []string{
		"set -e", "setup", `setup "$0"`, "setup $#", "export ENTRY=1", "umask 022", `cd "$(dirname "$0")"`,
		`echo "starting $1" >/dev/null`,
		`if [ -n "$NOPE" ]; then setup nope; fi`, ": \"${ENTRY_DEFAULT:=x}\"",
	}
	odd := []string{
		// The official images of node, redis, postgres and others.
		"if [ \"${1#-}\" != \"$1\" ] || [ -z \"$(command -v \"$1\")\" ] || { [ -f \"$1\" ] && ! [ -x \"$1\" ]; }; then\n" +
			"  set -- node \"$@\"\nfi",
		`if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- setup "$@"; fi`,
		"if [ \"$1\" = setup ] && [ \"$(id -u)\" = 0 ]; then\n  chmod 700 /tmp/in\n  exec gosu app \"$0\" \"$@\"\nfi",
		"if [ \"$(id -u)\" = 0 ]; then\n  chmod 700 /tmp/in\n  exec gosu app \"$0\" \"$@\"\nfi",
		"if [ \"$(id -u)\" = 0 ]; then exec setpriv --reuid=1000 --clear-groups \"$0\" \"$@\"; fi",
		"if [ \"$1\" = node -a \"$(id -u)\" = 0 ]; then\n  exec su-exec app \"$0\" \"$@\"\nfi",
		"case \"$1\" in\n  -*) set -- migrate \"$@\" ;;\n  setup|migrate) exec \"$@\" ;;\nesac",
		"for f in /docker-entrypoint.d/*; do\n  [ -f \"$f\" ] && setup \"$f\"\ndone",
		"while [ \"$1\" = wait ]; do shift; done", `if [ "$1" = serve ]; then shift; set -- node server.js "$@"; fi`,
		`if [ $# -eq 0 ]; then set -- setup nothing; fi`, "setup &", "trap 'setup end' EXIT", `. /app/env.sh`,
		`run() { setup "$1"; }`, `setup "$@"`,
		`if [ "$(id -u)" = 12345 ]; then exec migrate "$@"; fi`, `set -- "$@" last`,
	}
	if bash {
		odd = append(odd, `if [[ $1 == -* ]]; then set -- node "$@"; fi`, `cd "$(dirname "${BASH_SOURCE[0]}")"`,
			`[[ -z ${1:-} ]] && set -- setup`, "if [[ \"$*\" == node* ]] && [ \"$(id -u)\" = 0 ]; then\n"+
				"  chmod 700 /tmp/in; exec gosu app \"$BASH_SOURCE\" \"$@\"\nfi", "set -o pipefail")
	}
	for range g.IntN(4) {
		if g.chance(60) {
			lines = append(lines, g.one(plain...))
			continue
		}
		g.legit("an entry point that decides")
		line := g.one(odd...)
		g.u.Unordered = g.u.Unordered || strings.HasSuffix(line, "&")
		lines = append(lines, line)
	}
	end := `exec "$@"`
	switch g.IntN(8) {
	case 0:
		g.legit("an entry point that does not exec")
		end = g.one(`"$@"`, "exec \"$@\" 2>&1", `exec "$@" last`, "if [ \"$1\" = setup ]; then exec \"$@\"; fi\nexec \"$@\"")
	case 1:
		end = g.one(`exec gosu app "$@"`, `exec tini -- "$@"`, `exec env ENTRY=2 "$@"`, `exec su-exec app "$@"`)
	case 2: // the command stands in the script, and what is left are its parameters
		g.legit("words in an entry point")
		if !strings.ContainsAny(strings.Join(argv, ""), "\x00") {
			var words []string
			for _, w := range argv {
				words = append(words, g.quoteSingle(w))
			}
			end, argv = "exec "+strings.Join(words, " ")+" \"$@\"", nil
			if g.u.Runtime == "python" || g.u.Runtime == "nodejs" {
				argv = g.words(1)
			}
		}
	}
	g.u.Files = map[string]string{file: strings.Join(append(lines, end), "\n") + "\n"}
	line := []string{file}
	if g.chance(20) {
		line = append(g.launcher(), line...)
	} else if g.chance(15) {
		g.legit("run by a shell")
		line = []string{g.one("sh", "/bin/sh", "bash"), file}
	}
	return append(line, argv...)
}
