// Package generated keeps what is generated in hand-written documents up to date, in tests: a section between two
// comments.
package generated

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Section compares what stands in a file between <!-- name: generated --> and <!-- name: end --> with what should.
// UPDATE=1, which `make golden` sets, writes it anew.
func Section(t testing.TB, file, name, want string) {
	t.Helper()
	begin, end := "<!-- "+name+": generated -->\n", "<!-- "+name+": end -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks %q or %q", file, begin, end)
	}
	File(t, file, before+begin+want+end+after)
}

// File compares a file with what should be in it. UPDATE=1 writes it anew.
func File(t testing.TB, file, want string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not up to date, make golden writes it anew: it lacks\n%s", file, missing(string(got), want))
	}
}

// missing is the first line of a wanted text that another one does not have.
func missing(got, want string) string {
	lines := strings.Split(got, "\n")
	for _, line := range strings.Split(want, "\n") {
		if !slices.Contains(lines, line) {
			return line
		}
	}
	return "(no line, but has some too many)"
}
