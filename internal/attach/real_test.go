//go:build linux

package attach

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/sources"
	"debuggable.dev/debuggable/runtimes/editor"
)

// layout is a way to lay out sources, and to build and start them under their real debugger.
type layout struct {
	name    string
	runtime string
	port    string            // the protocol
	sources map[string]string // by path below the work tree
	file    string            // that has the breakpoint
	// build puts into root what the image has, from the sources in tree.
	build func(t *testing.T, tree, root string)
	// start is the command line that runs under the debugger; ADDRESS is where it is to listen.
	start      func(t *testing.T, root string) []string
	workingDir string
}

const goProgram = `package main

import (
	"os"
	"strconv"
	"time"
)

func main() {
	for n := 0; ; n++ {
		step(n)
		time.Sleep(20 * time.Millisecond)
	}
}

func step(n int) {
	text := strconv.Itoa(n) // breakpoint
	if os.WriteFile(os.Args[1], []byte(text), 0o600) != nil {
		os.Exit(1) // the test is over, and its directory gone: a killed Delve lets the program go
	}
}
`

const pythonProgram = `import sys
import time


def step(n):
    text = str(n)  # breakpoint
    with open(sys.argv[1], "w") as f:
        f.write(text)


if __name__ == "__main__":
    n = 0
    while True:
        step(n)
        n += 1
        time.sleep(0.02)
`

func goLayout(name, dir, pkg string, flags ...string) layout {
	return layout{
		name: name, runtime: "go", port: "dlv", file: filepath.Join(dir, pkg, "main.go"),
		sources: map[string]string{filepath.Join(dir, "go.mod"): "module example.com/acme/app\n\ngo 1.26\n",
			filepath.Join(dir, pkg, "main.go"): goProgram},
		build: func(t *testing.T, tree, root string) {
			args := append([]string{"build", "-buildvcs=false", "-gcflags=all=-N -l", "-o", filepath.Join(root, "app")},
				flags...)
			run(t, filepath.Join(tree, dir), "go", append(args, "./"+pkg)...)
		},
		start: func(t *testing.T, root string) []string {
			return []string{
				delve(t), "exec", "--headless", "--continue", "--accept-multiclient", "--api-version=2", "--listen=ADDRESS",
				"--check-go-version=false",
				filepath.Join(root, "app"), "--",
			}
		},
	}
}

func pythonLayout(name, local, remote string, args ...string) layout {
	return layout{
		name: name, runtime: "python", port: "dap", file: filepath.Join(local, "app.py"), workingDir: "/srv",
		sources: map[string]string{filepath.Join(local, "app.py"): pythonProgram, filepath.Join(local, "__init__.py"): ""},
		build: func(t *testing.T, tree, root string) {
			copyFile(t, filepath.Join(tree, local, "app.py"), filepath.Join(root, remote, "app.py"))
			copyFile(t, filepath.Join(tree, local, "__init__.py"), filepath.Join(root, remote, "__init__.py"))
		},
		start: func(t *testing.T, root string) []string {
			words := []string{"env", "PYTHONPATH=" + debugpy(t), "python3", "-Xfrozen_modules=off", "-m", "debugpy",
				"--listen", "ADDRESS"}
			for _, a := range args {
				words = append(words, strings.ReplaceAll(a, "ROOT", root))
			}
			return words
		},
	}
}

func layouts() []layout {
	return []layout{
		goLayout("plain", "", "."),
		goLayout("trimmed paths", "", "cmd/server", "-trimpath"),
		goLayout("module in a subfolder", "services/web", "cmd/server"),
		goLayout("module in a subfolder, trimmed paths", "services/web", ".", "-trimpath"),
		pythonLayout("script", "", "srv", "ROOT/srv/app.py"),
		pythonLayout("package in a subfolder", "services/cart/cart", "srv/cart", "-m", "cart.app"),
	}
}

