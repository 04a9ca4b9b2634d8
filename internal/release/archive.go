package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mode is a file's mode in an archive, whatever the umask was here.
func mode(path string) os.FileMode {
	if name := filepath.Base(path); strings.TrimSuffix(name, ".exe") == program {
		return 0o755
	}
	return 0o644
}

// tarball packs files without their directories into a gzip-compressed tar file.
func tarball(w io.Writer, files []string, at time.Time) error {
	zipped, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(zipped)
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.Base(path), Mode: int64(mode(path)), Size: int64(len(data)), ModTime: at}
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), zipped.Close())
}

// zipFile packs files without their directories into a zip file.
func zipFile(w io.Writer, files []string, at time.Time) error {
	z := zip.NewWriter(w)
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: filepath.Base(path), Method: zip.Deflate, Modified: at}
		header.SetMode(mode(path))
		f, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := f.Write(data); err != nil {
			return err
		}
	}
	return z.Close()
}
