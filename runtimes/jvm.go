package runtimes

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
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
	return strongest(envSign(p, true, "JAVA_VERSION", "JAVA_TOOL_OPTIONS"), envSign(p, false, "JAVA_HOME"))
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
	shared := slices.ContainsFunc(others, func(c Command) bool { return c.AtOnce || o.Suspend || c.stays() || c.mentions(debugAgent) })
	switch {
	case direct && !p.LineFixed && (len(others) > 0 || p.EnvFixed || p.Hidden["JAVA_TOOL_OPTIONS"]):
		plan.Insert = []Insertion{{1, []string{agent}}}
	case p.starts(jvmBuildTools):
		return Plan{}, &Refusal{"EnvShared", "a build tool has JVMs of its own beside the application's, which would get the same debug agent and fail on its port"}
	case shared:
		return Plan{}, &Refusal{"EnvShared", "a probe, a hook or the script starts another program, which may be a JVM: it would get the same debug agent, and fail on its port or wait for a debugger"}
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
var jvmBuildTools = []string{"mvn", "mvnw", "mvnd", "gradle", "gradlew", "sbt", "mill", "lein", "scala-cli"}

// existing looks for the agent where people put it. A JVM that is given the agent twice does not start, so variables that
// start scripts hand to it (JAVA_OPTS, CATALINA_OPTS, …) count as well, unless nothing can hand them over: the program is
// java itself, and its command line has no variables in it.
func (JVM) existing(p Process) (Plan, bool, error) {
	texts := append([]string(nil), p.Argv...)
	var names []string
	direct := len(p.Argv) > 0 && programName(p.Argv[0]) == "java" && !p.anyDynamic()
	for n := range p.Env {
		if !direct || slices.Contains(javaVariables, n) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		texts = append(texts, strings.Fields(p.Env[n])...)
	}
	for _, t := range texts {
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
			return Plan{}, true, &Refusal{"DebuggerDialsOut", fmt.Sprintf("the JVM's debug agent connects to a debugger by itself (%s): there is nothing to attach to", t)}
		}
		return Plan{Existing: true, Ports: ports}, true, nil
	}
	for _, script := range []struct{ enable, port string }{{"BPL_DEBUG_ENABLED", "BPL_DEBUG_PORT"}, {"JAVA_ENABLE_DEBUG", "JAVA_DEBUG_PORT"}, {"JAVA_DEBUG", "JAVA_DEBUG_PORT"}} {
		// Paketo's and Red Hat's start scripts add the agent themselves; theirs listens on 8000 or 5005 by default.
		if v := strings.ToLower(p.Env[script.enable]); v != "true" && v != "1" && v != "yes" {
			continue
		}
		port := int32(jdwpPort)
		if script.enable == "BPL_DEBUG_ENABLED" {
			port = 8000
		}
		if n, ok := portOf(p.Env[script.port]); ok {
			port = n
		}
		return Plan{Existing: true, Ports: []Port{{"jdwp", port}}}, true, nil
	}
	return Plan{}, false, nil
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
