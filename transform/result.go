package transform

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/program"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/runtimes"
	"debuggable.dev/debuggable/runtimes/language"
)

// outcome words what is done with a container that gets a debugger or has one.
func (c *ContainerPlan) outcome() fn.Results {
	name, sign := c.Program.Detection.Runtime.Name(), c.Program.Detection.Sign.Words
	where, rs := portWords(c.Debugger.Ports), fn.Results(nil)
	result := func(code reason.Code, format string, args ...any) {
		rs = append(rs, listening(c.Container.Result(fn.Info, code, name, format, args...), c.Debugger.Ports))
	}
	switch {
	case c.Debugger.Existing:
		if where == "" {
			where = "no port"
		}
		result(reason.AlreadyDebugged, "%s, already under a debugger: %s (%s)", name, where, sign)
	case where == "":
		result(reason.Debuggable, "%s, no port: attach with %s through exec (%s)", name, c.Program.Detection.Runtime.Exec[0],
			sign)
	default:
		result(reason.Debuggable, "%s, %s (%s)", name, where, sign)
	}
	if len(c.Program.Detection.Tied) > 0 {
		names := []string{name}
		for _, r := range c.Program.Detection.Tied {
			names = append(names, r.Name())
		}
		rs = append(rs, c.Container.Result(fn.Warning, reason.AmbiguousRuntime, name,
			"signs of %s are equally strong (%s): taken for %s; annotate the pod with %s if that is wrong",
			strings.Join(names, " and "), sign, name, functionconfig.RuntimeAnnotation))
	}
	for _, h := range c.Edits.Hides {
		rs = append(rs, c.Container.Result(fn.Warning, reason.EnvMayHide, name,
			"the added variable hides %s, if it sets it: add that object to the input, or give the value in env", h))
	}
	return rs
}

// cautions words what the user should know beforehand: what Kubernetes or the debugger does with the pod from now on.
func (c *ContainerPlan) cautions() fn.Results {
	name := c.Program.Detection.Runtime.Name()
	var rs fn.Results
	if c.Debugger.Outlives != "" {
		rs = append(rs, c.Container.Result(fn.Warning, reason.OutlivesProgram, name,
			"%s outlives the program, so a crash does not restart the container; %s", c.Debugger.Outlives, program.OwnEnds))
	}
	if impatient := c.Debugger.Impatient; impatient != "" {
		rs = append(rs, c.Container.Result(fn.Warning, reason.WorkerTimeout, name, "%s", impatient))
	}
	if switched := c.Program.ElectsLeader(); switched != "" {
		rs = append(rs, c.Container.Result(fn.Warning, reason.LeaderElection, name,
			"%s: a program that is stopped for some 10 s, as at "+
				"a breakpoint, loses the leader's lease, and most end then: switch that off for the time", switched))
	}
	if raise := c.Memory; raise != nil {
		rs = append(rs, c.Container.Result(fn.Info, reason.MemoryRaised, name,
			"memory limit raised from %s to %s, to hold the debugger; the request stays", raise.From, raise.To))
	}
	if c.Debugger.Support && c.Container.Pod.Workload.Rules.Knative {
		rs = append(rs, c.Container.Result(fn.Warning, reason.KnativeFeatures, name,
			"Knative admits the init container and the volume "+
				"only where kubernetes.podspec-init-containers and kubernetes.podspec-volumes-emptydir are enabled in its "+
				"config-features"))
	}
	// Half of the storage is left to the application.
	storage := c.Container.Pod.StorageLimit()
	if c.folder == "" && !storage.IsZero() && storage.Value() < 2*int64(c.Debugger.Storage)<<20 {
		rs = append(rs, c.Container.Result(fn.Warning, reason.TightStorage, name,
			"the support files take up to %dMi of the pod's "+
				"ephemeral-storage limit of %s, and the pod is evicted above that: raise it", c.Debugger.Storage, storage.String()))
	}
	return rs
}

