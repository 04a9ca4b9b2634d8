package debuggers

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// editorCase is an application whose sources lie somewhere else than where they were built.
type editorCase struct {
	name, runtime string
	layout        string // of the sources, for the table
	command       string
	sources       string // their folder, in this repository; "" is testdata, of which the file is the only one
	dir           string // where they are below the work tree
	file          string // the one with the breakpoint, in dir
	image         func(t *testing.T, tree string) string
	inside        bool // nothing but the image's files shows what it runs
	// attach gives an entry to the debugger, sets the breakpoint, and returns what waits until the program stops at
	// it. nil: as VS Code does with entries of debuggers that speak the Debug Adapter Protocol.
	attach func(t *testing.T, addr string, config map[string]any, file string, line int) (stopped func(want string))
}

func editorCases() []editorCase {
	goCase := func(name, layout, module string, flags ...string) editorCase {
		return editorCase{
			name: name, runtime: "Go", layout: layout, sources: "examples/hello/go", dir: module, file: "main.go",
			image: func(t *testing.T, tree string) string {
				return goImageOf(t, filepath.Join(tree, module), imageName(t), flags...)
			},
		}
	}
	python := func(name, layout, local, remote, command string) editorCase {
		return editorCase{
			name: name, runtime: "Python", layout: layout, sources: "examples/hello/python", dir: local, file: "hello.py",
			command: command, image: func(t *testing.T, _ string) string { return pythonImageOf(t, imageName(t), remote) },
		}
	}
	return []editorCase{
		goCase("go-plain", "module at the root", ""),
		goCase("go-trimpath", "module at the root, built with `-trimpath`", "", "-trimpath"),
		goCase("go-subfolder", "module in a subfolder of a monorepo", "services/web"),
		python("python-script", "script in a subfolder", "services/cart", "/srv", "command: [python3, -u, /srv/hello.py]"),
		{
			name: "python-gunicorn", runtime: "Python", layout: "module in a subfolder, in gunicorn's worker",
			dir: "services/cart", file: "web.py",
			command: "command: [gunicorn, --bind=0.0.0.0:8080, 'web:app']",
			image: func(t *testing.T, _ string) string {
				r, version := pythonRootfs(t, "requirements.txt")
				return r.push(imageName(t), pythonConfig(version))
			},
			attach: func(t *testing.T, addr string, config map[string]any, file string, line int) func(string) {
				stopped, _ := debugpyChildren(t, addr, config, file, line)
				return stopped
			},
		},
		{
			name: "node-subfolder", runtime: "Node", layout: "JavaScript in a subfolder of a monorepo",
			dir: "services/cart", file: "app.js", command: "command: [node, app.js]",
			image: func(t *testing.T, _ string) string {
				r := newRootfs(t)
				r.text("/usr/src/app/app.js", source(t, "app.js"), 0o644)
				r.text("/usr/src/app/package.json", `{"name": "cart", "private": true}`, 0o644)
				return nodeImageOf(t, r, imageName(t))
			},
			attach: attachInspector,
		},
		{
			name: "node-typescript", runtime: "Node", layout: "TypeScript in a subfolder of a monorepo, compiled in the image",
			sources: "examples/hello/node", dir: "services/cart", file: "src/hello.ts",
			command: "command: [node, dist/hello.js]",
			image: func(t *testing.T, _ string) string {
				r := newRootfs(t)
				r.folder(built(t, "examples/hello/node", "npm install --no-audit --no-fund --loglevel=error", "npm run build"),
					"/usr/src/app", "node_modules", "src")
				return nodeImageOf(t, r, imageName(t))
			},
			attach: attachInspector,
		},
		{
			name: "jvm-subfolder", runtime: "JVM", layout: "class in a subfolder of a monorepo",
			sources: "examples/hello/java", dir: "services/cart", file: "src/main/java/Hello.java",
			command: "command: [java, -cp, /app, Hello]",
			image: func(t *testing.T, tree string) string {
				r := jvmRootfs(t)
				r.javac(filepath.Join(tree, "services/cart/src/main/java/Hello.java"), "/app")
				return r.push(imageName(t), jvmConfig())
			},
			attach: attachJDWP,
		},
		python("python-package", "package in a subfolder", "services/cart/cart", "/srv/cart",
			"command: [python3, -m, cart.hello]\nworkingDir: /srv"),
	}
}

// imageName names the image of a test: the node has what it pulled under a name for all of them.
func imageName(t *testing.T) string { return strings.ToLower(t.Name()) }

