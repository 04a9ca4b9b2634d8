package debuggers

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// gradleStarter is an npm package that brings the script with which Gradle starts applications, as its wrapper has it.
const gradleStarter = "@react-native-community/template@0.76.5"

// insideCases are applications of which the image's configuration does not say what they are: that is in its files.
func insideCases() []editorCase {
	const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	goCase := func(name, command string, image func(t *testing.T, r *rootfs) v1.Config) editorCase {
		return editorCase{
			name: name, runtime: "Go", sources: "examples/hello/go", dir: "services/web", file: "main.go", inside: true,
			command: command, image: func(t *testing.T, tree string) string {
				r := newRootfs(t)
				r.file(goProgramOf(t, filepath.Join(tree, "services/web")), "/usr/local/bin/hello")
				return r.push(imageName(t), image(t, r))
			},
		}
	}
	jvmCase := func(name string, add func(t *testing.T, r *rootfs, tree string)) editorCase {
		return editorCase{
			name: name, runtime: "JVM", sources: "examples/hello/java", dir: "services/cart",
			file: "src/main/java/Hello.java", inside: true, attach: attachJDWP,
			image: func(t *testing.T, tree string) string {
				r := jvmRootfs(t)
				for _, name := range []string{"expr", "ls", "sed", "tr", "xargs"} {
					r.program("/usr/bin/"+name, "/usr/bin/"+name)
				}
				add(t, r, tree)
				config := jvmConfig()
				config.Entrypoint = []string{"/opt/hello/bin/hello"}
				return r.push(imageName(t), config)
			},
		}
	}
	return []editorCase{
		goCase("go-unlabelled", "", func(_ *testing.T, r *rootfs) v1.Config {
			// As distroless images are: certificates, users and nothing else.
			r.text("/etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n",
				0o644)
			r.text("/etc/ssl/certs/ca-certificates.crt", "", 0o644)
			return v1.Config{
				Entrypoint: []string{"hello"}, User: "65532", WorkingDir: "/home/nonroot",
				Env: []string{path, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
			}
		}),
		goCase("go-entrypoint", "args: [hello, one]", func(_ *testing.T, r *rootfs) v1.Config {
			r.shell()
			r.text("/entrypoint.sh", "#!/bin/sh\nset -e\n"+
				"if [ \"${1#-}\" != \"$1\" ]; then\n  set -- hello \"$@\"\nfi\n"+
				"export STARTED=\"$(uname)\"\nexec \"$@\"\n", 0o755)
			return v1.Config{Entrypoint: []string{"/entrypoint.sh"}, Cmd: []string{"--help"}, Env: []string{path}}
		}),
		jvmCase("jvm-gradle", func(t *testing.T, r *rootfs, tree string) {
			r.javac(filepath.Join(tree, "services/cart/src/main/java/Hello.java"), "/opt/hello/lib")
			r.text("/opt/hello/bin/hello", gradleScript(t, "Hello", "$APP_HOME/lib"), 0o755)
		}),
		jvmCase("jvm-maven", func(t *testing.T, r *rootfs, _ string) {
			dir := built(t, "examples/hello/java", "mvn -q -B package")
			r.folder(filepath.Join(dir, "target/appassembler"), "/opt/hello")
		}),
		{
			name: "python-console-script", runtime: "Python", sources: "examples/hello/python", dir: "services/cart",
			file: "hello.py", inside: true,
			image: func(t *testing.T, _ string) string {
				version := output(t, "", "/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
				r := newRootfs(t)
				r.python(version)
				site := t.TempDir()
				output(t, built(t, "examples/hello/python"), "python3", "-m", "pip", "install", "--quiet", "--no-compile",
					"--disable-pip-version-check", "--target", site, ".")
				r.file(filepath.Join(site, "hello.py"), "/usr/local/lib/python"+version+"/dist-packages/hello.py")
				r.text("/usr/local/bin/hello", interpretedBy(t, filepath.Join(site, "bin/hello"), "/usr/bin/python"+version), 0o755)
				return r.push(imageName(t), v1.Config{Entrypoint: []string{"hello"}, Env: []string{path, "HOME=/tmp"}})
			},
		},
	}
}

// TestInside stops at breakpoints of applications that only the files of their images tell apart.
func TestInside(t *testing.T) {
	for _, c := range insideCases() {
		t.Run(c.name, func(t *testing.T) { c.stops(t) })
	}
}

// interpretedBy is a script with another interpreter in its first line.
func interpretedBy(t *testing.T, script, interpreter string) string {
	t.Helper()
	data, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, ok := strings.Cut(string(data), "\n")
	if !ok || !strings.HasPrefix(first, "#!") {
		t.Fatalf("%s starts with %q", script, first)
	}
	return "#!" + interpreter + "\n" + rest
}

// gradleScript is the script with which Gradle's plugin for applications starts a class of a class path: that of its
// wrapper is made from the same template.
func gradleScript(t *testing.T, class, classpath string) string {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(dir, output(t, dir, "npm", "pack", "--silent", gradleStarter))
	script := fileOf(t, archive, "package/template/android/gradlew")
	for _, change := range [][2]string{
		{`"${APP_HOME:-./}"`, `"${APP_HOME:-./}.."`}, // bin
		{"        \"-Dorg.gradle.appname=$APP_BASE_NAME\" \\\n", ""},
		{"CLASSPATH=$APP_HOME/gradle/wrapper/gradle-wrapper.jar\n", "CLASSPATH=" + classpath + "\n"},
		{"org.gradle.wrapper.GradleWrapperMain", class},
		{"GRADLE_OPTS", "HELLO_OPTS"},
	} {
		if !strings.Contains(script, change[0]) {
			t.Fatalf("Gradle's script has no %q:\n%s", change[0], script)
		}
		script = strings.ReplaceAll(script, change[0], change[1])
	}
	return script
}

// fileOf is a file of a .tgz archive.
func fileOf(t *testing.T, archive, name string) string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for entries := tar.NewReader(z); ; {
		h, err := entries.Next()
		if err != nil {
			t.Fatalf("%s in %s: %v", name, archive, err)
		}
		if h.Name != name {
			continue
		}
		data, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}
