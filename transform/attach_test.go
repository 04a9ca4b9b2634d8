package transform

import (
	"strings"
	"testing"

	ociv1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/workload"
)

type testObject struct {
	node   *yaml.RNode
	edited bool
}

func (o *testObject) Node() *yaml.RNode   { return o.node }
func (o *testObject) MarkEdited()         { o.edited = true }
func (o *testObject) File() (string, int) { return "", 0 }

// applied makes a pod of one container debuggable; it returns the container's first result and the container.
func applied(t *testing.T, container string, cfg ociv1.Config) (reason, message, after string) {
	t.Helper()
	pod, err := yaml.Parse("apiVersion: v1\nkind: Pod\nmetadata:\n  name: pod\nspec:\n  containers:\n  - " +
		strings.ReplaceAll(strings.TrimSpace(container), "\n", "\n    ") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	scope := Find([]workload.Object{&testObject{node: pod}}, functionconfig.Default())
	images := map[image.Want]image.Result{}
	for _, w := range scope.Images() {
		images[w] = image.Result{Config: image.Config{Config: cfg}}
	}
	plan := scope.Programs(images).Plan(nil)
	results := plan.Results()
	if err := plan.Apply(); err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		t.Fatal("no result")
	}
	return results[0].Tags["reason"], results[0].Message, pod.MustString()
}

const twice = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=8000"

