// Package transform makes the containers of Kubernetes manifests debuggable. It does no I/O, reads no clock and keeps
// no state: manifests and image configurations in, edited manifests and results out.
//
// The data flows one way:
//
//  1. [Find] lists the workloads in document order (workload.go) and what the settings and annotations say about their
//     containers (scope.go) and their nodes (platform.go).
//  2. [Scope.Images] names the images whose configurations are needed. Somebody else resolves them.
//  3. [Scope.Apply] takes each container through
//     its environment (env.go) and process (process.go, expand.go) → the program that matters (package launch) → its
//     runtime (analyse.go, package runtimes) → its plan and the edits of command, args and env (attach.go),
//  4. and then each pod through ports (ports.go), support files, probes and annotation (pod.go, resources.go), each
//     workload through replicas and autoscalers (scale.go).
//  5. Results come in document order (result.go).
//
// Nothing of a pod is edited before everything about the pod is decided, so that what cannot be done leaves no trace.
package transform

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// Object is one document of the input.
type Object = workload.Object

// Scope is what there is to do in a set of objects.
type Scope struct {
	cfg           functionconfig.Config
	workloads     []*workloadScope
	sources       *process.Sources
	autoscalers   map[target][]autoscaler
	services      workload.Selectors        // Services
	budgets       workload.Selectors        // PodDisruptionBudgets
	memory        map[string]*memoryRules   // by namespace
	configPorts   map[[3]string]portNumbers // of ConfigMaps and Secrets, by kind, namespace and name
	portsOfImages map[image.Want]portNumbers
}

type workloadScope struct {
	*workload.Workload
	pods []*podScope
}

// Find lists what there is to do, in document order.
func Find(objects []Object, cfg functionconfig.Config) *Scope {
	s := &Scope{cfg: cfg, sources: process.NewSources(), autoscalers: map[target][]autoscaler{}, services: workload.Selectors{}, budgets: workload.Selectors{}, memory: map[string]*memoryRules{}, configPorts: map[[3]string]portNumbers{}, portsOfImages: map[image.Want]portNumbers{}}
	own, match := ownKinds(cfg), cfg.Matcher()
	for _, o := range objects {
		for _, e := range workload.Elements(o.Node().YNode()) {
			s.addSource(e)
			if a, is := autoscalerOf(o, e); is {
				s.autoscalers[a.target] = append(s.autoscalers[a.target], a)
			}
			w := workload.Of(o, e, own)
			if w == nil {
				continue
			}
			scope := &workloadScope{Workload: w}
			for _, p := range w.Pods {
				pod, err := scopePod(p, cfg, match)
				pod.err = err
				scope.pods = append(scope.pods, pod)
			}
			s.workloads = append(s.workloads, scope)
		}
	}
	return s
}

// ownKinds are the kinds of workloads that the settings add.
func ownKinds(cfg functionconfig.Config) (own []workload.Kind) {
	for _, k := range cfg.Workloads {
		kind := workload.Kind{Group: k.Group, Kind: k.Kind, Template: []string{k.Template}, Complete: true}
		if k.Replicas != "" {
			kind.Replicas = []string{k.Replicas}
		}
		own = append(own, kind)
	}
	return own
}

// addSource records what says something about the pods of others: ConfigMaps and Secrets, Services, PodDisruptionBudgets.
func (s *Scope) addSource(e workload.Element) {
	group, _, _ := strings.Cut(e.APIVersion, "/")
	switch {
	case e.APIVersion == "v1" && e.Kind == "Service":
		s.services.Add(e.Node, yamlnode.Get(e.Node, "spec", "selector"))
	case e.APIVersion == "v1" && (e.Kind == "LimitRange" || e.Kind == "ResourceQuota"):
		s.addMemoryRules(e.Node, e.Kind)
	case group == "policy" && e.Kind == "PodDisruptionBudget":
		s.budgets.Add(e.Node, yamlnode.Get(e.Node, "spec", "selector", "matchLabels"))
	case e.APIVersion == "v1" && (e.Kind == "ConfigMap" || e.Kind == "Secret"):
		s.sources.Add(e.Node, e.APIVersion, e.Kind)
		key := [3]string{e.Kind, yamlnode.Namespace(e.Node), yamlnode.Name(e.Node)}
		s.configPorts[key] = numbersIn(maps.Values(s.sources.Values(key[0], key[1], key[2])))
	}
}