// built copies a folder of this repository to one that is gone after the test, runs commands there, and returns it.
func built(t *testing.T, folder string, commands ...string) string {
	t.Helper()
	dir := t.TempDir()
	copyFolder(t, folder, dir)
	for _, command := range commands {
		words := strings.Fields(command)
		output(t, dir, words[0], words[1:]...)
	}
	return dir
}

// copyFolder copies what is tracked of a folder of this repository.
func copyFolder(t *testing.T, folder, to string) {
	t.Helper()
	files := output(t, shared.repo, "git", "ls-files", "-co", "--exclude-standard", folder)
	for _, name := range strings.Fields(files) {
		rel, err := filepath.Rel(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(shared.repo, name))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(to, rel), string(data))
	}
}

func writeFile(t *testing.T, at, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goImageOf builds the module of a directory that is gone afterwards.
func goImageOf(t *testing.T, local, repo string, flags ...string) string {
	r := newRootfs(t)
	r.file(goProgramOf(t, local, flags...), "/app")
	return r.push(repo, v1.Config{Entrypoint: []string{"/app"}, Env: []string{"PATH=/usr/bin", "GOTRACEBACK=all"}})
}

func goProgramOf(t *testing.T, local string, flags ...string) string {
	built := t.TempDir()
	if err := os.CopyFS(built, os.DirFS(local)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go",
		append(append([]string{"build", "-gcflags=all=-N -l", "-buildvcs=false", "-o", "app"}, flags...), ".")...)
	cmd.Dir = built
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(built, "app")
}

func pythonImageOf(t *testing.T, repo, dir string) string {
	version := output(t, "", "/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
	r := newRootfs(t)
	r.python(version)
	r.file(filepath.Join(shared.repo, "examples/hello/python/hello.py"), dir+"/hello.py")
	r.text(dir+"/__init__.py", "", 0o644)
	return r.push(repo,
		v1.Config{WorkingDir: "/srv", Env: []string{"PATH=/usr/bin:/bin", "PYTHON_VERSION=" + version, "HOME=/tmp"}})
}

func nodeImageOf(t *testing.T, r *rootfs, repo string) string {
	r.program(output(t, "", "node", "-p", "process.execPath"), "/usr/local/bin/node")
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "NODE_VERSION=20", "HOME=/tmp"}
	return r.push(repo, v1.Config{WorkingDir: "/usr/src/app", Env: env})
}

// workTree makes a work tree with the sources of a case, and with another service.
func (c editorCase) workTree(t *testing.T) (tree, file string, line int) {
	t.Helper()
	tree, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(tree, c.dir, c.file)
	if c.sources == "" {
		writeFile(t, file, source(t, c.file))
	} else {
		copyFolder(t, c.sources, filepath.Join(tree, c.dir))
	}
	for at, text := range map[string]string{
		"services/other/go.mod":   "module example.com/acme/other\n",
		"services/other/main.go":  "package main\n",
		"services/other/hello.py": "print('another application')\n",
	} {
		writeFile(t, filepath.Join(tree, at), text)
	}
	return tree, file, breakpointIn(t, file)
}

// layoutOf writes an image that was pushed into a layout, and returns the flag that names it.
func layoutOf(t *testing.T, image string) string {
	t.Helper()
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = at.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "--layout=" + image + "=" + dir
}

// TestEditors gives the entries of launch.json to the debuggers as VS Code does: a breakpoint in the local file, whose
// tree lies somewhere else than where the program was built, stops the program.
func TestEditors(t *testing.T) {
	var rows []string
	cases := editorCases()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.stops(t)
			rows = append(rows, fmt.Sprintf("| %s | %s | `.vscode/launch.json` |\n", c.runtime, c.layout))
		})
	}
	if t.Failed() || len(rows) < len(cases) {
		return
	}
	checkEditorTable(t, "| runtime | layout of the sources | editor file |\n| --- | --- | --- |\n"+strings.Join(rows, ""))
}

