package cli

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// layersOf makes the layers that LOCKFILE.layers describes, the lowest first, by image; "" is for all that are not
// named. A line is
//
//	image NAME                    what follows is for this one
//	layer [plain|gzip|zstd|cut]   the next layer; cut: compressed by gzip, and half of it is missing
//	file PATH FILE [MODE]         with the content of a file of the script, or of one that was made before
//	text PATH MODE TEXT           with this content, and a newline
//	go PATH [FLAG...]             a program built by go build with the flags
//	elf PATH                      a native program that is nothing else
//	blank PATH MODE BYTES         a shell script of so many bytes that does nothing
//	huge PATH BYTES               the header of so large a file, where the layer ends
//	dir|device|white|opaque PATH, link|hard PATH TARGET
func layersOf(ts *testscript.TestScript, file string) map[string][]v1.Layer {
	data, err := os.ReadFile(ts.MkAbs(file))
	if os.IsNotExist(err) {
		return nil
	}
	ts.Check(err)
	all := map[string][]v1.Layer{}
	image, compress := "", "gzip"
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	open := false
	finish := func() {
		if !open {
			return
		}
		ts.Check(w.Close())
		all[image] = append(all[image], compressed(ts, compress, bytes.Clone(b.Bytes())))
		b.Reset()
		w, open = tar.NewWriter(&b), false
	}
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "image":
			finish()
			image = words[1]
			continue
		case "layer":
			finish()
			open, compress = true, "gzip"
			if len(words) > 1 {
				compress = words[1]
			}
			continue
		}
		h, content := member(ts, words)
		if h == nil {
			ts.Fatalf("%s: what is %q?", file, line)
		}
		ts.Check(w.WriteHeader(h))
		if words[0] == "huge" {
			all[image] = append(all[image], compressed(ts, compress, bytes.Clone(b.Bytes())))
			b.Reset()
			w, open = tar.NewWriter(&b), false
			continue
		}
		_, err := w.Write(content)
		ts.Check(err)
	}
	finish()
	return all
}

func compressed(ts *testscript.TestScript, how string, data []byte) v1.Layer {
	var b bytes.Buffer
	switch how {
	case "plain":
		return static.NewLayer(data, types.OCIUncompressedLayer)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		ts.Check(err)
		_, err = z.Write(data)
		ts.Check(err)
		ts.Check(z.Close())
		return static.NewLayer(b.Bytes(), types.OCILayerZStd)
	}
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	ts.Check(err)
	ts.Check(z.Close())
	if how == "cut" {
		b.Truncate(b.Len() / 2)
	}
	return static.NewLayer(b.Bytes(), types.OCILayer)
}

// member is one line of a layer; nil where it is none.
func member(ts *testscript.TestScript, words []string) (*tar.Header, []byte) {
	h := &tar.Header{Typeflag: tar.TypeReg, Mode: 0o755, Name: strings.TrimPrefix(words[1], "/")}
	var content []byte
	mode := ""
	switch words[0] {
	case "file":
		content = []byte(ts.ReadFile(words[2]))
		mode = strings.Join(words[3:], "")
	case "text":
		mode, content = words[2], []byte(strings.Join(words[3:], " ")+"\n")
	case "go":
		content = goProgram(ts, words[2:])
	case "elf":
		content = []byte("\x7fELF\x02\x01\x01\x00")
	case "blank":
		size, err := strconv.Atoi(words[3])
		ts.Check(err)
		mode, content = words[2], append([]byte("#!/bin/sh\n"), bytes.Repeat([]byte("\n"), max(0, size-10))...)
	case "huge":
		size, err := strconv.ParseInt(words[2], 10, 64)
		ts.Check(err)
		h.Size = size
		return h, nil
	case "dir":
		h.Typeflag = tar.TypeDir
	case "device":
		h.Typeflag = tar.TypeChar
	case "link":
		h.Typeflag, h.Linkname = tar.TypeSymlink, words[2]
	case "hard":
		h.Typeflag, h.Linkname = tar.TypeLink, words[2]
	case "white":
		h.Name = filepath.Join(filepath.Dir(h.Name), ".wh."+filepath.Base(h.Name))
	case "opaque":
		h.Name += "/.wh..wh..opq"
	default:
		return nil, nil
	}
	if mode != "" {
		h.Mode = 0o644
		if mode == "755" {
			h.Mode = 0o755
		}
	}
	h.Size = int64(len(content))
	return h, content
}

// built are the programs that were built, by their flags: the same for all scripts.
var built sync.Map

// goProgram builds the module example.com/web's package cmd/server.
func goProgram(ts *testscript.TestScript, flags []string) []byte {
	build := sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "web")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if err := os.MkdirAll(filepath.Join(dir, "cmd", "server"), 0o700); err != nil {
			return nil, err
		}
		for name, text := range map[string]string{
			"go.mod": "module example.com/web\n\ngo 1.26\n", "cmd/server/main.go": "package main\n\nfunc main() { println() }\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				return nil, err
			}
		}
		out := filepath.Join(dir, "server")
		cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", out}, flags...), "./cmd/server")...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if b, err := cmd.CombinedOutput(); err != nil {
			ts.Fatalf("%v: %s", err, b)
		}
		return os.ReadFile(out)
	})
	once, _ := built.LoadOrStore(strings.Join(flags, " "), build)
	program, err := once.(func() ([]byte, error))()
	ts.Check(err)
	return program
}

func scriptTimeless(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: timeless FILE")
	}
	text := ts.ReadFile(args[0])
	for pattern, instead := range map[string]string{
		`sha256:[0-9a-f]{64}`: "sha256:DIGEST", `go1\.\d+(\.\d+)?([a-z]+\d+)?`: "go1.N",
		`debugInfo("?): [1-9]\d*`: "debugInfo$1: SIZE", `\d+ KiB of debug`: "N KiB of debug",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, instead)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
