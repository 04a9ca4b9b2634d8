package transform

import (
	"errors"
	"fmt"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/podedit"
	"debuggable.dev/debuggable/internal/process"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// Apply edits the objects. After an error, which no manifest that Kubernetes could read leads to, they are of no use.
func (p *Plan) Apply() error {
	if err := p.applyWorkloads(); err != nil {
		return err
	}
	for _, w := range p.Workloads {
		w.scaling.Pin()
	}
	return nil
}

func (p *Plan) applyWorkloads() error {
	for _, w := range p.Workloads {
		if err := w.apply(); err != nil {
			return fmt.Errorf("editing %s %s: %w", w.Workload.Kind, foreign.Short(yamlnode.Name(w.Workload.Node)), err)
		}
	}
	return nil
}

func (w WorkloadPlan) apply() error {
	edited := len(w.renames) > 0
	for _, p := range w.Pods {
		changed, err := p.apply()
		if err != nil {
			return err
		}
		edited = edited || changed
	}
	for _, object := range w.renames {
		renameProbeAnnotation(object)
	}
	if w.scaling.Apply() || edited {
		w.Workload.Object.MarkEdited()
	}
	return nil
}

// apply makes all edits of a pod, and reports whether there are any.
func (p PodPlan) apply() (changed bool, err error) {
	if !p.isDebugged() {
		return false, nil
	}
	for _, c := range p.kept {
		changed = podedit.RelaxProbes(c, p.probeTimeout, p.suspend) || changed
	}
	if debugged := p.debugged(); len(debugged) > 0 {
		changed, err = true, p.applyContainers(debugged)
	}
	changed = podedit.Raise(p.Pod.Spec, "activeDeadlineSeconds", p.probeTimeout) || changed
	for _, path := range p.Pod.Workload.Rules.Deadlines {
		changed = podedit.Raise(p.Pod.Workload.Node, path, p.probeTimeout) || changed
	}
	return changed, err
}

func (p PodPlan) applyContainers(debugged []podedit.Debugged) error {
	var errs []error
	for _, c := range p.Containers {
		if c.Refusal == nil {
			process.WriteCommandLine(c.Container, c.Edits.Line)
			errs = append(errs, process.WriteEnv(c.Container, c.Edits.Env))
			podedit.RelaxProbes(c.Container, p.probeTimeout, p.suspend)
		}
	}
	if !p.Pod.Workload.Rules.Knative {
		errs = append(errs, podedit.Expose(p.Pod, debugged))
	}
	errs = append(errs, podedit.AddSupport(p.Pod, debugged))
	for _, c := range p.Containers {
		if c.Refusal == nil {
			errs = append(errs, c.Memory.Write(c.Container))
		}
	}
	return errors.Join(append(errs, podedit.Annotate(p.Pod, p.entries()))...)
}
