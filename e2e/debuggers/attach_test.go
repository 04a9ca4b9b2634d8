package debuggers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-delve/delve/service/api"
	"github.com/go-delve/delve/service/rpc2"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// attachment is one way to start an application, and one way to debug it.
type attachment struct {
	name    string
	command string // what the container runs, as YAML fields
	starts  string // the same, for the table
	args    []string
	// deployed is for those that start as a Deployment that runs already, and are attached to through `debuggable watch`.
	deployed bool
	// attach attaches a debugger at an address to a running application and sets the breakpoint. What it returns waits for the
	// breakpoint, reads the local variable greeting, which has to have the value given, and lets the application go on.
	attach func(t *testing.T, addr string) (stopped func(want string), by by)
}

// by says what was attached with.
type by struct{ runtime, client, debugger string }

// row is a line of the table in docs/runtimes.md.
type row struct{ runtime, starts, client, debugger string }

// TestAttach starts every application from its rewritten manifest, attaches, and checks the table in the
// documentation against what happened.
func TestAttach(t *testing.T) {
	runtimes := []struct {
		name  string
		image func(t *testing.T) string
		cases []attachment
	}{
		{"go", goImage, goCases()},
		{"jvm", jvmImage, jvmCases()},
		{"nodejs", nodeImage, nodeCases()},
		{"python", pythonImage, pythonCases()},
	}
	var rows []row
	all := 0
	for _, r := range runtimes {
		all += len(r.cases)
		t.Run(r.name, func(t *testing.T) {
			image := r.image(t)
			for _, a := range r.cases {
				t.Run(a.name, func(t *testing.T) {
					by := attachTo(t, r.name, image, a)
					rows = append(rows, row{by.runtime, a.starts, by.client, by.debugger})
				})
			}
		})
	}
	if t.Failed() {
		return
	}
	if len(rows) < all {
		t.Logf("%d of %d were run: the table in docs/runtimes.md is not checked", len(rows), all)
		return
	}
	checkTable(t, rows)
}

// attachTo is the test proper.
func attachTo(t *testing.T, runtime, image string, a attachment) by {
	namespace := newNamespace(t)
	var p pod
	var addr string
	if a.deployed {
		p, addr = rollOut(t, namespace, manifest{image: image, command: a.command}, a.args...)
	} else {
		shared.apply(t, namespace, shared.rewrite(t, manifest{kind: "Pod", image: image, command: a.command}.String(), a.args...))
		p = shared.waitPod(t, namespace, "app", "ready", ready)
	}
	told, port := p.debugPort(t)
	if told != runtime {
		t.Fatalf("the annotation says that it is %s", told)
	}
	p.checkRights(t)
	p.listens(t, port)
	if addr == "" {
		addr = p.forward(t, port)
	}
	stopped, by := a.attach(t, addr)
	p.stopsTwice(t, stopped)
	if a.deployed {
		p.outlivesProbes(t, stopped)
	}
	return by
}

// stopsTwice asks the application twice: the program stops at the breakpoint, goes on and answers, and does it again.
func (p pod) stopsTwice(t *testing.T, stopped func(want string)) {
	t.Helper()
	for _, who := range []string{"ada", "grace"} {
		answer := p.ask(t, who)
		stopped("hello " + who)
		if err := <-answer; err != nil {
			t.Fatalf("after the breakpoint: %v", err)
		}
	}
}

// ask asks the application in the background. What it returns gets nil when the answer is right.
func (p pod) ask(t *testing.T, who string) <-chan error {
	answer := make(chan error, 1)
	go func() {
		body, err := p.get(t.Context(), "/?name="+who)
		if err == nil && !strings.HasPrefix(body, "hello "+who) {
			err = fmt.Errorf("the application answers %q", body)
		}
		answer <- err
	}()
	return answer
}

// outlivesProbes leaves the program at the breakpoint for longer than its probes would have allowed it.
func (p pod) outlivesProbes(t *testing.T, stopped func(want string)) {
	t.Helper()
	answer := p.ask(t, "alan")
	time.Sleep(probesAllow + 3*time.Second)
	stopped("hello alan")
	if err := <-answer; err != nil {
		t.Fatalf("after a while at the breakpoint: %v", err)
	}
	p.lives(t)
}

