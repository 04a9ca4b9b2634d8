package lookup

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestFailed(t *testing.T) {
	t.Chdir(t.TempDir())
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"none":              "open none: no such file or directory (looked up in " + directory + ")",
		"d":                 `"d" is a directory: name a file (looked up in ` + directory + ")",
		directory + "/d":    `"` + directory + `/d" is a directory: name a file`,
		directory + "/none": "open " + directory + "/none: no such file or directory",
	} {
		_, err := os.ReadFile(path)
		if got := Failed(path, err).Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := Failed("none", &fs.PathError{Op: "open", Path: "none", Err: fs.ErrNotExist}); !errors.Is(err,
		fs.ErrNotExist) {
		t.Errorf("%v is no fs.ErrNotExist any longer", err)
	}
	if got := Failed("x", fs.ErrPermission).Error(); strings.Contains(got, "looked up") {
		t.Error(got)
	}
}

func TestReadFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("f", []byte("12345678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile("f", 8); string(data) != "12345678" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	for path, want := range map[string]string{"f": "more than 0 MiB", ".": "is a directory", "none": "looked up in",
		os.DevNull: ""} {
		data, err := ReadFile(path, 7)
		if len(data) > 0 || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want an error with %q", path, data, err, want)
		}
	}
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("no /dev/zero: a device that never ends")
	}
	if _, err := ReadFile("/dev/zero", 1<<20); err == nil || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Errorf("/dev/zero: %v", err)
	}
}
