package jvm

import "debuggable.dev/debuggable/runtimes/language"

// switches is the table. Read for it: catalina.sh of Tomcat 10.1.34, standalone.sh of WildFly 34.0.1, karaf and inc of
// Karaf 4.4.6 (from Maven Central), kafka-run-class.sh of Kafka, kc.sh of Keycloak and jenkins.sh of Jenkins' image
// (from their repositories). The others are as their documentation describes them: that of Open Liberty's server
// command, sbt-native-packager, Play, Hive, JBang, Payara, Maven (mvnDebug), Gradle, Quarkus, Micronaut, Paketo's
// buildpacks (BPL_DEBUG_ENABLED), fabric8's run-java.sh (JAVA_ENABLE_DEBUG) and WebLogic's setDomainEnv.sh (debugFlag).
func jdwpSwitches() language.Switches {
	karaf := []string{"JAVA_DEBUG_OPTS", "JAVA_DEBUG_PORT"}
	trues := []string{"true", "True", "TRUE", "1", "yes", "Yes", "YES", "y", "Y"}
	tools := []string{"mvn", "mvnw", "mvnd", "gradle", "gradlew", "quarkus"}
	return language.Switches{Protocol: "jdwp", Interpreter: "java", Address: agentAddress, Table: []language.Switch{
		{Programs: []string{"catalina.sh"}, Words: []string{"jpda"}, Where: language.First,
			Addresses: []string{"JPDA_OPTS", "JPDA_ADDRESS"}, ByDefault: 8000},
		{Programs: []string{"server"}, Words: []string{"debug"}, Where: language.First,
			Addresses: []string{"WLP_DEBUG_ADDRESS"}, ByDefault: 7777},
		{Programs: []string{"karaf", "karaf.sh", "servicemix", "fuse"}, Words: []string{"debug", "debugs"},
			Off: []string{"client", "status", "stop"}, Addresses: karaf, ByDefault: port},
		{On: "KARAF_DEBUG", Addresses: karaf, ByDefault: port},
		{On: "KAFKA_DEBUG", Addresses: []string{"JAVA_DEBUG_OPTS", "JAVA_DEBUG_PORT"}, ByDefault: port},
		{Programs: []string{"standalone.sh", "kc.sh", "openshift-launch.sh"}, Words: []string{"--debug"}, Port: true,
			Addresses: []string{"DEBUG_PORT"}, ByDefault: 8787},
		{Programs: []string{"standalone.sh", "kc.sh", "openshift-launch.sh"}, On: "DEBUG", Values: []string{"true"},
			Beside: "JBOSS_HOME", Addresses: []string{"DEBUG_PORT"}, ByDefault: 8787},
		{Beside: "JBOSS_HOME", Words: []string{"--debug"}, Programs: []string{}, Port: true,
			Addresses: []string{"DEBUG_PORT"}, ByDefault: 8787},
		{Programs: []string{"startWebLogic.sh", "startManagedWebLogic.sh"}, On: "debugFlag", Values: []string{"true"},
			Addresses: []string{"DEBUG_PORT"}, ByDefault: 8453},
		{Programs: []string{"jenkins.sh"}, On: "DEBUG", ByDefault: port},
		{Words: []string{"-jvm-debug"}, Port: true, ByDefault: port},
		{Programs: []string{"play"}, Words: []string{"debug"}, Where: language.First, Addresses: []string{"JPDA_PORT"},
			ByDefault: 9999},
		{Programs: []string{"hive", "beeline"}, Words: []string{"--debug"}, ByDefault: 8000},
		{Programs: []string{"jbang"}, Words: []string{"--debug", "-d"}, Port: true, ByDefault: 4004},
		{Programs: []string{"asadmin", "startInForeground.sh"}, Words: []string{"--debug", "--debug=true", "-d"},
			ByDefault: 9009},
		{On: "PAYARA_DEBUG", Values: trues, ByDefault: 9009},
		{Programs: []string{"mvnDebug"}, Addresses: []string{"MAVEN_DEBUG_OPTS", "MAVEN_DEBUG_ADDRESS"}, ByDefault: 8000},
		{Programs: []string{"gradle", "gradlew", "grails", "grailsw"},
			Words: []string{"--debug-jvm", "-Dorg.gradle.debug=true"}, Addresses: []string{"-Dorg.gradle.debug.port"},
			ByDefault: port},
		{Programs: tools, Words: []string{"quarkus:dev", "quarkusDev", "dev"}, Off: []string{"-Ddebug=false", "--no-debug"},
			Addresses: []string{"-Ddebug"}, ByDefault: port},
		{Programs: tools, Words: []string{"liberty:dev", "liberty:debug", "libertyDev", "libertyDebug"},
			Off: []string{"-Ddebug=false"}, Addresses: []string{"-DdebugPort"}, ByDefault: 7777},
		{Programs: tools, Words: []string{"-Dmn.debug=true", "-Dmn.debug"}, Addresses: []string{"-Dmn.debug.port"},
			ByDefault: port},
		{On: "BPL_DEBUG_ENABLED", Values: trues, Interpreter: true, Addresses: []string{"BPL_DEBUG_PORT"}, ByDefault: 8000},
		{On: "JAVA_ENABLE_DEBUG", Values: trues, Addresses: []string{"JAVA_DEBUG_PORT"}, ByDefault: port},
		{On: "JAVA_DEBUG", Values: trues, Addresses: []string{"JAVA_DEBUG_PORT"}, ByDefault: port},
	}}
}