// stops runs the application of a case, gives the debugger the entry of launch.json, and stops at the breakpoint.
func (c editorCase) stops(t *testing.T) {
	t.Helper()
	tree, file, line := c.workTree(t)
	image := c.image(t, tree)
	at := layoutOf(t, image)
	var args []string
	if c.inside {
		args = append(args, at)
	}
	namespace := newNamespace(t)
	rewritten := shared.rewrite(t, manifest{kind: "Pod", image: image, command: c.command}.String(), args...)
	w := shared.watch(t, namespace)
	shared.apply(t, namespace, rewritten)
	addr := w.started("app", "app", 0)
	p := shared.waitPod(t, namespace, "app", "ready", ready)
	_, port := p.debugPort(t)
	p.listens(t, port)
	config := entryFor(t, rewritten, tree, at)
	if want := fmt.Sprintf("127.0.0.1:%d", port); addr != want {
		t.Fatalf("the port is forwarded to %s, not %s", addr, want)
	}
	attach := c.attach
	if attach == nil {
		attach = attachDAP
	}
	p.stopsTwice(t, attach(t, addr, config, file, line))
}

func attachDAP(t *testing.T, addr string, config map[string]any, file string, line int) func(string) {
	d := dialDAP(t, addr)
	d.attach("editor", config, file, line)
	return func(want string) { d.stopped("greeting", want) }
}

// attachInspector does with an entry for V8's inspector what VS Code's debugger documents: files below localRoot are
// those below remoteRoot, a script's URL is its path, and what was compiled is where a script's source map has it.
func attachInspector(t *testing.T, addr string, config map[string]any, file string, line int) func(string) {
	to := fmt.Sprintf("%s:%v", config["address"], config["port"])
	if to != addr || config["type"] != "node" || config["request"] != "attach" {
		t.Fatalf("the entry is %v", config)
	}
	local, _ := config["localRoot"].(string)
	remote, _ := config["remoteRoot"].(string)
	below, is := strings.CutPrefix(file, local+"/")
	if !is || remote == "" {
		t.Fatalf("the entry maps %q to %q, which has no place for %s", local, remote, file)
	}
	d, _, _ := dialCDP(t, addr)
	at := path.Join(remote, below)
	if path.Ext(at) == ".js" {
		d.breakAtURL("file://"+at, line, 0)
	} else {
		d.breakAtURL(d.compiled(at, line))
	}
	return func(want string) { d.stopped("greeting", want) }
}

// attachJDWP does with an entry for a JVM what VS Code's debugger does: it names the class that the file holds.
func attachJDWP(t *testing.T, addr string, config map[string]any, file string, line int) func(string) {
	to := fmt.Sprintf("%s:%v", config["hostName"], config["port"])
	if to != addr || config["type"] != "java" || config["request"] != "attach" {
		t.Fatalf("the entry is %v", config)
	}
	j := startJDB(t, addr)
	j.wait("> ")
	return j.stopsAt(fmt.Sprintf("%s:%d", strings.TrimSuffix(filepath.Base(file), ".java"), line))
}

// entryFor is the only entry that debuggable ide makes, as VS Code gives it to a debug adapter.
func entryFor(t *testing.T, rewritten, tree string, args ...string) map[string]any {
	t.Helper()
	entries := entriesFor(t, rewritten, tree, args...)
	if len(entries) != 1 {
		t.Fatalf("the entries are %v", entries)
	}
	return entries[0]
}

// entriesFor are those that debuggable ide makes.
func entriesFor(t *testing.T, rewritten, tree string, args ...string) []map[string]any {
	t.Helper()
	cmd := exec.Command(shared.debuggable, append([]string{"ide", "vscode", "--workspace", tree}, args...)...)
	cmd.Stdin = strings.NewReader(rewritten)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	t.Logf("%s", &stderr)
	entries, err := parseLaunch(out, tree)
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return entries
}