// TestLocal gives what is generated to the real debuggers: to each as an editor would give it the entry of launch.json,
// and through Serve, whose session outlives the process. The sources are somewhere else than where they were built.
func TestLocal(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.runtime+"/"+l.name, func(t *testing.T) {
			tree, built, root := t.TempDir(), t.TempDir(), t.TempDir()
			for _, dir := range []string{tree, built} {
				for name, content := range l.sources {
					writeFile(t, filepath.Join(dir, name), content)
				}
			}
			l.build(t, built, root)
			words := l.start(t, root)
			c := l.container(t, tree, root)
			file, line := filepath.Join(c.trees[0].Root, l.file), breakpoint(t, l.sources[l.file])
			if err := os.RemoveAll(built); err != nil { // as in a cluster, where there are none
				t.Fatal(err)
			}

			t.Run("entry", func(t *testing.T) {
				p := start(t, root, words)
				c.Port = p.port
				conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", p.port))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				e := newEditor(t, conn, conn)
				e.attach(entry(t, c), file, line)
				e.stopped(file, line)
				e.stopped(file, line)
			})

			t.Run("attach", func(t *testing.T) {
				first := start(t, root, words)
				if q := c.Going(); q != nil {
					not := editor.Question{Ask: q.Ask, Yes: func(answer []byte) bool { return !q.Yes(answer) }}
					if goes(t.Context(), fmt.Sprintf("127.0.0.1:%d", first.port), not) {
						t.Error("the debugger does not say that the program goes")
					}
				}
				cluster := newCluster(c.running(l.port, first, "one"))
				a := cluster.attachment(t, c.Sources)
				toServer, fromEditor := io.Pipe()
				toEditor, fromServer := io.Pipe()
				served := make(chan error, 1)
				go func() { served <- a.Serve(t.Context(), toServer, fromServer) }()
				e := newEditor(t, toEditor, fromEditor)
				e.attach(map[string]any{"request": "attach"}, file, line)
				e.stopped(file, line)
				// The container is killed, and another one takes its place.
				first.kill()
				e.wait("that the process is gone", func(m wire) bool {
					return m.Event == "output" && bytes.Contains(m.Body, []byte("the process is gone"))
				})
				e.seen = slices.DeleteFunc(e.seen, func(m wire) bool { return m.Event == "stopped" })
				cluster.set()
				second := start(t, root, words)
				cluster.set(c.running(l.port, second, "two"))
				e.stopped(file, line)
				e.event("stopped")
				for _, m := range e.seen {
					if m.Event == "terminated" || m.Event == "exited" {
						t.Errorf("the editor noticed: %+v", m)
					}
				}
				e.response(e.send("disconnect", map[string]any{}), nil)
				if err := <-served; err != nil {
					t.Error(err)
				}
				second.runs()
			})

			t.Run("check", func(t *testing.T) {
				p := start(t, root, words)
				cluster := newCluster(c.running(l.port, p, "one"))
				for at, bound := range map[int]bool{line: true, 10_000: false} {
					checked, err := cluster.attachment(t, c.Sources).Check(t.Context(), fmt.Sprintf("%s:%d", file, at))
					if err != nil {
						t.Fatal(err)
					}
					// debugpy takes any line of a file that is there.
					if checked.Bound != bound && l.port == "dlv" || !strings.Contains(checked.Text, c.Sources.Mappings[0].Remote) &&
						bound {
						t.Errorf("line %d: %+v", at, checked)
					}
				}
				if l.port == "dap" {
					p.runs()
					return // what comes next is a file of the same machine here, which debugpy finds
				}
				other := filepath.Join(t.TempDir(), "other.go")
				writeFile(t, other, "package other\n")
				if checked, err := cluster.attachment(t, c.Sources).Check(t.Context(), other+":1"); err != nil || checked.Bound {
					t.Errorf("a file of another place: %+v, %v", checked, err)
				}
				p.runs()
			})
		})
	}
}

type found struct {
	ide.Container
	trees []*sources.Tree
}

// container finds the sources of what was built.
func (l layout) container(t *testing.T, tree, root string) found {
	t.Helper()
	c := ide.Container{
		Namespace: "default", Kind: "Deployment", Workload: "app", Name: "app",
		Info: debuginfo.Container{Runtime: l.runtime, WorkingDir: l.workingDir, Ports: map[string]int32{l.port: 1}},
	}
	read, err := sources.ReadTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	trees := []*sources.Tree{read}
	img, err := sources.ReadImage(t.Context(), imageOf(t, root), trees,
		sources.Wanted{Extensions: c.Extensions(), Program: c.Built()})
	if err != nil {
		t.Fatal(err)
	}
	c.Sources = sources.Find(trees, img, c.Extensions(), read.Root, l.workingDir)
	if c.Sources.Guess || len(c.Sources.Mappings) != 1 {
		t.Fatalf("found %+v", c.Sources)
	}
	if l.port == "dap" {
		// The file system of the image is a folder here.
		c.Sources.Mappings[0].Remote = filepath.Join(root, c.Sources.Mappings[0].Remote)
	}
	return found{c, trees}
}

