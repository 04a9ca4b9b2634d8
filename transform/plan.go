package transform

import (
	"slices"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/podedit"
	"debuggable.dev/debuggable/internal/program"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/scaling"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// Plan is what is to be done with a set of objects, in document order: made before anything is edited, and not changed
// afterwards.
type Plan struct {
	Workloads []WorkloadPlan
}

// WorkloadPlan is what is to be done with one workload.
type WorkloadPlan struct {
	Workload *workload.Workload
	Pods     []PodPlan
	Results  fn.Results // about the workload, its pods and their containers

	scaling scaling.Plan
	renames []*yaml.Node // objects whose annotation for probes is written out under its valid name
}

// PodPlan is what is to be done with one pod template.
type PodPlan struct {
	Pod        *workload.Pod
	Containers []ContainerPlan // those in scope, in the pod's order; none where all of the pod stays as it is

	kept         []*workload.Container // that have their debuggers already, and get their probes relaxed
	probeTimeout functionconfig.ProbeTimeout
	suspend      bool
}

// ContainerPlan is what is to be done with one container, and why.
type ContainerPlan struct {
	Container *workload.Container
	Program   program.Program
	Debugger  runtimes.Plan
	Edits     program.Edits
	Memory    *podedit.MemoryRaise // nil: the memory limit stays
	// Refusal is why the container stays as it is, a *reason.Refusal; nil where it gets its debugger, or has one.
	Refusal error
	// SupportImage is the image that brings the debugger; "" for none.
	SupportImage string
	// pullPolicy is when nodes pull it; "" for Kubernetes' default.
	pullPolicy string
	// folder is where the image has its files, where it is to be mounted itself; "" for an init container.
	folder string

	artifact string // what the annotation records
	results  fn.Results
}

// Results are all results, in document order.
func (p *Plan) Results() (results fn.Results) {
	for _, w := range p.Workloads {
		results = append(results, w.Results...)
	}
	return results
}

// Planner makes plans.
type Planner struct {
	*Programs
	pins    []scaling.Plan // what scales the workloads that were edited
	support support
	host    *portSet // of the pods on the host's network, with the debuggers that they have got so far
	own     *portSet // of the pod at hand, if it is not on the host's network
}

// Plan plans everything, now that it is known of the support images whether they are there and what they can do.
func (p *Programs) Plan(supportImages map[image.Want]image.Result) *Plan {
	return p.Planner(supportImages).plan()
}

// Planner plans for objects that were noted.
func (p *Programs) Planner(supportImages map[image.Want]image.Result) *Planner {
	return &Planner{Programs: p, support: support{p.scope, supportImages}, host: p.hostPorts(), own: &portSet{}}
}

// Edit plans for some of the objects and edits them. They come after those of earlier calls.
func (p *Planner) Edit(objects []Object) (fn.Results, error) {
	some := *p
	some.Programs = p.scope.part(objects).programs(p.images, p.ports)
	plan := some.plan()
	for _, w := range plan.Workloads {
		if w.scaling.Pins() {
			p.pins = append(p.pins, w.scaling.WithoutCounts())
		}
	}
	return plan.Results(), plan.applyWorkloads()
}

// Pin edits what scales the workloads that were edited. For plans, it has to be as it was read.
func (p *Planner) Pin() {
	for _, s := range p.pins {
		s.Pin()
	}
}

func (p *Planner) plan() *Plan {
	plan := &Plan{}
	for _, w := range p.scope.workloads {
		plan.Workloads = append(plan.Workloads, p.workload(w))
	}
	return plan
}

func (p *Planner) workload(scope workloadScope) WorkloadPlan {
	w := scope.workload
	plan := WorkloadPlan{Workload: w}
	switch {
	case w.Instead != "":
		plan.Results = fn.Results{w.Result(fn.Warning, reason.DeprecatedAPI,
			workload.LeftAlone+w.APIVersion+" is gone from Kubernetes; use "+w.Instead)}
		return plan
	case w.Problem != "":
		plan.Results = fn.Results{w.Result(fn.Warning, reason.InvalidField, workload.LeftAlone+w.Problem)}
		return plan
	}
	plan.Results = strangeAnnotations(w)
	debugged, renamed := false, map[*yaml.Node]bool{}
	for _, s := range scope.pods {
		pod, results := p.pod(s)
		plan.Pods = append(plan.Pods, pod)
		plan.Results = append(append(plan.Results, s.results...), results...)
		if pod.isDebugged() {
			debugged = true
			plan.rename(pod.Pod, renamed)
		}
	}
	if debugged {
		plan.scaling = p.scope.scaling.Plan(w)
		plan.Results = append(plan.Results, plan.scaling.Results...)
	}
	return plan
}

// rename plans to write the documented spelling of the annotation for probes out under its valid name.
func (w *WorkloadPlan) rename(p *workload.Pod, renamed map[*yaml.Node]bool) {
	before := len(w.renames)
	for _, object := range []*yaml.Node{p.Template, w.Workload.Node} {
		if _, is := yamlnode.Annotation(object, functionconfig.ProbeAnnotationDocumented); is && !renamed[object] {
			renamed[object] = true
			w.renames = append(w.renames, object)
		}
	}
	if len(w.renames) > before {
		w.Results = append(w.Results, w.Workload.Result(fn.Warning, reason.AnnotationRenamed,
			"annotation "+functionconfig.ProbeAnnotationDocumented+
				" is written out as "+functionconfig.ProbeAnnotation+", since Kubernetes refuses a key with two slashes"))
	}
}

func (p *Planner) pod(s *podScope) (PodPlan, fn.Results) {
	plan := PodPlan{Pod: s.pod, probeTimeout: s.settings.ProbeTimeout, suspend: s.settings.Suspend}
	switch {
	case s.err != nil:
		return plan, refusePod(s, p.scope.cfg, s.err)
	case s.configured != nil:
		return plan, plan.keep(s)
	}
	return plan, p.containers(&plan, s)
}

// refusePod makes the results for a pod that stays as it is for a reason that concerns all of it. Where an annotation
// makes no sense, nothing says which containers were meant: then all are, but for init containers.
func refusePod(p *podScope, cfg functionconfig.Config, err error) (results fn.Results) {
	for _, c := range p.containers {
		results = append(results, refusal(c.container, severity(cfg), "", err))
	}
	if results != nil {
		return results
	}
	for _, c := range p.pod.Containers {
		if !c.Init {
			results = append(results, refusal(c, severity(cfg), "", err))
		}
	}
	if results == nil {
		results = append(results, p.pod.Workload.Result(severity(cfg), reason.Of(err), workload.LeftAlone+err.Error()))
	}
	return results
}

// keep plans a pod that is debuggable already: its containers stay, but for the probes of those that the annotation
// lists.
func (p *PodPlan) keep(s *podScope) (results fn.Results) {
	listed := map[string]debuginfo.Entry{}
	for _, e := range s.configured {
		listed[e.Name] = e
	}
	inScope := map[*workload.Container]bool{}
	for _, c := range s.containers {
		inScope[c.container] = true
	}
	for _, c := range s.pod.Containers {
		e, is := listed[c.Name]
		switch {
		case is:
			p.kept = append(p.kept, c)
			results = append(results, c.Result(fn.Info, reason.AlreadyConfigured, e.Runtime,
				"kept as it is: annotation %s lists it", debuginfo.Annotation))
		case inScope[c]:
			results = append(results, c.Result(fn.Info, reason.AlreadyConfigured, "",
				"kept as it is: annotation %s does not list it", debuginfo.Annotation))
		}
	}
	for _, e := range s.configured {
		if !s.pod.Has(e.Name) {
			results = append(results, s.pod.Workload.Result(fn.Warning, reason.UnknownContainer,
				"annotation "+debuginfo.Annotation+" lists "+e.Name+", which is no container of the pod"))
		}
	}
	return results
}

// containers plans the containers of a pod: a debugger for as many as can have one.
func (p *Planner) containers(plan *PodPlan, s *podScope) (results fn.Results) {
	used := p.host // what the pod itself takes is among it
	if !s.pod.OnHostNetwork() {
		used = p.own
		*used = portSet{}
		p.addTakenPorts(used, s)
	}
	options := p.scope.options(s)
	options.FreePort = func(from int32) int32 { return free(from, used) }
	plan.Containers = make([]ContainerPlan, 0, len(s.containers)) // they are large, and may be many
	for _, c := range s.containers {
		container := p.container(c, options)
		for _, port := range container.Debugger.Ports {
			if container.Refusal == nil {
				used.add(port.Number)
			}
		}
		plan.Containers = append(plan.Containers, container)
	}
	err := podedit.CheckSupport(plan.Pod, plan.debugged())
	if err == nil {
		err = podedit.CheckAnnotations(plan.Pod, plan.entries())
	}
	for i := range plan.Containers {
		if c := &plan.Containers[i]; err != nil && c.Refusal == nil {
			c.refuse(fn.Error, err)
		}
		results = append(results, plan.Containers[i].results...)
	}
	return append(results, plan.sharedPorts()...)
}

// container plans one container. Where it refuses one, the pod or the container would be worse off with the debugger.
func (p *Planner) container(c *containerScope, o runtimes.Options) ContainerPlan {
	known := p.known[c]
	plan := ContainerPlan{Container: c.container, Program: known.program, Debugger: known.debugger, artifact: c.artifact}
	plan.Edits.Line = known.program.Line
	err := known.err
	if err == nil && !known.debugger.Existing {
		name := known.program.Detection.Runtime.Name()
		o.Label, o.Published = p.support.label(name, c.want.Platform), p.support.published(name, c.want.Platform)
		err = p.attach(&plan, c, o)
	}
	if err != nil {
		plan.refuse(c.severity(p.scope.cfg, err), err)
	} else {
		plan.results = slices.Concat(plan.outcome(), plan.fileResults(), plan.cautions())
	}
	plan.results = append(plan.results, plan.localImage()...)
	return plan
}

// attach plans a debugger that is not there yet.
func (p *Planner) attach(plan *ContainerPlan, c *containerScope, o runtimes.Options) (err error) {
	if plan.Debugger, plan.Edits, err = plan.Program.Attach(c.container, o); err != nil || plan.Debugger.Existing {
		return err
	}
	if name := plan.Program.Detection.Runtime.Name(); plan.Debugger.Support {
		plan.SupportImage, plan.pullPolicy = p.support.reference(name, c.want.Platform), p.scope.cfg.SupportPullPolicy
		if p.scope.cfg.SupportDelivery == functionconfig.DeliveryImage && !c.container.Pod.Workload.Rules.Knative {
			plan.folder = p.support.folder(name, c.want.Platform)
		}
		if err := p.support.check(name, c.want.Platform); err != nil {
			return err
		}
	}
	if err := plan.Program.CheckStart(c.container, plan.Debugger); err != nil {
		return err
	}
	plan.Memory, err = p.scope.memory.Plan(c.container, plan.Debugger.Memory)
	return err
}

// refuse leaves the container as it is.
func (c *ContainerPlan) refuse(severity fn.Severity, err error) {
	name := ""
	if r := c.Program.Detection.Runtime; r != nil {
		name = r.Name()
	}
	c.Refusal, c.results = err, fn.Results{refusal(c.Container, severity, name, err)}
}

// isDebugged reports whether a container of the pod gets a debugger or has one.
func (p *PodPlan) isDebugged() bool { return len(p.kept) > 0 || len(p.debugged()) > 0 }

// debugged lists the containers that get a debugger, or have one that the annotation does not list yet.
func (p *PodPlan) debugged() (all []podedit.Debugged) {
	for _, c := range p.Containers {
		if c.Refusal == nil {
			d := podedit.Debugged{Container: c.Container, Ports: c.Debugger.Ports, User: c.Program.Image.User}
			if c.Debugger.Support {
				d.Support, d.SupportImage = c.Program.Detection.Runtime.Name(), c.SupportImage
				d.PullPolicy, d.Folder = c.pullPolicy, c.folder
			}
			all = append(all, d)
		}
	}
	return all
}

// entries are what the annotation records.
func (p *PodPlan) entries() (entries []debuginfo.Entry) {
	for _, c := range p.Containers {
		if c.Refusal == nil {
			entries = append(entries, debuginfo.Entry{Name: c.Container.Name, Container: debuginfo.Container{
				Artifact: c.artifact, Runtime: c.Program.Detection.Runtime.Name(), WorkingDir: c.Program.WorkingDir(c.Container),
				RemoteRoot: c.remoteRoot(), Ports: portsByProtocol(c.Debugger.Ports),
			}})
		}
	}
	return entries
}