// lives checks that the pod is still the one it was: nothing was killed.
func (p pod) lives(t *testing.T) {
	t.Helper()
	now, err := shared.client.CoreV1().Pods(p.Namespace).Get(t.Context(), p.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if was, is := container(p.Pod, "app"), container(now, "app"); now.DeletionTimestamp != nil || is.RestartCount != 0 || is.ContainerID != was.ContainerID || is.State.Running == nil {
		t.Fatalf("container app was %+v, and is %+v", was, is)
	}
}

// checkRights checks that the containers have no more rights than the manifest gave them, and the program the user.
func (p pod) checkRights(t *testing.T) {
	t.Helper()
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			t.Errorf("container %s could write to its root file system", c.Name)
		}
	}
	pid, err := shared.node.PID(container(p.Pod, "app").ContainerID)
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Uid:\t1000\t1000\t1000\t1000\n", "CapPrm:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(string(status), line) {
			t.Errorf("the program runs without %q:\n%s", line, status)
		}
	}
}

// rollOut applies a Deployment as it is, waits for its replicas, and applies it made debuggable. It returns the pod that takes their place, and
// the address that `debuggable watch` forwards its debug port to.
func rollOut(t *testing.T, namespace string, m manifest, args ...string) (p pod, addr string) {
	t.Helper()
	m.kind = "Deployment"
	shared.apply(t, namespace, m.String())
	shared.waitRollout(t, namespace, 2)
	w := shared.watch(t, namespace)
	shared.apply(t, namespace, shared.rewrite(t, m.String(), args...))
	shared.waitRollout(t, namespace, 1)
	pods, err := shared.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(pods.Items) != 1 {
		t.Fatalf("there are %d pods", len(pods.Items))
	}
	p = shared.waitPod(t, namespace, pods.Items[0].Name, "ready", ready)
	return p, w.started(p.Pod, "app", 0)
}

// waitRollout waits until a Deployment is what was applied last, with as many pods available as are wanted and no others.
func (e *env) waitRollout(t *testing.T, namespace string, replicas int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d replicas", replicas), func() error {
		d, err := e.client.AppsV1().Deployments(namespace).Get(t.Context(), "app", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if s := d.Status; s.ObservedGeneration != d.Generation || s.UpdatedReplicas != replicas || s.AvailableReplicas != replicas || s.Replicas != replicas {
			return fmt.Errorf("generation %d, status %+v", d.Generation, s)
		}
		return nil
	})
}

// breakpoint returns the line of a file in testdata that has the word breakpoint in it.
func breakpoint(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if strings.Contains(line, " breakpoint") {
			return i + 1
		}
	}
	t.Fatalf("%s has no breakpoint", file)
	return 0
}

func source(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Go

func goImage(t *testing.T) string {
	dir := t.TempDir()
	for name, content := range map[string]string{"main.go": source(t, "app.go.txt"), "go.mod": "module app\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-trimpath", "-gcflags=all=-N -l", "-o", "app", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := newRootfs(t)
	r.file(filepath.Join(dir, "app"), "/ko-app/app")
	return r.push("go", v1.Config{
		Entrypoint: []string{"/ko-app/app"},
		Env:        []string{"PATH=/usr/local/bin:/ko-app", "GOTRACEBACK=all"},
	})
}

func goCases() []attachment {
	rpc := func(t *testing.T, addr string) (func(string), by) {
		client := rpc2.NewClientFromConn(dial(t, addr))
		t.Cleanup(func() { client.Disconnect(false) })
		if _, err := client.Halt(); err != nil {
			t.Fatal(err)
		}
		version := &api.GetVersionOut{}
		if err := client.CallAPI("GetVersion", api.GetVersionIn{}, version); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CreateBreakpoint(&api.Breakpoint{File: "app/main.go", Line: breakpoint(t, "app.go.txt")}); err != nil {
			t.Fatal(err)
		}
		states := client.Continue()
		return func(want string) {
			state := <-states
			if state.Err != nil || state.CurrentThread == nil || state.CurrentThread.Breakpoint == nil {
				t.Fatalf("stopped, but not at the breakpoint: %+v", state)
			}
			v, err := client.EvalVariable(api.EvalScope{GoroutineID: -1}, "greeting", api.LoadConfig{MaxStringLen: 64})
			if err != nil {
				t.Fatal(err)
			}
			if v.Value != want {
				t.Fatalf("local variable greeting is %q, not %q", v.Value, want)
			}
			states = client.Continue()
		}, by{goName(t), "Delve's RPC", "Delve " + delveVersion(version.DelveVersion)}
	}
	dap := func(t *testing.T, addr string) (func(string), by) {
		c := dialDAP(t, addr)
		c.attach("dlv-dap", map[string]any{"mode": "remote"}, "app/main.go", breakpoint(t, "app.go.txt"))
		return func(want string) { c.stopped("greeting", want) }, by{goName(t), "DAP", "Delve " + rpcVersion(t, addr)}
	}
	return []attachment{
		{name: "rpc", deployed: true, command: "args: [one, --two]", starts: "ENTRYPOINT of the image", attach: rpc},
		{name: "dap", command: "command: [/ko-app/app, one]", starts: "`command`", attach: dap},
		{name: "path", command: "command: [app, one]", starts: "`command`, found on PATH", attach: rpc},
		{name: "cwd", command: "args: [one]\nworkingDir: /tmp", starts: "ENTRYPOINT of the image, with a working directory", attach: dap},
	}
}

// rpcVersion asks a Delve for its version, beside whoever else is connected to it.
func rpcVersion(t *testing.T, addr string) string {
	t.Helper()
	client := rpc2.NewClientFromConn(dial(t, addr))
	defer client.Disconnect(false)
	version := &api.GetVersionOut{}
	if err := client.CallAPI("GetVersion", api.GetVersionIn{}, version); err != nil {
		t.Fatal(err)
	}
	return delveVersion(version.DelveVersion)
}

// goName is the Go that the application is built with. Delve itself tells it only while the program is stopped.
func goName(t *testing.T) string {
	return "Go " + minor(output(t, "", "go", "env", "GOVERSION"))
}

// delveVersion picks the number out of "Version: 1.27.2\nBuild: …".
func delveVersion(s string) string {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "Version: "), "\n")
	return s
}

