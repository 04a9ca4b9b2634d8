// Package lookup words what goes wrong with a path that a setting names. Who runs the program decides where a relative
// path leads: an orchestrator's working directory is rarely the one that the user has in mind.
package lookup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Failed adds to an error with a path what helps to correct it: where a relative one was looked up, and that a
// directory is no file.
func Failed(path string, err error) error {
	switch {
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%q is a directory: name a file%s", path, Where(path))
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w%s", err, Where(path))
	}
	return err
}

// ReadFile reads a file that may be a pipe, but ends: one of more than most bytes is an error, as is a device that
// never does.
func ReadFile(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, Failed(path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, Failed(path, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%q has more than %d MiB", path, most>>20)
	}
	return data, nil
}

// Where says for a message where a relative path was looked up; "" for an absolute one.
func Where(path string) string {
	directory, err := os.Getwd()
	if err != nil || filepath.IsAbs(path) {
		return ""
	}
	return " (looked up in " + directory + ")"
}
