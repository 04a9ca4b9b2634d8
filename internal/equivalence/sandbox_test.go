package equivalence

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program paths of the sandbox: the stub, where real has no program for them.
var stubPaths = strings.Split(`/app/server /usr/local/bin/gosrv /app/my server /ko-app/web /workspace/main /manager
/usr/bin/java /opt/java/openjdk/bin/java /usr/bin/keytool /usr/bin/jcmd
/usr/local/bin/node /usr/bin/dotnet /app/MyApp
/usr/local/bin/python /usr/local/bin/python3 /usr/local/bin/python3.12 /usr/bin/python3 /venv/bin/python
/venv/bin/gunicorn
/usr/local/bin/gunicorn /usr/local/bin/uvicorn /usr/local/bin/flask /usr/local/bin/celery
/usr/sbin/nginx /usr/local/bin/ruby /usr/local/bin/puma /usr/local/bin/php-fpm
/usr/local/bin/migrate /usr/local/bin/waitfor /usr/local/bin/setup /usr/local/bin/fails
/bin/sleep /bin/cat /bin/tee /bin/hostname /bin/date
/usr/bin/curl /bin/grpc_health_probe /bin/mkdir /bin/chmod /bin/id /bin/true /bin/false /usr/local/bin/notify
/sbin/tini /usr/bin/tini /usr/bin/dumb-init /sbin/docker-init /usr/bin/catatonit
/usr/bin/env /usr/bin/nice /usr/bin/nohup /usr/bin/setsid
/usr/bin/stdbuf /usr/bin/chpst /sbin/su-exec /usr/local/bin/gosu /usr/bin/setpriv
/usr/local/bin/opentelemetry-instrument
/usr/local/bin/poetry /usr/local/bin/pipenv /usr/local/bin/uv /usr/local/bin/bundle /bin/busybox
/usr/bin/timeout /usr/bin/ionice /usr/bin/taskset /usr/bin/numactl /usr/bin/sudo /usr/bin/xargs
/usr/local/bin/dlv /dbg/go/bin/dlv /dbg/python/launcher /dbg/nodejs/bin/node
/cnb/lifecycle/launcher /cnb/process/web /cnb/process/worker /cnb/process/task
/layers/bin/node /layers/bin/gunicorn`, "\n")

// scripts are those of the sandbox. docker-entrypoint.sh has the contract of the official Node image: what is no
// command is node's.
var scripts = map[string]string{
	"/usr/local/bin/docker-entrypoint.sh": "#!/bin/sh\nset -e\ncase $1 in -*) set -- node \"$@\";; *) command -v \"$1\" " +
		">/dev/null 2>&1 || set -- node \"$@\";; esac\nexec \"$@\"\n",
	"/docker-entrypoint.sh": "#!/bin/sh\nset -e\nsetup\nexec \"$@\"\n",
	// Without a "--", which a launcher in front of them may have taken, they end.
	"/usr/local/bin/wait-for-it": "#!/bin/sh\nwhile [ \"$1\" != -- ]; do [ $# -gt 0 ] || exit 1; shift; done\n" +
		"shift\nwaitfor db\nexec \"$@\"\n",
	"/app/wait-for-it.sh": "#!/bin/bash\nwhile [[ $1 != -- ]]; do (($#)) || exit 1; shift; done\n" +
		"exec \"${@:2}\"\n",
	"/entrypoint.sh":       "#!/bin/sh\nset -e\nsetup entrypoint\nexec \"$@\"\n",
	"/app/start-go.sh":     "#!/bin/sh\nsetup\nexec /app/server \"$@\"\n",
	"/app/start-java.sh":   "#!/bin/bash\nsetup\nexec java $JAVA_OPTS -jar app.jar \"$@\"\n",
	"/app/start-node.sh":   "#!/bin/sh\nexec node server.js \"$@\"\n",
	"/app/start-python.sh": "#!/bin/sh\nexec python app.py \"$@\"\n",
	"/app/start-dotnet":    "#!/bin/sh\nexec dotnet app.dll \"$@\"\n",
	"/app/env.sh":          "FROM_FILE=yes\nexport FROM_FILE\n",
	"/tmp/in":              "input\n",
}

// sandbox is a root directory to start containers in, one after the other.
type sandbox struct {
	root, shell string
	launches    int
	launchers   map[string]bool // the real buildpacks launchers, by version
	cnb, api    string          // what the buildpacks launcher in place is for
}

