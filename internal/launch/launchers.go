package launch

import (
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

// launcher is a program that runs the rest of its command line. Its options end at the first word that is no option, or
// behind "--", as getopt does it with a leading "+" in the option string, which most of these have.
type launcher struct {
	names []string
	// short holds the option letters as getopt writes them: a colon behind those that take a value.
	short string
	// long holds the long options, space-separated: name, name= for a required value, name=? for an optional one. All
	// options that print something instead of running the command are left out on purpose.
	long string
	// operands is how many words stand between the options and the command.
	operands int
	// subcommand is the word that makes it run a command: poetry run. Options may stand on both sides of it.
	subcommand string
	// behind are the options behind the subcommand, where they are others than those in front of it; as short and long.
	behind *launcher
	// itself says that with another subcommand it is a program of a language, which can be debugged like any
	// (newrelic-admin run-python): others do something of their own then, which is no application.
	itself bool
	// option is told of each option, to record what it does to the program.
	option func(f *finder, name string, val *word) error
	// rest turns what follows the options and operands into the command; nil when it is the command as it is. A nil
	// result without an error says that the launcher itself is the program.
	rest func(f *finder, words []word) ([]word, error)
	// permutes says that it looks for options behind the first word that is none, unless there is a "--": words with
	// dashes can only be put behind one.
	permutes bool
	// stops says that one that permutes does so only where it is linked with glibc, so that a command line with a word
	// that is known when it runs was written for one that stops.
	stops bool
	// script says that it is one that images bring along: where its text is known, that counts.
	script bool
	// system says that it is one of the system's own tools.
	system bool
	// noOptions hands all its words to rest.
	noOptions bool
	// numeric allows -5, --5 and -+5 (nice).
	numeric bool
	// anyLong takes every other long option to have a value (opentelemetry-instrument makes them from its plugins).
	anyLong bool
	// goFlags says that it reads its options as Go's flag package does: -name and --name are one, and no letters stand
	// together.
	goFlags bool
}

// launchers returns the table. Sources: each tool's own manual page or usage text; for tini, dumb-init and catatonit
// the getopt strings in their main file.
func launchers() []launcher {
	return []launcher{
		// tini's option string has no "+": where it is linked with glibc (Debian's package), it permutes.
		{names: []string{"tini", "tini-static", "docker-init"}, short: "svwgp:e:", permutes: true, stops: true},
		{names: []string{"dumb-init"}, short: "cvr:", long: "single-child verbose rewrite="},
		{names: []string{"catatonit"}, short: "g", permutes: true},
		{names: []string{"env"}, system: true, short: "iu:C:S:va:",
			long: "ignore-environment unset= chdir= split-string= debug argv0= " +
				"block-signal=? default-signal=? ignore-signal=? list-signal-handling", option: envOption, rest: envRest},
		{names: []string{"nice"}, system: true, short: "n:", long: "adjustment=", numeric: true},
		{names: []string{"nohup", "exec"}, system: true},
		{names: []string{"setsid"}, system: true, short: "cfw", long: "ctty fork wait"},
		{names: []string{"timeout"}, system: true, short: "fk:ps:v",
			long: "foreground kill-after= preserve-status signal= verbose", operands: 1},
		{names: []string{"ionice"}, system: true, short: "c:n:t", long: "class= classdata= ignore"},
		{names: []string{"taskset"}, system: true, short: "ac", long: "all-tasks cpu-list", operands: 1},
		{names: []string{"stdbuf"}, system: true, short: "i:o:e:", long: "input= output= error=",
			option: func(f *finder, _ string, _ *word) error {
				// stdbuf works through LD_PRELOAD and its own variables.
				f.assign("LD_PRELOAD", Assignment{})
				return nil
			}},
		{names: []string{"chpst"}, system: true, short: "u:U:b:e:/:C:n:l:L:m:d:o:p:f:c:r:t:s:a:vP012", option: chpstOption},
		{names: []string{"su-exec"}, operands: 1, rest: userEnv},
		{names: []string{"setuidgid", "s6-setuidgid"}, operands: 1},
		{names: []string{"gosu"}, operands: 1, rest: userEnv},
		{names: []string{"setpriv"}, system: true, long: "ambient-caps= apparmor-profile= bounding-set= clear-groups egid= " +
			"euid= groups= inh-caps= " +
			"init-groups keep-groups nnp no-new-privs pdeathsig= ptracer= regid= reset-env reuid= rgid= ruid= securebits= " +
			"selinux-label= seccomp-filter= landlock-access= landlock-rule=",
			option: func(f *finder, name string, _ *word) error {
				if name == "reset-env" {
					f.clear()
					for _, n := range []string{"HOME", "SHELL", "USER", "LOGNAME", "PATH", "TERM"} {
						f.assign(n, Assignment{})
					}
				}
				return nil
			}},
		{names: []string{"docker-entrypoint.sh"}, script: true, noOptions: true, rest: entrypointRest},
		{names: []string{"wait-for-it", "wait-for-it.sh", "wait-for", "wait-for.sh"}, noOptions: true, rest: behindDashes},
		{names: []string{"dockerize"}, goFlags: true, long: "version poll no-overwrite template= stdout= stderr= delims= " +
			"wait= timeout= " +
			"wait-http-header= wait-retry-interval="},
		{names: []string{"opentelemetry-instrument"}, anyLong: true, rest: pythonPath},
		{names: []string{"ddtrace-run"}, short: "dp", long: "debug profiling colorless", rest: pythonPath},
		{names: []string{"newrelic-admin"}, subcommand: "run-program", itself: true, rest: pythonPath},
		{names: []string{"dotenv"}, subcommand: "run", short: "f:q:e:", long: "file= quote= export= override no-override",
			permutes: true,
			rest: func(f *finder, words []word) ([]word, error) {
				f.forget() // it brings variables
				return words, nil
			}},
		{names: []string{"poetry"}, subcommand: "run", short: "qvnC:P:",
			long: "quiet verbose no-interaction ansi no-ansi no-plugins no-cache " +
				"directory= project=", option: dirOption("C", "directory"), rest: projectScript},
		{names: []string{"pipenv"}, subcommand: "run", short: "qv",
			long: "quiet verbose bare clear site-packages no-site-packages python= " +
				"pypi-mirror=", rest: projectScript},
		{names: []string{"runuser"}, system: true, noOptions: true, rest: runuser},
		{names: []string{"uv"}, subcommand: "run", short: "qvnp:i:f:C:P:U", long: "" +
			"active all-extras all-groups all-packages allow-insecure-host= allow-python-downloads cache-dir= color= " +
			"compile-bytecode " +
			"config-file= config-setting= default-index= dev directory= env-file= exact exclude-newer= exclude-newer-package= " +
			"extra= " +
			"extra-index-url= find-links= fork-strategy= frozen group= index= index-strategy= index-url= inexact isolated " +
			"keyring-provider= " +
			"link-mode= locked managed-python native-tls no-active no-binary no-binary-package= no-build no-build-isolation " +
			"no-build-isolation-package= no-build-package= no-cache no-config no-default-groups no-dev no-editable " +
			"no-env-file no-extra= " +
			"no-group= no-index no-managed-python no-progress no-project no-python-downloads no-sources no-sync no-workspace " +
			"offline " +
			"only-dev only-group= package= preview preview-features= prerelease= project= python= python-platform= quiet " +
			"refresh " +
			"refresh-package= reinstall reinstall-package= resolution= system-certs trusted-host= upgrade upgrade-package= " +
			"verbose " +
			"with= with-editable= with-requirements=", option: dirOption("directory"), rest: uvRest},
		{names: []string{"numactl"}, system: true, short: "abi:p:P:C:c:N:m:l",
			long: "all balancing interleave= preferred= preferred-many= physcpubind= cpubind= " +
				"cpunodebind= membind= localalloc"},
		{names: []string{"chrt"}, system: true, short: "bdfiorRT:P:D:v",
			long: "batch deadline fifo idle other rr reset-on-fork sched-runtime= " +
				"sched-period= sched-deadline= verbose", operands: 1},
		{names: []string{"prlimit"}, system: true, long: "core=? data=? nice=? fsize=? sigpending=? memlock=? rss=? " +
			"nofile=? msgqueue=? rtprio=? stack=? " +
			"cpu=? nproc=? as=? locks=? rttime=? verbose"},
		{names: []string{"flock"}, system: true, short: "sxenw:E:oFv",
			long: "shared exclusive nonblock nb timeout= wait= conflict-exit-code= close " +
				"no-fork verbose", operands: 1, rest: noOption},
		{names: []string{"dbus-run-session"}, system: true, long: "dbus-daemon= config-file=",
			rest: sets("DBUS_SESSION_BUS_ADDRESS")},
		{names: []string{"faketime"}, system: true, short: "mf", operands: 1, rest: sets("LD_PRELOAD")},
		{names: []string{"authbind"}, system: true, long: "deep depth=", rest: sets("LD_PRELOAD")},
		{names: []string{"xvfb-run"}, system: true, short: "ae:f:n:lp:s:w:",
			long: "auto-servernum error-file= auth-file= server-num= listen-tcp " +
				"xauth-protocol= server-args= wait=", rest: sets("DISPLAY", "XAUTHORITY")},
		{names: []string{"fixuid"}, short: "q", rest: userEnv},
		{names: []string{"direnv"}, subcommand: "exec", operands: 1, rest: func(f *finder, words []word) ([]word, error) {
			f.forget()
			return words, nil
		}},
		{names: []string{"cross-env"}, noOptions: true, rest: crossEnv},
		{names: []string{"op", "teller", "secrethub", "dapr", "doppler", "infisical", "chamber", "aws-vault"},
			noOptions: true, rest: secretsBehindDashes},
		{names: []string{"dotenvx"}, noOptions: true, rest: dotenvx},
		{names: []string{"pdm"}, subcommand: "run", short: "vqnIc:",
			long: "verbose quiet no-cache ignore-python non-interactive config=", rest: pdmRest,
			behind: &launcher{short: "vqgsp:k:", long: "verbose quiet global site-packages recreate project= skip= venv= env= " +
				"env-file= working-dir=", option: pdmOption}},
		{names: []string{"rye"}, subcommand: "run", rest: projectScript},
		{names: []string{"bundle", "bundler"}, subcommand: "exec", long: "keep-file-descriptors no-color verbose gemfile="},
	}
}

// launcherTable holds launchers by name.
type launcherTable map[string]launcher

// launcherNames is the table of them all. It is made once and only read: making it costs more than most command lines
// do, of which a pod may have any number.
var launcherNames = sync.OnceValue(func() launcherTable {
	t := launcherTable{}
	for _, l := range launchers() {
		for _, name := range l.names {
			t[name] = l
		}
	}
	return t
})

// named returns the launcher that a program is, by the last element of its path. Tools of the system are so only in
// the system's directories: /app/env may be anything.
func (t launcherTable) named(program string) (launcher, bool) {
	dir, name := path.Split(program)
	l, ok := t[name]
	return l, ok && (!l.system || dir == "" || slices.Contains([]string{"bin", "sbin", "busybox"}, path.Base(dir)))
}

func (l launcher) via(name string) string {
	if l.subcommand != "" {
		return name + " " + l.subcommand
	}
	return name
}

// startsApplet reports whether words are "busybox NAME …" that is followed: a shell or a launcher that busybox brings.
func startsApplet(words []word) bool {
	applets := []string{"sh", "ash", "env", "nice", "nohup", "setsid", "chpst", "timeout", "ionice", "taskset",
		"setuidgid"}
	return path.Base(words[0].text) == "busybox" && len(words) > 1 && words[1].static &&
		slices.Contains(applets, words[1].text)
}

// unwrap returns the command that words, which start with the launcher, run.
func (l launcher) unwrap(f *finder, words []word) ([]word, error) {
	name := words[0].text
	if l.noOptions {
		return l.rest(f, words[1:])
	}
	rest, err := l.options(f, name, words[1:])
	if err != nil {
		return nil, err
	}
	if l.subcommand != "" {
		if len(rest) == 0 || !rest[0].static || rest[0].text != l.subcommand {
			if l.itself {
				return nil, nil
			}
			return nil, reason.Refuse(reason.LauncherNotFollowed, "%s is followed only where %s stands behind its own options",
				name, l.subcommand)
		}
		behind := l
		if l.behind != nil {
			behind = *l.behind
		}
		if rest, err = behind.options(f, name, rest[1:]); err != nil {
			return nil, err
		}
	}
	for range l.operands {
		if len(rest) == 0 || !rest[0].one() || strings.HasPrefix(rest[0].text, "-") {
			return nil, reason.Refuse(reason.LauncherUnknownOption, "%s is not followed by what it needs before its command",
				name)
		}
		rest = rest[1:]
	}
	if l.rest != nil {
		if rest, err = l.rest(f, rest); err != nil {
			return nil, err
		}
	}
	if len(rest) == 0 {
		return nil, reason.Refuse(reason.LauncherNoCommand, "%s has no command to run", name)
	}
	if l.permutes && !(len(words) > len(rest) && words[len(words)-len(rest)-1].text == "--") {
		l.guard(f, name, rest)
	}
	return rest, nil
}

// guard keeps a launcher that looks for options among all of its words from taking those of its command, rest, for its
// own.
func (l launcher) guard(f *finder, name string, rest []word) {
	// A mere "-" is no option.
	late := slices.IndexFunc(rest, func(w word) bool { return !w.static && w.known == 0 })
	switch i := slices.IndexFunc(rest, func(w word) bool { return len(w.text) > 1 && w.text[0] == '-' }); {
	case i < 0 && late >= 0 && !l.stops:
		f.noInsert = reason.Refuse(reason.LauncherUnknownOption,
			"whether %s takes %s of its command for an option is only known when it runs", name, quote(rest[late].text))
	case i < 0:
		f.guards = append(f.guards, rest[0].at)
	case rest[i].text == "--", strings.Trim(rest[i].text[1:], l.short) == "":
		// It eats that one, and would leave it to the command behind one more "--".
		f.noInsert = reason.Refuse(reason.LauncherUnknownOption, "%s takes the %s of its command for its own", name,
			rest[i].text)
	default:
		// With other options there, the launcher is one that stops at the first word that is no option (musl's getopt), or
		// it fails, and goes on failing.
	}
}

func envOption(f *finder, opt string, val *word) error {
	switch opt {
	case "i", "ignore-environment":
		f.clear()
	case "u", "unset":
		if !val.static {
			return reason.Refuse(reason.LauncherUnknownOption, "env -u: which variable is unset is only known when it runs")
		}
		f.assign(val.text, Assignment{Known: true, Unset: true})
	case "C", "chdir":
		f.chdir(val.text, val.static)
	case "a", "argv0":
		f.argv0 = "env --argv0"
	}
	return nil
}

// envRest consumes a mere "-" and the assignments.
func envRest(f *finder, words []word) ([]word, error) {
	if len(words) > 0 && words[0].static && words[0].text == "-" {
		f.clear()
		words = words[1:]
	}
	for len(words) > 0 {
		w := words[0]
		name, val, ok := strings.Cut(w.text[:w.known], "=")
		if !w.one() || !ok && !w.static {
			return nil, reason.Refuse(reason.LauncherUnknownOption,
				"whether %s is the command that env runs is only known when it runs", quote(w.text))
		}
		if !ok {
			break
		}
		a := Assignment{Known: w.static, Keeps: w.keeps == name}
		if a.Known {
			a.Value = val
		} else {
			a.Text = w.text[len(name)+1:]
		}
		f.assign(name, a)
		words = words[1:]
	}
	if len(words) > 0 {
		f.atEnv = assignments{&words[0].at, maps.Clone(f.assigned), map[string]bool{}}
	}
	return words, nil
}

func (f *finder) clear() {
	f.cleared, f.atEnv = true, assignments{}
	f.assigned = map[string]Assignment{}
	f.vars, f.onlyVars = map[string]value{}, true
}

func chpstOption(f *finder, opt string, val *word) error {
	switch opt {
	case "b":
		f.argv0 = "chpst -b"
	case "/":
		return reason.Refuse(reason.LauncherChangesRoot, "chpst -/ gives the program another root directory")
	case "e":
		f.forget()
	case "C":
		f.chdir(val.text, val.static)
	}
	return nil
}

// userEnv: su-exec and gosu set HOME to the user's own.
func userEnv(f *finder, words []word) ([]word, error) {
	f.assign("HOME", Assignment{})
	return words, nil
}

// runuser -u USER runs the command, which keeps its environment but for these variables; without -u it is like su, and
// starts the user's shell.
func runuser(f *finder, words []word) ([]word, error) {
	named := false
	l := launcher{
		short: "u:g:G:mpPTw:", long: "user= group= supp-group= preserve-environment pty no-pty whitelist-environment=",
		option: func(_ *finder, name string, _ *word) error {
			named = named || name == "u" || name == "user"
			return nil
		},
	}
	rest, err := l.options(f, "runuser", words)
	if !named {
		return nil, nil
	}
	for _, name := range []string{"HOME", "SHELL", "USER", "LOGNAME"} {
		f.assign(name, Assignment{})
	}
	if err == nil && len(rest) == 0 {
		err = reason.Refuse(reason.LauncherNoCommand, "runuser has no command to run")
	}
	return rest, err
}

// venv: the virtual environment's programs come first.
func venv(f *finder, words []word) ([]word, error) {
	f.assign("PATH", Assignment{Keeps: true})
	f.assign("VIRTUAL_ENV", Assignment{})
	return words, nil
}

// dirOption records the options that change the directory.
func dirOption(names ...string) func(*finder, string, *word) error {
	return func(f *finder, opt string, val *word) error {
		if slices.Contains(names, opt) {
			f.chdir(val.text, val.static)
		}
		return nil
	}
}

// uvRest: uv runs python itself for a file, a directory or an archive with a __main__.py, a module and a URL.
func uvRest(f *finder, words []word) ([]word, error) {
	if len(words) > 0 {
		w := words[0]
		if !w.static || slices.Contains([]string{"-", ".", ".."}, path.Base(w.text)) || strings.Contains(w.text, "://") ||
			slices.Contains([]string{".py", ".pyw", ".pyz", ".zip", ".whl"}, path.Ext(w.text)) {
			return nil, reason.Refuse(reason.LauncherImplicit, "uv run picks the Python for %s itself", quote(w.text))
		}
	}
	return venv(f, words)
}

// entrypointRest: what follows runs, unless the image's script puts its own program in front, as the official images do
// for options, for nothing at all, and (node) for what is no command, or takes the word for one of its cases (web). So
// only a path is taken for what runs, and a program that is known to be one, with arguments. Then the script is the
// program.
func entrypointRest(f *finder, words []word) ([]word, error) {
	if len(words) == 0 || !words[0].static || words[0].text == "" || strings.HasPrefix(words[0].text, "-") {
		return nil, nil
	}
	first := words[0].text
	for _, ext := range []string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".json", ".py", ".rb", ".jar", ".conf"} {
		if strings.HasSuffix(first, ext) {
			return nil, nil
		}
	}
	if strings.Contains(first, "/") {
		return words, nil
	}
	if !f.launchers.knownProgram(first) || len(words) == 1 && !runtimes.KnownOther(first) ||
		runtimes.PlainWord(textsOf(words)) {
		return nil, nil
	}
	if strings.HasPrefix(first, "python") {
		// Scripts test whether they are to run python, before they exec "$@".
		f.noFront = reason.Refuse(reason.ScriptProgram, "docker-entrypoint.sh may test whether its first argument is %s: "+
			"give the path of %s, or the program in command", first, first)
	}
	return words, nil
}

