package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// members are the members of a layout's folder or of an archive, by slash-separated path.
type members interface {
	// read returns the content of a member of at most maxDocument bytes. Its error wraps errMissing where there is no
	// such member.
	read(ctx context.Context, name string) ([]byte, error)
	// open opens a member of any size, without keeping anything of it. It may be called while others read.
	open(ctx context.Context, name string) (io.ReadCloser, error)
}

// fileStore is a store over the blobs/ of files.
type fileStore struct{ files members }

func (s fileStore) blob(ctx context.Context, h v1.Hash) ([]byte, error) {
	b, err := s.files.read(ctx, "blobs/"+h.Algorithm+"/"+h.Hex)
	if errors.Is(err, errMissing) {
		return nil, fmt.Errorf("blob %s is %w", h, errMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", h, err)
	}
	if err := verify(h, b); err != nil {
		return nil, err
	}
	return b, nil
}

// document implements store.
func (s fileStore) document(ctx context.Context, _ kind, h v1.Hash, use func([]byte) error) error {
	b, err := s.blob(ctx, h)
	if err != nil {
		return err
	}
	return use(b)
}

// layer implements store.
func (s fileStore) layer(ctx context.Context, h v1.Hash) (io.ReadCloser, error) {
	return s.files.open(ctx, "blobs/"+h.Algorithm+"/"+h.Hex)
}

// folder is the files of a folder.
type folder string

func (f folder) read(ctx context.Context, name string) ([]byte, error) {
	file, err := f.open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readDocument(file, name)
}

func (f folder) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	full := filepath.Join(string(f), filepath.FromSlash(name))
	info, err := os.Stat(full)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is %w", name, errMissing)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // reading a pipe would wait for ever
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return os.Open(full)
}

// Bounds on what is kept of an archive.
const (
	maxMembers = 1 << 18  // members, of which only name, offset and size are kept
	maxName    = 4096     // bytes of a member's name that is kept: those of images have a hundred
	maxNames   = 32 << 20 // bytes of the names of members
	maxHeaders = 1 << 28  // bytes of what headers say, of which a compressed megabyte may hold a gigabyte
	maxKept    = 32 << 20 // bytes of the JSON members of a compressed archive
	maxPasses  = 16       // readings of a compressed archive from its start
)

// member is where a member of an archive is, or its content.
type member struct {
	offset, size int64
	link         string // the member that a link stands for
	content      []byte // of compressed archives: kept while reading
}

// archive is the files of a tar file, plain or gzip-compressed. Layers are skipped, never kept.
type archive struct {
	file       func() (archiveFile, error)
	compressed bool
	members    map[string]*member
	kept       int64 // bytes of content
	names      int   // bytes of names
	passes     int
}

// archiveFile is what an archive is read from: a file or, in tests, memory.
type archiveFile interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// openArchive reads the headers of the tar file at path. Of a compressed one, whose members cannot be reached without
// decompressing all that is ahead of them, it keeps what looks like JSON, within bounds.
func openArchive(ctx context.Context, file string) (*archive, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	return readArchive(ctx, func() (archiveFile, error) { return os.Open(file) })
}

func readArchive(ctx context.Context, open func() (archiveFile, error)) (*archive, error) {
	a := &archive{file: open, members: map[string]*member{}}
	if err := a.scan(ctx, ""); err != nil {
		return nil, err
	}
	return a, nil
}

// scan reads the archive from its start. Without want it lists the members; with want it stops at the member of this
// name and keeps its content.
func (a *archive) scan(ctx context.Context, want string) error {
	file, err := a.file()
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := a.uncompressed(ctx, file)
	if err != nil {
		return err
	}
	if z, is := r.(io.Closer); is {
		defer z.Close()
	}
	t := tar.NewReader(r)
	headers := 0
	for count := 0; ; count++ {
		h, err := t.Next()
		if err != nil {
			return headerProblem(ctx, err, count)
		}
		if count >= maxMembers {
			return fmt.Errorf("it has more than %d members", maxMembers)
		}
		if headers += headerSize(h); headers > maxHeaders {
			return fmt.Errorf("the headers of its members have more than %d MiB", maxHeaders>>20)
		}
		if len(h.Name) > maxName || len(h.Linkname) > maxName {
			continue // nothing that counts has such a name
		}
		name := path.Clean("/" + h.Name)[1:]
		switch {
		case want == "":
			if err := a.list(h, name, t, file); err != nil {
				return err
			}
		case name == want && h.Typeflag == tar.TypeReg:
			return a.keep(a.members[name], t, name)
		}
	}
}

