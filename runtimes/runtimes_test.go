package runtimes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/golang"
)

// proc makes a process whose variables are the image's.
func proc(argv string, env ...string) Process {
	p := Process{Argv: strings.Fields(argv), Env: map[string]string{}, ImageEnv: map[string]string{},
		Unknown: map[string]bool{}, Hidden: map[string]bool{}}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		p.Env[name], p.ImageEnv[name] = value, value
	}
	return p
}

// fromManifest makes the process's variables the manifest's alone.
func fromManifest(p Process) Process { p.ImageEnv = map[string]string{}; return p }

func TestDetect(t *testing.T) {
	for name, test := range map[string]struct {
		process Process
		want    string // runtime and sign; "" for none
		tied    string
	}{
		"go by GOTRACEBACK":    {proc("/app", "GOTRACEBACK=single"), "go: image sets GOTRACEBACK", ""},
		"go by manifest":       {fromManifest(proc("/app", "GOGC=50")), "go: manifest sets GOGC", ""},
		"go by ko's data path": {proc("/ko-app/web", "KO_DATA_PATH=/var/run/ko"), "go: image sets KO_DATA_PATH", ""},
		"go by author": {Process{Argv: []string{"/ko-app/web"}, Author: "github.com/google/ko"},
			"go: image built by ko", ""},
		"go by buildpack": {
			Process{Argv: []string{"/x"},
				Labels: map[string]string{"io.buildpacks.build.metadata": `{"buildpacks":[{"id":"heroku/go"}]}`}},
			"go: image built with buildpack heroku/go", ""},
		"a label that is no JSON": {
			Process{Argv: []string{"/x"}, Labels: map[string]string{"io.buildpacks.build.metadata": `{`}}, "", ""},
		"go by dlv":                 {proc("/usr/bin/dlv exec /app"), "go: program dlv", ""},
		"java":                      {proc("/opt/java/bin/java -jar x.jar"), "jvm: program java", ""},
		"program beats strong sign": {proc("node app.js", "JAVA_VERSION=21"), "nodejs: program node", ""},
		"strong beats weak": {proc("/entry", "NODE_ENV=production", "PYTHON_VERSION=3.12"),
			"python: image sets PYTHON_VERSION", ""},
		"tie of strong signs": {proc("/entry", "NODE_VERSION=20", "JAVA_VERSION=21"), "jvm: image sets JAVA_VERSION",
			"nodejs"},
		"image's strong beats manifest's": {
			Process{Argv: []string{"/e"}, Env: map[string]string{"NODE_VERSION": "20", "JAVA_TOOL_OPTIONS": "-Xmx1g"},
				ImageEnv: map[string]string{"NODE_VERSION": "20"}},
			"nodejs: image sets NODE_VERSION", "",
		},
		"manifest's weak against image's strong": {
			Process{Argv: []string{"/e"}, Env: map[string]string{"DOTNET_VERSION": "8", "GOGC": "50"},
				ImageEnv: map[string]string{"DOTNET_VERSION": "8"}},
			"netcore: image sets DOTNET_VERSION", "",
		},
		"unknown value, known name": {Process{Argv: []string{"/e"}, Unknown: map[string]bool{"NODE_ENV": true}},
			"nodejs: manifest sets NODE_ENV", ""},
		"python3.12":                {proc("python3.12 app.py"), "python: program python3.12", ""},
		"gunicorn":                  {proc("/venv/bin/gunicorn app:app"), "python: program gunicorn", ""},
		"a python script":           {proc("./manage.py runserver"), "python: program manage.py", ""},
		"pythonx is no python":      {proc("pythonx"), "", ""},
		"uwsgi is native":           {proc("uwsgi --http :8080", "PYTHONUNBUFFERED=1"), "", ""},
		"nginx with a weak sign":    {proc("nginx -g x", "NODE_ENV=production"), "", ""},
		"nginx with a strong sign":  {proc("nginx -g x", "NODE_VERSION=20"), "", ""}, // nothing would listen
		"dotnet":                    {proc("dotnet app.dll"), "netcore: program dotnet", ""},
		"nothing":                   {proc("/app"), "", ""},
		"no command line, no signs": {Process{}, "", ""},
		"node under another name":   {proc("/usr/local/bin/nodejs app.js"), "nodejs: program nodejs", ""},
		"a word is not the program": {proc("/app node"), "", ""},
		"another behind a launcher": {proc("with -- python app.py", "NODE_VERSION=22"), "", ""},
		"its own behind a launcher": {proc("with -- node app.js", "NODE_VERSION=22"),
			"nodejs: image sets NODE_VERSION", ""},
		"another behind launchers": {proc("with -- gosu app ruby a.rb", "JAVA_VERSION=21"), "", ""},
		"a role behind dashes": {proc("/app/bin/start -- worker", "JAVA_VERSION=21"),
			"jvm: image sets JAVA_VERSION", ""},
		"an empty variable is a sign": {proc("/app", "ASPNETCORE_URLS="), "netcore: image sets ASPNETCORE_URLS",
			""},
		"entrypoint.py": {proc("./entrypoint.py"), "python: program entrypoint.py", ""},
		"functions framework": {Process{Argv: []string{"functions-framework"},
			ImageEnv: map[string]string{"PYTHON_VERSION": "3.12"}}, "python: image sets PYTHON_VERSION", ""},
		"functions framework of Node.js": {Process{Argv: []string{"functions-framework"},
			ImageEnv: map[string]string{"NODE_VERSION": "22"}}, "nodejs: image sets NODE_VERSION", ""},
		"functions framework, Python's own name": {proc("/usr/local/bin/functions_framework"),
			"python: program functions_framework", ""},
		"functions framework, Ruby's own name": {proc("functions-framework-ruby"), "ruby: program functions-framework-ruby",
			""},
	} {
		t.Run(name, func(t *testing.T) {
			d := Detect(test.process)
			got, tied := "", []string{}
			if d.Runtime != nil {
				got = d.Runtime.Name() + ": " + d.Sign.Words
			}
			for _, r := range d.Tied {
				tied = append(tied, r.Name())
			}
			if got != test.want || strings.Join(tied, " ") != test.tied {
				t.Errorf("got %q (tied %v), want %q (tied %q)", got, tied, test.want, test.tied)
			}
		})
	}
}

