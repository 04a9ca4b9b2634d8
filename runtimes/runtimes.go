// Package runtimes knows how the processes of each language are put under their debugger.
//
// A language is a folder: it says everything about itself, in terms of package language. A new one is such a folder,
// and a line in [All].
package runtimes

import (
	"slices"
	"strings"

	"debuggable.dev/debuggable/runtimes/bun"
	"debuggable.dev/debuggable/runtimes/deno"
	"debuggable.dev/debuggable/runtimes/golang"
	"debuggable.dev/debuggable/runtimes/jvm"
	"debuggable.dev/debuggable/runtimes/language"
	"debuggable.dev/debuggable/runtimes/netcore"
	"debuggable.dev/debuggable/runtimes/nodejs"
	"debuggable.dev/debuggable/runtimes/python"
	"debuggable.dev/debuggable/runtimes/ruby"
)

// What languages are made of; see package language.
type (
	// Runtime is a language that can be debugged.
	Runtime = *language.Language
	// Process is what a container starts.
	Process = language.Process
	// Command is a program that runs beside the one that matters.
	Command = language.Command
	// Options are the choices that a user makes.
	Options = language.Options
	// Task is a script of a project that a tool starts by its name.
	Task = language.Task
	// Plan is everything that a language wants changed.
	Plan = language.Plan
	// Insertion is words that are put into a command line.
	Insertion = language.Insertion
	// EnvChange is one change to the environment.
	EnvChange = language.EnvChange
	// Port is a port that a debugger listens on.
	Port = language.Port
	// Detection is the language of a process.
	Detection = language.Detection
	// Sign is what makes a process one of a language.
	Sign = language.Sign
)

// The strengths of signs, how variables change, and PATH, that others than languages ask about.
const (
	Program = language.Program
	Told    = language.Told

	DefaultPath = language.DefaultPath

	Replace = language.Replace
	Append  = language.Append
	Prepend = language.Prepend
)

// Where debuggers listen.
const (
	OnDefault  = language.OnDefault
	OnAll      = language.OnAll
	OnLoopback = language.OnLoopback
)

// all holds the languages in the order in which a tie between them is settled.
var all = []Runtime{
	golang.Language(),
	jvm.Language(),
	nodejs.Language(),
	python.Language(),
	netcore.Language(),
	ruby.Language(),
	deno.Language(),
	bun.Language(),
}

// All returns the languages in the order in which a tie between them is settled.
func All() []Runtime { return all[:len(all):len(all)] }

// Detect finds the language of a process.
func Detect(p Process) Detection {
	p.Languages = all
	return language.Detect(p)
}

// TaskOf returns the script of a project that a process starts by its name, and the language whose tool does that; nil
// for none.
func TaskOf(p Process) (*Task, Runtime) {
	p.Languages = all
	return p.Task()
}

// Attach plans a process's start under the debugger of a language. An error is a *reason.Refusal.
func Attach(r Runtime, p Process, o Options) (Plan, error) {
	p.Languages = all
	return r.Plan(p, o)
}

// KnownOther reports whether a program is known to belong to no language here, going by its name.
func KnownOther(program string) bool { return Process{Languages: all}.KnownOther(program) }

// BehindLauncher returns the word among a process's arguments that names the program which the first word is
// likely to start, "" for none.
func BehindLauncher(p Process) string {
	p.Languages = all
	return p.BehindLauncher()
}

// PlainWord reports whether a command line that is known to be of no language here may as well be words that a script
// takes for its own.
func PlainWord(argv []string) bool { return Process{Argv: argv, Languages: all}.PlainWord() }

// StartsAnother reports whether a program that is known to be of no language here starts others, which may be.
func StartsAnother(program string) bool { return Process{Languages: all}.StartsAnother(program) }

// ByName returns the language that a name or an alias stands for, in any case, or nil.
func ByName(name string) Runtime {
	for _, r := range all {
		if slices.Contains(r.Names, strings.ToLower(name)) {
			return r
		}
	}
	return nil
}

// Names lists all names of languages, each canonical one ahead of its aliases.
func Names() (names []string) {
	for _, r := range all {
		names = append(names, r.Names...)
	}
	return names
}

// Protocols lists the debug protocols, in the order of the languages.
func Protocols() (names []string) {
	for _, r := range all {
		for _, p := range r.Protocols {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// Hint says how to attach a client to a debugger of a language, in one line: as the language has it or, where it does
// not know the protocol, another one.
func Hint(name, protocol, host string, port int) string {
	languages := all
	if r := ByName(name); r != nil {
		languages = append([]Runtime{r}, all...)
	}
	for _, r := range languages {
		for _, p := range r.Protocols {
			if p.Name == protocol {
				return p.Hint(host, port)
			}
		}
	}
	return ""
}

// Variables lists the variables by which debuggers are started, and PATH.
func Variables() []string {
	names := []string{"PATH"}
	for _, r := range all {
		names = append(names, r.Variables...)
	}
	return names
}

// DebugPorts lists the ports on which debuggers of any language that a text starts are likely to listen.
func DebugPorts(text string) (ports []int32) {
	for _, r := range all {
		ports = append(ports, r.DebugPorts(text)...)
	}
	return ports
}
