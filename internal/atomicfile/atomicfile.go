// Package atomicfile replaces files such that nobody ever reads half of one.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes a file such that whoever reads it finds the old text or the new one, never a half. A link stays a
// link, and the file keeps its mode.
func Replace(file string, data []byte) (err error) {
	mode := fs.FileMode(0o644)
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	if info, err := os.Stat(file); err == nil {
		if !info.Mode().IsRegular() {
			return os.WriteFile(file, data, mode) // a device or a pipe; a directory cannot be written to
		}
		mode = info.Mode().Perm()
	}
	t, err := os.CreateTemp(filepath.Dir(file), ".debuggable-*")
	if err != nil {
		return fmt.Errorf("writing %q: %w", file, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name())
			err = fmt.Errorf("writing %q: %w", file, err)
		}
	}()
	_, err = t.Write(data)
	if err = errors.Join(err, t.Chmod(mode), t.Sync(), t.Close()); err != nil {
		return err
	}
	return os.Rename(t.Name(), file)
}
