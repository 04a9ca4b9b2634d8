package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
)

// System is the file system of an image: its layers, one over the other. It is not safe for concurrent use.
type System struct {
	// Alone is locked while a program is held in memory; nil: there is nobody else.
	Alone sync.Locker

	layers []*scan // the uppermost first
	meter  *meter
}

// New returns the file system of layers, in the order of the image's manifest: the lowest first. At most so many bytes
// of them, as they are stored, are read, and nothing once ctx is done; 0: any number. Close ends reading.
func New(ctx context.Context, layers []Layer, most int64) *System {
	if most <= 0 {
		most = maxStream
	}
	s := &System{meter: &meter{ctx: ctx, mostRaw: most}}
	for i := len(layers) - 1; i >= 0; i-- {
		s.layers = append(s.layers, newScan(layers[i], s.meter))
	}
	return s
}

// Read is how many bytes of the layers were read, as they are stored.
func (s *System) Read() int64 { return s.meter.raw }

// Held is about how much memory what is known of the layers takes, in bytes.
func (s *System) Held() int64 {
	held := 3 * int64(s.meter.names) // in maps
	for _, l := range s.layers {
		held += int64(l.held)
		if l.stream != nil {
			held += maxWindow
		}
	}
	return held
}

// Close closes the layers.
func (s *System) Close() {
	for _, l := range s.layers {
		l.close()
	}
}

// Find says what the first of the paths is that is there: absolute ones, the candidates for one program. Of several,
// those that are directories or are not executable are passed over, as a look-up in PATH does. Its error wraps ErrNone
// where none is there; any other means that it is not known.
func (s *System) Find(candidates ...string) (File, error) {
	for _, c := range candidates {
		at, err := s.resolve(c)
		if errors.Is(err, ErrNone) {
			continue
		}
		if err != nil {
			return File{}, err
		}
		if at.kind != tar.TypeReg || len(candidates) > 1 && at.mode&0o111 == 0 {
			if len(candidates) > 1 || at.kind == tar.TypeDir {
				continue
			}
			return File{}, fmt.Errorf("%s is not a regular file: %w", c, ErrNone)
		}
		f, err := s.recognise(at)
		if err != nil {
			return File{}, err
		}
		f.Path = path.Clean("/" + c)
		if real := "/" + at.path; real != f.Path {
			f.Target = real
		}
		return f, nil
	}
	return File{}, fmt.Errorf("%s: %w", strings.Join(candidates, ", "), ErrNone)
}

// located is an entry, and where it is.
type located struct {
	entry
	path  string // without a leading slash; no link is in it
	layer int
	data  string // where its content is: path, but for hard links
	from  int    // the layer with the content
}

// resolve follows a path, link by link. Links that lead above the root stay at the root, as in a container.
func (s *System) resolve(name string) (located, error) {
	rest := strings.Split(clean(name), "/")
	at := located{entry: entry{kind: tar.TypeDir}}
	links := 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch {
		case part == "" || part == ".":
			continue
		case at.kind != tar.TypeDir:
			return at, fmt.Errorf("%s: %w", name, ErrNone)
		case part == "..":
			at = located{entry: entry{kind: tar.TypeDir}, path: parent(at.path)}
			continue
		}
		next, err := s.lookup(path.Join(at.path, part), 0)
		if err != nil {
			return at, err
		}
		if next.kind != tar.TypeSymlink {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return at, fmt.Errorf("%s: too many links: %w", name, ErrNone)
		}
		if len(rest) > maxPath {
			return at, fmt.Errorf("%s: %w", name, ErrTooMuch)
		}
		if strings.HasPrefix(next.link, "/") {
			at = located{entry: entry{kind: tar.TypeDir}}
		}
		rest = append(strings.Split(next.link, "/"), rest...)
	}
	return at, nil
}

// lookup finds the entry of a path that no symbolic link is in, in the layers from top on.
func (s *System) lookup(name string, top int) (located, error) {
	for links := 0; links <= maxLinks; links++ {
		at, err := s.uppermost(name, top)
		if err != nil || at.kind != tar.TypeLink {
			at.data, at.from = name, at.layer
			return at, err
		}
		// A hard link is a file of its own from then on: it stands for what was there when its layer was applied.
		target, err := s.uppermost(clean(at.link), at.layer)
		if err != nil {
			return at, err
		}
		if target.kind != tar.TypeLink {
			target.path, target.data, target.from = name, clean(at.link), target.layer
			return target, nil
		}
		name, top = clean(at.link), target.layer
	}
	return located{}, fmt.Errorf("/%s: too many links: %w", name, ErrNone)
}

func (s *System) uppermost(name string, top int) (located, error) {
	for i := top; i < len(s.layers); i++ {
		e, ok, err := s.layers[i].get(name)
		if err != nil {
			return located{}, err
		}
		if ok {
			return located{entry: e, path: name, layer: i}, nil
		}
		if s.layers[i].hides(name) {
			break
		}
	}
	return located{}, fmt.Errorf("/%s: %w", name, ErrNone)
}

// content reads a file of at most so many bytes.
func (s *System) content(at located, most int64) ([]byte, error) {
	r, err := s.layers[at.from].open(at.data)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readAll(r, at, most)
}

// readAll reads a file of at most so many bytes.
func readAll(r io.Reader, at located, most int64) ([]byte, error) {
	if at.size > most {
		return nil, fmt.Errorf("/%s has more than %d bytes: %w", at.path, most, ErrTooMuch)
	}
	b := make([]byte, at.size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("reading /%s: %w", at.path, err)
	}
	return b, nil
}
