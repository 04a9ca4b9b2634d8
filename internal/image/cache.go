package image

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// DefaultCacheDir returns the folder for what registries have told, in the user's cache directory: debuggable below
// $XDG_CACHE_HOME or, without it, below os.UserCacheDir. It is "" where there is no such directory, as in a container
// without a home. It creates nothing.
func DefaultCacheDir() string {
	dir := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(dir) {
		var err error
		if dir, err = os.UserCacheDir(); err != nil || !filepath.IsAbs(dir) {
			return ""
		}
	}
	return filepath.Join(dir, "debuggable")
}

// cache keeps indexes, manifests and configurations by digest, in the form of an OCI layout's blobs folder. Since they
// are what their digest says, they never grow stale; a chain of them leads from an index's digest to the configuration
// without a question to the registry. Nothing about it is ever an error: what cannot be read is asked for again, what
// cannot be written is not kept. What nobody has asked for in keptFor is removed by the first one of a process that adds something.
// The zero cache keeps nothing.
type cache struct {
	dir   string
	prune sync.Once
}

const (
	keptFor      = 30 * 24 * time.Hour
	touchedEvery = 24 * time.Hour // an entry's time is not written anew more often than this
)

func (c *cache) file(h v1.Hash) string {
	return filepath.Join(c.dir, "blobs", h.Algorithm, h.Hex)
}

// get returns the content of h, or nil. An entry that is not what its digest says does not count.
func (c *cache) get(h v1.Hash) []byte {
	if c.dir == "" || h.Hex == "" {
		return nil
	}
	b, err := fileStore{folder(c.dir)}.blob(context.Background(), v1.Descriptor{Digest: h})
	if err != nil {
		return nil
	}
	now := time.Now()
	if info, err := os.Stat(c.file(h)); err == nil && now.Sub(info.ModTime()) > touchedEvery {
		_ = os.Chtimes(c.file(h), now, now)
	}
	return b
}

// put keeps b, which has the digest h. It writes to another name first, so that no reader, in this process or
// another, ever sees a half of it.
func (c *cache) put(h v1.Hash, b []byte) {
	if c.dir == "" {
		return
	}
	file := c.file(h)
	if os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	c.prune.Do(func() { removeUnused(filepath.Dir(file)) })
	t, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return
	}
	_, err = t.Write(b)
	if cerr := t.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(t.Name(), file)
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
}

// removeUnused removes the files of a folder, entries and what was left of writing them, that are older than keptFor.
func removeUnused(dir string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > keptFor {
			_ = os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}
