package manifest

import "bytes"

// joiner puts chunks of several inputs together into one stream.
type joiner struct {
	texts   [][]byte // none of them empty
	allJSON bool     // there is nothing but JSON values, which need no separator but white space
	last    *chunk   // the last document written; nil where there is none
	keep    bool     // blank lines behind last would become part of its value
}

// join prepares the output for the first chunk of another input and returns what to write as its head. It adds a line
// break and a separator where needed: separators that the inputs have are not doubled.
func (j *joiner) join(c *chunk) []byte {
	if len(j.texts) == 0 {
		return c.head
	}
	// In the middle of a stream, few parsers accept a byte order mark.
	head := bytes.TrimPrefix(c.head, bom)
	newline := "\n"
	if j.last != nil && usesCRLF(j.last.body) {
		newline = "\r\n"
	}
	last := j.texts[len(j.texts)-1]
	if end := last[len(last)-1]; end != '\n' && end != '\r' {
		j.add([]byte(newline))
	}
	// Behind some documents, blank lines and comments would change what these say: then only a separator helps.
	apart := j.keep || bytes.HasPrefix(head, []byte("\t")) || bytes.Contains(head, []byte("\n\t")) ||
		bytes.Contains(head, []byte("\r\t"))
	starts := c.explicit && (!apart || isMarker(head, "---") || c.whole)
	switch {
	case j.last == nil || j.allJSON:
	case c.directive:
		if !isMarker(j.last.tail[lastLine(j.last.tail):], "...") {
			j.add([]byte("..." + newline))
		}
	case starts:
	case c.number == 0 && !apart: // comments and blank lines only
	default:
		j.add([]byte("---" + newline))
	}
	return head
}

func (j *joiner) write(c *chunk, head, body []byte) {
	j.add(head)
	j.add(body)
	j.add(c.tail)
	if c.number > 0 {
		j.last = c
		j.keep = keepsBlankLines(c.body)
	}
}

func (j *joiner) add(text []byte) {
	if len(text) > 0 {
		j.texts = append(j.texts, text)
	}
}

// lastLine returns the offset of text's last line.
func lastLine(text []byte) int {
	return bytes.LastIndexAny(bytes.TrimRight(text, "\r\n"), "\r\n") + 1
}
