package transform

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/runtimes"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// Analysis is what is known of a container's process: what it starts, and which runtime that is.
type Analysis struct {
	Image     image.Config
	Process   runtimes.Process
	Found     launch.Found
	Detection runtimes.Detection

	line commandLine
	env  environment
	// behind is what the arguments of a script (/entrypoint.sh node app.js) name, which it is likely to start; nil for none.
	behind *behindScript
}

// behindScript is a process that a script is likely to start: it says which runtime that is and what its variables become
// on the way, but is never edited.
type behindScript struct {
	found   launch.Found
	process runtimes.Process
}

// attachment is a container with everything that changes about it.
type attachment struct {
	*containerScope
	Analysis
	plan  runtimes.Plan
	hides []string

	edited        commandLine
	command, args bool // which parts of the command line changed
	env           []envEdit
}

// analyse works out a container's process and runtime. told is the runtime that the user named, or nil.
func analyse(c *Container, cfg image.Config, known sources, told runtimes.Runtime) (Analysis, error) {
	a := Analysis{Image: cfg, env: c.environment(cfg, known)}
	var err error
	if a.line, err = c.commandLine(cfg, a.env); err != nil {
		return a, err
	}
	workingDir := text(get(c.Node, "workingDir"))
	if workingDir == "" {
		workingDir = cfg.WorkingDir
	}
	all := a.env.all()
	argv := a.line.argv()
	if len(argv) == 0 {
		return a, &runtimes.Refusal{Reason: "NoCommand", Message: "neither the image nor the manifest names a program to start"}
	}
	a.Found, err = launch.Find(launch.Input{Argv: argv, Env: all, Unknown: a.env.unknown, Labels: cfg.Labels, WorkingDir: workingDir})
	if err != nil {
		return a, err
	}
	a.Process = runtimes.Process{
		Argv: a.Found.Argv, Env: reaching(a.Found, all), ImageEnv: a.env.image, Unknown: a.env.unknown,
		Author: cfg.Author, Labels: cfg.Labels, Script: a.Found.Script,
		Hidden:    hidden(a.Found, all, a.env.unknown),
		Dynamic:   make([]bool, len(a.Found.Argv)),
		NoTemp:    c.noTemp(),
		EnvShared: c.startsJVM() || besideJVM(a.Found.Rest),
	}
	for name, value := range a.env.likely {
		if _, set := a.Process.Env[name]; !set && !a.Process.Hidden[name] {
			a.Process.Env[name] = value // a debugger that it starts must not be started twice
		}
	}
	for i, static := range a.Found.Static {
		a.Process.Dynamic[i] = !static || a.unresolved(a.Found.Argv[i])
	}
	shown := a.Process
	shown.Env = all // what a script sets on the way is no sign of a runtime
	inShell := slices.ContainsFunc(a.Found.Via, func(via string) bool { return strings.HasSuffix(via, " -c") })
	// Within a shell's script, a word that is not certain stands as its source text.
	if args := a.Process.Argv[1:]; a.Process.Script && len(args) > 0 && !(inShell && slices.Contains(a.Process.Dynamic, true)) {
		found, err := launch.Find(launch.Input{Argv: args, Env: a.Process.Env, Unknown: a.env.unknown})
		var refusal *runtimes.Refusal
		switch {
		case err == nil:
			shown.Argv, shown.Script, shown.Dynamic = found.Argv, found.Script, nil
			a.behind = &behindScript{found, shown}
			a.behind.process.Env = reaching(found, a.Process.Env)
		case errors.As(err, &refusal) && refusal.Reason != launch.ProgramDynamic && refusal.Reason != launch.NoCommand && refusal.Reason != launch.LauncherNoCommand:
			// A loop is one behind a script as well.
			return a, refusal
		}
	}
	if told != nil {
		a.Detection = runtimes.Detection{Runtime: told, Sign: runtimes.Sign{Strength: runtimes.Told, Words: "told to be " + told.Name()}}
		return a, nil
	}
	a.Detection = runtimes.Detect(shown)
	switch {
	case a.Detection.Runtime != nil:
		return a, nil
	case a.Process.Dynamic[0]:
		return a, &runtimes.Refusal{Reason: "ProgramDynamic", Message: fmt.Sprintf("program %s is known at run time only", a.Found.Argv[0])}
	case !shown.Script && runtimes.KnownOther(shown.Argv[0]):
		return a, &runtimes.Refusal{Reason: KnownOther, Message: fmt.Sprintf("program %s belongs to no runtime that can be debugged", path.Base(shown.Argv[0]))}
	}
	return a, &runtimes.Refusal{Reason: NoRuntime, Message: fmt.Sprintf("nothing shows which runtime %s needs; annotate the pod with %s, or set runtime in artifacts", a.Found.Argv[0], runtimeAnnotation)}
}

