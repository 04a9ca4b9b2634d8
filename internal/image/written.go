package image

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/image/files"
)

// NewEntries returns a source of configurations that somebody wrote down; from says where, for people: `images`,
// `images.lock.yaml`. An entry matches a reference that is equal to its image when both are normalised, and a digest
// reference of its repository that its image or its digest carries. Of several entries that match, the one whose
// platform serves best wins, then one that has no platform; an entry that alone matches serves whatever the platform.
// Entries that serve equally well have to be equal: of two that differ, nobody knows which is meant.
//
// mend is the command that makes the entries anew; the error for a repository of which the entries have other tags
// names it.
func NewEntries(from, mend string, entries []Entry) Source {
	s := &written{from: from, mend: mend, others: map[string][]string{},
		byName: make(map[string][]writtenEntry, len(entries))}
	for i, e := range entries {
		ref, err := ParseReference(e.Image)
		if err != nil {
			s.bad = append(s.bad, fmt.Sprintf("entry %d of %s: %v", i+1, from, err))
			continue
		}
		w := writtenEntry{label: fmt.Sprintf("entry %d (%s)", i+1, foreign.Short(e.Image)),
			config: Config{Config: e.Config, Author: e.Author, From: from}, files: e.Files}
		if e.Platform != "" {
			p, err := ParsePlatform(e.Platform)
			if err != nil {
				s.bad = append(s.bad, fmt.Sprintf("entry %d of %s: %v", i+1, from, err))
				continue
			}
			w.config.Platform = &p
		}
		s.others[ref.Context().Name()] = append(s.others[ref.Context().Name()], tagWords(ref))
		names := []string{ref.Name()}
		if e.Digest != "" {
			if w.config.Digest, err = v1.NewHash(e.Digest); err != nil {
				s.bad = append(s.bad, fmt.Sprintf("entry %d of %s: digest: %v", i+1, from, err))
				continue
			}
			if d, ok := ref.(name.Digest); ok && d.DigestStr() != e.Digest {
				// An index's digest, and that of the image in it: nobody can tell here whether that is so.
				w.config.From = fmt.Sprintf("%s, where %s stands for %s", from, d.DigestStr(), e.Digest)
			}
			if n := ref.Context().Digest(e.Digest).Name(); n != names[0] {
				names = append(names, n)
			}
		}
		if e.Pin != "" {
			if w.config.Pin, err = v1.NewHash(e.Pin); err != nil {
				s.bad = append(s.bad, fmt.Sprintf("entry %d of %s: pin: %v", i+1, from, err))
				continue
			}
		}
		for _, n := range names {
			s.byName[n] = append(s.byName[n], w)
		}
	}
	return s
}

type written struct {
	from   string
	mend   string
	others map[string][]string // tags and digests, by repository
	byName map[string][]writtenEntry
	bad    []string // entries that cannot match anything, and why
}

type writtenEntry struct {
	label  string // for errors
	config Config
	files  []files.File
}

// Written leaves of a chain's sources those of what somebody wrote down.
func Written(s Source) Source {
	c, ok := s.(chain)
	if !ok {
		c = chain{s}
	}
	return slices.DeleteFunc(slices.Clone(c), func(s Source) bool { _, is := s.(*written); return !is })
}

// tagWords is what distinguishes a reference from others of its repository, for people.
func tagWords(ref name.Reference) string {
	if d, ok := ref.(name.Digest); ok {
		return "@" + d.DigestStr()
	}
	return ":" + ref.Identifier()
}

// stale is the ErrNotFound for a reference, which names the tags that there are of its repository: the image has been
// given a new one since the entries were written.
func (s *written) stale(ref name.Reference) error {
	const shown = 3
	tags := slices.Compact(slices.Sorted(slices.Values(s.others[ref.Context().Name()])))
	if len(tags) == 0 {
		return ErrNotFound
	}
	if more := len(tags) - shown; more > 0 {
		tags = append(tags[:shown:shown], fmt.Sprintf("%d more", more))
	}
	return &notFound{fmt.Sprintf("%s has %s; run %s", s.from, strings.Join(tags, ", "), s.mend)}
}

func (s *written) String() string { return s.from }

func (s *written) Config(_ context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	found := s.byName[ref.Name()]
	if len(found) == 0 {
		if len(s.bad) > 0 {
			return Config{}, &notFound{s.bad[0]}
		}
		return Config{}, s.stale(ref)
	}
	if len(found) == 1 {
		return found[0].result(found[0].files), nil
	}
	var best, anywhere []writtenEntry // that serve equally well
	bestRank := noMatch
	for _, e := range found {
		if e.config.Platform == nil {
			anywhere = append(anywhere, e)
			continue
		}
		switch r := rank(platform, *e.config.Platform); {
		case r == noMatch:
		case bestRank == noMatch || r < bestRank:
			best, bestRank = []writtenEntry{e}, r
		case r == bestRank:
			best = append(best, e)
		}
	}
	if len(best) == 0 {
		best = anywhere
	}
	if len(best) == 0 {
		var have []*v1.Platform
		for _, e := range found {
			have = append(have, e.config.Platform)
		}
		return Config{}, &notFound{fmt.Sprintf("%s has it only for %s", s.from, platformList(have))}
	}
	for _, e := range best[1:] {
		if !sameImage(best[0].config, e.config) {
			return Config{}, &sourceError{"looking in " + s.from,
				fmt.Errorf("%s and %s are about the same image, %s, and differ: remove one of them",
					best[0].label, e.label, ref)}
		}
	}
	var known []files.File
	for _, e := range best {
		known = append(known, e.files...) // each may be of other workloads
	}
	return best[0].result(known), nil
}

// sameImage reports whether two configurations say the same of an image, as far as both say it.
func sameImage(a, b Config) bool {
	same := func(a, b v1.Hash) bool { return a == b || a.Hex == "" || b.Hex == "" }
	return sameSettings(a, b) && same(a.Digest, b.Digest) && same(a.Pin, b.Pin)
}

// sameSettings is sameImage but for the digest.
func sameSettings(a, b Config) bool {
	return a.Author == b.Author && reflect.DeepEqual(a.Config, b.Config)
}

// result is a copy, so that a caller who appends to Env cannot change what another one sees.
func (e writtenEntry) result(known []files.File) Config {
	c := e.config
	c.Files = files.NewSet(known)
	c.Config = *e.config.Config.DeepCopy()
	return c
}
