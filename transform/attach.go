package transform

import (
	"fmt"
	"slices"
	"strings"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// attachment is a container with everything that changes about it.
type attachment struct {
	*containerScope
	Analysis
	index  int // of the container among those of its pod that are in scope
	plan   runtimes.Plan
	memory *memoryRaise // nil: the memory limit stays
	hides  []string
	copied []string // the scripts of the image of which the command line holds changed copies

	edited process.CommandLine
	env    []process.EnvEdit
}

// planned is the runtime's plan. A debugger that a script is likely to start, going by its arguments, is one that is there.
func (a Analysis) planned(o runtimes.Options) (runtimes.Plan, error) {
	process := a.Process
	if a.behind != nil {
		if plan, err := runtimes.Attach(a.Detection.Runtime, a.behind.process, o); err == nil && plan.Existing {
			return plan, nil
		}
		process.Env, process.Beside = a.behind.process.Env, a.behind.process.Beside
	}
	return runtimes.Attach(a.Detection.Runtime, process, o)
}

// attach plans the debugger for an analysed container, without changing anything. Where the environment cannot be changed,
// the command line may do, and the other way round.
func (a *attachment) attach(o runtimes.Options) error {
	err := a.attachOnce(o)
	if err == nil {
		return nil
	}
	for _, fixed := range []struct{ env, line bool }{{env: len(a.plan.Env) > 0}, {line: len(a.plan.Insert) > 0}} {
		b := &attachment{containerScope: a.containerScope, Analysis: a.Analysis, index: a.index}
		b.Process.EnvFixed, b.Process.LineFixed = fixed.env, fixed.line
		if (fixed.env || fixed.line) && b.attachOnce(o) == nil {
			*a = *b
			return nil
		}
	}
	return err
}

func (a *attachment) attachOnce(o runtimes.Options) error {
	var err error
	runtime := a.Detection.Runtime
	a.edited = a.line
	if a.plan, err = a.planned(o); err != nil {
		return err
	}
	if a.plan.Existing {
		return nil
	}
	if len(a.plan.Insert) > 0 && a.Detection.Sign.Strength != runtimes.Told && a.Detection.Sign.Strength < runtimes.Program && runtimes.KnownOther(a.Process.Argv[0]) {
		return other(a.Process.Argv[0], "is no "+runtime.Name()+" program")
	}
	edits, err := a.Found.Insert(a.plan.Insert)
	if err != nil {
		return err
	}
	assigned, changes, err := a.assign()
	if err != nil {
		return err
	}
	edits = slices.Concat(assigned, edits)
	for _, e := range edits {
		if e.Script != "" {
			a.copied = append(a.copied, e.Script)
		}
	}
	if len(edits) > 0 {
		if a.Found.Base != nil { // the edits refer to it
			a.edited = a.line.Rebase(a.Found.Base, a.Found.BaseFrom)
		}
		if a.edited, err = a.edited.Edit(edits); err != nil {
			return err
		}
	}
	if a.env, a.hides, err = process.PlanEnv(a.Container, a.Analysis.env, changes, a.edited.ManifestWords()); err != nil {
		return err
	}
	for _, name := range a.plan.Sets {
		if !a.Process.Unset[name] {
			a.hides = append(a.Analysis.env.Hidden(name), a.hides...)
		}
	}
	if a.plan.Support {
		return a.usesDbg()
	}
	return nil
}

// assign divides the plan's changes of variables into those that are made in the command line, where env hides the container's own
// variables, and those that are made in the container's env. It refuses those that would not reach the program or would reach others.
func (a *attachment) assign() (edits []launch.Edit, rest []runtimes.EnvChange, err error) {
	for _, change := range a.plan.Env {
		isHidden := a.Process.Hidden[change.Name]
		existing, ok := a.Found.Assignable(change.Name)
		ok = ok && (existing != "" || change.Default == "") && !a.unresolved(existing) && !a.hiddenBehindScript(change.Name)
		if isHidden && ok {
			if edit, err := a.Found.Assign(change.Name, process.Combine(change, existing)); err == nil {
				edits = slices.Insert(edits, 0, edit)
				continue
			}
		}
		rest = append(rest, change)
		if change.How == runtimes.Prepend && !(isHidden && (len(edits) > 0 || change.Needed)) {
			continue // PATH is a help; but without it, a variable that reaches a tool may stay with the tool
		}
		if isHidden {
			return nil, nil, &reason.Refusal{Code: reason.EnvHidden, Message: fmt.Sprintf("%s would not reach the program: %s sets it", change.Name, strings.Join(a.Found.Via, " "))}
		}
		if change.How == runtimes.Replace {
			continue // nothing of the old value is handed on
		}
		if a.hiddenBehindScript(change.Name) {
			return nil, nil, &reason.Refusal{Code: reason.EnvHidden, Message: fmt.Sprintf("%s would not reach the program: the arguments of %s set it", change.Name, a.Process.Argv[0])}
		}
		if a.Found.References[change.Name] {
			return nil, nil, &reason.Refusal{Code: reason.EnvReferenced, Message: fmt.Sprintf("%s would have to change, but the command line uses it", change.Name)}
		}
	}
	return edits, rest, nil
}

// hiddenBehindScript says whether the arguments of a script set or clear a variable.
func (a *attachment) hiddenBehindScript(name string) bool {
	if a.behind != nil {
		return hidden(a.behind.found, a.Process.Env, a.Process.Unknown)[name]
	}
	return a.Process.Script && slices.ContainsFunc(a.Process.Argv, func(w string) bool { return strings.Contains(w, name+"=") })
}

// usesDbg refuses a container whose own files are where the support files would go.
func (a *attachment) usesDbg() error {
	for _, p := range append([]string{a.workingDir()}, a.Process.Argv...) {
		if inDbg(p) {
			return &reason.Refusal{Code: reason.MountPathTaken, Message: fmt.Sprintf("%s is in %s, where the support files would be mounted", p, dbgPath)}
		}
	}
	for p := range a.Image.Volumes {
		if inDbg(p) {
			return &reason.Refusal{Code: reason.MountPathTaken, Message: fmt.Sprintf("the image has a volume at %s, where the support files would be mounted", p)}
		}
	}
	return nil
}

// workingDir is what the annotation records: the container's, else for buildpacks the application's, else the image's.
func (a *attachment) workingDir() string {
	if dir := yamlnode.Text(a.Node, "workingDir"); dir != "" {
		return dir
	}
	argv := a.line.Argv()
	if _, ok := a.Image.Labels["io.buildpacks.build.metadata"]; ok && len(argv) > 0 && strings.HasPrefix(argv[0], "/cnb/") {
		if dir := a.Process.Env["CNB_APP_DIR"]; dir != "" {
			return dir
		}
		return "/workspace"
	}
	return a.Image.WorkingDir
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
		r := a.Result(fn.Info, reason.AlreadyDebugged, name, "%s, already under a debugger: %s (%s)", name, where, a.Detection.Sign.Words)
		rs = append(rs, listening(r, a.plan.Ports))
	case where == "":
		rs = append(rs, a.Result(fn.Info, reason.Debuggable, name, "%s, no port: attach with %s through exec (%s)", name, a.Detection.Runtime.Exec[0], a.Detection.Sign.Words))
	default:
		r := a.Result(fn.Info, reason.Debuggable, name, "%s, %s (%s)", name, where, a.Detection.Sign.Words)
		rs = append(rs, listening(r, a.plan.Ports))
	}
	if len(a.Detection.Tied) > 0 {
		names := []string{name}
		for _, r := range a.Detection.Tied {
			names = append(names, r.Name())
		}
		rs = append(rs, a.Result(fn.Warning, reason.AmbiguousRuntime, name, "signs of %s are equally strong (%s): taken for %s; annotate the pod with %s if that is wrong",
			strings.Join(names, " and "), a.Detection.Sign.Words, name, functionconfig.RuntimeAnnotation))
	}
	for _, h := range a.hides {
		rs = append(rs, a.Result(fn.Warning, reason.EnvMayHide, name, "the added variable hides %s, if it sets it: add that object to the input, or give the value in env", h))
	}
	return rs
}

