// Package jvm says everything about Java and the other languages of the JVM: the JVM's own debug agent (JDWP) is
// started through JAVA_TOOL_OPTIONS, which every JVM since Java 5 reads.
//
// Source of the agent's options: the JPDA documentation, "Connection and Invocation Details".
package jvm

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
)

const port = 5005

// Language returns the JVM.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"jvm", "java"},
		Signs: language.Signs{
			Programs:   []string{"java"},
			Buildpacks: buildpacks(),
			Strong:     []string{"JAVA_VERSION", "JAVA_TOOL_OPTIONS"},
			Weak:       []string{"JAVA_HOME"},
		},
		Protocols:  []language.Protocol{{Name: "jdwp", Port: port, Client: "jdb -attach ADDRESS"}},
		Listeners:  []language.Listener{{Protocol: "jdwp", Started: agentOption, Address: agentAddress, Port: port}},
		Variables:  []string{"JAVA_TOOL_OPTIONS"},
		ByVariable: true,
		Plan:       plan,
		Editor:     inEditors(),
		Doc: language.Doc{
			Rewrite: "`JAVA_TOOL_OPTIONS` gets `-agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=n,quiet=y`",
			Support: "none",
		},
	}
}

var (
	agentOption  = regexp.MustCompile(`-agentlib:jdwp|-Xrunjdwp`)
	agentAddress = regexp.MustCompile(`\baddress=([^\s,"']+)`)
)

// buildpacks are from the lists of buildpacks in the builders of Paketo, Heroku and Google Cloud.
func buildpacks() language.Buildpacks {
	return language.Buildpacks{
		Starts: []string{
			"google.java.", "paketo-buildpacks/java", "paketo-buildpacks/executable-jar", "paketo-buildpacks/dist-zip",
			"paketo-buildpacks/apache-tomcat", "paketo-buildpacks/apache-tomee", "paketo-buildpacks/liberty",
			"paketo-buildpacks/spring-boot", "heroku/java", "heroku/maven", "heroku/gradle", "heroku/scala", "heroku/sbt",
			"heroku/clojure", "heroku/java-function", "heroku/jvm-function-invoker",
		},
		Aids: []string{
			"paketo-buildpacks/bellsoft-liberica", "paketo-buildpacks/adoptium", "paketo-buildpacks/eclipse-openj9",
			"paketo-buildpacks/amazon-corretto", "paketo-buildpacks/azul-zulu", "paketo-buildpacks/sap-machine",
			"paketo-buildpacks/microsoft-openjdk", "paketo-buildpacks/oracle", "paketo-buildpacks/alibaba-dragonwell",
			"heroku/jvm",
		},
		Native: []string{"paketo-buildpacks/native-image", "google.java.graalvm", "google.java.native-image"},
	}
}

// plan hands the agent to the JVM, by the variable or behind java.
func plan(p language.Process, o language.Options) (language.Plan, error) {
	if plan, found, err := existing(p); found || err != nil {
		return plan, err
	}
	number, err := language.FreePort(o, port)
	if err != nil {
		return language.Plan{}, err
	}
	suspend := "n"
	if o.Suspend {
		suspend = "y"
	}
	agent := "-agentlib:jdwp=transport=dt_socket,server=y,address=" + address(p, o, number) + ",suspend=" + suspend +
		",quiet=y"
	plan := language.Plan{Ports: []language.Port{{Protocol: "jdwp", Number: number}}}
	direct := len(p.Argv) > 0 && language.ProgramName(p.Argv[0]) == "java"
	others := p.Others("jvm")
	shared := slices.ContainsFunc(others, func(c language.Command) bool {
		return c.AtOnce || o.Suspend || c.Stays() || c.Mentions(debugAgent) || jdwpSwitches().Starts(c, p)
	})
	barred := elsewhere(p)
	switch {
	case direct && !p.LineFixed && (len(others) > 0 || p.EnvFixed || p.Hidden["JAVA_TOOL_OPTIONS"]):
		plan.Insert = []language.Insertion{{Before: 1, Words: []string{agent}}}
	case barred != nil:
		return language.Plan{}, barred
	case shared:
		return language.Plan{}, reason.Refuse(reason.EnvShared,
			"a probe, a hook or the script starts another program, which may be a JVM: it would get the same debug agent, and "+
				"fail on its port or wait for a debugger")
	case slices.ContainsFunc(others, func(c language.Command) bool { return c.Heard }):
		return language.Plan{}, reason.Refuse(reason.EnvShared,
			"the script reads what another program says, which may be a JVM: it would say that it picked up JAVA_TOOL_OPTIONS")
	default:
		if err := p.Managed(); err != nil {
			return language.Plan{}, err
		}
		plan.Env = []language.EnvChange{{Name: "JAVA_TOOL_OPTIONS", Value: agent, How: language.Append, Sep: " "}}
	}
	return plan, nil
}