// applied is the command line with a plan's words in it.
func applied(argv []string, plan Plan) string {
	argv = slices.Clone(argv)
	for _, in := range slices.Backward(plan.Insert) {
		argv = slices.Insert(argv, in.Before, in.Words...)
	}
	return strings.Join(argv, " ")
}

func TestAttach(t *testing.T) {
	const path = "PATH=/dbg/nodejs/bin:"
	for name, test := range map[string]struct {
		runtime string
		process Process
		options Options
		argv    string   // the command line under the debugger; "" for unchanged
		env     []string // changes, as NAME=value
		port    string   // protocol:number
		refused string   // reason
		keeps   bool     // an existing debugger
	}{
		"go": {runtime: "go", process: proc("/app"),
			argv: "/dbg/go/bin/dlv exec --headless --continue --accept-multiclient --listen=:56268 --api-version=2 /app",
			port: "dlv:56268"},
		"go with arguments": {runtime: "go", process: proc("/app -v x"),
			argv: "/dbg/go/bin/dlv exec --headless --continue --accept-multiclient --listen=:56268 --api-version=2 /app -- -v x",
			port: "dlv:56268"},
		"go suspended": {runtime: "go", process: proc("./app"), options: Options{Suspend: true},
			argv: "/dbg/go/bin/dlv exec --headless --accept-multiclient --listen=:56268 --api-version=2 ./app",
			port: "dlv:56268"},
		"go without a path": {runtime: "go", process: proc("app"), refused: "ProgramNotAPath"},
		"go on PATH": {runtime: "go", process: proc("app x", "PATH=/go/bin:/bin"),
			options: Options{Label: looksOnPath}, argv: "/dbg/go/bin/dlv exec --headless --continue --accept-multiclient " +
				"--listen=:56268 --api-version=2 app -- x", port: "dlv:56268"},
		"go on a relative PATH": {runtime: "go", process: proc("app x", "PATH=/go/bin::/bin"),
			options: Options{Label: looksOnPath}, refused: "ProgramNotAPath"},
		"go behind a script": {runtime: "go", process: Process{Argv: []string{"/entrypoint.sh"}, Script: true},
			refused: "ScriptProgram"},
		"go known too late": {runtime: "go", process: Process{Argv: []string{"$APP"}, Dynamic: []bool{true}},
			refused: "ProgramDynamic"},
		"go, nothing to run": {runtime: "go", process: Process{}, refused: "NoCommand"},
		"dlv, --listen=": {runtime: "go", process: proc("dlv exec --headless --listen=:40000 /app"), port: "dlv:40000",
			keeps: true},
		"dlv, --listen ": {runtime: "go", process: proc("dlv --listen 0.0.0.0:2345 exec /app -- -l :1"),
			port: "dlv:2345", keeps: true},
		"dlv, -l, IPv6": {runtime: "go", process: proc("/go/bin/dlv exec -l [::1]:40001 /app"), port: "dlv:40001",
			keeps: true},
		"dlv, -l=": {runtime: "go", process: proc("/go/bin/dlv exec -l=:40001 /app"), port: "dlv:40001",
			keeps: true},
		"dlv, no port":    {runtime: "go", process: proc("dlv exec --headless /app"), port: "dlv:56268", keeps: true},
		"dlv on a socket": {runtime: "go", process: proc("dlv exec --listen=unix:/tmp/dlv /app"), keeps: true},
		"jvm": {runtime: "jvm", process: proc("java -jar x.jar"),
			env:  []string{"JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=n,quiet=y"},
			port: "jdwp:5005"},
		"jvm suspended": {runtime: "jvm", process: proc("java"), options: Options{Suspend: true},
			env:  []string{"JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=y,quiet=y"},
			port: "jdwp:5005"},
		"jvm behind a script": {runtime: "jvm", process: Process{Argv: []string{"/start.sh"}, Script: true},
			env:  []string{"JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=n,quiet=y"},
			port: "jdwp:5005"},
		"jvm, variable hidden": {
			runtime: "jvm",
			process: Process{Argv: []string{"/jdk/bin/java", "-jar", "x"}, Hidden: map[string]bool{"JAVA_TOOL_OPTIONS": true}},
			argv:    "/jdk/bin/java -agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=n,quiet=y -jar x",
			port:    "jdwp:5005",
		},
		"node by its path": {runtime: "nodejs",
			process: proc("/usr/bin/node --enable-source-maps npm.d/server.js"),
			argv:    "/usr/bin/node --inspect=0.0.0.0:9229 --enable-source-maps npm.d/server.js", env: []string{path},
			port: "devtools:9229"},
		"nodemon by node's path": {runtime: "nodejs",
			process: proc("/usr/bin/node -r dotenv/config node_modules/.bin/nodemon app.js"),
			argv:    "/usr/bin/node -r dotenv/config node_modules/.bin/nodemon --inspect=0.0.0.0:9229 app.js",
			env:     []string{path}, port: "devtools:9229"},
		"nodemon by node's path, " +
			"inspected": {runtime: "nodejs", process: proc("/usr/bin/node node_modules/.bin/nodemon --inspect=9300 app.js"),
			port: "devtools:9300", keeps: true},
		"npm by node's path": {runtime: "nodejs",
			process: proc("/usr/bin/node /usr/lib/node_modules/npm/bin/npm-cli.js start -- x"),
			argv:    "/usr/bin/node /usr/lib/node_modules/npm/bin/npm-cli.js start --node-options=--inspect=0.0.0.0:9229 -- x",
			env:     []string{path}, port: "devtools:9229"},
		"yarn behind buildpacks": {runtime: "nodejs",
			process: Process{Argv: []string{"yarn", "start"}, Via: []string{"/cnb/process/web"}}, refused: "NodeByPath"},
		"yarn by node's path": {runtime: "nodejs",
			process: proc("/usr/bin/node .yarn/releases/yarn-4.1.0.cjs start"), refused: "NodeByPath"},
		"jvm, by a build tool": {runtime: "jvm", process: proc("./mvnw spring-boot:run"),
			refused: "EnvShared"},
		"jvm, by a build tool behind a " +
			"script": {runtime: "jvm",
			process: Process{Argv: []string{"/usr/local/bin/mvn-entrypoint.sh", "mvn", "quarkus:dev"}, Script: true},
			refused: "EnvShared"},
		"jvm, a build tool with the " +
			"agent": {runtime: "jvm",
			process: proc("gradle bootRun", "JAVA_OPTS=-agentlib:jdwp=transport=dt_socket,server=y,address=8003"),
			port:    "jdwp:8003", keeps: true},
		"jvm, an argument like a build tool": {runtime: "jvm", process: proc("java -jar x.jar mvn"),
			env:  []string{"JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=n,quiet=y"},
			port: "jdwp:5005"},
		"jvm, a probe runs java": {
			runtime: "jvm",
			process: Process{Argv: []string{"java", "-jar", "x"},
				Beside: []Command{{Argv: []string{"java", "-version"}, AtOnce: true}}},
			argv: "java -agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=n,quiet=y -jar x", port: "jdwp:5005",
		},
		"jvm behind a script, a probe runs " +
			"java": {runtime: "jvm",
			process: Process{Argv: []string{"/start.sh"}, Script: true,
				Beside: []Command{{Argv: []string{"java", "-version"}, AtOnce: true}}}, refused: "EnvShared"},
		"jdwp on the command line": {runtime: "jvm",
			process: proc("java -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:8000 -jar x"), port: "jdwp:8000",
			keeps: true},
		"jdwp in a variable": {runtime: "jvm",
			process: proc("java", "JAVA_TOOL_OPTIONS=-Xmx1g -Xrunjdwp:transport=dt_socket,server=y,address=8001"),
			port:    "jdwp:8001", keeps: true},
		"jdwp in a script's variable": {runtime: "jvm",
			process: proc("/run.sh", "CATALINA_OPTS=-agentlib:jdwp=server=y,transport=dt_socket,address=127.0.0.1:8002"),
			port:    "jdwp:8002", keeps: true},
		"jdwp without a port": {runtime: "jvm",
			process: proc("java -agentlib:jdwp=transport=dt_socket,server=y"), port: "jdwp:5005", keeps: true},
		"jdwp dials out": {runtime: "jvm",
			process: proc("java -agentlib:jdwp=transport=dt_socket,address=me:5005"), refused: "DebuggerDialsOut"},
		"paketo's switch": {runtime: "jvm", process: proc("java", "BPL_DEBUG_ENABLED=true"),
			port: "jdwp:8000", keeps: true},
		"node": {runtime: "nodejs", process: proc("node app.js"),
			argv: "node --inspect=0.0.0.0:9229 app.js", env: []string{path}, port: "devtools:9229"},
		"node suspended": {runtime: "nodejs", process: proc("node app.js"),
			options: Options{Suspend: true}, argv: "node --inspect-brk=0.0.0.0:9229 app.js", env: []string{path},
			port: "devtools:9229"},
		"nodemon": {runtime: "nodejs", process: proc("nodemon server.js"),
			argv: "nodemon --inspect=0.0.0.0:9229 server.js", env: []string{path}, port: "devtools:9229"},
		"nodemon with TypeScript": {runtime: "nodejs", process: proc("nodemon server.ts"),
			env: []string{"NODE_OPTIONS=--inspect=0.0.0.0:9229", path}, port: "devtools:9229"},
		"nodemon --exec": {runtime: "nodejs", process: proc("nodemon --exec ts-node server.ts"),
			env: []string{"NODE_OPTIONS=--inspect=0.0.0.0:9229", path}, port: "devtools:9229"},
		"npm": {runtime: "nodejs", process: proc("npm run start"),
			argv: "npm run start --node-options=--inspect=0.0.0.0:9229", env: []string{path}, port: "devtools:9229"},
		"npm with arguments": {runtime: "nodejs", process: proc("npm start -- --port 80"),
			argv: "npm start --node-options=--inspect=0.0.0.0:9229 -- --port 80", env: []string{path}, port: "devtools:9229"},
		"npm with unknown words": {runtime: "nodejs",
			process: Process{Argv: []string{"npm", "run", "$@"}, Dynamic: []bool{false, false, true}},
			argv:    "npm --node-options=--inspect=0.0.0.0:9229 run $@", env: []string{path}, port: "devtools:9229"},
		"npm would lose NODE_OPTIONS": {runtime: "nodejs",
			process: proc("npm start", "NODE_OPTIONS=--max-old-space-size=512"),
			env:     []string{"NODE_OPTIONS=--inspect=0.0.0.0:9229", path}, port: "devtools:9229"},
		"yarn": {runtime: "nodejs", process: proc("yarn start"),
			env: []string{"NODE_OPTIONS=--inspect=0.0.0.0:9229", path}, port: "devtools:9229"},
		"yarn, a probe runs node": {runtime: "nodejs",
			process: beside("yarn start", Command{Argv: []string{"node", "health.js"}, AtOnce: true, Brief: true}),
			env:     []string{"NODE_OPTIONS=--inspect=0.0.0.0:9229", path}, port: "devtools:9229"},
		"yarn suspended, a probe runs " +
			"node": {runtime: "nodejs",
			process: beside("yarn start", Command{Argv: []string{"sh", "-c", "node health.js"}, AtOnce: true, Brief: true}),
			options: Options{Suspend: true}, refused: "EnvShared"},
		"node suspended, a probe runs " +
			"node": {runtime: "nodejs",
			process: beside("node app.js", Command{Argv: []string{"node", "health.js"}, AtOnce: true, Brief: true}),
			options: Options{Suspend: true}, argv: "node --inspect-brk=0.0.0.0:9229 app.js", env: []string{path},
			port: "devtools:9229"},
		"yarn, node in the background": {runtime: "nodejs",
			process: beside("yarn start", Command{Argv: []string{"/usr/bin/node", "worker.js"}, AtOnce: true}),
			refused: "EnvShared"},
		"yarn behind node": {runtime: "nodejs",
			process: beside("yarn start", Command{Argv: []string{"node", "migrate.js"}}),
			env:     []string{"NODE_OPTIONS=--inspect=0.0.0.0:9229", path}, port: "devtools:9229"},
		"node behind a script": {runtime: "nodejs", process: Process{Argv: []string{"/node"}, Script: true},
			env: []string{"NODE_OPTIONS=--inspect=0.0.0.0:9229", path}, port: "devtools:9229"},
		"inspector there": {runtime: "nodejs",
			process: proc("node -r x --inspect=0.0.0.0:9230 app.js"), port: "devtools:9230", keeps: true},
		"inspector there, default port": {runtime: "nodejs", process: proc("node --inspect-brk app.js"),
			port: "devtools:9229", keeps: true},
		"inspector there, --inspect-port": {runtime: "nodejs",
			process: proc("node --inspect --inspect-port 9333 app.js"), port: "devtools:9333", keeps: true},
		"inspector in NODE_OPTIONS": {runtime: "nodejs",
			process: proc("/run", "NODE_OPTIONS=--trace-warnings --inspect=9231"), port: "devtools:9231", keeps: true},
		"inspector for npm": {runtime: "nodejs",
			process: proc("npm start --node-options=--inspect=9232"), port: "devtools:9232", keeps: true},
		"--inspect is the application's": {runtime: "nodejs", process: proc("node app.js --inspect"),
			argv: "node --inspect=0.0.0.0:9229 app.js --inspect", env: []string{path}, port: "devtools:9229"},
		"python": {runtime: "python", process: proc("python app.py"),
			argv: "/dbg/python/launcher --mode debugpy --port 5678 -- python app.py", port: "dap:5678"},
		"python by pydevd": {runtime: "python", process: proc("python app.py"),
			options: Options{Protocols: []string{"jdwp", "pydevd", "dap"}},
			argv:    "/dbg/python/launcher --mode pydevd --port 5678 -- python app.py", port: "pydevd:5678"},
		"python suspended": {runtime: "python", process: proc("gunicorn a:b"),
			options: Options{Suspend: true, Protocols: []string{"dap", "pydevd"}},
			argv:    "/dbg/python/launcher --mode debugpy --port 5678 --wait -- gunicorn a:b", port: "dap:5678"},
		"python behind a script": {runtime: "python", process: Process{Argv: []string{"/e.sh"}, Script: true},
			refused: "ScriptProgram"},
		"debugpy there": {runtime: "python",
			process: proc("python -u -m debugpy --listen 0.0.0.0:5679 app.py --listen 1"), port: "dap:5679", keeps: true},
		"debugpy there, -mdebugpy": {runtime: "python", process: proc("python -mdebugpy --listen 5680 -m app"),
			port: "dap:5680", keeps: true},
		"debugpy there, -Xum": {runtime: "python",
			process: proc("python -X dev -um debugpy --listen 5681 -m app"), port: "dap:5681", keeps: true},
		"debugpy dials out": {runtime: "python",
			process: proc("python -m debugpy --connect ide:5678 app.py"), refused: "DebuggerDialsOut"},
		"ptvsd there": {runtime: "python",
			process: proc("python -m ptvsd --host 0.0.0.0 --port 3000 app.py"), port: "dap:3000", keeps: true},
		"pydevd there": {runtime: "python",
			process: proc("python -m pydevd --server --port 5682 --file app.py"), port: "pydevd:5682", keeps: true},
		"-m belongs to the application": {runtime: "python", process: proc("python app.py -m debugpy"),
			argv: "/dbg/python/launcher --mode debugpy --port 5678 -- python app.py -m debugpy", port: "dap:5678"},
		"netcore": {runtime: "netcore", process: proc("dotnet app.dll")},
		"netcore without diagnostics": {runtime: "netcore", process: proc("/app", "DOTNET_EnableDiagnostics=0"),
			env: []string{"DOTNET_EnableDiagnostics=1"}},
		"netcore without diagnostics, read-only": {
			runtime: "netcore", process: func() Process {
				p := proc("/app", "DOTNET_EnableDiagnostics=0")
				p.NoTemp = true
				return p
			}(),
			env: []string{"DOTNET_EnableDiagnostics=1", "TMPDIR=/dbg"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := Attach(ByName(test.runtime), test.process, test.options)
			if err != nil {
				refusal, ok := err.(*reason.Refusal)
				if !ok || string(refusal.Code) != test.refused {
					t.Fatalf("got error %v, want refusal %q", err, test.refused)
				}
				return
			}
			if test.refused != "" {
				t.Fatalf("got %+v, want refusal %q", plan, test.refused)
			}
			want := test.argv
			if want == "" {
				want = strings.Join(test.process.Argv, " ")
			}
			if diff := cmp.Diff(want, applied(test.process.Argv, plan)); diff != "" {
				t.Errorf("command line: %s", diff)
			}
			var env []string
			for _, e := range plan.Env {
				value := e.Value
				if e.Name == "PATH" {
					value = strings.TrimPrefix(value, "/dbg/nodejs/bin") + e.Sep
					value = "/dbg/nodejs/bin" + value
				}
				env = append(env, e.Name+"="+value)
			}
			if diff := cmp.Diff(test.env, env); diff != "" {
				t.Errorf("environment: %s", diff)
			}
			port := ""
			for _, p := range plan.Ports {
				port += p.Protocol + ":" + strconv.Itoa(int(p.Number))
			}
			if port != test.port || plan.Existing != test.keeps {
				t.Errorf("port %q, existing %v; want %q, %v", port, plan.Existing, test.port, test.keeps)
			}
			if plan.Existing && plan.Support {
				t.Errorf("an existing debugger needs no support image")
			}
		})
	}
}