// requirements says what the sandbox lacks here, "" for nothing.
func requirements() string {
	if os.Getuid() != 0 {
		return "root, for chroot"
	}
	for _, s := range []string{"dash", "bash", "ldd"} {
		if _, err := exec.LookPath(s); err != nil {
			return s
		}
	}
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: "/"}
	cmd.Dir = "/"
	if err := cmd.Run(); err != nil {
		return "the right to chroot (" + err.Error() + ")"
	}
	return ""
}

// buildStub builds the stub program, once a run.
func buildStub(t testing.TB, dir string) string {
	t.Helper()
	stub := filepath.Join(dir, "stub")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", stub, "./stub")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the stub: %v\n%s", err, out)
	}
	return stub
}

// newSandbox makes a root directory in which /bin/sh is the shell named.
func newSandbox(t testing.TB, root, stub, shell string, lifecycles map[string]string) *sandbox {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("making the sandbox: %v", err)
		}
	}
	for _, d := range append(writable, "/ports", "/dev", "/root", "/home/app") {
		must(os.MkdirAll(root+d, 0o777))
		must(os.Chmod(root+d, 0o777)) // programs may run as another user
	}
	must(os.WriteFile(root+"/dev/null", nil, 0o666))
	if os.Remove(root+"/dev/null") != nil || syscall.Mknod(root+"/dev/null", syscall.S_IFCHR|0o666, 1<<8|3) != nil {
		must(os.WriteFile(root+"/dev/null", nil, 0o666))
	}
	must(os.Chmod(root+"/dev/null", 0o666))
	b := builder{t, root, map[string]bool{}}
	b.shells(shell)
	b.programs()
	must(copyFile(stub, root+"/stub"))
	for _, line := range stubPaths {
		for _, p := range strings.Split(strings.ReplaceAll(line, "/app/my server", "/app/my\x00server"), " ") {
			if p = strings.ReplaceAll(p, "\x00", " "); p == "" || b.real[p] {
				continue
			}
			must(os.MkdirAll(filepath.Dir(root+p), 0o755))
			must(os.Link(root+"/stub", root+p))
		}
	}
	files := maps.Clone(scripts)
	maps.Copy(files, otherFiles)
	maps.Copy(files, switchFiles)
	maps.Copy(files, unknownFiles())
	files["/app/docker-entrypoint.sh"] = caseFile
	for _, manager := range managers {
		files[manager] = otherFiles["/usr/bin/supervisord"]
	}
	for _, tool := range []string{"/usr/local/bin/npm", "/usr/local/bin/npx", "/usr/local/bin/yarn",
		"/usr/local/bin/pnpm"} {
		files[tool] = "#!/usr/bin/env node\n"
	}
	for _, tool := range []string{"nodemon", "ts-node", "tsx", "next"} {
		files["/app/node_modules/.bin/"+tool], files["/usr/local/bin/"+tool] = "#!/usr/bin/env node\n",
			"#!/usr/bin/env node\n"
	}
	for p, text := range files {
		must(os.MkdirAll(filepath.Dir(root+p), 0o755))
		must(os.WriteFile(root+p, []byte(text), 0o755))
	}
	box := &sandbox{root: root, shell: shell}
	must(box.lifecycles(lifecycles))
	return box
}

// start is what a node starts.
type start struct {
	argv      []string
	env       map[string]string
	dir       string
	cnb       string // what /cnb.txt holds
	buildpack string // the id of the buildpack
	files     map[string]string
	busy      []string // ports that another program has
}

// entry is one program that was started.
type entry struct {
	kind, pid, path, dir, stdin string
	argv, env                   []string
}

// debugger is one debugger that listened, for the process that has its id.
type debugger struct{ pid, protocol, port string }

// outcome is everything that can be seen of a container's life.
type outcome struct {
	entries   []entry
	debuggers []debugger
	exit      int
	output    map[string]string // stdout, stderr and the files written
	notFound  bool
}

