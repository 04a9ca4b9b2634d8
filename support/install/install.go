package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// checkVolume returns an error that says what to do unless dir is a mounted volume that this process can write to.
// The mounts are read from a mountinfo file (proc(5)); where that cannot be read, any writable folder will do.
func checkVolume(dir, mountinfo string) error {
	advice := fmt.Sprintf("mount an emptyDir volume at %s in this init container and in the application's container", dir)
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist: %s", dir, advice)
	}
	if err != nil {
		return fmt.Errorf("looking at %s: %w", dir, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder: %s", dir, advice)
	}
	if f, err := os.Open(mountinfo); err == nil {
		defer f.Close()
		mounted, err := isMountPoint(dir, f)
		if err != nil {
			return fmt.Errorf("reading %s: %w", mountinfo, err)
		}
		if !mounted {
			return fmt.Errorf("%s is not a volume, so nothing in it would outlive this container: %s", dir, advice)
		}
	}
	var volume unix.Statfs_t
	if err := unix.Statfs(dir, &volume); err == nil && volume.Flags&unix.ST_NOEXEC != 0 {
		return fmt.Errorf("%s does not let programs run (mounted with noexec), so the debugger could not start: mount a "+
			"volume that does", dir)
	}
	// access(2) with the effective ids, since that is who writes.
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%s is not writable for user %d, group %d (%w): make the volume writable (an emptyDir is; other "+
			"volumes take the pod's fsGroup)",
			dir, os.Geteuid(), os.Getegid(), err)
	}
	return nil
}

// isMountPoint reports whether a mountinfo file lists dir: its fifth field is the mount point.
func isMountPoint(dir string, mountinfo io.Reader) (bool, error) {
	s := bufio.NewScanner(mountinfo)
	for s.Scan() {
		if f := strings.Fields(s.Text()); len(f) > 4 && f[4] == dir {
			return true, nil
		}
	}
	return false, s.Err()
}

// install brings each folder of the folder from to the folder to and returns a line about each, in order.
func install(from, to string) ([]string, error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, fmt.Errorf("reading this image's files: %w", err)
	}
	var done []string
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		src, dst := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		same, err := holds(dst, src)
		if err != nil {
			return done, fmt.Errorf("comparing %s with this image: %w", dst, err)
		}
		if same {
			done = append(done, dst+" is up to date")
			continue
		}
		err = replace(src, dst)
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w: the volume is too small (an emptyDir's sizeLimit)", err)
		}
		if err != nil {
			return done, fmt.Errorf("installing %s: %w", dst, err)
		}
		done = append(done, dst+" installed")
	}
	if len(done) == 0 {
		return nil, fmt.Errorf("this image is empty: %s holds no folder", from)
	}
	return done, nil
}

// holds reports whether dst has every folder and file of src with the same bytes and mode. What else is in dst (the
// __pycache__ that Python writes) does not matter.
func holds(dst, src string) (bool, error) {
	same := true
	err := filepath.WalkDir(src, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		other := filepath.Join(dst, rel)
		info, err := os.Lstat(other)
		if err != nil || info.Mode() != mode(e) {
			same = false
			return fs.SkipAll
		}
		if e.IsDir() {
			return nil
		}
		equal, err := equalFiles(path, other)
		if err != nil || !equal {
			// An unreadable file is not the one that this program writes.
			same = false
			return fs.SkipAll
		}
		return nil
	})
	return same, err
}

func equalFiles(a, b string) (bool, error) {
	fa, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		na, errA := io.ReadFull(fa, bufA)
		nb, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:na], bufB[:nb]) {
			return false, nil
		}
		if errA != nil || errB != nil {
			endA := errA == io.EOF || errA == io.ErrUnexpectedEOF
			endB := errB == io.EOF || errB == io.ErrUnexpectedEOF
			if endA && endB {
				return true, nil
			}
			return false, errors.Join(errA, errB)
		}
	}
}

// mode is what a file of the image is installed with: everyone may read it, and run it if it is a program, since the
// application may run as another user than this program.
func mode(e fs.DirEntry) fs.FileMode {
	if e.IsDir() {
		return fs.ModeDir | 0o755
	}
	if info, err := e.Info(); err == nil && info.Mode()&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// replace puts a copy of the folder src in the place of the folder dst, all at once. When it fails, dst is as it was
// and no copy is left behind.
func replace(src, dst string) error {
	staging, err := os.MkdirTemp(filepath.Dir(dst), ".installing-"+filepath.Base(dst)+"-")
	if err != nil {
		return err
	}
	// After the exchange, the folder of that name is the old one. One that belongs to another user may stay.
	defer os.RemoveAll(staging)
	if err := copyTree(src, staging); err != nil {
		return err
	}
	err = os.Rename(staging, dst)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Something is there, and not an empty folder: exchange the two, which is atomic where the kernel and the file
	// system can do it, and two renames where they cannot.
	err = unix.Renameat2(unix.AT_FDCWD, staging, unix.AT_FDCWD, dst, unix.RENAME_EXCHANGE)
	if err == nil || !(errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)) {
		return err
	}
	old := staging + ".old"
	if err := os.Rename(dst, old); err != nil {
		return err
	}
	defer os.RemoveAll(old)
	if err := os.Rename(staging, dst); err != nil {
		return errors.Join(err, os.Rename(old, dst))
	}
	return nil
}

// copyTree copies the folders and files below src into the existing folder dst, with the modes of mode, whatever the
// umask is.
func copyTree(src, dst string) error {
	return filepath.WalkDir(src, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		target := filepath.Join(dst, rel)
		switch {
		case e.IsDir():
			if rel != "." {
				if err := os.Mkdir(target, 0o755); err != nil {
					return err
				}
			}
			return os.Chmod(target, 0o755)
		case e.Type().IsRegular():
			return copyFile(path, target, mode(e))
		default:
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
	})
}

func copyFile(src, dst string, mode fs.FileMode) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	// Changing the mode after the last write: the file is complete before anyone may run it.
	if err := errors.Join(out.Chmod(mode), out.Close()); err != nil {
		return err
	}
	return nil
}
