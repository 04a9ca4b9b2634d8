package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/terminal"
)

// patience is how long a terminal stays silent while images are asked for.
const patience = 2 * time.Second

// resolveAll resolves images. Where that takes more than a moment, a terminal shows how far it is, on a line that goes
// away.
func resolveAll(
	ctx context.Context, errw io.Writer, source image.Source, wants []image.Want,
) map[image.Want]image.Result {
	if terminal.Width(errw) == 0 {
		return image.ResolveAll(ctx, source, wants)
	}
	p := newProgress(source, wants)
	defer show(errw, p.text)()
	return image.ResolveAll(ctx, p, wants)
}

// show shows on a terminal what is being done, where that takes more than a moment, until the function that it returns
// is called.
func show(errw io.Writer, text func(now time.Time, slow time.Duration) string) (stop func()) {
	width := terminal.Width(errw)
	if width == 0 {
		return func() {}
	}
	return repeat(errw, width, patience, text)
}

// progress is a source that knows what it is asked for and has not answered yet.
type progress struct {
	image.Source
	total int

	mu      sync.Mutex
	done    int
	waiting map[int]question
	asked   int
}

type question struct {
	host  string
	since time.Time
}

func newProgress(source image.Source, wants []image.Want) *progress {
	distinct := map[image.Want]bool{}
	for _, want := range wants {
		if ref, err := image.ParseReference(want.Image); err == nil {
			distinct[image.Want{Image: ref.Name(), Platform: want.Platform}] = true
		}
	}
	return &progress{Source: source, total: len(distinct), waiting: map[int]question{}}
}

// Config implements image.Source.
func (p *progress) Config(ctx context.Context, ref name.Reference, platform v1.Platform) (image.Config, error) {
	p.mu.Lock()
	p.asked++
	id := p.asked
	p.waiting[id] = question{ref.Context().RegistryStr(), time.Now()}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waiting, id)
		p.done++
	}()
	return p.Source.Config(ctx, ref, platform)
}

// text says how many images are there, and which hosts have not answered for a while.
func (p *progress) text(now time.Time, slow time.Duration) string {
	const most = 3 // hosts
	p.mu.Lock()
	defer p.mu.Unlock()
	hosts := map[string]int{}
	for _, q := range p.waiting {
		if now.Sub(q.since) >= slow {
			hosts[q.host]++
		}
	}
	text := fmt.Sprintf("resolving images: %d of %d", min(p.done, p.total), p.total)
	if len(hosts) == 0 {
		return text
	}
	names := slices.SortedFunc(maps.Keys(hosts), func(a, b string) int {
		if hosts[a] != hosts[b] {
			return hosts[b] - hosts[a]
		}
		return strings.Compare(a, b)
	})
	if more := len(names) - most; more > 1 {
		names = append(names[:most], fmt.Sprintf("%d more hosts", more))
	}
	return text + "; slow: " + foreign.Line(strings.Join(names, ", "))
}

// repeat shows a text after a while, again and again, until the function that it returns is called.
func repeat(
	w io.Writer, width int, after time.Duration, text func(now time.Time, slow time.Duration) string,
) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		shown := 0 // columns
		for wait := after; ; wait = after / 4 {
			select {
			case <-time.After(wait):
			case <-end:
				if shown > 0 {
					fmt.Fprintf(w, "\r%*s\r", shown, "")
				}
				return
			}
			line := []rune(text(time.Now(), after))
			line = line[:min(len(line), width-1)]
			fmt.Fprintf(w, "\r%-*s", shown, string(line))
			shown = max(shown, len(line))
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
