package files

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// layerOf makes a layer of lines: "file PATH [text]", "plain PATH [text]" (not executable), "dir PATH", "link PATH
// TARGET", "hard PATH TARGET", "device PATH", "white PATH", "opaque DIR", "big PATH" (2 GiB that nobody has).
func layerOf(t testing.TB, compress string, lines ...string) Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var big int64
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		name, arg, _ := strings.Cut(rest, " ")
		h := &tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Typeflag: tar.TypeReg, Size: int64(len(arg))}
		switch verb {
		case "plain":
			h.Mode = 0o644
		case "dir":
			h.Typeflag, h.Size = tar.TypeDir, 0
		case "link":
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, arg, 0
		case "hard":
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, arg, 0
		case "device":
			h.Typeflag = tar.TypeChar
		case "white":
			dir, base := h.Name[:strings.LastIndex(h.Name, "/")+1], h.Name[strings.LastIndex(h.Name, "/")+1:]
			h.Name = dir + ".wh." + base
		case "opaque":
			h.Name += "/.wh..wh..opq"
		case "big":
			h.Size, big = 2<<30, int64(b.Len())
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if verb == "big" {
			_ = w.Flush()
			big = int64(b.Len())
			w = tar.NewWriter(&b)
			continue
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = w.Write([]byte(arg))
		}
	}
	_ = w.Close()
	data := b.Bytes()
	return Layer{Name: "test", Open: func(context.Context) (io.ReadCloser, error) {
		var r io.Reader = bytes.NewReader(data)
		if big > 0 {
			r = io.MultiReader(bytes.NewReader(data[:big]), io.LimitReader(zeros{}, 2<<30), bytes.NewReader(data[big:]))
		}
		if compress == "" {
			return io.NopCloser(r), nil
		}
		var out bytes.Buffer
		if compress == "zstd" {
			z, _ := zstd.NewWriter(&out)
			_, _ = io.Copy(z, r)
			_ = z.Close()
		} else {
			z := gzip.NewWriter(&out)
			_, _ = io.Copy(z, r)
			_ = z.Close()
		}
		return io.NopCloser(&out), nil
	}}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const sh = "#!/bin/sh\nexec "

func TestFind(t *testing.T) {
	layer := func(lines ...string) []string { return lines }
	for name, c := range map[string]struct {
		layers [][]string // the lowest first
		find   []string
		want   string // PATH[>TARGET] SCRIPT, or none
	}{
		"one layer": {[][]string{layer("file a " + sh + "a")}, []string{"/a"}, "/a " + sh + "a"},
		"the upper one wins": {[][]string{layer("file a " + sh + "a"), layer("file a " + sh + "b")}, []string{"/a"},
			"/a " + sh + "b"},
		"only the lower has it": {[][]string{layer("file a " + sh + "a"), layer("file b " + sh + "b")}, []string{"/a"},
			"/a " + sh + "a"},
		"whiteout":             {[][]string{layer("file d/a " + sh + "a"), layer("white d/a")}, []string{"/d/a"}, "none"},
		"whiteout of a folder": {[][]string{layer("file d/e/a " + sh + "a"), layer("white d")}, []string{"/d/e/a"}, "none"},
		"made anew after a whiteout": {
			[][]string{layer("file d/a " + sh + "a"), layer("white d"), layer("file d/b " + sh + "b")},
			[]string{"/d/a", "/d/b"}, "/d/b " + sh + "b"},
		"opaque folder": {
			[][]string{layer("file d/a " + sh + "a"), layer("opaque d", "file d/b "+sh+"b")}, []string{"/d/a"}, "none"},
		"what an opaque one holds": {
			[][]string{layer("file d/a " + sh + "a"), layer("file d/a "+sh+"b", "opaque d")}, []string{"/d/a"},
			"/d/a " + sh + "b"},
		"a whiteout hides nothing of its own " +
			"layer": {[][]string{layer("file a " + sh + "a"), layer("white a", "file a "+sh+"b")}, []string{"/a"},
			"/a " + sh + "b"},
		"symbolic link": {[][]string{layer("file opt/a "+sh+"a", "link a opt/a")}, []string{"/a"},
			"/a>/opt/a " + sh + "a"},
		"link of a folder": {[][]string{layer("file usr/bin/a "+sh+"a", "link bin usr/bin")},
			[]string{"/bin/a"}, "/bin/a>/usr/bin/a " + sh + "a"},
		"link over layers": {
			[][]string{layer("file opt/1/a " + sh + "a"), layer("link opt/now /opt/1")}, []string{"/opt/now/a"},
			"/opt/now/a>/opt/1/a " + sh + "a"},
		"link out": {[][]string{layer("file etc/a "+sh+"a", "link l ../../../../etc/a")},
			[]string{"/l"}, "/l>/etc/a " + sh + "a"},
		"path out": {[][]string{layer("file etc/a " + sh + "a")}, []string{"/../../etc/a"},
			"/etc/a " + sh + "a"},
		"name out": {[][]string{layer("file ../../etc/a " + sh + "a")}, []string{"/etc/a"},
			"/etc/a " + sh + "a"},
		"loop":           {[][]string{layer("link a b", "link b a")}, []string{"/a"}, "none"},
		"link to itself": {[][]string{layer("link a a/b")}, []string{"/a"}, "none"},
		"dangling":       {[][]string{layer("link a b")}, []string{"/a"}, "none"},
		"hard link": {[][]string{layer("file a "+sh+"a", "hard b a")}, []string{"/b"},
			"/b " + sh + "a"},
		"hard link below": {[][]string{layer("file a " + sh + "a"), layer("hard b a")},
			[]string{"/b"}, "/b " + sh + "a"},
		"hard link is kept": {
			[][]string{layer("file a "+sh+"a", "hard b a"), layer("file a " + sh + "x")}, []string{"/b"}, "/b " + sh + "a"},
		"hard link loop": {[][]string{layer("hard a b", "hard b a")}, []string{"/a"}, "none"},
		"directory":      {[][]string{layer("dir a")}, []string{"/a"}, "none"},
		"device":         {[][]string{layer("device a")}, []string{"/a"}, "none"},
		"below a file":   {[][]string{layer("file a " + sh + "a")}, []string{"/a/b"}, "none"},
		"PATH": {
			[][]string{layer("file usr/bin/a " + sh + "a"), layer("file bin/a " + sh + "b")}, []string{"/usr/bin/a", "/bin/a"},
			"/usr/bin/a " + sh + "a"},
		"PATH passes over what cannot be run": {[][]string{layer("plain usr/bin/a "+sh+"a", "dir x/a", "file bin/a "+sh+"b")},
			[]string{"/x/a", "/usr/bin/a", "/bin/a"}, "/bin/a " + sh + "b"},
		"a file takes a folder's place": {[][]string{layer("file d/a " + sh + "a"), layer("file d " + sh + "d")},
			[]string{"/d/a"}, "none"},
		"a big one is passed over": {[][]string{layer("big big", "file a "+sh+"a")}, []string{"/a"}, "/a " + sh + "a"},
	} {
		for _, compress := range []string{"", "gzip", "zstd"} {
			if name == "a big one is passed over" && compress != "" {
				continue
			}
			var layers []Layer
			for _, lines := range c.layers {
				layers = append(layers, layerOf(t, compress, lines...))
			}
			s := New(context.Background(), layers, 0)
			for range 2 { // the second time from what was passed
				got := "none"
				f, err := s.Find(c.find...)
				if err == nil {
					got = f.Path
					if f.Target != "" {
						got += ">" + f.Target
					}
					got += " " + f.Script
				} else if !errors.Is(err, ErrNone) {
					t.Errorf("%s: %v", name, err)
				}
				if got != c.want {
					t.Errorf("%s (%s): got %q, want %q", name, compress, got, c.want)
				}
			}
			s.Close()
		}
	}
}

