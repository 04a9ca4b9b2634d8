package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/spf13/cobra"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/terminal"
	"debuggable.dev/debuggable/internal/usage"
	"debuggable.dev/debuggable/transform"
)

// newTransform is the main job: manifests in, debuggable manifests out.
func newTransform(in io.Reader, out, errw io.Writer) *cobra.Command {
	var files []string
	var format string
	var quiet, diff bool
	cmd := &cobra.Command{
		Short: "Make rendered Kubernetes manifests debuggable",
		Long: `debuggable reads Kubernetes manifests, finds out from the image configuration of each container which
language runtime it runs, and rewrites the workloads so that their processes start under a debugger. Where the
debuggers listen is recorded in the annotation debug.cloud.google.com/config.

A ResourceList on standard input makes it a KRM function; any other YAML or JSON makes it a filter, which tells
what it did on standard error. What cannot be made debuggable for certain stays as it is, and a result says why.`,
		Example: `  # between rendering and applying
  kustomize build overlays/dev | debuggable | kubectl apply -f -

  # what would change
  debuggable -f k8s/ --diff

  # files and folders, with image configurations from a lock file, without any network connection
  debuggable -f k8s/ --image-configs images.lock.yaml --offline

  # images that were built into an OCI layout and never pushed
  debuggable -f k8s/ --layout gcr.io/acme/web=build/oci

  # as a KRM function
  kpt fn eval k8s/ --exec debuggable -- replicas=0`,
		Args: noArgs,
	}
	flags := functionconfig.AddFlags(cmd.Flags())
	addFilename(cmd, &files)
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "report warnings and errors alone")
	cmd.Flags().BoolVar(&diff, "diff", false, "print a unified diff of the edits instead of the manifests")
	cmd.Flags().StringVar(&format, "report", "text",
		"`FORMAT` of the results on standard error: text, or json for one result a line")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if format != "text" && format != "json" {
			return usage.Errorf("--report is %q: want text or json", format)
		}
		if len(files) == 0 && terminal.Is(in) {
			return cmd.Help()
		}
		read, err := readToTransform(cmd.Context(), files, in, flags)
		if err != nil {
			return err
		}
		set := read.set
		if diff && set.Function {
			return usage.Errorf("--diff wants manifests: a ResourceList has to come out as one")
		}
		done, err := read.transform(cmd.Context(), errw, files)
		if stop := interrupted(cmd.Context()); stop != nil {
			return stop
		}
		if err != nil && !set.Function && format != "json" {
			return err
		}
		if err != nil {
			done.results = append(done.results, settingsResults(err)...)
		}
		if done.failure != nil {
			return done.failure
		}
		failed := hasErrors(done.results)
		done.tell(errw, set, format, quiet, failed)
		switch {
		case failed && !set.Function:
			return errReported
		case diff:
			return writeDiff(out, set)
		}
		if err := set.Write(out, done.results); err != nil {
			return err
		}
		if failed {
			return errReported
		}
		return nil
	}
	return cmd
}

// readManifests reads files and folders, or standard input.
func readManifests(ctx context.Context, files []string, in io.Reader) (*manifest.Set, error) {
	inputs, err := manifestInputs(ctx, files, in)
	if err != nil {
		return nil, err
	}
	return manifest.Read(inputs...)
}

func manifestInputs(ctx context.Context, files []string, in io.Reader) ([]manifest.Input, error) {
	if len(files) == 0 {
		files = []string{"-"}
	}
	return manifest.Expand(ctx, files, in)
}

// interrupted is an error when the program was told to stop: what it has found out by then is not all, and must not
// pass for it.
func interrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("resolving images: %w", context.Cause(ctx))
}

// resolved is a scope with all that it needs to know, and the plan that follows from it.
type resolved struct {
	images    map[image.Want]image.Result // support images too
	support   []image.Want                // which of them are support images of the user's choice
	published []image.Want                // and which the published ones, of which only what is written down is known
	plan      *transform.Plan
}

// resolve finds the configurations of the images that a scope needs, and then of the support images, and plans what to
// do.
func resolve(
	ctx context.Context, errw io.Writer, source image.Source, scope *transform.Scope, cfg functionconfig.Config,
) resolved {
	images := resolveAll(ctx, errw, source, scope.Images())
	looker := prepare(cfg, images)
	return resolveSupport(ctx, errw, source, images, lookInside(ctx, errw, looker, images, scope))
}

// resolveSupport finds the configurations of the support images that programs need, and plans what to do.
func resolveSupport(
	ctx context.Context, errw io.Writer, source image.Source, images map[image.Want]image.Result,
	programs *transform.Programs,
) resolved {
	r := resolved{images: images}
	r.support, r.published = programs.SupportImages()
	found := resolveAll(ctx, errw, image.Pushed(source), r.support)
	maps.Copy(found, resolveAll(ctx, errw, image.Written(source), r.published))
	r.plan = programs.Plan(found)
	maps.Copy(r.images, found)
	return r
}

// object is a manifest.Object as package transform wants it.
type object struct {
	*manifest.Object
	stream bool // it is a document of a file or of standard input, not an item that an orchestrator has read
}

// File implements transform.Object.
func (o object) File() (string, int) {
	if o.stream {
		input, document := o.Place()
		if input == manifest.Stdin {
			input = "-"
		}
		return input, document
	}
	index, _ := o.Index()
	if path := o.Path(); path != manifest.Stdin {
		return path, index
	}
	return "", 0
}

func objects(set *manifest.Set) []transform.Object {
	var os []transform.Object
	for _, o := range set.Objects() {
		os = append(os, object{o, !set.Function})
	}
	return os
}

// settingsResults makes a result of each of the problems that an error joins.
func settingsResults(err error) fn.Results {
	code := reason.InvalidSettings
	var ref *fn.ResourceRef
	var file *fn.File
	if item := new(itemError); errors.As(err, &item) {
		code = reason.InvalidImageConfigs
		ref = &fn.ResourceRef{}
		*ref = newResource(item.object.Node().YNode()).ResourceRef
		if path, index := item.object.File(); path != "" {
			file = &fn.File{Path: path, Index: index}
		}
	}
	var results fn.Results
	var add func(where string, err error)
	add = func(where string, err error) {
		var joined interface {
			error
			Unwrap() []error
		}
		if errors.As(err, &joined) {
			where += strings.TrimSuffix(err.Error(), joined.Error())
			for _, problem := range joined.Unwrap() {
				add(where, problem)
			}
			return
		}
		r := &fn.Result{
			Severity: fn.Error, Message: foreign.Line(foreign.Cut(where+err.Error(), 4000)),
			ResourceRef: ref, File: file, Tags: map[string]string{"reason": string(code)},
		}
		var field *fields.Error
		if errors.As(err, &field) && field.Path != "" {
			r.Field = &fn.Field{Path: field.Path}
		}
		results = append(results, r)
	}
	add("", err)
	return results
}

func hasErrors(results fn.Results) bool { return len(errorsOnly(results)) > 0 }

func errorsOnly(results fn.Results) fn.Results {
	var errs fn.Results
	for _, r := range results {
		if r.Severity == fn.Error {
			errs = append(errs, r)
		}
	}
	return errs
}

// userAgent names the program to registries.
func userAgent() string { return "debuggable/" + version() }
