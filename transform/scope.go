package transform

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// podScope is what the settings and annotations say about one pod template.
type podScope struct {
	pod        *workload.Pod
	containers []*containerScope // those in scope, in pod order
	configured []debuginfo.Entry // what an earlier run or the user configured: the containers stay as they are then; nil: nothing
	settings   functionconfig.PodSettings
	unmatched  int        // containers that are out of scope because no artifact matches them
	results    fn.Results // what there is to say before any image is known
	err        error      // why all of the pod stays as it is: a *reason.Refusal
}

// containerScope is a container that the settings and annotations choose.
type containerScope struct {
	*workload.Container
	want     image.Want
	artifact string           // what the annotation records
	told     runtimes.Runtime // nil: detect
	chosen   bool             // an artifact or an annotation names it
	hint     string           // how the user says what it runs

	analysis func() (Analysis, error) // made once, by analyse
}

// open lists the containers that may get a debugger.
func (s *podScope) open() []*containerScope {
	if s.err != nil || s.configured != nil {
		return nil
	}
	return s.containers
}

// analyse works out the container's process and runtime, once, for all who ask before anything is edited. An error is a
// *reason.Refusal.
func (c *containerScope) analyse(images map[image.Want]image.Result, known *process.Sources) (Analysis, error) {
	if c.analysis == nil {
		c.analysis = sync.OnceValues(func() (Analysis, error) {
			if err := c.Pod.CheckName(c.Name); err != nil {
				return Analysis{}, err
			}
			if c.Image == "" {
				return Analysis{}, &reason.Refusal{Code: reason.NoImage, Message: "it has no image"}
			}
			resolved := images[c.want]
			if resolved.Err != nil {
				return Analysis{}, imageProblem(resolved.Err)
			}
			return analyse(c.Container, resolved.Config, known, c.told, c.hint)
		})
	}
	return c.analysis()
}

// scopePod works out what is to be done with a pod. An error is a *reason.Refusal for the whole pod.
func scopePod(p *workload.Pod, cfg functionconfig.Config, match *functionconfig.Matcher) (*podScope, error) {
	s := &podScope{pod: p, settings: functionconfig.PodSettings{ProbeTimeout: cfg.ProbeTimeout, Suspend: cfg.Suspend}}
	for _, a := range functionconfig.Annotations() {
		key, value, ok := annotationOf(p, a.Keys)
		if !ok {
			continue
		}
		if err := a.Read(&s.settings, value); err != nil {
			return s, badAnnotation(key, value, err.Error())
		}
		if s.settings.Skip {
			s.results = append(s.results, p.Workload.Result(fn.Info, reason.Skipped, workload.LeftAlone+"annotated "+key))
			return s, nil
		}
	}
	value, configured := yamlnode.Annotation(p.Template, debuginfo.Annotation)
	if configured {
		entries, err := debuginfo.Decode(value)
		if err != nil {
			return s, badAnnotation(debuginfo.Annotation, value, err.Error())
		}
		s.configured = append([]debuginfo.Entry{}, entries...)
	}
	named, platform := s.named(), p.Platform(cfg.Platform)
	for _, c := range p.Containers {
		if named != nil && !named[c.Name] || named == nil && c.Init {
			continue
		}
		scope := &containerScope{Container: c, want: image.Want{Image: c.Image, Platform: platform}, artifact: c.Image}
		scope.chosen = named != nil
		if scope.matches(cfg, match) {
			s.containers = append(s.containers, scope)
		} else {
			s.unmatched++
		}
	}
	if configured || len(s.containers) > 0 {
		if err := p.CheckShape(); err != nil {
			return s, err
		}
	}
	if configured {
		return s, nil
	}
	told, err := s.told()
	if err != nil {
		return s, err
	}
	for _, c := range s.containers {
		if r := told[c.Name]; r != nil {
			c.told = r
		} else if r := told[""]; r != nil {
			c.told = r
		}
	}
	if len(s.containers) > 0 && !p.OnLinux() {
		return s, &reason.Refusal{Code: reason.NotLinux, Message: "the pod runs on another operating system than Linux"}
	}
	return s, nil
}

// named are the containers that an annotation lists; nil where there is none.
func (s *podScope) named() map[string]bool {
	if s.settings.Containers == nil {
		return nil
	}
	named := map[string]bool{}
	for _, name := range s.settings.Containers {
		if !s.has(name) {
			s.unknown(functionconfig.ContainersAnnotation, name)
			continue
		}
		named[name] = true
	}
	return named
}

// has says whether the pod has a container of that name.
func (s *podScope) has(name string) bool {
	return s.pod.Named[name] > 0
}

// unknown reports a container that an annotation names and that the pod does not have.
func (s *podScope) unknown(annotation, name string) {
	s.results = append(s.results, s.pod.Workload.Result(fn.Warning, reason.UnknownContainer, fmt.Sprintf("annotation %s names %q, which is no container of the pod", annotation, name)))
}

