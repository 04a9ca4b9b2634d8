// Package grammar holds how Python's interpreters are called. Programs of the support image use it, so it imports next
// to nothing.
package grammar

import "strings"

// Interpreter takes the file name of an interpreter apart: its implementation, python or pypy, and the version in the
// name, "" for none: python, python3, python3.12, python3.13t, pypy3.10. Of other names it returns "".
func Interpreter(name string) (implementation, version string) {
	for _, implementation := range []string{"python", "pypy"} {
		version, ok := strings.CutPrefix(name, implementation)
		if !ok {
			continue
		}
		major, minor, dotted := strings.Cut(strings.TrimSuffix(version, "t"), ".")
		if version == "" || digits(major) && (!dotted || digits(minor)) {
			return implementation, version
		}
	}
	return "", ""
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
