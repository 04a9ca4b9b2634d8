// Command launcher starts a Python program under a debugger:
//
//	launcher --mode debugpy|pydevd --port PORT [--wait] -- COMMAND...
//
// COMMAND is whatever the container ran before: a Python interpreter with its options, or a program that names one in
// its #! line, as gunicorn does. The launcher finds the interpreter, keeps its options, and replaces itself (execve) with
//
//	PYTHON OPTIONS... /dbg/python/bootstrap.py MODE PORT run|wait file|module|code TARGET ARGS...
//
// so that process id, signals and exit code are the application's own, and so are its environment and working
// directory. A COMMAND that is no Python program, or does not run one, is run as it is, with a warning: an application
// without a debugger is better than none.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const usage = "usage: launcher --mode debugpy|pydevd --port PORT [--wait] -- COMMAND..."

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
	argv, err := debugged(opts, filepath.Join(filepath.Dir(self), "bootstrap.py"), exec.LookPath)
	if err != nil {
		fmt.Fprintf(os.Stderr, "launcher: started without a debugger: %v\n", err)
		argv = opts.command
	}
	program, err := exec.LookPath(argv[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		fail(err)
	}
	fail(fmt.Errorf("running %s: %w", program, syscall.Exec(program, argv, os.Environ())))
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
	port    int
	wait    bool // for a client, before the program starts
	command []string
}

func parseArgs(args []string) (options, error) {
	var o options
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(args[i], "=")
		switch name {
		case "--mode", "--port":
			if !hasValue {
				i++
				if i == len(args) {
					return o, fmt.Errorf("%s needs a value", name)
				}
				value = args[i]
			}
			if name == "--mode" {
				o.mode = value
				continue
			}
			port, err := strconv.ParseUint(value, 10, 16)
			if err != nil || port == 0 {
				return o, fmt.Errorf("--port %q is not a port number", value)
			}
			o.port = int(port)
		case "--wait":
			o.wait = true
		case "--":
			o.command = args[i+1:]
			i = len(args)
		default:
			return o, fmt.Errorf("unknown option %q (the command comes after --)", args[i])
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

// debugged returns the command line that runs the options' command under the debugger. An error says why the command cannot be.
func debugged(o options, bootstrap string, lookPath func(string) (string, error)) ([]string, error) {
	if _, err := os.Stat(bootstrap); err != nil {
		return nil, fmt.Errorf("the debugger's files are not there: %w", err)
	}
	interpreter, err := findInterpreter(o.command, lookPath)
	if err != nil {
		return nil, err
	}
	python, err := parsePython(interpreter)
	if err != nil {
		return nil, err
	}
	start := "run"
	if o.wait {
		start = "wait"
	}
	argv := append([]string{interpreter[0]}, python.options...)
	argv = append(argv, bootstrap, o.mode, strconv.Itoa(o.port), start, python.kind, python.target)
	return append(argv, python.args...), nil
}