// matches finds the first artifact that names the container's image; without artifacts every image is in scope. It also
// finds out what the settings say about the image.
func (c *containerScope) matches(cfg functionconfig.Config, match *functionconfig.Matcher) bool {
	c.hint = fmt.Sprintf("set %s, or annotate the pod with %s", cfg.Surface("runtimes"), functionconfig.RuntimeAnnotation)
	if name, ok := match.Runtime(c.Image); ok {
		c.told = runtimes.ByName(name)
	}
	if len(cfg.Artifacts) == 0 {
		return true
	}
	a, ok := match.Artifact(c.Image)
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

// told are the runtimes that an annotation names, by container name; "" is for all containers.
func (s *podScope) told() (map[string]runtimes.Runtime, error) {
	if err := s.settings.RuntimesErr; err != nil {
		value, _ := s.pod.Annotation(functionconfig.RuntimeAnnotation)
		return nil, badAnnotation(functionconfig.RuntimeAnnotation, value, err.Error())
	}
	told := map[string]runtimes.Runtime{}
	for _, r := range s.settings.Runtimes {
		if !r.All && !s.has(r.Container) {
			s.unknown(functionconfig.RuntimeAnnotation, r.Container)
			continue
		}
		told[r.Container] = runtimes.ByName(r.Runtime)
	}
	return told, nil
}

// strangeAnnotations warns of annotations that were meant for this program, but that it does not know: a misspelt
// debuggable.dev/skip is not what its author may rely on.
func strangeAnnotations(w *workload.Workload) fn.Results {
	objects := []*yaml.Node{w.Node}
	for _, p := range w.Pods {
		objects = append(objects, p.Template)
	}
	known := []string{debuginfo.Annotation}
	for _, a := range functionconfig.Annotations() {
		known = append(known, a.Keys...)
	}
	seen := map[string]bool{}
	for _, k := range known {
		seen[k] = true
	}
	var results fn.Results
	for _, o := range objects {
		annotations := yamlnode.Get(o, "metadata", "annotations")
		if !yamlnode.IsMapping(annotations) {
			continue
		}
		for i := 0; i+1 < len(annotations.Content); i += 2 {
			key := annotations.Content[i].Value
			domain, name, _ := strings.Cut(key, "/")
			var beside []string
			for _, k := range known {
				if rest, ok := strings.CutPrefix(k, domain+"/"); ok {
					beside = append(beside, rest)
				}
			}
			meant := fields.Nearest(name, beside)
			// debug.cloud.google.com is not ours alone: there, only what looks like an annotation that counts is a mistake.
			if len(beside) == 0 || seen[key] || meant == "" && domain != functionconfig.Domain {
				continue
			}
			seen[key] = true
			message := "annotation " + key + " means nothing"
			if meant != "" {
				message += ", did you mean " + domain + "/" + meant + "?"
			}
			results = append(results, w.Result(fn.Warning, reason.BadAnnotation, message))
		}
	}
	return results
}

func badAnnotation(key, value, problem string) error {
	return &reason.Refusal{Code: reason.BadAnnotation, Message: fmt.Sprintf("annotation %s is %s: %s", key, foreign.Quote(value), foreign.Short(problem))}
}

// annotationOf returns an annotation in whichever spelling: the pod template's or, where it has none, the object's.
func annotationOf(p *workload.Pod, keys []string) (key, value string, ok bool) {
	for _, object := range []*yaml.Node{p.Template, p.Workload.Node} {
		for _, key := range keys {
			if value, ok := yamlnode.Annotation(object, key); ok {
				return key, value, true
			}
		}
	}
	return "", "", false
}

// renameProbeAnnotation writes the documented spelling of the probe annotation out under the valid name.
func renameProbeAnnotation(p *workload.Pod) bool {
	renamed := false
	for _, object := range []*yaml.Node{p.Template, p.Workload.Node} {
		m := yamlnode.Get(object, "metadata", "annotations")
		i, _ := yamlnode.Field(m, functionconfig.ProbeAnnotationDocumented)
		if i < 0 {
			continue
		}
		renamed = true
		if j, _ := yamlnode.Field(m, functionconfig.ProbeAnnotation); j >= 0 {
			yamlnode.Remove(m, functionconfig.ProbeAnnotationDocumented)
			continue
		}
		m.Content[i-1].Value = functionconfig.ProbeAnnotation
	}
	return renamed
}

// severity is how bad it is that a container in scope is not made debuggable.
func severity(cfg functionconfig.Config) fn.Severity {
	if cfg.Strict {
		return fn.Error
	}
	return fn.Warning
}

// severity is how bad it is that a container stays as it is for a reason. That redis is none of the runtimes is as it should be,
// unless the user means that very container and wants to know for certain.
func (c *containerScope) severity(cfg functionconfig.Config, err error) fn.Severity {
	if reasonOf(err) == reason.KnownOther && !(cfg.Strict && c.chosen) {
		return fn.Info
	}
	return severity(cfg)
}

// imageProblem words a failure to resolve an image.
func imageProblem(err error) error {
	var refusal *reason.Refusal
	switch {
	case errors.As(err, &refusal):
		return err
	case errors.Is(err, image.ErrNotFound):
		return &reason.Refusal{Code: reason.ImageNotFound, Message: err.Error()}
	}
	return &reason.Refusal{Code: reason.ImageUnreadable, Message: err.Error()}
}
