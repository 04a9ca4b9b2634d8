package debuggers

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func pythonImage(t *testing.T) string { return shared.image(t, "python", makePythonImage) }

func makePythonImage(t *testing.T) string {
	r, version := pythonRootfs(t, "requirements.txt")
	return r.push("python", pythonConfig(version))
}

// pythonRootfs has Python, packages and the applications. It returns the version of Python, too.
func pythonRootfs(t *testing.T, requirements ...string) (r *rootfs, version string) {
	version = output(t, "", "/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
	site := t.TempDir()
	install := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", site,
		"--only-binary", ":all:", "--python-version", version}
	for _, file := range requirements {
		install = append(install, "-r", file)
	}
	output(t, "testdata", "python3", install...)
	r = newRootfs(t)
	r.python(version)
	r.folder(site, "/usr/local/lib/python"+version+"/dist-packages", "bin")
	for _, name := range []string{"app.py", "web.py", "asgi.py"} {
		r.text("/app/"+name, source(t, name), 0o644)
	}
	r.consoleScript("gunicorn", "gunicorn.app.wsgiapp:run")
	r.consoleScript("uvicorn", "uvicorn.main:main")
	return r, version
}

// consoleScript adds a script as pip makes it for an entry point, MODULE:FUNCTION.
func (r *rootfs) consoleScript(name, entry string) {
	module, function, _ := strings.Cut(entry, ":")
	r.text("/usr/local/bin/"+name,
		fmt.Sprintf("#!/usr/bin/python3\nimport sys\nfrom %s import %s\nif __name__ == '__main__':\n    sys.exit(%[2]s())\n",
			module, function), 0o755)
}

// pythonConfig is the images' configuration, with more variables.
func pythonConfig(version string, env ...string) v1.Config {
	return v1.Config{
		Entrypoint: []string{"python", "app.py"},
		WorkingDir: "/app",
		Env:        append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=" + version, "HOME=/tmp"}, env...),
	}
}

// python adds this machine's Python with its library.
func (r *rootfs) python(version string) {
	r.t.Helper()
	r.program("/usr/bin/python"+version, "/usr/bin/python"+version)
	r.link("/usr/bin/python3", "python"+version)
	r.link("/usr/bin/python", "python"+version)
	lib := "/usr/lib/python" + version
	r.folder(lib, lib, "test", "idlelib", "tkinter", "config-*", "ensurepip", "__pycache__", "*/__pycache__",
		"*/*/__pycache__")
	modules, err := filepath.Glob(lib + "/lib-dynload/*.so")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range modules {
		r.program(m, m)
	}
}

func pythonCases() []attachment {
	return []attachment{
		{name: "script", deployed: true, command: "command: [python3, -u, app.py, --one]", starts: "`python3 -u app.py`",
			attach: attachDebugpy("app.py")},
		{name: "entrypoint", starts: "`python app.py`, ENTRYPOINT of the image", attach: attachDebugpy("app.py")},
		{name: "flask", command: "command: [python3, -m, flask, --app, web, run, --host=0.0.0.0, --port=8080]",
			starts: "`python3 -m flask … run`", attach: attachDebugpy("web.py")},
		{name: "gunicorn", command: "command: [gunicorn, --bind=0.0.0.0:8080, 'web:app']", starts: "`gunicorn web:app`",
			attach: attachDebugpyChild("web.py")},
		{name: "gunicorn-workers", command: "command: [gunicorn, --workers=2, --bind=0.0.0.0:8080, 'web:app']",
			starts: "`gunicorn --workers=2 web:app`", attach: attachDebugpyChild("web.py")},
		{name: "uvicorn", command: "command: [uvicorn, --host=0.0.0.0, --port=8080, 'asgi:app']",
			starts: "`uvicorn asgi:app`", attach: attachDebugpy("asgi.py")},
		{name: "uvicorn-reload", command: "command: [uvicorn, --reload, --host=0.0.0.0, --port=8080, 'asgi:app']",
			starts: "`uvicorn --reload asgi:app`", attach: attachDebugpyChild("asgi.py")},
		{name: "pydevd", command: "command: [python3, app.py]", starts: "`python3 app.py`",
			args: []string{"--protocol", "pydevd"}, attach: attachPydevd},
	}
}