// beside is a process that another program runs beside.
func beside(line string, other Command) Process {
	p := proc(line)
	p.Beside = []Command{other}
	return p
}

func TestFreePort(t *testing.T) {
	taken := func(from int32) int32 { return from + 2 }
	for _, r := range All() {
		line := "/bin/app"
		if r.Name() == "deno" { // whose command line it has to be
			line = "deno app.ts"
		}
		plan, err := Attach(r, proc(line), Options{FreePort: taken})
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Attach(r, proc(line), Options{FreePort: taken})
		if diff := cmp.Diff(plan, again); diff != "" {
			t.Errorf("%s is not deterministic: %s", r.Name(), diff)
		}
		none, err := Attach(r, proc(line), Options{FreePort: func(int32) int32 { return 0 }})
		if len(plan.Ports) > 0 && err == nil {
			t.Errorf("%s without a free port: got %+v, want a refusal", r.Name(), none)
		}
	}
}

func TestDebugPorts(t *testing.T) {
	for text, want := range map[string][]int32{
		"":                         nil,
		"java -jar app.jar":        nil,
		"curl -l http://host/dlvs": nil,
		"while :; do java -agentlib:jdwp=transport=dt_socket,server=y,address=*:8000 -jar a.jar; done": {8000},
		"-Xrunjdwp:transport=dt_socket,server=y":                                                       {5005},
		`sh -c "node --inspect=0.0.0.0:9300 app.js &"`:                                                 {9300},
		"node --inspect app.js":                                                                        {9229},
		"migrate --inspect-me":                                                                         nil,
		"node --inspect --inspect-port 9301 app.js":                                                    {9301},
		"dlv exec /app --headless -l :2345":                                                            {2345},
		"/usr/bin/dlv debug --listen=[::1]:2346":                                                       {2346},
		"(python -m debugpy --listen 5679; true)":                                                      {5679},
		"python -mptvsd --host 0.0.0.0 --port 3000 app.py":                                             {3000},
		"python -m debugpy app.py":                                                                     {5678},
		"dlv exec a --listen=:1111 & dlv exec b --listen=:$PORT":                                       {1111},
	} {
		if diff := cmp.Diff(want, DebugPorts(text)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// Every debugger that listens can be told to do so on loopback, and says nothing of loopback where it is to listen on
// all addresses.
func TestListenOnLoopback(t *testing.T) {
	for _, r := range All() {
		if len(r.Protocols) == 0 {
			continue
		}
		for listenOn, want := range map[string]bool{OnLoopback: true, OnAll: false, OnDefault: false} {
			argv := []string{"/app"}
			if len(r.Signs.Programs) > 0 && r.Signs.Programs[0] != "dlv" {
				argv = []string{r.Signs.Programs[0], "./app"}
			}
			plan, err := Attach(r, Process{Argv: argv}, Options{ListenOn: listenOn, Able: true})
			if err != nil {
				t.Errorf("%s: %v", r.Name(), err)
				continue
			}
			if got := strings.Contains(fmt.Sprint(plan.Insert, plan.Env), "127.0.0.1"); got != want {
				t.Errorf("%s, %s: %v %v", r.Name(), listenOn, plan.Insert, plan.Env)
			}
		}
	}
}

func TestListenOnAllJVMs(t *testing.T) {
	for line, want := range map[string]string{
		"java JAVA_VERSION=21":                                        "address=*:5005",
		"java JAVA_VERSION=8u412":                                     "address=5005",
		"java JAVA_VERSION=lts":                                       "address=0.0.0.0:5005",
		"/opt/java/bin/java JAVA_VERSION=21 JAVA_HOME=/opt/java":      "address=*:5005",
		"/usr/lib/jvm/8/bin/java JAVA_VERSION=21 JAVA_HOME=/opt/java": "address=0.0.0.0:5005",
	} {
		words := strings.Fields(line)
		p := proc(words[0], words[1:]...)
		p.ImageEnv = p.Env
		plan, err := Attach(ByName("jvm"), p, Options{ListenOn: OnAll})
		if err != nil || len(plan.Env) != 1 || !strings.Contains(plan.Env[0].Value, want+",") {
			t.Errorf("%s: %v, %v, want %s", line, plan.Env, err, want)
		}
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]string{"go": "go", "Golang": "go", "java": "jvm", "npm": "nodejs",
		".NET": "netcore", "dotnet": "netcore", "python": "python", "Ruby": "ruby", "perl": ""} {
		got := ""
		if r := ByName(name); r != nil {
			got = r.Name()
		}
		if got != want {
			t.Errorf("ByName(%q) = %q, want %q", name, got, want)
		}
	}
}

// Behind a program that is not known, without a sign of a runtime anywhere, a word that names one of Python's programs
// shows nothing.
func TestDetectNothing(t *testing.T) {
	for _, line := range []string{"setarch /usr/local/bin/flask", "pdm python3", "nginx gunicorn"} {
		if d := Detect(proc(line)); d.Runtime != nil {
			t.Errorf("%s: %s (%s)", line, d.Runtime.Name(), d.Sign.Words)
		}
	}
}

// looksOnPath is what a support image says whose Delve looks programs up on PATH.
func looksOnPath(label string) string {
	if label == golang.LooksOnPath {
		return "true"
	}
	return ""
}

// TestBuildpacks: the ids of Paketo's, Heroku's and Google Cloud's buildpacks say the language of what they build.
func TestBuildpacks(t *testing.T) {
	for want, ids := range map[string][]string{
		"go": {"google.go.build", "google.go.functions-framework", "paketo-buildpacks/go-dist",
			"paketo-buildpacks/go-build", "heroku/go"},
		"jvm": {"google.java.maven", "google.java.functions-framework", "paketo-buildpacks/executable-jar",
			"paketo-buildpacks/bellsoft-liberica", "heroku/java", "heroku/jvm"},
		"nodejs": {"google.nodejs.npm", "google.nodejs.functions-framework", "paketo-buildpacks/npm-start",
			"paketo-buildpacks/node-engine", "heroku/nodejs", "heroku/nodejs-engine"},
		"python": {"google.python.pip", "google.python.functions-framework", "paketo-buildpacks/python-start",
			"paketo-buildpacks/cpython", "heroku/python"},
		"netcore": {"google.dotnet.publish", "google.dotnet.functions-framework", "paketo-buildpacks/dotnet-execute",
			"paketo-buildpacks/dotnet-core-aspnet-runtime", "heroku/dotnet"},
		"ruby": {"google.ruby.bundle", "google.ruby.functions-framework", "paketo-buildpacks/puma",
			"paketo-buildpacks/mri", "heroku/ruby"},
	} {
		for _, id := range ids {
			p := Process{Argv: []string{"/workspace/run"},
				Labels: map[string]string{"io.buildpacks.build.metadata": `{"buildpacks":[{"id":"` + id + `"}]}`}}
			if d := Detect(p); d.Runtime == nil || d.Runtime.Name() != want || d.Sign.Words != "image built with buildpack "+id {
				t.Errorf("%s: got %+v, want %s", id, d, want)
			}
		}
	}
}
