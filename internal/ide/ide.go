package ide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"debuggable.dev/debuggable/internal/atomicfile"
)

// Kind is a kind of editor.
type Kind string

// The kinds.
const (
	VSCode    Kind = "vscode"
	JetBrains Kind = "jetbrains"
	CloudCode Kind = "cloudcode"
)

// Kinds are all of them.
func Kinds() []string { return []string{string(VSCode), string(JetBrains), string(CloudCode)} }

// ParseKind reads a kind's name.
func ParseKind(s string) (Kind, error) {
	for _, k := range Kinds() {
		if s == k {
			return Kind(k), nil
		}
	}
	return "", fmt.Errorf("%q is not an editor that is known: want %s", s, strings.Join(Kinds(), ", "))
}

// entries are what goes into launch.json for a kind, and which of those that are there already are the kind's.
func (k Kind) entries(workspace string, containers []Container) (wanted []entry, own func(name, kind string) bool) {
	if k == CloudCode {
		return cloudCodeEntries(workspace, containers),
			func(name, kind string) bool { return strings.HasPrefix(name, prefix) && kind == cloudCodeType }
	}
	return vscodeEntries(workspace, containers),
		func(name, kind string) bool { return strings.HasPrefix(name, prefix) && kind != cloudCodeType }
}

// Has reports whether a kind has an entry for a container.
func (k Kind) Has(c Container) bool {
	l, ok := c.language()
	switch {
	case !ok:
		return false
	case k == JetBrains:
		return l.Run != nil
	case k == CloudCode:
		return l.CloudName != ""
	}
	return l.Launch != nil
}

// Print returns what would be written where there is nothing yet: the file for VS Code and Cloud Code, and one behind
// the other for JetBrains, each behind a line that names it.
func Print(k Kind, workspace string, containers []Container) ([]byte, error) {
	if k == JetBrains {
		var b bytes.Buffer
		for _, f := range jetbrainsFiles(workspace, containers) {
			fmt.Fprintf(&b, "<!-- %s/%s -->\n%s", runDirectory, f.name, f.data)
		}
		return b.Bytes(), nil
	}
	wanted, own := k.entries(workspace, containers)
	return mergeLaunch(nil, own, wanted, k == VSCode)
}

// Write brings an editor's files in a workspace up to date, and returns those that changed. Of what others wrote
// nothing changes.
func Write(k Kind, workspace string, containers []Container) (changed []string, err error) {
	if k == JetBrains {
		return writeRuns(workspace, jetbrainsFiles(workspace, containers))
	}
	file := filepath.Join(workspace, ".vscode", "launch.json")
	old, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("reading launch.json: %w", err)
	}
	wanted, own := k.entries(workspace, containers)
	if len(old) == 0 && len(wanted) == 0 {
		return nil, nil
	}
	text, err := mergeLaunch(old, own, wanted, k == VSCode)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	did, err := replace(file, text)
	if err != nil || !did {
		return nil, err
	}
	return []string{file}, nil
}

// replace writes a file unless it says that already.
func replace(file string, data []byte) (bool, error) {
	old, err := readBounded(file)
	if err != nil {
		return false, err
	}
	if old != nil && bytes.Equal(old, data) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return false, err
	}
	return true, atomicfile.Replace(file, data)
}

// AttachArguments are the arguments with which a container's debugger is attached to over the Debug Adapter Protocol;
// none for a language whose debugger does not speak it. Local directories are absolute.
func (c Container) AttachArguments() map[string]json.RawMessage {
	arguments := map[string]json.RawMessage{}
	l, ok := c.language()
	if !ok || l.Attach == nil {
		return arguments
	}
	for _, f := range l.Attach(c.target(filepath.ToSlash)) {
		value, err := json.Marshal(f.Value)
		if err != nil {
			panic(fmt.Sprintf("encoding %s: %v", f.Key, err)) // of strings, numbers and lists of them
		}
		arguments[f.Key] = value
	}
	return arguments
}