// What launchers, scripts and the arguments of script files do to a debugger's variables.
func TestVariablesOnTheWay(t *testing.T) {
	for name, c := range map[string]struct {
		container string
		image     ociv1.Config
		reason    string
		has, not  string // in the message and the manifest
	}{
		"a launcher sets the variable that has a debugger": {
			"name: web\nimage: web\ncommand: [env, 'JAVA_TOOL_OPTIONS=" + twice + "', java, -jar, a.jar]", ociv1.Config{},
			"AlreadyDebugged", "port 8000", "5005",
		},
		"a script sets it": {
			"name: web\nimage: web\ncommand: [sh, -c, 'JAVA_TOOL_OPTIONS=" + twice + " exec java -jar a.jar']", ociv1.Config{},
			"AlreadyDebugged", "port 8000", "5005",
		},
		"a launcher hides the variable that has a debugger": {
			"name: web\nimage: web\ncommand: [env, JAVA_TOOL_OPTIONS=-Xmx1g, java, -jar, a.jar]\nenv:\n" +
				"- name: JAVA_TOOL_OPTIONS\n  value: " + twice, ociv1.Config{}, "Debuggable", "address=5005", "",
		},
		"a variable that nothing hands to java": {
			"name: web\nimage: web\ncommand: [java, -jar, a.jar]\nenv:\n- name: OTHER\n  value: " + twice, ociv1.Config{},
			"Debuggable", "jdwp on port 5005", "",
		},
		"a variable that the command line hands to java": {
			"name: web\nimage: web\ncommand: [sh, -c, exec java $JAVA_OPTS -jar a.jar]\nenv:\n- name: JAVA_OPTS\n  value: " +
				twice, ociv1.Config{}, "AlreadyDebugged", "port 8000", "5005",
		},
		"a debugger behind a script file": {
			"name: web\nimage: web\nargs: [node, --inspect=9300, a.js]",
			ociv1.Config{Entrypoint: []string{"/entrypoint.sh"}, Env: []string{"NODE_VERSION=22"}}, "AlreadyDebugged",
			"port 9300", "NODE_OPTIONS",
		},
		"a variable that is set behind a script file": {
			"name: web\nimage: web\nargs: [env, JAVA_TOOL_OPTIONS=-Xmx1g, java, -jar, a.jar]",
			ociv1.Config{Entrypoint: []string{"/entrypoint.sh"}, Env: []string{"JAVA_VERSION=21"}}, "EnvHidden",
			"JAVA_TOOL_OPTIONS", "5005",
		},
		"an environment that is cleared behind a script file": {
			"name: web\nimage: web\nargs: [env, -i, java, -jar, a.jar]",
			ociv1.Config{Entrypoint: []string{"/entrypoint.sh"}, Env: []string{"JAVA_VERSION=21"}}, "EnvHidden",
			"JAVA_TOOL_OPTIONS", "5005",
		},
		"a program behind a script file shows its runtime": {
			"name: web\nimage: web\nargs: [java, -jar, a.jar]", ociv1.Config{Entrypoint: []string{"/entrypoint.sh"}},
			"Debuggable", "program java", "",
		},
		"a variable that may be missing": {
			"name: web\nimage: web\ncommand: [java, -jar, a.jar]\nenv:\n- name: JAVA_TOOL_OPTIONS\n" +
				"  valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}", ociv1.Config{}, "Debuggable",
			"command: [java, '-agentlib:jdwp", "DEBUGGABLE_",
		},
		"a variable that may be missing, of a script": {
			"name: web\nimage: web\ncommand: [/start.sh]\nenv:\n- name: JAVA_TOOL_OPTIONS\n  valueFrom: {secretKeyRef: {name: " +
				"s, key: k, optional: true}}", ociv1.Config{}, "OptionalEnv", "", "5005",
		},
		"a PATH that something refers to": {
			"name: web\nimage: web\ncommand: [node, a.js]\nenv:\n- name: PATH\n  value: /bin\n- name: COPY\n  value: $(PATH)",
			ociv1.Config{}, "Debuggable", "--inspect", "/dbg/nodejs/bin",
		},
		"a login shell that sets PATH, in front of a tool that needs the wrapper": {
			"name: web\nimage: web\ncommand: [bash, -lc, yarn start]", ociv1.Config{Env: []string{"NODE_VERSION=20"}},
			"EnvHidden", "PATH", "NODE_OPTIONS",
		},
		"a login shell that sets PATH, in front of node": {
			"name: web\nimage: web\ncommand: [bash, -lc, node app.js]", ociv1.Config{Env: []string{"NODE_VERSION=20"}},
			"Debuggable", "node --inspect", "NODE_OPTIONS",
		},
		"another JVM at the same time": {
			"name: web\nimage: web\ncommand: [sh, -c, java -jar agent.jar & exec java -jar a.jar]", ociv1.Config{}, "Debuggable",
			"exec java -agentlib", "name: JAVA_TOOL_OPTIONS",
		},
		"another JVM with a debugger of its own": {
			"name: web\nimage: web\ncommand: [sh, -c, 'java " + twice + " -jar migrate.jar && exec java -jar a.jar']",
			ociv1.Config{}, "Debuggable", "exec java -agentlib", "name: JAVA_TOOL_OPTIONS",
		},
	} {
		t.Run(name, func(t *testing.T) {
			reason, message, after := applied(t, c.container, c.image)
			if reason != c.reason {
				t.Errorf("got %s (%s), want %s", reason, message, c.reason)
			}
			if !strings.Contains(message+"\n"+after, c.has) {
				t.Errorf("%q is neither in %q nor in\n%s", c.has, message, after)
			}
			if c.not != "" && strings.Contains(message+"\n"+after, c.not) {
				t.Errorf("%q is in %q or in\n%s", c.not, message, after)
			}
		})
	}
}

func TestPorts(t *testing.T) {
	for name, c := range map[string]struct{ container, has string }{
		"the first free one": {"name: web\nimage: web\ncommand: [node, a.js]\nports:\n- containerPort: 9229\n" +
			"- containerPort: 9230", "--inspect=0.0.0.0:9231"},
		"not one of PORT": {"name: web\nimage: web\ncommand: [node, a.js]\nenv:\n- name: PORT\n  value: '9229'",
			"--inspect=0.0.0.0:9230"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, message, after := applied(t, c.container, ociv1.Config{}); !strings.Contains(after, c.has) {
				t.Errorf("%s\n%s\nwant %s", message, after, c.has)
			}
		})
	}
}
