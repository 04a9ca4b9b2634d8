package runtimes

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	// Delve starts nothing but a Go program, so a weak sign has to be one of what is started: not of the system's own tools, and
	// where the manifest alone sets the variable, not of what the image does not start by itself.
	if len(p.Argv) > 0 && (harmless(p.Argv[0]) || weak.Strength == WeakManifest && p.Foreign) {
		weak = Sign{}
	}
	return strongest(envSign(p, true, "KO_DATA_PATH"), weak)
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
	case !strings.Contains(program, "/") && !(o.LooksOnPath && absolutePath(p.Env["PATH"])):
		// dlv exec takes a name as a path relative to the working directory (verifyBinaryFormat in service/debugger),
		// whereas the container runtime looked it up on PATH.
		return Plan{}, &Refusal{"ProgramNotAPath", fmt.Sprintf("program %q has no slash: the support image's Delve would not look it up on PATH; give its path in command, or use support images built from this project (supportRegistry)", program)}
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
