// Command node stands in front of the real node on PATH and sees to it that the inspector goes to the application.
//
// `node --inspect app.js` needs no help. But most containers start through tools that are Node programs themselves:
// `npm start` runs npm under node, which runs a shell, which runs nodemon under node, which runs the application. The
// first of them that sees --inspect, on its command line or in NODE_OPTIONS, takes the port, and the application goes
// without. This program takes the option away from everything that is not the application (package managers, and
// whatever lives under node_modules), remembers it in the environment variable DEBUGGABLE_NODE_INSPECT, and gives it
// to the first application script that is started.
//
// Tools that start the application without looking at PATH (by process.execPath), or that load it into their own
// process, are helped by ../lib/attach.cjs, which NODE_OPTIONS makes them load.
//
// The real node takes this process's place (execve), so signals and exit codes are the application's own.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

func main() {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node: finding this program:", err)
		os.Exit(126)
	}
	real, err := realNode(self, os.Getenv("PATH"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(127)
	}
	preload := filepath.Join(filepath.Dir(filepath.Dir(self)), "lib", "attach.cjs")
	if _, err := os.Stat(preload); err != nil {
		preload = ""
	}
	argv, env := rewrite(os.Args, os.Environ(), preload, resolve)
	err = syscall.Exec(real, argv, env)
	fmt.Fprintf(os.Stderr, "node: running %s: %v\n", real, err)
	os.Exit(126)
}

// realNode returns the first node on path that is not the program self, nor in self's folder.
func realNode(self, path string) (string, error) {
	own, err := os.Stat(self)
	if err != nil {
		return "", fmt.Errorf("looking at %s: %w", self, err)
	}
	ownDir, err := os.Stat(filepath.Dir(self))
	if err != nil {
		return "", fmt.Errorf("looking at %s: %w", filepath.Dir(self), err)
	}
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			dir = "."
		}
		if info, err := os.Stat(dir); err != nil || os.SameFile(info, ownDir) {
			continue
		}
		file, err := exec.LookPath(dir + string(filepath.Separator) + "node")
		if err != nil && !errors.Is(err, exec.ErrDot) {
			continue
		}
		if info, err := os.Stat(file); err != nil || os.SameFile(info, own) {
			continue
		}
		return file, nil
	}
	return "", fmt.Errorf("no node on PATH but the one that debugging put there (PATH=%s)", path)
}

// resolve returns the file that a script argument stands for, without symbolic links: npm is usually
// /usr/local/bin/npm, a link into node_modules.
func resolve(script string) string {
	abs, err := filepath.Abs(script)
	if err != nil {
		return script
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		return target
	}
	return abs
}
