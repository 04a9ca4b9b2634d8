package servers

import "testing"

// TestKaraf starts Karaf, whose switch is a word or a variable.
func TestKaraf(t *testing.T) {
	karaf := product{
		name: "Karaf", version: "4.4.8", artifact: "org.apache.karaf:apache-karaf-minimal",
		root: "apache-karaf-minimal-4.4.8",
		sha512: "be3eefa7f53fe9c4a44aa0489f7fdfd883d1ff90e5acee5c9708ae37193b1165" +
			"a8dea6a8a1c42f45509b1167c6c5cbe2d120c94dce59990bb16aecf0acd3fbb5",
		ports:  []string{"etc/org.apache.karaf.shell.cfg sshPort = %s|8101"},
		up:     "Registering commands for bundle org.apache.karaf.shell.ssh",
		method: "org.apache.karaf.main.lock.SimpleFileLock.isAlive",
		stop:   []string{"stop"},
	}
	const port = `{name: JAVA_DEBUG_PORT, value: "%d"}`
	karaf.start(t, []launch{
		{name: "its word", args: "karaf, debug, run", env: port, own: true, config: true},
		{name: "its variable", args: "karaf, run", env: port + `, {name: KARAF_DEBUG, value: "true"}`, own: true, hook: true,
			config: true},
		{name: "ours", args: "karaf, run", env: port, config: true},
		{name: "ours would reach the hook", args: "karaf, run", env: port, hook: true},
	})
}
