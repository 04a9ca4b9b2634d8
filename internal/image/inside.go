package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"debuggable.dev/debuggable/internal/image/files"
)

// Question asks what a file of an image is: the first of the paths that is there, absolute and clean.
type Question struct {
	Want  Want
	Paths []string
	// Exists says that it matters, too, when none is there.
	Exists bool
}

// The values of the setting lookInside: whose files are read.
const (
	InsideLocal  = "local"  // those of images from layouts and archives
	InsideAlways = "always" // of registries, too
	InsideNever  = "never"
)

// Bounds on looking inside an image.
const (
	maxLayers   = 512 << 20        // bytes of layers that a registry sends for an image
	insideLimit = 2 * time.Minute  // for an image
	insideRun   = 10 * time.Minute // for all of them
	insideJobs  = 2
	maxHeld     = 256 << 20 // bytes, about, of what is kept of images between two of their files
)

// Looker looks inside images. It keeps what it has read of one until Close, since one file leads to the next.
type Looker struct {
	whose string
	cache *cache

	mu     sync.Mutex
	images map[*files.Set]*inside
	read   int64
	most   int64
	end    time.Time  // of all looking; zero: it has not begun
	alone  sync.Mutex // holds a program
}

type inside struct {
	system *files.System
	cancel context.CancelFunc
	held   int64
}

// NewLooker returns a Looker that looks into the images that whose allows, and keeps what it finds in a directory, ""
// for none.
func NewLooker(whose, cacheDir string) *Looker {
	return &Looker{whose: whose, cache: &cache{dir: cacheDir}, images: map[*files.Set]*inside{}, most: maxHeld}
}

// Prepare makes those of the results that can be looked into ready for answers, and reports whether there are any. It
// changes the map.
func (l *Looker) Prepare(results map[Want]Result) bool {
	sets := map[string]*files.Set{}
	for want, r := range results {
		c := &r.Config
		if r.Err != nil || c.Files != nil || len(c.Layers) == 0 || l.whose == InsideNever || l.whose == InsideLocal &&
			!c.Local {
			continue
		}
		key := c.Digest.String()
		if c.Digest.Hex == "" {
			key = want.Image + " " + want.Platform
		}
		if sets[key] == nil {
			sets[key] = files.Empty()
		}
		c.Files = sets[key]
		results[want] = r
	}
	return len(sets) > 0
}

// Answer answers questions about prepared results that have no answer yet, and reports whether there were any. What
// cannot be read is answered as unknown, whatever the reason.
func (l *Looker) Answer(ctx context.Context, results map[Want]Result, questions []Question) bool {
	type job struct {
		config    Config
		questions []Question
	}
	jobs := map[*files.Set]*job{}
	for _, q := range questions {
		c := results[q.Want].Config
		if c.Files == nil || len(c.Layers) == 0 || c.Files.Asked(q.Paths, q.Exists) {
			continue
		}
		if jobs[c.Files] == nil {
			jobs[c.Files] = &job{config: c}
		}
		jobs[c.Files].questions = append(jobs[c.Files].questions, q)
	}
	var group sync.WaitGroup
	gate := make(chan struct{}, insideJobs)
	for _, j := range jobs {
		group.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			for _, q := range j.questions {
				f := l.find(ctx, j.config, q.Paths)
				if f.Absent && !q.Exists {
					f = files.File{}
				}
				j.config.Files.Answer(q.Paths, q.Exists, f)
			}
			l.keep(j.config)
		})
	}
	group.Wait()
	return len(jobs) > 0
}

// find answers one question; a file without a path is not known.
func (l *Looker) find(ctx context.Context, c Config, paths []string) files.File {
	key := ""
	if c.Digest.Hex != "" {
		// Answers of an older version of the program may say less.
		sum := sha256.Sum256([]byte(strings.Join(append([]string{"1", c.Digest.String()}, paths...), "\x00")))
		key = hex.EncodeToString(sum[:])
		if f, ok := l.cache.file(key); ok {
			return f
		}
	}
	f, err := l.open(ctx, c).Find(paths...)
	if err != nil {
		f = files.File{Absent: errors.Is(err, files.ErrNone)}
	}
	if key != "" && ctx.Err() == nil && (err == nil || errors.Is(err, files.ErrNone)) {
		l.cache.keepFile(key, f)
	}
	return f
}

// open returns the file system of an image.
func (l *Looker) open(ctx context.Context, c Config) *files.System {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.images[c.Files]
	if in == nil {
		most := int64(maxLayers)
		if c.Local {
			most = 0
		}
		if l.end.IsZero() {
			l.end = time.Now().Add(insideRun)
		}
		end := time.Now().Add(insideLimit)
		if end.After(l.end) {
			end = l.end
		}
		limited, cancel := context.WithDeadline(ctx, end)
		in = &inside{system: files.New(limited, c.Layers, most), cancel: cancel}
		in.system.Alone = &l.alone
		l.images[c.Files] = in
	}
	return in.system
}

// keep keeps what was read of an image for what its files lead to, unless that of all images takes too much memory:
// then it is read again if need be.
func (l *Looker) keep(c Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.images[c.Files]
	if in == nil {
		return // all of it was in the cache
	}
	in.held = in.system.Held()
	sum := int64(0)
	for _, other := range l.images {
		sum += other.held
	}
	if sum > l.most {
		l.close(in)
		delete(l.images, c.Files)
	}
}

func (l *Looker) close(in *inside) {
	l.read += in.system.Read()
	in.cancel()
	in.system.Close()
}

// Close ends all reading.
func (l *Looker) Close() {
	for _, in := range l.images {
		l.close(in)
	}
	clear(l.images)
}

// Read is how many bytes of layers were read before Close, as they are stored.
func (l *Looker) Read() int64 { return l.read }

// filesFolder is the folder of the cache for what is known of images' files, by digest and question.
const filesFolder = "files"

func (c *cache) file(key string) (f files.File, ok bool) {
	if c.dir == "" {
		return f, false
	}
	b, err := folder(c.dir).read(context.Background(), filesFolder+"/"+key)
	if err != nil || json.Unmarshal(b, &f) != nil {
		return files.File{}, false
	}
	c.touch(filepath.Join(c.dir, filesFolder, key))
	return f, true
}

func (c *cache) keepFile(key string, f files.File) {
	b, err := json.Marshal(f)
	if c.dir != "" && err == nil {
		c.write(filesFolder, key, b)
	}
}
