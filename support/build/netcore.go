package main

import (
	"debuggable.dev/debuggable/internal/ociimage"

	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// vsdbg says which vsdbg is fetched, and where. Its licence lets everyone fetch it and nobody pass it on, so the
// image is built where it is used, and pushed to a private registry only.
type vsdbg struct{ version, url string }

func addVsdbg(ctx context.Context, p *part, v vsdbg, _ string) error {
	rid := map[string]string{"amd64": "linux-x64", "arm64": "linux-arm64"}[p.arch]
	url := strings.NewReplacer("{version}", strings.ReplaceAll(v.version, ".", "-"), "{rid}", rid).Replace(v.url)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	data, err := get(ctx, url)
	if err != nil {
		return fmt.Errorf("fetching vsdbg %s, which cannot be shipped with this program, from %s: %w", v.version, url, err)
	}
	files, err := untar(data)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", url, err)
	}
	if _, ok := files["vsdbg"]; !ok {
		return fmt.Errorf("unpacking %s: there is no program vsdbg in it", url)
	}
	for name, f := range files {
		p.tree["support/netcore/"+name] = f
	}
	p.labels = map[string]string{"vsdbg": v.version}
	p.contents = append(p.contents, content{kind: "generic", name: "vsdbg", version: v.version, file: path.Base(url), sha256: checksum(data)})
	return nil
}

// get fetches a file, giving up early where nothing answers.
func get(ctx context.Context, url string) ([]byte, error) {
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
		if h.Mode&0o111 != 0 || name == "vsdbg" {
			mode = 0o755
		}
		t[name] = ociimage.File{Mode: mode, Data: content}
	}
}