// unresolved says whether a word holds a reference that Kubernetes may resolve to a value that is not known.
func (a Analysis) unresolved(word string) bool {
	may := false
	references(word, func(name string) { may = may || a.env.mayResolve(name) })
	return may
}

// hidden lists the variables whose container-level value does not reach the program.
func hidden(found launch.Found, env map[string]string, unknown map[string]bool) map[string]bool {
	h := map[string]bool{}
	for name, assigned := range found.Assigned {
		if !assigned.Keeps {
			h[name] = true
		}
	}
	if found.Cleared {
		for _, name := range slices.Concat(sortedKeys(env), sortedKeys(unknown), []string{"JAVA_TOOL_OPTIONS", "NODE_OPTIONS", "PATH"}) {
			if assigned, ok := found.Assigned[name]; !ok || !assigned.Keeps {
				h[name] = true
			}
		}
	}
	return h
}

// reaching is the part of the container's environment whose value is known where the program starts, with what launchers
// and scripts on the way make of it.
func reaching(found launch.Found, env map[string]string) map[string]string {
	reach := map[string]string{}
	if !found.Cleared {
		maps.Copy(reach, env)
	}
	for name, assigned := range found.Assigned {
		switch {
		case assigned.Known && !assigned.Unset:
			reach[name] = assigned.Value
		case !assigned.Keeps:
			delete(reach, name)
		default: // what there is, and more
			if value, ok := env[name]; ok {
				reach[name] = value
			}
		}
	}
	return reach
}

// noTemp says whether the container cannot write to /tmp.
func (c *Container) noTemp() bool {
	if !isTrue(get(c.Node, "securityContext", "readOnlyRootFilesystem")) {
		return false
	}
	for _, m := range items(get(c.Node, "volumeMounts")) {
		if p := path.Clean(text(get(m, "mountPath"))); (p == "/tmp" || p == "/") && !isTrue(get(m, "readOnly")) {
			return false
		}
	}
	return true
}

// jvmTool matches the names of programs that start a JVM of their own.
var jvmTool = regexp.MustCompile(`(^|[^\w-])(java|jcmd|jps|jstat|jstack|jmap|jinfo|keytool|nodetool|zkServer\.sh|zkCli\.sh|kafka-[\w-]+(\.sh)?)($|[^\w.-])`)

// startsJVM says whether a probe or a hook of the container starts a JVM, which would get the container's environment,
// and with it a debug agent for a port that the application holds.
func (c *Container) startsJVM() bool {
	for _, at := range [][]string{{"livenessProbe"}, {"readinessProbe"}, {"startupProbe"}, {"lifecycle", "postStart"}, {"lifecycle", "preStop"}} {
		for _, w := range items(get(c.Node, append(at, "exec", "command")...)) {
			if jvmTool.MatchString(text(w)) {
				return true
			}
		}
	}
	return false
}

// besideJVM says whether a script starts another JVM that must not get a debug agent by a variable: one that runs at the
// same time, and so would take the port, or one that has an agent of its own.
func besideJVM(rest []launch.Command) bool {
	return slices.ContainsFunc(rest, func(c launch.Command) bool {
		return slices.ContainsFunc(c.Argv, jvmTool.MatchString) && (c.Background || slices.ContainsFunc(c.Argv, func(w string) bool { return strings.Contains(w, "jdwp") }))
	})
}

// inspectsElsewhere says whether a script starts something with an inspector that is not the program's.
func (a *attachment) inspectsElsewhere() bool {
	if len(a.Found.Rest) == 0 {
		return false
	}
	count := func(words []string) (n int) {
		for _, w := range words {
			n += strings.Count(w, "--inspect")
		}
		return n
	}
	return count(a.line.argv()) > count(a.Process.Argv)
}

// planned is the runtime's plan. A debugger that a script is likely to start, going by its arguments, is one that is there.
func (a Analysis) planned(o runtimes.Options) (runtimes.Plan, error) {
	process := a.Process
	if a.behind != nil {
		if plan, err := a.Detection.Runtime.Attach(a.behind.process, o); err == nil && plan.Existing {
			return plan, nil
		}
		process.Env = a.behind.process.Env
	}
	return a.Detection.Runtime.Attach(process, o)
}

