package image

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// NewEntries returns a source of configurations that somebody wrote down; from says where, for people: `images`,
// `images.lock.yaml`. An entry matches a reference that is equal to its image when both are normalised, and a digest
// reference of its repository that its image or its digest carries. Of several entries that match, the one whose
// platform serves best wins, then one that has no platform, then the first; an entry that alone matches serves
// whatever the platform.
func NewEntries(from string, entries []Entry) Source {
	s := &written{from: from, byName: make(map[string][]writtenEntry, len(entries))}
	for i, e := range entries {
		ref, err := ParseReference(e.Image)
		if err != nil {
			s.bad = append(s.bad, fmt.Sprintf("entry %d of %s: %v", i+1, from, err))
			continue
		}
		w := writtenEntry{config: Config{Config: e.Config, Author: e.Author, From: from}}
		if e.Platform != "" {
			p, err := ParsePlatform(e.Platform)
			if err != nil {
				s.bad = append(s.bad, fmt.Sprintf("entry %d of %s: %v", i+1, from, err))
				continue
			}
			w.config.Platform = &p
		}
		names := []string{ref.Name()}
		if e.Digest != "" {
			if w.config.Digest, err = v1.NewHash(e.Digest); err != nil {
				s.bad = append(s.bad, fmt.Sprintf("entry %d of %s: digest: %v", i+1, from, err))
				continue
			}
			if n := ref.Context().Digest(e.Digest).Name(); n != names[0] {
				names = append(names, n)
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
	byName map[string][]writtenEntry
	bad    []string // entries that cannot match anything, and why
}

type writtenEntry struct{ config Config }

func (s *written) String() string { return s.from }

func (s *written) Config(_ context.Context, ref name.Reference, platform v1.Platform) (Config, error) {
	found := s.byName[ref.Name()]
	if len(found) == 0 {
		if len(s.bad) > 0 {
			return Config{}, &notFound{s.bad[0]}
		}
		return Config{}, ErrNotFound
	}
	if len(found) == 1 {
		return found[0].result(), nil
	}
	best, bestRank, anywhere := -1, noMatch, -1
	for i, e := range found {
		switch {
		case e.config.Platform == nil:
			if anywhere < 0 {
				anywhere = i
			}
		default:
			if r := rank(platform, *e.config.Platform); r != noMatch && (bestRank == noMatch || r < bestRank) {
				best, bestRank = i, r
			}
		}
	}
	if best < 0 {
		best = anywhere
	}
	if best < 0 {
		var have []*v1.Platform
		for _, e := range found {
			have = append(have, e.config.Platform)
		}
		return Config{}, &notFound{fmt.Sprintf("%s has it only for %s", s.from, platformList(have))}
	}
	return found[best].result(), nil
}

// result is a copy, so that a caller who appends to Env cannot change what another one sees.
func (e writtenEntry) result() Config {
	c := e.config
	c.Config = *e.config.Config.DeepCopy()
	return c
}
