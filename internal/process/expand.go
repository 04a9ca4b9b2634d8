package process

import (
	"strings"
	"unicode/utf8"

	"debuggable.dev/debuggable/internal/reason"
)

// Kubernetes expands $(NAME) and $$ in command, args and env values; the rules are those of the kubelet
// (third_party/forked/golang/expansion in the Kubernetes sources): a reference that is not resolved stays as written,
// and a dollar sign in front of anything else is an ordinary character.

// segment says that text[At:At+Len] is a copy of raw[Raw:Raw+Len].
type segment struct{ At, Raw, Len int }

// expand resolves the references in raw whose values lookup knows. The segments say which parts of the result were
// taken over from raw byte by byte; what lies between them came from a variable or from $$.
func expand(raw string, lookup func(name string) (string, bool)) (text string, segments []segment) {
	return expandAt(raw, func(name string, _ int) (string, bool) { return lookup(name) })
}

// expandAt is expand with a lookup that is also told at which byte of the result a reference stands.
func expandAt(raw string, lookup func(name string, at int) (string, bool)) (text string, segments []segment) {
	var b strings.Builder
	take := func(from, to int) {
		if from == to {
			return
		}
		if n := len(segments); n > 0 && segments[n-1].At+segments[n-1].Len == b.Len() &&
			segments[n-1].Raw+segments[n-1].Len == from {
			segments[n-1].Len += to - from
		} else {
			segments = append(segments, segment{b.Len(), from, to - from})
		}
		b.WriteString(raw[from:to])
	}
	last := strings.LastIndexByte(raw, ')') // what opens behind it has no end: it is not searched for each time
	for i := 0; i < len(raw); {
		next := strings.IndexByte(raw[i:], '$')
		if next < 0 || i+next+1 == len(raw) {
			take(i, len(raw))
			break
		}
		take(i, i+next)
		i += next
		switch raw[i+1] {
		case '$':
			// The second dollar sign is the one that stays: a position in front of it is one in front of both.
			b.WriteByte('$')
			i += 2
		case '(':
			if i > last {
				take(i, i+2)
				i += 2
				continue
			}
			end := strings.IndexByte(raw[i:], ')')
			if value, ok := lookup(raw[i+2:i+end], b.Len()); ok {
				b.WriteString(value)
			} else {
				take(i, i+end+1)
			}
			i += end + 1
		default:
			take(i, i+2)
			i += 2
		}
	}
	return b.String(), segments
}

// maxExpanded bounds what references may make of a container's values and words, in bytes. Linux gives a process 2 MiB
// of words and variables by default, and never more than 6 (execve(2)), so that what comes to more does not start.
const maxExpanded = 6 << 20

// maxShared bounds what references to long values come to in all containers: thousands of them may refer to one value.
const (
	maxShared = 128 << 20
	long      = 1 << 10
)

// maxGiven bounds what the variables of envFrom come to in all containers. Thousands of them may have a long value of
// one ConfigMap, and each looks through it.
const maxGiven = 2 << 30

// expanding counts what references in a container's values and words have come to.
type expanding struct {
	size   int
	many   bool // there are more variables than are looked at
	shared *int // what those of all containers to long values have come to
	beyond bool // this one has such a reference, and that is too much
	given  bool // what envFrom gives to the containers up to this one is too much
}

// expand resolves the references in raw within the bound; beyond it raw stays as it is.
func (x *expanding) expand(
	raw string, e Environment, seen func(name string, at int),
) (text string, segments []segment) {
	References(raw, func(name string) { value, _ := e.lookup(name); x.count(len(value)) })
	if x.tooMuch() {
		return raw, []segment{{0, 0, len(raw)}}
	}
	return expandAt(raw, func(name string, at int) (string, bool) {
		seen(name, at)
		return e.lookup(name)
	})
}

// count counts a value that is referred to.
func (x *expanding) count(bytes int) {
	x.size += bytes
	if x.shared != nil && bytes > long {
		*x.shared += bytes
		x.beyond = x.beyond || *x.shared > maxShared
	}
}

// tooMuch reports whether the references have come to more than is looked at.
func (x *expanding) tooMuch() bool { return x.many || x.beyond || x.given || x.size > maxExpanded }

// tooLarge refuses a container of which the references, or envFrom, make too much.
func (x *expanding) tooLarge() error {
	switch {
	case x.many:
		return reason.Refuse(reason.TooLarge, "the variables of the containers up to this one, with all that envFrom "+
			"makes, are more than %d", maxCopies)
	case x.size > maxExpanded:
		return reason.Refuse(reason.TooLarge,
			"its variables, those of envFrom too, command and args come to more than %d MiB once their references are resolved",
			maxExpanded>>20)
	case x.given:
		return reason.Refuse(reason.TooLarge,
			"what envFrom gives to the containers up to this one comes to more than %d MiB", maxGiven>>20)
	case x.beyond:
		return reason.Refuse(reason.TooLarge,
			"what references to long values come to in the containers up to this one is more than %d MiB", maxShared>>20)
	}
	return nil
}

// References calls found for each name that raw refers to.
func References(raw string, found func(name string)) {
	expand(raw, func(name string) (string, bool) { found(name); return "", false })
}

// Escape returns the text that Kubernetes expands to literal, whatever the environment: only dollar signs that would
// start an escape or a reference are doubled, so that $HOME stays readable; and those in front of a character that is
// not ASCII, whose first byte the kubelet takes for a character of its own (tryReadVariableName in its expansion
// package).
func Escape(literal string) string {
	special := func(i int) bool {
		return i < len(literal) && (literal[i] == '$' || literal[i] == '(' || literal[i] >= utf8.RuneSelf)
	}
	var b strings.Builder
	for i := 0; i < len(literal); i++ {
		b.WriteByte(literal[i])
		if literal[i] == '$' && special(i+1) {
			b.WriteByte('$')
		}
	}
	return b.String()
}

// rawOffset maps an offset in expanded text to the raw text; ok is false inside a part that raw does not spell out.
func rawOffset(segments []segment, offset, textLen, rawLen int) (int, bool) {
	for _, s := range segments {
		if offset >= s.At && offset < s.At+s.Len {
			return s.Raw + offset - s.At, true
		}
	}
	if offset == textLen {
		if n := len(segments); n > 0 && segments[n-1].At+segments[n-1].Len == textLen &&
			segments[n-1].Raw+segments[n-1].Len == rawLen {
			return rawLen, true
		}
	}
	// The end of a segment is a position too: text inserted there follows it in both.
	for _, s := range segments {
		if offset == s.At+s.Len {
			return s.Raw + s.Len, true
		}
	}
	return 0, false
}
