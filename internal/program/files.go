package program

import (
	"path"
	"regexp"
	"strings"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// inside is what is known of the files of a container's image, and what would have to be. What a volume lies over is
// not the image's.
type inside struct {
	set     *files.Set
	mounts  []string
	missing []image.Question // without the image
}

// insideOf is nil where nothing is known of the image's files, nor can be.
func insideOf(c *workload.Container, cfg image.Config) *inside {
	if cfg.Files == nil {
		return nil
	}
	in := &inside{set: cfg.Files}
	for _, m := range yamlnode.Items(c.Node, "volumeMounts") {
		if at := yamlnode.Text(m, "mountPath"); at != "" {
			in.mounts = append(in.mounts, path.Clean("/"+at))
		}
	}
	return in
}

// covered reports whether a volume lies over a path.
func (in *inside) covered(file string) bool {
	for _, m := range in.mounts {
		if m == "/" || file == m || strings.HasPrefix(file, m+"/") {
			return true
		}
	}
	return false
}

func (in *inside) ask(paths []string, exists bool) {
	if !in.set.Asked(paths, exists) {
		in.missing = append(in.missing, image.Question{Paths: paths, Exists: exists})
	}
}

// Find implements launch.Files.
func (in *inside) Find(paths []string) (files.File, bool) {
	for i, p := range paths {
		if in.covered(p) {
			paths = paths[:i] // what lies there may come first, or not be there
			break
		}
	}
	if len(paths) == 0 {
		return files.File{}, false
	}
	in.ask(paths, false)
	file, known := in.set.Find(paths)
	return file, known && !in.covered(file.Real())
}

// Exists implements launch.Files.
func (in *inside) Exists(paths []string) (there, known bool) {
	for _, p := range paths {
		if in.covered(p) {
			return false, false
		}
	}
	in.ask(paths, true)
	if file, found := in.set.Find(paths); found {
		return true, !in.covered(file.Real())
	}
	return false, in.set.Absent(paths)
}

// filesOf is what launch may ask; nil for nothing.
func (in *inside) filesOf() launch.Files {
	if in == nil {
		return nil
	}
	return in
}

// Questions lists what would have to be known of the files of the program's image, now that so much is.
func (p Program) Questions() []image.Question {
	if p.inside == nil {
		return nil
	}
	return p.inside.missing
}

// dropping matches what takes variables away from what it starts: sudo, env -i, su -, exec -c.
var dropping = regexp.MustCompile(
	`(^|[\s;&|('"/])(sudo|doas|(env['"]?\s+['"]?(-i|--ignore-environment|-['"]?(\s|$)))|` +
		`(su['"]?\s+['"]?(-l|--login|-['"]?(\s|$)))|exec\s+-[al]*c)` +
		`($|[\s'"])`)

// dropsIn returns the first line of the script that the program is, which could be read and not followed, that may take
// a variable away; 0 for none.
func (p Program) dropsIn(name string) (line string, at int) {
	if !p.Process.Script || p.Found.File == nil {
		return "", 0
	}
	sets := regexp.MustCompile(`(^|[\s;&|('"])` + name + `=|unset\s.*\b` + name + `\b`)
	for text := range strings.Lines(p.Found.File.Script) {
		at++
		text = strings.TrimSpace(text)
		keeps := strings.Contains(text, "$"+name) || strings.Contains(text, "${"+name)
		if !strings.HasPrefix(text, "#") && (dropping.MatchString(text) || sets.MatchString(text) && !keeps) {
			return text, at
		}
	}
	return "", 0
}

// native refuses a program that is compiled, and none of a runtime.
func native(program string) error {
	return other(program, "is compiled, and by its file belongs to no runtime that can be debugged")
}
