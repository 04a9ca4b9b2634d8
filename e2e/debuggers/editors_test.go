package debuggers

import (
	"bytes"
	"encoding/json"
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
	dir           string // below the work tree: where the file with the breakpoint is
	file, source  string // its name, and that in testdata
	image         func(t *testing.T, tree string) string
	// attach gives an entry to the debugger, sets the breakpoint, and returns what waits until the program stops at
	// it. nil: as VS Code does with entries of debuggers that speak the Debug Adapter Protocol.
	attach func(t *testing.T, addr string, config map[string]any, file string, line int) (stopped func(want string))
}

func editorCases() []editorCase {
	goCase := func(name, layout, module string, flags ...string) editorCase {
		return editorCase{
			name: name, runtime: "Go", layout: layout, dir: module, file: "main.go", source: "app.go.txt",
			image: func(t *testing.T, tree string) string {
				return goImageOf(t, filepath.Join(tree, module), imageName(t), flags...)
			},
		}
	}
	python := func(name, layout, local, remote, command string) editorCase {
		return editorCase{
			name: name, runtime: "Python", layout: layout, dir: local, file: "app.py", source: "app.py", command: command,
			image: func(t *testing.T, _ string) string { return pythonImageOf(t, imageName(t), remote) },
		}
	}
	return []editorCase{
		goCase("go-plain", "module at the root", ""),
		goCase("go-trimpath", "module at the root, built with `-trimpath`", "", "-trimpath"),
		goCase("go-subfolder", "module in a subfolder of a monorepo", "services/web"),
		python("python-script", "script in a subfolder", "services/cart", "/srv", "command: [python3, -u, /srv/app.py]"),
		{
			name: "python-gunicorn", runtime: "Python", layout: "module in a subfolder, in gunicorn's worker",
			dir: "services/cart", file: "web.py", source: "web.py",
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
			dir: "services/cart", file: "app.js", source: "app.js", command: "command: [node, app.js]",
			image:  func(t *testing.T, _ string) string { return nodeImageOf(t, imageName(t), "/usr/src/app") },
			attach: attachInspector,
		},
		{
			name: "jvm-subfolder", runtime: "JVM", layout: "class in a subfolder of a monorepo",
			dir: "services/cart/src/main/java", file: "App.java", source: "App.java",
			image: func(t *testing.T, _ string) string { return jvmImageOf(t, imageName(t)) }, attach: attachJDWP,
		},
		python("python-package", "package in a subfolder", "services/cart/cart", "/srv/cart",
			"command: [python3, -m, cart.app]\nworkingDir: /srv"),
	}
}

// imageName names the image of a test: the node has what it pulled under a name for all of them.
func imageName(t *testing.T) string { return strings.ToLower(t.Name()) }

// goImageOf builds the module of a directory that is gone afterwards.
func goImageOf(t *testing.T, local, repo string, flags ...string) string {
	built := t.TempDir()
	if err := os.CopyFS(built, os.DirFS(local)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go",
		append(append([]string{"build", "-gcflags=all=-N -l", "-buildvcs=false", "-o", "app"}, flags...), ".")...)
	cmd.Dir = built
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := newRootfs(t)
	r.file(filepath.Join(built, "app"), "/app")
	return r.push(repo, v1.Config{Entrypoint: []string{"/app"}, Env: []string{"PATH=/usr/bin", "GOTRACEBACK=all"}})
}

func pythonImageOf(t *testing.T, repo, dir string) string {
	version := output(t, "", "/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
	r := newRootfs(t)
	r.python(version)
	r.text(dir+"/app.py", source(t, "app.py"), 0o644)
	r.text(dir+"/__init__.py", "", 0o644)
	return r.push(repo,
		v1.Config{WorkingDir: "/srv", Env: []string{"PATH=/usr/bin:/bin", "PYTHON_VERSION=" + version, "HOME=/tmp"}})
}

func nodeImageOf(t *testing.T, repo, dir string) string {
	r := newRootfs(t)
	r.program(output(t, "", "node", "-p", "process.execPath"), "/usr/local/bin/node")
	r.text(dir+"/app.js", source(t, "app.js"), 0o644)
	r.text(dir+"/package.json", `{"name": "cart", "private": true}`, 0o644)
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "NODE_VERSION=20", "HOME=/tmp"}
	return r.push(repo, v1.Config{WorkingDir: dir, Env: env})
}

