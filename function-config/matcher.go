package functionconfig

import (
	"fmt"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// Matcher finds what the settings say about images. It costs less than to compare each image with each pattern, of
// which there may be many thousands: a file of `skaffold build` has one for each image of a large product.
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

// maxAlike bounds the patterns, each alternative counted, that one text finds: all of them are compared with an image
// that has it.
const maxAlike = 128

// checkPatterns says whether more patterns would be compared with each image than images should cost.
func (c Config) checkPatterns() error {
	artifacts, runtimes := newPatterns(), newPatterns()
	for i, a := range c.Artifacts {
		if n, own := artifacts.add(i, a.Image), alternatives(a.Image); n > max(maxAlike, own) {
			return tooAlike(yamlnode.Index("artifacts", i), a.Image)
		}
	}
	for i, r := range c.Runtimes {
		if n, own := runtimes.add(i, r.Image), alternatives(r.Image); n > max(maxAlike, own) {
			return tooAlike(yamlnode.Index("runtimes", i), r.Image)
		}
	}
	return nil
}

func tooAlike(path, pattern string) error {
	return &fields.Error{Path: path,
		Problem: fmt.Sprintf("%s is one of many patterns that only their wildcards and alternatives tell apart, "+
			"more than %d with all alternatives: write what differs as plain text", fields.Quote(pattern), maxAlike)}
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

// patterns are patterns for images, found by what of them is plain text: all of it, or where the repository or the tag
// begins or ends, or between wildcards.
type patterns struct {
	texts           []string
	alternatives    []int          // how many each text has
	index           []int          // of the first entry that has the text
	known           map[string]int // where a text is in texts
	exact, digests  map[string][]int
	repository, tag texts
	firsts          map[string]int // what was found before
}

func newPatterns() *patterns {
	return &patterns{known: map[string]int{}, exact: map[string][]int{}, digests: map[string][]int{},
		firsts:     map[string]int{},
		repository: newTexts(), tag: newTexts()}
}

// texts finds patterns for repositories, or for tags, by a text that they have as it stands. A pattern is under one
// text only.
type texts struct {
	prefix, suffix         map[string][]int
	inner                  []map[string][]int // by its length, what is between wildcards
	longPrefix, longSuffix int
}

func newTexts() texts {
	return texts{prefix: map[string][]int{}, suffix: map[string][]int{}, inner: make([]map[string][]int, maxInner+1)}
}

// places calls consider with each text that a pattern has, and where patterns with that text are.
func (p *texts) places(pattern string, consider func(place map[string][]int, text string)) {
	// A slash beside ** may stand for nothing.
	begins, ends := pattern, pattern
	if i := strings.IndexAny(pattern, special); i >= 0 {
		begins = strings.TrimSuffix(pattern[:i], "/")
	}
	if i := strings.LastIndexAny(pattern, special); i >= 0 {
		ends = strings.TrimPrefix(pattern[i+1:], "/")
	}
	consider(p.prefix, begins)
	consider(p.suffix, ends)
	for _, text := range between(pattern) {
		if p.inner[len(text)] == nil {
			p.inner[len(text)] = map[string][]int{}
		}
		consider(p.inner[len(text)], text)
	}
	p.longPrefix, p.longSuffix = max(p.longPrefix, len(begins)), max(p.longSuffix, len(ends))
}

// find adds the patterns that are under a text of s.
func (p *texts) find(found []int, s string) []int {
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
	return found
}

// special are the characters that patterns do not take as they stand.
const special = `*?[]{}\`

// maxInner is how many characters between wildcards are looked for, at each place of an image's name.
const maxInner = 24

// between lists the texts that a pattern has between wildcards, or the ends of long ones; none where it has
// alternatives, of which a text may be one. A slash beside ** may stand for nothing.
func between(pattern string) (texts []string) {
	if strings.ContainsAny(pattern, `[]{}\`) {
		return nil
	}
	for _, text := range strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' || r == '?' }) {
		if text = strings.Trim(text, "/"); text != "" {
			texts = append(texts, text[max(0, len(text)-maxInner):])
		}
	}
	return texts
}

// add adds an entry's pattern, and returns how many there are to compare with images that have the same text, each
// alternative counted.
func (p *patterns) add(index int, pattern string) (alike int) {
	if _, known := p.known[pattern]; known {
		return 1
	}
	n := len(p.texts)
	p.known[pattern] = n
	p.texts, p.index, p.alternatives = append(p.texts, pattern), append(p.index, index),
		append(p.alternatives, alternatives(pattern))
	if !strings.ContainsAny(pattern, special) {
		p.exact[pattern] = append(p.exact[pattern], n)
		return 1
	}
	// Of its texts that counts which the fewest others have: it tells most. Of equals the longest does.
	place, key := p.repository.prefix, ""
	consider := func(other map[string][]int, text string) {
		few := len(other[text]) - len(place[key])
		if text != "" && (key == "" || few < 0 || few == 0 && len(text) > len(key)) {
			place, key = other, text
		}
	}
	r := splitReference(pattern)
	p.repository.places(r.repository, consider)
	p.tag.places(r.tag, consider)
	consider(p.digests, r.digest)
	place[key] = append(place[key], n)
	for _, other := range place[key] {
		alike += p.alternatives[other]
	}
	return alike
}

// candidates lists the patterns that may mean an image, in order.
func (p *patterns) candidates(ref string) []int {
	got := splitReference(ref)
	tag := got.tag
	if tag == "" && got.digest == "" {
		tag = "latest"
	}
	var found []int
	for _, s := range spellings(got.repository) {
		for _, t := range []string{s, s + ":" + tag} {
			found = append(found, p.exact[t]...)
			found = append(found, p.exact[t+"@"+got.digest]...)
		}
		found = p.repository.find(found, s)
	}
	found = append(p.tag.find(found, tag), p.digests[got.digest]...)
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
