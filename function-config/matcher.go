package functionconfig

import (
	"slices"
	"strings"
)

// Matcher finds what the settings say about images. It costs less than to compare each image with each pattern, of which
// there may be many thousands: a file of `skaffold build` has one for each image of a large product.
type Matcher struct {
	config              Config
	artifacts, runtimes *patterns
}

// Matcher makes the matcher of the settings as they are now. It is not for use by several at a time.
func (c Config) Matcher() *Matcher {
	m := &Matcher{config: c, artifacts: newPatterns(), runtimes: newPatterns()}
	for i, a := range c.Artifacts {
		m.artifacts.add(i, a.Image)
	}
	for i, r := range c.Runtimes {
		m.runtimes.add(i, r.Image)
	}
	return m
}

// Artifact returns the first artifact that means an image, if there is one.
func (m *Matcher) Artifact(ref string) (Artifact, bool) {
	if i := m.artifacts.first(ref); i >= 0 {
		return m.config.Artifacts[i], true
	}
	return Artifact{}, false
}

// Runtime returns what the first entry of the runtimes that means an image says.
func (m *Matcher) Runtime(ref string) (name string, ok bool) {
	if i := m.runtimes.first(ref); i >= 0 {
		return m.config.Runtimes[i].Runtime, true
	}
	return "", false
}

// patterns are patterns for images, found by what of them is plain text: all of it, or where the repository begins or ends.
type patterns struct {
	texts                  []string
	index                  []int          // of the first entry that has the text
	known                  map[string]int // where a text is in texts
	exact, prefix, suffix  map[string][]int
	longPrefix, longSuffix int
	firsts                 map[string]int // what was found before
}

func newPatterns() *patterns {
	return &patterns{known: map[string]int{}, exact: map[string][]int{}, prefix: map[string][]int{}, suffix: map[string][]int{}, firsts: map[string]int{}}
}

// special are the characters that patterns do not take as they stand.
const special = `*?[]{}\`

// add adds an entry's pattern.
func (p *patterns) add(index int, pattern string) {
	if _, known := p.known[pattern]; known {
		return
	}
	n := len(p.texts)
	p.known[pattern] = n
	p.texts, p.index = append(p.texts, pattern), append(p.index, index)
	repository := splitReference(pattern).repository
	// A slash beside ** may stand for nothing.
	begins, ends := repository, repository
	if i := strings.IndexAny(repository, special); i >= 0 {
		begins = strings.TrimSuffix(repository[:i], "/")
	}
	if i := strings.LastIndexAny(repository, special); i >= 0 {
		ends = strings.TrimPrefix(repository[i+1:], "/")
	}
	switch {
	case !strings.ContainsAny(pattern, special):
		p.exact[pattern] = append(p.exact[pattern], n)
	case len(begins) >= len(ends):
		p.prefix[begins] = append(p.prefix[begins], n)
		p.longPrefix = max(p.longPrefix, len(begins))
	default:
		p.suffix[ends] = append(p.suffix[ends], n)
		p.longSuffix = max(p.longSuffix, len(ends))
	}
}

// candidates lists the patterns that may mean an image, in order.
func (p *patterns) candidates(ref string) []int {
	var found []int
	got := splitReference(ref)
	tag := got.tag
	if tag == "" && got.digest == "" {
		tag = "latest"
	}
	for _, s := range spellings(got.repository) {
		for _, t := range []string{s, s + ":" + tag} {
			found = append(found, p.exact[t]...)
			found = append(found, p.exact[t+"@"+got.digest]...)
		}
		for n := range min(len(s), p.longPrefix) + 1 {
			found = append(found, p.prefix[s[:n]]...)
		}
		for n := range min(len(s), p.longSuffix) + 1 {
			found = append(found, p.suffix[s[len(s)-n:]]...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// first returns the index of the first entry that means an image, or -1.
func (p *patterns) first(ref string) int {
	if i, known := p.firsts[ref]; known {
		return i
	}
	first := -1
	for _, n := range p.candidates(ref) {
		if matchImage(p.texts[n], ref) {
			first = p.index[n]
			break
		}
	}
	p.firsts[ref] = first
	return first
}

// matching reports for each pattern whether it means one of the images.
func (p *patterns) matching(images []string) map[string]bool {
	matches := map[string]bool{}
	for _, ref := range images {
		for _, n := range p.candidates(ref) {
			if text := p.texts[n]; !matches[text] && matchImage(text, ref) {
				matches[text] = true
			}
		}
	}
	return matches
}
