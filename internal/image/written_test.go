package image

import (
	"errors"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	digestC = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

func entry(image, platform, entrypoint string) Entry {
	return Entry{Image: image, Platform: platform, Config: v1.Config{Entrypoint: []string{entrypoint}}}
}

func TestEntries(t *testing.T) {
	withDigest := func(e Entry, d string) Entry {
		e.Digest = d
		return e
	}
	entries := []Entry{
		entry("nginx", "linux/amd64", "nginx"),
		entry("gcr.io/acme/multi:v1", "linux/arm/v6", "v6"),
		entry("gcr.io/acme/multi:v1", "", "any"),
		entry("gcr.io/acme/multi:v1", "linux/arm64/v8", "arm64"),
		entry("gcr.io/acme/two:v1", "linux/amd64", "amd64"),
		entry("gcr.io/acme/two:v1", "linux/s390x", "s390x"),
		withDigest(entry("gcr.io/acme/web:v1", "linux/amd64", "web"), digestA),
		entry("gcr.io/acme/pinned:v2@"+digestB, "", "pinned"),
	}
	s := NewEntries("images.lock.yaml", "debuggable lock", entries)
	for _, c := range []struct{ ref, platform, want string }{
		{"nginx", "linux/amd64", "nginx"},
		{"docker.io/library/nginx:latest", "linux/amd64", "nginx"},
		{"index.docker.io/library/nginx", "linux/amd64", "nginx"},
		{"nginx", "linux/s390x", "nginx"}, // the only one
		{"nginx:1.25", "linux/amd64", ""},
		{"gcr.io/nginx", "linux/amd64", ""},
		{"gcr.io/acme/multi:v1", "linux/arm64", "arm64"},
		{"gcr.io/acme/multi:v1", "linux/arm/v7", "v6"},
		{"gcr.io/acme/multi:v1", "linux/amd64", "any"},
		{"gcr.io/acme/multi:v1", "linux/arm/v5", "any"},
		{"gcr.io/acme/two:v1", "linux/s390x", "s390x"},
		{"gcr.io/acme/two:v1", "linux/riscv64", ""},
		{"gcr.io/acme/web@" + digestA, "linux/amd64", "web"},
		{"gcr.io/acme/web:other@" + digestA, "linux/amd64", "web"},
		{"gcr.io/acme/web@" + digestC, "linux/amd64", ""},
		{"gcr.io/acme/elsewhere@" + digestA, "linux/amd64", ""},
		{"gcr.io/acme/pinned@" + digestB, "linux/amd64", "pinned"},
		{"gcr.io/acme/pinned:v3@" + digestB, "linux/amd64", "pinned"},
		{"gcr.io/acme/pinned:v2", "linux/amd64", ""},
	} {
		got, err := ask(t, s, c.ref, c.platform)
		switch {
		case c.want == "":
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s for %s: got %v, %v, want ErrNotFound", c.ref, c.platform, got.Entrypoint, err)
			}
		case err != nil:
			t.Errorf("%s for %s: %v", c.ref, c.platform, err)
		case got.Entrypoint[0] != c.want || got.From != "images.lock.yaml":
			t.Errorf("%s for %s: got %v from %s, want %s", c.ref, c.platform, got.Entrypoint, got.From, c.want)
		}
	}

	got, err := ask(t, s, "gcr.io/acme/web:v1", "linux/amd64")
	if err != nil || got.Digest.String() != digestA || got.Platform.String() != "linux/amd64" {
		t.Errorf("got digest %s, platform %v, error %v", got.Digest, got.Platform, err)
	}
	got.Entrypoint[0] = "changed"
	if again, _ := ask(t, s, "gcr.io/acme/web:v1", "linux/amd64"); again.Entrypoint[0] != "web" {
		t.Error("a caller's change to a configuration shows in the source")
	}
	if _, err := ask(t, s, "gcr.io/acme/two:v1", "linux/riscv64"); err == nil ||
		!strings.Contains(err.Error(), "linux/amd64, linux/s390x") {
		t.Errorf("got error %v, want one that names the platforms", err)
	}
}

// TestEntriesThatDiffer: of two entries for one image, whatever they call it, none is taken without a word.
func TestEntriesThatDiffer(t *testing.T) {
	at := func(e Entry, d string) Entry {
		e.Digest = d
		return e
	}
	for _, c := range []struct {
		a, b Entry
		ref  string
		want string // how the error names the second; "" for none
	}{
		{entry("nginx", "", "a"), entry("docker.io/library/nginx:latest", "", "b"), "nginx",
			"entry 2 (docker.io/library/nginx:latest)"},
		{entry("nginx", "linux/amd64", "a"), entry("nginx", "linux/amd64", "b"), "nginx", "entry 2 (nginx)"},
		{entry("nginx", "linux/arm64", "a"), entry("nginx", "linux/arm64/v8", "b"), "nginx", ""}, // for amd64 none serves
		{entry("nginx", "linux/amd64", "a"), entry("nginx", "linux/arm64", "b"), "nginx", ""},
		{entry("nginx", "linux/amd64", "a"), entry("nginx", "", "b"), "nginx", ""},
		{entry("nginx", "", "a"), entry("nginx:latest", "", "a"), "nginx", ""},
		{at(entry("nginx", "", "a"), digestA), entry("nginx:latest", "", "a"), "nginx", ""},
		{at(entry("nginx", "", "a"), digestA), at(entry("nginx:latest", "", "a"), digestB), "nginx",
			"entry 2 (nginx:latest)"},
		{at(entry("nginx@"+digestA, "", "a"), digestB), entry("nginx@"+digestB, "", "b"), "nginx@" + digestB,
			"entry 2 (nginx@" + digestB + ")"},
		{at(entry("nginx:1", "", "a"), digestA), at(entry("nginx:2", "", "b"), digestA), "nginx@" + digestA,
			"entry 2 (nginx:2)"},
		{at(entry("nginx:1", "", "a"), digestA), at(entry("nginx:2", "", "b"), digestA), "nginx:1", ""},
	} {
		_, err := ask(t, Chain(NewEntries("lock.yaml", "debuggable lock", []Entry{c.a, c.b}), Offline("")), c.ref,
			"linux/amd64")
		switch {
		case c.want == "" && err != nil && !errors.Is(err, ErrNotFound):
			t.Errorf("%s: got error %v", c.ref, err)
		case c.want != "" &&
			(err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "entry 1 ("+c.a.Image+")") ||
				!strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got error %v, want one that names %s", c.ref, err, c.want)
		}
	}
}

func TestEntriesThatCannotMatchAreNamed(t *testing.T) {
	for _, e := range []Entry{{Image: "Not A Reference"}, {Image: "web", Platform: "amd64"},
		{Image: "web", Digest: "sha256:12"}} {
		_, err := ask(t, NewEntries("images", "debuggable lock", []Entry{entry("nginx", "", "nginx"), e}), "web",
			"linux/amd64")
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "entry 2 of images") {
			t.Errorf("%+v: got error %v", e, err)
		}
	}
}

// TestEntryWithTwoDigests: the digest that an image is named by may be an index's; where the configuration is from says
// so.
func TestEntryWithTwoDigests(t *testing.T) {
	e := entry("web@"+digestA, "", "web")
	e.Digest = digestB
	got, err := ask(t, NewEntries("lock.yaml", "debuggable lock", []Entry{e}), "web@"+digestA, "linux/amd64")
	if err != nil || got.From != "lock.yaml, where "+digestA+" stands for "+digestB {
		t.Errorf("got %q, error %v", got.From, err)
	}
}
