package runtimes

import (
	"regexp"
	"slices"
	"strings"
)

// debugSwitch is a way by which a program starts its own debugger. A second one would take its port, or keep the
// process from starting.
type debugSwitch struct {
	// programs are the names that it goes for; nil: any program that is no interpreter itself.
	programs []string
	// beside is a variable that shows the program to be one of those by another name.
	beside string
	// words are those that turn it on; where says where they stand among the arguments.
	words []string
	where int
	// port says what the words carry: the next word, or what follows "=", may be an address.
	port bool
	// on is a variable that turns it on when it has one of the values; nil: any but the empty one.
	on     string
	values []string
	// off are words that turn off a switch that is on by default.
	off []string
	// addresses are the variables, and options with "=", that name the port; the first that is set counts.
	addresses []string
	// java says that it goes for java itself, too: what stands in front of it adds the agent.
	java bool
	// byDefault is the port when nothing names one.
	byDefault int32
}

// Where a switch's word stands.
const (
	anywhere = iota
	first    // it is the first argument
)

// jvmSwitches is the table. Read for it: catalina.sh of Tomcat 10.1.34, standalone.sh of WildFly 34.0.1, karaf and inc of Karaf 4.4.6 (from
// Maven Central), kafka-run-class.sh of Kafka, kc.sh of Keycloak and jenkins.sh of Jenkins' image (from their repositories). The others
// are as their documentation describes them: that of Open Liberty's server command, sbt-native-packager, Play, Hive, JBang, Payara,
// Maven (mvnDebug), Gradle, Quarkus, Micronaut, Paketo's buildpacks (BPL_DEBUG_ENABLED) and fabric8's run-java.sh (JAVA_ENABLE_DEBUG).
func jvmSwitches() []debugSwitch {
	karaf := []string{"JAVA_DEBUG_OPTS", "JAVA_DEBUG_PORT"}
	trues := []string{"true", "True", "TRUE", "1", "yes", "Yes", "YES", "y", "Y"}
	tools := []string{"mvn", "mvnw", "mvnd", "gradle", "gradlew", "quarkus"}
	return []debugSwitch{
		{programs: []string{"catalina.sh"}, words: []string{"jpda"}, where: first, addresses: []string{"JPDA_OPTS", "JPDA_ADDRESS"}, byDefault: 8000},
		{programs: []string{"server"}, words: []string{"debug"}, where: first, addresses: []string{"WLP_DEBUG_ADDRESS"}, byDefault: 7777},
		{programs: []string{"karaf", "karaf.sh", "servicemix", "fuse"}, words: []string{"debug", "debugs"}, off: []string{"client", "status", "stop"}, addresses: karaf, byDefault: jdwpPort},
		{on: "KARAF_DEBUG", addresses: karaf, byDefault: jdwpPort},
		{on: "KAFKA_DEBUG", addresses: []string{"JAVA_DEBUG_OPTS", "JAVA_DEBUG_PORT"}, byDefault: jdwpPort},
		{programs: []string{"standalone.sh", "kc.sh", "openshift-launch.sh"}, words: []string{"--debug"}, port: true, addresses: []string{"DEBUG_PORT"}, byDefault: 8787},
		{programs: []string{"standalone.sh", "kc.sh", "openshift-launch.sh"}, on: "DEBUG", values: []string{"true"}, beside: "JBOSS_HOME", addresses: []string{"DEBUG_PORT"}, byDefault: 8787},
		{beside: "JBOSS_HOME", words: []string{"--debug"}, programs: []string{}, port: true, addresses: []string{"DEBUG_PORT"}, byDefault: 8787},
		{programs: []string{"jenkins.sh"}, on: "DEBUG", byDefault: jdwpPort},
		{words: []string{"-jvm-debug"}, port: true, byDefault: jdwpPort},
		{programs: []string{"play"}, words: []string{"debug"}, where: first, addresses: []string{"JPDA_PORT"}, byDefault: 9999},
		{programs: []string{"hive", "beeline"}, words: []string{"--debug"}, byDefault: 8000},
		{programs: []string{"jbang"}, words: []string{"--debug", "-d"}, port: true, byDefault: 4004},
		{programs: []string{"asadmin", "startInForeground.sh"}, words: []string{"--debug", "--debug=true", "-d"}, byDefault: 9009},
		{on: "PAYARA_DEBUG", values: trues, byDefault: 9009},
		{programs: []string{"mvnDebug"}, addresses: []string{"MAVEN_DEBUG_OPTS", "MAVEN_DEBUG_ADDRESS"}, byDefault: 8000},
		{programs: []string{"gradle", "gradlew", "grails", "grailsw"}, words: []string{"--debug-jvm", "-Dorg.gradle.debug=true"}, addresses: []string{"-Dorg.gradle.debug.port"}, byDefault: jdwpPort},
		{programs: tools, words: []string{"quarkus:dev", "quarkusDev", "dev"}, off: []string{"-Ddebug=false", "--no-debug"}, addresses: []string{"-Ddebug"}, byDefault: jdwpPort},
		{programs: tools, words: []string{"liberty:dev", "liberty:debug", "libertyDev", "libertyDebug"}, off: []string{"-Ddebug=false"}, addresses: []string{"-DdebugPort"}, byDefault: 7777},
		{programs: tools, words: []string{"-Dmn.debug=true", "-Dmn.debug"}, addresses: []string{"-Dmn.debug.port"}, byDefault: jdwpPort},
		{on: "BPL_DEBUG_ENABLED", values: trues, java: true, addresses: []string{"BPL_DEBUG_PORT"}, byDefault: 8000},
		{on: "JAVA_ENABLE_DEBUG", values: trues, addresses: []string{"JAVA_DEBUG_PORT"}, byDefault: jdwpPort},
		{on: "JAVA_DEBUG", values: trues, addresses: []string{"JAVA_DEBUG_PORT"}, byDefault: jdwpPort},
	}
}