// Images lists the distinct images whose configurations Apply needs, in document order.
func (s *Scope) Images() []image.Want {
	var wants []image.Want
	seen := map[image.Want]bool{}
	s.eachContainer(func(c *containerScope) {
		if c.Image != "" && !seen[c.want] {
			seen[c.want] = true
			wants = append(wants, c.want)
		}
	})
	return wants
}

// SupportImages lists the support images of a registry of the user's own that will be needed, now that the images are known: whether
// they are there, and what their labels say. What the default ones can do is known. It does no harm when one of them cannot be resolved.
func (s *Scope) SupportImages(images map[image.Want]image.Result) []image.Want {
	if s.stockSupport() {
		return nil
	}
	var wants []image.Want
	seen := map[image.Want]bool{}
	s.eachContainer(func(c *containerScope) {
		a, err := c.analyse(images, s.sources)
		if err != nil {
			return
		}
		plan, err := a.planned(runtimes.Options{Protocols: s.cfg.Protocols, Can: func(string) bool { return true }})
		if err != nil || !plan.Support {
			return
		}
		if want := s.supportImage(a.Detection.Runtime.Name(), c.want.Platform); !seen[want] {
			seen[want] = true
			wants = append(wants, want)
		}
	})
	return wants
}

// stockSupport says whether the support images are the published ones, whose limits are known.
func (s *Scope) stockSupport() bool {
	return s.cfg.SupportRegistry == functionconfig.Default().SupportRegistry
}

// published reports whether a support image is one of those published for Skaffold, as they are or under another
// name. One that cannot be asked is taken for the user's own.
func (s *Scope) published(support, platform string, images map[image.Want]image.Result) bool {
	if s.stockSupport() {
		return true
	}
	found, asked := images[s.supportImage(support, platform)]
	if !asked || found.Err != nil {
		return false
	}
	for label := range found.Config.Labels {
		if strings.HasPrefix(label, supportLabels) {
			return false
		}
	}
	return true
}

// Unmatched makes a result about each of the settings' entries that matches no container, and counts the containers that
// no artifact matches.
func (s *Scope) Unmatched() (results fn.Results, containers int) {
	var images []string
	seen := map[string]bool{}
	for _, w := range s.workloads {
		for _, p := range w.pods {
			containers += p.unmatched
			for _, c := range p.pod.Containers {
				if !seen[c.Image] {
					seen[c.Image] = true
					images = append(images, c.Image)
				}
			}
		}
	}
	for _, u := range s.cfg.Unmatched(images) {
		setting, _, _ := strings.Cut(u.Field, "[")
		results = append(results, &fn.Result{
			Severity: fn.Warning, Message: fmt.Sprintf("%s: %s matches no container", setting, foreign.Quote(u.Image)),
			Field: &fn.Field{Path: u.Field}, Tags: map[string]string{"reason": string(reason.MatchesNothing)},
		})
	}
	return results, containers
}

// eachContainer calls f for each container that is to be made debuggable, in document order.
func (s *Scope) eachContainer(f func(*containerScope)) {
	for _, w := range s.workloads {
		for _, p := range w.pods {
			for _, c := range p.open() {
				f(c)
			}
		}
	}
}

// supportImage is the support image that a plan names.
func (s *Scope) supportImage(support, platform string) image.Want {
	return image.Want{Image: s.cfg.SupportRegistry + "/" + support, Platform: platform}
}

// checkSupportImage refuses a container whose support image is known not to be there: the pod would never start. Without a registry
// that has been asked, and where it does not say, nothing is known.
func (s *Scope) checkSupportImage(a *attachment, images map[image.Want]image.Result) error {
	want := s.supportImage(a.Detection.Runtime.Name(), a.want.Platform)
	if !a.plan.Support || s.stockSupport() || s.cfg.Offline || !errors.Is(images[want].Err, image.ErrNotFound) {
		return nil
	}
	return &reason.Refusal{Code: reason.SupportImageMissing, Message: fmt.Sprintf(
		"there is no support image %s for %s, so the pod would never start: push it with `make push`, or name another supportRegistry", want.Image, want.Platform)}
}

// supportLabels begin the labels by which a support image says what is inside, and what it can do; see runtimes.Options.
const supportLabels = "dev.debuggable.support/"

