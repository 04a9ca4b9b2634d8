package files

import (
	"archive/tar"
	"bytes"
	"compress/zlib"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// section is a section of a program that somebody wrote by hand.
type section struct {
	name  string
	data  []byte
	flags elf.SectionFlag
}

// craft writes a Go program that has build information and some more sections. names, where it is compressed, takes the
// place of the table of their names.
func craft(buildInfo []byte, sections []section, names section) []byte {
	const headers, address = 64 + 56, 0x1000
	all := append([]section{{}, {name: ".go.buildinfo", data: buildInfo}}, sections...)
	table, places := []byte{0}, map[string]uint32{"": 0}
	var body bytes.Buffer
	var list []elf.Section64
	for _, s := range all {
		name, ok := places[s.name]
		if !ok {
			name = uint32(len(table))
			places[s.name] = name
			table = append(table, s.name+"\x00"...)
		}
		list = append(list, elf.Section64{Name: name, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(s.flags),
			Off: uint64(headers + body.Len()), Size: uint64(len(s.data))})
		body.Write(s.data)
	}
	list[0] = elf.Section64{}
	list[1].Addr = address
	if names.flags == 0 {
		names.data = table
	}
	list = append(list, elf.Section64{Type: uint32(elf.SHT_STRTAB), Flags: uint64(names.flags),
		Off: uint64(headers + body.Len()), Size: uint64(len(names.data))})
	body.Write(names.data)

	var b bytes.Buffer
	write := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a buffer takes everything
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64,
		Shoff: uint64(headers + body.Len()), Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: uint16(len(list)),
		Shstrndx: uint16(len(list) - 1)}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	write(h)
	write(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Off: headers, Vaddr: address,
		Filesz: uint64(len(buildInfo)), Memsz: uint64(len(buildInfo))})
	b.Write(body.Bytes())
	write(list)
	return b.Bytes()
}

func buildInfo(more string) []byte {
	b := make([]byte, 32)
	copy(b, "\xff Go buildinf:\x08\x02")
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	text("go1.26.1")
	frame := strings.Repeat("f", 16)
	text(frame + "path\texample.com/web\nmod\texample.com/web\t(devel)\t\n" + more + frame)
	return b
}

// packed is a compressed section that says how large it is.
func packed(name string, claimed uint64, deflated []byte) section {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: claimed, Addralign: 1})
	b.Write(deflated)
	return section{name, b.Bytes(), elf.SHF_COMPRESSED}
}

func deflate(content []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(content)
	_ = z.Close()
	return b.Bytes()
}

