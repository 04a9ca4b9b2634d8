package image

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestResolveAll(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	var now, most atomic.Int32
	src := sourceFunc(func(_ context.Context, ref name.Reference, p v1.Platform) (Config, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		asked[ref.Name()+" "+p.String()]++
		if ref.Context().RepositoryStr() == "library/none" {
			return Config{}, ErrNotFound
		}
		return Config{From: ref.Name() + " " + p.String()}, nil
	})
	wants := []Want{
		{"nginx", "linux/amd64"}, {"nginx:latest", "linux/amd64"}, {"docker.io/library/nginx", ""}, {"nginx", "linux/amd64"},
		{"nginx", "linux/arm64"}, {"nginx", "linux/arm64/v8"}, {"none", "linux/amd64"},
		{"Bad Ref", "linux/amd64"}, {"nginx", "amd64"}, {"", "linux/amd64"}, {"web@sha256:12", ""},
	}
	got := ResolveAll(context.Background(), src, wants)
	if len(got) != 10 {
		t.Errorf("got %d results, want 10: %v", len(got), got)
	}
	for _, w := range wants {
		r, ok := got[w]
		if !ok {
			t.Errorf("%v: no result", w)
		}
		switch {
		case strings.Contains(w.Image, "nginx") && w.Platform != "amd64":
			platform := NormalPlatform(w.Platform)
			if w.Platform == "" {
				platform = DefaultPlatform
			}
			if r.Err != nil || r.Config.From != "index.docker.io/library/nginx:latest "+platform {
				t.Errorf("%v: got %+v", w, r)
			}
		case w.Image == "none":
			if !errors.Is(r.Err, ErrNotFound) {
				t.Errorf("%v: got error %v", w, r.Err)
			}
		default:
			if r.Err == nil || errors.Is(r.Err, ErrNotFound) {
				t.Errorf("%v: got error %v", w, r.Err)
			}
		}
	}
	for what, n := range asked {
		if n != 1 {
			t.Errorf("%s was resolved %d times", what, n)
		}
	}
	if most.Load() > Jobs {
		t.Errorf("%d were resolved at a time, want at most %d", most.Load(), Jobs)
	}
	if got := ResolveAll(context.Background(), nil, nil); len(got) != 0 {
		t.Errorf("got %v for nothing", got)
	}
}

func TestResolveAllCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wants := []Want{{"web", ""}, {"api", ""}}
	for w, r := range ResolveAll(ctx, NewEntries("images", "debuggable lock", []Entry{entry("web", "", "web")}), wants) {
		if !errors.Is(r.Err, context.Canceled) || !strings.Contains(r.Err.Error(), w.Image) {
			t.Errorf("%v: got error %v", w, r.Err)
		}
	}
}

// TestResolveAllIsDeterministic resolves the same images from all kinds of sources in random order, with random delays
// and numbers of jobs: the results, errors included, are always the same.
func TestResolveAllIsDeterministic(t *testing.T) {
	hub := newHub(t, false)
	hub.push(t, newIndex(t, "linux/amd64", "linux/arm64"), "multi:v1")
	dir := writeLayout(t,
		element{add: newIndex(t, "linux/amd64", "linux/arm/v6"), annotations: refName("gcr.io/acme/web:v1")},
		element{add: newImage(t, "linux/amd64"), annotations: refName("gcr.io/acme/broken:v1")})
	archived := tarOf(t,
		writeLayout(t, element{add: newImage(t, "linux/s390x"), annotations: refName("gcr.io/acme/tar:v1")}), true, nil)
	var wants []Want
	for _, p := range []string{"", "linux/arm64", "linux/arm/v7"} {
		for _, i := range []string{"nginx", "nginx:latest", hub.host + "/multi:v1", hub.host + "/none:v1",
			"gcr.io/acme/web:v1", "gcr.io/acme/tar:v1", "Bad Ref"} {
			wants = append(wants, Want{i, p})
		}
	}
	var mu sync.Mutex // of the random numbers
	slow := func(s Source, r *rand.Rand) Source {
		return sourceFunc(func(ctx context.Context, ref name.Reference, p v1.Platform) (Config, error) {
			mu.Lock()
			d := time.Duration(r.IntN(300)) * time.Microsecond
			mu.Unlock()
			time.Sleep(d)
			return s.Config(ctx, ref, p)
		})
	}
	render := func(m map[Want]Result) map[Want]string {
		out := map[Want]string{}
		for w, r := range m {
			out[w] = fmt.Sprintf("%+v %v", r.Config.Config, r.Err)
			out[w] += fmt.Sprint(r.Config.Digest, r.Config.Platform, r.Config.From)
		}
		return out
	}
	var first map[Want]string
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := anonymous()
		if seed%2 == 1 {
			o.CacheDir = t.TempDir()
		}
		src := Chain(
			slow(NewEntries("images", "debuggable lock",
				[]Entry{entry("nginx", "linux/amd64", "nginx"), entry("nginx", "linux/arm64", "nginx")}), r),
			slow(NewLayout(dir), r), slow(NewArchive(archived), r), slow(NewRegistry(o), r))
		r.Shuffle(len(wants), func(i, j int) { wants[i], wants[j] = wants[j], wants[i] })
		var local []Want // without what would ask the real registries
		for _, w := range wants {
			if strings.HasPrefix(w.Image, "nginx") && w.Platform == "linux/arm/v7" {
				continue
			}
			local = append(local, w)
		}
		got := render(ResolveAll(context.Background(), src, local))
		if first == nil {
			first = got
		} else if !reflect.DeepEqual(got, first) {
			t.Fatalf("seed %d: got\n%v\nwant\n%v", seed, got, first)
		}
	}
}
