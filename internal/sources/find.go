package sources

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// File is a file of an image or a source that a source map in it names.
type File struct {
	// Path is absolute, in the container.
	Path string
	// Size is -1 where it is not known.
	Size int64
	// SHA256 is in hexadecimal; "" where it is not known.
	SHA256 string
	// Named says that the file itself is not in the image: a source map names it.
	Named bool
}

// Program is what a program's build information says.
type Program struct {
	Module  string // module path of the main module
	Package string // import path of the main package; "": not known
	// Directory is where the main module lay when it was compiled, as debuggers know it: a directory or, where paths were
	// trimmed, the module's path. "": not known.
	Directory string
}

// Image is what is known of an image, as far as its sources can be told from it. The zero value knows nothing.
type Image struct {
	Program Program
	Files   []File
	// WorkingDir settles a tie.
	WorkingDir string
	// RootKnown says that the directory that a guess is made with is one of sources.
	RootKnown bool
}

// Mapping says that what lies in a local directory is known to the debugger as a remote one.
type Mapping struct {
	Local  string // an absolute directory
	Remote string // a directory in the container or, for trimmed paths, a module's path
}

// Found is where the sources are.
type Found struct {
	// Mappings are those that hold, the one with the most evidence first; none is in conflict with another.
	Mappings []Mapping
	// Guess says that there is no evidence.
	Guess bool
	// Evidence completes "found by …": it is "" for a guess.
	Evidence string
	// Compared counts the files that both sides have; Differ are those, in the image, that differ.
	Compared int
	Differ   []string
	// Modules are those of the trees by module path, for a guess that a debugger makes itself; Main is the import path of
	// the only program among them, "" if there are more. nil where the mappings are better than that.
	Modules map[string]string
	Main    string
	// Missing is what kept the evidence from being complete; "" for nothing.
	Missing string
}

// Difference says in words how the local files differ from the image's; "" where they do not.
func (f Found) Difference() string {
	if len(f.Differ) == 0 {
		return ""
	}
	const shown = 3
	names := strings.Join(f.Differ[:min(shown, len(f.Differ))], ", ")
	if more := len(f.Differ) - shown; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	noun := "files"
	if f.Compared == 1 {
		noun = "file"
	}
	return fmt.Sprintf("the image was built from other sources: %d of %d %s (%s)", len(f.Differ), f.Compared, noun, names)
}

// Find finds an image's sources in trees. extensions are those of source files (".py"). remote is the directory in the
// container that a guess is made with, and workspace the local one.
func Find(trees []*Tree, img Image, extensions []string, workspace, remote string) Found {
	if f, ok := byModule(trees, img.Program); ok {
		return f
	}
	if f, ok := byContent(trees, img, extensions); ok {
		return f
	}
	guess := Found{Guess: true, Missing: "nothing is known of the image's files"}
	if img.Program.Module != "" {
		guess.Missing = "no go.mod of the sources is that of module " + img.Program.Module
	} else if len(img.Files) > 0 {
		guess.Missing = "no file of the image is among the sources"
	}
	if img.Program == (Program{}) && extensions == nil {
		dirs, main := modules(trees)
		switch {
		case !img.RootKnown:
			guess.Modules, guess.Main = dirs, main
		case len(dirs) == 1:
			for _, workspace = range dirs {
			}
		}
	}
	if len(guess.Modules) == 0 && remote != "" && workspace != "" {
		guess.Mappings = []Mapping{{workspace, remote}}
	}
	return guess
}