func (f found) running(protocol string, p *process, id string) debuginfo.Running {
	return debuginfo.Running{
		Namespace: "default", Pod: "app-" + id, Name: "app", ID: id, Kind: "Deployment", Workload: "app", Info: f.Info,
		Locals: map[string]int{protocol: p.port},
	}
}

// entry is the container's configuration as VS Code gives it to the debug adapter.
func entry(t *testing.T, c found) any {
	t.Helper()
	text, err := ide.Print(ide.VSCode, c.trees[0].Root, []ide.Container{c.Container})
	if err != nil {
		t.Fatal(err)
	}
	var launch struct{ Configurations []map[string]any }
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("${workspaceFolder}"), []byte(c.trees[0].Root)),
		&launch); err != nil {
		t.Fatal(err)
	}
	return launch.Configurations[0]
}

// process is a program under its debugger.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	port    int
	counter string // the file that it writes its counter to
	once    sync.Once
}

func start(t *testing.T, root string, words []string) *process {
	t.Helper()
	// Not t.TempDir, which wants nobody to write any more: what is debugged may be killed a moment after its debugger.
	dir, err := os.MkdirTemp("", "debuggable-attach-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, port: l.Addr().(*net.TCPAddr).Port, counter: filepath.Join(dir, "counter")}
	l.Close()
	args := []string{}
	for _, w := range words {
		args = append(args, strings.ReplaceAll(w, "ADDRESS", fmt.Sprintf("127.0.0.1:%d", p.port)))
	}
	args = append(args, p.counter)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if dir := filepath.Join(root, "srv"); isDir(dir) {
		p.cmd.Dir = dir
	}
	log, err := os.Create(filepath.Join(dir, "log")) // not a pipe, which what the debugger starts would keep open
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%s", args[0], text)
		}
		log.Close()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if p.count() > 0 && listens(p.port) {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v does not run", args)
		}
	}
}

// listens reports whether a port is listened on, without connecting to it: a debugger may take that for a client.
func listens(port int) bool {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 3 && words[1] == fmt.Sprintf("0100007F:%04X", port) &&
			words[3] == "0A" {
			return true
		}
	}
	return false
}

func (p *process) count() int {
	data, _ := os.ReadFile(p.counter)
	n, _ := strconv.Atoi(string(data))
	return n
}

// runs wants the program to go on.
func (p *process) runs() {
	p.t.Helper()
	for before, deadline := p.count(),
		time.Now().Add(20*time.Second); p.count() <= before+2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatal("the program stands still")
		}
	}
}

func (p *process) kill() {
	p.once.Do(func() {
		killGroup(p.cmd)
		_ = p.cmd.Wait() // killed
	})
}

func imageOf(t *testing.T, root string) []files.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []files.Layer{{Name: root, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}}}
}

// lacks skips a test for what this machine does not have; where CI is set, which has it, the test fails.
func lacks(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// toolCache is where the debuggers are kept for the next run.
func toolCache(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		lacks(t, "%v", err)
	}
	dir := filepath.Join(cache, "debuggable", "tests")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		lacks(t, "%v", err)
	}
	return dir
}

// delve builds the Delve that the support image has.
func delve(t *testing.T) string {
	t.Helper()
	out := filepath.Join(toolCache(t), "dlv")
	cmd := exec.Command("go", "build", "-o", out, ".")
	cmd.Dir = "../../support/go"
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if msg, err := cmd.CombinedOutput(); err != nil {
		lacks(t, "Delve cannot be built: %s", msg)
	}
	return out
}

// debugpy installs the debugpy that the support image has for new Pythons, and returns the directory.
func debugpy(t *testing.T) string {
	t.Helper()
	lock, err := os.ReadFile("../../support/python/wheels.lock")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(string(lock), " debugpy-")
	version, _, _ = strings.Cut(version, "-")
	cache := toolCache(t)
	dir := filepath.Join(cache, "debugpy-"+version)
	if isDir(dir) {
		return dir
	}
	made, err := os.MkdirTemp(cache, "debugpy-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(made)
	out, err := exec.Command("python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--target", made, "debugpy=="+version).CombinedOutput()
	if err != nil {
		lacks(t, "debugpy cannot be installed: %s", out)
	}
	if err := os.Rename(made, dir); err != nil && !isDir(dir) { // another run may have been faster
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func writeFile(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, string(data))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func breakpoint(t *testing.T, text string) int {
	t.Helper()
	before, _, ok := strings.Cut(text, " breakpoint")
	if !ok {
		t.Fatal("there is no breakpoint")
	}
	return 1 + strings.Count(before, "\n")
}