// uncompressed is the tar file in a file, which may be compressed. Where it has to be closed, it is an io.Closer.
func (a *archive) uncompressed(ctx context.Context, file archiveFile) (io.Reader, error) {
	var magic [4]byte
	n, err := io.ReadFull(file, magic[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	switch r := (contextReader{ctx, file}); {
	case bytes.HasPrefix(magic[:n], []byte{0x1f, 0x8b}):
		a.compressed = true
		return gzip.NewReader(bufio.NewReaderSize(r, 1<<16))
	case bytes.Equal(magic[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("it is compressed with zstd; decompress it first (zstd -d), or compress it with gzip")
	default:
		return contextSeeker{r, file}, nil // tar seeks over what it is not asked to read
	}
}

// headerProblem says what it means that there is no further header behind count of them: nil at the archive's end.
func headerProblem(ctx context.Context, err error, count int) error {
	switch {
	case errors.Is(err, io.EOF):
		if count == 0 {
			return errors.New("it is not a tar archive, or an empty one")
		}
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case count == 0 && (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)):
		return errors.New("it is not a tar archive")
	}
	return fmt.Errorf("reading member %d: %w", count+1, err)
}

// list writes down where a member is. Of a compressed archive it keeps the content of what looks like JSON.
func (a *archive) list(h *tar.Header, name string, content io.Reader, file archiveFile) (err error) {
	if a.names += len(name) + len(h.Linkname); a.names > maxNames {
		return fmt.Errorf("the names of its members have more than %d MiB", maxNames>>20)
	}
	m := &member{size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg:
		a.members[name] = m
	case tar.TypeLink, tar.TypeSymlink:
		target := h.Linkname
		if h.Typeflag == tar.TypeSymlink && !path.IsAbs(target) {
			target = path.Join(path.Dir("/"+name), target)
		}
		a.members[name] = &member{link: path.Clean("/" + target)[1:]}
		return nil
	default:
		return nil
	}
	if !a.compressed {
		m.offset, err = file.Seek(0, io.SeekCurrent)
		return err
	}
	if h.Size == 0 || h.Size > maxDocument || a.kept+h.Size > maxKept {
		return nil
	}
	start := make([]byte, 1)
	if _, err := io.ReadFull(content, start); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if start[0] == '{' || start[0] == '[' {
		return a.keep(m, io.MultiReader(bytes.NewReader(start), content), name)
	}
	return nil
}

// headerSize is how many bytes were read to know a member: names, and what records say beside them.
func headerSize(h *tar.Header) int {
	size := len(h.Name) + len(h.Linkname)
	for key, value := range h.PAXRecords {
		size += len(key) + len(value)
	}
	return size
}

func (a *archive) keep(m *member, r io.Reader, name string) error {
	b, err := readDocument(r, name)
	if err != nil {
		return err
	}
	if b == nil {
		b = []byte{}
	}
	m.content = b
	a.kept += int64(len(b))
	return nil
}

// find returns a member that is a file, and its name: behind links.
func (a *archive) find(name string) (string, *member) {
	m := a.members[name]
	for range 8 { // links to links
		if m == nil || m.link == "" {
			break
		}
		name = m.link
		m = a.members[name]
	}
	return name, m
}

// open implements members. A member of a compressed archive is reached by reading all that is ahead of it.
func (a *archive) open(ctx context.Context, name string) (io.ReadCloser, error) {
	name, m := a.find(name)
	if m == nil || m.link != "" {
		return nil, fmt.Errorf("%s is %w", name, errMissing)
	}
	file, err := a.file()
	if err != nil {
		return nil, err
	}
	if !a.compressed {
		return opened{io.NewSectionReader(file, m.offset, m.size), file}, nil
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(contextReader{ctx, file}, 1<<16))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading %s: %w", name, err), file.Close())
		}
		if h.Typeflag == tar.TypeReg && path.Clean("/" + h.Name)[1:] == name {
			return opened{t, file}, nil
		}
	}
}

// opened is a part of a file.
type opened struct {
	io.Reader
	io.Closer
}

func (a *archive) read(ctx context.Context, name string) ([]byte, error) {
	name, m := a.find(name)
	switch {
	case m == nil || m.link != "":
		return nil, fmt.Errorf("%s is %w", name, errMissing)
	case m.content != nil:
		return m.content, nil
	case m.size > maxDocument:
		return nil, tooLarge(name)
	case a.compressed:
		if a.passes++; a.passes > maxPasses {
			return nil, fmt.Errorf("%s is one document too many for a compressed archive; decompress it first", name)
		}
		if err := a.scan(ctx, name); err != nil {
			return nil, err
		}
		if m.content == nil {
			return nil, fmt.Errorf("%s is %w: the archive has changed", name, errMissing)
		}
		return m.content, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := a.file()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := readDocument(io.NewSectionReader(file, m.offset, m.size), name)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != m.size {
		return nil, fmt.Errorf("%s is cut short: %w", name, io.ErrUnexpectedEOF)
	}
	return b, nil
}

// contextReader ends reading when its context is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

type contextSeeker struct {
	contextReader
	io.Seeker
}
