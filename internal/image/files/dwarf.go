package files

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"io"
	"path"
)

// The packages of the standard library that read debug information are made for what compilers write: they allocate
// what a number in it asks for, and read a table again for each unit. Here, nothing is allocated but what is read, and
// each byte is read once or so.

// Bounds on debug information.
const (
	maxUnits    = 1 << 18 // a large Go program has some thousand
	maxAbbrev   = 16 << 20
	maxLineInfo = 8 << 20 // of the header of a line table
)

// unit is what a compilation unit says of itself.
type unit struct {
	name, directory, producer string
	lines                     uint64
	hasLines                  bool
}

// debugInfo is the sections that matter, uncompressed.
type debugInfo struct {
	order                                   binary.ByteOrder
	info, abbrev, line, strings, lineString []byte
	walked                                  int // bytes of abbreviations that were passed over
}

// readDebugInfo reads the sections; false where there is more of them than is looked at.
func readDebugInfo(file *elf.File) (*debugInfo, bool) {
	d := &debugInfo{order: file.ByteOrder}
	left := int64(maxDebug)
	for name, to := range map[string]*[]byte{
		"abbrev": &d.abbrev, "info": &d.info, "line": &d.line, "str": &d.strings, "line_str": &d.lineString,
	} {
		s := file.Section(".debug_" + name)
		if s == nil {
			s = file.Section(".zdebug_" + name)
		}
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		r := s.Open() // which learns how large a .zdebug section says it is
		if s.Size > uint64(left) {
			return nil, false
		}
		b := make([]byte, s.Size)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, false
		}
		left -= int64(len(b))
		*to = b
	}
	return d, true
}

// mainUnit finds the unit of package main by the units' headers (DWARF 5, section 7.5.1.1).
func (d *debugInfo) mainUnit() (unit, bool) {
	units := 0
	for b := d.info; len(b) >= 12 && units < maxUnits && d.walked < maxAbbrev; units++ {
		length := d.order.Uint32(b)
		if length >= 0xfffffff0 || length < 8 || int64(length) > int64(len(b)-4) {
			break // of 64-bit DWARF, which Go does not write, or cut short
		}
		if u, ok := d.unit(b[4 : 4+length]); ok && u.name == "main" {
			return u, true
		}
		b = b[4+length:]
	}
	return unit{}, false
}

// unit reads the first entry of a unit, whose length has been read.
func (d *debugInfo) unit(b []byte) (u unit, ok bool) {
	const compile = 1 // DW_UT_compile
	r := reader{b: b, order: d.order}
	version := r.fixed(2)
	var table uint64
	if version >= 5 {
		if r.fixed(1) != compile {
			return u, false
		}
		r.addressSize = int(r.fixed(1))
		table = r.fixed(4)
	} else {
		table = r.fixed(4)
		r.addressSize = int(r.fixed(1))
	}
	r.version = int(version)
	attributes, ok := d.abbreviation(table, r.uint())
	if !ok {
		return u, false
	}
	for attributes.bad = r.bad; !attributes.bad; {
		attribute, form := dwarf.Attr(attributes.uint()), attributes.uint()
		if attribute == 0 && form == 0 {
			break
		}
		if form == formImplicitConst {
			attributes.uint()
		}
		text, number := d.value(&r, form)
		switch attribute {
		case dwarf.AttrName:
			u.name = text
		case dwarf.AttrCompDir:
			u.directory = text
		case dwarf.AttrProducer:
			u.producer = text
		case dwarf.AttrStmtList:
			u.lines, u.hasLines = number, true
		}
	}
	return u, !r.bad && !attributes.bad
}

