// Package servers starts servers that have a debug switch of their own, as the manifests that debuggable writes say.
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
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"debuggable.dev/debuggable/e2e/cluster"
)

const (
	tomcatVersion = "10.1.34"
	tomcatSHA512  = "aa314a6a52c5e3ccd9bdab7645bc6c0a2986b79b9df46acbeff1021d0bed820f" +
		"1acf8c199498ad3f74285e5b1376e26527f24a921be3c54660719fe8558cb380"
	patience = time.Minute
)

const tomcatPod = `apiVersion: v1
kind: Pod
metadata: {name: tomcat}
spec:
  containers:
  - name: tomcat
    image: tomcat
    args: [catalina.sh%s, run]
    env: [{name: JPDA_ADDRESS, value: "localhost:%d"}]
%s`

const stopHook = "    lifecycle: {preStop: {exec: {command: [catalina.sh, stop]}}}\n"

const tomcatImage = `apiVersion: debuggable.dev/v1alpha1
kind: ImageConfigs
metadata: {name: images}
images:
- {image: tomcat, config: {Cmd: [catalina.sh, run], Env: [JAVA_VERSION=17]}}
`

// TestTomcat starts Tomcat. Whether it is Tomcat that starts the agent or we, it is one; and what stops Tomcat still does.
func TestTomcat(t *testing.T) {
	dir := t.TempDir()
	program, err := cluster.Debuggable(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	home := unpackTomcat(t, dir)
	for _, test := range []struct {
		name, jpda, hook string
		config           bool // whether it is recorded as debuggable
		agents           int
	}{
		{"its own switch", ", jpda", stopHook, true, 1},
		{"ours", "", "", true, 1},
		{"ours would reach the hook", "", stopHook, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			port := freePort(t)
			pod := rewrite(t, program, fmt.Sprintf(tomcatPod, test.jpda, port, test.hook))
			c := pod.Spec.Containers[0]
			if got := pod.Annotations["debug.cloud.google.com/config"]; (got != "") != test.config {
				t.Fatalf("recorded: %q", got)
			} else if want := strconv.Itoa(port); test.jpda != "" && !strings.Contains(got, want) {
				t.Errorf("recorded: %q, want port %s", got, want)
			}
			s := startTomcat(t, home, c)
			if got := strings.Count(s.text(), "Command line argument: -agentlib:jdwp="); got != test.agents {
				t.Errorf("%d agents, want %d:\n%s", got, test.agents, s.text())
			}
			stop := []string{"catalina.sh", "stop"}
			if c.Lifecycle != nil {
				stop = c.Lifecycle.PreStop.Exec.Command
			} else {
				s.env = environ(home, corev1.Container{}) // not from inside the container
			}
			hook := s.command(t.Context(), stop)
			if out, err := hook.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", stop, err, out)
			}
			select {
			case err := <-s.ended:
				if err != nil {
					t.Errorf("Tomcat ended with %v:\n%s", err, s.text())
				}
			case <-time.After(patience):
				t.Errorf("Tomcat goes on after %v:\n%s", stop, s.text())
			}
		})
	}
}

// unpackTomcat fetches Tomcat with Maven, and lets it listen where nobody else on this machine does.
func unpackTomcat(t *testing.T, dir string) string {
	t.Helper()
	mvn := exec.CommandContext(t.Context(), "mvn", "--quiet", "--batch-mode",
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
		"-Dartifact=org.apache.tomcat:tomcat:"+tomcatVersion+":zip", "-DoutputDirectory="+dir)
	mvn.Dir = dir
	if out, err := mvn.CombinedOutput(); err != nil {
		t.Fatalf("fetching Tomcat with Maven (Debian's package maven): %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "tomcat-"+tomcatVersion+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha512.Sum512(data); hex.EncodeToString(sum[:]) != tomcatSHA512 {
		t.Fatalf("Tomcat %s has the checksum %x, not %s", tomcatVersion, sum, tomcatSHA512)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, archive); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "apache-tomcat-"+tomcatVersion)
	for _, name := range []string{"catalina.sh", "setclasspath.sh"} {
		if err := os.Chmod(filepath.Join(home, "bin", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	server := filepath.Join(home, "conf", "server.xml")
	text, err := os.ReadFile(server)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{`port="8005"`, `port="8080"`} {
		if !bytes.Contains(text, []byte(port)) {
			t.Fatalf("%s lacks %s", server, port)
		}
		text = bytes.ReplaceAll(text, []byte(port), fmt.Appendf(nil, `port="%d"`, freePort(t)))
	}
	if err := os.WriteFile(server, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return home
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

func rewrite(t *testing.T, program, manifest string) *corev1.Pod {
	t.Helper()
	images := filepath.Join(t.TempDir(), "images.yaml")
	if err := os.WriteFile(images, []byte(tomcatImage), 0o600); err != nil {
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
	// In a container, all ports are its own; here, the agent's is to be nobody else's.
	var config map[string]struct{ Ports map[string]int }
	if text := pod.Annotations["debug.cloud.google.com/config"]; text != "" {
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Fatal(err)
		}
	}
	env := pod.Spec.Containers[0].Env
	for i := range env {
		if env[i].Name == "JAVA_TOOL_OPTIONS" {
			was := strconv.Itoa(config["tomcat"].Ports["jdwp"])
			env[i].Value = strings.ReplaceAll(env[i].Value, was, strconv.Itoa(freePort(t)))
		}
	}
	return pod
}

// server is a server that runs.
type server struct {
	home, log string
	env       []string
	ended     chan error
}

func environ(home string, c corev1.Container) []string {
	env := []string{"PATH=" + filepath.Join(home, "bin") + ":" + os.Getenv("PATH"), "CATALINA_HOME=" + home}
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

// startTomcat starts what the container's fields say and returns when Tomcat says that it is up.
func startTomcat(t *testing.T, home string, c corev1.Container) *server {
	t.Helper()
	s := &server{home: home, log: filepath.Join(t.TempDir(), "log"), env: environ(home, c), ended: make(chan error, 1)}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command(t.Context(), append(c.Command, c.Args...))
	cmd.Stdout, cmd.Stderr = log, io.Writer(log)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- cmd.Wait() }()
	for deadline := time.Now().Add(patience); !strings.Contains(s.text(), "Server startup in"); time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-s.ended:
			t.Fatalf("Tomcat ended with %v:\n%s", err, s.text())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("Tomcat does not come up within %s:\n%s", patience, s.text())
		}
	}
	return s
}

func (s *server) text() string {
	data, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
