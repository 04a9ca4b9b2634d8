package golang

import (
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
)

// ofFile says which Go a program was built with.
func ofFile(f files.File) string {
	if f.Go == nil {
		return ""
	}
	return "built with " + f.Go.Version
}

// checkFile refuses what Delve cannot start, going by the program's file.
func checkFile(p language.Process, o language.Options) error {
	if p.File == nil || p.File.Go == nil || o.Able {
		return nil
	}
	g := p.File.Go
	if g.DebugInfo > 0 || minor(strings.TrimPrefix(g.Version, "go")) < 26 || minor(o.Says(delveVersion)) >= 26 {
		return nil
	}
	return reason.Refuse(reason.DelveTooOld,
		"%s was built by %s with -s or -w, and a Delve before 1.26 does not start it, which is what the support image has "+
			"as far as its labels say: build without them, or use support images of your own (make push, supportRegistry)",
		p.Argv[0], g.Version)
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

// notes say what a debugger will not find in the program's file.
func notes(p language.Process) []language.Note {
	switch {
	case p.File == nil || p.File.Go == nil:
	case p.File.Go.DebugInfo == 0:
		return []language.Note{{Code: reason.NoDebugInfo, Message: p.Argv[0] +
			" was built with -s or -w, without debug information, so breakpoints cannot work: build it without them"}}
	case p.File.Go.Optimised:
		return []language.Note{{Code: reason.Optimised, Message: p.Argv[0] + " was built with optimisations, so some " +
			`variables and lines are out of reach: -gcflags="all=-N -l" builds it without them`}}
	}
	return nil
}

// builtIn is where the program was built, as its debug information has it.
func builtIn(p language.Process) string {
	if p.File == nil || p.File.Go == nil {
		return ""
	}
	return p.File.Go.CompileDir
}