// byModule finds the directory of a program's main module.
func byModule(trees []*Tree, p Program) (Found, bool) {
	if p.Module == "" {
		return Found{}, false
	}
	below := strings.TrimPrefix(strings.TrimPrefix(p.Package, p.Module), "/")
	type place struct {
		tree *Tree
		dir  string
	}
	var places []place
	for _, t := range trees {
		for _, dir := range t.modules[p.Module] {
			if p.Package == "" || t.hasDir(path.Join(dir, below)) {
				places = append(places, place{t, dir})
			}
		}
	}
	if len(places) == 0 {
		return Found{}, false
	}
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(
			cmp.Compare(common(b.tree.abs(b.dir), p.Directory), common(a.tree.abs(a.dir), p.Directory)),
			cmp.Compare(strings.Count(a.dir, "/"), strings.Count(b.dir, "/")),
			cmp.Compare(a.dir, b.dir),
		)
	})
	local := places[0].tree.abs(places[0].dir)
	f := Found{Evidence: "module " + p.Module}
	if len(places) > 1 {
		f.Missing = fmt.Sprintf("%d directories have this module", len(places))
	}
	if p.Directory == "" {
		// The paths that the debugger knows are not known: those of a trimmed build are told apart by nothing else.
		f.Missing = "the image does not tell where it was compiled"
		f.Guess = true
		f.Mappings = []Mapping{{local, p.Module}}
		return f, true
	}
	f.Mappings = []Mapping{{local, p.Directory}}
	return f, true
}

// common counts the last elements that two paths have in common.
func common(a, b string) int {
	n := 0
	for path.Base(a) == path.Base(b) && len(a) > 1 && len(b) > 1 {
		a, b = path.Dir(a), path.Dir(b)
		n++
	}
	return n
}

// hasDir reports whether the tree has a file in a directory, besides that of the module itself.
func (t *Tree) hasDir(rel string) bool {
	for file := range t.files {
		if path.Dir(file) == rel && path.Base(file) != moduleFile {
			return true
		}
	}
	return false
}

// pair is a candidate: a directory below the root of a tree, and one in the container.
type pair struct {
	tree   int
	local  string
	remote string
}

// match is a file of the image that is also in a tree.
type match struct {
	file  File
	tree  int
	local string
}

const (
	// everywhere is how many places a content may be in and still tell where it comes from.
	everywhere = 16
	// telling is the least size of a file that tells anything: an empty __init__.py is like any other.
	telling = 16
	// mostMappings is more than the parts that people put an image together from.
	mostMappings = 4
)

