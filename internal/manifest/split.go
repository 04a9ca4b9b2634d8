package manifest

import (
	"bytes"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

type format int

const (
	noDocument format = iota // blank lines, comments, an empty document: nothing to parse
	yamlFormat
	jsonFormat
)

// chunk is one document with all that surrounds it. The chunks of an input, put together, are the input.
type chunk struct {
	input  string // the Input's name
	number int    // of the document within its input, counting from 1; 0 where there is no document at all
	line   int    // of body's first byte within its input, counting from 1

	// head holds what comes before the document's content: byte order mark, directives, the --- line, comments, blank
	// lines. tail holds what comes after it: comments that start a line, blank lines, the ... line.
	head, body, tail []byte

	format     format
	explicit   bool     // there is a --- line
	directive  bool     // there is a % line
	directives int      // how many
	jsonErr    *problem // why a body that looks like JSON is none
	jsonValues int      // how many good values are before jsonErr
	whole      bool     // body includes the --- line, and the directives where it cannot do without

	// Set by parse.
	tree     *yaml.Node // the document's mapping as read; nil where there is nothing to offer
	orig     *yaml.Node // of YAML, a copy of tree that no one edits; see original
	comments yaml.Node  // the comments that belong to the document rather than to the mapping
	expanded *yaml.Node // tree without aliases and merge keys; tree itself where it has none
	aliases  bool       // tree has aliases
	items    *items     // of a ResourceList that was read item by item
	next     string     // of an item that ends with a comment, what another item behind it begins with
	list     *yaml.Node // of an item, the sequence that it is in
	style    *style     // that this sequence has where it says nothing else
	start    int        // the tree's first line
	plain    bool       // the text says all of the tree, which may go
	edited   bool
	written  []byte // what was edited, in place of body; nil: not yet
}

var bom = []byte("\ufeff")

// splitInput cuts data into chunks without parsing it. By the rules of YAML, a line that starts with --- or ... in the
// first column ends a document wherever it stands, also inside of a block or quoted scalar; so lines are all one needs
// to look at.
func splitInput(in Input) []*chunk {
	var chunks []*chunk
	number := 0
	p := piece{line: 1, marker: -1, content: -1}
	finish := func(end, nextLine int) {
		if end > p.start {
			if p.marker >= 0 || p.content >= 0 {
				number++
			}
			var last int
			last, chunks = p.appendChunks(chunks, in, end, number)
			if last > 0 {
				number = last
			}
		}
		p = piece{start: end, line: nextLine, marker: -1, content: -1}
	}
	line := 1
	for pos := 0; pos < len(in.Data); line++ {
		end := pos + lineLen(in.Data[pos:])
		text, start := p.withoutBOM(in.Data[pos:end], pos)
		switch {
		case isMarker(text, "---"):
			if p.marker >= 0 || p.content >= 0 {
				finish(pos, line)
			}
			p.marker = start
			if rest := bytes.TrimLeft(text[3:], " \t"); !isBlank(rest) && rest[0] != '#' {
				p.setContent(start, line)
				p.inline = true
			}
		case isMarker(text, "..."):
			if p.marker >= 0 || p.content >= 0 {
				finish(end, line+1)
			}
		case p.content >= 0 || isBlank(text) || isComment(text):
		case p.marker < 0 && text[0] == '%':
			p.directive = true
			p.directives++
			p.tag = p.tag || bytes.HasPrefix(text, []byte("%TAG"))
		default:
			p.setContent(start, line)
		}
		pos = end
	}
	finish(len(in.Data), line)
	return chunks
}

// piece is a chunk in the making. Offsets are into the input, -1 for none.
type piece struct {
	start, line int
	marker      int // of the --- line
	content     int // of the first line that is neither blank, comment nor directive
	contentLine int
	inline      bool // content starts on the --- line
	directive   bool
	tag         bool // there is a %TAG directive
	directives  int
}

// withoutBOM is a line, and where it starts, without the byte order mark that may stand in front of a document.
func (p *piece) withoutBOM(line []byte, pos int) (text []byte, start int) {
	if pos != p.start && (p.marker >= 0 || p.content >= 0) {
		return line, pos
	}
	text = bytes.TrimPrefix(line, bom)
	return text, pos + len(line) - len(text)
}

func (p *piece) setContent(pos, line int) { p.content, p.contentLine = pos, line }

// appendChunks appends what the piece holds: one chunk, or, for JSON values that follow one another, one chunk a value.
// It returns the number of the last document, 0 where there is none.
func (p *piece) appendChunks(chunks []*chunk, in Input, end, number int) (int, []*chunk) {
	raw := in.Data[p.start:end]
	c := &chunk{input: in.Name, number: number, line: p.line, explicit: p.marker >= 0, directive: p.directive,
		directives: p.directives}
	chunks = append(chunks, c)
	if p.content < 0 {
		c.head = raw
		if p.marker < 0 {
			c.number = 0
		}
		return c.number, chunks
	}

	body := p.content - p.start
	tail := tailStart(raw, body)
	first := body
	if p.inline {
		first += len("---")
	}
	first += len(raw[first:tail]) - len(bytes.TrimLeft(raw[first:tail], " \t\r\n"))
	if first < tail && (raw[first] == '{' || raw[first] == '[') && !p.tag {
		values, err := jsonValues(raw[first:tail])
		if err == nil {
			return appendJSON(chunks, raw, first, values)
		}
		// It may still be YAML in flow style.
		c.jsonErr = err.at(p.line + countLines(raw[:first]))
		c.jsonValues = len(values)
	}

	c.format = yamlFormat
	c.line = p.contentLine
	switch {
	case p.tag: // without which the content's tags mean nothing
		c.whole = true
		body = 0
		if bytes.HasPrefix(raw, bom) {
			body = len(bom)
		}
		c.line = p.line
	case p.inline: // there may be a tag or an anchor on the --- line
		c.whole = true
	}
	c.head, c.body, c.tail = raw[:body], raw[body:tail], raw[tail:]
	return c.number, chunks
}

// appendJSON makes the last of chunks the first of the JSON values in raw, and appends the others. values are relative
// to raw[offset].
func appendJSON(chunks []*chunk, raw []byte, offset int, values []span) (int, []*chunk) {
	c := chunks[len(chunks)-1]
	line := c.line
	at := 0
	for i, v := range values {
		if i > 0 {
			c = &chunk{input: c.input, number: c.number + 1}
			chunks = append(chunks, c)
		}
		c.format = jsonFormat
		c.head, c.body = raw[at:offset+v.start], raw[offset+v.start:offset+v.end]
		c.line = line + countLines(c.head)
		line = c.line + countLines(c.body)
		at = offset + v.end
	}
	c.tail = raw[at:]
	return c.number, chunks
}

// lineLen is the length of data's first line, with its line break: \n, \r\n or \r.
func lineLen(data []byte) int {
	for i, c := range data {
		switch {
		case c == '\n':
			return i + 1
		case c == '\r' && (i+1 == len(data) || data[i+1] != '\n'):
			return i + 1
		}
	}
	return len(data)
}

// countLines counts line breaks the way lineLen does.
func countLines(data []byte) int {
	n := bytes.Count(data, []byte("\n"))
	if r := bytes.Count(data, []byte("\r")); r > 0 {
		n += r - bytes.Count(data, []byte("\r\n"))
	}
	return n
}

func isMarker(line []byte, marker string) bool {
	if len(line) < 3 || string(line[:3]) != marker {
		return false
	}
	return len(line) == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r' || line[3] == '\n'
}

func isBlank(line []byte) bool { return len(bytes.TrimLeft(line, " \t\r\n")) == 0 }

func isComment(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return len(line) > 0 && line[0] == '#'
}

// keepsBlankLines tells whether text may have a block scalar whose trailing blank lines are part of its value: one with
// a header like |+ or >2+ or |+2.
func keepsBlankLines(text []byte) bool {
	for i := 1; i < len(text); i++ {
		n := bytes.IndexByte(text[i:], '+')
		if n < 0 {
			return false
		}
		i += n
		before := text[i-1]
		if before >= '1' && before <= '9' && i > 1 {
			before = text[i-2]
		}
		if before == '|' || before == '>' {
			return true
		}
	}
	return false
}

// tailStart finds the end of the content that starts at raw[body]: behind it are only blank lines, comments in the
// first column and the ... line. An indented comment may be a line of a block scalar, so it counts as content.
func tailStart(raw []byte, body int) int {
	end := len(raw)
	keep := keepsBlankLines(raw[body:])
	for end > body {
		start := body + bytes.LastIndexAny(raw[body:end-1], "\r\n") + 1
		if start == end-1 && raw[start] == '\n' && start > body && raw[start-1] == '\r' {
			// The break found is the \r of this line's own \r\n.
			start = body + bytes.LastIndexAny(raw[body:start-1], "\r\n") + 1
		}
		line := raw[start:end]
		switch {
		case isMarker(line, "..."):
		case !keep && (isBlank(line) || line[0] == '#'):
		default:
			return end
		}
		end = start
	}
	return end
}