// address says where the agent listens. A port alone means all addresses up to JDK 8, and loopback from JDK 9 on, which
// has * for all of them; JDK 8 looks that up as the name of a host, and does not start. Where the version is not known,
// 0.0.0.0 is what every JVM takes: all IPv4 addresses.
func address(p language.Process, o language.Options, port int32) string {
	number := strconv.Itoa(int(port))
	switch o.ListenOn {
	case language.OnLoopback:
		return language.Loopback + ":" + number
	case language.OnAll:
		switch version := release(p); {
		case version == 0:
			return "0.0.0.0:" + number
		case version >= 9:
			return "*:" + number
		}
	}
	return number
}

// release is the feature release of the image's JVM, as JAVA_VERSION has it: 8 for 1.8.0_412, 8u412 and jdk8u412-b08,
// 17 for 17.0.9 and jdk-17.0.9+9. It is 0 where it is not known: a manifest may choose another JVM than the one that
// the image brings.
func release(p language.Process) int {
	for _, name := range []string{"JAVA_VERSION", "JAVA_HOME"} {
		if p.Env[name] != p.ImageEnv[name] || p.Unknown[name] || p.Hidden[name] {
			return 0
		}
	}
	if program := p.Argv; len(program) > 0 && strings.Contains(program[0], "/") &&
		language.ProgramName(program[0]) == "java" && program[0] != path.Join(p.ImageEnv["JAVA_HOME"], "bin/java") {
		return 0
	}
	m := javaVersion.FindStringSubmatch(p.ImageEnv["JAVA_VERSION"])
	if m == nil {
		return 0
	}
	version, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return version
}

var javaVersion = regexp.MustCompile(`^(?:jdk-?)?(?:1\.)?(\d+)(?:$|[^\d])`)

// debugAgent matches what asks for a debug agent.
var debugAgent = regexp.MustCompile("jdwp")

// buildTools run the application in a JVM that they start from another one, which stays (Gradle: from a daemon's).
// There JAVA_TOOL_OPTIONS reaches all of them at once.
var buildTools = []string{
	"mvn", "mvnw", "mvnd", "mvnDebug", "gradle", "gradlew", "grails", "grailsw", "quarkus", "jbang", "sbt", "activator",
	"mill", "lein", "scala-cli",
}

// dropping are start scripts that unset JAVA_TOOL_OPTIONS; Elastic's images say that they are in ELASTIC_CONTAINER.
// Sources: elasticsearch-env, opensearch-env and logstash.lib.sh.
var dropping = []string{"elasticsearch", "eswrapper", "logstash", "opensearch", "opensearch-docker-entrypoint.sh"}

// elsewhere refuses programs whose JVM the variable does not reach, or reaches among others.
func elsewhere(p language.Process) error {
	switch {
	case p.Starts(buildTools):
		return reason.Refuse(reason.EnvShared, "a build tool has JVMs of its own beside the application's, which would get "+
			"the same debug agent and fail on its port")
	case p.Starts(dropping) || p.ImageEnv["ELASTIC_CONTAINER"] != "":
		return reason.Refuse(reason.EnvHidden, "%s starts its JVM without JAVA_TOOL_OPTIONS: give the agent in the variable "+
			"that it has for the JVM's options (ES_JAVA_OPTS, LS_JAVA_OPTS, OPENSEARCH_JAVA_OPTS)", p.Argv[0])
	}
	return nil
}