// notes words what the files of the image say about debugging.
func (c *ContainerPlan) notes() (notes []language.Note) {
	if r := c.Program.Detection.Runtime; r.Notes != nil && len(c.Debugger.Ports) > 0 {
		notes = r.Notes(c.Program.Process)
	}
	for _, script := range c.Edits.Copied {
		from := "the image"
		if c.Program.Image.Digest.Hex != "" {
			from = c.Program.Image.Digest.String()
		}
		notes = append(notes, language.Note{Code: reason.ScriptCopied, Message: fmt.Sprintf(
			"command holds a changed copy of %s, from %s: run debuggable again when the image changes", script, from)})
	}
	return notes
}

// fileResults are the notes as results.
func (c *ContainerPlan) fileResults() (rs fn.Results) {
	for _, n := range c.notes() {
		rs = append(rs, c.Container.Result(severityOf(n.Code), n.Code, c.Program.Detection.Runtime.Name(), "%s", n.Message))
	}
	return rs
}

// severityOf is how grave a reason is by default.
func severityOf(code reason.Code) fn.Severity {
	entry, _ := reason.Lookup(string(code))
	return fn.Severity(entry.Severity)
}

// remoteRoot is where the sources were when the program was built, as far as its file tells.
func (c *ContainerPlan) remoteRoot() string {
	if r := c.Program.Detection.Runtime; r.BuiltIn != nil && len(c.Debugger.Ports) > 0 {
		return r.BuiltIn(c.Program.Process)
	}
	return ""
}

// localImage says that it was an image of this machine that was looked at, which may be another than the cluster's.
func (c *ContainerPlan) localImage() fn.Results {
	engine := c.Program.Image.Engine
	if engine == "" {
		return nil
	}
	name := ""
	if r := c.Program.Detection.Runtime; r != nil {
		name = r.Name()
	}
	return fn.Results{c.Container.Result(fn.Info, reason.LocalImage, name,
		"the image's configuration is that of the container engine at %s: the cluster may get another one of this name",
		engine)}
}

// refusal makes the result for a container that stays as it is.
func refusal(c *workload.Container, severity fn.Severity, runtime string, err error) *fn.Result {
	return c.Result(severity, reason.Of(err), runtime, "not made debuggable: %s", err)
}

// portsByProtocol is how the annotation and explanations hold ports; nil for none.
func portsByProtocol(ports []runtimes.Port) map[string]int32 {
	var byProtocol map[string]int32
	for _, p := range ports {
		if byProtocol == nil {
			byProtocol = map[string]int32{}
		}
		byProtocol[p.Protocol] = p.Number
	}
	return byProtocol
}

// listening tags a result with the ports that a debugger listens on and the protocols that it speaks there.
func listening(r *fn.Result, ports []runtimes.Port) *fn.Result {
	var numbers, protocols []string
	for _, p := range ports {
		numbers, protocols = append(numbers, strconv.Itoa(int(p.Number))), append(protocols, p.Protocol)
	}
	if len(ports) > 0 {
		r.Tags["port"], r.Tags["protocol"] = strings.Join(numbers, ","), strings.Join(protocols, ",")
	}
	return r
}

// portWords says where a debugger listens: `dlv on port 56268`.
func portWords(ports []runtimes.Port) string {
	var words []string
	for _, p := range ports {
		words = append(words, fmt.Sprintf("%s on port %d", p.Protocol, p.Number))
	}
	return strings.Join(words, ", ")
}

// sharedPorts warns of debuggers in two containers of a pod that are there already and listen on one port: a pod has
// one network, so that only one of them can.
func (p *PodPlan) sharedPorts() (results fn.Results) {
	first := map[int32]*workload.Container{}
	for _, c := range p.Containers {
		if c.Refusal != nil {
			continue
		}
		for _, port := range c.Debugger.Ports {
			other, taken := first[port.Number]
			if !taken {
				first[port.Number] = c.Container
			} else if other != c.Container {
				results = append(results, c.Container.Result(fn.Warning, reason.PortShared, c.Program.Detection.Runtime.Name(),
					"port %d is also that of the debugger of container %s, and only one of them can listen there",
					port.Number, foreign.Short(other.Name)))
			}
		}
	}
	return results
}
