package transform

import (
	"errors"
	"fmt"
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

// Analysis is what is known of a container's process: what it starts, and which runtime that is.
type Analysis struct {
	Image     image.Config
	Process   runtimes.Process
	Found     launch.Found
	Detection runtimes.Detection

	inside *inside // nil: nothing is known of the image's files

	line process.CommandLine
	env  process.Environment
	// behind is what the arguments of a script (/entrypoint.sh node app.js) name, which it is likely to start; nil for none.
	behind *behindScript
}

// behindScript is a process that a script is likely to start: it says which runtime that is and what its variables become
// on the way, but is never edited.
type behindScript struct {
	found   launch.Found
	process runtimes.Process
}

// analyse works out a container's process and runtime. told is the runtime that the user named, or nil, and hint how to
// name one. An error is a
// *reason.Refusal, and comes with what is known so far.
func analyse(c *workload.Container, cfg image.Config, known *process.Sources, told runtimes.Runtime, hint string) (a Analysis, err error) {
	a = Analysis{Image: cfg, inside: insideOf(c, cfg), env: process.EnvironmentOf(c, cfg, known)}
	if a.line, err = process.CommandLineOf(c, cfg, a.env); err != nil {
		return a, err
	}
	if a.Found, err = a.findProgram(c, known); err != nil {
		return a, err
	}
	a.Process = a.process(c, known)
	if a.behind, err = a.lookBehind(); err != nil {
		return a, err
	}
	a.Detection, err = a.detect(told, hint)
	return a, err
}

// findProgram finds the program that matters in the command line.
func (a Analysis) findProgram(c *workload.Container, known *process.Sources) (launch.Found, error) {
	argv := a.line.Argv()
	if len(argv) == 0 {
		return launch.Found{}, &reason.Refusal{Code: reason.NoCommand, Message: "neither the image nor the manifest names a program to start"}
	}
	workingDir := a.startsIn(c)
	return launch.Find(launch.Input{Argv: argv, UnknownFrom: a.line.UnknownFrom(), Env: a.env.All(), Unknown: a.env.Unknown, Labels: a.Image.Labels, Read: &known.Labels, WorkingDir: workingDir, Files: a.inside.filesOf()})
}

// startsIn is the container's working directory.
func (a Analysis) startsIn(c *workload.Container) string {
	if dir := yamlnode.Text(c.Node, "workingDir"); dir != "" {
		return dir
	}
	return a.Image.WorkingDir
}

// process is the program that was found, as a runtime sees it.
func (a Analysis) process(c *workload.Container, known *process.Sources) runtimes.Process {
	all := a.env.All()
	p := runtimes.Process{
		Argv: a.Found.Argv, Via: a.Found.Via, Env: reaching(a.Found, all), ImageEnv: a.env.Image, Unknown: a.env.Unknown,
		Author: a.Image.Author, Labels: a.Image.Labels, Buildpacks: known.Buildpacks(a.Image.Labels), WorkingDir: a.startsIn(c), Script: a.Found.Script,
		Hidden:  hidden(a.Found, all, a.env.Unknown),
		Unset:   map[string]bool{},
		Dynamic: make([]bool, len(a.Found.Argv)),
		Foreign: notOwn(a.Image, a.Found.Argv[0]),
		File:    a.Found.File,
		NoTemp:  c.NoTemp(),
		Beside:  beside(c, a.Found.Rest),
	}
	for name := range p.Hidden {
		assigned, is := a.Found.Assigned[name]
		p.Unset[name] = !a.Found.Opaque && (assigned.Unset && assigned.Known || a.Found.Cleared && !is)
	}
	if len(a.Found.Rest) > 0 {
		p.Line = a.line.Argv()
	}
	if len(a.env.Likely) > 0 {
		p.Env = maps.Clone(p.Env)
	}
	for name, value := range a.env.Likely {
		if _, set := p.Env[name]; !set && !p.Hidden[name] {
			p.Env[name] = value // a debugger that it starts must not be started twice
		}
	}
	for i, static := range a.Found.Static {
		p.Dynamic[i] = !static || a.unresolved(a.Found.Argv[i])
	}
	return p
}

// notOwn reports whether a program is none that the image starts by itself.
func notOwn(image image.Config, program string) bool {
	words := slices.Concat(image.Entrypoint, image.Cmd)
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, program) })
}

