package functionconfig

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestMatcher: a matcher finds what comparing with each pattern finds.
func TestMatcher(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	part := func(words ...string) string {
		var b strings.Builder
		for range r.IntN(3) + 1 {
			b.WriteString(pick(words...))
		}
		return b.String()
	}
	digest := "@sha256:" + strings.Repeat("a", 64)
	for range 300 {
		var c Config
		for range r.IntN(6) {
			image := pick("", "", "docker.io/", "library/", "gcr.io/a/", "**/", "*/") + part("a", "b", "*", "?", "{a,b}", "/a", "/**", "[ab]", `\a`) + pick("", "", ":v1", ":v*", ":latest", digest)
			if checkImagePattern(image) == nil {
				c.Artifacts = append(c.Artifacts, Artifact{Image: image, Name: fmt.Sprint(len(c.Artifacts))})
				c.Runtimes = append(c.Runtimes, ImageRuntime{image, fmt.Sprint(len(c.Runtimes))})
			}
		}
		m := c.Matcher()
		var images []string
		for range 50 {
			ref := pick("", "", "docker.io/", "library/", "docker.io/library/", "index.docker.io/", "gcr.io/a/") + part("a", "b", "c", "/a", "/b") + pick("", "", ":v1", ":v2", ":latest", digest, ":v1"+digest)
			images = append(images, ref)
			want := slices.IndexFunc(c.Artifacts, func(a Artifact) bool { return a.Match(ref) })
			artifact, ok := m.Artifact(ref)
			name, is := m.Runtime(ref)
			if ok != (want >= 0) || is != ok || ok && (artifact.Name != fmt.Sprint(want) || name != artifact.Name) {
				t.Errorf("%s of %v is %v %v %q, want %d", ref, c.Runtimes, artifact, ok, name, want)
			}
		}
		for _, u := range c.Unmatched(images) {
			if slices.ContainsFunc(images, Artifact{Image: u.Image}.Match) {
				t.Errorf("%s is said to match none of %q", u.Image, images)
			}
		}
	}
}

// TestMatcherLooksAtFew: of many patterns few are compared with an image.
func TestMatcherLooksAtFew(t *testing.T) {
	for _, form := range []string{"app%d", "app%d:v1", "registry.example/app%d-*", "**/app%d", "a*b/app%d",
		"*/y/app%d*", "**/app%d*", "registry.example/**/app%d-*", "registry*/app%d*web"} {
		p := newPatterns()
		for i := range 10000 {
			p.add(i, fmt.Sprintf(form, i))
		}
		for _, ref := range []string{"app77", "app77:v1", "registry.example/app77-web", "x/y/app77", "acb/app77"} {
			if n := len(p.candidates(ref)); n > 10 {
				t.Errorf("%d patterns like %s are compared with %s", n, form, ref)
			}
		}
	}
}
