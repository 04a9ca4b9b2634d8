package runtimes

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// JVM starts the JVM's own debug agent (JDWP) through JAVA_TOOL_OPTIONS, which every JVM since Java 5 reads.
//
// Source of the agent's options: the JPDA documentation, "Connection and Invocation Details".
type JVM struct{}

const jdwpPort = 5005

// Name implements Runtime.
func (JVM) Name() string { return "jvm" }

// Aliases implements Runtime.
func (JVM) Aliases() []string { return []string{"java"} }

// Detect implements Runtime.
func (JVM) Detect(p Process) Sign {
	if len(p.Argv) > 0 && programName(p.Argv[0]) == "java" {
		return Sign{Program, "program java"}
	}
	return strongest(buildpackSign(p, "jvm"), envSign(p, true, "JAVA_VERSION", "JAVA_TOOL_OPTIONS"), envSign(p, false, "JAVA_HOME"))
}

// DebugPorts implements Runtime.
func (JVM) DebugPorts(text string) []int32 { return jdwp.ports(text) }

var jdwp = listener{"jdwp", regexp.MustCompile(`-agentlib:jdwp|-Xrunjdwp`), regexp.MustCompile(`\baddress=([^\s,"']+)`), jdwpPort}

// Attach implements Runtime.
func (j JVM) Attach(p Process, o Options) (Plan, error) {
	if plan, found, err := j.existing(p); found || err != nil {
		return plan, err
	}
	port, err := freePort(o, jdwpPort)
	if err != nil {
		return Plan{}, err
	}
	suspend := "n"
	if o.Suspend {
		suspend = "y"
	}
	agent := "-agentlib:jdwp=transport=dt_socket,server=y,address=" + itoa(port) + ",suspend=" + suspend + ",quiet=y"
	plan := Plan{Ports: []Port{{"jdwp", port}}}
	direct := len(p.Argv) > 0 && programName(p.Argv[0]) == "java"
	others := p.others(j)
	shared := slices.ContainsFunc(others, func(c Command) bool {
		return c.AtOnce || o.Suspend || c.stays() || c.mentions(debugAgent) || c.switched(p.Env)
	})
	switch {
	case direct && !p.LineFixed && (len(others) > 0 || p.EnvFixed || p.Hidden["JAVA_TOOL_OPTIONS"]):
		plan.Insert = []Insertion{{1, []string{agent}}}
	case p.starts(jvmBuildTools):
		return Plan{}, &reason.Refusal{Code: reason.EnvShared, Message: "a build tool has JVMs of its own beside the application's, which would get the same debug agent and fail on its port"}
	case shared:
		return Plan{}, &reason.Refusal{Code: reason.EnvShared, Message: "a probe, a hook or the script starts another program, which may be a JVM: it would get the same debug agent, and fail on its port or wait for a debugger"}
	default:
		if err := p.managed(); err != nil {
			return Plan{}, err
		}
		plan.Env = []EnvChange{{Name: "JAVA_TOOL_OPTIONS", Value: agent, How: Append, Sep: " "}}
	}
	return plan, nil
}

// debugAgent matches what asks for a debug agent.
var debugAgent = regexp.MustCompile("jdwp")

// jvmBuildTools run the application in a JVM that they start from another one, which stays (Gradle: from a daemon's). There
// JAVA_TOOL_OPTIONS reaches all of them at once.
var jvmBuildTools = []string{
	"mvn", "mvnw", "mvnd", "mvnDebug", "gradle", "gradlew", "grails", "grailsw", "quarkus", "jbang", "sbt", "activator", "mill", "lein",
	"scala-cli",
}

// existing looks for the agent where people put it, and for switches by which start scripts add it themselves. A JVM that is given
// the agent twice does not start.
func (j JVM) existing(p Process) (Plan, bool, error) {
	if plan, found := p.switched("jdwp", jvmSwitches()); found {
		return plan, true, nil
	}
	for _, t := range j.options(p) {
		options, ok := jdwpOptions(t)
		if !ok {
			continue
		}
		ports := listening("jdwp", "", jdwpPort)
		server := false
		for _, option := range strings.Split(options, ",") {
			key, value, _ := strings.Cut(option, "=")
			switch key {
			case "server":
				server = strings.HasPrefix(value, "y")
			case "address":
				ports = listening("jdwp", value, jdwpPort)
			}
		}
		if !server {
			return Plan{}, true, &reason.Refusal{Code: reason.DebuggerDialsOut, Message: fmt.Sprintf("the JVM's debug agent connects to a debugger by itself (%s): there is nothing to attach to", t)}
		}
		if own := p.Env["JPDA_OPTS"]; slices.Contains(strings.Fields(own), t) {
			return Plan{}, true, &reason.Refusal{Code: reason.OtherDebugger, Message: "JPDA_OPTS holds a debug agent, which only Tomcat uses, when it is told jpda: whether " + p.Argv[0] + " tells it is not known"}
		}
		return Plan{Existing: true, Ports: ports}, true, nil
	}
	return Plan{}, false, nil
}

// options lists the words that may become options of the JVM: of variables that start scripts hand to it (JAVA_OPTS, CATALINA_OPTS, …)
// as well, unless nothing can hand them over: the program is java itself, and its command line has no variables in it.
func (JVM) options(p Process) []string {
	java := len(p.Argv) > 0 && programName(p.Argv[0]) == "java"
	direct := java && !p.anyDynamic()
	texts := slices.Clone(p.Argv)
	if direct {
		texts = leadingOptions(p.Argv[1:], javaValueOptions)
		if end := slices.Index(texts, "-jar"); end >= 0 {
			texts = texts[:end]
		}
	}
	tomcat := slices.ContainsFunc(append(slices.Clone(p.Via), p.Argv...), func(w string) bool { return programName(w) == "catalina.sh" })
	var names []string
	for n := range p.Env {
		// catalina.sh uses JPDA_OPTS when it is told jpda, which is a switch.
		if (!direct || slices.Contains(javaVariables, n)) && !(n == "JPDA_OPTS" && tomcat) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	texts = slices.Clip(texts)
	for _, n := range names {
		texts = append(texts, strings.Fields(p.Env[n])...)
	}
	if !java {
		return texts
	}
	return slices.DeleteFunc(slices.Clone(texts), func(w string) bool { return strings.HasPrefix(strings.Trim(w, `"'`), "-D") }) // a property is just text
}

// javaValueOptions take the next word as their value. Source: the java command's manual page, JDK 21.
var javaValueOptions = []string{
	"-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--add-modules", "--limit-modules", "--add-exports",
	"--add-opens", "--add-reads", "--patch-module", "--enable-native-access", "--source",
}

// javaVariables are the variables that the JVM and its launcher read options from.
var javaVariables = []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}

// jdwpOptions returns the options of a debug agent that a word starts, quotes around the word ignored.
func jdwpOptions(word string) (string, bool) {
	word = strings.Trim(word, `"'`)
	for _, agent := range []string{"-agentlib:jdwp", "-Xrunjdwp"} {
		if _, rest, ok := strings.Cut(word, agent); ok {
			rest = strings.TrimLeft(rest, "=:")
			options, _, _ := strings.Cut(rest, " ")
			return strings.Trim(options, `"'`), true
		}
	}
	return "", false
}
