package launch

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// word is one word of a command line, wherever it came from, with its places in the line that is to be edited.
type word struct {
	// text is the value where it is known, else the source text. text[:known] is certain either way.
	text  string
	known int
	// static says that the value is certain: known == len(text), and one word at run time.
	static bool
	// single says that it is exactly one word at run time, even if its value is not known.
	single bool
	// loose says that it is one word unless a variable without quotes holds spaces or nothing.
	loose bool
	// mangled says that something reads the text once more before the program gets it: it is no script to be followed.
	mangled bool
	// tail is the certain last path element of a word whose beginning is not known.
	tail string
	// keeps is the variable whose value is whole within a word that assigns to it: PATH=$PATH:/x.
	keeps string
	// at and end are the places in front of and behind it.
	at, end place
	// content maps offsets of text to offsets of the line's word that text is written in; nil when it has no such place.
	content *content
}

// one says whether a word can be taken for one word where a launcher wants a value: the command line would not work if
// a variable without quotes made it several.
func (w word) one() bool { return w.single || w.loose }

// place is where words can be inserted: in front of line[arg] as whole words when off is negative, else at a byte of
// line[arg]. why says what it lies in when nothing can be inserted there.
type place struct {
	arg, off int
	why      string
	// pad asks for a space behind inserted words too, since a redirection follows directly.
	pad bool
}

// content is where a text is written: byte i of it stands at pos[i] of line[arg], and text can be inserted there; -1
// where it cannot. pos has one more entry than the text has bytes. A nil pos is the identity: the text is line[arg].
type content struct {
	arg int
	pos []int
}

func (c *content) place(off int) place {
	switch {
	case c == nil:
		return place{why: "a script that is put together when it runs"}
	case c.pos == nil:
		return place{arg: c.arg, off: off}
	case off < 0 || off >= len(c.pos) || c.pos[off] < 0:
		return place{why: "an inner script that is not plainly quoted"}
	}
	return place{arg: c.arg, off: c.pos[off]}
}

// argvWords turns an argument vector into words; see Input.UnknownFrom.
func argvWords(argv []string, unknownFrom []int) ([]word, place) {
	words := make([]word, len(argv))
	for i, text := range argv {
		w := word{
			text: text, known: len(text), static: true, single: true,
			at: place{arg: i, off: -1}, end: place{arg: i + 1, off: -1}, content: &content{arg: i},
		}
		if unknownFrom != nil && unknownFrom[i] >= 0 {
			w.known, w.static = unknownFrom[i], false
		}
		words[i] = w
	}
	return words, place{arg: len(argv), off: -1}
}

// plain says whether a word means itself in every shell, quoted or not.
func plain(w string) bool {
	for i := range len(w) {
		c := w[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("/_.:=,+@%-", c) >= 0:
		default:
			return false
		}
	}
	return w != ""
}

// commandWord says whether a plain word is taken for a program's name where a command starts: no assignment, no
// keyword.
func commandWord(w string) bool {
	return !isAssignment(w) && !syntax.IsKeyword(w) && w[0] != '-' && w[0] != '+'
}

// isAssignment says whether a word looks like NAME=… or NAME+=….
func isAssignment(w string) bool {
	name, _, ok := strings.Cut(w, "=")
	return ok && isName(strings.TrimSuffix(name, "+"))
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}

// textsOf are the texts of words; nil for none.
func textsOf(words []word) (texts []string) {
	for _, w := range words {
		texts = append(texts, w.text)
	}
	return texts
}
