// Command install is the entrypoint of every support image: it copies the image's files to the volume at /dbg.
//
// An image holds one folder under /support, named for its runtime. The folder arrives at /dbg under the same name, all
// at once: the files are staged beside it and take its place by a rename. A folder that is already there with the same
// files is left alone, so that an init container that runs a second time disturbs nobody. Any user may run it, on a
// read-only root file system; only /dbg must be a writable volume.
package main

import (
	"fmt"
	"os"
)

const (
	from = "/support"
	to   = "/dbg"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := checkVolume(to, "/proc/self/mountinfo"); err != nil {
		return err
	}
	done, err := install(from, to)
	for _, d := range done {
		fmt.Println(d)
	}
	return err
}
