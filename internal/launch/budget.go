package launch

import "strings"

// Bounds of what one container's scripts may cost. The parser recurses for each level, and nothing recovers from a
// stack overflow, so nesting is bounded on the text: how many brackets are open at once, and how many constructs open
// at all, since brackets in quotes and comments may hide how deep others are.
const (
	maxCost    = 2 << 20 // words looked at and bytes that variables put into them
	maxNesting = 256
	maxOpeners = 4096
	maxSigns   = 1 << 15 // signs that nest in arithmetic and tests
)

// budget counts what the words of a container's scripts have cost.
type budget struct{ used int }

// take reports whether n more may be spent.
func (b *budget) take(n int) bool {
	if b.used > maxCost {
		return false
	}
	b.used += n
	return b.used <= maxCost
}

// nested reports whether a script may be nested deeper than a parser should follow.
func nested(text string) bool {
	depth, openers, signs := 0, strings.Count(text, "<<"), 0
	for _, c := range []byte(text) {
		switch c {
		case '(', '{':
			depth++
			openers++
		case ')', '}':
			depth = max(depth-1, 0)
		case '`':
			openers++
		case '-', '+', '!', '~', '*', '?', '=', '[':
			signs++
		}
		if depth > maxNesting || openers > maxOpeners {
			return true
		}
	}
	if signs > maxSigns && (strings.Contains(text, "((") || strings.Contains(text, "[")) {
		return true
	}
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\n;&|()", r) }) {
		switch w {
		case "if", "elif", "case", "while", "until", "for", "select", "function", "time", "!", "coproc":
			if openers++; openers > maxOpeners {
				return true
			}
		}
	}
	return false
}
