package launch

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/reason"
)

// Bounds of what one container's scripts may cost. The parser recurses for each level, and nothing recovers from a
// stack overflow, so the text alone already says whether it is parsed: by how many brackets are open at once, and by
// how many constructs open at all, since a text's quotes and comments may hide how deep it is. How deep it is for
// certain is seen once it is parsed.
const (
	maxCost = 2 << 20 // words looked at, bytes that variables put into them, and steps whose cost grows with others
	// of a word that is made or moved, with its places, where the text may ask for it any number of times
	wordCost   = 16
	maxNesting = 256
	maxOpen    = 2048    // brackets, of which quotes and comments may have any number
	maxOpeners = 1 << 14 // a document of JSON within a script has thousands
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
		if depth > maxOpen || openers > maxOpeners {
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

// parse reads a script. A script that is nested too deep is a refusal; every other error is one of syntax.
func parse(text string, lang syntax.LangVariant) (*syntax.File, error) {
	file, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, err
	}
	if deep(file) {
		return nil, reason.Refuse(reason.TooDeep, "a script is nested more than %d levels deep", maxNesting)
	}
	return file, nil
}

// deep reports whether constructs stand one in another beyond what is looked at. Lists (a && b && …) and elif nest in
// the syntax tree too, but not for their reader.
func deep(file *syntax.File) bool {
	depth, deepest := 0, 0
	var open []bool // whether the nodes that the walk is in count
	syntax.Walk(file, func(n syntax.Node) bool {
		if n == nil {
			if open[len(open)-1] {
				depth--
			}
			open = open[:len(open)-1]
			return true
		}
		counts := false
		switch n.(type) {
		case *syntax.Subshell, *syntax.Block, *syntax.CmdSubst, *syntax.ProcSubst, *syntax.ParamExp, *syntax.ArithmExp,
			*syntax.ParenArithm, *syntax.ParenTest, *syntax.TimeClause, *syntax.FuncDecl, *syntax.WhileClause,
			*syntax.ForClause, *syntax.CaseClause:
			counts = true
			depth++
			deepest = max(deepest, depth)
		}
		open = append(open, counts)
		return true
	})
	return deepest > maxNesting
}