// attach plans the debugger for an analysed container, without changing anything. Where the environment cannot be changed,
// the command line may do.
func (a *attachment) attach(o runtimes.Options) error {
	err := a.attachOnce(o)
	if err == nil || len(a.plan.Env) == 0 {
		return err
	}
	b := &attachment{containerScope: a.containerScope, Analysis: a.Analysis}
	b.Process.EnvFixed = true
	if b.attachOnce(o) != nil {
		return err
	}
	*a = *b
	return nil
}

func (a *attachment) attachOnce(o runtimes.Options) error {
	var err error
	runtime := a.Detection.Runtime
	if a.plan, err = a.planned(o); err != nil {
		return err
	}
	if a.plan.Existing {
		return nil
	}
	if runtime.Name() == (runtimes.NodeJS{}).Name() && a.inspectsElsewhere() {
		return &runtimes.Refusal{Reason: OtherDebugger, Message: "another program of the script is started with --inspect, and the node wrapper would take that for the application's"}
	}
	if len(a.plan.Insert) > 0 {
		if a.Detection.Sign.Strength != runtimes.Told && a.Detection.Sign.Strength < runtimes.Program && runtimes.KnownOther(a.Process.Argv[0]) {
			return &runtimes.Refusal{Reason: KnownOther, Message: fmt.Sprintf("program %s is no %s program", path.Base(a.Process.Argv[0]), runtime.Name())}
		}
		edits, err := a.Found.Insert(a.plan.Insert)
		if err != nil {
			return err
		}
		line := a.line
		if a.Found.Base != nil {
			line = a.rebase()
		}
		if a.edited, a.command, a.args, err = line.edit(edits); err != nil {
			return err
		}
		if a.Found.Base != nil {
			a.command, a.args = true, true
		}
	}
	for _, change := range a.plan.Env {
		if change.How == runtimes.Prepend {
			continue // PATH is a help
		}
		if a.Process.Hidden[change.Name] {
			return &runtimes.Refusal{Reason: EnvHidden, Message: fmt.Sprintf("%s would not reach the program: %s sets it", change.Name, strings.Join(a.Found.Via, " "))}
		}
		if change.How == runtimes.Replace {
			continue // nothing of the old value is handed on
		}
		if a.hiddenBehindScript(change.Name) {
			return &runtimes.Refusal{Reason: EnvHidden, Message: fmt.Sprintf("%s would not reach the program: the arguments of %s set it", change.Name, a.Process.Argv[0])}
		}
		if a.Found.References[change.Name] {
			return &runtimes.Refusal{Reason: EnvReferenced, Message: fmt.Sprintf("%s would have to change, but the command line uses it", change.Name)}
		}
	}
	words := a.line.manifestWords()
	if a.command || a.args {
		words = nil
		for _, w := range a.edited.words() {
			if w.node != nil {
				words = append(words, w.raw)
			}
		}
	}
	if a.env, a.hides, err = a.planEnv(a.Analysis.env, a.plan.Env, words); err != nil {
		return err
	}
	if a.plan.Support != "" {
		return a.usesDbg()
	}
	return nil
}

// hiddenBehindScript says whether the arguments of a script set or clear a variable.
func (a *attachment) hiddenBehindScript(name string) bool {
	if a.behind != nil {
		return hidden(a.behind.found, a.Process.Env, a.Process.Unknown)[name]
	}
	return a.Process.Script && slices.ContainsFunc(a.Process.Argv, func(w string) bool { return strings.Contains(w, name+"=") })
}

// rebase turns the line that the edits refer to into a command line of its own. Words that the manifest wrote keep their
// meaning; those of the image's label are taken literally.
func (a *attachment) rebase() commandLine {
	words, old := imageWords(a.Found.Base), a.line.words()
	for i, from := range a.Found.BaseFrom {
		if from >= 0 {
			words[i] = old[from]
		}
	}
	return commandLine{part{field: "command", words: words[:1]}, part{field: "args", words: words[1:]}}
}

// usesDbg refuses a container whose own files are where the support files would go.
func (a *attachment) usesDbg() error {
	used := func(p string) bool { return p == dbgPath || strings.HasPrefix(p, dbgPath+"/") }
	for _, p := range append([]string{a.workingDir()}, a.Process.Argv...) {
		if used(p) {
			return &runtimes.Refusal{Reason: MountPathTaken, Message: fmt.Sprintf("%s is in %s, where the support files would be mounted", p, dbgPath)}
		}
	}
	for p := range a.Image.Volumes {
		if used(path.Clean(p)) {
			return &runtimes.Refusal{Reason: MountPathTaken, Message: fmt.Sprintf("the image has a volume at %s, where the support files would be mounted", p)}
		}
	}
	return nil
}

