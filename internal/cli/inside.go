package cli

import (
	"context"
	"io"
	"time"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/image"
)

// maxRounds bounds how often one file leads to another: a script to a script, say.
const maxRounds = 16

// lookInside looks for the files that decide what the containers of images start, as long as one leads to the next.
func lookInside(
	ctx context.Context, errw io.Writer, cfg functionconfig.Config, images map[image.Want]image.Result,
	questions func(map[image.Want]image.Result) []image.Question,
) {
	looker := image.NewLooker(cfg.LookInside, image.DefaultCacheDir())
	if !looker.Prepare(images) {
		return
	}
	defer looker.Close()
	defer show(errw, func(time.Time, time.Duration) string { return "looking inside the images" })()
	for range maxRounds {
		if !looker.Answer(ctx, images, questions(images)) {
			return
		}
	}
}