// cautions words what the user should know beforehand: what Kubernetes or the debugger does with the pod from now on.
func (a *attachment) cautions(storage resource.Quantity) fn.Results {
	name := a.Detection.Runtime.Name()
	var rs fn.Results
	if a.plan.Outlives != "" {
		rs = append(rs, a.Result(fn.Warning, reason.OutlivesProgram, name,
			"%s outlives the program, so a crash does not restart the container; %s", a.plan.Outlives, ownEnds))
	}
	if a.memory != nil {
		rs = append(rs, a.Result(fn.Info, reason.MemoryRaised, name, "memory limit raised from %s to %s, to hold the debugger; the request stays", a.memory.from, a.memory.to))
	}
	if a.plan.Support && a.Pod.Workload.Rules.Knative {
		rs = append(rs, a.Result(fn.Warning, reason.KnativeFeatures, name,
			"Knative admits the init container and the volume only where kubernetes.podspec-init-containers and kubernetes.podspec-volumes-emptydir are enabled in its config-features"))
	}
	return append(rs, a.tight(storage)...)
}

const ownEnds = "support images of your own end with it (make push, supportRegistry)"

// checkStart refuses a program that would be worse off for being started by its debugger.
func (a *attachment) checkStart() error {
	if a.Completes() && a.plan.Outlives != "" {
		return reason.Refuse(reason.OutlivesProgram, "%s outlives the program, so the container would never complete; %s", a.plan.Outlives, ownEnds)
	}
	if !a.plan.Starts {
		return nil
	}
	// SYS_PTRACE is what people add in order to debug.
	added := slices.DeleteFunc(slices.Clone(yamlnode.Items(a.Node, "securityContext", "capabilities", "add")), func(n *yaml.Node) bool { return yamlnode.Text(n) == "SYS_PTRACE" })
	if len(added) > 0 && a.nonRoot() {
		return &reason.Refusal{Code: reason.FileCapabilities, Message: fmt.Sprintf(
			"the container adds capability %s and does not run as root, so the program has it from its file, and would not get it under a debugger", foreign.Short(yamlnode.Text(added[0])))}
	}
	return nil
}

// nonRoot says whether the container runs as another user than root, going by the manifest and the image.
func (a *attachment) nonRoot() bool {
	for _, security := range []*yaml.Node{yamlnode.Get(a.Node, "securityContext"), yamlnode.Get(a.Pod.Spec, "securityContext")} {
		if user := yamlnode.Text(security, "runAsUser"); user != "" {
			return user != "0"
		}
	}
	for _, security := range []*yaml.Node{yamlnode.Get(a.Node, "securityContext"), yamlnode.Get(a.Pod.Spec, "securityContext")} {
		if v := yamlnode.Get(security, "runAsNonRoot"); v != nil && yamlnode.IsTrue(v) {
			return true
		}
	}
	user, _, _ := strings.Cut(a.Image.User, ":")
	return user != "" && user != "0" && user != "root"
}
