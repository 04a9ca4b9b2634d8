package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryReasonIsExplained compares the reasons of results in the source with those that docs/runtimes.md explains.
func TestEveryReasonIsExplained(t *testing.T) {
	data, err := os.ReadFile("docs/runtimes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(data), "\n## What the results say\n")
	explained := map[string]bool{}
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 2 {
			continue
		}
		for _, m := range regexp.MustCompile("`([A-Za-z0-9]+)`").FindAllStringSubmatch(cells[1], -1) {
			explained[m[1]] = true
		}
	}
	reasons := sourceReasons(t)
	for reason, where := range reasons {
		if !explained[reason] {
			t.Errorf("docs/runtimes.md does not explain %s (%s)", reason, where)
		}
	}
	for reason := range explained {
		if _, given := reasons[reason]; !given {
			t.Errorf("docs/runtimes.md explains %s, which nothing gives", reason)
		}
	}
}
