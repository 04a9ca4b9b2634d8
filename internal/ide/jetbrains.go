package ide

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"debuggable.dev/debuggable/runtimes/editor"
)

// runDirectory is where JetBrains' IDEs look for configurations that are shared in files.
const runDirectory = ".run"

// runFile is a run configuration's file.
type runFile struct {
	name string // of the file, below runDirectory
	data []byte
}

const runPrefix, runSuffix = "debuggable_", ".run.xml"

// longestName is how much of a container's name goes into that of its file: file systems take 255 bytes.
const longestName = 160

// jetbrainsFiles are the run configurations. Of languages without one that attaches there is none.
func jetbrainsFiles(workspace string, containers []Container) []runFile {
	var files []runFile
	all := names(containers)
	for i, name := range all {
		l, ok := containers[i].language()
		if !ok || l.Run == nil {
			continue
		}
		base := strings.Map(func(r rune) rune {
			if strings.ContainsRune(`/\:*?"<>| ()`, r) || r < ' ' {
				return '_'
			}
			return r
		}, strings.TrimSuffix(strings.TrimPrefix(name, prefix), " (paths guessed)"))
		if len(base) > longestName {
			base = fmt.Sprintf("%s-%x", base[:longestName], sha256.Sum256([]byte(base)))[:longestName+9]
		}
		run := l.Run(containers[i].target(placeIn(workspace, "$PROJECT_DIR$")))
		files = append(files, runFile{runPrefix + base + runSuffix, runXML(name, run)})
	}
	return files
}

func runXML(name string, run editor.Run) []byte {
	var b bytes.Buffer
	b.WriteString("<component name=\"ProjectRunConfigurationManager\">\n  <configuration default=\"false\"")
	attribute := func(name, value string) {
		fmt.Fprintf(&b, " %s=\"", name)
		_ = xml.EscapeText(&b, []byte(value)) // a buffer takes everything
		b.WriteByte('"')
	}
	attribute("name", name)
	attribute("type", run.Type)
	if run.Factory != "" {
		attribute("factoryName", run.Factory)
	}
	for _, a := range run.Attributes {
		attribute(a.Name, a.Value)
	}
	b.WriteString(">\n")
	for _, o := range run.Options {
		b.WriteString("    <option")
		attribute("name", o.Name)
		attribute("value", o.Value)
		b.WriteString(" />\n")
	}
	for _, m := range run.URLs {
		b.WriteString("    <mapping")
		attribute("url", m.Remote)
		attribute("local-file", m.Local)
		b.WriteString(" />\n")
	}
	b.WriteString("    <method v=\"2\" />\n  </configuration>\n</component>\n")
	return b.Bytes()
}

// oursIn lists the files of a directory that hold our configurations: they are named like ours, and the configuration
// is.
func oursIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading run configurations: %w", err)
	}
	var ours []string
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), runPrefix) || !strings.HasSuffix(e.Name(), runSuffix) {
			continue
		}
		data, err := readBounded(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if bytes.Contains(data, []byte(` name="`+prefix)) {
			ours = append(ours, e.Name())
		}
	}
	return ours, nil
}

// writeRuns brings the directory of run configurations up to date, and returns the files that changed.
func writeRuns(workspace string, files []runFile) ([]string, error) {
	dir := filepath.Join(workspace, runDirectory)
	ours, err := oursIn(dir)
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, f := range files {
		file := filepath.Join(dir, f.name)
		did, err := replace(file, f.data)
		if err != nil {
			return changed, err
		}
		if did {
			changed = append(changed, file)
		}
	}
	wanted := map[string]bool{}
	for _, f := range files {
		wanted[f.name] = true
	}
	for _, name := range ours {
		if wanted[name] {
			continue
		}
		file := filepath.Join(dir, name)
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return changed, fmt.Errorf("removing a run configuration: %w", err)
		}
		changed = append(changed, file)
	}
	return changed, nil
}

// readBounded reads a file that editors read; none is empty.
func readBounded(file string) ([]byte, error) {
	const most = 16 << 20
	info, err := os.Stat(file)
	switch {
	case os.IsNotExist(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: file, Err: fmt.Errorf("it is not a regular file")}
	case info.Size() > most:
		return nil, &fs.PathError{Op: "read", Path: file, Err: fmt.Errorf("it has more than %d MiB", most>>20)}
	}
	return os.ReadFile(file)
}
