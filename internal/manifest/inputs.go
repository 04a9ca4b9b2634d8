package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the name of the Input that holds standard input.
const Stdin = "<stdin>"

// Input is one source of manifests: all bytes of a file or of standard input.
type Input struct {
	// Name is what messages call the input: a path, or [Stdin].
	Name string
	Data []byte
}

// Expand reads what paths name: files, whatever their extension; folders, recursively, with the files in them that end
// in .yaml, .yml or .json, in lexical order, without hidden files and folders; and "-", which is stdin and can be named
// once. A path that does not exist, or a folder without manifests, is an error that names it. It stops waiting for
// stdin when ctx is done.
func Expand(ctx context.Context, paths []string, stdin io.Reader) ([]Input, error) {
	var inputs []Input
	stdinRead := false
	for _, path := range paths {
		if path == "-" {
			if stdinRead {
				return nil, errors.New(`reading manifests: "-" (standard input) is named twice: name it once`)
			}
			stdinRead = true
			data, err := readAll(ctx, stdin)
			if err != nil {
				return nil, fmt.Errorf("reading manifests from standard input: %w", err)
			}
			inputs = append(inputs, Input{Name: Stdin, Data: data})
			continue
		}
		files, err := manifestFiles(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("reading manifests: %w", err)
			}
			inputs = append(inputs, Input{Name: file, Data: data})
		}
	}
	return inputs, nil
}

// readAll reads r to its end, or until ctx is done.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	var data []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		data, err = readBounded(r, maxFile, 0)
	}()
	select {
	case <-done:
		return data, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// IsManifest reports whether a file in a folder counts as one with manifests, by its name.
func IsManifest(file string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file))
}

// manifestFiles lists the files that path stands for.
func manifestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading manifests: %q does not exist: name a file, a folder, or - for standard input", path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	// A trailing separator makes WalkDir follow path itself where it is a symbolic link to a folder.
	err = filepath.WalkDir(filepath.Clean(path)+string(filepath.Separator),
		func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			hidden := strings.HasPrefix(d.Name(), ".") && d.Name() != "." && d.Name() != ".."
			isRoot := filepath.Clean(file) == filepath.Clean(path)
			if d.IsDir() {
				if hidden && !isRoot {
					return filepath.SkipDir
				}
				return nil
			}
			if hidden || !IsManifest(file) {
				return nil
			}
			// A symbolic link to a file counts as the file; a link to a folder is not followed, so that there are no cycles.
			if target, err := os.Stat(file); err != nil {
				return err
			} else if !target.Mode().IsRegular() {
				return nil
			}
			files = append(files, filepath.Clean(file))
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("reading manifests in folder %q: %w", path, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("reading manifests: folder %q holds no .yaml, .yml or .json file", path)
	}
	return files, nil
}