// minor shortens a version to its first two numbers: the patch level of what is installed where the test runs says
// nothing about debugging.
func minor(version string) string {
	parts := strings.Split(strings.TrimPrefix(version, "go"), ".")
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// JVM

func jvmImage(t *testing.T) string {
	dir := t.TempDir()
	output(t, "testdata", "javac", "-g", "-d", dir, "App.java")
	jre := filepath.Join(t.TempDir(), "jre")
	output(t, dir, "jlink", "--add-modules", "java.base,jdk.httpserver,jdk.jdwp.agent", "--strip-debug", "--output", jre)
	r := newRootfs(t)
	r.folder(jre, "/opt/java", "legal", "man", "include")
	r.program(filepath.Join(jre, "bin", "java"), "/opt/java/bin/java")
	r.program(filepath.Join(jre, "lib", "server", "libjvm.so"), "/opt/java/lib/server/libjvm.so")
	r.program(filepath.Join(jre, "lib", "libjdwp.so"), "/opt/java/lib/libjdwp.so")
	r.program(filepath.Join(jre, "lib", "libnio.so"), "/opt/java/lib/libnio.so")
	r.folder(dir, "/app")
	r.shell()
	return r.push("jvm", v1.Config{
		Entrypoint: []string{"java", "-cp", "/app", "App"},
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin:/opt/java/bin", "JAVA_VERSION=17", "JAVA_TOOL_OPTIONS=-Xmx64m"},
	})
}

// shell adds a shell and what launch scripts use.
func (r *rootfs) shell() {
	r.t.Helper()
	r.program("/bin/sh", "/bin/sh")
	for _, p := range []string{"env", "uname", "dirname"} {
		r.program("/usr/bin/"+p, "/usr/bin/"+p)
	}
}

func jvmCases() []attachment {
	attach := func(t *testing.T, addr string) (func(string), by) {
		j := startJDB(t, addr)
		j.wait("> ")
		line := fmt.Sprintf("App:%d", breakpoint(t, "App.java"))
		j.do("stop at "+line, "reakpoint "+line)
		_, version, _ := strings.Cut(j.do("version", "JVM version "), "JVM version ")
		version, _, _ = strings.Cut(version, ".")
		return func(want string) {
			t.Helper()
			j.wait("Breakpoint hit:")
			if got := j.do("print greeting", "greeting = "); !strings.Contains(got, `greeting = "`+want+`"`) {
				t.Fatalf("jdb says %q", got)
			}
			j.do("cont", "> ")
		}, by{"JDK " + version, "jdb", "JDWP agent of the JDK"}
	}
	return []attachment{
		{name: "java", deployed: true, starts: "`java`, ENTRYPOINT of the image", attach: attach},
		{name: "script", command: `command: [sh, -c, "exec java -cp /app App"]`, starts: "`sh -c \"exec java …\"`", attach: attach},
	}
}

// Node.js

func nodeImage(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"package.json", "app.js", "app.ts", "tsconfig.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(source(t, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	output(t, dir, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
	r := newRootfs(t)
	r.program(output(t, dir, "node", "-p", "process.execPath"), "/usr/local/bin/node")
	npm, err := filepath.EvalSymlinks(filepath.Join(output(t, dir, "npm", "root", "-g", "--loglevel=silent"), "npm"))
	if err != nil {
		t.Fatal(err)
	}
	r.folder(npm, "/usr/local/lib/node_modules/npm", "docs", "man")
	r.link("/usr/local/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js")
	r.link("/usr/local/bin/nodemon", "/app/node_modules/nodemon/bin/nodemon.js")
	r.folder(dir, "/app")
	r.shell()
	return r.push("nodejs", v1.Config{
		Entrypoint: []string{"node", "app.js"},
		WorkingDir: "/app",
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "NODE_VERSION=20", "HOME=/tmp", "npm_config_update_notifier=false"},
	})
}

