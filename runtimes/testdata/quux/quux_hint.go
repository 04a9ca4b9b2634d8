package runtimes

import "testing"

func TestQuuxHint(t *testing.T) {
	if got := Hint("quux", "qdb", "127.0.0.1", 4711); got != "qdb --attach 127.0.0.1:4711" {
		t.Error(got)
	}
}