// knownProgram reports whether a bare word is known to be a program's name.
func (t launcherTable) knownProgram(name string) bool {
	_, launches := t.named(name)
	return launches || isShell(name) || name == "busybox" || runtimes.KnownOther(name) ||
		runtimes.Detect(runtimes.Process{Argv: []string{name}}).Sign.Strength == runtimes.Program
}

// sets says which variables a launcher sets.
func sets(names ...string) func(*finder, []word) ([]word, error) {
	return func(f *finder, words []word) ([]word, error) {
		for _, name := range names {
			f.assign(name, Assignment{})
		}
		return words, nil
	}
}

// noOption: flock FILE -c SCRIPT is not followed.
func noOption(_ *finder, words []word) ([]word, error) {
	if len(words) > 0 && strings.HasPrefix(words[0].text, "-") {
		return nil, reason.Refuse(reason.LauncherUnknownOption, "the option %s is not known there", quote(words[0].option()))
	}
	return words, nil
}

// crossEnv: assignments, then the command. It is a Node program itself, so Node's variable does not get past it.
func crossEnv(f *finder, words []word) ([]word, error) {
	words, err := envRest(f, words)
	if err == nil {
		err = inNode(f, "cross-env")
	}
	f.atEnv = assignments{}
	for _, w := range words {
		if err == nil && strings.ContainsAny(w.text, "$\\") { // it expands variables, and eats backslashes
			return nil, reason.Refuse(reason.LauncherImplicit, "cross-env changes %s on its way to the program", quote(w.text))
		}
	}
	return words, err
}

