// Package shell writes words as a shell reads them.
package shell

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Quote quotes a word for a shell where it needs that. Of an option, which is never taken for an assignment, it quotes
// the value.
func Quote(word string) string {
	if option, value, found := strings.Cut(word, "="); found && strings.HasPrefix(word, "-") && Quote(option) == option {
		return option + "=" + Quote(value)
	}
	quoted, err := syntax.Quote(word, syntax.LangBash)
	if err != nil { // a NUL, which no process gets
		return strconv.Quote(word)
	}
	return quoted
}

// Join writes a command line.
func Join(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(word)
	}
	return strings.Join(quoted, " ")
}
