package plainyaml

import (
	"strings"
	"sync"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const (
	maxDepth    = 100 // manifests stay below; deeper ones are for the library, which has bounds of its own
	maxKey      = 500 // the library looks for the colon behind a key for 1024 characters
	fewKeys     = 16  // so many keys are compared each with each, which is faster than a map
	mostAtFirst = 256 // nodes
	mostSpare   = 1 << 14
	slab        = 32 // nodes that are made at a time, behind the first ones
)

// Read reads a text that holds one document, whose first line has the number line. It returns the document's mapping or
// sequence; false where the text is not of the kind that this package reads. Strings in the tree share the memory of
// one copy of text.
func Read(text []byte, line int) (*yaml.Node, bool) {
	r := reader{s: string(text), line: line - 1}
	likely := min(2*strings.Count(r.s, "\n")+4, mostAtFirst) // of lines of text in a block there may be many more
	r.nodes, r.children = make([]yaml.Node, likely), make([]*yaml.Node, likely)
	return r.document()
}

// Use reads a text as [Read] does, and calls use with the tree, of which nothing but strings may be kept: its memory is
// used again.
func Use(text []byte, use func(n *yaml.Node)) bool {
	m, _ := spare.Get().(*memory)
	if m == nil {
		m = newMemory(mostAtFirst)
	}
	r := reader{s: string(text), nodes: m.nodes, children: m.children, open: m.open[:0], keys: m.keys[:0]}
	n, ok := r.document()
	if ok {
		use(n)
	}
	nodes, children := len(m.nodes)-len(r.nodes), len(m.children)-len(r.children)
	switch {
	case r.spent && len(m.nodes) < mostSpare: // for a text like this one
		spare.Put(newMemory(2 * len(m.nodes)))
		return ok
	case r.spent:
		nodes, children = len(m.nodes), len(m.children)
	}
	m.open, m.keys = r.open, r.keys
	clear(m.nodes[:nodes])
	clear(m.children[:children])
	clear(m.open[:cap(m.open)])
	clear(m.keys[:cap(m.keys)])
	spare.Put(m)
	return ok
}

// memory is what reading takes that is not kept.
type memory struct {
	nodes    []yaml.Node
	children []*yaml.Node
	open     []*yaml.Node
	keys     []string
}

func newMemory(nodes int) *memory {
	return &memory{nodes: make([]yaml.Node, nodes), children: make([]*yaml.Node, nodes)}
}

// spare holds memory that nothing is in.
var spare sync.Pool

// reader reads line by line. Its methods return false where they give up.
type reader struct {
	s string

	// The current line.
	line       int  // its number
	start, end int  // where it is in s, without its line break
	next       int  // where the next one starts
	indent     int  // the column, from 0, where its content starts, or what goes on in it behind a dash
	pos        int  // what of it is still to be read
	ascii      bool // there is nothing else in it, so that bytes are columns
	over       bool // there is no current line any more

	remark bool   // a comment ends it
	head   string // the comment in the lines above the current one, in its column

	depth int

	nodes    []yaml.Node  // free ones
	children []*yaml.Node // free places for the content of nodes
	spent    bool         // there were not enough of both at first
	open     []*yaml.Node // the content, so far, of the collections that are open, the innermost one's last
	keys     []string     // the keys, so far, of the mappings that are open
}

func (r *reader) document() (*yaml.Node, bool) {
	if strings.HasPrefix(r.s, "%") {
		return nil, false
	}
	if !r.advance() || r.over {
		return nil, false
	}
	var n *yaml.Node
	var ok bool
	if c := r.s[r.pos]; c == '{' || c == '[' {
		if r.head != "" {
			return nil, false
		}
		n, ok = r.flowLine(-1)
	} else {
		n, ok = r.block(-1)
	}
	return n, ok && r.over
}

// What a byte may be.
const (
	bad        = 1 << iota // not read at all: control characters
	high                   // a part of a character beyond ASCII
	indicator              // something else than a plain scalar starts with it, perhaps
	flowWord               // may stand in a plain scalar in a flow collection, wherever in it
	maybeTyped             // a plain scalar that starts with it may be something else than a string
)

var class = func() (t [256]uint8) {
	set := func(chars string, is uint8) {
		for i := range len(chars) {
			t[chars[i]] |= is
		}
	}
	for i := range t {
		switch {
		case i < ' ' || i == 0x7f:
			t[i] = bad
		case i >= utf8.RuneSelf:
			t[i] = high
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	set("-?:,[]{}#&*!|>'\"%@` ", indicator)
	set(letters+"0123456789_./=+-$()^~;<", flowWord)
	set("+-0123456789yYnNtTfFoO~.<=", maybeTyped)
	return t
}()

// scan goes to the next line, which may be blank.
func (r *reader) scan() bool {
	r.line++
	if r.next >= len(r.s) {
		r.over, r.indent = true, -1
		r.start, r.pos, r.end = len(r.s), len(r.s), len(r.s)
		return true
	}
	r.start = r.next
	text := r.s[r.start:]
	end := strings.IndexByte(text, '\n')
	if end < 0 {
		end = len(text)
		r.next = len(r.s)
	} else {
		text = text[:end]
		r.next = r.start + end + 1
	}
	r.end = r.start + end
	p := 0
	for p < end && text[p] == ' ' {
		p++
	}
	r.pos, r.indent = r.start+p, p
	var all uint8
	for i := p; i < end; i++ {
		all |= class[text[i]]
	}
	r.ascii = all&high == 0
	if all&bad != 0 || !r.ascii && !usual(text) {
		return false
	}
	return !strings.HasPrefix(text, "---") && !strings.HasPrefix(text, "...")
}

// usual refuses characters that break lines or that YAML does not allow.
func usual(text string) bool {
	for _, c := range text {
		switch {
		case c >= 0x80 && c <= 0xa0, c == 0x2028, c == 0x2029, c == 0xfeff, c == 0xfffe, c == 0xffff, c == utf8.RuneError:
			return false
		}
	}
	return true
}

// advance goes to the next line that is not blank, and collects the comments on the way. It gives up on those whose
// place is not clear.
func (r *reader) advance() bool {
	column, behind := -1, r.remark
	r.remark = false
	for {
		if !r.scan() {
			return false
		}
		if r.over {
			return column < 0
		}
		if r.pos == r.end {
			if column >= 0 {
				return false
			}
			behind = false
			continue
		}
		if r.s[r.pos] != '#' {
			return column < 0 || column == r.indent
		}
		if behind || r.s[r.end-1] == ' ' || column >= 0 && column != r.indent {
			return false
		}
		if column >= 0 {
			r.head += "\n"
		}
		column = r.indent
		r.head += r.s[r.pos:r.end]
	}
}

// takeHead gives a node the comment above it.
func (r *reader) takeHead(n *yaml.Node) { n.HeadComment, r.head = r.head, "" }

func (r *reader) column(p int) int {
	if r.ascii {
		return p - r.start + 1
	}
	return utf8.RuneCountInString(r.s[r.start:p]) + 1
}

// node makes a node that starts at p in the current line.
func (r *reader) node(kind yaml.Kind, tag string, p int) *yaml.Node {
	if len(r.nodes) == 0 {
		r.nodes, r.spent = make([]yaml.Node, slab), true
	}
	n := &r.nodes[0]
	r.nodes = r.nodes[1:]
	n.Kind, n.Tag, n.Line, n.Column = kind, tag, r.line, r.column(p)
	return n
}

// close gives n its content, which is open from some place on.
func (r *reader) close(n *yaml.Node, from int) {
	many := len(r.open) - from
	if len(r.children) < many {
		r.children, r.spent = make([]*yaml.Node, max(many, slab)), true
	}
	n.Content = r.children[:many:many]
	r.children = r.children[many:]
	copy(n.Content, r.open[from:])
	r.open = r.open[:from]
}

// block reads the collection that starts at the current position, which has to be further right than column outer.
func (r *reader) block(outer int) (*yaml.Node, bool) {
	if r.indent <= outer || r.depth >= maxDepth {
		return nil, false
	}
	r.depth++
	defer func() { r.depth-- }()
	if r.isDash(r.pos) {
		return r.sequence(r.indent)
	}
	return r.mapping(r.indent)
}

func (r *reader) isDash(p int) bool {
	return r.s[p] == '-' && (p+1 == r.end || r.s[p+1] == ' ')
}

// mapping reads the block mapping whose keys are in column col.
func (r *reader) mapping(col int) (*yaml.Node, bool) {
	n := r.node(yaml.MappingNode, yaml.NodeTagMap, r.pos)
	open, keys := len(r.open), len(r.keys)
	var seen map[string]bool
	for !r.over && r.indent == col {
		key, ok := r.key()
		if ok {
			r.takeHead(key)
		}
		if !ok || !r.isNew(key.Value, keys, &seen) {
			return nil, false
		}
		r.open = append(r.open, key)
		value, ok := r.value(col, true)
		if !ok {
			return nil, false
		}
		r.open = append(r.open, value)
	}
	if r.indent > col || len(r.open) == open {
		return nil, false
	}
	r.keys = r.keys[:keys]
	r.close(n, open)
	return n, true
}

// isNew notes a key of the innermost mapping, whose keys start at from, and reports whether it was not there.
func (r *reader) isNew(key string, from int, seen *map[string]bool) bool {
	if *seen == nil && len(r.keys)-from < fewKeys {
		for _, other := range r.keys[from:] {
			if other == key {
				return false
			}
		}
		r.keys = append(r.keys, key)
		return true
	}
	if *seen == nil {
		*seen = make(map[string]bool, 2*fewKeys)
		for _, other := range r.keys[from:] {
			(*seen)[other] = true
		}
	}
	if (*seen)[key] {
		return false
	}
	(*seen)[key] = true
	return true
}

// key reads a key and the colon behind it.
func (r *reader) key() (*yaml.Node, bool) {
	p := r.pos
	colon := r.colon(p)
	if colon < 0 || colon-p > maxKey {
		return nil, false
	}
	r.pos = colon + 1
	if c := r.s[p]; c == '"' || c == '\'' {
		n := r.node(yaml.ScalarNode, yaml.NodeTagString, p)
		end, ok := r.quoted(n, p)
		return n, ok && end == colon
	}
	return r.plain(p, r.s[p:colon])
}

// plain makes a node of a plain scalar.
func (r *reader) plain(p int, value string) (*yaml.Node, bool) {
	n := r.node(yaml.ScalarNode, tagOf(value), p)
	n.Value = value
	return n, value != "<<" && value[len(value)-1] != ' '
}

// colon finds the colon behind the key of a block mapping that starts at p; -1 where there is none.
func (r *reader) colon(p int) int {
	if c := r.s[p]; c == '"' || c == '\'' {
		end := r.quotedEnd(p+1, c)
		if end < 0 || end >= r.end || r.s[end] != ':' || end+1 < r.end && r.s[end+1] != ' ' {
			return -1
		}
		return end
	}
	if !r.startsPlain(p) {
		return -1
	}
	for i := p; i < r.end; i++ {
		switch r.s[i] {
		case ':':
			if i+1 == r.end || r.s[i+1] == ' ' {
				return i
			}
		case '#':
			if r.s[i-1] == ' ' {
				return -1
			}
		}
	}
	return -1
}

func (r *reader) startsPlain(p int) bool {
	return class[r.s[p]]&indicator == 0 || r.s[p] == '-' && !r.isDash(p)
}

// tagOf is what the library takes a plain scalar for.
func tagOf(value string) string {
	first := value[0]
	if class[first]&maybeTyped == 0 {
		return yaml.NodeTagString
	}
	switch {
	case first >= 'A' && first <= 'z':
		switch value {
		case "null", "Null", "NULL":
			return yaml.NodeTagNull
		case "true", "True", "TRUE", "false", "False", "FALSE":
			return yaml.NodeTagBool
		}
		return yaml.NodeTagString // also yes and no, on and off
	case first >= '0' && first <= '9' && strings.ContainsAny(value, "ghijklmnpqrsuvwyGHIJKLMNPQRSUVWY/,="):
		return yaml.NodeTagString // no number nor date has these
	case first >= '1' && first <= '9' && len(value) < 18 && strings.Trim(value, "0123456789") == "":
		return yaml.NodeTagInt
	}
	n := yaml.Node{Kind: yaml.ScalarNode, Value: value}
	return n.ShortTag()
}

// value reads what is behind the colon or dash of a collection in column col, and goes on to the next line.
func (r *reader) value(col int, inMapping bool) (*yaml.Node, bool) {
	behind := r.pos
	r.pos = r.spaces(r.pos)
	if r.pos == r.end {
		return r.below(col, behind, inMapping)
	}
	p := r.pos
	switch c := r.s[p]; {
	case c == '|':
		return r.literal(col)
	case c == '[' || c == '{':
		return r.flowLine(col)
	case c == '"' || c == '\'':
		n := r.node(yaml.ScalarNode, yaml.NodeTagString, p)
		end, ok := r.quoted(n, p)
		if end < 0 {
			return n, ok && r.folded(n, p, col)
		}
		return n, ok && r.comment(n, end) && r.done(col)
	case !r.startsPlain(p):
		return nil, false
	}
	return r.text(col)
}

// text reads a plain scalar as a value in column col.
func (r *reader) text(col int) (*yaml.Node, bool) {
	p, end := r.pos, r.end
	for i := p; i < end; i++ {
		switch r.s[i] {
		case ':':
			if i+1 == r.end || r.s[i+1] == ' ' {
				return nil, false
			}
		case '#':
			if r.s[i-1] == ' ' {
				end = i
			}
		}
	}
	value := strings.TrimRight(r.s[p:end], " ")
	n, ok := r.plain(p, value)
	if !ok || !r.comment(n, p+len(value)) || !r.advance() {
		return nil, false
	}
	if r.indent > col {
		return n, n.LineComment == "" && r.head == "" && r.paragraph(n, col)
	}
	return n, true
}

// below reads a value that is in the lines behind its key or dash, or nowhere.
func (r *reader) below(col, behind int, inMapping bool) (*yaml.Node, bool) {
	line, column := r.line, r.column(behind)
	if !r.advance() {
		return nil, false
	}
	switch {
	case r.indent > col:
		return r.block(col)
	case !inMapping:
		return nil, false
	case r.indent == col && r.isDash(r.pos):
		return r.block(col - 1)
	}
	n := r.node(yaml.ScalarNode, yaml.NodeTagNull, r.pos)
	n.Line, n.Column = line, column
	return n, true
}

func (r *reader) spaces(p int) int {
	for p < r.end && r.s[p] == ' ' {
		p++
	}
	return p
}

// comment reads what follows a scalar in its line: nothing, or a comment.
func (r *reader) comment(n *yaml.Node, p int) bool {
	at := r.spaces(p)
	if at == r.end {
		return true
	}
	n.LineComment = r.s[at:r.end]
	r.remark = true
	return at > p && r.s[at] == '#' && r.s[r.end-1] != ' '
}

// done goes on to the next line, which has to be something else than what goes on in column col.
func (r *reader) done(col int) bool { return r.advance() && r.indent <= col }

// paragraph reads the other lines of a plain scalar, of which the current line is the second. They are joined by
// spaces, and for each blank line there is a line break instead.
func (r *reader) paragraph(n *yaml.Node, col int) bool {
	var b strings.Builder
	b.WriteString(n.Value)
	for last := n.Line; r.indent > col; {
		text := strings.TrimRight(r.s[r.pos:r.end], " ")
		if strings.Contains(text, ": ") || strings.HasSuffix(text, ":") || strings.Contains(text, " #") {
			return false
		}
		join(&b, r.line-last)
		b.WriteString(text)
		last = r.line
		if !r.advance() || r.head != "" && r.indent > col {
			return false
		}
	}
	n.Value = b.String()
	n.Tag = tagOf(n.Value)
	return true
}

// join writes what a number of line breaks in a folded scalar come to.
func join(b *strings.Builder, breaks int) {
	if breaks == 1 {
		b.WriteByte(' ')
	}
	for range breaks - 1 {
		b.WriteByte('\n')
	}
}

// sequence reads the block sequence whose dashes are in column col.
func (r *reader) sequence(col int) (*yaml.Node, bool) {
	n := r.node(yaml.SequenceNode, yaml.NodeTagSeq, r.pos)
	open := len(r.open)
	for !r.over && r.indent == col && r.isDash(r.pos) {
		head := r.head
		r.head = ""
		item, ok := r.item(col)
		if !ok {
			return nil, false
		}
		item.HeadComment = head
		r.open = append(r.open, item)
	}
	if r.indent > col {
		return nil, false
	}
	r.close(n, open)
	return n, true
}

func (r *reader) item(col int) (*yaml.Node, bool) {
	r.pos++
	p := r.spaces(r.pos)
	if p < r.end && (r.isDash(p) || r.colon(p) >= 0) {
		r.pos, r.indent = p, p-r.start
		return r.block(col)
	}
	return r.value(col, false)
}

// literal reads a literal block as a value in column col.
func (r *reader) literal(col int) (*yaml.Node, bool) {
	strip := false
	switch r.s[r.pos:r.end] {
	case "|":
	case "|-":
		strip = true
	default:
		return nil, false
	}
	n := r.node(yaml.ScalarNode, yaml.NodeTagString, r.pos)
	n.Style = yaml.LiteralStyle
	var b strings.Builder
	indent, breaks := -1, 0
	for r.next < len(r.s) {
		text := r.s[r.next:]
		end := strings.IndexByte(text, '\n')
		size := end + 1
		if end < 0 {
			end, size = len(text), len(text)
		}
		text = text[:end]
		by := len(text) - len(strings.TrimLeft(text, " "))
		if indent < 0 {
			if by == len(text) || by <= col || text[by] == '\t' {
				return nil, false
			}
			indent = by
		}
		if by < indent && by < len(text) {
			break
		}
		if by < indent {
			text = ""
		} else {
			text = text[indent:]
		}
		if !literalText(text) {
			return nil, false
		}
		if text != "" {
			for range breaks {
				b.WriteByte('\n')
			}
			breaks = 0
			b.WriteString(text)
		}
		if size > end {
			breaks++
		}
		r.next += size
		r.line++
	}
	if indent < 0 {
		return nil, false
	}
	if !strip && breaks > 0 {
		b.WriteByte('\n')
	}
	n.Value = b.String()
	return n, r.done(col)
}

// literalText reports whether a line of a literal block has none but usual characters; tabs are.
func literalText(text string) bool {
	var all uint8
	for i := range len(text) {
		if c := text[i]; c != '\t' {
			all |= class[c]
		}
	}
	return all&bad == 0 && (all&high == 0 || usual(text))
}
