package equivalence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/transform"
)

type meta struct {
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type podSpec struct {
	InitContainers []container      `json:"initContainers,omitempty"`
	Containers     []container      `json:"containers"`
	Volumes        []map[string]any `json:"volumes,omitempty"`
}

type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   meta              `json:"metadata"`
	Spec       *podSpec          `json:"spec,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	StringData map[string]string `json:"stringData,omitempty"`
}

// manifest writes the case's pod and what goes with it.
func (tc testCase) manifest() []byte {
	pod := object{APIVersion: "v1", Kind: "Pod", Metadata: meta{Name: "pod", Annotations: tc.Annotations},
		Spec: &podSpec{}}
	for _, u := range tc.Units {
		pod.Spec.Containers = append(pod.Spec.Containers, u.Container)
	}
	objects := []object{pod}
	for _, s := range tc.Stores {
		if !s.InItems {
			continue
		}
		o := object{APIVersion: "v1", Kind: s.Kind, Metadata: meta{Name: s.Name}, Data: s.Data}
		if s.Kind == "Secret" {
			o.Data, o.StringData = nil, s.Data
		}
		objects = append(objects, o)
	}
	marshal := func(v any) []byte {
		var data []byte
		var err error
		if tc.JSON {
			data, err = json.MarshalIndent(v, "", "  ")
		} else {
			data, err = yaml.Marshal(v)
		}
		if err != nil {
			panic(err)
		}
		if !tc.JSON {
			data = restyle(data, tc.Seed)
		}
		return data
	}
	if tc.Function {
		return marshal(map[string]any{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": objects})
	}
	var b bytes.Buffer
	for i, o := range objects {
		if i > 0 {
			b.WriteString("\n---\n")
		}
		b.Write(marshal(o))
	}
	return b.Bytes()
}

type document struct{ *manifest.Object }

func (document) File() (string, int) { return "", 0 }

// transformed is what the program makes of a case.
type transformed struct {
	out     []byte
	pod     object
	results fn.Results
	ports   map[string]map[string]int // by container, of the annotation
}

// result returns the container's results.
func (t transformed) result(name string) (reason string, severity fn.Severity, all []string) {
	for _, r := range t.results {
		if r.Tags["container"] == name {
			if reason == "" {
				reason, severity = r.Tags["reason"], r.Severity
			}
			all = append(all, r.Tags["reason"]+": "+r.Message)
		}
	}
	return reason, severity, all
}

// rewrite lets the program rewrite manifests.
func (tc testCase) rewrite(in []byte) (results fn.Results, out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	set, err := manifest.Read(manifest.Input{Name: manifest.Stdin, Data: in})
	if err != nil {
		return nil, nil, err
	}
	var objects []transform.Object
	for _, o := range set.Objects() {
		objects = append(objects, document{o})
	}
	cfg := functionconfig.Default()
	cfg.Suspend, cfg.Protocols = tc.Suspend, tc.Protocols
	// the published support images cannot do all that the stand-ins here can
	cfg.SupportRegistry = "registry.example/debug"
	scope := transform.Find(objects, cfg)
	images := map[image.Want]image.Result{}
	for _, want := range scope.Images() {
		for _, u := range tc.Units {
			if u.Container.Image == want.Image {
				images[want] = image.Result{Config: image.Config{Author: u.Image.Author, Files: u.known(), Config: v1.Config{
					Entrypoint: u.Image.Entrypoint, Cmd: u.Image.Cmd, Env: u.Image.Env, WorkingDir: u.Image.WorkingDir,
					Labels: u.Image.Labels,
				}}}
			}
		}
	}
	plan := scope.Programs(images).Plan(nil)
	results = plan.Results()
	if err := plan.Apply(); err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	if tc.Function {
		err = set.Write(&b, nil) // results would differ from run to run
	} else {
		err = set.Write(&b, results)
	}
	return results, b.Bytes(), err
}

// rerun rewrites what the program wrote.
func (tc testCase) rerun(out []byte) ([]byte, error) {
	_, again, err := tc.rewrite(out)
	return again, err
}

// transform lets the program rewrite a case.
func (tc testCase) transform() (t transformed, err error) {
	if t.results, t.out, err = tc.rewrite(tc.manifest()); err != nil {
		return t, err
	}
	var items []object
	if tc.Function {
		var list struct{ Items []object }
		if err := yaml.Unmarshal(t.out, &list); err != nil {
			return t, fmt.Errorf("reading the output: %w", err)
		}
		items = list.Items
	} else {
		for _, doc := range bytes.Split(t.out, []byte("\n---\n")) {
			var o object
			if err := yaml.Unmarshal(doc, &o); err != nil {
				return t, fmt.Errorf("reading the output: %w", err)
			}
			items = append(items, o)
		}
	}
	i := slices.IndexFunc(items, func(o object) bool { return o.Kind == "Pod" })
	if i < 0 {
		return t, fmt.Errorf("the output has no pod")
	}
	t.pod = items[i]
	if text := t.pod.Metadata.Annotations["debug.cloud.google.com/config"]; text != "" {
		var annotation map[string]struct{ Ports map[string]int }
		if err := json.Unmarshal([]byte(text), &annotation); err != nil {
			return t, fmt.Errorf("reading the annotation: %w", err)
		}
		t.ports = map[string]map[string]int{}
		for name, c := range annotation {
			t.ports[name] = c.Ports
			if c.Ports == nil {
				t.ports[name] = map[string]int{}
			}
		}
	}
	return t, nil
}

// verdict is what became of one container.
type verdict struct {
	broken     string // what went wrong
	debuggable bool
	reason     string // of one that was left alone
	idle       bool   // the application was never started, before the rewrite as well
	hidden     bool   // a variable of an unknown ConfigMap is hidden, as the result says
}

// judge rewrites a case, starts its containers before and after, and compares.
func (tc testCase) judge(boxes map[string]*sandbox) ([]verdict, error) {
	t, err := tc.transform()
	verdicts := make([]verdict, len(tc.Units))
	if err != nil {
		for i := range verdicts {
			verdicts[i].broken = err.Error()
		}
		return verdicts, nil
	}
	if again, err := tc.rerun(t.out); err != nil {
		verdicts[0].broken = "second run: " + err.Error()
		return verdicts, nil
	} else if !bytes.Equal(again, t.out) {
		verdicts[0].broken = "second run changes something"
		return verdicts, nil
	}
	any := false
	taken := map[int]string{}
	for i, u := range tc.Units {
		v, err := tc.judgeUnit(u, t, boxes[tc.Shell])
		if err != nil {
			return nil, err
		}
		verdicts[i] = v
		any = any || v.reason == ""
		for _, port := range t.ports[u.Container.Name] {
			if other := taken[port]; other != "" && !u.Existing {
				verdicts[i].broken = fmt.Sprintf("port %d is %s's too", port, other)
			}
			taken[port] = u.Container.Name
		}
	}
	if !any && !tc.Function && !bytes.Equal(t.out, tc.manifest()) {
		verdicts[0].broken = "nothing is debuggable, but the output is not the input"
	}
	return verdicts, nil
}

func (tc testCase) judgeUnit(u unit, t transformed, box *sandbox) (v verdict, err error) {
	i := slices.IndexFunc(t.pod.Spec.Containers, func(c container) bool { return c.Name == u.Container.Name })
	if i < 0 {
		return verdict{broken: "the container is gone"}, nil
	}
	c := t.pod.Spec.Containers[i]
	reason, severity, all := t.result(c.Name)
	ports, annotated := t.ports[c.Name]
	hidden := hiddenIn(all)
	v.hidden = len(hidden) > 0
	if reason != "Debuggable" && reason != "AlreadyDebugged" {
		v.reason = reason
		switch {
		case reason == "":
			v.broken = "no result"
		case reason == "KnownOther" && u.Legit == "":
			v.broken = "taken for another program, and left alone without a warning"
		case severity != fn.Warning && (severity != fn.Info || reason != "KnownOther"):
			v.broken = "left alone, but not with a warning: " + strings.Join(all, "; ")
		case annotated:
			v.broken = "left alone, but in the annotation"
		case !same(c, u.Container):
			v.broken = "left alone, but changed"
		}
		return v, nil
	}
	if !annotated {
		return verdict{broken: "debuggable, but not in the annotation"}, nil
	}
	v.debuggable = true
	if reason == "AlreadyDebugged" {
		changed := c
		changed.Ports = u.Container.Ports
		if !same(changed, u.Container) {
			v.broken = "already under a debugger, but changed"
			return v, nil
		}
	}
	if uses(c) && !uses(u.Container) {
		mounted := slices.ContainsFunc(c.Mounts, func(m mountRef) bool { return m.MountPath == "/dbg" })
		volume := slices.ContainsFunc(t.pod.Spec.Volumes,
			func(m map[string]any) bool { return m["name"] == "debugging-support-files" })
		installed := slices.ContainsFunc(t.pod.Spec.InitContainers,
			func(c container) bool { return strings.HasPrefix(c.Name, "install-") })
		if !mounted || !volume || !installed {
			v.broken = "uses /dbg without its mount, volume or init container"
			return v, nil
		}
	}
	before, ok := starts(u.Container, u.Image, tc.Stores)
	if !ok {
		return v, nil
	}
	after, ok := starts(c, u.Image, tc.Stores)
	if !ok {
		v.broken = "the container would wait for a Secret or ConfigMap"
		return v, nil
	}
	before.cnb, after.cnb = u.CNB, u.CNB
	before.buildpack, after.buildpack = u.Buildpack, u.Buildpack
	before.files, after.files = u.Files, u.Files
	attempts := 1
	if u.timed() {
		attempts = maxAttempts
	}
	var befores, afters []outcome
	for range attempts {
		was, err := box.run(before)
		if err != nil {
			return v, err
		}
		is, err := box.run(after)
		if err != nil {
			v.broken = err.Error()
			return v, nil
		}
		befores, afters = append(befores, was), append(afters, is)
		last := len(befores) - 1
		for i := range befores {
			for _, pair := range [][2]outcome{{befores[i], is}, {was, afters[i]}} {
				if v.idle, v.broken = tc.compare(u, ports, pair[0], pair[1], hidden); v.broken == "" {
					v.broken, err = tc.judgeHooks(u, before, after, pair[0], pair[1], hidden, box)
					return v, err
				}
			}
		}
		v.idle, v.broken = tc.compare(u, ports, befores[last], afters[last], hidden)
	}
	return v, nil
}

// hiddenIn returns the variables of which the results warn that what an object that is not among the manifests sets
// them to is hidden.
func hiddenIn(results []string) (names []string) {
	for _, r := range results {
		for _, name := range []string{"JAVA_TOOL_OPTIONS", "NODE_OPTIONS", "RUBYOPT", "PATH"} {
			if strings.HasPrefix(r, "EnvMayHide:") && strings.Contains(r, " hides "+name+" ") {
				names = append(names, name)
			}
		}
	}
	return names
}

// maxAttempts is how often a container is started whose life is a matter of timing.
const maxAttempts = 12

// timed reports whether what a container does is a matter of timing even if nothing is changed: programs run at the
// same time, and dumb-init stops those that are left when its own program ends, while setsid waits for whichever of its
// children ends first, or for none. Then the lives that it has as it was, and those that it has now, must have one in
// common; a change that breaks something leaves none.
func (u unit) timed() bool {
	return u.Unordered || slices.Contains(u.Class, "launcher:setsid")
}

// app reports whether a program that was started is the one that is to be debugged.
func (u unit) app(e entry) bool {
	if e.kind != "app" || isHelper(e) {
		return false
	}
	p, _, _ := strings.Cut(e.path, "+")
	return u.App == "" || p == path.Clean(u.App) || path.Base(p) == u.App
}

// compare says what is wrong with a container's life after the rewrite, going by the one before. idle says that the
// application was not started, before the rewrite as well.
func (tc testCase) compare(u unit, ports map[string]int, was, is outcome, hidden []string) (idle bool, broken string) {
	idle = !slices.ContainsFunc(was.entries, u.app)
	if idle {
		was, is = failing(u, was, is)
	}
	if diff := differ(was, is, u, hidden); diff != "" {
		return idle, diff
	}
	if broken := tc.beside(u, is); broken != "" {
		return idle, broken
	}
	if idle || u.App == "" || u.Runtime == "other" {
		return idle, ""
	}
	for protocol, port := range ports {
		if broken := u.listens(is, protocol, port); broken != "" {
			return idle, broken
		}
	}
	return idle, ""
}

// failing drops from two lives of a container that does not get as far as its program what comes of failing in another
// way.
func failing(u unit, was, is outcome) (outcome, outcome) {
	failed := func(e entry) bool { return e.kind == "fail" }
	was.entries, is.entries = slices.Clone(was.entries), slices.Clone(is.entries)
	i := slices.IndexFunc(is.entries, failed)
	if u.Unordered { // what stands behind may have been started by another program
		is.entries, was.entries = slices.DeleteFunc(is.entries, failed), slices.DeleteFunc(was.entries, failed)
	} else if i >= 0 && i <= len(was.entries) {
		is.entries, was.entries = is.entries[:i], was.entries[:i]
	}
	if n := len(was.entries); was.exit != 0 && len(is.entries) > n { // a variable that is set now: set -u
		is.entries, i = is.entries[:n], n
	}
	nothing := len(was.entries) == 0 && len(is.entries) == 0 // a launcher refused its options, behind setsid even
	if nothing || i >= 0 || was.exit != 0 && is.exit != 0 {
		was.exit, was.output, is.exit, is.output = 0, nil, 0, nil
	}
	return was, is
}

// listens says what is wrong with the debugger that is to listen on a port for the application.
func (u unit) listens(is outcome, protocol string, port int) string {
	found, wrong := false, ""
	for _, d := range is.debuggers {
		if d.protocol != protocol || d.port != strconv.Itoa(port) {
			continue
		}
		for _, e := range is.entries {
			if e.pid == d.pid {
				if u.app(e) {
					found = true
				} else if e.kind != "launch" {
					wrong = e.path
				}
			}
		}
	}
	// Which of several programs gets a debugger that the user's own variable starts is a matter of luck.
	if found || u.Existing && (u.Unordered || slices.Contains(u.Class, "script:earlier")) {
		return ""
	}
	broken := fmt.Sprintf("%s does not listen on %d for %s", protocol, port, u.App)
	if wrong != "" {
		broken += ", but for " + wrong
	}
	return broken
}

// beside says what is wrong with a debugger that another program than the application got.
func (tc testCase) beside(u unit, is outcome) string {
	if port := sharedPort(u, is); port != "" {
		return "two debuggers at the same time on port " + port
	}
	apps := map[string]int{}
	for _, d := range is.debuggers {
		for _, e := range is.entries {
			if e.pid != d.pid || e.kind == "launch" {
				continue
			}
			switch {
			case u.Existing:
			case isHelper(e) && (tc.Suspend || u.Unordered && !u.earlier()):
				return fmt.Sprintf("another program is debugged: %s %q", e.path, e.argv)
			case slices.Contains(u.Class, "manager"):
				if apps[d.port]++; apps[d.port] > 1 {
					return "several programs are debugged on port " + d.port
				}
			}
		}
	}
	return ""
}

// earlier reports whether the other programs have ended when the application starts, though a pipe or the like has
// programs run at the same time as well.
func (u unit) earlier() bool {
	return slices.Contains(u.Class, "script:earlier") && !slices.ContainsFunc(u.Class, func(class string) bool {
		return strings.HasPrefix(class, "script:background")
	})
}

// sharedPort is one that two debuggers have that may run at the same time, "" for none. Node goes on without a port.
func sharedPort(u unit, is outcome) string {
	listening := map[debugger]bool{}
	for _, d := range is.debuggers {
		d.pid = ""
		if u.Unordered && listening[d] && d.protocol != "devtools" && !u.Existing {
			return d.port
		}
		listening[d] = true
	}
	return ""
}

// judgeHooks runs the commands of probes and hooks, before and after, with the ports taken that the program's debuggers
// have.
func (tc testCase) judgeHooks(u unit, before, after start, was, is outcome, hidden []string,
	box *sandbox) (broken string, err error) {
	ports := func(o outcome) (busy []string) {
		for _, d := range o.debuggers {
			if d.port != "" { // any that is free
				busy = append(busy, d.port)
			}
		}
		return busy
	}
	for _, h := range u.Container.hooks() {
		before.argv, after.argv, before.busy, after.busy = h.command, h.command, ports(was), ports(is)
		if h.early {
			before.busy, after.busy = nil, nil
		}
		had, err := box.run(before)
		if err != nil {
			return "", err
		}
		got, err := box.run(after)
		if err != nil {
			return "", err
		}
		quiet := u // what a hook prints is nobody's business but the kubelet's, which does not look
		quiet.Trace = true
		if diff := differ(had, got, quiet, hidden); diff != "" {
			return fmt.Sprintf("hook %q: %s", h.command, diff), nil
		}
		if len(got.debuggers) > len(had.debuggers) && (h.early || tc.Suspend) {
			return fmt.Sprintf("hook %q is debugged", h.command), nil
		}
	}
	return "", nil
}

// same says whether two containers are the same, whether an empty list is there or not.
func same(a, b container) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func uses(c container) bool {
	text, _ := json.Marshal(c)
	return strings.Contains(string(text), "/dbg/")
}

var (
	// shellMessage is how bash begins a message: with $0, which may be another program's name, and the line.
	shellMessage = regexp.MustCompile(`^.*: line \d+: `)

	// launcherMessage is what tini says of itself, and of the name and number of what it starts, and which of its options
	// a launcher does not know.
	launcherMessage = regexp.MustCompile(
		`(?m)^\[[A-Z]+ +tini \(\d+\)\].*$|^Zombie processes will not.*$|^To fix the problem, use the ` +
			`-s.*$|^(?:tini|catatonit): (?:invalid|unrecognized) option.*$`)

	// said is what a program says that has a debugger, or options for one: the application, and those beside it.
	said       = regexp.MustCompile(`(?m)^(?:Picked up JAVA_TOOL_OPTIONS: .*|Debugger listening on port \d+)(?:\n|$)`)
	saidBeside = regexp.MustCompile(`^beside: (?:Picked up JAVA_TOOL_OPTIONS: .*|Debugger listening on port \d+)$`)

	// notStarted is what a shell, or Delve in its place, says of a program that is not there.
	notStarted = regexp.MustCompile(
		`(?m)^(?:.*: not found|dlv: could not launch process: .*: no such file or directory)(?:\n|$)`)

	jdwp     = regexp.MustCompile(`^-agentlib:jdwp=transport=dt_socket,server=y,address=\d+,suspend=[ny],quiet=y$`)
	inspect  = regexp.MustCompile(`^--inspect(-brk)?=0\.0\.0\.0:\d+$`)
	nodeOpts = regexp.MustCompile(`^--node-options=--inspect(-brk)?=0\.0\.0\.0:\d+$`)
)

// differ says how two lives of a container differ; "" for only in what debuggers need.
func differ(was, is outcome, u unit, hidden []string) string {
	if was.notFound != is.notFound {
		return fmt.Sprintf("program found on PATH: before %v, after %v", !was.notFound, !is.notFound)
	}
	a, b := was.entries, is.entries
	key := func(e entry) string {
		// tells two of one program apart
		level := slices.IndexFunc(e.env, func(v string) bool { return strings.HasPrefix(v, "SHLVL=") })
		own := slices.DeleteFunc(slices.Clone(e.argv), debuggers)
		return strings.Join(append([]string{e.path, e.dir, strings.Join(e.env[max(level, 0):level+1], "")}, own...), "\x00")
	}
	lines := func(text string) string { // of programs that run at the same time come in any order
		text = notStarted.ReplaceAllString(said.ReplaceAllString(text, ""), "")
		if !u.Unordered {
			return text
		}
		text = launcherMessage.ReplaceAllString(text, "")
		return strings.Join(slices.Sorted(strings.Lines(text)), "")
	}
	if u.Unordered {
		a, b = slices.Clone(a), slices.Clone(b)
		sort.SliceStable(a, func(i, j int) bool { return key(a[i]) < key(a[j]) })
		sort.SliceStable(b, func(i, j int) bool { return key(b[i]) < key(b[j]) })
	}
	names := func(es []entry) string {
		var s []string
		for _, e := range es {
			p := e.path
			if path.Dir(p) == "/cnb/process" { // another name of the launcher
				p = "/cnb/lifecycle/launcher"
			}
			if slices.Contains(hidden, "PATH") {
				p = path.Base(p)
			}
			s = append(s, e.kind+" "+p)
		}
		return strings.Join(s, ", ")
	}
	if len(a) != len(b) || names(a) != names(b) {
		return fmt.Sprintf("other programs are started: before [%s], after [%s]", names(a), names(b))
	}
	for i := range a {
		x, y := a[i], b[i]
		switch {
		case x.dir != y.dir:
			return fmt.Sprintf("%s: directory %q, was %q", x.path, y.dir, x.dir)
		case lines(x.stdin) != lines(y.stdin) && !u.Trace:
			return fmt.Sprintf("%s: standard input %q, was %q", x.path, y.stdin, x.stdin)
		case x.kind != "launch" && !sameArgv(x, y):
			return fmt.Sprintf("%s: arguments %q, were %q", x.path, y.argv, x.argv)
		}
		if d := envDiffer(x.env, y.env, hidden); d != "" {
			return fmt.Sprintf("%s: environment: %s", x.path, d)
		}
	}
	if was.exit != is.exit {
		return fmt.Sprintf("exit status %d, was %d", is.exit, was.exit)
	}
	clean := func(m map[string]string) map[string]string {
		out := map[string]string{}
		for name, text := range m {
			if u.Trace {
				continue
			}
			var lines []string
			log := name != "/tmp/v" // which is read again
			for _, line := range strings.Split(said.ReplaceAllString(text, ""), "\n") {
				if log && saidBeside.MatchString(line) {
					continue
				}
				line = shellMessage.ReplaceAllString(line, "")
				if (!u.AppUnknown || line != "launcher: started without a debugger") && !launcherMessage.MatchString(line) {
					lines = append(lines, line)
				}
			}
			if u.Unordered {
				sort.Strings(lines)
			}
			out[name] = strings.Join(lines, "\n")
		}
		return out
	}
	if x, y := clean(was.output), clean(is.output); !reflect.DeepEqual(x, y) {
		return fmt.Sprintf("output %q, was %q", y, x)
	}
	return ""
}

// debuggers reports whether a word is one that starts a debugger.
func debuggers(w string) bool {
	return jdwp.MatchString(w) || inspect.MatchString(w) || nodeOpts.MatchString(w)
}

func sameArgv(x, y entry) bool {
	if slices.Equal(x.argv, y.argv) {
		return true
	}
	argv := slices.Clone(y.argv)
	// Delve starts a program by its absolute path.
	if len(x.argv) == len(argv) && argv[0] == y.path {
		argv[0] = x.argv[0]
	}
	// $(command -v node) finds the wrapper, which hands its name on.
	if argv[0] == "/dbg/nodejs/bin/node" {
		argv[0] = x.argv[0]
	}
	if slices.Equal(x.argv, argv) {
		return true
	}
	for i, w := range argv {
		if debuggers(w) {
			if slices.Equal(x.argv, slices.Delete(slices.Clone(argv), i, i+1)) {
				return true
			}
		}
	}
	return false
}

func envDiffer(was, is, hidden []string) string {
	x, y := map[string]string{}, map[string]string{}
	for _, kv := range was {
		k, v, _ := strings.Cut(kv, "=")
		x[k] = v
	}
	for _, kv := range is {
		k, v, _ := strings.Cut(kv, "=")
		y[k] = v
	}
	for _, k := range []string{"_", "SUDO_COMMAND"} { // the command line, which has words more
		delete(x, k)
		delete(y, k)
	}
	for _, k := range hidden {
		delete(x, k)
		delete(y, k)
	}
	for k := range y {
		if _, had := x[k]; !had && strings.HasPrefix(k, "DEBUGGABLE_") {
			delete(y, k)
		}
	}
	// A debugger's words go behind the old ones, or take the place of none.
	without := func(name, sep string, ours func(string) bool) {
		value, ok := y[name]
		if !ok {
			return
		}
		old, had := x[name]
		if value == old && had {
			return
		}
		var kept []string
		for _, w := range strings.Split(value, sep) {
			if !ours(w) {
				kept = append(kept, w)
			}
		}
		rest := strings.Join(kept, sep)
		switch {
		case !had && rest == "":
			delete(y, name)
		default: // a space more or less between words is none
			y[name] = strings.TrimSpace(rest)
			x[name] = strings.TrimSpace(old)
		}
	}
	without("JAVA_TOOL_OPTIONS", " ", jdwp.MatchString)
	if v, ok := y["NODE_OPTIONS"]; ok && v != x["NODE_OPTIONS"] {
		y["NODE_OPTIONS"] = strings.TrimSpace(strings.Replace(v, "--require /dbg/nodejs/lib/attach.cjs", "", 1))
		if _, had := x["NODE_OPTIONS"]; !had && y["NODE_OPTIONS"] == "" {
			delete(y, "NODE_OPTIONS")
		}
		without("NODE_OPTIONS", " ", inspect.MatchString)
	}
	if x["NODE_OPTIONS"] == "" && y["NODE_OPTIONS"] == "" { // set to nothing is as good as not set
		delete(x, "NODE_OPTIONS")
		delete(y, "NODE_OPTIONS")
	}
	without("RUBYOPT", " ", func(w string) bool { return strings.HasPrefix(w, "-r/dbg/ruby/") })
	for _, k := range []string{"RUBY_DEBUG_HOST", "RUBY_DEBUG_PORT"} { // the debugger's own
		delete(y, k)
	}
	without("PATH", ":", func(w string) bool { return w == "/dbg/nodejs/bin" })
	for _, k := range []string{"DOTNET_EnableDiagnostics", "COMPlus_EnableDiagnostics"} {
		if x[k] == "0" && y[k] == "1" {
			y[k] = "0"
		}
	}
	var diffs []string
	for k, v := range x {
		if w, ok := y[k]; !ok {
			diffs = append(diffs, k+" is gone")
		} else if v != w {
			diffs = append(diffs, fmt.Sprintf("%s=%q, was %q", k, w, v))
		}
	}
	for k, w := range y {
		if _, ok := x[k]; !ok {
			diffs = append(diffs, fmt.Sprintf("%s=%q is new", k, w))
		}
	}
	sort.Strings(diffs)
	return strings.Join(diffs, "; ")
}

// restyle writes YAML in other ways: quoted, as blocks, lists in one line, with comments. The values stay.
func restyle(data []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 11))
	if r.IntN(3) == 0 {
		return data
	}
	var doc kyaml.Node
	if err := kyaml.Unmarshal(data, &doc); err != nil {
		panic(err)
	}
	var walk func(n *kyaml.Node, value bool)
	walk = func(n *kyaml.Node, value bool) {
		switch n.Kind {
		case kyaml.ScalarNode:
			if value && n.Tag == kyaml.NodeTagString {
				n.Style = []kyaml.Style{n.Style, n.Style, kyaml.DoubleQuotedStyle, kyaml.SingleQuotedStyle, kyaml.LiteralStyle,
					kyaml.FoldedStyle}[r.IntN(6)]
				if r.IntN(12) == 0 && n.Style != kyaml.LiteralStyle && n.Style != kyaml.FoldedStyle {
					n.LineComment = "# why"
				}
			}
		case kyaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				if r.IntN(20) == 0 {
					n.Content[i].HeadComment = "# about " + n.Content[i].Value
				}
				walk(n.Content[i+1], true)
			}
		default:
			if n.Kind == kyaml.SequenceNode && r.IntN(4) == 0 {
				n.Style = kyaml.FlowStyle
			}
			for _, c := range n.Content {
				walk(c, true)
			}
		}
	}
	walk(&doc, false)
	out, err := kyaml.Marshal(&doc)
	if err != nil {
		return data
	}
	// The emitter cannot write every value in every style.
	var was, is any
	if yaml.Unmarshal(data, &was) != nil || yaml.Unmarshal(out, &is) != nil || !reflect.DeepEqual(was, is) {
		return data
	}
	return out
}
