package program

import (
	"errors"
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/podedit"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// Edits are what a debugger changes in its container's own fields.
type Edits struct {
	Line   process.CommandLine
	Env    []process.EnvEdit
	Hides  []string // what added variables may hide
	Copied []string // the scripts of the image of which the command line holds changed copies
}

// Debugger is what the runtime plans. A debugger that a script is likely to start, going by its arguments, is one that
// is there.
func (p Program) Debugger(o runtimes.Options) (runtimes.Plan, error) {
	process := p.Process
	if p.behind != nil {
		if plan, err := runtimes.Attach(p.Detection.Runtime, p.behind.process, o); err == nil && plan.Existing {
			return plan, nil
		}
		process.Env, process.Beside = p.behind.process.Env, p.behind.process.Beside
	}
	plan, err := runtimes.Attach(p.Detection.Runtime, process, o)
	if err != nil || !plan.Existing || p.behind != nil {
		return plan, err
	}
	if found, perhaps := certainly(p.Found); perhaps {
		process.Env = reaching(found, p.Env.All())
		if again, err := runtimes.Attach(p.Detection.Runtime, process, o); err != nil || !again.Existing {
			return runtimes.Plan{}, reason.Refuse(reason.OtherDebugger,
				"whether a debugger is started, as a condition of the script says, is only known when it runs")
		}
	}
	return plan, nil
}

// Attach plans the debugger of a program and what it changes in the container. Where the environment cannot be changed,
// the command line may do, and the other way round: those are two more ways, if the first one is barred.
func (p Program) Attach(c *workload.Container, o runtimes.Options) (runtimes.Plan, Edits, error) {
	plan, edits, barred := p.attachOnce(c, o)
	if barred == nil {
		return plan, edits, nil
	}
	for _, fixed := range []struct{ env, line bool }{{env: len(plan.Env) > 0}, {line: len(plan.Insert) > 0}} {
		if !fixed.env && !fixed.line {
			continue
		}
		other := p
		other.Process.EnvFixed, other.Process.LineFixed = fixed.env, fixed.line
		if plan, edits, err := other.attachOnce(c, o); err == nil {
			return plan, edits, nil
		}
	}
	return plan, Edits{}, barred
}

// debugsItself reports whether a script that is not followed starts a debugger, as it is written or, where quotes hide
// that, as its words are.
func (p Program) debugsItself(script string) bool {
	if len(runtimes.DebugPorts(script)) > 0 {
		return true
	}
	for _, command := range p.Process.Within {
		for _, argv := range command.Starts {
			if len(runtimes.DebugPorts(strings.Join(argv, " "))) > 0 {
				return true
			}
		}
	}
	return false
}

func (p Program) attachOnce(c *workload.Container, o runtimes.Options) (plan runtimes.Plan, edits Edits, err error) {
	edits.Line = p.Line
	if plan, err = p.Debugger(o); err != nil || plan.Existing {
		return plan, edits, err
	}
	if f := p.Found.File; p.Process.Script && f != nil && p.debugsItself(f.Script) {
		return plan, edits, reason.Refuse(reason.OtherDebugger,
			"the script %s, which cannot be followed, starts a debugger of its own", f.Path)
	}
	if err = p.checkProgram(plan); err != nil {
		return plan, edits, err
	}
	inserted, err := p.Found.Insert(plan.Insert)
	if err != nil {
		return plan, edits, err
	}
	assigned, changes, err := p.assign(plan.Env)
	if err != nil {
		return plan, edits, err
	}
	inserted = slices.Concat(assigned, inserted)
	for _, e := range inserted {
		if e.Script != "" {
			edits.Copied = append(edits.Copied, e.Script)
		}
	}
	if len(inserted) > 0 {
		if p.Found.Base != nil { // the edits refer to it
			edits.Line = p.Line.Rebase(p.Found.Base, p.Found.BaseFrom)
		}
		if edits.Line, err = edits.Line.Edit(inserted); err != nil {
			return plan, edits, err
		}
		if err := edits.Line.CheckAppended(); err != nil {
			return plan, edits, err
		}
	}
	edits.Env, edits.Hides, err = process.PlanEnv(c, p.Env, changes, edits.Line.ManifestWords())
	if err != nil {
		return plan, edits, err
	}
	for _, name := range plan.Sets {
		if !p.Process.Unset[name] {
			edits.Hides = append(p.Env.Hidden(name), edits.Hides...)
		}
	}
	if plan.Support {
		err = p.checkSupportPath(c)
	}
	return plan, edits, err
}

// checkProgram refuses a program that is known to be none of the runtime's, of which words would be put into the
// command line.
func (p Program) checkProgram(plan runtimes.Plan) error {
	program, strength := p.Process.Argv[0], p.Detection.Sign.Strength
	if len(plan.Insert) > 0 && strength != runtimes.Told && strength < runtimes.Program && runtimes.KnownOther(program) {
		return other(program, "is no "+p.Detection.Runtime.Name()+" program")
	}
	return nil
}

// assign divides the plan's changes of variables into those that are made in the command line, where env hides the
// container's own variables, and those that are made in the container's env. It refuses those that would not reach the
// program or would reach others.
func (p Program) assign(changes []runtimes.EnvChange) (edits []launch.Edit, rest []runtimes.EnvChange, err error) {
	for _, change := range changes {
		isHidden := p.Process.Hidden[change.Name]
		existing, ok := p.Found.Assignable(change.Name)
		ok = ok && (existing != "" || change.Default == "") && !p.unresolved(existing) && !p.hiddenBehindScript(change.Name)
		if isHidden && ok {
			if edit, err := p.Found.Assign(change.Name, process.Combine(change, existing)); err == nil {
				edits = slices.Insert(edits, 0, edit)
				continue
			}
		}
		rest = append(rest, change)
		if change.How == runtimes.Prepend && !(isHidden && (len(edits) > 0 || change.Needed)) {
			continue // PATH is a help; but without it, a variable that reaches a tool may stay with the tool
		}
		if isHidden {
			return nil, nil, reason.Refuse(reason.EnvHidden, "%s would not reach the program: %s sets it", change.Name,
				strings.Join(p.Found.Via, " "))
		}
		if line, at := p.dropsIn(change.Name); at > 0 {
			return nil, nil, reason.Refuse(reason.EnvHidden, "%s may not reach the program: line %d of %s is %q",
				change.Name, at,
				p.Found.File.Path, line)
		}
		if change.How == runtimes.Replace {
			continue // nothing of the old value is handed on
		}
		if p.hiddenBehindLauncher(change.Name) {
			return nil, nil, reason.Refuse(reason.EnvHidden,
				"%s may not reach the program: the arguments of %s, a launcher that is "+
					"not known, set it", change.Name, p.Process.Argv[0])
		}
		if p.hiddenBehindScript(change.Name) {
			return nil, nil, reason.Refuse(reason.EnvHidden, "%s would not reach the program: the arguments of %s set it",
				change.Name, p.Process.Argv[0])
		}
		if p.Found.References[change.Name] {
			return nil, nil, reason.Refuse(reason.EnvReferenced, "%s would have to change, but the command line uses it",
				change.Name)
		}
	}
	return edits, rest, nil
}

// hiddenBehindScript reports whether the arguments of a script set or clear a variable.
func (p Program) hiddenBehindScript(name string) bool {
	if p.behind != nil {
		return hidden(p.behind.found, p.Process.Env, p.Process.Unknown)[name]
	}
	return p.Process.Script && slices.ContainsFunc(p.Process.Argv, func(w string) bool {
		return strings.Contains(w, name+"=")
	})
}

// hiddenBehindLauncher reports whether what a launcher that is not known starts sets or clears a variable, or drops it.
func (p Program) hiddenBehindLauncher(name string) bool {
	program := runtimes.BehindLauncher(p.Process)
	if program == "" || p.Process.Script { // see hiddenBehindScript
		return false
	}
	tries := 4 // more would be odd, and may be very many
	for i, w := range p.Process.Argv[1:] {
		if strings.Contains(w, name+"=") && !strings.Contains(w, "$"+name) && !strings.Contains(w, "${"+name) {
			return true
		}
		if w != program && path.Base(w) != "env" || tries == 0 {
			continue
		}
		tries--
		found, err := launch.Find(launch.Input{Argv: p.Process.Argv[1+i:], Env: p.Process.Env, Unknown: p.Env.Unknown})
		var refusal *reason.Refusal
		if err == nil && hidden(found, p.Process.Env, p.Process.Unknown)[name] ||
			errors.As(err, &refusal) && refusal.Code == reason.LauncherNotFollowed {
			return true
		}
	}
	return false
}

// checkSupportPath refuses a container whose own files are where the support files would go.
func (p Program) checkSupportPath(c *workload.Container) error {
	for _, file := range append([]string{p.WorkingDir(c)}, p.Process.Argv...) {
		if podedit.InSupport(file) {
			return reason.Refuse(reason.MountPathTaken, "%s is in %s, where the support files would be mounted", file,
				podedit.SupportPath)
		}
	}
	for file := range p.Image.Volumes {
		if podedit.InSupport(file) {
			return reason.Refuse(reason.MountPathTaken,
				"the image has a volume at %s, where the support files would be mounted", file)
		}
	}
	return nil
}

// WorkingDir is what the annotation records: the container's, else for buildpacks the application's, else the image's.
func (p Program) WorkingDir(c *workload.Container) string {
	if dir := yamlnode.Text(c.Node, "workingDir"); dir != "" {
		return dir
	}
	argv := p.Line.Argv()
	_, built := p.Image.Labels["io.buildpacks.build.metadata"]
	if built && len(argv) > 0 && strings.HasPrefix(argv[0], "/cnb/") {
		if dir := p.Process.Env["CNB_APP_DIR"]; dir != "" {
			return dir
		}
		return "/workspace"
	}
	return p.Image.WorkingDir
}

// OwnEnds is the way out where a debugger outlives its program.
const OwnEnds = "support images of your own end with it (make push, supportRegistry)"

// CheckStart refuses a program that would be worse off for being started by its debugger.
func (p Program) CheckStart(c *workload.Container, plan runtimes.Plan) error {
	if c.Completes() && plan.Outlives != "" {
		return reason.Refuse(reason.OutlivesProgram,
			"%s outlives the program, so the container would never complete; %s", plan.Outlives, OwnEnds)
	}
	if read := c.Pod.OutputRead(); plan.Announces != "" && read != "" {
		return reason.Refuse(reason.OutputRead, "%s, and %s writes there, too", read, plan.Announces)
	}
	if !plan.Starts {
		return nil
	}
	for _, added := range yamlnode.Items(c.Node, "securityContext", "capabilities", "add") {
		// SYS_PTRACE is what people add in order to debug.
		if capability := yamlnode.Text(added); capability != "SYS_PTRACE" && c.NonRoot(p.Image.User) {
			return reason.Refuse(reason.FileCapabilities, "the container adds capability %s and does not run as root, "+
				"so the program has it from its file, and would not get it under a debugger", foreign.Short(capability))
		}
	}
	return nil
}
