package image

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// sourceFunc is a source without a name.
type sourceFunc func(ctx context.Context, ref name.Reference, p v1.Platform) (Config, error)

func (f sourceFunc) Config(ctx context.Context, ref name.Reference, p v1.Platform) (Config, error) {
	return f(ctx, ref, p)
}

func TestChainFirstWins(t *testing.T) {
	s := Chain(
		NewEntries("images", "debuggable lock", []Entry{entry("web", "", "inline")}),
		NewEntries("images.lock.yaml", "debuggable lock", []Entry{entry("web", "", "lock"), entry("api", "", "lock")}),
	)
	for ref, want := range map[string]string{"web": "images", "api": "images.lock.yaml"} {
		if got, err := ask(t, s, ref, "linux/amd64"); err != nil || got.From != want {
			t.Errorf("%s: got it from %q, error %v", ref, got.From, err)
		}
	}
}

func TestChainNotFound(t *testing.T) {
	dir := writeLayout(t, element{add: newIndex(t, "linux/s390x", "linux/ppc64le"), annotations: refName("nginx:1.25")})
	for _, c := range []struct {
		chain Source
		want  string
	}{
		{Chain(), "no source has nginx:1.25 for linux/arm64 (no source is set)"},
		{Chain(Offline("")), "no source has nginx:1.25 for linux/arm64 (no source is set; offline)"},
		{Chain(NewEntries("images.lock.yaml", "debuggable lock", nil), Offline("")),
			"no source has nginx:1.25 for linux/arm64 (asked: images.lock.yaml; offline)"},
		{Chain(NewEntries("images.lock.yaml", "debuggable lock", nil), NewLayout(dir), Offline("")),
			"no source has nginx:1.25 for linux/arm64 (asked: images.lock.yaml, layout " + dir +
				"; offline): layout " + dir + ": it is there only for linux/s390x, linux/ppc64le"},
		{Chain(NewEntries("1", "debuggable lock", nil), NewEntries("2", "debuggable lock", nil),
			NewEntries("3", "debuggable lock", nil), NewEntries("4", "debuggable lock", nil),
			NewEntries("5", "debuggable lock", nil), NewEntries("6", "debuggable lock", nil),
			NewEntries("7", "debuggable lock", nil), NewEntries("8", "debuggable lock", nil)),
			"no source has nginx:1.25 for linux/arm64 (asked: 1, 2, 3, 4, 5, 6, 2 more)"},
	} {
		_, err := ask(t, c.chain, "nginx:1.25", "linux/arm64/v8")
		if !errors.Is(err, ErrNotFound) || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestChainStopsAtErrors(t *testing.T) {
	never := sourceFunc(func(context.Context, name.Reference, v1.Platform) (Config, error) {
		t.Error("a source behind the one that failed was asked")
		return Config{}, ErrNotFound
	})
	missing := filepath.Join(t.TempDir(), "none")
	_, err := ask(t, Chain(NewEntries("images", "debuggable lock", nil), NewLayout(missing), never), "web", "linux/amd64")
	if err == nil || errors.Is(err, ErrNotFound) || strings.Count(err.Error(), "reading layout "+missing) != 1 {
		t.Errorf("got error %v", err)
	}
	broken := sourceFunc(func(context.Context, name.Reference, v1.Platform) (Config, error) {
		return Config{}, errors.New("broken")
	})
	if _, err := ask(t, Chain(broken, never), "web", "linux/amd64"); err == nil ||
		!strings.Contains(err.Error(), "asking image.sourceFunc: broken") {
		t.Errorf("got error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Chain(never).Config(ctx, name.MustParseReference("web"), v1.Platform{}); !errors.Is(err,
		context.Canceled) {
		t.Errorf("got error %v", err)
	}
}

// Example shows how sources are put together and asked.
func Example() {
	lock := NewEntries("images.lock.yaml", "debuggable lock",
		[]Entry{{Image: "gcr.io/acme/web:v1", Config: v1.Config{Entrypoint: []string{"/app"}}}})
	source := Chain(lock, Offline(""))
	results := ResolveAll(context.Background(), source, []Want{{Image: "gcr.io/acme/web:v1"}, {Image: "nginx"}})
	for _, image := range []string{"gcr.io/acme/web:v1", "nginx"} {
		r := results[Want{Image: image}]
		fmt.Println(image, r.Config.Entrypoint, r.Config.From, r.Err)
	}
	// Output:
	// gcr.io/acme/web:v1 [/app] images.lock.yaml <nil>
	// nginx []  no source has nginx for linux/amd64 (asked: images.lock.yaml; offline)
}
