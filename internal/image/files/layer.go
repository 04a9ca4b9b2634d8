package files

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Layer is one layer of an image: a tar archive, plain or compressed with gzip or zstd.
type Layer struct {
	Name string // for errors, like sha256:…
	// Open reads it from its start.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// The names that say what a layer takes away from those below it
// (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	metadata = ".wh..wh." // of AUFS, which are no files
)

// entry is a file of a layer.
type entry struct {
	kind byte   // tar.TypeReg, TypeDir, TypeSymlink, TypeLink; 0 for what is none of these
	link string // what a link stands for
	mode int64
	size int64
}

// scan reads a layer only as far as it is asked to, and knows what it has passed.
type scan struct {
	layer   Layer
	meter   *meter
	entries map[string]entry // by path, without a leading slash
	removed map[string]bool  // whiteouts
	emptied map[string]bool  // opaque directories
	kept    map[string][]byte
	held    int

	stream  *tarStream
	current string // the member that the stream stands at, not read yet
	done    bool
	err     error
}

func newScan(l Layer, m *meter) *scan {
	return &scan{
		layer: l, meter: m, entries: map[string]entry{}, removed: map[string]bool{}, emptied: map[string]bool{},
		kept: map[string][]byte{},
	}
}

// get returns the entry of a path, reading on until it comes.
func (s *scan) get(name string) (entry, bool, error) {
	for {
		if e, ok := s.entries[name]; ok {
			return e, true, nil
		}
		if s.err != nil || s.done {
			return entry{}, false, s.err
		}
		s.advance()
	}
}

// hides reports whether the layer takes a path away from the layers below it. The layer has been read to its end.
func (s *scan) hides(name string) bool {
	for {
		if s.removed[name] {
			return true
		}
		if name == "" {
			return false
		}
		if name = parent(name); s.emptied[name] {
			return true
		}
	}
}

func parent(name string) string {
	if dir := path.Dir(name); dir != "." {
		return dir
	}
	return ""
}

// advance reads the next member's header.
func (s *scan) advance() {
	if s.stream == nil {
		if s.stream, s.err = openTar(s.layer, s.meter); s.err != nil {
			return
		}
	}
	s.current = ""
	h, err := s.stream.Next()
	switch {
	case errors.Is(err, io.EOF):
		s.done = true
		s.close()
		return
	case err != nil:
		s.fail(err)
		return
	}
	if err := s.add(h); err != nil {
		s.fail(err)
	}
}

func (s *scan) fail(err error) {
	s.err = fmt.Errorf("reading layer %s: %w", s.layer.Name, err)
	s.close()
}

func (s *scan) close() {
	if s.stream != nil {
		s.stream.close()
		s.stream = nil
	}
}

func (s *scan) add(h *tar.Header) error {
	if len(h.Name) > maxPath || len(h.Linkname) > maxPath {
		return nil // nothing can be reached by such a name
	}
	if s.meter.names += len(h.Name) + len(h.Linkname) + perName; s.meter.names > maxNames {
		return fmt.Errorf("the names of its files: %w", ErrTooMuch)
	}
	name := clean(h.Name)
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case base == opaque:
		s.emptied[dir] = true
		return nil
	case strings.HasPrefix(base, metadata):
		return nil
	case strings.HasPrefix(base, whiteout):
		s.removed[clean(path.Join(dir, strings.TrimPrefix(base, whiteout)))] = true
		return nil
	}
	for ; ; dir = parent(dir) {
		if _, ok := s.entries[dir]; ok {
			break
		}
		s.entries[dir] = entry{kind: tar.TypeDir}
		if dir == "" {
			break
		}
		if s.meter.names += len(dir) + perName; s.meter.names > maxNames {
			return fmt.Errorf("the names of its directories: %w", ErrTooMuch)
		}
	}
	e := entry{mode: h.Mode, size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeGNUSparse:
		e.kind, e.link = h.Typeflag, h.Linkname
	}
	if e.kind == tar.TypeGNUSparse {
		e.kind = tar.TypeReg
	}
	s.entries[name] = e
	delete(s.kept, name)
	if e.kind != tar.TypeReg {
		return nil
	}
	s.current = name
	// Scripts lie among other small files: reading the layer once more for each of them would take longer than to keep
	// them.
	if wanted := e.mode&0o111 != 0 || base == "package.json"; !wanted || e.size > MaxScript ||
		s.held+int(e.size) > maxKept {
		return nil
	}
	b, err := io.ReadAll(s.stream)
	if err != nil {
		return err
	}
	s.held += len(b)
	s.kept[name], s.current = b, ""
	return nil
}

// open reads the content of a regular file that was passed.
func (s *scan) open(name string) (io.ReadCloser, error) {
	if b, ok := s.kept[name]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	if s.current == name && s.stream != nil {
		s.current = ""
		return io.NopCloser(s.stream), nil
	}
	again, err := openTar(s.layer, s.meter)
	if err != nil {
		return nil, err
	}
	for {
		h, err := again.Next()
		if err != nil {
			again.close()
			return nil, fmt.Errorf("reading layer %s: %w", s.layer.Name, err)
		}
		if (h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse) && clean(h.Name) == name {
			return again, nil
		}
	}
}

// clean turns the name of a member into a path below the root, without a leading slash.
func clean(name string) string { return path.Clean("/" + name)[1:] }

// tarStream is the members of a layer that is being read.
type tarStream struct {
	*tar.Reader
	closers []func()
}

func (t *tarStream) close() {
	for _, c := range t.closers {
		c()
	}
}

func (t *tarStream) Close() error {
	t.close()
	return nil
}

// openTar opens a layer, whatever it is compressed with: media types are not always right.
func openTar(l Layer, m *meter) (*tarStream, error) {
	raw, err := l.Open(m.ctx)
	if err != nil {
		return nil, fmt.Errorf("reading layer %s: %w", l.Name, err)
	}
	t := &tarStream{closers: []func(){func() { _ = raw.Close() }}}
	b := bufio.NewReaderSize(&counted{ctx: m.ctx, r: raw, sum: &m.raw, most: func() int64 { return m.mostRaw }}, 1<<16)
	magic, _ := b.Peek(4)
	var r io.Reader = b
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("reading layer %s: %w", l.Name, err)
		}
		r = z
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			t.close()
			return nil, fmt.Errorf("reading layer %s: %w", l.Name, err)
		}
		t.closers = append([]func(){z.Close}, t.closers...)
		r = z
	}
	t.Reader = tar.NewReader(&counted{ctx: m.ctx, r: r, sum: &m.stream, most: m.mostStream})
	return t, nil
}

// meter is what was read of an image.
type meter struct {
	ctx     context.Context // of all reading: streams stay open from one look to the next
	raw     int64           // bytes as they are stored
	mostRaw int64
	stream  int64 // bytes uncompressed
	names   int
}

// mostStream is how much may have come of what was read: few layers unpack to ten times their size, and one of zeros to
// a thousand times.
func (m *meter) mostStream() int64 { return min(maxStream, maxUnpacked+maxRatio*m.raw) }

// counted ends reading at a bound, or when its context is done.
type counted struct {
	ctx  context.Context
	r    io.Reader
	sum  *int64
	most func() int64
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	most := c.most()
	if *c.sum >= most {
		return 0, fmt.Errorf("%d MiB: %w", most>>20, ErrTooMuch)
	}
	n, err := c.r.Read(p[:min(int64(len(p)), most-*c.sum)])
	*c.sum += int64(n)
	return n, err
}
