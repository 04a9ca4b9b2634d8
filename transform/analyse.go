package transform

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/runtimes"
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
		return a, &runtimes.Refusal{Reason: launch.NoCommand, Message: "neither the image nor the manifest names a program to start"}
	}
	a.Found, err = launch.Find(launch.Input{Argv: argv, UnknownFrom: a.line.unknownFrom(), Env: all, Unknown: a.env.unknown, Labels: cfg.Labels, WorkingDir: workingDir})
	if err != nil {
		return a, err
	}
	a.Process = runtimes.Process{
		Argv: a.Found.Argv, Env: reaching(a.Found, all), ImageEnv: a.env.image, Unknown: a.env.unknown,
		Author: cfg.Author, Labels: cfg.Labels, Script: a.Found.Script,
		Hidden:    hidden(a.Found, all, a.env.unknown),
		Unset:     map[string]bool{},
		Dynamic:   make([]bool, len(a.Found.Argv)),
		NoTemp:    c.noTemp(),
		EnvShared: c.startsJVM() || besideJVM(a.Found.Rest),
	}
	for name := range a.Process.Hidden {
		assigned, is := a.Found.Assigned[name]
		a.Process.Unset[name] = !a.Found.Opaque && (assigned.Unset && assigned.Known || a.Found.Cleared && !is)
	}
	if len(a.Found.Rest) > 0 {
		a.Process.Line = argv
	}
	for name, assigned := range a.Found.Assigned {
		if assigned.Text != "" && name != "PATH" { // what PATH is for certain says more
			a.Process.Env[name] = strings.TrimSpace(a.Process.Env[name] + " " + assigned.Text)
		}
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
		from := make([]int, len(args))
		for i, w := range args {
			if from[i] = -1; !a.Found.Static[i+1] {
				from[i] = max(0, strings.Index(w, "$("))
			}
		}
		found, err := launch.Find(launch.Input{Argv: args, UnknownFrom: from, Env: a.Process.Env, Unknown: a.env.unknown})
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
		return a, &runtimes.Refusal{Reason: launch.ProgramDynamic, Message: fmt.Sprintf("program %s is known at run time only", a.Found.Argv[0])}
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
