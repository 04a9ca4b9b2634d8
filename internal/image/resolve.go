package image

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"debuggable.dev/debuggable/internal/fields"
)

// ParseReference reads an image reference in the way of Docker: nginx is docker.io/library/nginx:latest. Its error
// names s and what is wrong with it.
func ParseReference(s string) (name.Reference, error) {
	ref, err := name.ParseReference(s)
	if err == nil {
		return ref, nil
	}
	why := "want REPOSITORY[:TAG][@DIGEST], like gcr.io/acme/web:v1" // the library's error only repeats s
	if strings.ContainsAny(s, "${}") {
		why += "; is there a placeholder in it that nothing has replaced?"
	} else if _, err := name.ParseReference(strings.ToLower(s)); err == nil {
		why = "a repository's name has no capital letters"
	}
	return nil, fmt.Errorf("%s is not an image reference: %s", fields.Quote(s), why)
}

// Jobs is how many images of one registry are resolved at a time: enough to hide latency, few enough for a registry's
// limits. maxJobs is how many of all: a host that hangs must not hold up the others, and files that may be open are
// few.
const (
	Jobs    = 48
	maxJobs = 256
)

// maxConfigs is the most bytes that the configurations of all images take.
const maxConfigs = 256 << 20

// ResolveAll resolves wants, at most Jobs of one registry at a time, and returns a Result for each. Wants that
// come to the same normalised reference and platform are resolved once: nginx is docker.io/library/nginx:latest. An
// image that cannot be resolved, or whose reference or platform cannot be read, has the error in its Result; it does
// not keep others from being resolved. An empty Platform is DefaultPlatform.
func ResolveAll(ctx context.Context, src Source, wants []Want) map[Want]Result {
	type job struct {
		ref      name.Reference
		platform v1.Platform
		wants    []Want
	}
	results := make(map[Want]Result, len(wants))
	seen := make(map[Want]bool, len(wants))
	byKey := map[Want]*job{}
	var todo []*job
	for _, w := range wants {
		if seen[w] {
			continue
		}
		seen[w] = true
		ref, err := ParseReference(w.Image)
		if err != nil {
			results[w] = Result{Err: err}
			continue
		}
		spec := w.Platform
		if spec == "" {
			spec = DefaultPlatform
		}
		platform, err := ParsePlatform(spec)
		if err != nil {
			results[w] = Result{Err: fmt.Errorf("resolving %s: %w", w.Image, err)}
			continue
		}
		key := Want{Image: ref.Name(), Platform: platform.String()}
		j := byKey[key]
		if j == nil {
			j = &job{ref: ref, platform: platform}
			byKey[key] = j
			todo = append(todo, j)
		}
		j.wants = append(j.wants, w)
	}

	var mu sync.Mutex
	size := 0
	all := make(chan struct{}, maxJobs)
	resolve := func(j *job) {
		all <- struct{}{}
		defer func() { <-all }()
		var r Result
		if err := ctx.Err(); err != nil {
			r.Err = fmt.Errorf("resolving %s: %w", j.ref, err)
		} else {
			r.Config, r.Err = src.Config(ctx, j.ref, j.platform)
		}
		mu.Lock()
		defer mu.Unlock()
		if size += r.Config.size(); size > maxConfigs {
			r = Result{}
		}
		for _, w := range j.wants {
			results[w] = r
		}
	}
	var groups sync.WaitGroup
	for _, jobs := range byRegistry(todo, func(j *job) string { return j.ref.Context().RegistryStr() }) {
		groups.Go(func() {
			var g errgroup.Group
			g.SetLimit(Jobs)
			for _, j := range jobs {
				g.Go(func() error {
					resolve(j)
					return nil // the results have the errors
				})
			}
			_ = g.Wait()
		})
	}
	groups.Wait()
	if size > maxConfigs {
		// Which images these are must not depend on which were first.
		err := fmt.Errorf("the configurations of all images take more than %d MiB", maxConfigs>>20)
		for w, r := range results {
			if r.Err == nil {
				results[w] = Result{Err: err}
			}
		}
	}
	return results
}

// byRegistry groups jobs in the order of their first ones.
func byRegistry[J any](jobs []J, registry func(J) string) [][]J {
	var groups [][]J
	at := map[string]int{}
	for _, j := range jobs {
		i, ok := at[registry(j)]
		if !ok {
			i = len(groups)
			at[registry(j)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], j)
	}
	return groups
}
