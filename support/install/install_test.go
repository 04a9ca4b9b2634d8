package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// write makes files below dir; a name that ends in * is a program.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		mode := fs.FileMode(0o600)
		if strings.HasSuffix(name, "*") {
			name, mode = strings.TrimSuffix(name, "*"), 0o700
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// read lists what is below dir, as mode and content.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			got[rel] = info.Mode().String()
			return nil
		}
		content, err := os.ReadFile(path)
		got[rel] = info.Mode().String() + " " + string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func equal(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: got %q, want %q", k, got[k], v)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s should not be there", k)
		}
	}
}

func TestInstall(t *testing.T) {
	old := syscall.Umask(0o077) // must not show in the result
	defer syscall.Umask(old)

	src := t.TempDir()
	write(t, src, map[string]string{"go/bin/dlv*": "v2", "go/LICENSE": "text"})
	want := map[string]string{
		"go": "drwxr-xr-x", "go/bin": "drwxr-xr-x", "go/bin/dlv": "-rwxr-xr-x v2", "go/LICENSE": "-rw-r--r-- text",
	}
	tests := map[string]struct {
		before map[string]string
		done   string
		extra  map[string]string
	}{
		"empty volume":        {done: "installed"},
		"older files":         {before: map[string]string{"go/bin/dlv*": "v1", "go/gone": "x"}, done: "installed"},
		"a file in the way":   {before: map[string]string{"go": "x"}, done: "installed"},
		"half an earlier one": {before: map[string]string{"go/bin/dlv*": "v2"}, done: "installed"},
		"another runtime's": {before: map[string]string{"nodejs/bin/node*": "x"}, done: "installed",
			extra: map[string]string{"nodejs": "drwx------", "nodejs/bin": "drwx------", "nodejs/bin/node": "-rwx------ x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dst := t.TempDir()
			write(t, dst, test.before)
			done, err := install(src, dst)
			if err != nil {
				t.Fatal(err)
			}
			if len(done) != 1 || done[0] != filepath.Join(dst, "go")+" "+test.done {
				t.Errorf("said %q", done)
			}
			all := map[string]string{}
			for _, m := range []map[string]string{want, test.extra} {
				for k, v := range m {
					all[k] = v
				}
			}
			equal(t, read(t, dst), all)

			// A second run finds everything in place and keeps what Python left there.
			write(t, dst, map[string]string{"go/__pycache__/x.pyc": "c"})
			inode := func() uint64 {
				info, err := os.Stat(filepath.Join(dst, "go/bin/dlv"))
				if err != nil {
					t.Fatal(err)
				}
				return info.Sys().(*syscall.Stat_t).Ino
			}
			before := inode()
			done, err = install(src, dst)
			if err != nil {
				t.Fatal(err)
			}
			if len(done) != 1 || !strings.HasSuffix(done[0], "is up to date") || inode() != before {
				t.Errorf("the second run said %q", done)
			}
		})
	}
}

