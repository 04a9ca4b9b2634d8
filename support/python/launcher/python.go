package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"debuggable.dev/debuggable/runtimes/python/grammar"
)

// isInterpreter reports whether a file is named as a Python interpreter.
func isInterpreter(file string) bool {
	implementation, _ := grammar.Interpreter(filepath.Base(file))
	return implementation != ""
}

// findInterpreter returns the program and the command line with a Python interpreter in front. For a program that is a
// script, that is the interpreter of its #! line and the script's path, as the kernel would have made of it
// (execve(2)).
func findInterpreter(o options, lookPath func(string) (string, error)) (string, []string, error) {
	if isInterpreter(o.program()) {
		return o.program(), o.command, nil
	}
	file, err := lookPath(o.program())
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", nil, err
	}
	// A program that executes a link of another name.
	if target, err := filepath.EvalSymlinks(file); err == nil && o.file != "" && isInterpreter(target) {
		return file, o.command, nil
	}
	interpreter, err := readShebang(file)
	if err != nil {
		return "", nil, err
	}
	if interpreter == nil || !isInterpreter(interpreter[0]) {
		return "", nil, fmt.Errorf("%s is not run by a Python interpreter", file)
	}
	return interpreter[0], append(append(interpreter, file), o.command[1:]...), nil
}

// readShebang returns the program and the options of a script's #! line, nil if the file has none. It sees through
// /usr/bin/env and through the two lines that installers write where the interpreter's path is too long for a #! line:
//
//	#!/bin/sh
//	'''exec' "/a long path/bin/python" "$0" "$@"
func readShebang(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A binary has no lines: what does not begin within this many bytes is not looked for.
	r := bufio.NewReader(io.LimitReader(f, 8<<10))
	first, err := r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	line, ok := strings.CutPrefix(strings.TrimRight(first, "\r\n"), "#!")
	if !ok {
		return nil, nil
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil, nil
	}
	switch filepath.Base(words[0]) {
	case "env":
		return throughEnv(words[1:]), nil
	case "sh", "bash", "dash":
		second, err := r.ReadString('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		return throughShell(second), nil
	}
	// The kernel passes everything behind the program as one word; Python itself cannot use two options there.
	return append(words[:1:1], words[1:]...), nil
}

// throughEnv returns the command of an env command line whose variables and options do not matter here, nil where
// they do.
func throughEnv(words []string) []string {
	if len(words) > 0 && (words[0] == "-S" || words[0] == "--split-string") {
		words = words[1:]
	} else if len(words) > 0 && strings.HasPrefix(words[0], "-S") {
		words = append([]string{strings.TrimPrefix(words[0], "-S")}, words[1:]...)
	}
	if len(words) == 0 || strings.HasPrefix(words[0], "-") || strings.Contains(words[0], "=") {
		return nil
	}
	return words
}

// shellExec matches the second line of a script that runs itself with a Python of a long path. setuptools and pip
// write the first form, uv the second.
var shellExec = regexp.MustCompile(`^'''(?:exec' |:' ?; ?exec )(?:"([^"$` + "`" +
	`\\]+)"|'([^']+)'|([^\s"'$\\]+))((?: -[A-Za-z]+)*) "\$0" "\$@"`)

func throughShell(line string) []string {
	m := shellExec.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	return append([]string{m[1] + m[2] + m[3]}, strings.Fields(m[4])...)
}

// pythonLine is the command line of a Python interpreter, taken apart behind the interpreter.
type pythonLine struct {
	options []string
	kind    string // file, module or code
	target  string
	args    []string
}

// parsePython takes a Python command line apart by the interpreter's rules (Python's "Command line and environment"):
// options may be clustered (-uB), those with a value take the rest of their word or the next one, and -c, -m or the
// first word that is no option end them.
func parsePython(argv []string) (pythonLine, error) {
	var p pythonLine
	for i := 1; i < len(argv); i++ {
		word := argv[i]
		switch {
		case word == "-":
			return p, errors.New("the program comes from the standard input")
		case word == "--":
			// Python takes no program after it but the next word.
			if i+1 == len(argv) {
				return p, errors.New("there is no program to run")
			}
			p.kind, p.target, p.args = "file", argv[i+1], argv[i+2:]
			return p, nil
		case strings.HasPrefix(word, "--"):
			if word != "--check-hash-based-pycs" {
				return p, fmt.Errorf("with %s, Python runs no program", word)
			}
			if i+1 == len(argv) {
				return p, fmt.Errorf("%s lacks its value", word)
			}
			p.options = append(p.options, word, argv[i+1])
			i++
		case strings.HasPrefix(word, "-"):
			n, err := p.cluster(argv[i:])
			if err != nil {
				return p, err
			}
			if p.kind != "" {
				return p, nil
			}
			i += n - 1
		default:
			p.kind, p.target, p.args = "file", word, argv[i+1:]
			return p, nil
		}
	}
	return p, errors.New("there is no program to run")
}

// cluster reads the options in the first of words and returns how many words they take.
func (p *pythonLine) cluster(words []string) (int, error) {
	word := words[0]
	for j := 1; j < len(word); j++ {
		// What follows the letter: its value, or where there is nothing, the next word.
		value, taken := word[j+1:], 1
		switch word[j] {
		case 'c', 'm', 'W', 'X':
			if value == "" {
				if len(words) < 2 {
					return 0, fmt.Errorf("-%c lacks its value", word[j])
				}
				value, taken = words[1], 2
			}
			if word[j] == 'W' || word[j] == 'X' {
				p.options = append(p.options, words[:taken]...)
				return taken, nil
			}
			if j > 1 {
				p.options = append(p.options, word[:j])
			}
			p.kind = map[byte]string{'c': "code", 'm': "module"}[word[j]]
			p.target, p.args = value, words[taken:]
			return taken, nil
		case 'h', '?', 'V':
			return 0, fmt.Errorf("with -%c, Python runs no program", word[j])
		case 'x':
			return 0, errors.New("-x would skip the first line of the debugger's program and not of yours")
		}
	}
	p.options = append(p.options, word)
	return 1, nil
}
