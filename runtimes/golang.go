package runtimes

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// Go runs programs under Delve in its headless mode.
//
// Source of the command line and of how Delve reads it: Delve's Documentation/usage/dlv_exec.md and cmd/dlv/cmds.
type Go struct{}

const delvePort = 56268

// Name implements Runtime.
func (Go) Name() string { return "go" }

// Aliases implements Runtime.
func (Go) Aliases() []string { return []string{"golang"} }

// Detect implements Runtime.
func (Go) Detect(p Process) Sign {
	if len(p.Argv) > 0 && programName(p.Argv[0]) == "dlv" {
		return Sign{Program, "program dlv"}
	}
	if p.Author == "github.com/google/ko" {
		return Sign{Strong, "image built by ko"}
	}
	if sign := buildpackSign(p, "go"); sign.Strength != None {
		return sign
	}
	weak := envSign(p, false, "GODEBUG", "GOGC", "GOMAXPROCS", "GOTRACEBACK", "GOMEMLIMIT")
	if len(p.Argv) > 0 && !mayBeGo(p, weak.Strength) {
		weak = Sign{}
	}
	return strongest(envSign(p, true, "KO_DATA_PATH"), weak)
}

// mayBeGo reports whether a weak sign can be one of the program itself: Delve starts nothing but a Go program. It is none of the
// system's own tools, nor of what is named as scripts are. Where the manifest alone sets the variable, it is none of what the image does
// not start by itself either, unless that lies where Go programs are put.
func mayBeGo(p Process, sign Strength) bool {
	program := p.Argv[0]
	if harmless(program) || scriptLike(program) && !p.Script { // a script that is known to be one is refused for that
		return false
	}
	return sign > WeakManifest || !p.Foreign || !strings.Contains(program, "/") || slices.Contains(goDirectories, path.Dir(program))
}

// goDirectories are where images have their Go programs: ko's and the buildpacks' directories, that of go install, the usual working
// directories, the root and those of PATH.
var goDirectories = []string{
	".", "/", "/app", "/bin", "/go/bin", "/ko-app", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/workspace",
}

// scriptWords are words of which the names of scripts are made that start something else.
var scriptWords = []string{
	"boot", "bootstrap", "entry", "entrypoint", "exec", "init", "launch", "launcher", "prestart", "run", "setup", "start", "startup", "wrap", "wrapper",
}

var scriptExtensions = []string{".bash", ".js", ".lua", ".mjs", ".pl", ".php", ".py", ".rb", ".sh"}

// scriptLike reports whether a program's name is made of such words at its beginning or end, or has the extension of a script: boot,
// start-server, app.start.
func scriptLike(program string) bool {
	parts := strings.FieldsFunc(strings.ToLower(programName(program)), func(r rune) bool { return strings.ContainsRune("-_.", r) })
	if len(parts) == 0 {
		return false
	}
	return slices.Contains(scriptWords, parts[0]) || slices.Contains(scriptWords, parts[len(parts)-1]) ||
		slices.Contains(scriptExtensions, path.Ext(programName(program)))
}

// DebugPorts implements Runtime.
func (Go) DebugPorts(text string) []int32 { return dlv.ports(text) }

var dlv = listener{"dlv", regexp.MustCompile(`\bdlv\b`), regexp.MustCompile(`(?:--listen[= ]|-l[= ]?)([^\s"']+)`), delvePort}

// Attach implements Runtime.
func (g Go) Attach(p Process, o Options) (Plan, error) {
	if len(p.Argv) == 0 {
		return Plan{}, errNoProgram
	}
	program := p.Argv[0]
	if programName(program) == "dlv" {
		return g.existing(p)
	}
	switch {
	case p.Script:
		return Plan{}, refuseScript(p.Argv)
	case p.dynamic(0):
		return Plan{}, refuseDynamic(program)
	case manages(program):
		return Plan{}, refuseManager(program)
	case p.behindLauncher() != "":
		return Plan{}, refuseLauncher(p)
	case !strings.Contains(program, "/") && !(o.LooksOnPath && absolutePath(p.Env["PATH"])):
		// dlv exec takes a name as a path relative to the working directory (verifyBinaryFormat in service/debugger),
		// whereas the container runtime looked it up on PATH.
		return Plan{}, &reason.Refusal{Code: reason.ProgramNotAPath, Message: fmt.Sprintf("program %q has no slash: the support image's Delve would not look it up on PATH; give its path in command, or use support images built from this project (supportRegistry)", program)}
	}
	port, err := freePort(o, delvePort)
	if err != nil {
		return Plan{}, err
	}
	words := []string{"/dbg/go/bin/dlv", "exec", "--headless"}
	if !o.Suspend {
		words = append(words, "--continue")
	}
	words = append(words, "--accept-multiclient", "--listen=:"+itoa(port), "--api-version=2")
	// Measured: Delve 1.27 takes 25 MiB for a program of 9 MB, 85 MiB for one of 30 MB.
	plan := Plan{Insert: []Insertion{{0, words}}, Ports: []Port{{"dlv", port}}, Support: "go", Memory: 80, Storage: 32}
	if len(p.Argv) > 1 {
		plan.Insert = append(plan.Insert, Insertion{1, []string{"--"}})
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
func (Go) existing(p Process) (Plan, error) {
	args := p.Argv[1:]
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	address, _ := optionValue(args, "--listen", "-l")
	if strings.HasPrefix(address, "unix:") {
		return Plan{Existing: true}, nil
	}
	return Plan{Existing: true, Ports: listening("dlv", address, delvePort)}, nil
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