// workingDir is what the annotation records: the container's, else for buildpacks the application's, else the image's.
func (a *attachment) workingDir() string {
	if dir := text(get(a.Node, "workingDir")); dir != "" {
		return dir
	}
	argv := a.line.argv()
	if _, ok := a.Image.Labels["io.buildpacks.build.metadata"]; ok && len(argv) > 0 && strings.HasPrefix(argv[0], "/cnb/") {
		if dir := a.Process.Env["CNB_APP_DIR"]; dir != "" {
			return dir
		}
		return "/workspace"
	}
	return a.Image.WorkingDir
}

// usedPorts lists the ports of a pod that a debugger cannot have: those that a container declares, that a probe asks,
// or that PORT names.
func (p *Pod) usedPorts() map[int32]bool {
	used := map[int32]bool{}
	mark := func(value string) {
		if n, err := strconv.ParseUint(value, 10, 16); err == nil {
			used[int32(n)] = true
		}
	}
	host := p.onHostNetwork()
	for _, c := range p.Containers {
		for _, port := range items(get(c.Node, "ports")) {
			mark(text(get(port, "containerPort")))
			if host {
				mark(text(get(port, "hostPort")))
			}
		}
		for _, probe := range probes {
			for _, kind := range []string{"httpGet", "tcpSocket", "grpc"} {
				mark(text(get(c.Node, probe, kind, "port")))
			}
		}
		for _, entry := range items(get(c.Node, "env")) {
			if text(get(entry, "name")) == "PORT" {
				mark(text(get(entry, "value")))
			}
		}
	}
	return used
}

// onHostNetwork says whether the pod's ports are its node's.
func (p *Pod) onHostNetwork() bool { return isTrue(get(p.Spec, "hostNetwork")) }

// freePorts finds ports for one container after the other.
func freePorts(used map[int32]bool) func(from int32) int32 {
	return func(from int32) int32 {
		for port := int(from); port <= 65535; port++ {
			if !used[int32(port)] {
				return int32(port)
			}
		}
		return 0
	}
}

// results words what was done with the container.
func (a *attachment) results() fn.Results {
	name := a.Detection.Runtime.Name()
	where := portWords(a.plan.Ports)
	var rs fn.Results
	switch {
	case a.plan.Existing:
		if where == "" {
			where = "no port"
		}
		rs = append(rs, a.result(fn.Info, AlreadyDebugged, name, "%s, already under a debugger: %s (%s)", name, where, a.Detection.Sign.Words))
	case where == "":
		rs = append(rs, a.result(fn.Info, Debuggable, name, "%s, no port: attach with %s/%s/vsdbg through exec (%s)", name, dbgPath, a.plan.Support, a.Detection.Sign.Words))
	default:
		rs = append(rs, a.result(fn.Info, Debuggable, name, "%s, %s (%s)", name, where, a.Detection.Sign.Words))
	}
	if len(a.Detection.Tied) > 0 {
		names := []string{name}
		for _, r := range a.Detection.Tied {
			names = append(names, r.Name())
		}
		rs = append(rs, a.result(fn.Warning, AmbiguousRuntime, name, "signs of %s are equally strong (%s): taken for %s; annotate the pod with %s if that is wrong",
			strings.Join(names, " and "), a.Detection.Sign.Words, name, runtimeAnnotation))
	}
	for _, h := range a.hides {
		rs = append(rs, a.result(fn.Warning, EnvMayHide, name, "the added variable hides %s, if it sets it: add that object to the input, or give the value in env", h))
	}
	return rs
}

// cautions words what the user should know beforehand: what Kubernetes or the debugger does with the pod from now on.
func (a *attachment) cautions(delveEnds bool) fn.Results {
	name := a.Detection.Runtime.Name()
	var rs fn.Results
	if a.plan.Support == "go" && a.completes() && !delveEnds {
		rs = append(rs, a.result(fn.Warning, OutlivesProgram, name,
			"Delve stays when the program ends, so the container does not complete until a client detaches; the support images built from this project end with the program (supportRegistry)"))
	}
	if a.plan.Support != "" && a.Pod.Workload.Kind.Knative {
		rs = append(rs, a.result(fn.Warning, KnativeFeatures, name,
			"Knative admits the init container and the volume only where kubernetes.podspec-init-containers and kubernetes.podspec-volumes-emptydir are enabled in its config-features"))
	}
	return rs
}

// completes says whether the container is meant to end: it belongs to a job, or the pod waits for it.
func (c *Container) completes() bool {
	if c.Init {
		return text(get(c.Node, "restartPolicy")) != "Always" // a native sidecar stays
	}
	policy := text(get(c.Pod.Spec, "restartPolicy"))
	return policy == "Never" || policy == "OnFailure"
}
