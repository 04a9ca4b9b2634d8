// Package program works out what a container starts: the program that matters, which runtime that is, and what its
// debugger changes in the container. It does no I/O: what has to be known of an image's files and is not yet comes back
// as questions.
package program

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// Program is what a container starts, and which runtime that is.
type Program struct {
	Image     image.Config
	Line      process.CommandLine // what Kubernetes starts
	Env       process.Environment // what it starts it with
	Found     launch.Found        // the program that matters
	Process   runtimes.Process    // the program as a runtime sees it
	Detection runtimes.Detection

	inside *inside // nil: nothing is known of the image's files
	// behind is what the arguments of a script (/entrypoint.sh node app.js) name, which it is likely to start; nil for
	// none.
	behind *behindScript
}

// behindScript is a process that a script is likely to start: it says which runtime that is and what its variables
// become on the way, but is never edited.
type behindScript struct {
	found   launch.Found
	process runtimes.Process
}

// Of works out a container's program and runtime. told is the runtime that the user named, or nil, and hint how to
// name one. An error is a *reason.Refusal, and comes with what is known so far.
func Of(
	c *workload.Container, cfg image.Config, known *process.Sources, told runtimes.Runtime, hint string,
) (p Program, err error) {
	p = Program{Image: cfg, inside: insideOf(c, cfg), Env: process.EnvironmentOf(c, cfg, known)}
	if p.Line, err = process.CommandLineOf(c, cfg, p.Env); err != nil {
		return p, err
	}
	if p.Found, err = p.find(c, known); err != nil {
		return p, err
	}
	p.Process = p.process(c, known)
	if p.behind, err = p.lookBehind(); err != nil {
		return p, err
	}
	if p.Detection, err = p.detect(told, hint); err != nil {
		return p, err
	}
	return p, p.followTask(c, told != nil)
}

// find finds the program that matters in the command line.
func (p Program) find(c *workload.Container, known *process.Sources) (launch.Found, error) {
	argv := p.Line.Argv()
	if len(argv) == 0 {
		return launch.Found{}, reason.Refuse(reason.NoCommand, "neither the image nor the manifest names a program to start")
	}
	workingDir := p.startsIn(c)
	return launch.Find(launch.Input{Argv: argv, UnknownFrom: p.Line.UnknownFrom(), Env: p.Env.All(),
		Unknown: p.Env.Unknown, Labels: p.Image.Labels,
		Read: &known.Labels, WorkingDir: workingDir, Files: p.inside.filesOf()})
}

// startsIn is the container's working directory.
func (p Program) startsIn(c *workload.Container) string {
	if dir := yamlnode.Text(c.Node, "workingDir"); dir != "" {
		return dir
	}
	return p.Image.WorkingDir
}

// process is the program that was found, as a runtime sees it.
func (p Program) process(c *workload.Container, known *process.Sources) runtimes.Process {
	all := p.Env.All()
	r := runtimes.Process{
		Argv: p.Found.Argv, Via: p.Found.Via, Env: reaching(p.Found, all), ImageEnv: p.Env.Image, Unknown: p.Env.Unknown,
		Author: p.Image.Author, Labels: p.Image.Labels, Buildpacks: known.Buildpacks(p.Image.Labels),
		WorkingDir: p.startsIn(c), Script: p.Found.Script,
		Hidden:  hidden(p.Found, all, p.Env.Unknown),
		Unset:   map[string]bool{},
		Dynamic: make([]bool, len(p.Found.Argv)),
		Foreign: notOwn(p.Image, p.Found.Argv[0]),
		File:    p.Found.File,
		NoTemp:  c.NoTemp(),
		Beside:  beside(c, p.Found.Rest),
		Within:  commandsOf(p.Found.Within),
	}
	for name := range r.Hidden {
		assigned, is := p.Found.Assigned[name]
		r.Unset[name] = !p.Found.Opaque && (assigned.Unset && assigned.Known || p.Found.Cleared && !is)
	}
	if len(p.Found.Rest) > 0 {
		r.Line = p.Line.Argv()
	}
	if len(p.Env.Likely) > 0 {
		r.Env = maps.Clone(r.Env)
	}
	for name, value := range p.Env.Likely {
		if _, set := r.Env[name]; !set && !r.Hidden[name] {
			r.Env[name] = value // a debugger that it starts must not be started twice
		}
	}
	for i, static := range p.Found.Static {
		r.Dynamic[i] = !static || p.unresolved(p.Found.Argv[i])
	}
	return r
}

