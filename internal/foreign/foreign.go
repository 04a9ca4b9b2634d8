// Package foreign makes texts that others have written fit to be shown. Names, values and messages come from manifests,
// images, registries and clusters: they may be of any length, act on a terminal instead of being read, or give back the
// secrets that were sent to where they come from.
package foreign

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Most is how many bytes of one foreign text a message shows: enough for what a registry has to say.
const Most = 400

// Text escapes what a terminal would act on rather than show, as Go does in a string literal: control characters of
// either set, marks that turn the direction of the text, characters without a width. Line breaks stay. Bytes that are
// not UTF-8 are replaced: some terminals act on those as well.
func Text(s string) string { return escape(s, func(r rune) bool { return r != '\n' && hidden(r) }) }

// Line is Text in one line: line breaks are escaped, too.
func Line(s string) string { return escape(s, hidden) }

// Message makes what somebody else has to say part of a message: without its secrets, in one line, and cut in the
// middle where it has more than Most bytes. URLs lose what is secret in them, as far as one can know: user, password,
// query.
func Message(s string, secrets *Secrets) string {
	// Of a very long text the end is dropped: with it goes a secret that was cut in two.
	const long = 8 << 10
	if len(s) > 2*long {
		redacted := secrets.Redact(s[:start(s, 2*long)])
		s = redacted[:start(redacted, long)] + "…"
	} else {
		s = secrets.Redact(s)
	}
	return Line(Cut(withoutQueries(s), Most))
}

// Short is a name or a value in a message: Line, cut in the middle where it has more than Most bytes.
func Short(s string) string { return Line(Cut(s, Most)) }

// Quote quotes a value for a message, and cuts it where it is long.
func Quote(s string) string {
	const most = 160
	if len(s) > most {
		s = s[:start(s, most)] + "…"
	}
	return strconv.Quote(s)
}

// Cut takes the middle out of a text that has more than most bytes: what differs between long names is at either end.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	head := start(s, most*2/3)
	tail := len(s) - most/3
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + "…" + s[tail:]
}

// start returns the largest length up to most at which no character of s is cut in two.
func start(s string, most int) int {
	for most > 0 && most < len(s) && !utf8.RuneStart(s[most]) {
		most--
	}
	return most
}

// JSON escapes in a JSON text what Text would escape. Outside of strings JSON has no such characters, so that every one
// of them may be written as \u….
func JSON(b []byte) []byte {
	s := string(b)
	if !strings.ContainsFunc(s, hiddenInJSON) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for _, r := range s {
		switch {
		case !hiddenInJSON(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff: // a surrogate pair
			r -= 0x10000
			out = appendEscape(appendEscape(out, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			out = appendEscape(out, r)
		}
	}
	return out
}

func appendEscape(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// hidden reports whether a reader would not see r. It is what strconv.Quote escapes.
func hidden(r rune) bool { return !unicode.IsPrint(r) }

// hiddenInJSON leaves the white space between JSON's tokens alone; in its strings there is none of that.
func hiddenInJSON(r rune) bool { return hidden(r) && r != '\n' && r != '\t' && r != '\r' }

func escape(s string, which func(rune) bool) string {
	s = strings.ToValidUTF8(s, string(unicode.ReplacementChar))
	if !strings.ContainsFunc(s, which) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if which(r) {
			escaped := strconv.QuoteRune(r)
			b.WriteString(escaped[1 : len(escaped)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

var (
	query = regexp.MustCompile(`(?i)\b(https?://[^\s"'<>?#]+)[?#][^\s"'<>]+`)
	user  = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s"'<>/?#]*@`)
)

// withoutQueries takes queries, users and passwords out of the URLs in a text: a redirect to storage is often signed,
// and whoever has the signature may read.
func withoutQueries(s string) string {
	return user.ReplaceAllString(query.ReplaceAllString(s, "$1?…"), "$1")
}
