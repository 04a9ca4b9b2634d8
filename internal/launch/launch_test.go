package launch

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

// argv splits at spaces; words with spaces are written between ⟨ and ⟩.
func argv(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeft(s, " ") {
		if rest, ok := strings.CutPrefix(s, "⟨"); ok {
			w, more, _ := strings.Cut(rest, "⟩")
			out, s = append(out, w), more
			continue
		}
		w, more, _ := strings.Cut(s, " ")
		out, s = append(out, w), more
	}
	return out
}

func show(argv []string) string {
	var out []string
	for _, w := range argv {
		if w == "" || strings.ContainsAny(w, " \n") {
			w = "⟨" + w + "⟩"
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// unknownFrom is Input's field, where every $(NAME) of these names stands for a value.
func unknownFrom(argv []string, names map[string]bool) []int {
	from := make([]int, len(argv))
	for i, w := range argv {
		from[i] = -1
		for name, is := range names {
			if at := strings.Index(w, "$("+name+")"); is && at >= 0 && (from[i] < 0 || at < from[i]) {
				from[i] = at
			}
		}
	}
	return from
}

func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var r *reason.Refusal
	if !errors.As(err, &r) || r.Message == "" {
		t.Fatalf("%v is no refusal with a message", err)
	}
	return string(r.Code)
}

// front and behind are the lines after words were put in front of the program, and behind it.
func insert(t *testing.T, in Input, f Found, at int, words ...string) string {
	t.Helper()
	edits, err := f.Insert([]runtimes.Insertion{{Before: at, Words: words}})
	if err != nil {
		return reasonOf(t, err)
	}
	line := in.Argv
	if f.Base != nil {
		line = f.Base
	}
	return show(Apply(line, edits))
}

var testEnv = map[string]string{"JAVA_HOME": "/opt/java", "OPTS": "-Xmx1g -Da=b", "EMPTY": "", "GLOB": "*.jar"}

// TestFind has a line for each form: what comes in, the program's words (or the reason of a refusal), and the line with
// /d/dlv in front of the program.
func TestFind(t *testing.T) {
	for _, c := range []struct{ in, want, front string }{
		{"node app.js", "node app.js", "/d/dlv node app.js"},
		{"/usr/local/bin/python3 -m app", "/usr/local/bin/python3 -m app", "/d/dlv /usr/local/bin/python3 -m app"},

		// Launchers and their options.
		{"tini node a.js", "node a.js", "tini -- /d/dlv node a.js"},
		{"/sbin/tini -- node a.js", "node a.js", "/sbin/tini -- /d/dlv node a.js"},
		{"/usr/bin/tini -g -vv -p SIGTERM -e 143 -- node", "node", "/usr/bin/tini -g -vv -p SIGTERM -e 143 -- /d/dlv node"},
		{"tini -svg -eSIG node", "node", "tini -svg -eSIG -- /d/dlv node"},
		{"tini --version", "LauncherUnknownOption", ""},
		{"tini -h", "LauncherUnknownOption", ""},
		{"tini --", "LauncherNoCommand", ""},
		{"dumb-init -c -r 15:3 -v node", "node", "dumb-init -c -r 15:3 -v /d/dlv node"},
		{"dumb-init --rewrite 15:3 --rewrite=2:3 --single-child -- node", "node",
			"dumb-init --rewrite 15:3 --rewrite=2:3 --single-child -- /d/dlv node"},
		{"docker-init -- /app", "/app", "docker-init -- /d/dlv /app"},
		{"catatonit -- node -x", "node -x", "catatonit -- /d/dlv node -x"},
		{"catatonit node", "node", "catatonit -- /d/dlv node"},
		{"catatonit -g node x", "node x", "catatonit -g -- /d/dlv node x"},
		{"catatonit node -x", "node -x", "catatonit /d/dlv node -x"},
		{"env A=B C=⟨d⟩ node", "node", "env A=B C=⟨d⟩ /d/dlv node"},
		{"env -i -u X --unset=Y A=B node", "node", "env -i -u X --unset=Y A=B /d/dlv node"},
		{"env - A=B node", "node", "env - A=B /d/dlv node"},
		{"env -uX -C /srv -- A=B node", "node", "env -uX -C /srv -- A=B /d/dlv node"},
		{"env --chdir=/srv --ignore-signal=PIPE --block-signal node", "node",
			"env --chdir=/srv --ignore-signal=PIPE --block-signal /d/dlv node"},
		{"env -S ⟨A=B node --x⟩ app.js", "node --x app.js", "env -S ⟨A=B /d/dlv node --x⟩ app.js"},
		{"env -vS ⟨node⟩ app.js", "node app.js", "env -vS ⟨/d/dlv node⟩ app.js"},
		{"env ⟨-S node -r x⟩ app.js", "node -r x app.js", "env ⟨-S /d/dlv node -r x⟩ app.js"},
		{"env ⟨--split-string=node  x⟩", "node x", "env ⟨--split-string=/d/dlv node  x⟩"},
		{"env -S ⟨node 'a b'⟩", "LauncherUnknownOption", ""},
		{"env --argv0=x node", "node", "Argv0Fixed"},
		{"env", "LauncherNoCommand", ""},
		{"env A=B", "LauncherNoCommand", ""},
		{"env -0 node", "LauncherUnknownOption", ""},
		{"nice -n 5 node", "node", "nice -n 5 /d/dlv node"},
		{"nice -10 node", "node", "nice -10 /d/dlv node"},
		{"nice --adjustment=5 -n5 node", "node", "nice --adjustment=5 -n5 /d/dlv node"},
		{"/app/env x", "/app/env x", "/d/dlv /app/env x"},
		{"/usr/bin/env A=B /bin/nice node", "node", "/usr/bin/env A=B /bin/nice /d/dlv node"},
		{"nohup -- node", "node", "nohup -- /d/dlv node"},
		{"setsid -cw --fork node", "node", "setsid -cw --fork /d/dlv node"},
		{"stdbuf -oL -e 0 --input=0 node", "node", "stdbuf -oL -e 0 --input=0 /d/dlv node"},
		{"chpst -u app:app -e /env -v node", "node", "chpst -u app:app -e /env -v /d/dlv node"},
		{"chpst -/ /root node", "LauncherChangesRoot", ""},
		{"chpst -b name node", "node", "Argv0Fixed"},
		{"su-exec app:app node", "node", "su-exec app:app /d/dlv node"},
		{"gosu 1000 tini -- node", "node", "gosu 1000 tini -- /d/dlv node"},
		{"gosu --version", "LauncherUnknownOption", ""},
		{"gosu app", "LauncherNoCommand", ""},
		{"setpriv --reuid=1000 --regid 1000 --clear-groups --inh-caps=-all -- node", "node",
			"setpriv --reuid=1000 --regid 1000 --clear-groups --inh-caps=-all -- /d/dlv node"},
		{"setpriv --dump", "LauncherUnknownOption", ""},
		{"/usr/local/bin/docker-entrypoint.sh node a.js", "node a.js",
			"/usr/local/bin/docker-entrypoint.sh /d/dlv node a.js"},
		{"docker-entrypoint.sh app.js", "docker-entrypoint.sh app.js", "ScriptProgram"},
		{"docker-entrypoint.sh --inspect", "docker-entrypoint.sh --inspect", "ScriptProgram"},
		{"docker-entrypoint.sh", "docker-entrypoint.sh", "ScriptProgram"},
		{"opentelemetry-instrument --traces_exporter console --a=b python app.py", "python app.py",
			"opentelemetry-instrument --traces_exporter console --a=b /d/dlv python app.py"},
		{"ddtrace-run -d --profiling python app.py", "python app.py", "ddtrace-run -d --profiling /d/dlv python app.py"},
		{"newrelic-admin run-program python app.py", "python app.py", "newrelic-admin run-program /d/dlv python app.py"},
		{"dotenv -f .env run --no-override -- python app.py", "python app.py",
			"dotenv -f .env run --no-override -- /d/dlv python app.py"},
		{"poetry run python app.py", "python app.py", "poetry run /d/dlv python app.py"},
		{"poetry -C /srv --no-ansi run -- gunicorn app", "gunicorn app",
			"poetry -C /srv --no-ansi run -- /d/dlv gunicorn app"},
		{"poetry -P /srv run -- gunicorn app", "gunicorn app", "poetry -P /srv run -- /d/dlv gunicorn app"},
		{"poetry install", string(reason.LauncherNotFollowed), ""},
		{"poetry -C run python app.py", string(reason.LauncherNotFollowed), ""}, // run is the directory
		{"poetry -P run run python app.py", "python app.py", "poetry -P run run /d/dlv python app.py"},
		// a script of pyproject.toml's, which poetry runs by itself
		{"poetry run serve", string(reason.LauncherImplicit), ""},
		{"pipenv run web", string(reason.LauncherImplicit), ""}, // one of the Pipfile's
		{"pipenv --python 3.11 --site-packages run gunicorn app", "gunicorn app",
			"pipenv --python 3.11 --site-packages run /d/dlv gunicorn app"},
		{"pipenv --python run python app.py", string(reason.LauncherNotFollowed), ""},
		{"pdm run serve", string(reason.LauncherImplicit), ""},
		{"pdm run python app.py", "python app.py", "pdm run /d/dlv python app.py"},
		{"pdm run app.py", string(reason.LauncherImplicit), ""}, // which it hands to python
		{"pdm run ./app.py", string(reason.LauncherImplicit), ""},
		{"pdm -p run run python", string(reason.LauncherUnknownOption), ""},
		{"pdm -q run -p /srv -sv --env A=b --env=C=d python app.py", "python app.py",
			"pdm -q run -p /srv -sv --env A=b --env=C=d /d/dlv python app.py"},
		{"pdm run --venv test python app.py", "python app.py", "pdm run --venv test /d/dlv python app.py"},
		{"pdm run --venv -s python app.py", string(reason.LauncherUnknownOption), ""},
		{"pdm run -l python app.py", string(reason.LauncherUnknownOption), ""},
		{"rye run ./bin/serve", "./bin/serve", "rye run /d/dlv ./bin/serve"},
		{"uv -C run", string(reason.LauncherNotFollowed), ""},
		{"uv --directory run python app.py", string(reason.LauncherNotFollowed), ""},
		{"uv --directory=run run python app.py", "python app.py", "uv --directory=run run /d/dlv python app.py"},
		{"uv sync", string(reason.LauncherNotFollowed), ""},
		{"uv run .", string(reason.LauncherImplicit), ""},
		{"uv run app.zip", string(reason.LauncherImplicit), ""},
		{"uv run serve", "serve", "uv run /d/dlv serve"},
		{"newrelic-admin run-python app.py", "newrelic-admin run-python app.py", "/d/dlv newrelic-admin run-python app.py"},
		{"dotenv list", string(reason.LauncherNotFollowed), ""},
		{"dotenv -f run run -- python app.py", "python app.py", "dotenv -f run run -- /d/dlv python app.py"},
		{"direnv exec . python app.py", "python app.py", "direnv exec . /d/dlv python app.py"},
		{"direnv allow", string(reason.LauncherNotFollowed), ""},
		{"bundle --gemfile exec puma", string(reason.LauncherNotFollowed), ""},
		{"conda run -n run python app.py", string(reason.LauncherNotFollowed), ""},
		{"dapr run --app-id run -- python app.py", "python app.py", "dapr run --app-id run -- /d/dlv python app.py"},
		{"dapr run --app-id a python app.py", string(reason.LauncherNotFollowed), ""},
		{"op run --env-file run -- python app.py", "python app.py", "op run --env-file run -- /d/dlv python app.py"},
		{"op run python app.py", string(reason.LauncherNotFollowed), ""},
		{"pipenv run flask run", "flask run", "pipenv run /d/dlv flask run"},
		{"uv run --frozen --extra web -p 3.12 -- python app.py", "python app.py",
			"uv run --frozen --extra web -p 3.12 -- /d/dlv python app.py"},
		{"uv --directory /srv run gunicorn app", "gunicorn app", "uv --directory /srv run /d/dlv gunicorn app"},
		{"uv run app.py", "LauncherImplicit", ""},
		{"uv run -m app", "LauncherUnknownOption", ""},
		{"bundle exec puma", "puma", "bundle exec /d/dlv puma"},
		{"timeout -k 5 --signal=INT 1h node a", "node a", "timeout -k 5 --signal=INT 1h /d/dlv node a"},
		{"timeout -t 5 node", "LauncherUnknownOption", ""},
		{"ionice -c2 -n 0 taskset -c 0-3 node", "node", "ionice -c2 -n 0 taskset -c 0-3 /d/dlv node"},
		{"taskset -p 0x1 77", "LauncherUnknownOption", ""},
		{"s6-setuidgid app node", "node", "s6-setuidgid app /d/dlv node"},
		{"wait-for-it db:5432 -t 30 -- node a", "node a", "wait-for-it db:5432 -t 30 -- /d/dlv node a"},
		{"./wait-for-it.sh db:5432 -- tini -- node -- a", "node -- a",
			"./wait-for-it.sh db:5432 -- tini -- /d/dlv node -- a"},
		{"wait-for.sh db:5432", "wait-for.sh db:5432", "ScriptProgram"},
		{"sh -c ⟨wait-for \"$DB\" -- node⟩", "node", "sh -c ⟨wait-for \"$DB\" -- /d/dlv node⟩"},
		{"wait-for db:5432 --", "NoCommand", ""},
		{"dockerize -wait tcp://db:1 -timeout 5s -- node a", "node a",
			"dockerize -wait tcp://db:1 -timeout 5s -- /d/dlv node a"},
		{"doppler run --project x -- node a", "node a", "doppler run --project x -- /d/dlv node a"},
		{"dockerize -wait tcp://db:1 --timeout=5s -no-overwrite node -wait", "node -wait",
			"dockerize -wait tcp://db:1 --timeout=5s -no-overwrite /d/dlv node -wait"},
		{"dockerize -wait", string(reason.LauncherUnknownOption), ""},
		{"dockerize -version", string(reason.LauncherNoCommand), ""},
		{"dockerize -w node", string(reason.LauncherUnknownOption), ""},
		{"doppler run --command node", string(reason.LauncherNotFollowed), ""},
		{"doppler run node a.js", string(reason.LauncherNotFollowed), ""},
		{"infisical run --env prod -- npm start", "npm start", "infisical run --env prod -- /d/dlv npm start"},
		{"infisical run npm start", string(reason.LauncherNotFollowed), ""},
		{"chamber exec svc -- node a.js", "node a.js", "chamber exec svc -- /d/dlv node a.js"},
		{"aws-vault exec prof node a.js", string(reason.LauncherNotFollowed), ""},
		{"summon -f x node a.js", string(reason.LauncherNotFollowed), ""},
		{"envconsul -once node a.js", string(reason.LauncherNotFollowed), ""},
		{"pid1 node a.js", string(reason.LauncherNotFollowed), ""},
		{"runuser -u app -- /app a", "/app a", "runuser -u app -- /d/dlv /app a"},
		{"runuser --user=app -g app node a.js", "node a.js", "runuser --user=app -g app /d/dlv node a.js"},
		{"runuser -u app", string(reason.LauncherNoCommand), ""},
		{"runuser -u app -x node", string(reason.LauncherUnknownOption), ""},
		{"runuser app -c node", "runuser app -c node", "/d/dlv runuser app -c node"},
		{"runuser -l app -c node", string(reason.LauncherNotFollowed), ""},
		{"runuser -lu app node", string(reason.LauncherNotFollowed), ""},
		{"su app -c node", "su app -c node", "/d/dlv su app -c node"},
		{"su -s /bin/sh app -c node", "su -s /bin/sh app -c node", "/d/dlv su -s /bin/sh app -c node"},
		{"su - app -c node", string(reason.LauncherNotFollowed), ""},
		{"su -lc node app", string(reason.LauncherNotFollowed), ""},
		{"su -ml app", string(reason.LauncherNotFollowed), ""},
		{"su app --log -c node", string(reason.LauncherNotFollowed), ""},
		{"su -cl app", "su -cl app", "/d/dlv su -cl app"}, // the command l
		{"exec node a", "node a", "exec /d/dlv node a"},
		{"busybox env A=B node", "node", "busybox env A=B /d/dlv node"},
		{"busybox sh -c ⟨exec node⟩", "node", "busybox sh -c ⟨exec /d/dlv node⟩"},
		{"busybox httpd -f", "busybox httpd -f", "/d/dlv busybox httpd -f"},
		{"tini -- docker-entrypoint.sh env A=B sh -c ⟨exec nice node⟩", "node",
			"tini -- docker-entrypoint.sh env A=B sh -c ⟨exec nice /d/dlv node⟩"},

		// Shells: invocation.
		{"sh -c ⟨node; rc=$?; echo $rc; exit $rc⟩", "node", "sh -c ⟨/d/dlv node; rc=$?; echo $rc; exit $rc⟩"},
		{"sh -c ⟨node; if [ $? -ne 0 ]; then echo failed; exit 1; elif test x; then :; else exit 2; fi⟩", "node",
			"sh -c ⟨/d/dlv node; if [ $? -ne 0 ]; then echo failed; exit 1; elif test x; then :; else exit 2; fi⟩"},
		{"bash -c ⟨node; [[ $? = 0 ]] || exit 1⟩", "node", "bash -c ⟨/d/dlv node; [[ $? = 0 ]] || exit 1⟩"},
		{"sh -c ⟨node; if [ -f x ]; then cleanup; fi⟩", "ShellConditional", ""},
		{"sh -c ⟨node; rc=$(date)⟩", "ShellNoProgram", ""},
		{"sh -c ⟨A=1; B=2⟩", "ShellNoProgram", ""},
		{"bash -c ⟨shopt -s nullglob globstar; exec node⟩", "node", "bash -c ⟨shopt -s nullglob globstar; exec /d/dlv node⟩"},
		{"bash -c ⟨shopt -s expand_aliases; exec node⟩", "ShellOption", ""},
		{"sh -c ⟨hash -r; exec node⟩", "node", "sh -c ⟨hash -r; exec /d/dlv node⟩"},
		{"bash -c ⟨hash -p /x node; exec node⟩", "ShellOption", ""},
		{"bash -c ⟨enable -n echo; exec node⟩", "ShellOption", ""},
		{"sh -c ⟨node app.js⟩", "node app.js", "sh -c ⟨/d/dlv node app.js⟩"},
		{"/bin/sh -ec ⟨node⟩ ignored words", "node", "/bin/sh -ec ⟨/d/dlv node⟩ ignored words"},
		{"bash -e -c -u -- ⟨node⟩", "node", "bash -e -c -u -- ⟨/d/dlv node⟩"},
		{"bash -eo pipefail -c ⟨node⟩", "node", "bash -eo pipefail -c ⟨/d/dlv node⟩"},
		{"bash -o pipefail -O extglob +x --norc -c ⟨node⟩", "node", "bash -o pipefail -O extglob +x --norc -c ⟨/d/dlv node⟩"},
		{"bash --login -c ⟨node⟩", "node", "bash --login -c ⟨/d/dlv node⟩"},
		{"bash -lc ⟨node⟩", "node", "bash -lc ⟨/d/dlv node⟩"},
		{"/usr/bin/ash -euxc ⟨node⟩", "node", "/usr/bin/ash -euxc ⟨/d/dlv node⟩"},
		{"sh /entrypoint.sh node", "sh /entrypoint.sh node", "ScriptProgram"},
		{"bash -e start", "bash -e start", "ScriptProgram"},
		{"sh", "ShellNoScript", ""},
		{"sh -c", "ShellNoScript", ""},
		{"bash -ic ⟨node⟩", "ShellOption", ""},
		{"sh -n -c ⟨node⟩", "ShellOption", ""},
		{"zsh -c ⟨node a⟩", "zsh -c ⟨node a⟩", "/d/dlv zsh -c ⟨node a⟩"},

		// Shells: which command counts.
		{"sh -c ⟨exec node app.js⟩", "node app.js", "sh -c ⟨exec /d/dlv node app.js⟩"},
		{"sh -c ⟨X=1 exec node⟩", "node", "sh -c ⟨X=1 exec /d/dlv node⟩"},
		{"sh -c ⟨migrate && exec node⟩", "node", "sh -c ⟨migrate && exec /d/dlv node⟩"},
		{"sh -c ⟨set -e; migrate; exec node⟩", "node", "sh -c ⟨set -e; migrate; exec /d/dlv node⟩"},
		{"sh -c ⟨cd d && node 2>&1 > f⟩", "node", "sh -c ⟨cd d && /d/dlv node 2>&1 > f⟩"},
		{"sh -c ⟨a\nb\n\nnode x # end\n⟩", "node x", "sh -c ⟨a\nb\n\n/d/dlv node x # end\n⟩"},
		{"sh -c ⟨(cd d && exec node)⟩", "node", "sh -c ⟨(cd d && exec /d/dlv node)⟩"},
		{"sh -c ⟨{ a; node; }⟩", "node", "sh -c ⟨{ a; /d/dlv node; }⟩"},
		{"sh -c ⟨node || exit 1⟩", "node", "sh -c ⟨/d/dlv node || exit 1⟩"},
		{"sh -c ⟨node; exit $?⟩", "node", "sh -c ⟨/d/dlv node; exit $?⟩"},
		{"sh -c ⟨node; echo done⟩", "node", "sh -c ⟨/d/dlv node; echo done⟩"},
		{"sh -c ⟨exec node; b⟩", "node", "sh -c ⟨exec /d/dlv node; b⟩"},
		{"sh -c ⟨node || { echo failed; exit 1; }⟩", "node", "sh -c ⟨/d/dlv node || { echo failed; exit 1; }⟩"},
		{"sh -c ⟨node || (echo $(date) && exit 1)⟩", "ShellConditional", ""},
		{"sh -c ⟨start-server; sleep infinity⟩", "ShellNoProgram", ""},
		{"sh -c ⟨node; a⟩", "a", "sh -c ⟨node; /d/dlv a⟩"},
		{"sh -c ⟨node 2>&1 | tee log⟩", "node", "sh -c ⟨/d/dlv node 2>&1 | tee log⟩"},
		{"sh -c ⟨cat x | node - | tee log | cat⟩", "node -", "sh -c ⟨cat x | /d/dlv node - | tee log | cat⟩"},
		{"sh -c ⟨cat x | tee y⟩", "ShellPipe", ""},
		{"sh -c ⟨until nc -z db 1; do sleep 1; done; exec node⟩", "node",
			"sh -c ⟨until nc -z db 1; do sleep 1; done; exec /d/dlv node⟩"},
		{"sh -c ⟨if [ -f x ]; then . ./x; fi; exec node⟩", "node", "sh -c ⟨if [ -f x ]; then . ./x; fi; exec /d/dlv node⟩"},
		{"sh -c ⟨exec 2>&1; trap : TERM; node⟩", "node", "sh -c ⟨exec 2>&1; trap : TERM; /d/dlv node⟩"},
		{"sh -c ⟨worker & exec node⟩", "node", "sh -c ⟨worker & exec /d/dlv node⟩"},
		{"sh -c ⟨command node⟩", "node", "sh -c ⟨command /d/dlv node⟩"},
		{"sh -c ⟨node <<E\nbody\nE\n⟩", "node", "sh -c ⟨/d/dlv node <<E\nbody\nE\n⟩"},
		{"bash -c ⟨exec -a name node⟩", "node", "Argv0Fixed"},
		{"bash -c ⟨time node⟩", "node", "bash -c ⟨time /d/dlv node⟩"},
		{"sh -c ⟨node a || node b⟩", "ShellConditional", ""},
		{"sh -c ⟨if a; then node; fi⟩", "ShellConditional", ""},
		{"sh -c ⟨case x in x) node;; esac⟩", "ShellConditional", ""},
		{"sh -c ⟨[ -f x ] && exec a; node⟩", "ShellConditional", ""},
		{"sh -c ⟨if a; then exec node b; fi; node⟩", "ShellConditional", ""},
		{"sh -c ⟨while true; do node; done⟩", "ShellLoop", ""},
		{"sh -c ⟨for i in 1; do node; done⟩", "ShellLoop", ""},
		{"sh -c ⟨node &⟩", "ShellBackground", ""},
		{"sh -c ⟨node & wait⟩", "ShellBackground", ""},
		{"sh -c ⟨node & wait $!⟩", "ShellBackground", ""},
		{"sh -c ⟨node | pino-pretty⟩", "ShellPipe", ""},
		{"sh -c ⟨f() { node; }; f⟩", "ShellFunction", ""},
		{"sh -c ⟨f() { node; }⟩", "ShellFunction", ""},
		{"sh -c ⟨. ./run⟩", "ShellEval", ""},
		{"sh -c ⟨eval node⟩", "ShellEval", ""},
		{"sh -c ⟨cd /srv⟩", "ShellBuiltin", ""},
		{"sh -c ⟨alias node=x; node⟩", "ShellAlias", ""},
		{"sh -c ⟨X=1⟩", "ShellNoProgram", ""},
		{"sh -c ⟨ ⟩", "ShellNoProgram", ""},
		{"sh -c ⟨export X=1⟩", "ShellBuiltin", ""},
		{"sh -c ⟨node 'x⟩", "ShellSyntax", ""},
		{"sh -c ⟨node x\r\n⟩", "ShellSyntax", ""},
		{"sh -c ⟨exec $APP⟩", "ProgramDynamic", ""},
		{"sh -c ⟨exec \"$APP\" x⟩", "ProgramDynamic", ""},
		{"sh -c ⟨exec $(which node)⟩", "ProgramDynamic", ""},
		{"sh -c ⟨set -- node; exec \"$@\"⟩ x y", "ProgramDynamic", ""},
		{"sh -c ⟨node &> log⟩", "node", "sh -c ⟨/d/dlv node &> log⟩"}, // dash: in the background, with either line
		{"sh -c ⟨node $'x'⟩", "ShellDialect", ""},
		{"dash -c ⟨node 10>log⟩", "ShellDialect", ""},
		{"bash -c ⟨node &> log⟩", "node", "bash -c ⟨/d/dlv node &> log⟩"},
		{"sh -c ⟨source venv && exec python⟩", "python", "sh -c ⟨source venv && exec /d/dlv python⟩"},
		{"sh -c ⟨[[ -f x ]] && . x; exec node⟩", "node", "sh -c ⟨[[ -f x ]] && . x; exec /d/dlv node⟩"},

		// Shells: words.
		{"sh -c ⟨'no'de a\\ b \"c d\"⟩", "node ⟨a b⟩ ⟨c d⟩", "sh -c ⟨/d/dlv 'no'de a\\ b \"c d\"⟩"},
		{"sh -c ⟨node $PORT \"$PORT\" ${VAR:-x} $(c) *.js⟩", "node $PORT $PORT ${VAR:-x} $(c) *.js",
			"sh -c ⟨/d/dlv node $PORT \"$PORT\" ${VAR:-x} $(c) *.js⟩"},
		{"sh -c ⟨exec $JAVA_HOME/bin/java $OPTS -jar $GLOB \"$GLOB\" $EMPTY \"$EMPTY\"⟩",
			"/opt/java/bin/java -Xmx1g -Da=b -jar $GLOB *.jar ⟨⟩",
			"sh -c ⟨exec /d/dlv $JAVA_HOME/bin/java $OPTS -jar $GLOB \"$GLOB\" $EMPTY \"$EMPTY\"⟩"},
		{"sh -c ⟨exec \"${JDK}/bin/java\" -jar x⟩", "${JDK}/bin/java -jar x",
			"sh -c ⟨exec /d/dlv \"${JDK}/bin/java\" -jar x⟩"},
		{"sh -c ⟨JDK=/j; exec ${JDK}/bin/java⟩", "/j/bin/java", "sh -c ⟨JDK=/j; exec /d/dlv ${JDK}/bin/java⟩"},
		{"sh -c ⟨exec ${JDK}/bin/java⟩", "${JDK}/bin/java", "ProgramDynamic"},
		{"sh -c ⟨exec ${JDK}/bin/*⟩", "ProgramDynamic", ""},
		{"sh -c ⟨exec \"$DIR\"/start.sh⟩", "$DIR/start.sh", "ScriptProgram"},
		{"sh -c ⟨exec \"$DIR/\"⟩", "ProgramDynamic", ""},
		{"sh -c ⟨node ${EMPTY:-a b} ${JAVA_HOME:+set}⟩", "node a b set",
			"sh -c ⟨/d/dlv node ${EMPTY:-a b} ${JAVA_HOME:+set}⟩"},

		{"sh -c ⟨exec env A=$B \"C=$D\" node⟩", "node", "sh -c ⟨exec env A=$B \"C=$D\" /d/dlv node⟩"},
		{"sh -c ⟨exec env $B node⟩", "LauncherUnknownOption", ""},
		{"sh -c ⟨exec env A=$* node⟩ - a b", "LauncherUnknownOption", ""},
		{"sh -c ⟨exec gosu $USER nice -n $N node⟩", "node", "sh -c ⟨exec gosu $USER nice -n $N /d/dlv node⟩"},
		{"sh -c ⟨exec gosu \"$@\" node⟩", "LauncherNoCommand", ""},
		{"sh -c ⟨shift; exec gosu \"$@\" node⟩ - a", "LauncherUnknownOption", ""},

		// Shells: positional parameters.
		{"sh -c ⟨exec \"$@\"⟩ -- node app.js", "node app.js", "sh -c ⟨exec /d/dlv \"$@\"⟩ -- node app.js"},
		{"sh -c ⟨exec \"$0\" \"$@\"⟩ node app.js", "node app.js", "sh -c ⟨exec /d/dlv \"$0\" \"$@\"⟩ node app.js"},
		{"sh -c ⟨exec $0 $@⟩ node app.js", "node app.js", "sh -c ⟨exec /d/dlv $0 $@⟩ node app.js"},
		{"sh -c ⟨exec $@⟩ -- node app.js", "node app.js", "sh -c ⟨exec /d/dlv $@⟩ -- node app.js"},
		{"sh -c ⟨exec tini -- \"$@\"⟩ -- env A=B node app.js", "node app.js",
			"sh -c ⟨exec tini -- \"$@\"⟩ -- env A=B /d/dlv node app.js"},
		{"sh -c ⟨a \"$@\"; exec tini -- \"$@\"⟩ -- env A=B node", "node", "ShellQuoting"},
		{"sh -c ⟨for a; do b; done; exec tini -- \"$@\"⟩ -- env A=B node", "node", "ShellQuoting"},
		{"sh -c ⟨. ./x; exec tini -- \"$@\"⟩ -- env A=B node", "node", "ShellQuoting"},
		{"sh -c ⟨node \"$1\" \"$@\"⟩ -- a b", "node a a b", "sh -c ⟨/d/dlv node \"$1\" \"$@\"⟩ -- a b"},
		{"sh -c ⟨shift; exec \"$@\"⟩ -- a node", "ProgramDynamic", ""},

		// Scripts in scripts.
		{"sh -c ⟨exec sh -c \"node app.js\"⟩", "node app.js", "sh -c ⟨exec sh -c \"/d/dlv node app.js\"⟩"},
		{"sh -c ⟨exec sh -c 'exec node \"a b\"' x⟩", "node ⟨a b⟩", "sh -c ⟨exec sh -c 'exec /d/dlv node \"a b\"' x⟩"},
		{"sh -c ⟨sh -c \"echo \\\"hi\\\"; exec node \\\"\\$X\\\"\"⟩", "node $X",
			"sh -c ⟨sh -c \"echo \\\"hi\\\"; exec /d/dlv node \\\"\\$X\\\"\"⟩"},
		{"sh -c ⟨sh -c exec\\ node⟩", "node", "ShellQuoting"},
		{"sh -c ⟨sh -c node⟩", "node", "ShellQuoting"},
		{"sh -c ⟨sh -c \"node --port=$PORT\"⟩", "node --port=$PORT", "sh -c ⟨sh -c \"/d/dlv node --port=$PORT\"⟩"},
		{"sh -c ⟨sh -c \"cd $DIR && node\"⟩", "UnknownText", ""},
		{"sh -c ⟨sh -c \"$SCRIPT\"⟩", "ShellOption", ""},
		{"sh -c ⟨su-exec app sh -c 'nice bash -c \"exec node\"'⟩", "node",
			"sh -c ⟨su-exec app sh -c 'nice bash -c \"exec /d/dlv node\"'⟩"},

		// Kubernetes' $(SECRET) of an unknown value.
		{"node $(SECRET)", "node $(SECRET)", "/d/dlv node $(SECRET)"},
		{"$(SECRET) node", "ProgramDynamic", ""},
		{"sh -c ⟨node --p=$(SECRET)⟩", "node --p=$(SECRET)", "sh -c ⟨/d/dlv node --p=$(SECRET)⟩"},
		{"sh -c ⟨X=$(SECRET) node⟩", "UnknownText", ""},
		{"env X=$(SECRET) node", "node", "env X=$(SECRET) /d/dlv node"},
		{"env $(SECRET) node", "LauncherUnknownOption", ""},
	} {
		in := Input{Argv: argv(c.in), Env: testEnv, Unknown: map[string]bool{"SECRET": true}}
		in.UnknownFrom = unknownFrom(in.Argv, in.Unknown)
		f, err := Find(in)
		var got string
		if err != nil {
			got = reasonOf(t, err)
		} else {
			got = show(f.Argv)
		}
		if got != c.want {
			t.Errorf("%s\n found %s\n  want %s", c.in, got, c.want)
			continue
		}
		if err != nil {
			continue
		}
		if len(f.Static) != len(f.Argv) {
			t.Errorf("%s: %d words, %d of them static or not", c.in, len(f.Argv), len(f.Static))
		}
		if got := insert(t, in, f, 0, "/d/dlv"); got != c.front {
			t.Errorf("%s\n   got %s\n  want %s", c.in, got, c.front)
		}
		for _, none := range [][]runtimes.Insertion{nil, {{Before: 0}}} {
			if edits, err := f.Insert(none); err != nil && !strings.Contains(c.front, " ") == false || len(edits) != 0 {
				t.Errorf("%s: inserting nothing: %v %v", c.in, edits, err)
			}
		}
	}
}

func TestInsert(t *testing.T) {
	for _, c := range []struct {
		in    string
		at    int
		words string
		want  string
	}{
		{"node a b", 1, "--x --y", "node --x --y a b"},
		{"node a b", 3, "--x", "node a b --x"},
		{"node", 1, "--x", "node --x"},
		{"tini -- node a", 2, "--x", "tini -- node a --x"},
		{"sh -c ⟨node a⟩ z", 1, "--x --y", "sh -c ⟨node --x --y a⟩ z"},
		{"sh -c ⟨node⟩ z", 1, "--x", "sh -c ⟨node --x⟩ z"},
		{"sh -c ⟨node a>log⟩", 2, "5678", "sh -c ⟨node a 5678 >log⟩"},
		{"sh -c ⟨node;⟩", 1, "--x", "sh -c ⟨node --x;⟩"},
		{"sh -c ⟨node \"$@\"⟩ -- a b", 1, "--x", "sh -c ⟨node --x \"$@\"⟩ -- a b"},
		{"sh -c ⟨node \"$@\"⟩ -- a b", 2, "--x", "sh -c ⟨node \"$@\"⟩ -- a --x b"},
		{"sh -c ⟨\"$0\" \"$@\"⟩ app a b", 0, "--x", "WordNeedsQuoting"},
		{"sh -c ⟨\"$0\" \"$@\"⟩ app a b", 1, "--x", "sh -c ⟨\"$0\" --x \"$@\"⟩ app a b"},
		{"sh -c ⟨\"$0\" \"$@\"⟩ env app b", 0, "/x", "sh -c ⟨\"$0\" /x \"$@\"⟩ env app b"},
		{"sh -c ⟨\"$0\" \"$@\"⟩ env app b", 1, "--x", "sh -c ⟨\"$0\" \"$@\"⟩ env app --x b"},
		{"sh -c ⟨echo $0; \"$0\" \"$@\"⟩ env app b", 1, "--x", "sh -c ⟨echo $0; \"$0\" \"$@\"⟩ env app --x b"},
		{"sh -c ⟨echo $1; \"$0\" \"$@\"⟩ env app b", 1, "--x", "ShellQuoting"},
		{"sh -c ⟨. ./x; exec \"$@\"⟩ - app b", 1, "--x", "ShellQuoting"},
		{"sh -c ⟨command \"$@\"⟩ - app b", 1, "--x", "sh -c ⟨command \"$@\"⟩ - app --x b"},
		{"sh -c ⟨command . ./x; exec \"$@\"⟩ - app b", 1, "--x", "ShellQuoting"},
		{"sh -c ⟨node \"$@\"⟩ -- a b", 3, "--x", "sh -c ⟨node \"$@\" --x⟩ -- a b"},
		{"sh -c ⟨node $OPTS x⟩", 1, "--x", "sh -c ⟨node --x $OPTS x⟩"},
		{"sh -c ⟨node $OPTS x⟩", 2, "--x", "ShellQuoting"},
		{"sh -c ⟨sh -c \"node $(x) y\"⟩", 1, "--x", "sh -c ⟨sh -c \"node --x $(x) y\"⟩"},
		{"sh -c ⟨sh -c \"node $(x) y\"⟩", 2, "--x", "ShellQuoting"},
		{"sh -c ⟨sh -c \"node x$(x) y\"⟩", 1, "--x", "sh -c ⟨sh -c \"node --x x$(x) y\"⟩"},
		{"sh -c ⟨echo $@; \"$@\" a⟩ - node b", 1, "--x", "ShellQuoting"},
		{"sh -c ⟨echo $@; \"$@\" a⟩ - node b", 2, "--x", "sh -c ⟨echo $@; \"$@\" --x a⟩ - node b"},
		{"sh -c ⟨node $OPTS x⟩", 3, "--x", "sh -c ⟨node $OPTS --x x⟩"},
		{"sh -c ⟨exec sh -c \"node\" z⟩", 1, "--x", "sh -c ⟨exec sh -c \"node --x\" z⟩"},
		{"sh -c ⟨exec sh -c 'node'\" x\"⟩", 1, "--x", "sh -c ⟨exec sh -c 'node'\" --x x\"⟩"},
		{"sh -c ⟨node $(SECRET) x⟩", 1, "--x", "sh -c ⟨node --x $(SECRET) x⟩"},
		{"sh -c ⟨node $(SECRET) x⟩", 2, "--x", "ShellQuoting"},
		{"env -S ⟨node⟩ x", 1, "--x", "env -S node --x x"},
		{"node a", 1, "⟨a b⟩", "WordNeedsQuoting"},
		{"node a", 1, "$x", "WordNeedsQuoting"},
		{"node a", 1, "⟨⟩", "WordNeedsQuoting"},
		{"node a", 0, "a=b", "WordNeedsQuoting"},
		{"node a", 0, "if", "WordNeedsQuoting"},
		{"node a", 9, "x", "ShellQuoting"},
		{"node a", -1, "x", "ShellQuoting"},
	} {
		in := Input{Argv: argv(c.in), Env: testEnv, Unknown: map[string]bool{"SECRET": true}}
		in.UnknownFrom = unknownFrom(in.Argv, in.Unknown)
		f, err := Find(in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := insert(t, in, f, c.at, argv(c.words)...); got != c.want {
			t.Errorf("%s at %d\n  got %s\n want %s", c.in, c.at, got, c.want)
		}
	}
	// Several insertions at once, given in any order.
	in := Input{Argv: argv("sh -c ⟨exec catatonit app a⟩")}
	f, err := Find(in)
	if err != nil {
		t.Fatal(err)
	}
	edits, err := f.Insert([]runtimes.Insertion{{Before: 2, Words: []string{"z"}},
		{Before: 0, Words: []string{"/d/dlv", "exec"}}, {Before: 1, Words: []string{"--"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Apply(in.Argv, edits)[2], "exec catatonit -- /d/dlv exec app -- a z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLiteralReference: what looks like a reference of Kubernetes, but is none, is just text.
func TestLiteralReference(t *testing.T) {
	in := Input{Argv: argv("sh -c ⟨exec sh -c 'node \"$(SECRET)\" x'⟩"), Unknown: map[string]bool{"SECRET": true}}
	f, err := Find(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := insert(t, in, f, 3, "--x"), "sh -c ⟨exec sh -c 'node \"$(SECRET)\" x --x'⟩"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	in.UnknownFrom = []int{-1, -1, strings.Index(in.Argv[2], "$(")}
	if f, err = Find(in); err != nil {
		if got := reasonOf(t, err); got != "ShellOption" && got != "UnknownText" && got != "ShellSyntax" {
			t.Error(got)
		}
	} else if got := insert(t, in, f, 3, "--x"); got != "ShellQuoting" {
		t.Errorf("behind the reference: %s", got)
	}
}

func TestAssign(t *testing.T) {
	for _, c := range []struct{ in, existing, want string }{
		{"env -i npx x", "", "env -i V=/x npx x"},
		{"env -i A=B tini -- sh -c ⟨exec npx⟩", "", "env -i A=B V=/x tini -- sh -c ⟨exec npx⟩"},
		{"tini -- sh -c ⟨exec env - A=B nice npx⟩", "", "tini -- sh -c ⟨exec env - A=B V=/x nice npx⟩"},
		{"env -i ⟨-S A=B npx⟩", "", "env -i ⟨-S A=B V=/x npx⟩"},
		{"env V=old npx", "old", "env V=old V=/x npx"},
		{"env V=old nice env A=B npx", "old", "env V=old nice env A=B V=/x npx"},
		{"env -u V npx", "", "env -u V V=/x npx"},
		{"env -i /entrypoint.sh", "", "env -i V=/x /entrypoint.sh"},
		{"env -i catatonit npx", "", "env -i V=/x catatonit npx"},
		{"env A=B npx", "", "no"},                    // the container's own reaches it
		{"env V=old sh -c ⟨V=new npx⟩", "", "no"},    // it is undone
		{"env -i sh -c ⟨unset V; npx⟩", "", "no"},    //
		{"env -i setpriv --reset-env npx", "", "no"}, //
		{"env -i sh -c ⟨. ./env.sh; npx⟩", "", "no"}, // it may be undone
		{"env -i sh -c ⟨echo $V; npx⟩", "", "no"},    // others would see it
		{"sh -c ⟨env V=$X npx⟩", "", "no"},           // it is not known
		{"catatonit env - npx --", "", "no"},         // it eats words
		{"sh -c ⟨exec env -i sh -c nice\\ npx⟩", "", "sh -c ⟨exec env -i V=/x sh -c nice\\ npx⟩"},
	} {
		in := Input{Argv: argv(c.in), Env: testEnv}
		f, err := Find(in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		existing, ok := f.Assignable("V")
		got := "no"
		if ok {
			edit, err := f.Assign("V", "/x")
			if err != nil {
				t.Errorf("%s: %v", c.in, err)
				continue
			}
			got = show(Apply(in.Argv, []Edit{edit}))
		}
		if got != c.want || existing != c.existing {
			t.Errorf("%s: existing %q\n  got %s\n want %s", c.in, existing, got, c.want)
		}
		if _, err := f.Assign("V", "a b"); ok && err != nil && reasonOf(t, err) != "WordNeedsQuoting" || !ok && err == nil {
			t.Errorf("%s: %v", c.in, err)
		}
	}
}

// TestSurroundings: directory, variables, other commands.
func TestSurroundings(t *testing.T) {
	type vars = map[string]Assignment
	for _, c := range []struct {
		in   string
		want Found
	}{
		{"tini -- sh -c ⟨cd sub && PATH=/x:$PATH NODE_OPTIONS=--a exec node⟩",
			Found{Dir: "/srv/sub", DirKnown: true, Via: []string{"tini", "sh -c"},
				Assigned: vars{"PATH": {Keeps: true, Text: "/x:$PATH"}, "NODE_OPTIONS": {Value: "--a", Known: true}},
				Rest:     []Command{{Argv: []string{"cd", "sub"}}}}},
		{"sh -c ⟨cd \"$D\"; cd x; node⟩",
			Found{References: map[string]bool{"D": true},
				Rest: []Command{{Argv: []string{"cd", `"$D"`}}, {Argv: []string{"cd", "x"}}}}},
		{"sh -c ⟨cd /a; cd ../b; node⟩",
			Found{Dir: "/b", DirKnown: true, Rest: []Command{{Argv: []string{"cd", "/a"}}, {Argv: []string{"cd", "../b"}}}}},
		{"env -i A=B -u C node", Found{}},
		{"env -u C -i A=B node",
			Found{DirKnown: true, Cleared: true, Assigned: vars{"A": {Value: "B", Known: true}}, Via: []string{"env"}}},
		{"env -u C node", Found{DirKnown: true, Assigned: vars{"C": {Known: true, Unset: true}}, Via: []string{"env"}}},
		{"sh -c ⟨export J=\"${J:+$J }-x\"; K=$K-y; unset L; exec java $M⟩",
			Found{DirKnown: true, References: map[string]bool{"M": true},
				Assigned: vars{"J": {Keeps: true, Text: "${J:+$J }-x"}, "K": {Keeps: true, Text: "$K-y"},
					"L": {Known: true, Unset: true}}}},
		{"bash -c ⟨export J=${J:-d}; K+=y; if a; then X=1; fi; java⟩",
			Found{DirKnown: true, References: map[string]bool{"J": true},
				Assigned: vars{"J": {Text: "${J:-d}"}, "K": {Keeps: true, Text: "y"}, "X": {Text: "1", Perhaps: true}}}},
		{"sh -c ⟨exec env \"PATH=/x:$PATH\" A=\"$A b\" B=\"$C\" node⟩",
			Found{DirKnown: true,
				Assigned:   vars{"PATH": {Keeps: true, Text: "/x:$PATH"}, "A": {Keeps: true, Text: "$A b"}, "B": {Text: "$C"}},
				References: map[string]bool{"C": true}, Via: []string{"sh -c", "env"}}},
		{"sh -c ⟨X=1 other; (Y=1); Z=1 & node⟩", Found{DirKnown: true, Assigned: vars{}}},
		{"sh -c ⟨A=1; [ -n \"$D\" ] && A=2; A=\"$A $B\"; env A=\"$A c\" node⟩",
			Found{DirKnown: true, References: map[string]bool{"D": true, "B": true},
				Assigned: vars{"A": {Text: "1 2 $A $B $A c", Perhaps: true}}}},
		{"sh -c ⟨A=1; B=$A; . ./env; node⟩",
			Found{DirKnown: true, Opaque: true, References: map[string]bool{"A": true},
				Assigned: vars{"A": {Text: "1"}, "B": {Text: "1"}}}},
		{"sh -c ⟨. ./env; node⟩", Found{DirKnown: true, Opaque: true}},
		{"bash -lc node", Found{DirKnown: true, Opaque: true, Assigned: vars{"PATH": {}}}},
		{"sh -c ⟨node w.js & x=$(node -p 1) && node s.js | tee l⟩",
			Found{DirKnown: true, Assigned: vars{"x": {Text: "$(node -p 1)"}},
				Rest: []Command{{Argv: []string{"node", "w.js"}, Background: true}, {Argv: []string{"node", "-p", "1"}},
					{Argv: []string{"tee", "l"}, Background: true}}}},
	} {
		f, err := Find(Input{Argv: argv(c.in), WorkingDir: "/srv"})
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if c.in == "env -i A=B -u C node" {
			if f.Argv[0] != "-u" { // options end at the first operand: env would try to run -u
				t.Errorf("%s: found %q", c.in, f.Argv)
			}
			continue
		}
		if f.Dir != c.want.Dir || f.DirKnown != c.want.DirKnown || f.Cleared != c.want.Cleared || f.Opaque != c.want.Opaque {
			t.Errorf("%s: dir %q %v, cleared %v, opaque %v", c.in, f.Dir, f.DirKnown, f.Cleared, f.Opaque)
		}
		if (len(f.Assigned) > 0 || len(c.want.Assigned) > 0) && !reflect.DeepEqual(f.Assigned, c.want.Assigned) {
			t.Errorf("%s: assigned %+v, want %+v", c.in, f.Assigned, c.want.Assigned)
		}
		if (len(f.References) > 0 || len(c.want.References) > 0) && !reflect.DeepEqual(f.References, c.want.References) {
			t.Errorf("%s: references %v", c.in, f.References)
		}
		for i := range f.Rest {
			f.Rest[i].Starts = nil // see TestPrograms
		}
		if c.want.Rest != nil && !reflect.DeepEqual(f.Rest, c.want.Rest) {
			t.Errorf("%s: rest %+v, want %+v", c.in, f.Rest, c.want.Rest)
		}
		if c.want.Via != nil && !slices.Equal(f.Via, c.want.Via) {
			t.Errorf("%s: via %q", c.in, f.Via)
		}
	}
}

// TestBashEnv: a file that bash reads first may set anything.
func TestBashEnv(t *testing.T) {
	for _, in := range []Input{
		{Env: map[string]string{"BASH_ENV": "/etc/x"}},
		{Unknown: map[string]bool{"BASH_ENV": true}},
		{Env: map[string]string{"BASH_ENV": ""}},
		{},
	} {
		in.Argv = []string{"bash", "-c", "node"}
		f, err := Find(in)
		if want := in.Env["BASH_ENV"] != "" || in.Unknown["BASH_ENV"]; err != nil || f.Opaque != want {
			t.Errorf("%v %v: opaque %v, %v", in.Env, in.Unknown, f.Opaque, err)
		}
	}
}

func TestIsScript(t *testing.T) {
	for name, want := range map[string]bool{"/entrypoint.sh": true, "start.sh": true, "bin/foo.bash": true,
		"/entrypoint": true, "/docker-entrypoint": true,
		"/start": true, "run": true, "node": false, "/app/server": false, "java": false, "/ko-app/web": false,
		"startup": false} {
		if IsScript(name) != want {
			t.Errorf("IsScript(%q) is %v", name, !want)
		}
	}
}

// TestBounds: what is too deep or too long ends, soon.
func TestBounds(t *testing.T) {
	deep := []string{"node"}
	for range 60 {
		deep = append([]string{"sh", "-c", `exec "$@"`, "--"}, deep...)
	}
	many := append(slices.Repeat([]string{"tini", "--"}, 1000), "node")
	for _, a := range [][]string{deep, many} {
		if _, err := Find(Input{Argv: a}); err == nil || reasonOf(t, err) != "TooDeep" {
			t.Errorf("%d words: %v", len(a), err)
		}
	}
	if _, err := Find(Input{Argv: []string{"sh", "-c", strings.Repeat("a;", maxScript)}}); err == nil ||
		reasonOf(t, err) != "ShellSyntax" {
		t.Errorf("a long script: %v", err)
	}
	if _, err := Find(Input{}); err == nil || reasonOf(t, err) != "NoCommand" {
		t.Errorf("no words: %v", err)
	}
	if _, err := Find(Input{Argv: []string{""}}); err == nil || reasonOf(t, err) != "NoCommand" {
		t.Errorf("an empty word: %v", err)
	}
}

func label(t testing.TB, processes []cnbProcess, apis map[string]string) map[string]string {
	m := map[string]any{}
	var ps []map[string]any
	for _, p := range processes {
		q := map[string]any{"type": p.Type, "args": p.Args, "direct": p.Direct, "buildpackID": p.Buildpack,
			"working-dir": p.WorkingDir}
		if len(p.Command) == 1 {
			q["command"] = p.Command[0] // as before platform API 0.10
		} else {
			q["command"] = []string(p.Command)
		}
		ps = append(ps, q)
	}
	var bps []map[string]any
	for id, api := range apis {
		bps = append(bps, map[string]any{"id": id, "api": api})
	}
	m["processes"], m["buildpacks"] = ps, bps
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{buildMetadata: string(b)}
}

func TestBuildpacks(t *testing.T) {
	labels := label(t, []cnbProcess{
		{Type: "web", Command: []string{"node"}, Args: []string{"server.js"}, Direct: true, Buildpack: "new"},
		{Type: "old", Command: []string{"node"}, Args: []string{"server.js"}, Direct: true, Buildpack: "api4"},
		{Type: "list", Command: []string{"node", "--always"}, Args: []string{"server.js"}, Direct: true, Buildpack: "new"},
		{Type: "script", Command: []string{"cd sub && exec node server.js"}, Buildpack: "api4"},
		{Type: "tokens", Command: []string{"node"}, Args: []string{"$FILE", "a b"}, Buildpack: "api4"},
		{Type: "legacy", Command: []string{`exec node "$0"`}, Args: []string{"x"}, Buildpack: "api3"},
		{Type: "dir", Command: []string{"node"}, Args: []string{"x"}, Direct: true, Buildpack: "new", WorkingDir: "sub"},
		{Type: "shell", Command: []string{"/bin/sh", "-c", "exec node x"}, Direct: true, Buildpack: "new"},
	}, map[string]string{"new": "0.9", "api4": "0.4", "api3": "0.3"})
	const L = "/cnb/lifecycle/launcher"
	for _, c := range []struct {
		api, in, want, dir, line string
	}{
		// Platform API 0.4 and later: the name chooses.
		{"0.4", "/cnb/process/web", "node server.js", "/workspace", L + " -- node --x server.js"},
		{"", "/cnb/process/web", "node server.js", "/workspace", L + " -- node --x server.js"},
		{"0.9", "/cnb/process/web a", "node server.js a", "/workspace", L + " -- node --x server.js a"},
		{"0.10", "/cnb/process/web a", "node a", "/workspace", L + " -- node --x a"},
		{"0.10", "/cnb/process/web", "node server.js", "/workspace", L + " -- node --x server.js"},
		{"0.10", "/cnb/process/old a", "node server.js a", "/workspace", L + " -- node --x server.js a"},
		{"0.10", "/cnb/process/list a", "node --always a", "/workspace", L + " -- node --x --always a"},
		{"0.12", "/cnb/process/list", "node --always server.js", "/workspace", L + " -- node --x --always server.js"},
		{"0.4", "/cnb/process/script", "node server.js", "/workspace/sub", L + " ⟨cd sub && exec node --x server.js⟩"},
		{"0.4", "/cnb/process/tokens", "node $FILE ⟨a b⟩", "/workspace", L + " node --x $FILE ⟨a b⟩"},
		{"0.4", L + " sh -c ⟨exec node x⟩", "node x", "/workspace", L + " sh -c ⟨exec node --x x⟩"},
		{"0.4", "/cnb/process/legacy", "node x", "/workspace", "BuildpackForm"},
		{"0.10", "/cnb/process/dir", "node x", "/workspace/sub", "BuildpackForm"},
		{"0.10", "/cnb/process/shell", "node x", "/workspace", L + " -- /bin/sh -c ⟨exec node --x x⟩"},
		{"0.4", "/cnb/process/none", "BuildpackProcess", "", ""},
		{"0.4", L, "BuildpackProcess", "", ""},
		{"0.4", L + " web", "web", "/workspace", "ShellQuoting"}, // a script of one word: web
		{"0.4", L + " -- node x", "node x", "/workspace", L + " -- node --x x"},
		{"0.4", L + " ⟨exec node x⟩", "node x", "/workspace", L + " ⟨exec node --x x⟩"},
		{"0.4", L + " node x", "node x", "/workspace", L + " node --x x"},
		{"0.4", L + " -- tini -- sh -c ⟨node⟩", "node", "/workspace", L + " -- tini -- sh -c ⟨node --x⟩"},
		// Before: the argument chooses.
		{"0.3", L, "node server.js", "/workspace", L + " -- node --x server.js"},
		{"", L, "node server.js", "/workspace", L + " -- node --x server.js"},
		{"0.3", L + " script", "node server.js", "/workspace/sub", L + " ⟨cd sub && exec node --x server.js⟩"},
		{"0.3", L + " ⟨node x⟩", "node x", "/workspace", L + " ⟨node --x x⟩"},
		{"0.3", L + " -- node x", "node x", "/workspace", L + " -- node --x x"},
		{"0.3", L + " old a", "old a", "/workspace", L + " old --x a"},
		{"x", L, "BuildpackMetadata", "", ""},
	} {
		in := Input{Argv: argv(c.in), Labels: labels, Env: map[string]string{"CNB_PLATFORM_API": c.api}}
		if c.api == "" {
			in.Env = nil
		}
		f, err := Find(in)
		if err != nil {
			if got := reasonOf(t, err); got != c.want {
				t.Errorf("API %s, %s: %v", c.api, c.in, err)
			}
			continue
		}
		if got := show(f.Argv); got != c.want || f.Dir != c.dir || !f.Opaque {
			t.Errorf("API %s, %s: found %s in %s, opaque %v", c.api, c.in, got, f.Dir, f.Opaque)
		}
		if c.line == "ShellQuoting" {
			continue
		}
		if got := insert(t, in, f, 1, "--x"); got != c.line {
			t.Errorf("API %s, %s\n  got %s\n want %s", c.api, c.in, got, c.line)
		}
	}

	// CNB_PROCESS_TYPE, CNB_APP_DIR, a bare name on PATH, no label.
	for _, c := range []struct {
		in, want, dir string
		env           map[string]string
		unknown       string
		labels        map[string]string
	}{
		{L, "node --always server.js", "/workspace", map[string]string{"CNB_PROCESS_TYPE": "list"}, "", labels},
		{"/cnb/process/web", "node server.js", "/workspace",
			map[string]string{"CNB_PROCESS_TYPE": "list", "CNB_PLATFORM_API": "0.4"}, "", labels},
		{"/cnb/process/web", "node server.js", "/app", map[string]string{"CNB_APP_DIR": "/app"}, "", labels},
		{"web", "node server.js", "/workspace", map[string]string{"PATH": "/cnb/process:/cnb/lifecycle:/usr/bin"},
			"", labels},
		{"web", "web", "", map[string]string{"PATH": "/usr/bin:/cnb/process"}, "", labels},
		{L, "BuildpackMetadata", "", nil, "CNB_PROCESS_TYPE", labels},
		{L, "BuildpackMetadata", "", nil, "", nil},
		{L, "BuildpackMetadata", "", nil, "", map[string]string{buildMetadata: "{"}},
		{L + " -- node", "node", "/workspace", nil, "", nil},
	} {
		f, err := Find(Input{Argv: argv(c.in), Env: c.env, Labels: c.labels,
			Unknown: map[string]bool{c.unknown: c.unknown != ""}})
		got := show(f.Argv)
		if err != nil {
			got = reasonOf(t, err)
		}
		if got != c.want || f.Dir != c.dir {
			t.Errorf("%s %v: found %s in %s", c.in, c.env, got, f.Dir)
		}
	}

	// Labels as the lifecycle writes them, without the APIs of the buildpacks.
	bare := label(t, []cnbProcess{
		{Type: "web", Command: []string{"java"}, Args: []string{"-jar", "app.jar"}, Direct: true,
			Buildpack: "paketo-buildpacks/executable-jar"},
		{Type: "go", Command: []string{"/layers/x/bin/web"}, Direct: true, Buildpack: "paketo-buildpacks/go-build"},
		{Type: "list", Command: []string{"node", "--always"}, Args: []string{"server.js"}, Direct: true,
			Buildpack: "heroku/nodejs"},
		{Type: "tokens", Command: []string{"gunicorn"}, Args: []string{"app:app"}, Buildpack: "heroku/python"},
		{Type: "script", Command: []string{"bundle exec puma"}, Args: []string{"-p", "$PORT"}, Buildpack: "heroku/ruby"},
		{Type: "shell", Command: []string{"sh"}, Args: []string{"-c", "node x"}, Direct: true, Buildpack: "x"},
	}, map[string]string{"heroku/python": ""})
	for _, c := range []struct{ api, in, want, line string }{
		{"0.11", "/cnb/process/web", "java -jar app.jar", L + " -- java --x -jar app.jar"},
		{"0.9", "/cnb/process/web a", "java -jar app.jar a", L + " -- java --x -jar app.jar a"},
		{"0.11", "/cnb/process/web a", "java -jar app.jar a", "BuildpackMetadata"},
		{"0.11", "/cnb/process/go a", "/layers/x/bin/web a", L + " -- /layers/x/bin/web --x a"},
		{"0.11", "/cnb/process/list a", "node --always a", L + " -- node --x --always a"},
		{"0.8", "/cnb/process/tokens", "gunicorn app:app", L + " ⟨gunicorn --x app:app⟩"},
		{"0.11", "/cnb/process/tokens a", "gunicorn app:app a", L + " ⟨gunicorn --x app:app a⟩"},
		{"0.8", "/cnb/process/script", "⟨bundle exec puma⟩ -p $PORT", "BuildpackMetadata"},
		{"0.11", "/cnb/process/shell a", "BuildpackMetadata", ""},
		{"0.9", "/cnb/process/shell a", "node x", L + " -- sh -c ⟨node --x x⟩ a"},
	} {
		in := Input{Argv: argv(c.in), Labels: bare, Env: map[string]string{"CNB_PLATFORM_API": c.api}}
		f, err := Find(in)
		if err != nil {
			if got := reasonOf(t, err); got != c.want {
				t.Errorf("API %s, %s: %v", c.api, c.in, err)
			}
			continue
		}
		if got, line := show(f.Argv), insert(t, in, f, 1, "--x"); got != c.want || line != c.line {
			t.Errorf("API %s, %s: found %s\n  got %s\n want %s", c.api, c.in, got, line, c.line)
		}
	}

	// The user's words keep their meaning in the new line.
	secret := Input{Argv: argv("/cnb/process/web $(SECRET) b"), Labels: labels, UnknownFrom: []int{-1, 0, -1}}
	if f, err := Find(secret); err != nil || !slices.Equal(f.BaseFrom, []int{-1, -1, -1, -1, 1, 2}) ||
		!slices.Equal(f.Static, []bool{true, true, false, true}) {
		t.Errorf("%q: %v %v %v", secret.Argv, f.BaseFrom, f.Static, err)
	}

	// Words that the launcher's echo would swallow, and the line that stays when nothing is inserted.
	in := Input{Argv: []string{"/cnb/process/tokens"}, Labels: labels}
	f, err := Find(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := insert(t, in, f, 1, "-e"); got != "WordNeedsQuoting" {
		t.Errorf("-e: %s", got)
	}
	if edits, err := f.Insert(nil); err != nil || edits != nil {
		t.Errorf("inserting nothing: %v, %v", edits, err)
	}
}

// TestUnknownOptionsKeepTheirValues: what an option is given may be a secret, and results may be committed.
func TestUnknownOptionsKeepTheirValues(t *testing.T) {
	for _, words := range []string{"tini --token=hunter2 app", "tini -qhunter2 app", "tini -sxhunter2 app",
		"gosu --x=hunter2 app", "env --y=hunter2 app", "sh -c ⟨exec --z=hunter2 app⟩", "sh -c ⟨tini -$A=hunter2 app⟩"} {
		_, err := Find(Input{Argv: argv(words)})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got error %v", words, err)
		}
	}
}
