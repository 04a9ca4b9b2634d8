package files

import (
	"bytes"
	"context"
	"io"
	"path"
	"testing"
)

// FuzzLayer: whatever a layer is, it is read to an end, and no path leads out of the image.
func FuzzLayer(f *testing.F) {
	for _, compress := range []string{"", "gzip", "zstd"} {
		l := layerOf(f, compress, "file a x", "link b ../../a", "hard c a", "white d", "opaque e", "file e/f x")
		r, _ := l.Open(context.Background())
		b, _ := io.ReadAll(r)
		f.Add(b, "/b")
	}
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		l := Layer{Name: "fuzz", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(b)), nil
		}}
		s := New(context.Background(), []Layer{l, l}, 1<<20)
		defer s.Close()
		found, err := s.Find(name, "/b")
		if err == nil && (path.Clean(found.Real()) != found.Real() || !path.IsAbs(found.Real())) {
			t.Errorf("%q leads to %q", name, found.Real())
		}
	})
}
