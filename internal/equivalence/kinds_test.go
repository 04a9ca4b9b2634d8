package equivalence

import (
	"slices"
	"strings"
)

// The kinds of launch in which more than one program gets the container's variables, or something stands between the
// container and its program that may be known or not.

// execAction is what a probe or a hook runs.
type execAction struct {
	Exec struct {
		Command []string `json:"command"`
	} `json:"exec"`
}

type lifecycle struct {
	PostStart *execAction `json:"postStart,omitempty"`
	PreStop   *execAction `json:"preStop,omitempty"`
}

// hook is a command that a node runs in the container; early says that it may do so before the program listens.
type hook struct {
	command []string
	early   bool
}

func (c container) hooks() (hooks []hook) {
	if c.Liveness != nil {
		hooks = append(hooks, hook{c.Liveness.Exec.Command, false})
	}
	if c.Lifecycle != nil && c.Lifecycle.PostStart != nil {
		hooks = append(hooks, hook{c.Lifecycle.PostStart.Exec.Command, true})
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		hooks = append(hooks, hook{c.Lifecycle.PreStop.Exec.Command, false})
	}
	return hooks
}

// hookPrograms are the commands of probes and hooks. Those of harmless are known to be no program of a language.
var (
	harmlessHooks = [][]string{
		{"cat", "/tmp/in"}, {"sh", "-c", "test -f /tmp/in"}, {"/bin/sh", "-c", "curl -fs localhost:8080/java || exit 0"},
		{"sleep", "5"},
		{"timeout", "5", "sh", "-ec", "[ -d /app ] && exec cat /tmp/in"}, {"/bin/grpc_health_probe", "-addr=:8080"},
		{"bash", "-c", "for i in 1 2; do hostname; done; kill -0 $$"},
	}
	otherHooks = [][]string{
		{"/usr/local/bin/healthcheck"}, {"healthcheck"}, {"java", "-cp", "/app", "Health"},
		{"sh", "-c", "sleep 1; healthcheck"},
		{"/usr/local/bin/catalina.sh", "stop"}, {"node", "health.js"}, {"/usr/local/bin/nodecheck"},
		{"sh", "-c", "exec node health.js"},
		{"timeout", "3", "jcmd", "1"}, {"sh", "/usr/local/bin/healthcheck"}, {"env", "A=B", "healthcheck"}, {"notify"},
		{"sh", "-c", "trap 'healthcheck' EXIT; true"}, {"bash", "-c", "f() { nodecheck; }; f"},
	}
)

// hooks adds probes and hooks.
func (g *generator) hooks() {
	u := g.u
	pick := func() *execAction {
		a := &execAction{}
		list := harmlessHooks
		if g.chance(60) {
			list = otherHooks
			g.class("hook:other")
			if g.byVariable() {
				g.legit("variables that others would get")
			}
		} else {
			g.class("hook:harmless")
		}
		a.Exec.Command = slices.Clone(list[g.IntN(len(list))])
		return a
	}
	switch g.IntN(3) {
	case 0:
		u.Container.Liveness = pick()
	case 1:
		u.Container.Lifecycle = &lifecycle{PreStop: pick()}
	case 2:
		u.Container.Lifecycle = &lifecycle{PostStart: pick()}
	}
}

// byVariable reports whether the debugger cannot be started but by a variable.
func (g *generator) byVariable() bool {
	u := g.u
	file := slices.Contains(u.Class, "file") || slices.Contains(u.Class, "server")
	return u.Runtime == "jvm" && file || u.Runtime == "nodejs" && (u.variable || file)
}

