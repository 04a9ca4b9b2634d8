package equivalence

import (
	"slices"
	"strconv"
	"strings"
)

// unknownLaunchers run the words behind theirs; how many of them are their own. Some of the tables know, others do not.
var unknownLaunchers = [][]string{
	{"op", "run", "--"}, {"dotenvx", "run", "--"}, {"cross-env", "A=B"}, {"dapr", "run", "--app-id", "x", "--"},
	{"dbus-run-session", "--"},
	{"setarch", "x86_64"}, {"faketime", "2020-01-01"}, {"my_init", "--"}, {"pdm", "run"}, {"conda", "run", "-n", "x"},
	{"ddtrace-run"},
	{"newrelic-admin", "run-program"}, {"dotenv", "run"}, {"chrt", "-o", "0"}, {"aa-exec", "-p", "x", "--"},
	{"/app/bin/with-secrets", "--"},
	{"hatch", "run"}, {"rye", "run"}, {"teller", "run", "--"}, {"sops-exec", "x"},
}

// unknownFiles are those launchers as programs of the sandbox: scripts that shift their own words away.
func unknownFiles() map[string]string {
	files := map[string]string{}
	for _, line := range unknownLaunchers {
		file := line[0]
		if !strings.HasPrefix(file, "/") {
			file = "/usr/local/bin/" + file
		}
		files[file] = "#!/bin/bash\nshift " + strconv.Itoa(len(line)-1) + "\nexec \"$@\"\n"
	}
	return files
}

// unknown puts a launcher in front that may be known or not.
func (g *generator) unknown() []string {
	g.class("launcher:unknown")
	g.legit("launcher that is not known")
	return slices.Clone(unknownLaunchers[g.IntN(len(unknownLaunchers))])
}

// sudo drops variables; what is behind it may be followed or not.
func (g *generator) sudo() []string {
	g.class("launcher:sudo")
	g.legit("sudo")
	return slices.Clone([][]string{{"sudo"}, {"sudo", "-E"}, {"sudo", "-u", "app"}, {"sudo", "-n", "--"},
		{"/usr/bin/sudo", "-E", "-u", "app", "--"}, {"sudo", "A=B"}}[g.IntN(6)])
}

const secondAgent = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:"

// switchFiles are start scripts with a debug switch of their own, as Tomcat's, Liberty's, WildFly's, Kafka's and
// Karaf's have it.
var switchFiles = map[string]string{
	"/usr/local/tomcat/bin/catalina.sh": "#!/bin/sh\nif [ \"$1\" = jpda ]; then shift; JAVA_OPTS=\"$JAVA_OPTS " +
		"${JPDA_OPTS:-" + secondAgent + "${JPDA_ADDRESS:-8000}}\"; fi\nexec java $JAVA_OPTS -cp bootstrap.jar Bootstrap " +
		"\"$@\"\n",
	"/opt/ol/wlp/bin/server": "#!/bin/sh\nif [ \"$1\" = debug ]; then JAVA_OPTS=\"$JAVA_OPTS " +
		secondAgent + "${WLP_DEBUG_ADDRESS:-7777}\"; fi\nexec java $JAVA_OPTS -jar ws-server.jar\n",
	"/opt/jboss/bin/standalone.sh": "#!/bin/bash\nD=${DEBUG:-false} P=8787\nwhile [ $# -gt 0 ]; do case $1 in " +
		"--debug) D=true; case $2 in [0-9]*) P=$2; shift;; esac;; esac; shift; done\n" +
		"if [ \"$D\" = true ]; then JAVA_OPTS=\"$JAVA_OPTS " + secondAgent +
		"$P\"; fi\nexec java $JAVA_OPTS -jar jboss-modules.jar\n",
	"/opt/kafka/bin/kafka-server-start.sh": "#!/bin/bash\nif [ \"$KAFKA_DEBUG\" ]; then JAVA_OPTS=\"$JAVA_OPTS " +
		secondAgent + "${JAVA_DEBUG_PORT:-5005}\"; fi\nexec java $JAVA_OPTS -cp kafka.jar kafka.Kafka \"$@\"\n",
	"/opt/karaf/bin/karaf": "#!/bin/sh\nif [ \"$1\" = debug ]; then JAVA_OPTS=\"$JAVA_OPTS " +
		secondAgent + "5005\"; fi\nexec java $JAVA_OPTS -jar karaf.jar\n",
}

// switches makes the container one of a start script with a debug switch of its own, switched on or not.
func (g *generator) switches() []string {
	u := g.u
	u.Runtime, u.App = "jvm", "java"
	u.Image.Env = append(u.Image.Env, "JAVA_VERSION=21")
	g.class("server")
	set := func(name, value string) { u.Container.Env = append(u.Container.Env, envVar{Name: name, Value: value}) }
	on := g.chance(60)
	u.Existing = on
	if on {
		g.class("switch:on")
		g.legit("debug switch of its own")
	} else {
		g.class("switch:off")
	}
	word := func(yes, no []string) []string {
		if on {
			return slices.Clone(yes)
		}
		return slices.Clone(no)
	}
	switch g.IntN(6) {
	case 0:
		if g.chance(30) {
			set("JPDA_ADDRESS", "8001")
		} else if g.chance(40) {
			set("JPDA_OPTS", secondAgent+"8002")
			if !on {
				g.class("switch:unused")
			}
		}
		return word([]string{"/usr/local/tomcat/bin/catalina.sh", "jpda", "run"},
			[]string{"/usr/local/tomcat/bin/catalina.sh", "run"})
	case 1:
		return word([]string{"/opt/ol/wlp/bin/server", "debug", "defaultServer"},
			[]string{"/opt/ol/wlp/bin/server", "run", "defaultServer"})
	case 2:
		return word([]string{"/opt/jboss/bin/standalone.sh", "-b", "0.0.0.0", "--debug"},
			[]string{"/opt/jboss/bin/standalone.sh", "-b", "0.0.0.0"})
	case 3:
		if on && g.chance(50) {
			set("DEBUG", "true")
			return []string{"/opt/jboss/bin/standalone.sh"}
		}
		return word([]string{"/opt/jboss/bin/standalone.sh", "--debug", "5006"}, []string{"/opt/jboss/bin/standalone.sh"})
	case 4:
		if on {
			set("KAFKA_DEBUG", "true")
		}
		return []string{"/opt/kafka/bin/kafka-server-start.sh", "server.properties"}
	}
	return word([]string{"/opt/karaf/bin/karaf", "debug"}, []string{"/opt/karaf/bin/karaf", "server"})
}

// caseFile is an entry point script whose words are cases of it.
const caseFile = "#!/bin/sh\ncase $1 in\nweb) exec gunicorn app:app;;\nserve) exec /app/server;;\n" +
	"start) exec node server.js;;\n*) echo \"unknown command $1\" >&2; exit 64;;\nesac\n"

// cases makes the container one of such a script.
func (g *generator) cases() []string {
	u := g.u
	u.Existing = false
	g.class("server")
	g.class("case")
	g.legit("entry point script")
	i := g.IntN(3)
	u.Runtime, u.App = []string{"python", "go", "nodejs"}[i], []string{"gunicorn", "/app/server", "node"}[i]
	u.variable = true
	u.Image.Env = append(u.Image.Env, []string{"PYTHON_VERSION=3.11.1", "GOTRACEBACK=all", "NODE_VERSION=22.1.0"}[i])
	return []string{"/app/docker-entrypoint.sh", []string{"web", "serve", "start"}[i]}
}
