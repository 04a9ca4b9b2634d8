package debuggers

import (
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func jvmImage(t *testing.T) string { return shared.image(t, "jvm", makeJvmImage) }

func makeJvmImage(t *testing.T) string {
	r := jvmRootfs(t)
	r.javac("testdata/App.java", "/app")
	config := jvmConfig()
	config.Entrypoint = []string{"java", "-cp", "/app", "App"}
	return r.push("jvm", config)
}

// jvmRootfs has a JRE, and what scripts that start one use.
func jvmRootfs(t *testing.T) *rootfs {
	dir := t.TempDir()
	jre := filepath.Join(t.TempDir(), "jre")
	output(t, dir, "jlink", "--add-modules", "java.base,jdk.httpserver,jdk.jdwp.agent", "--strip-debug", "--output", jre)
	r := newRootfs(t)
	r.folder(jre, "/opt/java", "legal", "man", "include")
	r.program(filepath.Join(jre, "bin", "java"), "/opt/java/bin/java")
	r.program(filepath.Join(jre, "lib", "server", "libjvm.so"), "/opt/java/lib/server/libjvm.so")
	r.program(filepath.Join(jre, "lib", "libjdwp.so"), "/opt/java/lib/libjdwp.so")
	r.program(filepath.Join(jre, "lib", "libnio.so"), "/opt/java/lib/libnio.so")
	r.shell()
	return r
}

// javac adds the classes of a source file.
func (r *rootfs) javac(file, at string) {
	r.t.Helper()
	dir := r.t.TempDir()
	output(r.t, "", "javac", "-g", "-d", dir, file)
	r.folder(dir, at)
}

// jvmConfig is that of the official images of a JRE.
func jvmConfig() v1.Config {
	return v1.Config{Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/opt/java/bin", "JAVA_HOME=/opt/java",
		"JAVA_VERSION=17", "JAVA_TOOL_OPTIONS=-Xmx64m"}}
}

func jvmCases() []attachment {
	attach := func(t *testing.T, addr string) (func(string), by) {
		j := startJDB(t, addr)
		j.wait("> ")
		return j.breaks()
	}
	return []attachment{
		{name: "java", deployed: true, starts: "`java`, ENTRYPOINT of the image", attach: attach},
		{name: "script", command: `command: [sh, -c, "exec java -cp /app App"]`, starts: "`sh -c \"exec java …\"`",
			attach: attach},
	}
}
