package sources

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The bounds of a tree: beyond them what is left is not looked at.
const (
	mostFiles  = 200_000
	mostDepth  = 64
	mostHashed = 512 << 20 // bytes in all
	largest    = 4 << 20   // bytes of one source file
)

// skipped are the directories that hold no sources of the user's own: what tools fetch or make.
var skipped = map[string]bool{
	".git": true, ".hg": true, ".svn": true, ".idea": true, ".gradle": true, ".tox": true, ".venv": true,
	"__pycache__": true, "node_modules": true, "venv": true,
}

// Tree is a local directory with what is in it.
type Tree struct {
	// Root is its absolute path.
	Root string

	files   map[string]int64    // size by path below Root, with slashes
	named   map[string][]string // paths by their last element
	modules map[string][]string // directories below Root by module path
	hashes  map[string]string
	hashed  int64
	// byContent are those of named that may tell anything, of a size, by their hash; "": all.
	byContent map[nameAndSize]map[string][]string
	// Cut says that it has more files than are looked at.
	Cut bool
}

type nameAndSize struct {
	name string
	size int64 // negative: any
}

// ReadTree lists a directory. Symbolic links are not followed, and what cannot be read counts as not there.
func ReadTree(dir string) (*Tree, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("reading sources %q: %w", dir, err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("reading sources %q: it is not a directory", dir)
	}
	t := &Tree{
		Root: root, files: map[string]int64{}, named: map[string][]string{}, modules: map[string][]string{},
		hashes: map[string]string{}, byContent: map[nameAndSize]map[string][]string{},
	}
	err = filepath.WalkDir(root, t.visit)
	if err != nil && !errors.Is(err, fs.SkipAll) {
		return nil, fmt.Errorf("reading sources %q: %w", dir, err)
	}
	return t, nil
}

func (t *Tree) visit(file string, d fs.DirEntry, err error) error {
	if err != nil {
		if d != nil && d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	rel, err := filepath.Rel(t.Root, file)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	if d.IsDir() {
		if rel != "." && (skipped[d.Name()] || strings.Count(rel, "/") >= mostDepth) {
			return fs.SkipDir
		}
		return nil
	}
	if !d.Type().IsRegular() {
		return nil
	}
	info, gone := d.Info()
	if gone != nil {
		return nil //nolint:nilerr // a file that went away in the meantime is no source
	}
	if len(t.files) >= mostFiles {
		t.Cut = true
		return fs.SkipAll
	}
	t.files[rel] = info.Size()
	t.named[d.Name()] = append(t.named[d.Name()], rel)
	if d.Name() == moduleFile {
		if name := moduleName(file); name != "" {
			t.modules[name] = append(t.modules[name], path.Dir(rel))
		}
	}
	return nil
}

// moduleFile is what a module's root directory has (https://go.dev/ref/mod#go-mod-file).
const moduleFile = "go.mod"

// moduleName returns the module path that a go.mod file declares, or "".
func moduleName(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, largest))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "//")
		words := strings.Fields(line)
		if len(words) != 2 || words[0] != "module" {
			continue
		}
		if unquoted, err := strconv.Unquote(words[1]); err == nil {
			return unquoted
		}
		return words[1]
	}
	return ""
}

// modules returns the directories of the trees' modules by module path, and the import path of the only program in
// them. Of two modules with the same path it is the first.
func modules(trees []*Tree) (dirs map[string]string, main string) {
	dirs = map[string]string{}
	programs := map[string]bool{}
	for _, t := range trees {
		for name, places := range t.modules {
			dir := slices.Min(places)
			if dirs[name] == "" {
				dirs[name] = t.abs(dir)
			}
			for _, below := range t.programs(dir) {
				programs[path.Join(name, below)] = true
			}
		}
	}
	if len(programs) == 1 {
		for main = range programs {
		}
	}
	return dirs, main
}

// programs returns the directories below a module's that hold a package main.
func (t *Tree) programs(module string) []string {
	found := map[string]bool{}
	for file := range t.files {
		dir := path.Dir(file)
		below, ok := strings.CutPrefix(dir, module)
		if module == "." {
			below, ok = "/"+strings.TrimPrefix(dir, "."), true
		}
		if !ok || found[below] || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || t.nested(dir, module) {
			continue
		}
		if parsed, err := parser.ParseFile(token.NewFileSet(), t.abs(file), nil, parser.PackageClauseOnly); err == nil &&
			parsed.Name.Name == "main" {
			found[below] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// nested reports whether a directory of a module belongs to another one inside it.
func (t *Tree) nested(dir, module string) bool {
	for ; dir != module && dir != "."; dir = path.Dir(dir) {
		if _, ok := t.files[path.Join(dir, moduleFile)]; ok {
			return true
		}
	}
	return false
}

func (t *Tree) abs(rel string) string { return filepath.Join(t.Root, filepath.FromSlash(rel)) }

// hash returns the SHA-256 of a file of the tree in hexadecimal, or "" where it cannot be told.
func (t *Tree) hash(rel string) string {
	if h, ok := t.hashes[rel]; ok {
		return h
	}
	t.hashes[rel] = ""
	size := t.files[rel]
	if size > largest || t.hashed+size > mostHashed {
		return ""
	}
	t.hashed += size
	f, err := os.Open(t.abs(rel))
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, largest)); err != nil {
		return ""
	}
	t.hashes[rel] = hex.EncodeToString(sum.Sum(nil))
	return t.hashes[rel]
}

// has reports whether one of the trees has a file of a name and size: all that is worth hashing in an image.
func has(trees []*Tree, base string, size int64) bool {
	for _, t := range trees {
		for _, rel := range t.named[base] {
			if t.files[rel] == size {
				return true
			}
		}
	}
	return false
}

// WorkTree returns the git work tree around a directory or, where there is none, the directory itself.
func WorkTree(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}
