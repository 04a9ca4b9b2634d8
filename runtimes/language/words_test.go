package language

import (
	"slices"
	"testing"
)

func TestWordsFrom(t *testing.T) {
	for value, want := range map[string][]string{
		"":                       nil,
		"--a --b":                nil,
		"--mark":                 {"--mark"},
		"--a\t'--mark=1' --b":    {"'--mark=1'", "--b"},
		"--a --mark --b --other": {"--mark", "--b", "--other"},
		"--a --other --mark":     {"--other", "--mark"},
		"a\u00a0--mark":          {"a", "--mark"},
	} {
		if got := WordsFrom(value, "--mark", "--other"); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
