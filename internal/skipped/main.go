// Command skipped reads what `go test -json` writes and prints what `go test` would: packages, and the output of what
// failed. At the end it says which tests were skipped, and why, so that nobody takes for tested what was not.
//
//	go test -json ./... | go run ./internal/skipped
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "skipped:", err)
		os.Exit(1)
	}
}

// event is one of `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
}

// test names a test; without Test, a package.
type test struct{ Package, Test string }

// run copies from in what a person wants to see. It is an error when a test failed, for pipelines in shells that look
// at the last program alone.
func run(in io.Reader, out io.Writer) error {
	said := map[test]*strings.Builder{}
	skipped := map[string][]string{} // tests by why
	failed := 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil { // of a build that failed, in older versions of Go
			fmt.Fprintln(out, lines.Text())
			continue
		}
		key := test{e.Package, e.Test}
		switch {
		case e.Action == "build-output":
			fmt.Fprint(out, e.Output)
		case e.Action == "output" && e.Test == "":
			if !boring(e.Output) {
				fmt.Fprint(out, e.Output)
			}
		case e.Action == "output":
			if said[key] == nil {
				said[key] = &strings.Builder{}
			}
			said[key].WriteString(e.Output)
		case e.Action == "fail":
			failed++
			if b := said[key]; b != nil {
				fmt.Fprint(out, b.String())
			}
			delete(said, key)
		case e.Action == "skip" && e.Test != "":
			why := reason(said[key])
			skipped[why] = append(skipped[why], shortPackage(e.Package)+" "+e.Test)
			delete(said, key)
		case e.Action == "pass":
			delete(said, key)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	tell(out, skipped)
	if failed > 0 {
		return fmt.Errorf("%d tests and packages failed", failed)
	}
	return nil
}

// boring reports whether a line is what `go test` without -v leaves out.
func boring(line string) bool {
	return line == "PASS\n" || strings.HasPrefix(line, "?   ") ||
		strings.HasPrefix(line, "testing: warning: no tests to run")
}

var position = regexp.MustCompile(`^\s+\S+\.go:\d+: `)

// reason is why a test was skipped: what it said last.
func reason(said *strings.Builder) string {
	if said == nil {
		return "(no reason given)"
	}
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(said.String()), "\n")) {
		if at := position.FindString(line); at != "" {
			return strings.TrimSpace(line[len(at):])
		}
	}
	return "(no reason given)"
}

func shortPackage(path string) string {
	_, rest, found := strings.Cut(path, "debuggable.dev/debuggable")
	if !found {
		return path
	}
	return "." + rest
}

// tell lists what was skipped, by reason.
func tell(out io.Writer, skipped map[string][]string) {
	const most = 3 // tests of one reason
	total := 0
	for _, tests := range skipped {
		total += len(tests)
	}
	if total == 0 {
		fmt.Fprintln(out, "\nno test was skipped")
		return
	}
	fmt.Fprintf(out, "\nskipped, %d in all:\n", total)
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		tests := skipped[why]
		slices.Sort(tests)
		fmt.Fprintf(out, "  %s\n", why)
		if more := len(tests) - most; more > 1 {
			tests = append(tests[:most:most], fmt.Sprintf("and %d more", more))
		}
		for _, name := range tests {
			fmt.Fprintf(out, "      %s\n", name)
		}
	}
}