// byContent lets files that are equal vote for the directories that they lie in.
func byContent(trees []*Tree, img Image, extensions []string) (Found, bool) {
	var files []File
	for _, f := range img.Files {
		if slices.Contains(extensions, path.Ext(f.Path)) {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	matches := matchAll(trees, files)
	equal := map[string]bool{}
	var f Found
	var chosen []pair
	for len(chosen) < mostMappings && len(matches) > 0 {
		p, votes := elect(matches, img.WorkingDir)
		if len(chosen) > 0 && (votes < 2 || conflict(chosen, p)) {
			break
		}
		chosen = append(chosen, p)
		f.Mappings = append(f.Mappings, Mapping{trees[p.tree].abs(p.local), p.remote})
		explained := map[string]bool{}
		for _, m := range matches {
			if p.explains(m) {
				explained[m.file.Path], equal[m.file.Path] = true, true
			}
		}
		matches = slices.DeleteFunc(matches, func(m match) bool { return explained[m.file.Path] })
	}
	if len(chosen) == 0 {
		return Found{}, false
	}
	f.compare(trees, files, chosen)
	f.Evidence = fmt.Sprintf("the contents of %d files", len(equal))
	if len(equal) == 1 {
		f.Evidence = "the content of 1 file"
	}
	return f, true
}

// compare counts the files that both sides have.
func (f *Found) compare(trees []*Tree, files []File, chosen []pair) {
	narrowest := slices.SortedFunc(slices.Values(chosen), func(a, b pair) int {
		return cmp.Compare(len(b.remote), len(a.remote))
	})
	for _, file := range files {
		for _, p := range narrowest {
			rel, ok := p.below(file.Path)
			size, there := trees[p.tree].files[rel]
			if !ok || !there {
				continue
			}
			f.Compared++
			if differs(trees[p.tree], rel, size, file) {
				f.Differ = append(f.Differ, file.Path)
			}
			break
		}
	}
}

// matchAll finds the files that are equal, or that a source map names without their content.
func matchAll(trees []*Tree, files []File) []match {
	var matches []match
	for _, f := range files {
		var at []match
		for i, t := range trees {
			for _, rel := range t.like(f) {
				at = append(at, match{f, i, rel})
			}
		}
		if len(at) <= everywhere {
			matches = append(matches, at...)
		}
	}
	return matches
}

// like are the files of a tree, large enough to tell anything, that are not known to be another than one of an image.
// Many files of one name, in a tree and in an image, are not all compared with each other.
func (t *Tree) like(f File) []string {
	if f.SHA256 == "" {
		if !f.Named {
			return nil // see differs
		}
		f.Size = -2 // like -1, but nothing needs to be hashed
	}
	key := nameAndSize{path.Base(f.Path), f.Size}
	known, ok := t.byContent[key]
	if !ok {
		known = map[string][]string{}
		for _, rel := range t.named[key.name] {
			if t.files[rel] < telling || key.size >= 0 && t.files[rel] != key.size {
				continue
			}
			if f.SHA256 == "" {
				known[""] = append(known[""], rel)
			} else if hash := t.hash(rel); hash != "" {
				known[hash] = append(known[hash], rel)
			}
		}
		t.byContent[key] = known
	}
	return known[f.SHA256]
}

// differs reports whether a file of a tree is known to be another than one of an image.
func differs(t *Tree, rel string, size int64, f File) bool {
	if f.SHA256 == "" {
		// What the image's reader did not hash has a size that no file of this name has.
		return !f.Named
	}
	return f.Size >= 0 && f.Size != size || t.hash(rel) != f.SHA256
}

// elect returns the pair with the most votes. Each match votes for the directories that it and its counterpart lie in,
// and for those above as long as they have the same name. Of pairs with as many, it is the one nearest to the working
// directory, then the widest one.
func elect(matches []match, workingDir string) (best pair, votes int) {
	count := map[pair]int{}
	for _, m := range matches {
		local, remote := m.local, m.file.Path
		for path.Base(local) == path.Base(remote) && local != "." && remote != "/" {
			local, remote = path.Dir(local), path.Dir(remote)
			count[pair{m.tree, local, remote}]++
		}
	}
	order := func(a, b pair) int {
		return cmp.Or(
			cmp.Compare(count[b], count[a]),
			cmp.Compare(distance(a.remote, workingDir), distance(b.remote, workingDir)),
			cmp.Compare(len(a.remote), len(b.remote)),
			cmp.Compare(a.tree, b.tree),
			cmp.Compare(len(a.local), len(b.local)),
			cmp.Compare(a.local, b.local),
		)
	}
	first := true
	for p := range count {
		if first || order(p, best) < 0 {
			best, first = p, false
		}
	}
	return best, count[best]
}

// distance is 0 for a directory that is, is below, or is above another one.
func distance(dir, other string) int {
	if other == "" || within(dir, other) || within(other, dir) {
		return 0
	}
	return 1
}

// within reports whether a path is a directory or lies in it.
func within(file, dir string) bool {
	return file == dir || dir == "/" || strings.HasPrefix(file, dir+"/")
}

func (p pair) covers(file string) bool { return within(file, p.remote) }

// below returns the path in the tree of a file of the container.
func (p pair) below(file string) (rel string, ok bool) {
	if !p.covers(file) {
		return "", false
	}
	return path.Join(p.local, strings.TrimPrefix(file, p.remote)), true
}

func (p pair) explains(m match) bool {
	rel, ok := p.below(m.file.Path)
	return ok && p.tree == m.tree && rel == m.local
}

// conflict reports whether a pair maps what another one maps already, on either side.
func conflict(chosen []pair, p pair) bool {
	return slices.ContainsFunc(chosen, func(c pair) bool {
		return c.remote == p.remote || c.tree == p.tree && c.local == p.local
	})
}
