// Package runtimes knows how the processes of each language runtime are put under their debugger.
//
// A Runtime sees a process (argv and environment) and answers with a Plan: words to insert into the command line,
// changes to the environment, the debug ports, and the support image that brings the debugger. It never sees YAML,
// images or the network, and never removes or replaces a word: how the plan gets into a manifest, through shells,
// launchers and buildpacks, is package transform's business, once for all runtimes.
//
// A new language is one file here, one line in All, and one folder of tests under testdata.
package runtimes

import (
	"regexp"
	"slices"
)

// Process is what a container starts, as far as it is known without starting it.
type Process struct {
	// Argv is the command line; Argv[0] is the program that matters, without the launchers in front of it.
	Argv []string
	// Via holds the names of the launchers in front of it, outermost first.
	Via []string
	// Env holds the variables of the image and of the manifest whose values are known.
	Env map[string]string
	// Line is the container's whole command line where its script starts other programs besides this one; else nil.
	Line []string
	// ImageEnv is the part of Env that comes from the image itself. A sign in it weighs more than one that only
	// the manifest sets.
	ImageEnv map[string]string
	// Unknown holds the names of variables that are set to something that is not known (from a Secret, say).
	Unknown map[string]bool
	// Hidden holds the names of variables that a launcher or a script sets or clears on the way to the program: what
	// the container sets them to does not reach it.
	Hidden map[string]bool
	// Unset holds those of them that are certainly not set where the program starts (env -i).
	Unset map[string]bool
	// Dynamic says, word by word, that a word of Argv is source text whose value is known at run time only. nil: none.
	Dynamic []bool
	// Author is the image's author, Labels its labels.
	Author string
	Labels map[string]string
	// WorkingDir is where the process starts, as far as the container or its image says.
	WorkingDir string
	// Script says that the program is, or is likely to be, a shell script (/entrypoint.sh): its command line means
	// nothing to a debugger, but its environment reaches the program that it starts.
	Script bool
	// Foreign says that the manifest starts something else than the image does by itself.
	Foreign bool
	// NoTemp says that the process has no writable /tmp: its root file system is read-only and nothing is mounted there.
	NoTemp bool
	// Beside are the other programs that get the container's environment: what its probes and hooks run, and what its
	// script starts besides this one. A debugger that a variable starts would be started there as well.
	Beside []Command
	// EnvFixed says that the container's environment cannot be changed.
	EnvFixed bool
	// LineFixed says that no words can be put into the command line.
	LineFixed bool
}

// Command is a program that a container starts besides the one that matters.
type Command struct {
	Argv []string // its words; shells and scripts are not looked into
	// Starts holds the command lines of the programs that it starts, behind shells and launchers; nil: its words are that.
	Starts [][]string
	// AtOnce says that it may run while the program does, Brief that it does not stay: a probe, say.
	AtOnce, Brief bool
}

// mentions says whether a word matches.
func (c Command) mentions(pattern *regexp.Regexp) bool {
	return slices.ContainsFunc(c.Argv, pattern.MatchString)
}

// Options are the choices that a user makes about debugging.
type Options struct {
	// Suspend starts the process stopped, until a debugger attaches and lets it run.
	Suspend bool
	// Protocols are the preferred debug protocols, best first.
	Protocols []string
	// LooksOnPath says that the support image's Delve looks a program without a slash up on PATH, as the container
	// runtime does. Stock Delve takes it for a path relative to the working directory.
	LooksOnPath bool
	// Published says that the support images are those that are published for Skaffold, which cannot do all that the ones of
	// this repository can.
	Published bool
	// FreePort returns the first port at or above the one given that nothing in the pod uses. The same call gives
	// the same answer.
	FreePort func(from int32) int32
}

// Strength is how strongly a process shows that it belongs to a runtime.
type Strength int

// The strengths, weakest first. See the package's tables for what counts as which.
const (
	None           Strength = iota
	WeakManifest            // a weak sign that only the manifest sets
	Weak                    // a weak sign of the image
	StrongManifest          // a strong sign that only the manifest sets
	Strong                  // a strong sign of the image
	Program                 // the program on the command line
	Told                    // the user said so
)

// Sign is what Detect found.
type Sign struct {
	Strength Strength
	// Words complete "detected because …": `image sets GOTRACEBACK`, `program node`.
	Words string
}

// Insertion puts Words in front of Argv[Before]; Before may be len(Argv).
type Insertion struct {
	Before int
	Words  []string
}

// EnvHow says what becomes of a variable's existing value.
type EnvHow int

// How an EnvChange combines with an existing value.
const (
	Replace EnvHow = iota // the new value alone
	Append                // existing, Sep, new
	Prepend               // new, Sep, existing
)

// EnvChange is one change to the environment.
type EnvChange struct {
	Name, Value string
	How         EnvHow
	Sep         string // between the two values
	// Default counts as the existing value where none is known to exist: "" for none.
	Default string
	// Needed says that the program's tool would be debugged in place of the application if this did not reach it.
	Needed bool
}

// Port is a port that a debugger listens on.
type Port struct {
	Protocol string // dlv, jdwp, devtools, dap, pydevd; also the container port's name
	Number   int32
}

// Plan is everything that a runtime wants changed, as data.
type Plan struct {
	Insert []Insertion // ordered by Before
	Env    []EnvChange // ordered
	Ports  []Port
	// Sets names the variables that inserted words set, whatever the container sets them to.
	Sets []string
	// Support names the support image that fills /dbg: "" for none, else the image's last path element.
	Support string
	// Memory is what the debugger takes of the container's memory while the program runs, Storage what the support files take
	// of the pod's ephemeral storage, both in MiB and for a program of ordinary size; 0: next to nothing.
	Memory, Storage int
	// Existing says that the process already runs under a debugger: it is kept, and Ports say where it listens.
	Existing bool
}

// Runtime is one language. Implementations are stateless and do no I/O.
type Runtime interface {
	// Name is the runtime's identifier in the annotation: go, jvm, nodejs, python, netcore.
	Name() string
	// Aliases are other names that users may say: golang, java, …
	Aliases() []string
	// Detect says how strongly the process shows that it belongs to this runtime.
	Detect(Process) Sign
	// Attach plans the process's start under its debugger. An error is a *reason.Refusal.
	Attach(Process, Options) (Plan, error)
	// DebugPorts lists the ports on which debuggers that a text starts are likely to listen, so that others stay out of
	// their way. The text is a command line, scripts included, or values of variables; none of it has to be understood.
	DebugPorts(text string) []int32
}