// existing looks for the agent where people put it, and for switches by which start scripts add it themselves. A JVM
// that is given the agent twice does not start.
func existing(p language.Process) (language.Plan, bool, error) {
	if plan, found := jdwpSwitches().Plan(p); found {
		return plan, true, nil
	}
	for _, t := range options(p) {
		agent, ok := jdwpOptions(t)
		if !ok {
			continue
		}
		ports := language.Listening("jdwp", "", port)
		server := false
		for _, option := range strings.Split(agent, ",") {
			key, value, _ := strings.Cut(option, "=")
			switch key {
			case "onthrow", "onuncaught", "onjcmd":
				if value != "n" {
					return language.Plan{}, true, reason.Refuse(reason.OtherDebugger, "the JVM's debug agent does not listen "+
						"until something happens (%s)", option)
				}
			case "server":
				server = strings.HasPrefix(value, "y")
			case "address":
				ports = language.Listening("jdwp", value, port)
			}
		}
		if !server {
			return language.Plan{}, true, reason.Refuse(reason.DebuggerDialsOut,
				"the JVM's debug agent connects to a debugger by itself (%s): there is nothing to attach to", t)
		}
		if name := unread(p, t); name != "" {
			return language.Plan{}, true, reason.Refuse(reason.OtherDebugger,
				"%s holds a debug agent, which %s does not mention: whether the JVM gets it is not known", name, p.Argv[0])
		}
		if own := p.Env["JPDA_OPTS"]; slices.Contains(strings.Fields(own), t) {
			return language.Plan{}, true, reason.Refuse(reason.OtherDebugger,
				"JPDA_OPTS holds a debug agent, which only Tomcat uses, when it is told jpda: whether %s tells it is not known",
				p.Argv[0])
		}
		return language.Plan{Existing: true, Ports: ports}, true, nil
	}
	return language.Plan{}, false, nil
}

// unread returns the variable that a word comes from, where the program is a script whose text is known and does not
// mention it, so that only what the script starts may use it.
func unread(p language.Process, word string) (variable string) {
	if !p.Script || p.File == nil || p.File.Script == "" || slices.Contains(p.Argv, word) {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		if !slices.Contains(strings.Fields(p.Env[name]), word) {
			continue
		}
		if slices.Contains(javaVariables, name) || strings.Contains(p.File.Script, name) {
			return ""
		}
		variable = name
	}
	return variable
}

// options lists the words that may ask the JVM for the agent: of variables that start scripts hand to it (JAVA_OPTS,
// CATALINA_OPTS, …) as well, unless nothing can hand them over: the program is java itself, and its command line has no
// variables in it.
func options(p language.Process) []string {
	java := len(p.Argv) > 0 && language.ProgramName(p.Argv[0]) == "java"
	direct := java && !p.AnyDynamic()
	texts := slices.Clone(p.Argv)
	if direct {
		texts = language.LeadingOptions(p.Argv[1:], javaValueOptions)
		if end := slices.Index(texts, "-jar"); end >= 0 {
			texts = texts[:end]
		}
	}
	tomcat := slices.ContainsFunc(append(slices.Clone(p.Via), p.Argv...),
		func(w string) bool { return language.ProgramName(w) == "catalina.sh" })
	names := slices.Sorted(slices.Values(javaVariables))
	if !direct {
		names = slices.Sorted(maps.Keys(p.Env))
	}
	if tomcat {
		// catalina.sh uses JPDA_OPTS when it is told jpda, which is a switch.
		names = slices.DeleteFunc(names, func(n string) bool { return n == "JPDA_OPTS" })
	}
	texts = slices.Clip(texts)
	for _, n := range names {
		texts = append(texts, language.WordsFrom(p.Env[n], agents...)...)
	}
	if !java {
		return texts
	}
	// a property is just text
	return slices.DeleteFunc(slices.Clone(texts),
		func(w string) bool { return strings.HasPrefix(strings.Trim(w, `"'`), "-D") })
}

// javaValueOptions take the next word as their value. Source: the java command's manual page, JDK 21.
var javaValueOptions = []string{
	"-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--add-modules",
	"--limit-modules", "--add-exports", "--add-opens", "--add-reads", "--patch-module", "--enable-native-access",
	"--source",
}

// javaVariables are the variables that the JVM and its launcher read options from.
var javaVariables = []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}

// agents are how words ask for the debug agent.
var agents = []string{"-agentlib:jdwp", "-Xrunjdwp"}

// jdwpOptions returns the options of a debug agent that a word starts, quotes around the word ignored.
func jdwpOptions(word string) (string, bool) {
	word = strings.Trim(word, `"'`)
	for _, agent := range agents {
		if _, rest, ok := strings.Cut(word, agent); ok {
			rest = strings.TrimLeft(rest, "=:")
			options, _, _ := strings.Cut(rest, " ")
			return strings.Trim(options, `"'`), true
		}
	}
	return "", false
}
