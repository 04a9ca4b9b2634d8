package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
// without a question to the registry. It remembers of which tags it has read the manifest. Nothing about it is ever an
// error: what cannot be read is asked for again, what cannot be written is not kept. What nobody has asked for in
// keptFor, and what is beyond maxCached, is removed by a process that adds something. The zero cache keeps nothing.
type cache struct {
	dir string

	mu    sync.Mutex
	added int64 // bytes since the last cleaning
	clean bool  // there was one
}

const (
	keptFor      = 30 * 24 * time.Hour
	touchedEvery = 24 * time.Hour // an entry's time is not written anew more often than this
	maxCached    = 512 << 20      // bytes: more than 10,000 images
	cleanEvery   = 64 << 20       // bytes that a process adds
)

// The folders of the cache.
const (
	blobsFolder = "blobs/sha256"
	tagsFolder  = "tags"
)

// cachedName is what files in them are called, those that are being written included. Nothing else is touched.
var cachedName = regexp.MustCompile(`^(\.new-[0-9]+|[0-9a-f]{64})$`)

// get returns the content of h, or nil. An entry that is not what its digest says does not count.
func (c *cache) get(h v1.Hash) []byte {
	if c.dir == "" || h.Algorithm != "sha256" || h.Hex == "" {
		return nil
	}
	b, err := fileStore{folder(c.dir)}.blob(context.Background(), h)
	if err != nil {
		return nil
	}
	c.touch(filepath.Join(c.dir, blobsFolder, h.Hex))
	return b
}

func (c *cache) touch(file string) {
	now := time.Now()
	if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > touchedEvery {
		_ = os.Chtimes(file, now, now)
	}
}

// put keeps b, which has the digest h.
func (c *cache) put(h v1.Hash, b []byte) {
	if c.dir == "" || h.Algorithm != "sha256" {
		return
	}
	c.mu.Lock()
	c.added += int64(len(b))
	due := !c.clean || c.added > cleanEvery
	if due {
		c.clean, c.added = true, 0
	}
	c.mu.Unlock()
	if due {
		c.removeUnused()
	}
	c.write(blobsFolder, h.Hex, b)
}

// knows reports whether the cache has the manifest that a tag stood for the last time.
func (c *cache) knows(tag string) bool {
	if c.dir == "" {
		return false
	}
	file := filepath.Join(c.dir, tagsFolder, tagFile(tag))
	b, err := folder(c.dir).read(context.Background(), tagsFolder+"/"+tagFile(tag))
	if err != nil || len(b) != sha256.Size*2 || !cachedName.Match(b) {
		return false
	}
	c.touch(file)
	_, err = os.Lstat(filepath.Join(c.dir, blobsFolder, string(b)))
	return err == nil
}

// see notes that a tag stands for the manifest h.
func (c *cache) see(tag string, h v1.Hash) {
	if c.dir != "" {
		c.write(tagsFolder, tagFile(tag), []byte(h.Hex))
	}
}

func tagFile(tag string) string {
	sum := sha256.Sum256([]byte(tag))
	return hex.EncodeToString(sum[:])
}

// write writes to another name first, so that no reader, in this process or another, ever sees a half of it.
func (c *cache) write(folder, name string, b []byte) {
	dir := filepath.Join(c.dir, folder)
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	t, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return
	}
	_, err = t.Write(b)
	if cerr := t.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(t.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
}

// removeUnused removes what is older than keptFor, entries and what was left of writing them, and the oldest of what is
// beyond maxCached. It removes nothing but files with the cache's own names, and nothing that is reached through a link
// below the user's cache folder: what is there may be somebody's.
func (c *cache) removeUnused() {
	type file struct {
		name string
		os.FileInfo
	}
	var files []file
	var sum int64
	if !isFolder(c.dir) {
		return
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return
	}
	defer root.Close()
	for _, folder := range []string{blobsFolder, tagsFolder, filesFolder} {
		if !isFolder(filepath.Join(c.dir, filepath.Dir(folder))) || !isFolder(filepath.Join(c.dir, folder)) {
			continue
		}
		for _, f := range entriesOf(root, folder) {
			if info, err := f.Info(); err == nil && info.Mode().IsRegular() && cachedName.MatchString(f.Name()) {
				files = append(files, file{filepath.Join(folder, f.Name()), info})
				sum += info.Size()
			}
		}
	}
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.name, b.name))
	})
	for _, f := range files {
		if sum <= maxCached && time.Since(f.ModTime()) <= keptFor {
			return
		}
		if root.Remove(f.name) == nil {
			sum -= f.Size()
		}
	}
}

func entriesOf(root *os.Root, folder string) []os.DirEntry {
	d, err := root.Open(folder)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.ReadDir(-1)
	return entries
}

// isFolder reports whether there is a folder at path, and not a link to one.
func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
