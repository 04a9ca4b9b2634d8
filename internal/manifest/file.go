package manifest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// What is read of one file at most. A device may go on for ever, as /dev/zero does; a terminal does not, nor does
// /dev/null.
const (
	maxFile   = 256 << 20
	maxDevice = 1 << 20
)

// ReadFile reads a file that people name: one of the usual kind, a pipe, /dev/stdin or a terminal. It refuses what is
// larger than 256 MiB, or for a device 1 MiB.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	most := int64(maxFile)
	if info.Mode()&fs.ModeDevice != 0 {
		most = maxDevice
	}
	data, err := readBounded(f, most, max(0, info.Size()))
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// readBounded reads r to its end; it is an error when that is more than most. size is a guess.
func readBounded(r io.Reader, most, size int64) ([]byte, error) {
	if size > most {
		return nil, tooLarge(most)
	}
	data := make([]byte, 0, size+512)
	for {
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data))
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > most:
			return nil, tooLarge(most)
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err
		}
	}
}

func tooLarge(most int64) error {
	return fmt.Errorf("there is more than %d MiB of it: split it, or name another file", most>>20)
}
