package files

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// recognise says what a regular file is. Only a program is read whole.
func (s *System) recognise(at located) (File, error) {
	r, err := s.layers[at.from].open(at.data)
	if err != nil {
		return File{}, err
	}
	defer r.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("reading /%s: %w", at.path, err)
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), r)
	base := path.Base(at.path)
	switch {
	case bytes.Equal(head[:n], []byte("\x7fELF")):
		if s.Alone != nil {
			s.Alone.Lock()
			defer s.Alone.Unlock()
		}
		b, err := readAll(whole, at, maxEntry)
		if err != nil {
			return File{}, err
		}
		f := File{Native: true}
		if f.Go = ReadGo(bytes.NewReader(b)); f.Go != nil {
			f.Native = false
		} else if f.Netcore, err = s.netcore(at, b); err != nil {
			return File{}, err
		}
		f.Native = f.Native && f.Netcore == nil
		return f, nil
	case base == "package.json":
		b, err := readAll(whole, at, maxJSON)
		return File{Package: ReadPackage(b)}, err
	case bytes.HasPrefix(head[:n], []byte("#!")) || path.Ext(base) == ".sh":
		b, err := io.ReadAll(io.LimitReader(whole, MaxScript+1))
		if err != nil {
			return File{}, fmt.Errorf("reading /%s: %w", at.path, err)
		}
		var f File
		f.Script, f.Interpreter = ReadScript(b)
		return f, nil
	}
	return File{}, nil
}

// bundleMarker is what the .NET SDK looks for in a host to write there where the application is that is packed into it
// (dotnet/runtime, src/native/corehost/apphost/bundle_marker.cpp): the digest of ".net core bundle". In front of it
// stands the offset.
var bundleMarker = []byte{
	0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32,
	0x13, 0xf5, 0xb9, 0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3, 0x6a, 0xae,
}

// netcore says whether a program is a .NET host: its application is beside it, or in it.
func (s *System) netcore(at located, program []byte) (*Netcore, error) {
	if i := bytes.Index(program, bundleMarker); i >= 8 && !bytes.Equal(program[i-8:i], make([]byte, 8)) {
		return &Netcore{}, nil
	}
	// The SDK writes the application's name into the host: then it is worth the time to look for it everywhere. Else it is
	// not to be expected further down than the program, and layers may be far away.
	bottom := at.layer + 1
	if bytes.Contains(program, []byte(path.Base(at.path)+".dll\x00")) {
		bottom = len(s.layers)
	}
	above := &System{layers: s.layers[:bottom], meter: s.meter}
	var config located
	for _, ext := range []string{".dll", ".runtimeconfig.json"} {
		var err error
		config, err = above.resolve(at.path + ext)
		if errors.Is(err, ErrNone) || err == nil && config.kind != tar.TypeReg {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	b, err := above.content(config, maxJSON)
	if err != nil {
		return nil, err
	}
	return &Netcore{Version: frameworkVersion(b)}, nil
}

// frameworkVersion reads a runtimeconfig.json
// (https://github.com/dotnet/sdk/blob/main/documentation/specs/runtime-configuration-file.md).
func frameworkVersion(b []byte) string {
	type framework struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var config struct {
		RuntimeOptions struct {
			Framework  framework   `json:"framework"`
			Frameworks []framework `json:"frameworks"`
			Included   []framework `json:"includedFrameworks"`
		} `json:"runtimeOptions"`
	}
	if json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), &config) != nil {
		return ""
	}
	o := config.RuntimeOptions
	for _, f := range append(append([]framework{o.Framework}, o.Frameworks...), o.Included...) {
		if f.Version != "" && len(f.Version) < 64 {
			return f.Version
		}
	}
	return ""
}

// ReadPackage reads a package.json; nil where it is none.
func ReadPackage(b []byte) *Package {
	var p struct {
		Name    any            `json:"name"`
		Scripts map[string]any `json:"scripts"`
	}
	if !utf8.Valid(b) || json.Unmarshal(b, &p) != nil {
		return nil
	}
	out := &Package{}
	out.Name, _ = p.Name.(string)
	size := 0
	for name, script := range p.Scripts {
		if text, ok := script.(string); ok {
			if out.Scripts == nil {
				out.Scripts = map[string]string{}
			}
			out.Scripts[name] = text
			size += len(name) + len(text)
		}
	}
	if size > MaxScript {
		out.Scripts = nil // all or none: a part would not say whether one of them is there
	}
	return out
}

// ReadScript reads the beginning of a text that a kernel or a shell would run: the whole text of a shell script of at
// most MaxScript bytes, or the words of another interpreter. Both are empty where it is neither.
func ReadScript(b []byte) (script string, interpreter []string) {
	words, ok := interpreterLine(b)
	if !ok {
		return "", nil
	}
	if len(words) == 0 || IsShell(words) {
		if len(b) > MaxScript || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
			return "", nil
		}
		return string(b), nil
	}
	return "", words
}

// ShellWords are the words of a shell script's #! line; nil where it has none.
func ShellWords(script string) []string {
	words, _ := interpreterLine([]byte(script))
	return words
}

// interpreterLine splits a #! line as Linux does it: the interpreter and at most one argument (execve(2), "Interpreter
// scripts"); env -S splits that further.
func interpreterLine(b []byte) (words []string, ok bool) {
	line, is := bytes.CutPrefix(b, []byte("#!"))
	if !is {
		return nil, true
	}
	if len(line) > maxLine {
		line = line[:maxLine]
	}
	line, _, ended := bytes.Cut(line, []byte("\n"))
	if !ended && len(line) == maxLine || !utf8.Valid(line) || bytes.ContainsAny(line, "\r\x00") {
		return nil, false
	}
	program, arg, _ := strings.Cut(strings.Trim(string(line), " \t"), " ")
	if tab := strings.IndexByte(program, '\t'); tab >= 0 {
		program, arg = program[:tab], program[tab+1:]+" "+arg
	}
	arg = strings.Trim(arg, " \t")
	if !path.IsAbs(program) {
		return nil, false
	}
	words = []string{program}
	if arg == "" {
		return words, true
	}
	if path.Base(program) == "env" {
		split, is := strings.CutPrefix(arg, "-S")
		if !is {
			split, is = strings.CutPrefix(arg, "--split-string=")
		}
		if is {
			if strings.ContainsAny(split, "\\\"'$#") {
				return nil, false // quotes and escapes of env's own
			}
			return append(words, strings.Fields(split)...), true
		}
	}
	return append(words, arg), true
}

// IsShell reports whether the words of a #! line name a shell whose scripts are understood here.
func IsShell(words []string) bool {
	name := path.Base(words[0])
	if (name == "env" || name == "busybox") && len(words) > 1 {
		name = path.Base(words[1])
	}
	switch name {
	case "sh", "bash", "dash", "ash":
		return true
	}
	return false
}