// nodeSwitches are those of Node's tools that start the application with an inspector. Sources: @nestjs/cli's start command, the
// tools' own help texts.
func nodeSwitches() []debugSwitch {
	inspect := []string{"--inspect", "--inspect-brk", "--inspect-wait"}
	return []debugSwitch{
		{programs: []string{"nest"}, words: []string{"--debug", "-d"}, port: true, byDefault: inspectorPort},
		{programs: []string{
			"ts-node-dev", "tsnd", "ts-node", "tsx", "node-dev", "babel-node", "mocha", "_mocha", "gatsby", "next", "ng", "vitest", "meteor", "egg-bin",
			"electron", "remix",
		}, words: inspect, byDefault: inspectorPort},
		{programs: []string{"mocha", "egg-bin", "sails"}, words: []string{"debug", "inspect"}, where: first, byDefault: inspectorPort},
	}
}

// used reports whether a process uses the switch, and the port that it names.
func (s debugSwitch) used(p Process) (address string, used bool) {
	if !s.belongsTo(p) {
		return "", false
	}
	args := p.Argv[1:]
	if slices.ContainsFunc(s.off, func(w string) bool { return slices.Contains(args, w) }) {
		return "", false
	}
	switch {
	case s.on != "":
		v, set := p.Env[s.on]
		used = v != "" || !set && p.Unknown[s.on]
		if s.values != nil {
			used = slices.Contains(s.values, v)
		}
	case s.words == nil:
		used = true
	default:
		address, used = s.word(args)
	}
	if address == "" && used {
		address = s.address(p)
	}
	return address, used
}

// belongsTo reports whether a process is one that the switch goes for.
func (s debugSwitch) belongsTo(p Process) bool {
	if len(p.Argv) == 0 {
		return false
	}
	name := strings.TrimSuffix(programName(p.Argv[0]), ".js")
	if _, is := p.Env[s.beside]; is && s.beside != "" && name != "java" {
		return true
	}
	if s.programs != nil {
		return slices.Contains(s.programs, name)
	}
	return name != "java" || s.java
}

// word looks for the switch among the arguments; the address is what follows it.
func (s debugSwitch) word(args []string) (address string, used bool) {
	for i, w := range args {
		if w == "--" || s.where == first && i > 0 {
			break
		}
		name, value, _ := strings.Cut(w, "=")
		switch {
		case slices.Contains(s.words, w):
		case strings.HasPrefix(name, "--") && slices.Contains(s.words, name):
			address = value
		default:
			continue
		}
		if s.port && address == "" && i+1 < len(args) && addressWord.MatchString(args[i+1]) {
			address = args[i+1]
		}
		used = true
	}
	return address, used
}

// addressWord matches what a switch may take for its port.
var addressWord = regexp.MustCompile(`^(\S*:)?\d+$|\$`)

// address is what the variables and options name.
func (s debugSwitch) address(p Process) string {
	for _, name := range s.addresses {
		value := p.Env[name]
		if strings.HasPrefix(name, "-") {
			value, _ = optionValue(p.Argv[1:], name)
		}
		if m := jdwp.address.FindStringSubmatch(value); m != nil {
			return m[1]
		}
		if value != "" && !strings.HasPrefix(value, "-") {
			return value
		}
		if p.Unknown[name] {
			return "$" + name // known at run time only
		}
	}
	return ""
}

// switched returns the plan for a process that starts its own debugger by a switch.
func (p Process) switched(protocol string, table []debugSwitch) (Plan, bool) {
	for len(p.Argv) > 0 {
		for _, s := range table {
			if address, used := s.used(p); used {
				return Plan{Existing: true, Ports: listening(protocol, address, s.byDefault)}, true
			}
		}
		if p.behindLauncher() == "" {
			break
		}
		p.Argv = p.Argv[1:] // what a launcher that is not known starts
	}
	return Plan{}, false
}

// switched reports whether the command starts a JVM with a debugger by a switch.
func (c Command) switched(env map[string]string) bool {
	return slices.ContainsFunc(append(slices.Clone(c.Starts), c.Argv), func(argv []string) bool {
		_, found := Process{Argv: argv, Env: env}.switched("jdwp", jvmSwitches())
		return found
	})
}