// attachDebugpyChild is for code that runs in a child process: the adapter announces it, and the client attaches to it
// over a connection of its own, as IDEs do.
func attachDebugpyChild(file string) func(t *testing.T, addr string) (func(string), by) {
	return func(t *testing.T, addr string) (func(string), by) {
		config := map[string]any{"justMyCode": false, "subProcess": true}
		stopped, version := debugpyChildren(t, addr, config, "/app/"+file, breakpoint(t, file))
		return stopped, by{pythonName(t), "DAP, in the child process", "debugpy " + version}
	}
}

// debugpyChildren attaches to a process and to those that it starts, and returns what waits until one of these stops,
// and debugpy's version.
func debugpyChildren(
	t *testing.T, addr string, config map[string]any, file string, line int,
) (stopped func(want string), version string) {
	t.Helper()
	c := dialDAP(t, addr)
	version = c.attach("debugpy", config, file, line)
	// All children are attached to, as IDEs do: some of Python's own (multiprocessing's resource tracker) are among them.
	var children []*dapClient
	for wait := 30 * time.Second; c.has("debugpyAttach", wait); wait = 3 * time.Second {
		var child map[string]any
		if err := json.Unmarshal(c.event("debugpyAttach").Body, &child); err != nil {
			t.Fatal(err)
		}
		worker := dialDAP(t, addr)
		worker.attach("debugpy", child, file, line)
		children = append(children, worker)
	}
	return func(want string) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
			for _, worker := range children {
				if worker.has("stopped", 200*time.Millisecond) {
					worker.stopped("greeting", want)
					return
				}
			}
		}
		t.Fatalf("none of %d child processes stopped", len(children))
	}, version
}

// attachDebugpy speaks the Debug Adapter Protocol.
func attachDebugpy(file string) func(t *testing.T, addr string) (func(string), by) {
	return attachDebugpyTo("/app/"+file, file)
}

// attachDebugpyTo is attachDebugpy for a file that is somewhere else in the image.
func attachDebugpyTo(at, file string) func(t *testing.T, addr string) (func(string), by) {
	return func(t *testing.T, addr string) (func(string), by) {
		c := dialDAP(t, addr)
		version := c.attach("debugpy", map[string]any{"justMyCode": false}, at, breakpoint(t, file))
		return func(want string) { c.stopped("greeting", want) }, by{pythonName(t), "DAP", "debugpy " + version}
	}
}

func pythonName(t *testing.T) string {
	return "CPython " + output(t, "", "/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
}

// attachPydevd speaks pydevd's own protocol: lines of command, sequence number and arguments, separated by tabs.
func attachPydevd(t *testing.T, addr string) (func(string), by) {
	c := &pydevdClient{t: t, conn: dial(t, addr)}
	t.Cleanup(func() { c.conn.Close() })
	c.send("501", "1.1\tUNIX\tID")
	c.wait("501")
	c.send("111", fmt.Sprintf("1\tpython-line\t/app/app.py\t%d\tdo_GET\tNone\tNone", breakpoint(t, "app.py")))
	c.send("101", "")
	return func(want string) {
		t.Helper()
		stop := c.wait("105")
		thread, frame := between(stop, `<thread id="`, `"`), between(stop, `<frame id="`, `"`)
		c.send("114", thread+"\t"+frame+"\tFRAME")
		vars := c.wait("114")
		_, greeting, _ := strings.Cut(vars, `name="greeting"`)
		if got := between(greeting, `value="`, `"`); !strings.Contains(strings.NewReplacer("%20", " ", "+", " ").Replace(got),
			want) {
			t.Fatalf("local variable greeting is %q, not %q", got, want)
		}
		c.send("106", thread)
	}, by{pythonName(t), "pydevd's protocol", "pydevd " + pydevdVersion(t)}
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}