// lookBehind finds what a script is likely to start, going by its arguments; nil where that cannot be told. Arguments
// that would be refused as a command line are refused behind a script, too: a loop stays a loop.
func (a Analysis) lookBehind() (*behindScript, error) {
	args := a.Process.Argv[1:]
	inShell := slices.ContainsFunc(a.Found.Via, func(via string) bool { return strings.HasSuffix(via, " -c") })
	// Within a shell's script, a word that is not certain stands as its source text.
	if !a.Process.Script || len(args) == 0 || inShell && slices.Contains(a.Process.Dynamic, true) {
		return nil, nil
	}
	from := make([]int, len(args))
	for i, w := range args {
		if from[i] = -1; !a.Found.Static[i+1] {
			from[i] = max(0, strings.Index(w, "$("))
		}
	}
	found, err := launch.Find(launch.Input{Argv: args, UnknownFrom: from, Env: a.Process.Env, Unknown: a.env.Unknown})
	if err != nil {
		var refusal *reason.Refusal
		if errors.As(err, &refusal) && !slices.Contains([]reason.Code{reason.ProgramDynamic, reason.NoCommand, reason.LauncherNoCommand}, refusal.Code) {
			return nil, refusal
		}
		return nil, nil
	}
	process := a.Process
	process.Argv, process.Script, process.Dynamic, process.File = found.Argv, found.Script, nil, nil
	process.Via = append(slices.Clone(process.Via), a.Process.Argv[0])
	process.Env = reaching(found, a.Process.Env)
	process.Beside = slices.Concat(a.Process.Beside, commandsOf(found.Rest))
	return &behindScript{found, process}, nil
}

// detect finds the runtime, by the program behind a script where that is known.
func (a Analysis) detect(told runtimes.Runtime, hint string) (runtimes.Detection, error) {
	if told != nil {
		return runtimes.Detection{Runtime: told, Sign: runtimes.Sign{Strength: runtimes.Told, Words: "told to be " + told.Name()}}, nil
	}
	shown := a.Process
	if a.behind != nil {
		shown = a.behind.process
	}
	shown.Env = a.env.All() // what a script sets on the way is no sign of a runtime
	d := runtimes.Detect(shown)
	switch {
	case d.Runtime != nil:
		return d, nil
	case shown.File != nil && shown.File.Native:
		return d, native(shown.Argv[0])
	case a.Process.Dynamic[0]:
		return d, &reason.Refusal{Code: reason.ProgramDynamic, Message: fmt.Sprintf("program %s is known at run time only", a.Found.Argv[0])}
	case !shown.Script && runtimes.KnownOther(shown.Argv[0]):
		return d, other(shown.Argv[0], "belongs to no runtime that can be debugged")
	}
	return d, &reason.Refusal{Code: reason.NoRuntime, Message: fmt.Sprintf("nothing shows which runtime %s needs; %s", a.Found.Argv[0], hint)}
}

// other refuses a program that is known to be none of a runtime's. What it starts may be one, so that a user wants to know.
func other(program, why string) error {
	name := path.Base(program)
	if runtimes.StartsAnother(program) {
		return reason.Refuse(reason.LauncherNotFollowed, "%s starts another program, which is not looked at: give that program in command", name)
	}
	return reason.Refuse(reason.KnownOther, "program %s %s", name, why)
}

// unresolved says whether a word holds a reference that Kubernetes may resolve to a value that is not known.
func (a Analysis) unresolved(word string) bool {
	may := false
	process.References(word, func(name string) { may = may || a.env.MayResolve(name) })
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
		for _, name := range slices.Concat(slices.Sorted(maps.Keys(env)), slices.Sorted(maps.Keys(unknown)), runtimes.Variables()) {
			if assigned, ok := found.Assigned[name]; !ok || !assigned.Keeps {
				h[name] = true
			}
		}
	}
	return h
}

// reaching is the part of the container's environment that is known where the program starts, with what launchers and scripts on
// the way make of it: values, and the text that a value holds of which more is not known. It is not to be changed: others share it.
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

// beside lists the other programs that get the container's environment: those of its probes and hooks, and the rest of its
// script. What postStart runs may take its time.
func beside(c *workload.Container, rest []launch.Command) []runtimes.Command {
	var commands []runtimes.Command
	for _, at := range [][]string{{"livenessProbe"}, {"readinessProbe"}, {"startupProbe"}, {"lifecycle", "postStart"}, {"lifecycle", "preStop"}} {
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
		commands = append(commands, runtimes.Command{Argv: r.Argv, Starts: r.Starts, AtOnce: r.Background})
	}
	return commands
}
