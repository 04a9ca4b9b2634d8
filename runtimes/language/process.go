package language

import (
	"regexp"
	"slices"

	"debuggable.dev/debuggable/internal/image/files"
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
	// Buildpacks returns what BuildpackIDs reads in the labels, for who has read them before; nil where nobody has.
	Buildpacks func() []string
	// WorkingDir is where the process starts, as far as the container or its image says.
	WorkingDir string
	// Script says that the program is, or is likely to be, a shell script (/entrypoint.sh): its command line means
	// nothing to a debugger, but its environment reaches the program that it starts.
	Script bool
	// File is what the program's file is, where that is known: it says more than the environment does.
	File *files.File
	// Runs is what the script of a project that the process starts comes to (npm start: node server.js); nil: that is not
	// known.
	Runs *Process
	// Foreign says that the manifest starts something else than the image does by itself.
	Foreign bool
	// NoTemp says that the process has no writable /tmp: its root file system is read-only and nothing is mounted there.
	NoTemp bool
	// Beside are the other programs that get the container's environment: what its probes and hooks run, and what its
	// script starts besides this one. A debugger that a variable starts would be started there as well.
	Beside []Command
	// Within are the commands of the script that the process is, where its text is known: the program that matters is
	// one of them, and the others get the same environment.
	Within []Command
	// EnvFixed says that the container's environment cannot be changed.
	EnvFixed bool
	// LineFixed says that no words can be put into the command line.
	LineFixed bool
	// Languages are all languages, so that one can tell the programs of the others.
	Languages []*Language
}

// Command is a program that a container starts besides the one that matters.
type Command struct {
	Argv []string // its words; shells and scripts are not looked into
	// Starts holds the command lines of the programs that it starts, behind shells and launchers; nil: its words are that.
	Starts [][]string
	// AtOnce says that it may run while the program does, Brief that it does not stay: a probe, say.
	AtOnce, Brief bool
	// Heard says that the script reads the messages of what it starts, which a debugger adds to: V=$(cmd 2>&1).
	Heard bool
	// Last says of a command within a script that it may be the program that matters, Maybe that it need not run.
	Last, Maybe bool
}

// Mentions reports whether a word matches.
func (c Command) Mentions(pattern *regexp.Regexp) bool {
	return slices.ContainsFunc(c.Argv, pattern.MatchString)
}

// Options are the choices that a user makes about debugging.
type Options struct {
	// Suspend starts the process stopped, until a debugger attaches and lets it run.
	Suspend bool
	// Protocols are the preferred debug protocols, best first.
	Protocols []string
	// ListenOn says on which addresses debuggers listen: OnAll, OnLoopback, or as the language has it by default.
	ListenOn string
	// Label is what a label of the support image says, by its last path element; "" for nothing.
	Label func(name string) string
	// Able says that the support image is taken to be able to do everything, as long as nothing is known of it.
	Able bool
	// Published says that the support images are those that are published for Skaffold, which cannot do all that the ones
	// of this repository can.
	Published bool
	// FreePort returns the first port at or above the one given that nothing in the pod uses. The same call gives
	// the same answer.
	FreePort func(from int32) int32
}

// Can reports whether the support image says that it can do something.
func (o Options) Can(ability string) bool { return o.Able || o.Says(ability) == "true" }

// Says is what the support image says by a label; "" for nothing.
func (o Options) Says(label string) string {
	if o.Label == nil {
		return ""
	}
	return o.Label(label)
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
	ProgramFile             // the file of that program
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
	Protocol string // also the container port's name
	Number   int32
}

// Plan is everything that a runtime wants changed, as data.
type Plan struct {
	Insert []Insertion // ordered by Before
	Env    []EnvChange // ordered
	Ports  []Port
	// Sets names the variables that inserted words set, whatever the container sets them to.
	Sets []string
	// Support says that the language's support image has to fill its folder in /dbg.
	Support bool
	// Memory is what the debugger takes of the container's memory while the program runs, Storage what the support files
	// take of the pod's ephemeral storage, both in MiB and for a program of ordinary size; 0: next to nothing.
	Memory, Storage int
	// Existing says that the process already runs under a debugger: it is kept, and Ports say where it listens.
	Existing bool
	// Outlives names the debugger that stays when the program ends; "": none does.
	Outlives string
	// Impatient says what ends a part of the program that does not answer for a while, as at a breakpoint, and what to do
	// about it; "" where nothing is known to.
	Impatient string
	// Announces names the debugger that writes to the program's standard output that it is there; "": none does.
	Announces string
	// Starts says that the debugger starts the program, which then gets no capabilities from its file.
	Starts bool
}
