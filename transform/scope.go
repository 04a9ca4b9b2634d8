package transform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/podedit"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/scaling"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// Object is one document of the input.
type Object = workload.Object

// Scope is what there is to do in a set of objects, and what these say about each other.
type Scope struct {
	cfg         functionconfig.Config
	own         []workload.Kind
	match       *functionconfig.Matcher
	workloads   []workloadScope
	found       *found
	sources     *process.Sources
	services    workload.Selectors[[]string] // the ports that Services send to
	scaling     *scaling.Rules
	memory      *podedit.Memory
	configPorts map[[3]string]portNumbers // of ConfigMaps and Secrets, by kind, namespace and name
	hint        string                    // how the user says what a container runs
}

// found is what was found in the workloads, whether or not they are at hand.
type found struct {
	wants  []image.Want // that Programs needs, in document order
	images []string     // of all containers
	seen   map[any]bool // which of both are there
	// how many containers are out of scope because no artifact matches them
	unmatched int
}

type workloadScope struct {
	workload *workload.Workload
	pods     []*podScope
}

// podScope is what the settings and annotations say about one pod template.
type podScope struct {
	pod        *workload.Pod
	containers []*containerScope // those in scope, in pod order
	// what an earlier run or the user configured: the containers stay as they are then; nil: nothing
	configured []debuginfo.Entry
	settings   functionconfig.PodSettings
	unmatched  int        // containers that are out of scope because no artifact matches them
	results    fn.Results // what there is to say before any image is known
	err        error      // why all of the pod stays as it is: a *reason.Refusal
}

// containerScope is a container that the settings and annotations choose.
type containerScope struct {
	container *workload.Container
	want      image.Want
	artifact  string           // what the annotation records
	told      runtimes.Runtime // nil: detect
	chosen    bool             // an artifact or an annotation names it
}

// Find lists what there is to do, in document order.
func Find(objects []Object, cfg functionconfig.Config) *Scope {
	s := NewScope(cfg)
	for _, o := range objects {
		for _, e := range workload.Elements(o.Node().YNode()) {
			s.addSource(e)
			s.scaling.Add(o, e)
			s.memory.Add(e)
			if w := workload.Of(o, e, s.own); w != nil {
				s.workloads = append(s.workloads, s.scopeOf(w, s.found))
			}
		}
	}
	return s
}

// NewScope is the scope of no objects.
func NewScope(cfg functionconfig.Config) *Scope {
	return &Scope{
		cfg: cfg, own: ownKinds(cfg), match: cfg.Matcher(), found: &found{seen: map[any]bool{}},
		sources: process.NewSources(), services: workload.NewSelectors[[]string](), scaling: scaling.NewRules(cfg.Replicas),
		memory: podedit.NewMemory(cfg.Memory == "keep"), configPorts: map[[3]string]portNumbers{},
		hint: fmt.Sprintf("set %s, or annotate the pod with %s", cfg.Surface("runtimes"), functionconfig.RuntimeAnnotation),
	}
}

// Note notes what an object says about others, and what will have to be known to make it debuggable; see
// [Programs.Planner]. It reports whether it has workloads, and whether its nodes are referred to.
func (s *Scope) Note(o Object) (workloads, referred bool) {
	for _, e := range workload.Elements(o.Node().YNode()) {
		s.addSource(e)
		referred = s.scaling.Add(o, e) || referred
		s.memory.Add(e)
		w := workload.Of(o, e, s.own)
		if w == nil {
			continue
		}
		workloads = true
		scope := s.scopeOf(w, s.found)
		if slices.ContainsFunc(w.Pods, (*workload.Pod).OnHostNetwork) { // whose ports are taken for others
			s.workloads = append(s.workloads, scope)
			referred = true
		}
	}
	return workloads, referred
}

// part is the scope of some of the objects that were noted.
func (s *Scope) part(objects []Object) *Scope {
	part := *s
	part.workloads = nil
	for _, o := range objects {
		for _, e := range workload.Elements(o.Node().YNode()) {
			if w := workload.Of(o, e, s.own); w != nil {
				part.workloads = append(part.workloads, s.scopeOf(w, nil))
			}
		}
	}
	return &part
}

func (s *Scope) scopeOf(w *workload.Workload, found *found) workloadScope {
	scope := workloadScope{workload: w}
	for _, p := range w.Pods {
		pod, err := scopePod(p, s.cfg, s.match)
		pod.err = err
		scope.pods = append(scope.pods, pod)
		if found != nil {
			found.add(pod)
		}
	}
	return scope
}

// add adds what was found of a pod.
func (f *found) add(p *podScope) {
	f.unmatched += p.unmatched
	for _, c := range p.open() {
		if c.container.Image != "" && !f.seen[c.want] {
			f.seen[c.want] = true
			f.wants = append(f.wants, c.want)
		}
	}
	for _, c := range p.pod.Containers {
		if !f.seen[c.Image] {
			f.seen[c.Image] = true
			f.images = append(f.images, c.Image)
		}
	}
}

// ownKinds are the kinds of workloads that the settings add.
func ownKinds(cfg functionconfig.Config) (own []workload.Kind) {
	for _, k := range cfg.Workloads {
		kind := workload.Kind{Group: k.Group, Kind: k.Kind, Template: []string{k.Template}, Complete: true}
		if k.Containers != nil {
			// Whether its pods end is not known, so they do.
			kind.Containers, kind.Ends = k.Containers, true
		}
		if k.Replicas != "" {
			kind.Replicas = []string{k.Replicas}
		}
		own = append(own, kind)
	}
	return own
}