// notOwn reports whether a program is none that the image starts by itself.
func notOwn(image image.Config, program string) bool {
	words := slices.Concat(image.Entrypoint, image.Cmd)
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, program) })
}

// lookBehind finds what a script is likely to start, going by its arguments; nil where that cannot be told. Arguments
// that would be refused as a command line are refused behind a script, too: a loop stays a loop.
func (p Program) lookBehind() (*behindScript, error) {
	args := behindShell(p.Process.Argv)
	inShell := slices.ContainsFunc(p.Found.Via, func(via string) bool { return strings.HasSuffix(via, " -c") })
	// Within a shell's script, a word that is not certain stands as its source text.
	if !p.Process.Script || len(args) == 0 || inShell && slices.Contains(p.Process.Dynamic, true) {
		return nil, nil
	}
	from := make([]int, len(args))
	skipped := len(p.Process.Argv) - len(args)
	for i, w := range args {
		if from[i] = -1; !p.Found.Static[i+skipped] {
			from[i] = max(0, strings.Index(w, "$("))
		}
	}
	found, err := launch.Find(launch.Input{Argv: args, UnknownFrom: from, Env: p.Process.Env, Unknown: p.Env.Unknown})
	if err != nil {
		var refusal *reason.Refusal
		if errors.As(err, &refusal) && !slices.Contains([]reason.Code{reason.ProgramDynamic, reason.NoCommand,
			reason.LauncherNoCommand}, refusal.Code) {
			return nil, refusal
		}
		return nil, nil
	}
	process := p.Process
	process.Argv, process.Script, process.Dynamic, process.File = found.Argv, found.Script, nil, nil
	process.Via = append(slices.Clone(process.Via), p.Process.Argv[0])
	process.Env = reaching(found, p.Process.Env)
	process.Beside = slices.Concat(p.Process.Beside, commandsOf(found.Rest))
	return &behindScript{found, process}, nil
}

// behindShell returns the arguments of a script: what follows its name, or its name as the argument of a shell (sh -e
// /entrypoint.sh node).
func behindShell(argv []string) []string {
	args := argv[1:]
	if !slices.Contains([]string{"sh", "ash", "bash", "dash"}, path.Base(argv[0])) {
		return args
	}
	for i, w := range args {
		switch {
		case strings.HasPrefix(w, "-") && strings.Trim(w[1:], "aefuvx") == "" && len(w) > 1:
		case runtimes.KnownOther(w) || strings.HasPrefix(w, "-"):
			return argv[1:]
		default:
			return args[i+1:]
		}
	}
	return args
}

// detect finds the runtime, by the program behind a script where that is known.
func (p Program) detect(told runtimes.Runtime, hint string) (runtimes.Detection, error) {
	if told != nil {
		return runtimes.Detection{Runtime: told, Sign: runtimes.Sign{Strength: runtimes.Told,
			Words: "told to be " + told.Name()}}, nil
	}
	shown := p.Process
	if p.behind != nil {
		shown = p.behind.process
	}
	shown.Env = p.Env.All() // what a script sets on the way is no sign of a runtime
	d := runtimes.Detect(shown)
	switch {
	case d.Runtime != nil:
		return d, nil
	case shown.File != nil && shown.File.Native:
		return d, native(shown.Argv[0])
	case p.Process.Dynamic[0]:
		return d, reason.Refuse(reason.ProgramDynamic, "program %s is known at run time only", p.Found.Argv[0])
	case p.behind != nil && runtimes.PlainWord(shown.Argv) && p.signs().Runtime != nil:
		// What else would the image be made for?
		script := p.Process.Argv[len(p.Process.Argv)-len(behindShell(p.Process.Argv))-1]
		return d, reason.Refuse(reason.ScriptProgram, "%s may start %s, or take it for a word of its own: "+
			"give the command line of the program that it starts in command", script, shown.Argv[0])
	case !shown.Script && runtimes.KnownOther(shown.Argv[0]):
		return d, other(shown.Argv[0], "belongs to no runtime that can be debugged")
	}
	return d, reason.Refuse(reason.NoRuntime, "nothing shows which runtime %s needs; %s", p.Found.Argv[0], hint)
}

