// Package debuginfo reads and writes the debug.cloud.google.com/config annotation, which tells IDEs and
// "debuggable watch" which containers of a pod run under a debugger and where it listens.
//
// The shape is the one that "skaffold debug" established:
//
//	{"web":{"artifact":"gcr.io/random/image","runtime":"go","workingDir":"/some/path","ports":{"dlv":56268}}}
package debuginfo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Annotation is the key of the annotation on a pod's metadata.
const Annotation = "debug.cloud.google.com/config"

// Container is what the annotation says of one container. The order of the fields is the order of the JSON keys.
type Container struct {
	// Artifact is the image's name as the build tool knows it, for finding the sources.
	Artifact string `json:"artifact,omitempty"`
	// Runtime is the language runtime: go, jvm, nodejs, python or netcore.
	Runtime string `json:"runtime,omitempty"`
	// WorkingDir is the process's working directory in the container.
	WorkingDir string `json:"workingDir,omitempty"`
	// RemoteRoot is the directory in the container, or the prefix of the paths, that the debugger knows the sources by.
	RemoteRoot string `json:"remoteRoot,omitempty"`
	// Ports maps debug protocols (dlv, jdwp, devtools, dap, pydevd) to container ports.
	Ports map[string]int32 `json:"ports,omitempty"`
}

// Entry is a Container with its name.
type Entry struct {
	Name string
	Container
}

// Encode returns the annotation's value: compact JSON, the containers in the order given, the ports by name.
func Encode(entries []Entry) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(v any) {
		_ = enc.Encode(v)       // strings and numbers always encode, and a buffer takes everything
		b.Truncate(b.Len() - 1) // Encode ends each value with a newline
	}
	b.WriteByte('{')
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		put(e.Name)
		b.WriteByte(':')
		put(e.Container)
	}
	b.WriteByte('}')
	return b.String()
}

// Decode reads an annotation's value. The entries keep the annotation's order; of a name that occurs twice the last
// one counts, as in encoding/json. Unknown keys are ignored, for other tools may add theirs.
func Decode(value string) ([]Entry, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(value)))
	if tok, err := dec.Token(); err == io.EOF {
		return nil, fmt.Errorf("reading %s: it is empty; want an object of containers", Annotation)
	} else if err != nil {
		return nil, fmt.Errorf("reading %s: %w", Annotation, plainly(err))
	} else if tok != json.Delim('{') {
		return nil, fmt.Errorf("reading %s: want an object of containers", Annotation)
	}
	var entries []Entry
	at := map[string]int{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", Annotation, plainly(err))
		}
		name := tok.(string) // a key of an object is always a string
		var c Container
		if err := dec.Decode(&c); err != nil {
			return nil, fmt.Errorf("reading %s of container %q: %w", Annotation, name, plainly(err))
		}
		for protocol, port := range c.Ports {
			if port < 1 || port > 65535 {
				return nil, fmt.Errorf("reading %s of container %q: port %d of %q is not between 1 and 65535", Annotation, name,
					port, protocol)
			}
		}
		if i, seen := at[name]; seen {
			entries[i].Container = c
			continue
		}
		at[name] = len(entries)
		entries = append(entries, Entry{name, c})
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", Annotation, plainly(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("reading %s: text after the closing brace", Annotation)
	}
	return entries, nil
}

// plainly puts what encoding/json says of an annotation in terms of the annotation.
func plainly(err error) error {
	var other *json.UnmarshalTypeError
	switch {
	case errors.As(err, &other):
		want := map[reflect.Kind]string{reflect.String: "a string", reflect.Int32: "a whole number",
			reflect.Map: "an object of ports"}[other.Type.Kind()]
		if other.Field == "" {
			return fmt.Errorf("want an object, got: %s", other.Value)
		}
		return fmt.Errorf("%s: want %s, got: %s", other.Field, want, other.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON ends early")
	}
	return err
}