// lookPath finds a program as the container runtime does.
func (s *sandbox) lookPath(program string, env map[string]string, dir string) string {
	if strings.Contains(program, "/") {
		if !strings.HasPrefix(program, "/") {
			program = path.Join(dir, program)
		}
		if st, err := os.Stat(s.root + program); err != nil || st.IsDir() {
			return ""
		}
		return program
	}
	for _, d := range strings.Split(env["PATH"], ":") {
		if !strings.HasPrefix(d, "/") {
			d = path.Join(dir, d)
		}
		file := path.Join(d, program)
		if st, err := os.Stat(s.root + file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && program != "" {
			return file
		}
	}
	return ""
}

// writable are the directories whose files are part of the outcome.
var writable = []string{"/", "/tmp", "/app", "/app/sub", "/srv", "/workspace", "/my dir"}

func (s *sandbox) run(c start) (outcome, error) {
	o := outcome{output: map[string]string{}}
	if len(c.argv) == 0 {
		o.notFound = true
		return o, nil
	}
	for file, text := range c.files {
		syscall.ForkLock.RLock() // what is started meanwhile would hold it open for writing, and it could not be executed
		err := os.WriteFile(s.root+file, []byte(text), 0o755)
		syscall.ForkLock.RUnlock()
		if err != nil {
			return o, err
		}
		defer os.Remove(s.root + file)
	}
	file := s.lookPath(c.argv[0], c.env, c.dir)
	if file == "" {
		o.notFound = true
		return o, nil
	}
	if err := os.WriteFile(s.root+"/cnb.txt", []byte(c.cnb), 0o644); err != nil {
		return o, err
	}
	if err := os.WriteFile(s.root+"/log", nil, 0o666); err != nil {
		return o, err
	}
	if err := os.Chmod(s.root+"/log", 0o666); err != nil {
		return o, err
	}
	if err := s.lifecycle(c); err != nil {
		return o, err
	}
	for _, port := range c.busy {
		if err := os.WriteFile(s.root+"/ports/"+port, nil, 0o644); err != nil {
			return o, err
		}
	}
	s.launches++
	// What runs in the background, in a session of its own (setsid) even, holds a file open that is no use to anybody.
	alive, held, err := os.Pipe()
	if err != nil {
		return o, err
	}
	defer alive.Close()
	defer held.Close()
	var stdout, stderr bytes.Buffer
	cmd := &exec.Cmd{Path: file, Args: c.argv, Dir: c.dir, Stdout: &stdout, Stderr: &stderr,
		SysProcAttr: &syscall.SysProcAttr{Chroot: s.root, Setpgid: true}}
	cmd.ExtraFiles = append(make([]*os.File, 60), held)
	cmd.Env = []string{}
	for k, v := range c.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	if err := cmd.Start(); err != nil {
		return o, fmt.Errorf("starting %q in %s: %w", c.argv, c.dir, err)
	}
	// On a busy machine a launch of a few milliseconds may take long.
	timer := time.AfterFunc(2*time.Minute, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	held.Close()
	err = cmd.Wait()
	if !timer.Stop() {
		return o, fmt.Errorf("%q did not end", c.argv)
	}
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			o.exit = exit.ExitCode()
		} else {
			return o, err
		}
	}
	alive.SetReadDeadline(time.Now().Add(20 * time.Second))
	alive.Read(make([]byte, 1))
	o.output["stdout"], o.output["stderr"] = stdout.String(), stderr.String()
	data, _ := os.ReadFile(s.root + "/log")
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		f := unquoteFields(line)
		switch {
		case len(f) == 0:
		case f[0] == "debug":
			o.debuggers = append(o.debuggers, debugger{f[1], f[2], f[3]})
		default:
			n, _ := strconv.Atoi(f[5])
			o.entries = append(o.entries, entry{f[0], f[1], f[2], f[3], f[4], f[6 : 6+n], f[6+n:]})
		}
	}
	for _, d := range writable {
		for _, name := range []string{"out.log", "f", "x y"} {
			p := path.Join(d, name)
			if data, err := os.ReadFile(s.root + p); err == nil {
				o.output[p] = string(data)
				os.Remove(s.root + p)
			}
		}
	}
	ports, _ := os.ReadDir(s.root + "/ports")
	for _, p := range ports {
		os.Remove(s.root + "/ports/" + p.Name())
	}
	return o, nil
}

func unquoteFields(line string) []string {
	var out []string
	for line != "" {
		q, err := strconv.QuotedPrefix(line)
		if err != nil {
			break
		}
		s, _ := strconv.Unquote(q)
		out = append(out, s)
		line = strings.TrimPrefix(line[len(q):], " ")
	}
	return out
}