// signs is what the program is taken for, whatever its arguments name.
func (p Program) signs() runtimes.Detection {
	alone := p.Process
	alone.Argv, alone.Env = alone.Argv[:1], p.Env.All()
	return runtimes.Detect(alone)
}

// other refuses a program that is known to be none of a runtime's. What it starts may be one, so that a user wants to
// know.
func other(program, why string) error {
	name := path.Base(program)
	if runtimes.StartsAnother(program) {
		return reason.Refuse(reason.LauncherNotFollowed,
			"%s starts another program, which is not looked at: give that program in command", name)
	}
	return reason.Refuse(reason.KnownOther, "program %s %s", name, why)
}

// unresolved reports whether a word holds a reference that Kubernetes may resolve to a value that is not known.
func (p Program) unresolved(word string) bool {
	may := false
	process.References(word, func(name string) { may = may || p.Env.MayResolve(name) })
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
		for _, name := range slices.Concat(slices.Sorted(maps.Keys(env)), slices.Sorted(maps.Keys(unknown)),
			runtimes.Variables()) {
			if assigned, ok := found.Assigned[name]; !ok || !assigned.Keeps {
				h[name] = true
			}
		}
	}
	return h
}

// reaching is the part of the container's environment that is known where the program starts, with what launchers and
// scripts on the way make of it: values, and the text that a value holds of which more is not known. It is not to be
// changed: others share it.
func reaching(found launch.Found, env map[string]string) map[string]string {
	if !found.Cleared && len(found.Assigned) == 0 {
		return env
	}
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
		if assigned.Text != "" && name != "PATH" { // what PATH is for certain says more
			reach[name] = strings.TrimSpace(reach[name] + " " + assigned.Text)
		}
	}
	return reach
}

// certainly is found without what a condition may or may not set; the second result is false where there is no such
// thing.
func certainly(found launch.Found) (launch.Found, bool) {
	perhaps := false
	assigned := maps.Clone(found.Assigned)
	for name, a := range found.Assigned {
		if a.Perhaps {
			perhaps = true
			a.Text = ""
			assigned[name] = a
		}
	}
	found.Assigned = assigned
	return found, perhaps
}

// beside lists the other programs that get the container's environment: those of its probes and hooks, and the rest of
// its script. What postStart runs may take its time.
func beside(c *workload.Container, rest []launch.Command) []runtimes.Command {
	var commands []runtimes.Command
	for _, at := range [][]string{{"livenessProbe"}, {"readinessProbe"}, {"startupProbe"}, {"lifecycle", "postStart"},
		{"lifecycle", "preStop"}} {
		var argv []string
		for _, w := range yamlnode.Items(yamlnode.Get(c.Node, append(at, "exec", "command")...)) {
			argv = append(argv, yamlnode.Text(w))
		}
		if argv != nil {
			brief := !slices.Contains(at, "postStart")
			commands = append(commands, runtimes.Command{Argv: argv, Starts: launch.Programs(argv), AtOnce: true, Brief: brief})
		}
	}
	return append(commands, commandsOf(rest)...)
}

// commandsOf returns a script's commands as a runtime sees them.
func commandsOf(rest []launch.Command) (commands []runtimes.Command) {
	for _, r := range rest {
		commands = append(commands, runtimes.Command{Argv: r.Argv, Starts: r.Starts, AtOnce: r.Background, Heard: r.Heard,
			Last: r.Last, Maybe: r.Maybe})
	}
	return commands
}
