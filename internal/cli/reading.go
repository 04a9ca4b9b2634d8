package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/report"
	"debuggable.dev/debuggable/transform"
)

// reading is what was read to be transformed.
type reading struct {
	set       *manifest.Set
	cfg       functionconfig.Config
	err       error // of the settings; then there is no scope
	scope     *transform.Scope
	workloads []*manifest.Object // which have some
	own       []*manifest.Object // which have resources of our own in them
}

// readToTransform reads files and folders, or standard input, and keeps no more of it in memory than it has to.
func readToTransform(
	ctx context.Context, files []string, in io.Reader, flags *functionconfig.Flags,
) (r reading, err error) {
	inputs, err := manifestInputs(ctx, files, in)
	if err != nil {
		return r, err
	}
	paceCollector(inputs)
	begin := func(set *manifest.Set) func(o *manifest.Object) bool {
		r = reading{set: set}
		if r.cfg, r.err = functionconfig.Load(set.FunctionConfig, flags); r.err != nil {
			r.err = fmt.Errorf("reading settings: %w", r.err)
		}
		r.cfg.ByField = set.Function
		r.scope = transform.NewScope(r.cfg)
		return r.note
	}
	set, err := manifest.ReadEach(begin, inputs...)
	if err == nil && r.set == nil { // without objects
		begin(set)
	}
	return r, err
}

// paceCollector has less garbage collected than the runtime would where an input is small: not as soon as there is as
// much of it as there is memory in use, but 12 MiB at least. At a hundred resources, a sixth of the CPU time is saved.
func paceCollector(inputs []manifest.Input) {
	const (
		atLeast = 12 << 20
		program = 3 << 20 // what is in use without manifests
		times   = 8       // what manifests take, compared with their text
	)
	inUse := program
	for _, in := range inputs {
		inUse += times * len(in.Data)
	}
	const usual = 100
	if was := debug.SetGCPercent(max(usual, 100*atLeast/inUse)); was != usual { // the environment says
		debug.SetGCPercent(was)
	}
}

// note notes what there is in an object, and reports whether its tree is needed apart from that of its workloads.
func (r *reading) note(o *manifest.Object) bool {
	own := slices.ContainsFunc(resources(o), func(r resource) bool {
		return r.APIVersion == functionconfig.APIVersion || r.APIVersion == image.ImageConfigsAPIVersion
	})
	if own {
		r.own = append(r.own, o)
	}
	if r.err != nil {
		return own
	}
	workloads, referred := r.scope.Note(object{o, !r.set.Function})
	if workloads {
		r.workloads = append(r.workloads, o)
	}
	return own || referred
}

// transformation is what was done with a set.
type transformation struct {
	cfg     functionconfig.Config
	results fn.Results
	outside int                // containers that no artifact matches
	own     []*manifest.Object // with resources of our own
	failure error              // of editing
}

// transform edits the objects of a set. An error is one of the settings, or of the sources that they name.
func (r *reading) transform(ctx context.Context, errw io.Writer, files []string) (t transformation, err error) {
	t = transformation{cfg: r.cfg, own: r.own}
	if r.err != nil {
		return t, r.err
	}
	listed, err := itemEntries(r.own, r.set.Function)
	if err != nil {
		return t, err
	}
	source, err := newSource(ctx, r.cfg, listed, files)
	if err != nil {
		return t, err
	}
	var unmatched fn.Results
	unmatched, t.outside = r.scope.Unmatched()
	t.results, t.failure = r.edit(ctx, errw, source)
	if r.set.Function { // whose files are the orchestrator's, with lines that are not known here
		for i, result := range t.results {
			t.results[i] = report.WithoutLine(result)
		}
	}
	t.results = append(t.results, unmatched...)
	return t, nil
}

// edit finds the configurations of images, plans what to do, and does it: for some objects at a time, unless it takes
// several rounds to find out what there is to know of the images.
func (r *reading) edit(ctx context.Context, errw io.Writer, source image.Source) (results fn.Results, err error) {
	images := resolveAll(ctx, errw, source, r.scope.Images())
	looker := prepare(r.cfg, images)
	chosen, published, written := r.scope.LikelySupportImages()
	if looker != nil || !written {
		r.set.Restore()
		scope := transform.Find(objects(r.set), r.cfg)
		plan := resolveSupport(ctx, errw, source, images, lookInside(ctx, errw, looker, images, scope)).plan
		return plan.Results(), cmp.Or(interrupted(ctx), plan.Apply())
	}
	support := resolveAll(ctx, errw, image.Pushed(source), chosen)
	maps.Copy(support, resolveAll(ctx, errw, image.Written(source), published))
	planner := r.scope.Programs(images).Planner(support)
	err = r.set.Again(r.workloads, func(some []*manifest.Object) error {
		these := make([]transform.Object, len(some))
		for i, o := range some {
			these[i] = object{o, !r.set.Function}
		}
		more, err := planner.Edit(these)
		results = append(results, more...)
		return cmp.Or(err, interrupted(ctx))
	})
	planner.Pin()
	return results, err
}