// TestAttachCommand: an editor's session with debuggable attach goes on when the container is killed and when the
// Deployment is rolled over.
func TestAttachCommand(t *testing.T) {
	for _, c := range editorCases() {
		if c.name != "go-subfolder" && c.name != "python-script" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			tree, file, line := c.workTree(t)
			image := c.image(t, tree)
			at := layoutOf(t, image)
			namespace := newNamespace(t)
			m := manifest{kind: "Deployment", image: image, command: c.command}
			shared.apply(t, namespace, shared.rewrite(t, m.String()))
			shared.waitRollout(t, namespace, 1)
			p := shared.newest(t, namespace)

			port := freePort(t)
			attach := shared.attachCommand(t, tree, namespace+"/app", at, "--port", fmt.Sprint(port))
			if err := attach.Start(); err != nil {
				t.Fatal(err)
			}
			d := dialDAP(t, fmt.Sprintf("127.0.0.1:%d", port))
			d.attach("editor", map[string]any{"request": "attach"}, file, line)
			p.stopsTwice(t, func(want string) { d.stopped("greeting", want) })

			pid, err := shared.node.PID(container(p.Pod, "app").ContainerID)
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err != nil {
				t.Fatal(err)
			}
			d.again()
			p = shared.waitPod(t, namespace, p.Name, "ready again", func(p *corev1.Pod) error {
				if container(p, "app").RestartCount == 0 {
					return errNotYet
				}
				return ready(p)
			})
			p.stopsTwice(t, func(want string) { d.stopped("greeting", want) })

			m.annotations, m.lingers = `{rolled: "over"}`, 30
			shared.apply(t, namespace, shared.rewrite(t, m.String()))
			d.again()
			shared.waitRollout(t, namespace, 1)
			p = shared.newest(t, namespace)
			p.stopsTwice(t, func(want string) { d.stopped("greeting", want) })

			d.response(d.send("disconnect", map[string]any{}), nil)
			if err := attach.Wait(); err != nil {
				t.Errorf("debuggable attach, when the editor has left: %v", err)
			}
			if err := <-p.ask(t, "ada"); err != nil {
				t.Errorf("when the editor has left: %v", err)
			}

			out, err := shared.attachCommand(t, tree, namespace+"/app:app", at, "--check",
				fmt.Sprintf("%s:%d", file, line)).Output()
			if err != nil || !strings.HasPrefix(string(out), "bound: "+file) {
				t.Errorf("--check: %v\n%s", err, out)
			}
			other := filepath.Join(tree, "services/other", c.file)
			if out, err := shared.attachCommand(t, tree, namespace+"/app", at, "--check", other+":1").Output(); err == nil ||
				!strings.HasPrefix(string(out), "not bound: ") {
				t.Errorf("--check in another file: %v\n%s", err, out)
			}
			if err := <-p.ask(t, "grace"); err != nil {
				t.Errorf("after --check: %v", err)
			}

			// The pod that is being deleted runs on for a while, and is not the one that is checked.
			m.annotations = `{rolled: "over again"}`
			shared.apply(t, namespace, shared.rewrite(t, m.String()))
			shared.waitRollout(t, namespace, 1)
			old, p := p, shared.newest(t, namespace)
			check := shared.attachCommand(t, tree, namespace+"/app", at, "--check", fmt.Sprintf("%s:%d", file, line))
			var said strings.Builder
			check.Stderr = &said
			out, err = check.Output()
			if err != nil || !strings.HasPrefix(string(out), "bound: "+file) ||
				!strings.Contains(said.String(), "attaching to "+p.Name+",") {
				t.Errorf("--check right after a rollover from %s to %s: %v\n%s%s", old.Name, p.Name, err, out, said.String())
			}
			shared.waitPod(t, namespace, old.Name, "still there", running)
			if err := <-p.ask(t, "alan"); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}

// again waits until the session goes on with another process.
func (c *dapClient) again() {
	c.t.Helper()
	c.wait("that it is attached again", func(m dapMessage) bool {
		return m.Event == "output" && bytes.Contains(m.Body, []byte("attached again"))
	})
	for _, m := range c.seen {
		if m.Event == "terminated" || m.Event == "exited" {
			c.t.Errorf("the editor noticed: %s %s", m.Event, m.Body)
		}
	}
}

// attachCommand is a run of debuggable attach.
func (e *env) attachCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(e.debuggable, append([]string{"attach", "--workspace", dir}, args...)...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KUBE") }),
		"KUBECONFIG="+e.kubeconfig)
	cmd.Stderr = os.Stderr
	t.Cleanup(func() {
		if cmd.Process != nil && cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
		}
	})
	return cmd
}

// newest is the pod that is not being deleted.
func (e *env) newest(t *testing.T, namespace string) pod {
	t.Helper()
	pods, err := e.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(pods.Items) != 1 {
		t.Fatalf("there are %d pods", len(pods.Items))
	}
	return e.waitPod(t, namespace, pods.Items[0].Name, "ready", ready)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

const (
	editorsBegin = "<!-- editors: begin -->\n"
	editorsEnd   = "<!-- editors: end -->"
)

// checkEditorTable compares the table in docs/ide.md with what was done, and with UPDATE=1 writes it.
func checkEditorTable(t *testing.T, table string) {
	t.Helper()
	file := filepath.Join(shared.repo, "docs", "ide.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), editorsBegin)
	old, after, ok2 := strings.Cut(rest, editorsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the markers of the table", file)
	}
	if old == table {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("the table in %s is out of date (UPDATE=1 go test ./debuggers writes it):\n%s", file, table)
	}
	if err := os.WriteFile(file, []byte(before+editorsBegin+table+editorsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
