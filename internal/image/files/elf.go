package files

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

// ReadGo says what the build and debug information of a Go program say; nil for what is no Go program, or cannot be
// read.
func ReadGo(r io.ReaderAt) (g *Go) {
	defer func() {
		// The packages that read these formats are made for what compilers write.
		if recover() != nil {
			g = nil
		}
	}()
	if !plainHeaders(r) {
		return nil
	}
	info, err := buildinfo.Read(pieces{r})
	if err != nil {
		return nil
	}
	version, _, _ := strings.Cut(info.GoVersion, " ")
	g = &Go{Version: version, Module: info.Main.Path, Package: info.Path}
	if len(version) > 64 || len(g.Module) > maxPath || len(g.Package) > maxPath {
		return nil
	}
	file, err := elf.NewFile(r)
	if err != nil {
		return g
	}
	for _, s := range file.Sections {
		if strings.HasPrefix(s.Name, ".debug_") || strings.HasPrefix(s.Name, ".zdebug_") {
			if s.Type == elf.SHT_NOBITS || s.Size > 1<<40 {
				continue
			}
			g.DebugInfo += int64(s.Size)
		}
	}
	if file.Section(".debug_info") == nil && file.Section(".zdebug_info") == nil {
		g.DebugInfo = 0 // what is left of it is of no use
	}
	if g.DebugInfo > 0 && g.DebugInfo <= maxDebug {
		readDebug(file, g)
	}
	return g
}

// pieces refuses to be read in pieces larger than a Go program's build information: that is read in one, whatever the
// program says of its size, and everything else in smaller ones.
type pieces struct{ io.ReaderAt }

func (r pieces) ReadAt(p []byte, at int64) (int, error) {
	const most = 1 << 20
	if len(p) > most {
		return 0, errors.New("it is larger than any build information")
	}
	return r.ReaderAt.ReadAt(p, at)
}

// plainHeaders reports whether a program's tables are as linkers write them. Package elf copies the name of each
// section, however long it is, and uncompresses the table of names.
func plainHeaders(r io.ReaderAt) bool {
	const mostSections, mostSegments, mostNames = 1024, 1024, 64 << 10
	ident := make([]byte, 64)
	if n, _ := r.ReadAt(ident, 0); n < 52 {
		return false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(ident[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	wide := elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS64
	table, sizes := uint64(order.Uint32(ident[32:])), ident[42:]
	if wide {
		table, sizes = order.Uint64(ident[40:]), ident[54:]
	}
	segmentSize, segments := order.Uint16(sizes), order.Uint16(sizes[2:])
	size, sections, names := order.Uint16(sizes[4:]), order.Uint16(sizes[6:]), order.Uint16(sizes[8:])
	if segmentSize > 64 || segments > mostSegments || sections > mostSections || size > 64 {
		return false
	}
	if sections == 0 {
		return table == 0 // else their number stands elsewhere, since it is so large
	}
	if names >= sections {
		return names == 0
	}
	header := make([]byte, 64)
	if n, _ := r.ReadAt(header, int64(table)+int64(names)*int64(size)); n < int(size) || size < 40 {
		return false
	}
	flags, length := uint64(order.Uint32(header[8:])), uint64(order.Uint32(header[20:]))
	if wide {
		flags, length = order.Uint64(header[8:]), order.Uint64(header[32:])
	}
	return elf.SectionFlag(flags)&elf.SHF_COMPRESSED == 0 && length <= mostNames
}

// readDebug reads what the unit of package main says of how it was compiled.
func readDebug(file *elf.File, g *Go) {
	debug, ok := readDebugInfo(file)
	if !ok {
		return
	}
	u, ok := debug.mainUnit()
	if !ok {
		return
	}
	if u.producer != "" {
		// "Go cmd/compile go1.26.8; -N -l regabi"
		_, flags, _ := strings.Cut(u.producer, ";")
		g.Optimised = !slices.Contains(strings.Fields(flags), "-N")
	}
	if source := debug.source(u); strings.Contains(source, "/") { // cgo's own files have no directory
		g.CompileDir = compileDir(source, g)
	}
}

// compileDir is the directory of the main module: that of a source file, less the package's path below the module's.
// With -trimpath, source files begin with the module's path.
func compileDir(source string, g *Go) string {
	dir := path.Dir(source)
	if below, ok := strings.CutPrefix(g.Package, g.Module+"/"); ok && g.Module != "" {
		if root, ok := strings.CutSuffix(dir, "/"+below); ok {
			return root
		}
	}
	return dir
}
