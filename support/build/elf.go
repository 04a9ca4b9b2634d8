package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// stripELF returns a 64-bit little-endian shared library without what only debuggers of the library itself read: the
// section headers and all that no program header loads. The extension modules in debugpy's and pydevd's wheels are five
// times larger with it, and every pod would copy it.
func stripELF(data []byte) ([]byte, string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, "", err
	}
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB || f.Type != elf.ET_DYN {
		return nil, "", fmt.Errorf("not a 64-bit little-endian shared library")
	}
	const headerSize = 64
	programs := binary.LittleEndian.Uint64(data[32:])
	end := programs + uint64(binary.LittleEndian.Uint16(data[54:]))*uint64(binary.LittleEndian.Uint16(data[56:]))
	for _, p := range f.Progs {
		end = max(end, p.Off+p.Filesz)
	}
	if end < headerSize || end > uint64(len(data)) {
		return nil, "", fmt.Errorf("its program headers lead out of the file")
	}
	stripped := bytes.Clone(data[:end])
	clear(stripped[40:48]) // e_shoff
	clear(stripped[58:64]) // e_shentsize, e_shnum, e_shstrndx
	arch := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[f.Machine]
	return stripped, arch, nil
}