// A folder that someone reads is replaced at once: there is no moment at which a file of it is missing.
func TestReplaceIsAtomic(t *testing.T) {
	src, dst := t.TempDir(), t.TempDir()
	write(t, src, map[string]string{"a/go/f": "1", "b/go/f": "2"})
	if _, err := install(filepath.Join(src, "a"), dst); err != nil {
		t.Fatal(err)
	}
	stop, result := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				result <- nil
				return
			default:
				if _, err := os.Stat(filepath.Join(dst, "go/f")); err != nil {
					result <- err
					return
				}
			}
		}
	}()
	for i := range 200 {
		if _, err := install(filepath.Join(src, string("ba"[i%2])), dst); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(dst); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestInstallErrors(t *testing.T) {
	if _, err := install(t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty image: %v", err)
	}
	// A failed copy leaves what was there, and nothing else.
	src, dst := t.TempDir(), t.TempDir()
	write(t, src, map[string]string{"go/a": "new"})
	if err := os.Symlink("a", filepath.Join(src, "go/link")); err != nil {
		t.Fatal(err)
	}
	write(t, dst, map[string]string{"go/a": "old"})
	if _, err := install(src, dst); err == nil {
		t.Error("no error for a file that cannot be copied")
	}
	equal(t, read(t, dst), map[string]string{"go": "drwx------", "go/a": "-rw------- old"})
}

func TestCheckVolume(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	mounts := filepath.Join(dir, "mountinfo")
	write(t, dir, map[string]string{
		"file":      "",
		"mountinfo": "1 0 8:1 / / rw - ext4 /dev/vda rw\n2 1 8:1 /kubelet/x " + dir + " rw,relatime - ext4 /dev/vda rw\n",
		"other":     "1 0 8:1 / / rw - ext4 /dev/vda rw\n",
	})
	tests := map[string]struct{ dir, mounts, want string }{
		"a volume":     {dir, mounts, ""},
		"missing":      {filepath.Join(dir, "none"), mounts, "does not exist: mount an emptyDir"},
		"a file":       {file, mounts, "is not a folder"},
		"not a volume": {dir, filepath.Join(dir, "other"), "is not a volume"},
		"no mountinfo": {dir, filepath.Join(dir, "none"), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkVolume(test.dir, test.mounts)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestOnVolumes runs the program as its image does: alone with its files, as an ordinary user, with a file system at
// /dbg that is as volumes can be.
func TestOnVolumes(t *testing.T) {
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	inNamespace := func(script string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-ec", script).CombinedOutput()
		return string(out), err
	}
	if out, err := inNamespace("mount -t tmpfs tmpfs " + root); err != nil {
		t.Skipf("mounting needs root and unshare: %v %s", err, out)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(root, "install"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write(t, root, map[string]string{"support/go/bin/dlv*": strings.Repeat("x", 100<<10)})
	for _, dir := range []string{"dbg", "proc", "support", "support/go", "support/go/bin"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(root, dir), 0o755),
			os.Chmod(filepath.Join(root, dir), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "support/go/bin/dlv"), 0o755); err != nil {
		t.Fatal(err)
	}
	const run = "chroot --userspec=1234:5678 --groups=%s R /install"
	tests := map[string]struct{ options, groups, want string }{
		"an emptyDir":      {"mode=777", "", "/dbg/go installed\n"},
		"with a fsGroup":   {"mode=2775,gid=2000", "2000", "/dbg/go installed\n"},
		"of another group": {"mode=2775,gid=2000", "", "not writable for user 1234, group 5678"},
		"read-only":        {"mode=777,ro", "", "not writable for user 1234, group 5678 (read-only file system)"},
		"too small":        {"mode=777,size=64k", "", "no space left on device: the volume is too small"},
		"noexec":           {"mode=777,noexec", "", "does not let programs run"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			script := "mount --bind /proc R/proc; mount -t tmpfs -o " + test.options + " tmpfs R/dbg; umask 077; " +
				fmt.Sprintf(run, test.groups) + "; ls -A R/dbg"
			out, err := inNamespace(strings.ReplaceAll(script, "R", root))
			if !strings.Contains(out, test.want) || (err == nil) != strings.HasSuffix(test.want, "installed\n") {
				t.Errorf("got %v, %q, want %q", err, out, test.want)
			}
			if err == nil && out != test.want+"go\n" {
				t.Errorf("left %q", out)
			}
		})
	}
	t.Run("six at once", func(t *testing.T) {
		one := fmt.Sprintf(run, "") + " & "
		script := "mount --bind /proc R/proc; mount -t tmpfs -o mode=777 tmpfs R/dbg; " + strings.Repeat(one, 6) +
			"wait; ls -A R/dbg; wc -c < R/dbg/go/bin/dlv; " + fmt.Sprintf(run, "")
		out, err := inNamespace(strings.ReplaceAll(script, "R", root))
		if err != nil || strings.Count(out, "/dbg/go ") != 7 ||
			!strings.HasSuffix(out, "go\n102400\n/dbg/go is up to date\n") {
			t.Errorf("got %v, %q", err, out)
		}
	})
}
