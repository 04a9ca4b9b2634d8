package plainyaml

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// quotedEnd finds the end, behind the closing quote, of a quoted scalar that goes on at p; -1 where it is not in the
// line.
func (r *reader) quotedEnd(p int, quote byte) int {
	for i := p; i < r.end; i++ {
		switch {
		case quote == '"' && r.s[i] == '\\':
			i++
		case r.s[i] != quote:
		case quote == '\'' && i+1 < r.end && r.s[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return -1
}

// quoted gives n the value and the style of the quoted scalar that starts at p, and finds its end, -1 where it is not
// in the line.
func (r *reader) quoted(n *yaml.Node, p int) (end int, ok bool) {
	n.Style = yaml.DoubleQuotedStyle
	if r.s[p] == '\'' {
		n.Style = yaml.SingleQuotedStyle
	}
	end = r.quotedEnd(p+1, r.s[p])
	if end < 0 {
		return end, true
	}
	n.Value, ok = unquote(r.s[p+1:end-1], r.s[p])
	return end, ok
}

// unquote returns what a quoted text of one line stands for.
func unquote(text string, quote byte) (string, bool) {
	if quote == '\'' {
		return strings.ReplaceAll(text, "''", "'"), true
	}
	at := strings.IndexByte(text, '\\')
	if at < 0 {
		return text, true
	}
	var b strings.Builder
	for ; at >= 0; at = strings.IndexByte(text, '\\') {
		b.WriteString(text[:at])
		if at+1 == len(text) {
			return "", false
		}
		switch c := text[at+1]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '"', '\\', ' ':
			b.WriteByte(c)
		default:
			return "", false
		}
		text = text[at+2:]
	}
	b.WriteString(text)
	return b.String(), true
}

// folded reads a quoted scalar, as a value in column col, that starts at p and ends in another line. Its lines are
// joined as those of plain scalars are, but for a double-quoted one's that end in a backslash.
func (r *reader) folded(n *yaml.Node, p, col int) bool {
	quote := r.s[p]
	var b strings.Builder
	for from := p + 1; ; from = r.pos {
		end := r.quotedEnd(from, quote)
		if end >= 0 {
			value, ok := unquote(r.s[from:end-1], quote)
			b.WriteString(value)
			n.Value = b.String()
			return ok && r.spaces(end) == r.end && r.done(col)
		}
		text, escaped := r.s[from:r.end], false
		if quote == '"' {
			text, escaped = cutEscape(text)
		}
		if !escaped {
			text = strings.TrimRight(text, " ")
		}
		value, ok := unquote(text, quote)
		if !ok {
			return false
		}
		b.WriteString(value)
		breaks := 0
		for more := true; more; more = r.pos == r.end {
			if !r.scan() || r.over {
				return false
			}
			breaks++
		}
		if r.indent <= col {
			return false
		}
		if !escaped || breaks > 1 {
			join(&b, breaks)
		}
	}
}

// cutEscape cuts the backslash off that escapes a line break, and reports whether there is one.
func cutEscape(text string) (string, bool) {
	bare := strings.TrimRight(text, `\`)
	if (len(text)-len(bare))%2 == 0 {
		return text, false
	}
	return text[:len(text)-1], true
}
