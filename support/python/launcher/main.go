// Command launcher starts a Python program under a debugger:
//
//	launcher --mode debugpy|pydevd --port PORT [--host HOST] [--wait] -- COMMAND...
//
// COMMAND is whatever the container ran before: a Python interpreter with its options, or a program that names one in
// its #! line, as gunicorn does. The launcher finds the interpreter, keeps its options, and replaces itself (execve)
// with
//
//	PYTHON OPTIONS... /dbg/python/bootstrap.py MODE HOST PORT run|wait AFTER file|module|code TARGET ARGS...
//
// so that process id, signals and exit code are the application's own, and so are its environment and working
// directory. A COMMAND that is no Python program, or does not run one, is run as it is, with a warning: an application
// without a debugger is better than none.
//
// The debugger listens on all addresses, unless HOST names one.
//
// A Python program that replaces itself with another one (os.exec*) calls the launcher again, which then also gets
//
//	--file FILE   the file to execute, where COMMAND's first word may be anything
//	--after PID   the adapter of the debugger that was there before, which is to let go of the port first
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const usage = "usage: launcher --mode debugpy|pydevd --port PORT [--host HOST] [--wait] -- COMMAND..."

func main() {
	opts, err := parseArgs(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "launcher: %v\n%s\n", err, usage)
		os.Exit(2)
	}
	self, err := os.Executable()
	if err != nil {
		fail(fmt.Errorf("finding this program: %w", err))
	}
	lookPath := func(name string) (string, error) {
		if name == opts.file {
			return name, nil // execve(2) looks nothing up
		}
		return exec.LookPath(name)
	}
	program, argv, err := debugged(opts, filepath.Join(filepath.Dir(self), "bootstrap.py"), lookPath)
	if err != nil {
		fmt.Fprintf(os.Stderr, "launcher: started without a debugger: %v\n", err)
		program, argv = opts.program(), opts.command
	}
	found, err := lookPath(program)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		fail(err)
	}
	fail(fmt.Errorf("running %s: %w", found, syscall.Exec(found, argv, os.Environ())))
}

// fail ends the program with the exit codes that shells use.
func fail(err error) {
	fmt.Fprintln(os.Stderr, "launcher:", err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		os.Exit(127)
	}
	os.Exit(126)
}

// options is the launcher's own command line.
type options struct {
	mode    string // debugpy or pydevd
	host    string // where the debugger listens; "" is everywhere
	port    int
	wait    bool   // for a client, before the program starts
	file    string // to execute, where it is not the command's first word
	after   int    // the process id of the adapter that was there before
	command []string
}

// program returns what is to be executed.
func (o options) program() string {
	if o.file != "" {
		return o.file
	}
	return o.command[0]
}

func parseArgs(args []string) (options, error) {
	var o options
	for len(args) > 0 && o.command == nil {
		name, value, hasValue := strings.Cut(args[0], "=")
		args = args[1:]
		switch name {
		case "--mode", "--host", "--port", "--file", "--after":
			if !hasValue {
				if len(args) == 0 {
					return o, fmt.Errorf("%s needs a value", name)
				}
				value, args = args[0], args[1:]
			}
			if err := o.set(name, value); err != nil {
				return o, err
			}
		case "--wait":
			o.wait = true
		case "--":
			o.command, args = args, nil
		default:
			return o, fmt.Errorf("unknown option %q (the command comes after --)", name)
		}
	}
	switch {
	case o.mode != "debugpy" && o.mode != "pydevd":
		return o, fmt.Errorf("--mode %q is neither debugpy nor pydevd", o.mode)
	case o.port == 0:
		return o, errors.New("--port is missing")
	case len(o.command) == 0:
		return o, errors.New("there is no command after --")
	}
	return o, nil
}

// set sets an option that has a value.
func (o *options) set(name, value string) error {
	switch name {
	case "--mode":
		o.mode = value
	case "--host":
		if value == "" {
			return errors.New("--host needs an address")
		}
		o.host = value
	case "--file":
		o.file = value
	case "--port":
		port, err := strconv.ParseUint(value, 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("--port %q is not a port number", value)
		}
		o.port = int(port)
	case "--after":
		pid, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return fmt.Errorf("--after %q is not a process id", value)
		}
		o.after = int(pid)
	}
	return nil
}

// debugged returns the program and the command line that run the options' command under the debugger. An error says why
// the command cannot be.
func debugged(o options, bootstrap string, lookPath func(string) (string, error)) (string, []string, error) {
	if _, err := os.Stat(bootstrap); err != nil {
		return "", nil, fmt.Errorf("the debugger's files are not there: %w", err)
	}
	program, interpreter, err := findInterpreter(o, lookPath)
	if err != nil {
		return "", nil, err
	}
	python, err := parsePython(interpreter)
	if err != nil {
		return "", nil, err
	}
	start := "run"
	if o.wait {
		start = "wait"
	}
	argv := append([]string{interpreter[0]}, python.options...)
	argv = append(argv, bootstrap, o.mode, cmp.Or(o.host, "0.0.0.0"), strconv.Itoa(o.port), start, strconv.Itoa(o.after),
		python.kind, python.target)
	return program, append(argv, python.args...), nil
}