// Apply edits the objects and says what it did, container by container. After an error, which no manifest that Kubernetes could read
// leads to, the objects are of no use.
func (s *Scope) Apply(images map[image.Want]image.Result) (fn.Results, error) {
	var results fn.Results
	host := s.hostPorts(images)
	for _, w := range s.workloads {
		outcome, err := s.applyWorkload(w, images, host)
		if err != nil {
			return nil, fmt.Errorf("editing %s %s: %w", w.Kind, foreign.Short(yamlnode.Name(w.Node)), err)
		}
		results = append(results, outcome...)
	}
	return results, nil
}

func (s *Scope) applyWorkload(w *workloadScope, images map[image.Want]image.Result, host *portSet) (fn.Results, error) {
	if w.Instead != "" {
		return fn.Results{w.Result(fn.Warning, reason.DeprecatedAPI, workload.LeftAlone+w.APIVersion+" is gone from Kubernetes; use "+w.Instead)}, nil
	}
	if w.Problem != "" {
		return fn.Results{w.Result(fn.Warning, reason.InvalidField, workload.LeftAlone+w.Problem)}, nil
	}
	results := strangeAnnotations(w.Workload)
	debugged, edited := false, false
	for _, p := range w.pods {
		results = append(results, p.results...)
		if p.err != nil {
			results = append(results, refusePod(p, s.cfg, p.err)...)
			continue
		}
		var outcome fn.Results
		var done, changed bool
		if p.configured != nil {
			outcome, done, changed = s.adjustConfigured(p)
		} else {
			var err error
			if outcome, done, err = s.applyPod(p, images, host); err != nil {
				return nil, err
			}
			changed = done
		}
		results = append(results, outcome...)
		debugged, edited = debugged || done, edited || changed
		if done && renameProbeAnnotation(p.pod) {
			edited = true
			results = append(results, w.Result(fn.Warning, reason.AnnotationRenamed,
				"annotation "+functionconfig.ProbeAnnotationDocumented+" is written out as "+functionconfig.ProbeAnnotation+", since Kubernetes refuses a key with two slashes"))
		}
		if done {
			edited = raise(p.pod.Spec, "activeDeadlineSeconds", p.settings.ProbeTimeout) || edited
			for _, path := range w.Rules.Deadlines {
				edited = raise(w.Node, path, p.settings.ProbeTimeout) || edited
			}
		}
	}
	if debugged {
		outcome, changed := s.scale(w)
		results = append(results, outcome...)
		edited = changed || edited
	}
	if edited {
		w.Object.MarkEdited()
	}
	return results, nil
}

// refusePod makes the results for a pod that stays as it is for a reason that concerns all of it. Where an annotation
// makes no sense, nothing says which containers were meant: then all are, but for init containers.
func refusePod(p *podScope, cfg functionconfig.Config, err error) fn.Results {
	var results fn.Results
	for _, c := range p.containers {
		results = append(results, refusal(c.Container, severity(cfg), "", err))
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
		results = append(results, p.pod.Workload.Result(severity(cfg), reasonOf(err), workload.LeftAlone+err.Error()))
	}
	return results
}

// adjustConfigured keeps the containers of a pod that is debuggable already, but relaxes the probes of those that the
// annotation lists.
func (s *Scope) adjustConfigured(p *podScope) (results fn.Results, debugged, changed bool) {
	listed := map[string]debuginfo.Entry{}
	for _, e := range p.configured {
		listed[e.Name] = e
	}
	inScope := map[*workload.Container]bool{}
	for _, c := range p.containers {
		inScope[c.Container] = true
	}
	for _, c := range p.pod.Containers {
		e, is := listed[c.Name]
		switch {
		case is:
			debugged = true
			changed = relaxProbes(c, p.settings.ProbeTimeout, p.settings.Suspend) || changed
			results = append(results, c.Result(fn.Info, reason.AlreadyConfigured, e.Runtime, "kept as it is: annotation %s lists it", debuginfo.Annotation))
		case inScope[c]:
			results = append(results, c.Result(fn.Info, reason.AlreadyConfigured, "", "kept as it is: annotation %s does not list it", debuginfo.Annotation))
		}
	}
	for _, e := range p.configured {
		if p.pod.Named[e.Name] == 0 {
			results = append(results, p.pod.Workload.Result(fn.Warning, reason.UnknownContainer, "annotation "+debuginfo.Annotation+" lists "+e.Name+", which is no container of the pod"))
		}
	}
	return results, debugged, changed
}

