package terminal

import (
	"bytes"
	"os"
	"testing"
)

func TestIs(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if Colours(file) || Is(file) || Is(&bytes.Buffer{}) || Is(nil) {
		t.Error("a file, a buffer or nothing is taken for a terminal")
	}
}
