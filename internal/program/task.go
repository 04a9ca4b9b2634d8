package program

import (
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/shell"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/runtimes"
)

// maxTasks bounds how often a project's script starts another one.
const maxTasks = 8

// followTask follows the scripts of a project that the program starts by their names (npm start), as far as the image's
// files tell. It refuses what certainly ends in something else than the program's own runtime, unless the user named
// that.
func (p *Program) followTask(c *workload.Container, told bool) error {
	if p.inside == nil {
		return nil
	}
	at, passed, err := p.lastTask(c, told)
	if err != nil || len(passed) == 0 {
		return err
	}
	p.Process.Runs = &at
	if told {
		return nil
	}
	shown := at
	shown.Env = p.Env.All()
	d, own, name := runtimes.Detect(shown), p.Detection.Runtime.Name(), path.Base(at.Argv[0])
	switch runs := strings.Join(passed, ", which runs "); {
	case d.Runtime != nil && d.Sign.Strength >= runtimes.Program && d.Runtime.Name() != own:
		return reason.Refuse(reason.LauncherNotFollowed, "%s runs %s, which is no program of %s: give it in command", runs,
			name, own)
	case d.Sign.Strength >= runtimes.Program:
		if name != path.Base(p.Process.Argv[0]) {
			p.Detection.Sign.Words += ", which runs " + name
		}
	case at.File != nil && at.File.Native || !at.Script && runtimes.KnownOther(at.Argv[0]) &&
		!runtimes.StartsAnother(at.Argv[0]):
		return other(at.Argv[0], "is what "+runs+" runs, and belongs to no runtime that can be debugged")
	}
	return nil
}

// lastTask is the process that the scripts end in, and the command lines that led there; none where no script is
// followed.
func (p *Program) lastTask(c *workload.Container, told bool) (at runtimes.Process, passed []string, err error) {
	at = p.Process
	if at.WorkingDir = p.taskDir(p.Found, p.startsIn(c)); at.WorkingDir == "" {
		return at, nil, nil
	}
	for range maxTasks {
		task, runtime := runtimes.TaskOf(at)
		if task == nil {
			break
		}
		if runtime.Name() != p.Detection.Runtime.Name() {
			return at, nil, nil
		}
		file, known := p.inside.Find([]string{task.File})
		if !known || file.Package == nil || file.Package.Scripts[task.Name] == "" {
			break
		}
		line := shell.Join(at.Argv...)
		passed = append(passed, line)
		next, err := p.runTask(at, *task, *file.Package)
		switch {
		case err == nil:
			at = next
			continue
		case told:
			return at, passed, nil
		}
		return at, nil, reason.Refuse(reason.Of(err), "%s runs the script %q of %s: %v", line, task.Name, task.File, err)
	}
	return at, passed, nil
}

// taskDir is where a program starts, "" where that is not known.
func (p Program) taskDir(found launch.Found, from string) string {
	switch {
	case !found.DirKnown:
		return ""
	case found.Dir != "":
		return path.Join("/", from, found.Dir)
	}
	return path.Join("/", from)
}

// runTask finds what a project's script comes to: a shell runs its text, with the arguments quoted behind it.
func (p *Program) runTask(from runtimes.Process, task runtimes.Task, known files.Package) (runtimes.Process, error) {
	text := known.Scripts[task.Name]
	if len(task.Args) > 0 {
		text += " " + shell.Join(task.Args...)
	}
	env := map[string]string{}
	for name, value := range from.Env {
		env[name] = value
	}
	if list, set := env["PATH"]; set {
		env["PATH"] = task.Bin + ":" + list
	} else if !from.Unknown["PATH"] && !from.Hidden["PATH"] {
		env["PATH"] = task.Bin + ":" + runtimes.DefaultPath
	}
	found, err := launch.Find(launch.Input{Argv: []string{"sh", "-c", text}, Env: env, Unknown: from.Unknown,
		WorkingDir: task.Dir,
		Files:      p.inside.filesOf()})
	if err != nil {
		return from, err
	}
	to := from
	to.Argv, to.Script, to.File, to.Dynamic = found.Argv, found.Script, found.File, make([]bool, len(found.Argv))
	for i, static := range found.Static {
		to.Dynamic[i] = !static
	}
	to.Env, to.Hidden, to.Unset = reaching(found, env), hidden(found, env, from.Unknown), map[string]bool{}
	for name := range to.Hidden {
		assigned, is := found.Assigned[name]
		to.Unset[name] = !found.Opaque && (assigned.Unset && assigned.Known || found.Cleared && !is)
	}
	to.Beside, to.Within = slices.Concat(from.Beside, commandsOf(found.Rest)), commandsOf(found.Within)
	for _, before := range task.Before {
		if script := known.Scripts[before]; script != "" {
			argv := []string{"sh", "-c", script}
			to.Beside = append(to.Beside, runtimes.Command{Argv: argv, Starts: launch.Programs(argv)})
		}
	}
	to.WorkingDir = p.taskDir(found, task.Dir)
	return to, nil
}