// abbreviation finds the attributes of the entries with a code, which is that of a compilation unit.
func (d *debugInfo) abbreviation(table, code uint64) (attributes reader, ok bool) {
	if table >= uint64(len(d.abbrev)) || code == 0 {
		return reader{}, false
	}
	r := reader{b: d.abbrev[table:], order: d.order}
	defer func() { d.walked += len(d.abbrev) - int(table) - len(r.b) }()
	for !r.bad && d.walked+len(d.abbrev)-int(table)-len(r.b) < maxAbbrev {
		at := r.uint()
		if at == 0 {
			break
		}
		tag := dwarf.Tag(r.uint())
		r.fixed(1) // whether it has children
		if at == code {
			return r, tag == dwarf.TagCompileUnit && !r.bad
		}
		for !r.bad {
			attribute, form := r.uint(), r.uint()
			if form == formImplicitConst {
				r.uint()
			}
			if attribute == 0 && form == 0 {
				break
			}
		}
	}
	return reader{}, false
}

// source is the first source file of a unit's line table; "" where it has none.
func (d *debugInfo) source(u unit) string {
	if !u.hasLines || u.lines >= uint64(len(d.line)) {
		return ""
	}
	r := reader{b: d.line[u.lines:], order: d.order}
	length := r.fixed(4)
	if length >= 0xfffffff0 || length > uint64(len(r.b)) {
		return ""
	}
	r.b = r.b[:min(length, maxLineInfo)]
	r.version = int(r.fixed(2))
	if r.version < 2 || r.version > 5 {
		return ""
	}
	if r.version >= 5 {
		r.fixed(1)
		r.fixed(1)
	}
	r.fixed(4)
	r.fixed(1)
	if r.version >= 4 {
		r.fixed(1)
	}
	r.skip(3)
	if opcodes := r.fixed(1); opcodes > 0 {
		r.skip(opcodes - 1)
	}
	if r.version >= 5 {
		return d.sourceByFormat(&r)
	}
	return sourceByName(&r, u.directory)
}

// sourceByName reads the tables up to DWARF 4, of names that end with an empty one.
func sourceByName(r *reader, directory string) string {
	directories := [][]byte{[]byte(directory)}
	for name := r.text(); len(name) > 0; name = r.text() {
		directories = append(directories, name)
	}
	for name := r.text(); len(name) > 0; name = r.text() {
		in := r.uint()
		r.uint()
		r.uint()
		switch {
		case r.bad || in >= uint64(len(directories)):
			return ""
		case !isSource(name):
		case path.IsAbs(string(name)):
			return string(name)
		case in == 0 || path.IsAbs(string(directories[in])):
			return path.Join(string(directories[in]), string(name))
		default:
			return path.Join(directory, string(directories[in]), string(name))
		}
	}
	return ""
}

// sourceByFormat reads the tables of DWARF 5, which say how each is written.
func (d *debugInfo) sourceByFormat(r *reader) string {
	var directories [][]byte
	format := r.format()
	for count := r.uint(); count > 0 && !r.bad && len(format) > 0; count-- {
		name, _ := d.place(r, format)
		directories = append(directories, name)
	}
	format = r.format()
	for count := r.uint(); count > 0 && !r.bad && len(format) > 0; count-- {
		name, in := d.place(r, format)
		if r.bad || in >= uint64(len(directories)) {
			return ""
		}
		if isSource(name) {
			return path.Join(string(directories[in]), string(name))
		}
	}
	return ""
}

// field is a content and its form.
type field struct{ content, form uint64 }

func (r *reader) format() []field {
	var all []field
	for count := r.fixed(1); count > 0 && !r.bad; count-- {
		all = append(all, field{r.uint(), r.uint()})
	}
	return all
}

// place reads a directory or a file of a line table.
func (d *debugInfo) place(r *reader, format []field) (name []byte, in uint64) {
	before := len(r.b)
	for _, f := range format {
		text, number := d.bytes(r, f.form)
		switch f.content {
		case 1: // DW_LNCT_path
			name = text
		case 2: // DW_LNCT_directory_index
			in = number
		}
	}
	r.bad = r.bad || len(r.b) == before // a table of nothing has no end
	return name, in
}

// isSource reports whether a name is that of a file: the compiler has names for what it makes itself.
func isSource(name []byte) bool {
	base := path.Base(string(name))
	return len(name) > 0 && base != "?" && base != "<autogenerated>"
}