// addSource records what says something about the processes and ports of others: ConfigMaps and Secrets, Services.
func (s *Scope) addSource(e workload.Element) {
	if e.APIVersion != "v1" {
		return
	}
	switch e.Kind {
	case "Service":
		s.services.Add(e.Node, yamlnode.Get(e.Node, "spec", "selector"), targetPorts(e.Node))
	case "ConfigMap", "Secret":
		s.sources.Add(e.Node, e.APIVersion, e.Kind)
		key := [3]string{e.Kind, yamlnode.Namespace(e.Node), yamlnode.Name(e.Node)}
		s.configPorts[key] = numbersIn(maps.Values(s.sources.Values(key[0], key[1], key[2])))
	}
}

// open lists the containers that may get a debugger.
func (s *podScope) open() []*containerScope {
	if s.err != nil || s.configured != nil {
		return nil
	}
	return s.containers
}

// scopePod works out what is to be done with a pod. An error is a *reason.Refusal for the whole pod.
func scopePod(p *workload.Pod, cfg functionconfig.Config, match *functionconfig.Matcher) (*podScope, error) {
	s := &podScope{pod: p, settings: functionconfig.PodSettings{ProbeTimeout: cfg.ProbeTimeout, Suspend: cfg.Suspend}}
	if skip, err := s.readAnnotations(); skip || err != nil {
		return s, err
	}
	s.choose(cfg, match)
	if s.configured != nil || len(s.containers) > 0 {
		if err := p.CheckShape(); err != nil {
			return s, err
		}
	}
	if s.configured != nil {
		return s, nil
	}
	if len(s.containers) > 0 {
		if err := p.CheckPatched(); err != nil {
			return s, err
		}
	}
	told, err := s.told()
	if err != nil {
		return s, err
	}
	for _, c := range s.containers {
		if r := told[c.container.Name]; r != nil {
			c.told = r
		} else if r := told[""]; r != nil {
			c.told = r
		}
	}
	if len(s.containers) > 0 && !p.OnLinux() {
		return s, reason.Refuse(reason.NotLinux, "the pod runs on another operating system than Linux")
	}
	return s, nil
}

// choose lists the containers in scope.
func (s *podScope) choose(cfg functionconfig.Config, match *functionconfig.Matcher) {
	named, platform := s.named(), s.pod.Platform(cfg.Platform)
	for _, c := range s.pod.Containers {
		if named != nil && !named[c.Name] || named == nil && c.Init {
			continue
		}
		scope := &containerScope{container: c, want: image.Want{Image: c.Image, Platform: platform}, artifact: c.Image,
			chosen: named != nil}
		if scope.matches(cfg, match) {
			s.containers = append(s.containers, scope)
		} else {
			s.unmatched++
		}
	}
}

// matches finds the first artifact that names the container's image; without artifacts every image is in scope. It also
// finds out what the settings say about the image.
func (c *containerScope) matches(cfg functionconfig.Config, match *functionconfig.Matcher) bool {
	if name, ok := match.Runtime(c.container.Image); ok {
		c.told = runtimes.ByName(name)
	}
	if len(cfg.Artifacts) == 0 {
		return true
	}
	a, ok := match.Artifact(c.container.Image)
	if !ok {
		return false
	}
	c.chosen = true
	if a.Name != "" {
		c.artifact = a.Name
	}
	if a.Runtime != "" {
		c.told = runtimes.ByName(a.Runtime)
	}
	return true
}

// Images lists the distinct images whose configurations Programs needs, in document order.
func (s *Scope) Images() []image.Want { return s.found.wants }

// open lists the containers that may get a debugger, in document order.
func (s *Scope) open() (all []*containerScope) {
	for _, w := range s.workloads {
		for _, p := range w.pods {
			all = append(all, p.open()...)
		}
	}
	return all
}

// Unmatched makes a result about each of the settings' entries that matches no container, and counts the containers
// that no artifact matches.
func (s *Scope) Unmatched() (results fn.Results, containers int) {
	for _, u := range s.cfg.Unmatched(s.found.images) {
		setting, _, _ := strings.Cut(u.Field, "[")
		results = append(results, &fn.Result{
			Severity: fn.Warning, Message: fmt.Sprintf("%s: %s matches no container", setting, foreign.Quote(u.Image)),
			Field: &fn.Field{Path: u.Field}, Tags: map[string]string{"reason": string(reason.MatchesNothing)},
		})
	}
	return results, s.found.unmatched
}

// severity is how bad it is that a container in scope is not made debuggable.
func severity(cfg functionconfig.Config) fn.Severity {
	if cfg.Strict {
		return fn.Error
	}
	return fn.Warning
}

// severity is how bad it is that a container stays as it is for a reason. That redis is none of the runtimes is as it
// should be, unless the user means that very container and wants to know for certain.
func (c *containerScope) severity(cfg functionconfig.Config, err error) fn.Severity {
	if reason.Of(err) == reason.KnownOther && !(cfg.Strict && c.chosen) {
		return fn.Info
	}
	return severity(cfg)
}
