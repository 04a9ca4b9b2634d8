// Package servers starts servers that have a debug switch of their own, as the manifests that debuggable writes say,
// and attaches to them.
package servers

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"debuggable.dev/debuggable/e2e/cluster"
)

const patience = 2 * time.Minute

// product is a server.
type product struct {
	name, version string
	artifact      string // of Maven Central: GROUP:NAME, whose archive is a zip file
	sha512        string
	root          string   // the folder in the archive
	home          string   // the variable that names where it is, where it needs one
	ports         []string // what it listens on: FILE TEXT|PORT, where %s in the text stands for the port
	up            string   // what it logs when it is up
	method        string   // what it calls every few seconds
	stop          []string // what stops it
}

// launch is a way to start a product.
type launch struct {
	name string
	args string // the container's
	env  string // the container's, where %d stands for the port of the server's own debug agent
	own  bool   // whether that is used
	hook bool   // whether a hook stops it
	// config says whether it is recorded as debuggable: there is one agent then, and none else.
	config bool
}

const image = `apiVersion: debuggable.dev/v1alpha1
kind: ImageConfigs
metadata: {name: images}
images:
- {image: server, config: {Env: [JAVA_VERSION=17]}}
`

const pod = `apiVersion: v1
kind: Pod
metadata: {name: server}
spec:
  containers:
  - name: server
    image: server
    args: [%s]
    env: [%s]
`

// start starts the product in every way, attaches where it is recorded as debuggable, and stops it.
func (p product) start(t *testing.T, launches []launch) {
	dir := t.TempDir()
	program, err := cluster.Debuggable(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	home := p.unpack(t, dir)
	for _, l := range launches {
		t.Run(l.name, func(t *testing.T) {
			port := freePort(t)
			text := fmt.Sprintf(pod, l.args, fmt.Sprintf(l.env, port))
			if l.hook {
				text += fmt.Sprintf("    lifecycle: {preStop: {exec: {command: [%s]}}}\n", strings.Join(p.stop, ", "))
			}
			c, debug := rewrite(t, program, text)
			switch {
			case (debug != 0) != l.config:
				t.Fatalf("recorded on port %d", debug)
			case l.own && debug != port:
				t.Fatalf("recorded on port %d, not on its own, %d", debug, port)
			}
			s := p.startServer(t, home, c)
			want := 0
			if l.config {
				want = 1
				attach(t, debug, p.method)
			}
			if got := s.agents(t); got != want {
				t.Errorf("%d agents, want %d:\n%s", got, want, s.text())
			}
			if !l.hook {
				s.env = p.environ(home, corev1.Container{}) // not from inside the container
			}
			if out, err := s.command(t.Context(), p.stop).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", p.stop, err, out)
			}
			select {
			case err := <-s.ended:
				if err != nil {
					t.Errorf("%s ended with %v:\n%s", p.name, err, s.text())
				}
			case <-time.After(patience):
				t.Errorf("%s goes on after %v:\n%s", p.name, p.stop, s.text())
			}
		})
	}
}

