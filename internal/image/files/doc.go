// Package files reads single files out of an image's layers, without unpacking anything, and says what they are: a Go
// program and its debug information, a .NET host, another native program, a script and its interpreter, a package.json.
//
// Nothing is executed and nothing is written. What is read is bounded, a path never leads out of the image, and what
// cannot be read is an error that callers take for "unknown": the data is somebody else's.
package files

import "errors"

// File is what is known of one file of an image. The keys are those of lock files.
type File struct {
	// Path is where it was looked for: absolute and clean.
	Path string `json:"path" yaml:"path"`
	// Target is where symbolic links lead; "" for Path itself.
	Target string `json:"target,omitempty" yaml:"target,omitempty"`
	// Absent says that there is no such file, where a script asks for it.
	Absent bool `json:"absent,omitempty" yaml:"absent,omitempty"`
	// Script is the text of a shell script, its #! line included.
	Script string `json:"script,omitempty" yaml:"script,omitempty"`
	// Interpreter holds the words of the #! line of another interpreter's script, split as the kernel and env -S do it.
	Interpreter []string `json:"interpreter,omitempty" yaml:"interpreter,omitempty"`
	// Go is set for a Go program.
	Go *Go `json:"go,omitempty" yaml:"go,omitempty"`
	// Netcore is set for a .NET host with its application.
	Netcore *Netcore `json:"netcore,omitempty" yaml:"netcore,omitempty"`
	// Native is set for any other native program.
	Native bool `json:"native,omitempty" yaml:"native,omitempty"`
	// Package is set for a package.json.
	Package *Package `json:"package,omitempty" yaml:"package,omitempty"`
}

// Go is what the build and debug information of a Go program say.
type Go struct {
	Version   string `json:"version,omitempty" yaml:"version,omitempty"` // like go1.26.1
	Module    string `json:"module,omitempty" yaml:"module,omitempty"`   // the main module's path
	Package   string `json:"package,omitempty" yaml:"package,omitempty"` // the main package's path
	DebugInfo int64  `json:"debugInfo" yaml:"debugInfo"`                 // bytes of DWARF, uncompressed; 0: there is none
	Optimised bool   `json:"optimised,omitempty" yaml:"optimised,omitempty"`
	// the main module's directory; with -trimpath its path
	CompileDir string `json:"compileDir,omitempty" yaml:"compileDir,omitempty"`
}

// Netcore is a .NET application that has a host of its own.
type Netcore struct {
	// of the framework, where the runtime configuration says it
	Version string `json:"version,omitempty" yaml:"version,omitempty"`
}

// Package is what counts of a package.json.
type Package struct {
	Name    string            `json:"name,omitempty" yaml:"name,omitempty"`
	Scripts map[string]string `json:"scripts,omitempty" yaml:"scripts,omitempty"`
}

// Says reports whether something is known of the file besides that it is there.
func (f File) Says() bool {
	return f.Absent || f.Script != "" || len(f.Interpreter) > 0 || f.Go != nil || f.Netcore != nil || f.Native ||
		f.Package != nil
}

// Real is the path that symbolic links lead to.
func (f File) Real() string {
	if f.Target != "" {
		return f.Target
	}
	return f.Path
}

// Bounds on what is read. Linux follows as many links (path_resolution(7)), and reads as much of a #! line
// (execve(2), BINPRM_BUF_SIZE less the #!).
const (
	MaxScript = 32 << 10 // bytes of a script

	maxLinks  = 40
	maxLine   = 254
	maxPath   = 4096
	maxNames  = 64 << 20  // bytes of the names of an image's files
	maxEntry  = 192 << 20 // bytes of a file that is held in memory at a time
	maxDebug  = 256 << 20 // bytes of debug information that is looked at
	maxJSON   = 1 << 20   // bytes of a JSON document
	perName   = 128       // which is about what each takes besides
	maxKept   = 4 << 20   // bytes of small files that a layer's reading keeps on the way
	maxStream = 16 << 30  // bytes of an image's layers, uncompressed; and no more than
	maxRatio  = 100       // times what they are compressed, and
	// so much, which a layer of hardly anything may come to
	maxUnpacked = 1 << 30
	maxWindow   = 32 << 20 // of zstd, which needs a quarter of it up to its level 19
)

// The errors of Find, wrapped.
var (
	// ErrNone says that there is no such file, for certain.
	ErrNone = errors.New("no such file")
	// ErrTooMuch says that a bound was reached.
	ErrTooMuch = errors.New("more than is looked at")
)
