package cli

import (
	"context"
	"io"
	"time"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/transform"
)

// maxRounds bounds how often one file leads to another: a script to a script, say.
const maxRounds = 16

// prepare makes images ready to be looked into; it returns nil where none of them can be.
func prepare(cfg functionconfig.Config, images map[image.Want]image.Result) *image.Looker {
	if looker := image.NewLooker(cfg.LookInside, image.DefaultCacheDir()); looker.Prepare(images) {
		return looker
	}
	return nil
}

// lookInside looks for the files that decide what the containers of a scope start, as long as one leads to the next,
// and returns the programs that they start. Without a looker, nothing is looked for.
func lookInside(
	ctx context.Context, errw io.Writer, looker *image.Looker, images map[image.Want]image.Result, scope *transform.Scope,
) *transform.Programs {
	if looker == nil {
		return scope.Programs(images)
	}
	defer looker.Close()
	defer show(errw, func(time.Time, time.Duration) string { return "looking inside the images" })()
	programs := scope.Programs(images)
	for range maxRounds {
		if !looker.Answer(ctx, images, programs.Questions()) {
			break
		}
		programs = programs.Again(images)
	}
	return programs
}
