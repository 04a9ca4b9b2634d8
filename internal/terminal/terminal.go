// Package terminal has what it takes to write to a terminal text that others have written: names and messages come from
// manifests, images, registries and annotations.
package terminal

import (
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Is says whether a stream is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Colours says whether a stream is a terminal that shows colours, and whether the user wants them (no-color.org).
func Colours(stream any) bool {
	return Is(stream) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Text escapes what a terminal would act on rather than show, as Go does in a string literal. Line breaks stay. Bytes that are
// no UTF-8 are replaced: some terminals act on those as well.
func Text(s string) string {
	s = strings.ToValidUTF8(s, string(unicode.ReplacementChar))
	hidden := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			escape := strconv.QuoteRune(r)
			b.WriteString(escape[1 : len(escape)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Line is Text in one line: line breaks are escaped, too.
func Line(s string) string { return strings.ReplaceAll(Text(s), "\n", `\n`) }
