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
			image := pick("", "", "docker.io/", "library/", "gcr.io/a/", "**/", "*/") + part("a", "b", "*", "?", "{a,b}", "/a",
				"/**", "[ab]", `\a`) + pick("", "", ":v1", ":v*", ":latest", ":*", ":?1", ":*v*", ":{v1,v2}", ":v[12]", digest,
				":v*"+digest)
			if checkImagePattern(image) == nil {
				c.Artifacts = append(c.Artifacts, Artifact{Image: image, Name: fmt.Sprint(len(c.Artifacts))})
				c.Runtimes = append(c.Runtimes, ImageRuntime{image, fmt.Sprint(len(c.Runtimes))})
			}
		}
		m := c.Matcher()
		var images []string
		for range 50 {
			ref := pick("", "", "docker.io/", "library/", "docker.io/library/", "index.docker.io/", "gcr.io/a/") + part("a", "b",
				"c", "/a", "/b") + pick("", "", ":v1", ":v2", ":latest", digest, ":v1"+digest)
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
		"*/y/app%d*", "**/app%d*", "registry.example/**/app%d-*", "registry*/app%d*web",
		"app*:v%d", "app?7:v%d*", "*7:*%dx", "*app77:*%d-*", "*:v%d", "{app,web}*@sha256:%064d"} {
		p := newPatterns()
		for i := range 10000 {
			p.add(i, fmt.Sprintf(form, i))
		}
		for _, ref := range []string{"app77", "app77:v1", "registry.example/app77-web", "x/y/app77", "acb/app77",
			"app77:v77", fmt.Sprintf("app@sha256:%064d", 77)} {
			if n := len(p.candidates(ref)); n > 10 {
				t.Errorf("%d patterns like %s are compared with %s", n, form, ref)
			}
		}
	}
}

// TestPatternsThatOnlyWildcardsTellApart: what no plain text finds is bounded, and nothing else is.
func TestPatternsThatOnlyWildcardsTellApart(t *testing.T) {
	for form, want := range map[string]string{
		"app%d": "", "*app:v%d": "", "app:*v%d-*": "",
		"*{a%d,b}": "artifacts[64]: \"*{a64,b}\" is one of many patterns that only their wildcards and alternatives " +
			"tell apart",
		"app*:{av%d,bv}": "artifacts[128]: \"app*:{av128,bv}\" is one of many",
		"[a%d]":          "artifacts[128]: \"[a128]\" is one of many",
	} {
		var c Config
		for i := range 2000 {
			c.Artifacts = append(c.Artifacts, Artifact{Image: fmt.Sprintf(form, i)})
			c.Runtimes = append(c.Runtimes, ImageRuntime{Image: fmt.Sprintf(form, i)})
		}
		err := c.checkPatterns()
		if (err != nil) != (want != "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", form, err, want)
		}
		c.Artifacts = nil
		if got := c.checkPatterns(); (got != nil) != (err != nil) {
			t.Errorf("runtimes %s: %v", form, got)
		}
	}
}
