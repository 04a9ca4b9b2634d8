package files

import (
	"maps"
	"slices"
	"strings"
)

// Set is what is known of an image's files. A nil Set knows nothing.
type Set struct {
	files map[string]File
	asked map[string]bool // questions, whatever the answer was
}

// NewSet returns the set of files that somebody wrote down.
func NewSet(list []File) *Set {
	if len(list) == 0 {
		return nil
	}
	s := &Set{files: map[string]File{}, asked: map[string]bool{}}
	for _, f := range list {
		s.files[f.Path] = f
	}
	return s
}

// Find returns the first of the candidates that is known.
func (s *Set) Find(candidates []string) (File, bool) {
	if s != nil {
		for _, c := range candidates {
			if f, ok := s.files[c]; ok && !f.Absent {
				return f, true
			}
		}
	}
	return File{}, false
}

// Asked reports whether there was an answer for the candidates already; exists says that it matters whether any is
// there.
func (s *Set) Asked(candidates []string, exists bool) bool {
	return s != nil && s.asked[question(candidates, exists)]
}

// Absent reports whether it is known that none of the candidates is there.
func (s *Set) Absent(candidates []string) bool {
	if s == nil || len(candidates) == 0 {
		return false
	}
	for _, c := range candidates {
		if !s.files[c].Absent {
			return false
		}
	}
	return true
}

// Answer notes what the candidates come to. A file without a path is not known, or does not matter when it is not
// there; one that is Absent stands for all of them.
func (s *Set) Answer(candidates []string, exists bool, f File) {
	s.asked[question(candidates, exists)] = true
	if f.Absent {
		for _, c := range candidates {
			s.files[c] = File{Path: c, Absent: true}
		}
	} else if f.Path != "" {
		s.files[f.Path] = f
	}
}

// Empty returns a set that can be added to.
func Empty() *Set { return &Set{files: map[string]File{}, asked: map[string]bool{}} }

// List returns the files that something is known of, in the order of their paths.
func (s *Set) List() []File {
	if s == nil {
		return nil
	}
	var list []File
	for _, path := range slices.Sorted(maps.Keys(s.files)) {
		if f := s.files[path]; f.Says() {
			list = append(list, f)
		}
	}
	return list
}

func question(candidates []string, exists bool) string {
	key := strings.Join(candidates, "\x00")
	if exists {
		key += "\x00"
	}
	return key
}