// workTree makes a work tree with the sources of a case, and with another service.
func (c editorCase) workTree(t *testing.T) (tree, file string) {
	t.Helper()
	tree, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(tree, c.dir, c.file)
	texts := map[string]string{
		file: source(t, c.source), filepath.Join(tree, "services/other/go.mod"): "module example.com/acme/other\n",
		filepath.Join(tree, "services/other/main.go"): "package main\n",
		filepath.Join(tree, "services/other/app.py"):  "print('another application')\n",
	}
	if c.runtime == "Go" {
		texts[filepath.Join(tree, c.dir, "go.mod")] = "module example.com/acme/app\n\ngo 1.26\n"
	}
	for at, text := range texts {
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree, file
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
			tree, file := c.workTree(t)
			image := c.image(t, tree)
			namespace := newNamespace(t)
			rewritten := shared.rewrite(t, manifest{kind: "Pod", image: image, command: c.command}.String())
			w := shared.watch(t, namespace)
			shared.apply(t, namespace, rewritten)
			addr := w.started("app", "app", 0)
			p := shared.waitPod(t, namespace, "app", "ready", ready)
			_, port := p.debugPort(t)
			p.listens(t, port)
			config := entryFor(t, rewritten, tree, layoutOf(t, image))
			if want := fmt.Sprintf("127.0.0.1:%d", port); addr != want {
				t.Fatalf("the port is forwarded to %s, not %s", addr, want)
			}
			attach := c.attach
			if attach == nil {
				attach = attachDAP
			}
			p.stopsTwice(t, attach(t, addr, config, file, breakpoint(t, c.source)))
			rows = append(rows, fmt.Sprintf("| %s | %s | `.vscode/launch.json` |\n", c.runtime, c.layout))
		})
	}
	if t.Failed() || len(rows) < len(cases) {
		return
	}
	checkEditorTable(t, "| runtime | layout of the sources | editor file |\n| --- | --- | --- |\n"+strings.Join(rows, ""))
}

func attachDAP(t *testing.T, addr string, config map[string]any, file string, line int) func(string) {
	d := dialDAP(t, addr)
	d.attach("editor", config, file, line)
	return func(want string) { d.stopped("greeting", want) }
}

// attachInspector does with an entry for V8's inspector what VS Code's debugger documents: files below localRoot are
// those below remoteRoot, and a script's URL is its path.
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
	d.breakAtURL("file://"+path.Join(remote, below), line)
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
	cmd := exec.Command(shared.debuggable, append([]string{"ide", "vscode", "--workspace", tree}, args...)...)
	cmd.Stdin = strings.NewReader(rewritten)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	t.Logf("%s", &stderr)
	var file struct{ Configurations []map[string]any }
	if err := json.Unmarshal(bytes.ReplaceAll(out, []byte("${workspaceFolder}"), []byte(tree)), &file); err != nil ||
		len(file.Configurations) != 1 {
		t.Fatalf("%s: %v", out, err)
	}
	return file.Configurations[0]
}

// TestAttachCommand: an editor's session with debuggable attach goes on when the container is killed and when the
// Deployment is rolled over.
func TestAttachCommand(t *testing.T) {
	for _, c := range editorCases() {
		if c.name != "go-subfolder" && c.name != "python-script" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			tree, file := c.workTree(t)
			line := breakpoint(t, c.source)
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

			m.annotations = `{rolled: "over"}`
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
