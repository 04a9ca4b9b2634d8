package language

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/editor"
)

// Language is everything that there is to know about a language: a folder beside this one. It does no I/O and has no
// state.
type Language struct {
	// Names are what it is called, the identifier in the annotation first, then other names that users may say.
	Names []string
	// Signs say how it is recognised.
	Signs Signs
	// Protocols are those that its debuggers speak; the first is the default. None: nothing listens.
	Protocols []Protocol
	// Listeners find debuggers that a text starts: a command line, scripts included, or values of variables. None of it
	// has to be understood; their ports are kept out of the way of others.
	Listeners []Listener
	// Variables are those that its plans change, besides PATH.
	Variables []string
	// InFront says that the debugger goes in front of the program, ByVariable that a variable can start it, which reaches
	// what the program starts.
	InFront, ByVariable bool
	// Plan plans a process's start under its debugger. An error is a *reason.Refusal.
	Plan func(Process, Options) (Plan, error)
	// Task says which script of a project a process starts by its name, nil for none; nil: no tool of the language's does
	// that.
	Task func(Process) *Task
	// Notes are what the file of a process's program says about debugging it, and BuiltIn is the directory in which it was
	// built; nil: files say nothing.
	Notes   func(Process) []Note
	BuiltIn func(Process) string
	// Exec is the command that IDEs run in the container where no debugger listens; nil: none.
	Exec []string
	// Editor is what editors are told so that they attach.
	Editor editor.Language
	// Doc is what the documentation's tables cannot take from the other fields.
	Doc Doc
}

// Signs are what shows that a process belongs to a language, strongest first.
type Signs struct {
	// Programs are the names of its programs. Program returns the name of one that is not listed, or "".
	Programs []string
	Program  func(Process) string
	// Authors are the image's author fields that builders of its images set, and what they are called.
	Authors map[string]string
	// Buildpacks are those that build for it.
	Buildpacks Buildpacks
	// Strong and Weak are variables, in the order in which they are looked for.
	Strong, Weak []string
	// File says in words that a file is a program of the language, "" where it is not; nil: files say nothing.
	File func(files.File) string
	// Doubts reports whether a weak sign does not count for a process; nil: it always does.
	Doubts func(Process, Strength) bool
	// Distinct are programs whose names no other program takes for a plain word among its arguments.
	Distinct []string
	// Tools are programs of its that start others or build them, and are no application.
	Tools []string
	// Directories are names of directories that hold its programs, besides bin and sbin.
	Directories []string
}

// Protocol is one that a debugger speaks.
type Protocol struct {
	Name string // in the annotation and as the container port's name
	Port int32  // where the debugger listens by default
	// Client is how to attach, in one line: ADDRESS, HOST and PORT stand for where the debugger is.
	Client string
}

// Note is what a user should know beforehand, as a result words it.
type Note struct {
	Code    reason.Code
	Message string
}

// Doc holds cells of the documentation's tables, in Markdown. An empty one is made from the language's other fields.
type Doc struct {
	Programs, Strong, Weak string // how it is found out
	Rewrite                string // what is rewritten
	Support                string // what its support image brings; "none" where it needs none
}

// Name is the identifier in the annotation, and the last path element of its support image.
func (l *Language) Name() string { return l.Names[0] }

// Aliases are other names that users may say.
func (l *Language) Aliases() []string { return l.Names[1:] }

// HasSupport reports whether it has a support image.
func (l *Language) HasSupport() bool { return l.Doc.Support != "" && l.Doc.Support != "none" }

// Detect says how strongly a process shows that it belongs to the language.
func (l *Language) Detect(p Process) Sign {
	if name := l.program(p); name != "" {
		return Sign{Program, "program " + name}
	}
	signs := []Sign{{}}
	if built, ok := l.Signs.Authors[p.Author]; ok {
		signs = append(signs, Sign{Strong, built})
	}
	weak := EnvSign(p, false, l.Signs.Weak...)
	if l.Signs.Doubts != nil && l.Signs.Doubts(p, weak.Strength) {
		weak = Sign{}
	}
	return Strongest(append(signs, buildpackSign(p, l), EnvSign(p, true, l.Signs.Strong...), weak)...)
}

// program returns the name of the program that a process starts, where that is the language's; else "".
func (l *Language) program(p Process) string {
	if len(p.Argv) == 0 {
		return ""
	}
	if name := ProgramName(p.Argv[0]); slices.Contains(l.Signs.Programs, name) {
		return name
	}
	if l.Signs.Program == nil {
		return ""
	}
	return l.Signs.Program(p)
}

// DebugPorts lists the ports on which debuggers that a text starts are likely to listen.
func (l *Language) DebugPorts(text string) (ports []int32) {
	for _, listener := range l.Listeners {
		ports = append(ports, listener.ports(text)...)
	}
	return ports
}

// Hint says how to attach a client to where a debugger listens.
func (p Protocol) Hint(host string, port int) string {
	number := strconv.Itoa(port)
	return strings.NewReplacer("ADDRESS", net.JoinHostPort(host, number), "HOST", host, "PORT", number).Replace(p.Client)
}