// unpack fetches the product with Maven, and lets it listen where nobody else on this machine does.
func (p product) unpack(t *testing.T, dir string) string {
	t.Helper()
	mvn := exec.CommandContext(t.Context(), "mvn", "--quiet", "--batch-mode",
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
		"-Dartifact="+p.artifact+":"+p.version+":zip", "-DoutputDirectory="+dir)
	mvn.Dir = dir
	if out, err := mvn.CombinedOutput(); err != nil {
		t.Fatalf("fetching %s with Maven (Debian's package maven): %v\n%s", p.name, err, out)
	}
	_, artifact, _ := strings.Cut(p.artifact, ":")
	data, err := os.ReadFile(filepath.Join(dir, artifact+"-"+p.version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha512.Sum512(data); hex.EncodeToString(sum[:]) != p.sha512 {
		t.Fatalf("%s %s has the checksum %x, not %s", p.name, p.version, sum, p.sha512)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, archive); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, p.root)
	// Files of a zip file are not executable.
	scripts, err := filepath.Glob(filepath.Join(home, "bin", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		if err := os.Chmod(script, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, port := range p.ports {
		move(t, home, port)
	}
	return home
}

// move lets a server listen on a free port instead of one of ports.
func move(t *testing.T, home, port string) {
	t.Helper()
	name, text, _ := strings.Cut(port, " ")
	file := filepath.Join(home, filepath.FromSlash(name))
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	format, number, _ := strings.Cut(text, "|")
	if !bytes.Contains(was, fmt.Appendf(nil, format, number)) {
		t.Fatalf("%s lacks %s", file, fmt.Sprintf(format, number))
	}
	is := bytes.ReplaceAll(was, fmt.Appendf(nil, format, number), fmt.Appendf(nil, format, strconv.Itoa(freePort(t))))
	if err := os.WriteFile(file, is, 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// rewrite runs debuggable on a manifest. It returns the container that comes out, and the debug port that is recorded,
// 0 for none.
func rewrite(t *testing.T, program, manifest string) (c corev1.Container, port int) {
	t.Helper()
	images := filepath.Join(t.TempDir(), "images.yaml")
	if err := os.WriteFile(images, []byte(image), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--offline", "--image-configs", images)
	cmd.Stdin = strings.NewReader(manifest)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(out, pod); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c = pod.Spec.Containers[0]
	var config map[string]struct{ Ports map[string]int }
	if text := pod.Annotations["debug.cloud.google.com/config"]; text != "" {
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatal(err)
		}
	}
	port = config["server"].Ports["jdwp"]
	// In a container, all ports are its own; here, the agent's is to be nobody else's.
	for i := range c.Env {
		if c.Env[i].Name == "JAVA_TOOL_OPTIONS" {
			was := strconv.Itoa(port)
			port = freePort(t)
			c.Env[i].Value = strings.ReplaceAll(c.Env[i].Value, was, strconv.Itoa(port))
		}
	}
	return c, port
}

// attach attaches jdb, and stops where the server comes by every few seconds.
func attach(t *testing.T, port int, method string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	jdb := exec.CommandContext(ctx, "jdb", "-connect", "com.sun.jdi.SocketAttach:hostname=127.0.0.1,port="+
		strconv.Itoa(port))
	in, err := jdb.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := jdb.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	jdb.Stderr = jdb.Stdout
	if err := jdb.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = jdb.Wait() }()
	if _, err := fmt.Fprintln(in, "stop in "+method); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	for b := make([]byte, 1024); !strings.Contains(said.String(), "Breakpoint hit:"); {
		n, err := out.Read(b)
		said.Write(b[:n])
		if err != nil {
			t.Fatalf("jdb does not get to %s (%v):\n%s", method, err, said.String())
		}
	}
	// When jdb ends, the server goes on without the breakpoint.
	if _, err := fmt.Fprintln(in, "clear "+method+"\ncont\nquit"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Fatal(err)
	}
}

// server is a server that runs.
type server struct {
	log   string
	env   []string
	group int // of its processes
	ended chan error
}

func (p product) environ(home string, c corev1.Container) []string {
	env := []string{"PATH=" + filepath.Join(home, "bin") + ":" + os.Getenv("PATH")}
	if p.home != "" {
		env = append(env, p.home+"="+home)
	}
	for _, e := range c.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	return env
}

// command is what the container's runtime would start: in the container's environment, with its PATH.
func (s *server) command(ctx context.Context, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "env", argv...)
	cmd.Env = s.env
	return cmd
}

// startServer starts what the container's fields say and returns when the server says that it is up.
func (p product) startServer(t *testing.T, home string, c corev1.Container) *server {
	t.Helper()
	s := &server{log: filepath.Join(t.TempDir(), "log"), env: p.environ(home, c), ended: make(chan error, 1)}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command(context.WithoutCancel(t.Context()), append(c.Command, c.Args...))
	cmd.Stdout, cmd.Stderr = log, io.Writer(log)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.group = cmd.Process.Pid
	t.Cleanup(func() { _ = syscall.Kill(-s.group, syscall.SIGKILL) })
	go func() { s.ended <- cmd.Wait() }()
	for deadline := time.Now().Add(patience); !strings.Contains(s.text(), p.up); time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-s.ended:
			t.Fatalf("%s ended with %v:\n%s", p.name, err, s.text())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come up within %s:\n%s", p.name, patience, s.text())
		}
	}
	return s
}

// agents counts the debug agents that the server's JVMs were told to start.
func (s *server) agents(t *testing.T) (n int) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		pid, err := strconv.Atoi(path.Base(process))
		if err != nil {
			t.Fatal(err)
		}
		program, err := os.Readlink(process + "/exe")
		if group, groupErr := syscall.Getpgid(pid); err != nil || groupErr != nil || group != s.group ||
			path.Base(program) != "java" {
			continue
		}
		line, err := os.ReadFile(process + "/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		env, err := os.ReadFile(process + "/environ")
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{string(line)}
		for _, variable := range strings.Split(string(env), "\x00") {
			if strings.HasPrefix(variable, "JAVA_TOOL_OPTIONS=") {
				texts = append(texts, variable)
			}
		}
		n += strings.Count(strings.Join(texts, "\x00"), "-agentlib:jdwp=")
	}
	return n
}

func (s *server) text() string {
	data, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