// dotenvx brings variables, and is a Node program itself.
func dotenvx(f *finder, words []word) ([]word, error) {
	words, err := secretsBehindDashes(f, words)
	if err == nil {
		err = inNode(f, "dotenvx")
	}
	return words, err
}

// inNode: a launcher that is a Node program gets the container's NODE_OPTIONS, and the port of an inspector in it.
func inNode(f *finder, name string) error {
	if strings.Contains(f.in.Env["NODE_OPTIONS"], "--inspect") {
		return reason.Refuse(reason.LauncherImplicit, "%s is a Node program itself, which takes the port of the inspector "+
			"in NODE_OPTIONS", name)
	}
	f.assign("NODE_OPTIONS", Assignment{})
	return nil
}

// pythonPath: they put a sitecustomize of their own on PYTHONPATH.
func pythonPath(f *finder, words []word) ([]word, error) {
	f.assign("PYTHONPATH", Assignment{})
	return words, nil
}

// secretsBehindDashes: they bring variables, and what stands behind "--" runs.
func secretsBehindDashes(f *finder, words []word) ([]word, error) {
	f.forget()
	rest, err := behindDashes(f, words)
	if rest == nil && err == nil {
		return nil, reason.Refuse(reason.LauncherNotFollowed, "what it starts cannot be told without a \"--\" in front of it")
	}
	return rest, err
}

