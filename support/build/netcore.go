package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"debuggable.dev/debuggable/internal/ociimage"
)

// dotnetDebugger says which debugger for .NET an image is made of, and where its archive is: an address or a file, with
// {version}, {version-with-dashes}, {arch} (amd64, arm64) and {rid} (linux-x64, linux-arm64) in it.
//
// The licence of vsdbg lets everyone fetch it and nobody pass it on, so its image is built where it is used, and pushed
// to a private registry only. netcoredbg is free.
type dotnetDebugger struct{ name, version, source string }

func addDotnetDebugger(ctx context.Context, p *part, d dotnetDebugger) error {
	rid := map[string]string{"amd64": "linux-x64", "arm64": "linux-arm64"}[p.arch]
	source := strings.NewReplacer("{version}", d.version, "{version-with-dashes}", strings.ReplaceAll(d.version, ".", "-"),
		"{rid}", rid, "{arch}", p.arch).Replace(d.source)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	data, err := get(ctx, source)
	if err != nil {
		return fmt.Errorf("fetching %s %s, which does not come with this program, from %s: %w", d.name, d.version,
			source, err)
	}
	files, err := untar(data)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", source, err)
	}
	// netcoredbg's archives hold a folder of the program's name, vsdbg's hold the files.
	folder := ""
	if _, ok := files[d.name+"/"+d.name]; ok {
		folder = d.name + "/"
	}
	main, ok := files[folder+d.name]
	if !ok {
		return fmt.Errorf("unpacking %s: there is no program %s in it", source, d.name)
	}
	main.Mode = 0o755
	files[folder+d.name] = main
	for name, f := range files {
		p.tree["support/netcore/"+strings.TrimPrefix(name, folder)] = f
	}
	p.labels = map[string]string{d.name: d.version}
	p.contents = append(p.contents,
		content{kind: "generic", name: d.name, version: d.version, file: path.Base(source), sha256: checksum(data)})
	return nil
}

// get reads a file, or fetches it where its name is a URL, giving up early where nothing answers.
func get(ctx context.Context, url string) ([]byte, error) {
	if !strings.Contains(url, "://") {
		return os.ReadFile(url)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	return readAll(resp.Body, 1<<30)
}

// untar returns the regular files of a tar.gz. Names that lead out of the folder are refused.
func untar(data []byte) (ociimage.Tree, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	t := ociimage.Tree{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
			return nil, fmt.Errorf("%q leads out of the folder", h.Name)
		}
		content, err := readAll(r, 1<<30)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		mode := int64(0o644)
		if h.Mode&0o111 != 0 {
			mode = 0o755
		}
		t[name] = ociimage.File{Mode: mode, Data: content}
	}
}