func nodeCases() []attachment {
	attach := func(file, line string) func(t *testing.T, addr string) (func(string), by) {
		return func(t *testing.T, addr string) (func(string), by) {
			c, script, version := dialCDP(t, addr)
			if !strings.HasSuffix(script, line) {
				t.Fatalf("the inspector is in %s, not in %s", script, line)
			}
			at, column := breakpoint(t, file), 0
			if strings.HasSuffix(file, ".ts") {
				// What runs is what the tool made of it; a client with source maps would ask for the .ts line.
				at, column = c.find("app.ts", "response.end(greeting)")
			}
			c.breakAt(file, at, column)
			return func(want string) { c.stopped("greeting", want) }, by{"Node " + strings.SplitN(version, ".", 2)[0], "DevTools protocol", "Node's inspector"}
		}
	}
	js := attach("app.js", "/app/app.js")
	return []attachment{
		{name: "node", deployed: true, command: "args: [app.js, --one]\ncommand: [node]", starts: "`node app.js`", attach: js},
		{name: "entrypoint", starts: "`node app.js`, ENTRYPOINT of the image", attach: js},
		{name: "npm", command: "command: [npm, start]", starts: "`npm start` → `node app.js`", attach: js},
		{name: "nodemon", command: "command: [nodemon, app.js]", starts: "`nodemon app.js`", attach: js},
		{name: "npm-nodemon", command: "command: [npm, run, watch]", starts: "`npm run watch` → `nodemon app.js`", attach: js},
		{name: "shell", command: `command: [sh, -c, "node -v && exec node app.js"]`, starts: "`sh -c \"node -v && exec node app.js\"`", attach: js},
		{name: "ts-node", command: "command: [npm, run, ts-node]", starts: "`npm run …` → `ts-node app.ts`", attach: attach("app.ts", "/ts-node/dist/bin.js")},
		{name: "tsx", command: "command: [npm, run, tsx]", starts: "`npm run …` → `tsx app.ts`", attach: attach("app.ts", "/app/app.ts")},
	}
}

// Python

func pythonImage(t *testing.T) string {
	version := output(t, "", "/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
	site := t.TempDir()
	output(t, "testdata", "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", site,
		"--only-binary", ":all:", "--python-version", version, "-r", "requirements.txt")
	r := newRootfs(t)
	r.program("/usr/bin/python"+version, "/usr/bin/python"+version)
	r.link("/usr/bin/python3", "python"+version)
	r.link("/usr/bin/python", "python"+version)
	lib := "/usr/lib/python" + version
	r.folder(lib, lib, "test", "idlelib", "tkinter", "config-*", "ensurepip", "__pycache__", "*/__pycache__", "*/*/__pycache__")
	modules, err := filepath.Glob(lib + "/lib-dynload/*.so")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		r.program(m, m)
	}
	r.folder(site, "/usr/local/lib/python"+version+"/dist-packages", "bin")
	for _, name := range []string{"app.py", "web.py", "asgi.py"} {
		r.text("/app/"+name, source(t, name), 0o644)
	}
	r.text("/usr/local/bin/gunicorn", "#!/usr/bin/python3\nimport sys\nfrom gunicorn.app.wsgiapp import run\nif __name__ == '__main__':\n    sys.exit(run())\n", 0o755)
	r.text("/usr/local/bin/uvicorn", "#!/usr/bin/env python3\nimport sys\nfrom uvicorn.main import main\nif __name__ == '__main__':\n    sys.exit(main())\n", 0o755)
	return r.push("python", v1.Config{
		Entrypoint: []string{"python", "app.py"},
		WorkingDir: "/app",
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=" + version, "HOME=/tmp"},
	})
}