// projectScript: the word may be a script of the project's (pyproject.toml, Pipfile), which need not be there as a
// program, unless it is a known program.
func projectScript(f *finder, words []word) ([]word, error) {
	if len(words) == 0 || !words[0].static || !strings.Contains(words[0].text, "/") &&
		!f.launchers.knownProgram(words[0].text) {
		return nil, reason.Refuse(reason.LauncherImplicit, "what follows run may be a script of the project's")
	}
	return venv(f, words)
}

// pdmOption: what follows --venv may be another option.
func pdmOption(f *finder, opt string, val *word) error {
	switch opt {
	case "venv":
		if !val.static || strings.HasPrefix(val.text, "-") {
			return reason.Refuse(reason.LauncherUnknownOption, "whether %s is the name that --venv takes is not known",
				quote(val.text))
		}
	case "env":
		name, text, ok := strings.Cut(val.text[:val.known], "=")
		if !ok {
			return reason.Refuse(reason.LauncherUnknownOption, "which variable pdm sets is only known when it runs")
		}
		if val.static {
			f.assign(name, Assignment{Value: text, Known: true})
		} else {
			f.assign(name, Assignment{Text: val.text[len(name)+1:]})
		}
	case "env-file":
		f.forget()
	case "working-dir": // as seen from the project
		f.chdir(val.text, val.static && path.IsAbs(val.text))
	}
	return nil
}

// pdmRest: pdm runs python itself for a file, which then needs neither be executable nor say that it is Python's.
// Source: pdm/cli/commands/run.py of PDM 2.29.4.
func pdmRest(f *finder, words []word) ([]word, error) {
	if len(words) > 0 && strings.HasSuffix(words[0].text, ".py") {
		return nil, reason.Refuse(reason.LauncherImplicit, "pdm run picks the Python for %s itself", quote(words[0].text))
	}
	return projectScript(f, words)
}

// behindDashes: these run what follows "--", once what they wait for is there, or with variables of their own. Without
// it they are the program.
func behindDashes(_ *finder, words []word) ([]word, error) {
	for i, w := range words {
		switch {
		case w.static && w.text == "--":
			return words[i+1:], nil
		case !w.one():
			return nil, nil
		}
	}
	return nil, nil
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