// TestUnknown: what cannot be read is an error, but not ErrNone.
func TestUnknown(t *testing.T) {
	long := layerOf(t, "gzip", "file a "+strings.Repeat("x", 1000), "file b "+sh+"b")
	cut := Layer{Name: "cut", Open: func(ctx context.Context) (io.ReadCloser, error) {
		r, err := long.Open(ctx)
		return io.NopCloser(io.LimitReader(r, 40)), err
	}}
	broken := Layer{Name: "broken", Open: func(context.Context) (io.ReadCloser, error) {
		return nil, errors.New("no such blob")
	}}
	garbage := Layer{Name: "garbage", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Repeat("garbage", 1000))), nil
	}}
	for name, s := range map[string]*System{
		"cut short":  New(context.Background(), []Layer{cut}, 0),
		"not there":  New(context.Background(), []Layer{long, broken}, 0),
		"no archive": New(context.Background(), []Layer{garbage}, 0),
		"too much":   New(context.Background(), []Layer{long}, 10),
	} {
		if _, err := s.Find("/b"); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%s: got %v", name, err)
		}
		s.Close()
	}
}

// TestReadsNoFurther: a layer is read from the top, and only as far as the file that is wanted.
func TestReadsNoFurther(t *testing.T) {
	below := Layer{Name: "below", Open: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("read") }}
	s := New(context.Background(), []Layer{below, layerOf(t, "", "file a "+sh+"a", "big big")}, 0)
	defer s.Close()
	if _, err := s.Find("/a"); err != nil {
		t.Error(err)
	}
	if s.Read() > 1<<20 {
		t.Errorf("read %d bytes", s.Read())
	}
}

func TestReadScript(t *testing.T) {
	for in, want := range map[string]string{
		"#!/bin/sh\nx":                             "script",
		"#!/bin/bash -e\nx":                        "script",
		"#! /usr/bin/env bash\nx":                  "script",
		"#!/usr/bin/env -S bash -eu\nx":            "script",
		"#!/bin/busybox sh\nx":                     "script",
		"exec x\n":                                 "script",
		"#!/bin/sh\r\nx":                           "",
		"#!bin/sh\nx":                              "",
		"#!/bin/sh\n\x00":                          "",
		"#!/bin/sh\n\xff":                          "",
		"#!/bin/sh\n" + strings.Repeat("#", 32768): "",
		"#!/usr/local/bin/python3 -u -x\n":         "/usr/local/bin/python3|-u -x",
		"#!/usr/bin/env node":                      "/usr/bin/env|node",
		"#!/usr/bin/env -S node --a b\n":           "/usr/bin/env|node|--a|b",
		"#!/usr/bin/env -S node '--a b'\n":         "",
		"#!/" + strings.Repeat("x", 300) + "\n":    "",
		"#!\n":                                     "",
	} {
		script, words := ReadScript([]byte(in))
		got := strings.Join(words, "|")
		if script != "" {
			got = "script"
		}
		if got != want {
			t.Errorf("%.40q: got %q, want %q", in, got, want)
		}
	}
}
