package sources

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/image/files"
)

// The bounds of an image: what is beyond them counts as not there.
const (
	mostBytes      = 4 << 30   // of its files, in all
	mostSources    = 50_000    // files that may be sources
	largestMap     = 16 << 20  // bytes of a source map
	mostMapBytes   = 128 << 20 // of source maps, in all
	largestProgram = 512 << 20 // bytes
	longest        = 4096      // bytes of a path, which is what Linux takes
)

// Wanted says what of an image's files is of interest.
type Wanted struct {
	// Extensions are those of source files.
	Extensions []string
	// Program says that a program with build information is looked for, among those that the words Started mention if
	// there are several.
	Program bool
	Started []string
}

// ReadImage lists the files of an image, which has these layers, the lowest first, that may be those of the trees.
// Nothing is unpacked.
func ReadImage(ctx context.Context, layers []files.Layer, trees []*Tree, want Wanted) (Image, error) {
	r := reader{want: want, trees: trees}
	err := files.Walk(ctx, layers, r.visit)
	if errors.Is(err, files.ErrTooMuch) {
		err = nil
	} else if err != nil {
		err = fmt.Errorf("reading the image's files: %w", err)
	}
	slices.SortFunc(r.img.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return r.img, err
}

type reader struct {
	want     Wanted
	trees    []*Tree
	img      Image
	bytes    int64
	mapBytes int64
	rank     int // of the program that was found: 1 is any, 2 one that is mentioned
}

func (r *reader) visit(name string, h *tar.Header, content io.Reader) error {
	if r.bytes += h.Size; r.bytes > mostBytes || len(r.img.Files) > mostSources {
		return files.ErrTooMuch
	}
	if err := r.file(name, h, content); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	return nil
}

func (r *reader) file(name string, h *tar.Header, content io.Reader) error {
	dependency := strings.Contains(name, "/node_modules/")
	switch {
	case r.want.Program && h.Mode&0o111 != 0 && h.Size <= largestProgram:
		return r.program(name, h.Size, content)
	case dependency:
		return nil
	case strings.HasSuffix(name, ".map") && slices.Contains(r.want.Extensions, path.Ext(strings.TrimSuffix(name, ".map"))):
		if !r.takesMap(h.Size) {
			return nil
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		r.sourceMap(name, data)
	case slices.Contains(r.want.Extensions, path.Ext(name)) && h.Size <= largest:
		return r.source(name, h.Size, content)
	}
	return nil
}

// source takes note of a source file. Its content matters where there is one of its name and size among the trees, and
// where it ends with its own source map.
func (r *reader) source(name string, size int64, content io.Reader) error {
	f := File{Path: name, Size: size}
	data, err := io.ReadAll(io.LimitReader(content, largest))
	if err != nil {
		return err
	}
	if has(r.trees, path.Base(name), size) {
		f.SHA256 = sum(data)
	}
	r.img.Files = append(r.img.Files, f)
	const inline = "sourceMappingURL=data:application/json;"
	if at := bytes.LastIndex(data, []byte(inline)); at >= 0 {
		_, encoded, _ := bytes.Cut(data[at:], []byte(","))
		encoded, _, _ = bytes.Cut(encoded, []byte("\n"))
		if m, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(encoded)); err == nil && r.takesMap(int64(len(m))) {
			r.sourceMap(name, m)
		}
	}
	return nil
}

// takesMap reports whether a source map of a size is read.
func (r *reader) takesMap(size int64) bool {
	if size > largestMap || r.mapBytes+size > mostMapBytes {
		return false
	}
	r.mapBytes += size
	return true
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// sourceMap takes note of the sources that a source map names (ECMA-426). A broken one names none.
func (r *reader) sourceMap(name string, data []byte) {
	var m struct {
		SourceRoot     string    `json:"sourceRoot"`
		Sources        []string  `json:"sources"`
		SourcesContent []*string `json:"sourcesContent"`
	}
	if json.Unmarshal(bytes.TrimPrefix(data, []byte(")]}'\n")), &m) != nil {
		return
	}
	for i, source := range m.Sources {
		if len(r.img.Files) > mostSources {
			return
		}
		at := remoteSource(name, m.SourceRoot, source)
		if at == "" || strings.Contains(at, "/node_modules/") {
			continue
		}
		f := File{Path: at, Size: -1, Named: true}
		if i < len(m.SourcesContent) && m.SourcesContent[i] != nil {
			f.SHA256 = sum([]byte(*m.SourcesContent[i]))
		}
		r.img.Files = append(r.img.Files, f)
	}
}

// remoteSource is where the debugger takes a source of a map to be; "" where that is no file.
func remoteSource(file, root, source string) string {
	if len(root)+len(source) > longest {
		return ""
	}
	at := source
	if root != "" {
		at = strings.TrimSuffix(root, "/") + "/" + source
	}
	at = strings.TrimPrefix(at, "file://")
	if strings.Contains(at, "://") || strings.ContainsAny(at, "?\x00") {
		return "" // bundlers' own names, for what they make as well
	}
	if !path.IsAbs(at) {
		at = path.Join(path.Dir(file), at)
	}
	return path.Clean(at)
}

// program takes note of a program with build information.
func (r *reader) program(name string, size int64, content io.Reader) error {
	magic := make([]byte, len(elf.ELFMAG))
	if _, err := io.ReadFull(content, magic); err != nil || string(magic) != elf.ELFMAG {
		return nil //nolint:nilerr // a file of three bytes is no program
	}
	rank := 1
	if slices.ContainsFunc(r.want.Started, func(word string) bool { return Mentions(word, name) }) {
		rank = 2
	}
	if rank <= r.rank {
		return nil
	}
	file, err := os.CreateTemp("", "debuggable-program-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := io.Copy(file, io.MultiReader(bytes.NewReader(magic), io.LimitReader(content, size))); err != nil {
		return err
	}
	if p, ok := ReadProgram(file); ok {
		r.rank, r.img.Program = rank, p
	}
	return nil
}

// Mentions reports whether a word of a command line, maybe a script, names a program by its path or its last element.
func Mentions(word, program string) bool {
	for _, w := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(" \t\n;&|\"'", r) }) {
		if w == program || path.Base(w) == path.Base(program) {
			return true
		}
	}
	return false
}

// ReadProgram reads what a program's build information says; false where it has none.
func ReadProgram(file io.ReaderAt) (Program, bool) {
	g := files.ReadGo(file)
	if g == nil || g.Module == "" {
		return Program{}, false
	}
	return Program{Module: g.Module, Package: g.Package, Directory: g.CompileDir}, true
}
