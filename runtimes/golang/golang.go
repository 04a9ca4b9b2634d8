// Package golang says everything about Go: its programs run under Delve in its headless mode.
//
// Source of the command line and of how Delve reads it: Delve's Documentation/usage/dlv_exec.md and cmd/dlv/cmds.
package golang

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
)

const delvePort = 56268

// What Delve of a support image of this project can do and stock Delve cannot, as its labels say.
const (
	LooksOnPath      = "exec-looks-on-path" // it looks a program without a slash up on PATH
	ExitsWithProgram = "exits-with-program" // it ends when the program ends, with its exit status

	delveVersion = "delve" // the label with its version
)

// Language returns Go.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"go", "golang"},
		Signs: language.Signs{
			Programs: []string{"dlv"},
			Authors:  map[string]string{"github.com/google/ko": "image built by ko"},
			Buildpacks: language.Buildpacks{
				Starts: []string{"google.go.", "paketo-buildpacks/go-", "paketo-buildpacks/go", "heroku/go"}},
			Strong: []string{"KO_DATA_PATH"},
			Weak:   []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOTRACEBACK", "GOMEMLIMIT"},
			Doubts: doubts,
			File:   ofFile,
			// They start others, which may be anything.
			Tools:       []string{"air", "compiledaemon", "go"},
			Directories: []string{"ko-app"},
		},
		Protocols: []language.Protocol{{Name: "dlv", Port: delvePort, Client: "dlv connect ADDRESS"}},
		Listeners: []language.Listener{{
			Protocol: "dlv", Started: regexp.MustCompile(`\bdlv\b`),
			Address: regexp.MustCompile(`(?:--listen[= ]|-l[= ]?)([^\s"']+)`), Port: delvePort,
		}},
		InFront: true,
		Plan:    plan,
		Notes:   notes,
		BuiltIn: builtIn,
		Editor:  inEditors(),
		Doc: language.Doc{
			Strong: "built by ko; `KO_DATA_PATH`",
			Rewrite: "`/dbg/go/bin/dlv exec --headless --continue --accept-multiclient --listen=:56268 --api-version=2 APP " +
				"-- ARGS…`",
			Support: "Delve",
		},
	}
}

// memory is what Delve takes, in MiB. Measured, Delve 1.27: 25 MiB for a program of 9 MB, 85 MiB for one of 30 MB; and,
// when it has started, 30, 46 and 122 MiB for debug information of 1.2, 4.6 and 22.5 MiB.
func memory(p language.Process) int {
	if p.File == nil || p.File.Go == nil {
		return 80
	}
	return 60 + int(5*(p.File.Go.DebugInfo>>20))
}

// doubts reports whether a weak sign cannot be one of the program itself: Delve starts nothing but a Go program. It is
// none of the system's own tools, nor of what is named as scripts are. Where the manifest alone sets the variable, it
// is none of what the image does not start by itself either, unless that lies where Go programs are put.
func doubts(p language.Process, sign language.Strength) bool {
	if len(p.Argv) == 0 {
		return false
	}
	program := p.Argv[0]
	// a script that is known to be one is refused for that
	if language.Harmless(program) || scriptLike(program) && !p.Script {
		return true
	}
	return sign <= language.WeakManifest && p.Foreign && strings.Contains(program, "/") &&
		!slices.Contains(directories, path.Dir(program))
}

// directories are where images have their Go programs: ko's and the buildpacks' directories, that of go install, the
// usual working directories, the root and those of PATH.
var directories = []string{
	".", "/", "/app", "/bin", "/go/bin", "/ko-app", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin",
	"/workspace",
}

// scriptWords are words of which the names of scripts are made that start something else.
var scriptWords = []string{
	"boot", "bootstrap", "entry", "entrypoint", "exec", "init", "launch", "launcher", "prestart", "run", "setup", "start",
	"startup", "wrap", "wrapper",
}

// scriptLike reports whether a program's name is made of such words at its beginning or end, or has the extension of a
// script: boot, start-server, app.start.
func scriptLike(program string) bool {
	parts := strings.FieldsFunc(strings.ToLower(language.ProgramName(program)), func(r rune) bool {
		return strings.ContainsRune("-_.", r)
	})
	if len(parts) == 0 {
		return false
	}
	return slices.Contains(scriptWords, parts[0]) || slices.Contains(scriptWords, parts[len(parts)-1]) ||
		language.IsScript(program)
}

// plan puts Delve in front of the program.
func plan(p language.Process, o language.Options) (language.Plan, error) {
	if len(p.Argv) == 0 {
		return language.Plan{}, language.RefuseNothing()
	}
	program := p.Argv[0]
	if language.ProgramName(program) == "dlv" {
		return existing(p)
	}
	switch {
	case p.Script:
		return language.Plan{}, language.RefuseScript(p)
	case p.IsDynamic(0):
		return language.Plan{}, language.RefuseDynamic(program)
	case p.Manager() != "":
		return language.Plan{}, language.RefuseManager(p.Manager())
	case p.BehindLauncher() != "":
		return language.Plan{}, language.RefuseLauncher(p)
	case !strings.Contains(program, "/") && p.File == nil && !(o.Can(LooksOnPath) && absolutePath(p.Env["PATH"])):
		// dlv exec takes a name as a path relative to the working directory (verifyBinaryFormat in service/debugger),
		// whereas the container runtime looked it up on PATH.
		return language.Plan{}, reason.Refuse(reason.ProgramNotAPath,
			"program %q has no slash: the support image's Delve would not look it up on PATH; give its path in command, or "+
				"use support images built from this project (supportRegistry)", program)
	}
	if err := checkFile(p, o); err != nil {
		return language.Plan{}, err
	}
	port, err := language.FreePort(o, delvePort)
	if err != nil {
		return language.Plan{}, err
	}
	words := []string{"/dbg/go/bin/dlv", "exec", "--headless"}
	if !o.Suspend {
		words = append(words, "--continue")
	}
	words = append(words, "--accept-multiclient", "--listen="+o.Host("")+":"+itoa(port), "--api-version=2")
	plan := language.Plan{
		Insert: []language.Insertion{{Before: 0, Words: words}}, Ports: []language.Port{{Protocol: "dlv", Number: port}},
		Support: true, Memory: memory(p), Storage: 32, Starts: true,
		Announces: "Delve", // writeListeningMessage in its pkg/logflags
	}
	if !o.Can(ExitsWithProgram) {
		plan.Outlives = "Delve"
	}
	if len(p.Argv) > 1 {
		plan.Insert = append(plan.Insert, language.Insertion{Before: 1, Words: []string{"--"}})
	}
	return plan, nil
}

// absolutePath says whether a PATH holds absolute folders only: Go's exec.LookPath refuses what it finds in others.
func absolutePath(path string) bool {
	for _, dir := range strings.Split(path, ":") {
		if path != "" && !strings.HasPrefix(dir, "/") {
			return false
		}
	}
	return true
}

// existing plans nothing for a process that Delve already runs, but finds out where it listens.
func existing(p language.Process) (language.Plan, error) {
	args := p.Argv[1:]
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	address, _ := language.OptionValue(args, "--listen", "-l")
	if strings.HasPrefix(address, "unix:") {
		return language.Plan{Existing: true}, nil
	}
	return language.Plan{Existing: true, Ports: language.Listening("dlv", address, delvePort)}, nil
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
