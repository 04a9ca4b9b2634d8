package servers

import "testing"

// TestTomcat starts Tomcat. Whether it is Tomcat that starts the agent or we, it is one; and what stops Tomcat still
// does.
func TestTomcat(t *testing.T) {
	tomcat := product{
		name: "Tomcat", version: "10.1.34", artifact: "org.apache.tomcat:tomcat", root: "apache-tomcat-10.1.34",
		home: "CATALINA_HOME",
		sha512: "aa314a6a52c5e3ccd9bdab7645bc6c0a2986b79b9df46acbeff1021d0bed820f" +
			"1acf8c199498ad3f74285e5b1376e26527f24a921be3c54660719fe8558cb380",
		ports:  []string{`conf/server.xml port="%s"|8005`, `conf/server.xml port="%s"|8080`},
		up:     "Server startup in",
		method: "org.apache.catalina.core.StandardContext.backgroundProcess",
		stop:   []string{"catalina.sh", "stop"},
	}
	const address = `{name: JPDA_ADDRESS, value: "localhost:%d"}`
	tomcat.start(t, []launch{
		{name: "its own switch", args: "catalina.sh, jpda, run", env: address, own: true, hook: true, config: true},
		{name: "ours", args: "catalina.sh, run", env: address, config: true},
		{name: "ours would reach the hook", args: "catalina.sh, run", env: address, hook: true},
	})
}
