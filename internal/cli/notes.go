package cli

import (
	"fmt"
	"io"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/report"
)

// tell tells the results on standard error, what else is to be known, and at the end how much was done. As a function
// it tells warnings and errors alone: some orchestrators show the results, others standard error.
func (t transformation) tell(errw io.Writer, set *manifest.Set, format string, quiet, failed bool) {
	r := report.New(errw, format, quiet || set.Function)
	r.Results(t.results)
	notes := report.New(errw, format, quiet)
	if !set.Function {
		if len(set.Objects()) > 0 && len(t.results) == 0 && t.outside == 0 {
			notes.Note("nothing to do: no document has a pod template that is known; " +
				"workloads, in a functionConfig, tells further kinds")
		}
		noteLocal(notes, t.own)
	}
	if t.outside > 0 {
		noteOutside(notes, t.outside)
	}
	t.noteKept(notes)
	if failed && !set.Function && format != "json" { // whose lines are all results
		fmt.Fprintln(errw, "debuggable: nothing was written, because of the errors above")
	}
	r.Total(t.results, !failed || set.Function)
}

// noteKept says of settings that they come too late for what is configured already, and how to go back.
func (t transformation) noteKept(r report.Reporter) {
	kept := 0
	for _, result := range t.results {
		if result.Tags["reason"] == string(reason.AlreadyConfigured) {
			kept++
		}
	}
	if settings := t.cfg.TooLate(); kept > 0 && len(settings) > 0 {
		r.Note("%s: no effect on the %s; start from the manifests as they were before "+
			"(git, or in a cluster kubectl rollout undo)",
			settings, containersConfigured(kept))
	}
}

func containersConfigured(n int) string {
	if n == 1 {
		return "container that is configured already"
	}
	return fmt.Sprintf("%d containers that are configured already", n)
}

// noteOutside says how many containers are out of scope.
func noteOutside(r report.Reporter, containers int) {
	subject := "containers are left alone: no artifact matches their images"
	if containers == 1 {
		subject = "container is left alone: no artifact matches its image"
	}
	r.Note("%d %s", containers, subject)
}

// noteLocal says of each resource of our own in a stream that kubectl, which may come next, has no use for it.
// Orchestrators leave out what is marked as local to a package, but kubectl does not know the mark.
func noteLocal(r report.Reporter, own []*manifest.Object) {
	for _, o := range own {
		for _, local := range resources(o) {
			instead := ""
			switch {
			case local.APIVersion != functionconfig.APIVersion:
			case local.Kind == image.ImageConfigsKind:
				instead = "name it with --image-configs"
			case local.Kind == functionconfig.Kind:
				instead = "give the settings as flags, since a stream's are not read"
			}
			if instead != "" {
				r.Note("%s/%s passes through, but kubectl apply refuses it: keep it out of what is applied, and %s (%s)",
					local.Kind, foreign.Short(local.Name), instead, o.Where())
			}
		}
	}
}