// otherFiles are the programs of these kinds that are scripts in the sandbox.
var otherFiles = map[string]string{
	"/usr/local/bin/healthcheck": "#!/bin/sh\nexec java -cp /app Health\n",
	"/usr/local/bin/nodecheck":   "#!/bin/sh\nexec node health.js\n",
	"/usr/local/bin/catalina.sh": "#!/bin/sh\nif [ \"$1\" = stop ]; then exec java -cp bootstrap.jar Health stop; " +
		"fi\nexec java -cp bootstrap.jar Bootstrap \"$@\"\n",
	"/app/bin/serve":  "#!/bin/sh\nexec java -jar app.jar \"$@\"\n",
	"/usr/bin/screen": "#!/bin/sh\nwhile [ \"${1#-}\" != \"$1\" ]; do shift; done\n\"$@\" &\n",
	"/usr/bin/make": "#!/bin/sh\ncase $* in\n-j*setup) java -jar migrate.jar & java -jar worker.jar & " +
		"wait;;\nsetup) keytool -list; java -jar migrate.jar;;\n*) java -jar a.jar & java -jar b.jar & node a.js & node " +
		"b.js & wait;;\nesac\n",
	"/tmp/two":             "a.jar\nb.jar\n",
	"/usr/bin/supervisord": "#!/bin/sh\njava -jar a.jar &\njava -jar b.jar &\nnode a.js &\nnode b.js &\nwait\n",
}

// managers are other process managers: what supervisord does here, they do.
var managers = []string{
	"/init", "/usr/local/bin/pm2-runtime", "/usr/local/bin/honcho", "/usr/local/bin/foreman", "/usr/local/bin/s6-svscan",
	"/usr/local/bin/concurrently", "/usr/bin/tmux", "/app/node_modules/.bin/concurrently",
}

// isHelper reports whether a program is one beside the application.
func isHelper(e entry) bool {
	if strings.HasSuffix(e.path, "/keytool") || strings.HasSuffix(e.path, "/jcmd") {
		return true
	}
	return slices.ContainsFunc(e.argv, func(w string) bool {
		return slices.Contains([]string{"migrate.jar", "worker.jar", "migrate.js", "worker.js", "health.js", "Health",
			"-version"}, w)
	})
}

// server makes the container one of a start script, or a process manager.
func (g *generator) server() []string {
	u := g.u
	u.Runtime, u.Existing, u.App = "jvm", false, "java"
	u.Image.Env = append(u.Image.Env, "JAVA_VERSION=21")
	g.class("server")
	if g.chance(60) {
		return slices.Clone([][]string{{"catalina.sh", "run"}, {"/usr/local/bin/catalina.sh", "run"},
			{"/app/bin/serve", "--", "worker"}}[g.IntN(3)])
	}
	u.Unordered = true
	g.class("manager")
	g.legit("process manager")
	line := [][]string{
		{"/usr/bin/supervisord", "-n"}, {"supervisord", "-c", "/etc/supervisord.conf"}, {"/init"}, {"honcho", "start"},
		{"foreman", "start"},
		{"s6-svscan", "/etc/s6"}, {"pm2-runtime", "ecosystem.config.js"}, {"concurrently", "npm:a", "npm:b"},
		{"/entrypoint.sh", "supervisord", "-n"},
		{"make", "run"}, {"make", "-j2", "run"}, {"xargs", "-a", "/tmp/two", "-P2", "-n1", "java", "-jar"},
		{"xargs", "--arg-file=/tmp/two", "--max-procs=2", "-n1", "node"},
		{"tmux", "new-session", "java -jar a.jar"}, {"/usr/bin/tmux", "new", "-s", "x"},
		{"screen", "-Dm", "java", "-jar", "a.jar"},
		{"python3", "-m", "honcho", "start"}, {"python", "-m", "supervisor.supervisord", "-n"},
		{"node", "/app/node_modules/.bin/concurrently", "a", "b"},
		{"npx", "concurrently", "a", "b"}, {"npx", "--yes", "concurrently", "npm:a"},
		{"sh", "-c", "cd /app && exec honcho start"},
	}[g.IntN(22)]
	switch g.IntN(5) {
	case 0, 1:
		u.Runtime, u.App = "nodejs", "node"
		u.Image.Env[len(u.Image.Env)-1] = "NODE_VERSION=22.1.0"
	case 2:
		u.Runtime, u.App = "python", "python"
		u.Image.Env[len(u.Image.Env)-1] = "PYTHON_VERSION=3.12"
	}
	line = slices.Clone(line)
	if g.chance(30) {
		line = append(g.unknown(), line...)
	}
	return line
}