// compileUnit is a unit of package main of DWARF 5 whose abbreviations are at an offset: a name, and the offset of its
// line table.
func compileUnit(name string, abbreviations uint32) []byte {
	var b []byte
	b = binary.LittleEndian.AppendUint16(b, 5)
	b = append(b, 1, 8)
	b = binary.LittleEndian.AppendUint32(b, abbreviations)
	b = append(b, 1)
	b = append(b, name+"\x00"...)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// abbreviations are those of a compileUnit.
var abbreviations = []byte{1, 0x11, 0, 0x03, 0x08, 0x10, 0x17, 0, 0}

// lineTable is one of DWARF 5 whose directories have a format, and are so many.
func lineTable(format []byte, directories uint64, rest string) []byte {
	b := []byte{5, 0, 8, 0, 0, 0, 0, 0, 1, 1, 1, 0xfb, 14, 1}
	b = append(b, byte(len(format)/2))
	b = append(b, format...)
	b = append(binary.AppendUvarint(b, directories), rest...)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// TestHostilePrograms: what a program says of its own sizes and numbers costs what it is long.
func TestHostilePrograms(t *testing.T) {
	zeros := deflate(make([]byte, 400<<20))
	many := func(n int, s section) (all []section) {
		for range n {
			all = append(all, s)
		}
		return all
	}
	var table []byte // that has no end
	for code := range uint64(30_000) {
		table = append(binary.AppendUvarint(table, 1<<14+code), abbreviations[1:]...)
	}
	units := func(n int) (b []byte) {
		for i := range n {
			b = append(b, compileUnit("x", uint32(0))...)
			binary.LittleEndian.PutUint32(b[len(b)-11:], uint32(i)*uint32(len(abbreviations)+2))
		}
		return b
	}
	info := section{".debug_info", compileUnit("main", 0), 0}
	abbrev := section{".debug_abbrev", abbreviations, 0}
	for name, program := range map[string][]byte{
		"a long name for many":      craft(buildInfo(""), many(1000, section{strings.Repeat("a", 1<<20), nil, 0}), section{}),
		"names that are compressed": craft(buildInfo(""), nil, packed("", 400<<20, zeros)),
		"more sections than are counted": func() []byte {
			sections := many(200_000, section{})
			b := craft(buildInfo(""), sections, section{})
			table := binary.LittleEndian.Uint64(b[40:])
			binary.LittleEndian.PutUint16(b[60:], 0)
			binary.LittleEndian.PutUint64(b[table+32:], uint64(len(sections)))
			return b
		}(),
		"build information that is long": craft(buildInfo(strings.Repeat("dep\ta\tb\t\n", 4<<20)), nil, section{}),
		"debug information that unpacks to more": craft(buildInfo(""), []section{
			packed(".debug_info", 400<<20, zeros), abbrev}, section{}),
		"the same as it was compressed before": craft(buildInfo(""), []section{
			{".zdebug_info", append(binary.BigEndian.AppendUint64([]byte("ZLIB"), 400<<20), zeros...), 0}, abbrev,
		}, section{}),
		"the same, of any size that it likes": craft(buildInfo(""), []section{
			{".zdebug_info", append(binary.BigEndian.AppendUint64([]byte("ZLIB"), 1<<62), zeros...), 0}, abbrev,
		}, section{}),
		"directories that are nothing, without an end": craft(buildInfo(""), []section{info, abbrev,
			{".debug_line", lineTable(nil, 1<<27, ""), 0}}, section{}),
		"files that are nothing, without an end": craft(buildInfo(""), []section{info, abbrev,
			{".debug_line", lineTable([]byte{1, 8}, 1, "/a\x00\x00\x80\x80\x80\x40"), 0}}, section{}),
		"a table of abbreviations for each unit": craft(buildInfo(""), []section{{".debug_info", units(2000), 0},
			{".debug_abbrev", table, 0}}, section{}),
		"units without a content": craft(buildInfo(""), []section{
			{".debug_info", bytes.Repeat([]byte{8, 0, 0, 0, 5, 0, 1, 8, 0, 0, 0, 0}, 2<<20), 0}, abbrev}, section{}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ReadGo(bytes.NewReader(program))
			runtime.ReadMemStats(&after)
			allocated, most := after.TotalAlloc-before.TotalAlloc, uint64(16<<20+4*len(program))
			t.Logf("%d kB allocated for %d kB", allocated>>10, len(program)>>10)
			if allocated > most {
				t.Errorf("%d kB allocated for a program of %d kB", allocated>>10, len(program)>>10)
			}
		})
	}
}

// TestCraftedProgram: what the hostile programs are made of is read where it is not hostile.
func TestCraftedProgram(t *testing.T) {
	files := "/src/web\x00\x02\x01\x08\x02\x0b\x02?\x00\x00main.go\x00\x00"
	for name, info := range map[string]section{
		"plain":      {".debug_info", append(compileUnit("x", 0), compileUnit("main", 0)...), 0},
		"compressed": packed(".debug_info", uint64(len(compileUnit("main", 0))), deflate(compileUnit("main", 0))),
		"in the old way": {".zdebug_info",
			append([]byte("ZLIB\x00\x00\x00\x00\x00\x00\x00\x16"), deflate(compileUnit("main", 0))...), 0},
	} {
		g := ReadGo(bytes.NewReader(craft(buildInfo(""), []section{info, {".debug_abbrev", abbreviations, 0},
			{".debug_line", lineTable([]byte{1, 8}, 1, files), 0}}, section{})))
		if g == nil || g.Version != "go1.26.1" || g.Module != "example.com/web" || g.CompileDir != "/src/web" {
			t.Errorf("%s: got %+v", name, g)
		}
	}
}

// TestHostileLayers: names and content cost what the layer is long.
func TestHostileLayers(t *testing.T) {
	var names bytes.Buffer
	w := tar.NewWriter(&names)
	for i := range 15_000 {
		h := &tar.Header{Name: fmt.Sprintf("%d/%sx", i, strings.Repeat("a/", 2000)), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	var zeros, one bytes.Buffer
	w = tar.NewWriter(&zeros)
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Typeflag: tar.TypeReg, Size: 8 << 30}); err != nil {
		t.Fatal(err)
	}
	_ = w.Flush() // what follows is its content
	z, err := zstd.NewWriter(&one)
	if err != nil {
		t.Fatal(err)
	}
	bomb, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(make([]byte, 64<<20))
	_ = z.Close()
	for name, data := range map[string][]byte{
		"deep directories": names.Bytes(),
		"zeros":            append(bomb.EncodeAll(zeros.Bytes(), nil), bytes.Repeat(one.Bytes(), 100)...),
	} {
		t.Run(name, func(t *testing.T) {
			layers := []Layer{{Name: "test", Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(data)), nil
			}}}
			s := New(t.Context(), layers, 0)
			defer s.Close()
			if _, err := s.Find("/nothing"); !errors.Is(err, ErrTooMuch) {
				t.Errorf("found with %v", err)
			}
			err := Walk(t.Context(), layers, func(string, *tar.Header, io.Reader) error { return nil })
			if name == "zeros" && !errors.Is(err, ErrTooMuch) || name != "zeros" && err != nil {
				t.Errorf("walked with %v", err)
			}
			if s.meter.names > 2*maxNames || s.meter.stream > maxUnpacked+maxRatio*s.meter.raw {
				t.Errorf("%d MB of names, %d MB unpacked", s.meter.names>>20, s.meter.stream>>20)
			}
		})
	}
}

// TestWalk: each file is visited once, as the uppermost layer has it.
func TestWalk(t *testing.T) {
	layers := []Layer{
		layerOf(t, "gzip", "plain a low", "plain d/a low", "plain e/a low", "plain f low", "plain g/a low", "plain h low",
			"plain i low", "plain j low"),
		layerOf(t, "", "white a", "opaque d", "plain d/b up", "plain e up", "dir f", "plain g/b up", "link h a", "hard i a",
			"plain ../out up"),
		layerOf(t, "zstd", "plain j top", "white e", "plain e top"),
	}
	var got []string
	err := Walk(t.Context(), layers, func(name string, _ *tar.Header, content io.Reader) error {
		text, err := io.ReadAll(content)
		got = append(got, name+" "+string(text))
		return err
	})
	slices.Sort(got)
	want := []string{"/d/b up", "/e top", "/g/a low", "/g/b up", "/j top", "/out up"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
