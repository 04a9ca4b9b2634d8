// Package editor has the words in which a language says what editors and debug adapters are to be told so that they
// attach to its debugger and find the sources.
package editor

import (
	"bytes"
	"encoding/json"
)

// Target is a debugger that listens, and where the sources are that it knows.
type Target struct {
	// Host and Port are where it is reached from this machine. Port is 0 for one that listens nowhere.
	Host string
	Port int
	// Protocol is the debug protocol of the port.
	Protocol string
	// Mappings are where the sources are, the narrowest remote directory first.
	Mappings []Mapping
	// Modules are the directories of the modules of this machine, and MainPackage is the import path of the only program
	// among them, where the mappings are guessed: a debugger may know better.
	Modules     []Mapping
	MainPackage string
	// Exec starts a command line that runs in the container.
	Exec []string
	// Workspace is what the editor has open.
	Workspace string
}

// Mapping says that what is in a directory of this machine is known to the debugger as a remote one.
type Mapping struct{ Local, Remote string }

// Object is a JSON object whose keys have an order.
type Object []Field

// Field is a member of an Object. Its value is a string, a bool, an int, an Object, or a []any of these.
type Field struct {
	Key   string
	Value any
}

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(f.Key)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		var value bytes.Buffer
		enc := json.NewEncoder(&value)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(f.Value); err != nil {
			return nil, err
		}
		b.Write(bytes.TrimSpace(value.Bytes()))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Run is a run configuration of a JetBrains IDE, in the form in which they share it (.run/NAME.run.xml).
type Run struct {
	Type, Factory string
	Attributes    []Pair // of the element configuration, behind type and factoryName
	Options       []Pair // elements <option name="" value=""/>
	// URLs maps directories of the debugger, as URLs, to local ones.
	URLs []Mapping
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Question is asked over a connection of its own.
type Question struct {
	Ask string
	Yes func(answer []byte) bool // a line
}

// Language is what a language says of itself to whoever wants to attach.
type Language struct {
	// Extensions are those of source files, for finding them by their contents: none for a language whose programs know
	// their module, or whose debuggers need no paths.
	Extensions []string
	// Module says that the language's programs say which module they were built from.
	Module bool
	// Launch is the configuration for VS Code's launch.json without its name.
	Launch func(Target) Object
	// Adapter is the protocol, as ports have it, of a debugger that speaks the Debug Adapter Protocol itself; "" for none.
	Adapter string
	// Attach is what that wants in a request to attach.
	Attach func(Target) Object
	// Going asks it, ahead of that, whether the program has been let go; nil: there is no need to ask.
	Going *Question
	// Run is the configuration for JetBrains' IDEs; nil for a language that has none that attaches.
	Run func(Target) Run
	// CloudName is the language's name in Cloud Code's configurations; "" for none.
	CloudName string
}

// Roots are for debuggers that know one pair of directories: the widest.
func Roots(t Target) Object {
	if len(t.Mappings) == 0 {
		return nil
	}
	widest := t.Mappings[len(t.Mappings)-1]
	return Object{{Key: "localRoot", Value: widest.Local}, {Key: "remoteRoot", Value: widest.Remote}}
}
