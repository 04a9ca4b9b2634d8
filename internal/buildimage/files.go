package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"debuggable.dev/debuggable/internal/ociimage"
)

// Paths in the image. The certificates are where crypto/x509 looks first on Linux.
const (
	program      = "debuggable"
	certificates = "etc/ssl/certs/ca-certificates.crt"
)

// files builds what the image for one platform holds.
func files(ctx context.Context, p v1.Platform) (ociimage.Tree, error) {
	binary, err := compile(ctx, p)
	if err != nil {
		return nil, err
	}
	return ociimage.Tree{program: {Mode: 0o755, Data: binary}, certificates: {Mode: 0o644, Data: roots()}}, nil
}

// compile builds the program: static, without a Kubernetes client, and without anything of the machine that builds it,
// or of its settings: the program runs on every processor of its architecture.
func compile(ctx context.Context, p v1.Platform) ([]byte, error) {
	dir, err := os.MkdirTemp("", "buildimage")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	target := filepath.Join(dir, program)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "nowatch", "-ldflags", "-s -w", "-o", target,
		"debuggable.dev/debuggable")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	if v := strings.TrimPrefix(p.Variant, "v"); v != "" && p.Architecture == "arm" {
		cmd.Env = append(cmd.Env, "GOARM="+v)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("building for %s: %w", p, err), errors.New(string(out)))
	}
	return os.ReadFile(target)
}

// roots are the certificates of Mozilla's list that a PEM file can hold: those to which Mozilla attaches further
// conditions are left out, since a file cannot carry the conditions.
func roots() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// Writing to a Buffer cannot fail.
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return b.Bytes()
}

// write lays the files out below a folder.
func write(t ociimage.Tree, dir string) error {
	for name, f := range t {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, f.Data, os.FileMode(f.Mode)); err != nil {
			return err
		}
	}
	return nil
}