// The forms that the standard library has no names for (DWARF 5, section 7.5.6).
const (
	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formStrp          = 0x0e
	formRefAddr       = 0x10
	formExprLoc       = 0x18
	formLineStrp      = 0x1f
	formImplicitConst = 0x21
)

// sizes are those of forms that are numbers, or that this cannot use; 0: variable.
var sizes = map[uint64]int{
	formData2: 2, formData4: 4, formData8: 8, 0x0b: 1, 0x0c: 1, 0x0d: 0, 0x0f: 0, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8,
	0x15: 0, 0x17: 4, 0x1a: 0, 0x1b: 0, 0x1c: 4, 0x1d: 4, 0x1e: 16, 0x20: 8, 0x22: 0, 0x23: 0, 0x24: 8, 0x25: 1, 0x26: 2,
	0x27: 3, 0x28: 4, 0x29: 1, 0x2a: 2, 0x2b: 3, 0x2c: 4,
}

func (d *debugInfo) value(r *reader, form uint64) (string, uint64) {
	text, number := d.bytes(r, form)
	return string(text), number
}

// bytes reads a value, as a text or a number. A form that is not known ends all reading.
func (d *debugInfo) bytes(r *reader, form uint64) (text []byte, number uint64) {
	switch form {
	case formString:
		return r.text(), 0
	case formStrp:
		return at(d.strings, r.fixed(4), r), 0
	case formLineStrp:
		return at(d.lineString, r.fixed(4), r), 0
	case formAddr:
		return nil, r.fixed(r.addressSize)
	case formRefAddr:
		if r.version <= 2 {
			return nil, r.fixed(r.addressSize)
		}
		return nil, r.fixed(4)
	case formBlock1:
		r.skip(r.fixed(1))
	case formBlock2:
		r.skip(r.fixed(2))
	case formBlock4:
		r.skip(r.fixed(4))
	case formBlock, formExprLoc:
		r.skip(r.uint())
	case 0x19, formImplicitConst: // DW_FORM_flag_present
	default:
		size, known := sizes[form]
		switch {
		case !known:
			r.bad = true
		case size == 0:
			return nil, r.uint()
		default:
			return nil, r.fixed(size)
		}
	}
	return nil, 0
}

// at is the text at an offset.
func at(section []byte, offset uint64, r *reader) []byte {
	if offset >= uint64(len(section)) {
		r.bad = true
		return nil
	}
	from := reader{b: section[offset:]}
	text := from.text()
	r.bad = r.bad || from.bad
	return text
}

// reader reads from a section; beyond its end all is 0, and bad.
type reader struct {
	b                    []byte
	order                binary.ByteOrder
	version, addressSize int
	bad                  bool
}

func (r *reader) skip(n uint64) {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

// fixed reads a number of so many bytes; of one of more than eight nothing matters.
func (r *reader) fixed(size int) (n uint64) {
	if size < 0 || size > len(r.b) {
		r.bad, r.b = true, nil
		return 0
	}
	b := r.b[:size]
	r.b = r.b[size:]
	for i := range min(size, 8) {
		if r.order == binary.BigEndian {
			n = n<<8 | uint64(b[i])
		} else {
			n |= uint64(b[i]) << (8 * i)
		}
	}
	return n
}

// uint reads a number of variable length, LEB128. Of a negative one only the length is of use.
func (r *reader) uint() (n uint64) {
	for i := 0; ; i++ {
		if i >= len(r.b) || i >= binary.MaxVarintLen64 {
			r.bad, r.b = true, nil
			return 0
		}
		if i < 9 {
			n |= uint64(r.b[i]&0x7f) << (7 * i)
		}
		if r.b[i] < 0x80 {
			r.b = r.b[i+1:]
			return n
		}
	}
}

// text reads what ends with a zero byte. Longer than a path may be, it is none that is of use.
func (r *reader) text() []byte {
	end := bytes.IndexByte(r.b[:min(len(r.b), maxPath)], 0)
	if end < 0 {
		r.bad, r.b = true, nil
		return nil
	}
	text := r.b[:end]
	r.b = r.b[end+1:]
	return text
}
