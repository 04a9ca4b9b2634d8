package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"strings"
)

// maxDepth is how deep files lie that Walk finds.
const maxDepth = 128

// Walk calls visit for each regular file that an image has, by its path with a leading slash, until visit returns an
// error: those of the uppermost layer first. layers are in the order of New. Its error wraps ErrTooMuch where a bound
// was reached.
func Walk(
	ctx context.Context, layers []Layer, visit func(name string, h *tar.Header, content io.Reader) error,
) error {
	w := walk{
		meter: &meter{ctx: ctx, mostRaw: maxStream}, visit: visit, taken: map[string]bool{}, emptied: map[string]bool{},
	}
	for i := len(layers) - 1; i >= 0; i-- {
		if err := w.layer(layers[i]); err != nil {
			return err
		}
	}
	return nil
}

// walk is what the layers above have.
type walk struct {
	meter *meter
	visit func(name string, h *tar.Header, content io.Reader) error
	// taken are the names that hide what has them further down: true those of files and whiteouts, which hide what lies
	// below as well.
	taken   map[string]bool
	emptied map[string]bool // opaque directories
}

func (w *walk) layer(l Layer) error {
	t, err := openTar(l, w.meter)
	if err != nil {
		return err
	}
	defer t.close()
	// These hide nothing of their own layer.
	taken, removed, emptied := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("reading layer %s: %w", l.Name, err)
		}
		name := clean(h.Name)
		if len(name) > maxPath || strings.Count(name, "/") >= maxDepth {
			continue
		}
		if w.meter.names += len(name) + perName; w.meter.names > maxNames {
			return fmt.Errorf("reading layer %s: the names of its files: %w", l.Name, ErrTooMuch)
		}
		dir, base := path.Split(name)
		dir = strings.TrimSuffix(dir, "/")
		switch {
		case base == opaque:
			emptied[dir] = true
		case strings.HasPrefix(base, metadata):
		case strings.HasPrefix(base, whiteout):
			removed[path.Join(dir, strings.TrimPrefix(base, whiteout))] = true
		case taken[name]:
		case h.Typeflag == tar.TypeDir:
			taken[name] = false
		default:
			taken[name] = true
			if h.Typeflag != tar.TypeReg || sparse(h) || w.hidden(name) {
				continue
			}
			if err := w.visit("/"+name, h, t); err != nil {
				return err
			}
		}
	}
	for name, file := range taken {
		w.taken[name] = w.taken[name] || file
	}
	for name := range removed {
		w.taken[name] = true
	}
	maps.Copy(w.emptied, emptied)
	return nil
}

// sparse reports whether a file is written down without its zeros: it may be as large as it likes. No tool makes such
// layers.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// hidden reports whether a layer above has something else in the place of a file.
func (w *walk) hidden(name string) bool {
	if _, ok := w.taken[name]; ok {
		return true
	}
	for name != "" {
		if name = parent(name); w.taken[name] && name != "" || w.emptied[name] {
			return true
		}
	}
	return false
}