func pythonCases() []attachment {
	attach := func(file string) func(t *testing.T, addr string) (func(string), by) {
		return func(t *testing.T, addr string) (func(string), by) {
			c := dialDAP(t, addr)
			version := c.attach("debugpy", map[string]any{"justMyCode": false}, "/app/"+file, breakpoint(t, file))
			return func(want string) { c.stopped("greeting", want) }, by{pythonName(t), "DAP", "debugpy " + version}
		}
	}
	// The code runs in a child process: the adapter announces it, and the client attaches to it over a connection of
	// its own, as IDEs do.
	child := func(file string) func(t *testing.T, addr string) (func(string), by) {
		return func(t *testing.T, addr string) (func(string), by) {
			c := dialDAP(t, addr)
			version := c.attach("debugpy", map[string]any{"justMyCode": false, "subProcess": true}, "/app/"+file, breakpoint(t, file))
			// All children are attached to, as IDEs do: some of Python's own (multiprocessing's resource tracker) are
			// among them.
			var children []*dapClient
			for wait := 30 * time.Second; c.has("debugpyAttach", wait); wait = 3 * time.Second {
				var config map[string]any
				if err := json.Unmarshal(c.event("debugpyAttach").Body, &config); err != nil {
					t.Fatal(err)
				}
				worker := dialDAP(t, addr)
				worker.attach("debugpy", config, "/app/"+file, breakpoint(t, file))
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
			}, by{pythonName(t), "DAP, in the child process", "debugpy " + version}
		}
	}
	return []attachment{
		{name: "script", deployed: true, command: "command: [python3, -u, app.py, --one]", starts: "`python3 -u app.py`", attach: attach("app.py")},
		{name: "entrypoint", starts: "`python app.py`, ENTRYPOINT of the image", attach: attach("app.py")},
		{name: "flask", command: "command: [python3, -m, flask, --app, web, run, --host=0.0.0.0, --port=8080]", starts: "`python3 -m flask … run`", attach: attach("web.py")},
		{name: "gunicorn", command: "command: [gunicorn, --bind=0.0.0.0:8080, 'web:app']", starts: "`gunicorn web:app`", attach: child("web.py")},
		{name: "gunicorn-workers", command: "command: [gunicorn, --workers=2, --bind=0.0.0.0:8080, 'web:app']", starts: "`gunicorn --workers=2 web:app`", attach: child("web.py")},
		{name: "uvicorn", command: "command: [uvicorn, --host=0.0.0.0, --port=8080, 'asgi:app']", starts: "`uvicorn asgi:app`", attach: attach("asgi.py")},
		{name: "uvicorn-reload", command: "command: [uvicorn, --reload, --host=0.0.0.0, --port=8080, 'asgi:app']", starts: "`uvicorn --reload asgi:app`", attach: child("asgi.py")},
		{name: "pydevd", command: "command: [python3, app.py]", starts: "`python3 app.py`", args: []string{"--protocol", "pydevd"}, attach: attachPydevd},
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
		if got := between(greeting, `value="`, `"`); !strings.Contains(strings.NewReplacer("%20", " ", "+", " ").Replace(got), want) {
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

// The table

const (
	tableBegin = "<!-- attached: begin -->\n"
	tableEnd   = "<!-- attached: end -->"
)

func checkTable(t *testing.T, rows []row) {
	t.Helper()
	file := filepath.Join(shared.repo, "docs", "runtimes.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	table.WriteString("| runtime | the container runs | client | debugger |\n| --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", r.runtime, r.starts, r.client, r.debugger)
	}
	before, rest, ok := strings.Cut(string(data), tableBegin)
	old, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the markers of the table", file)
	}
	if old == table.String() {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("the table in %s is out of date (UPDATE=1 go test ./debuggers writes it):\n%s", file, table.String())
	}
	if err := os.WriteFile(file, []byte(before+tableBegin+table.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
