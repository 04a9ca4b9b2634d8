package transform

import (
	"fmt"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// readAnnotations reads what the pod's annotations say about all of it, and reports whether it is to be left alone.
func (s *podScope) readAnnotations() (skip bool, err error) {
	for _, a := range functionconfig.Annotations() {
		key, value, ok := annotationOf(s.pod, a.Keys)
		if !ok {
			continue
		}
		if err := a.Read(&s.settings, value); err != nil {
			return false, badAnnotation(key, value, err.Error())
		}
		if s.settings.Skip {
			s.results = append(s.results, s.pod.Workload.Result(fn.Info, reason.Skipped, workload.LeftAlone+"annotated "+key))
			return true, nil
		}
	}
	if value, ok := yamlnode.Annotation(s.pod.Template, debuginfo.Annotation); ok {
		entries, err := debuginfo.Decode(value)
		if err != nil {
			return false, badAnnotation(debuginfo.Annotation, value, err.Error())
		}
		s.configured = append([]debuginfo.Entry{}, entries...)
	}
	return false, nil
}

// named are the containers that an annotation lists; nil where there is none.
func (s *podScope) named() map[string]bool {
	if s.settings.Containers == nil {
		return nil
	}
	named := map[string]bool{}
	for _, name := range s.settings.Containers {
		if !s.pod.Has(name) {
			s.unknown(functionconfig.ContainersAnnotation, name)
			continue
		}
		named[name] = true
	}
	return named
}

// unknown reports a container that an annotation names and that the pod does not have.
func (s *podScope) unknown(annotation, name string) {
	s.results = append(s.results,
		s.pod.Workload.Result(fn.Warning, reason.UnknownContainer,
			fmt.Sprintf("annotation %s names %q, which is no container of the pod", annotation, name)))
}

// told are the runtimes that an annotation names, by container name; "" is for all containers.
func (s *podScope) told() (map[string]runtimes.Runtime, error) {
	if err := s.settings.RuntimesErr; err != nil {
		value, _ := s.pod.Annotation(functionconfig.RuntimeAnnotation)
		return nil, badAnnotation(functionconfig.RuntimeAnnotation, value, err.Error())
	}
	told := map[string]runtimes.Runtime{}
	for _, r := range s.settings.Runtimes {
		if !r.All && !s.pod.Has(r.Container) {
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
		annotations := yamlnode.Pairs(o, "metadata", "annotations")
		for i := 0; i < len(annotations); i += 2 {
			key := annotations[i].Value
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
	return reason.Refuse(reason.BadAnnotation, "annotation %s is %s: %s", key, foreign.Quote(value),
		foreign.Short(problem))
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

// renameProbeAnnotation writes the documented spelling of an object's probe annotation out under the valid name.
func renameProbeAnnotation(object *yaml.Node) {
	m := yamlnode.Get(object, "metadata", "annotations")
	i, _ := yamlnode.Field(m, functionconfig.ProbeAnnotationDocumented)
	if i < 0 {
		return
	}
	if j, _ := yamlnode.Field(m, functionconfig.ProbeAnnotation); j >= 0 {
		yamlnode.Remove(m, functionconfig.ProbeAnnotationDocumented)
		return
	}
	m.Content[i-1].Value = functionconfig.ProbeAnnotation
}