// options are the choices that hold for all containers of a pod.
func (s *Scope) options(p *podScope) runtimes.Options {
	return runtimes.Options{Suspend: p.settings.Suspend, Protocols: s.cfg.Protocols}
}

// applyPod makes the containers of a pod debuggable, as many as can be. host are the ports of the pods on the host's
// network, to which it adds.
func (s *Scope) applyPod(p *podScope, images map[image.Want]image.Result, host *portSet) (results fn.Results, done bool, err error) {
	outcomes := make([]fn.Results, len(p.containers))
	refuse := func(i int, runtime string, err error) {
		c := p.containers[i]
		outcomes[i] = fn.Results{refusal(c.Container, c.severity(s.cfg, err), runtime, err)}
	}
	used, onHost := s.takenPorts(p, images), p.pod.OnHostNetwork()
	options := s.options(p)
	if onHost {
		used.merge(host)
	}
	options.FreePort = func(from int32) int32 { return free(from, used) }
	storage := p.pod.StorageLimit()
	var attached []*attachment
	for i, c := range p.containers {
		analysis, err := c.analyse(images, s.sources)
		if err != nil {
			refuse(i, "", err)
			continue
		}
		a := &attachment{containerScope: c, Analysis: analysis, index: i}
		labels := images[s.supportImage(a.Detection.Runtime.Name(), a.want.Platform)].Config.Labels
		options.Can = func(ability string) bool { return labels[supportLabels+ability] == "true" }
		options.Published = s.published(a.Detection.Runtime.Name(), a.want.Platform, images)
		err = s.decide(a, options, images)
		if err == nil {
			err = a.checkFile(labels[delveVersion])
		}
		if err != nil {
			refuse(i, a.Detection.Runtime.Name(), err)
			continue
		}
		for _, port := range a.plan.Ports {
			used.add(port.Number)
			if onHost {
				host.add(port.Number)
			}
		}
		attached = append(attached, a)
		outcomes[i] = slices.Concat(a.results(), a.fileResults(), a.cautions(storage))
	}
	err = checkSupport(p.pod, attached, s.cfg.SupportRegistry)
	if err == nil {
		err = checkAnnotations(p.pod, entriesOf(attached))
	}
	if err != nil {
		for _, a := range attached {
			outcomes[a.index] = fn.Results{refusal(a.Container, fn.Error, a.Detection.Runtime.Name(), err)}
		}
		attached, err = nil, nil
	}
	outcomes = append(outcomes, sharedPorts(attached))
	if len(attached) > 0 {
		err = p.apply(attached, s.cfg.SupportRegistry)
	}
	return slices.Concat(outcomes...), len(attached) > 0, err
}

// decide plans the debugger of a container, and refuses it where the pod or the container would be worse off.
func (s *Scope) decide(a *attachment, o runtimes.Options, images map[image.Want]image.Result) (err error) {
	if err = a.attach(o); err != nil || a.plan.Existing {
		return err
	}
	if err = s.checkSupportImage(a, images); err != nil {
		return err
	}
	if err = a.checkStart(); err != nil {
		return err
	}
	a.memory, err = s.planMemory(a)
	return err
}

// apply makes all edits of a pod.
func (p *podScope) apply(attached []*attachment, registry string) error {
	var errs []error
	for _, a := range attached {
		process.WriteCommandLine(a.Container, a.edited)
		errs = append(errs, process.WriteEnv(a.Container, a.env))
		relaxProbes(a.Container, p.settings.ProbeTimeout, p.settings.Suspend)
	}
	if !p.pod.Workload.Rules.Knative {
		errs = append(errs, expose(p.pod, attached))
	}
	errs = append(errs, addSupport(p.pod, attached, registry))
	for _, a := range attached {
		errs = append(errs, a.raiseMemory())
	}
	return errors.Join(append(errs, annotate(p.pod, entriesOf(attached)))...)
}

// entriesOf is what the annotation records.
func entriesOf(attached []*attachment) (entries []debuginfo.Entry) {
	for _, a := range attached {
		entries = append(entries, debuginfo.Entry{Name: a.Name, Container: debuginfo.Container{
			Artifact: a.artifact, Runtime: a.Detection.Runtime.Name(), WorkingDir: a.workingDir(), RemoteRoot: a.remoteRoot(), Ports: portsByProtocol(a.plan.Ports),
		}})
	}
	return entries
}
