package transform

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// inside is what is known of the files of a container's image, and what would have to be. What a volume lies over is not the image's.
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

// Questions lists what would have to be known of the files of images, now that so much is, in document order.
func (p *Programs) Questions() (questions []image.Question) {
	for _, c := range p.scope.open() {
		in := p.known[c].program.inside
		if in == nil || len(p.images[c.want].Config.Layers) == 0 {
			continue
		}
		for _, q := range in.missing {
			q.Want = c.want
			questions = append(questions, q)
		}
	}
	return questions
}

// delveVersion is the label that says which Delve a support image has.
const delveVersion = supportLabels + "delve"

// checkFile refuses what the debugger cannot start, going by the program's file.
func (c *ContainerPlan) checkFile(delve string) error {
	g := c.goFile()
	if g == nil || c.Debugger.Existing || g.DebugInfo > 0 || minor(strings.TrimPrefix(g.Version, "go")) < 26 || minor(delve) >= 26 {
		return nil
	}
	return reason.Refuse(reason.DelveTooOld, "%s was built by %s with -s or -w, and a Delve before 1.26 does not start it, which is what the support image has "+
		"as far as its labels say: build without them, or use support images of your own (make push, supportRegistry)", c.Program.Found.Argv[0], g.Version)
}

// minor is the second number of a version; -1 where there is none.
func minor(version string) int {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 || parts[0] != "1" {
		return -1
	}
	digits := strings.TrimRightFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i] // 26rc1
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

// goFile is what is known of a Go program that is about to be debugged; nil for nothing.
func (c *ContainerPlan) goFile() *files.Go {
	if c.Program.Found.File == nil || c.Program.Found.File.Go == nil || len(c.Debugger.Ports) == 0 {
		return nil
	}
	return c.Program.Found.File.Go
}

// note is a result in the making.
type note struct {
	severity fn.Severity
	code     reason.Code
	message  string
}

// notes words what the files of the image say about debugging, warnings first.
func (c *ContainerPlan) notes() (notes []note) {
	if g := c.goFile(); g != nil {
		switch {
		case g.DebugInfo == 0:
			notes = append(notes, note{fn.Warning, reason.NoDebugInfo, c.Program.Found.Argv[0] +
				" was built with -s or -w, without debug information, so breakpoints cannot work: build it without them"})
		case g.Optimised:
			notes = append(notes, note{fn.Info, reason.Optimised, c.Program.Found.Argv[0] +
				` was built with optimisations, so some variables and lines are out of reach: -gcflags="all=-N -l" builds it without them`})
		}
	}
	for _, script := range c.Edits.copied {
		from := "the image"
		if c.Program.Image.Digest.Hex != "" {
			from = c.Program.Image.Digest.String()
		}
		notes = append(notes, note{fn.Info, reason.ScriptCopied,
			fmt.Sprintf("command holds a changed copy of %s, from %s: run debuggable again when the image changes", script, from)})
	}
	return notes
}

// fileResults are the notes as results.
func (c *ContainerPlan) fileResults() (rs fn.Results) {
	for _, n := range c.notes() {
		rs = append(rs, c.Container.Result(n.severity, n.code, c.Program.Detection.Runtime.Name(), "%s", n.message))
	}
	return rs
}

// remoteRoot is where the sources were when the program was built, as its debug information has it.
func (c *ContainerPlan) remoteRoot() string {
	if g := c.goFile(); g != nil {
		return g.CompileDir
	}
	return ""
}

// dropping matches what takes variables away from what it starts: sudo, env -i, su -, exec -c.
var dropping = regexp.MustCompile(`(^|[\s;&|('"/])(sudo|doas|(env['"]?\s+['"]?(-i|--ignore-environment|-['"]?(\s|$)))|(su['"]?\s+['"]?(-l|--login|-['"]?(\s|$)))|exec\s+-[al]*c)` +
	`($|[\s'"])`)

// dropsIn returns the first line of the script that the program is, which could be read and not followed, that may take a variable away;
// 0 for none.
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
