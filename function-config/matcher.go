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

// patterns are patterns for images, found by what of them is plain text: all of it, or where the repository begins or ends, or
// between wildcards.
type patterns struct {
	texts                  []string
	index                  []int          // of the first entry that has the text
	known                  map[string]int // where a text is in texts
	exact, prefix, suffix  map[string][]int
	inner                  []map[string][]int // by its length, what is between wildcards
	longPrefix, longSuffix int
	firsts                 map[string]int // what was found before
}

func newPatterns() *patterns {
	return &patterns{known: map[string]int{}, exact: map[string][]int{}, prefix: map[string][]int{}, suffix: map[string][]int{},
		inner: make([]map[string][]int, maxInner+1), firsts: map[string]int{}}
}

// special are the characters that patterns do not take as they stand.
const special = `*?[]{}\`

// maxInner is how many characters between wildcards are looked for, at each place of an image's name.
const maxInner = 24

// between lists the texts that a repository's pattern has between wildcards, or the ends of long ones; none where it has alternatives,
// of which a text may be one. A slash beside ** may stand for nothing.
func between(repository string) (texts []string) {
	if strings.ContainsAny(repository, `[]{}\`) {
		return nil
	}
	for _, text := range strings.FieldsFunc(repository, func(r rune) bool { return r == '*' || r == '?' }) {
		if text = strings.Trim(text, "/"); text != "" {
			texts = append(texts, text[max(0, len(text)-maxInner):])
		}
	}
	return texts
}

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
	if !strings.ContainsAny(pattern, special) {
		p.exact[pattern] = append(p.exact[pattern], n)
		return
	}
	// Of its texts that counts which the fewest others have: it tells most. Of equals the longest does.
	place, key := p.prefix, begins
	consider := func(other map[string][]int, text string) {
		few := len(other[text]) - len(place[key])
		if text != "" && (key == "" || few < 0 || few == 0 && len(text) > len(key)) {
			place, key = other, text
		}
	}
	consider(p.suffix, ends)
	for _, text := range between(repository) {
		if p.inner[len(text)] == nil {
			p.inner[len(text)] = map[string][]int{}
		}
		consider(p.inner[len(text)], text)
	}
	place[key] = append(place[key], n)
	p.longPrefix, p.longSuffix = max(p.longPrefix, len(begins)), max(p.longSuffix, len(ends))
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
		for n, inner := range p.inner {
			for i := 0; len(inner) > 0 && i+n <= len(s); i++ {
				found = append(found, inner[s[i:i+n]]...)
			}
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
