package launch

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// unit is one byte of a word's value.
type unit struct {
	b      byte
	pos    int  // the offset in the script where it stands, or where its escape starts; -1: from a variable
	quoted bool // within quotes: text can be inserted in front of it
	split  bool // from an unquoted variable: white space separates words, * and the like match files
}

// decoded is a word of a script, as far as its value is known.
type decoded struct {
	units   []unit
	ends    map[int]int // value offset → script offset inside a quoted region that ends there
	unknown int         // value offset from which on it is not known; -1: all is known
	multi   bool        // may be any number of words
	quotes  bool        // has quotes: is one word even if empty
	elastic bool        // has an unquoted expansion
}

// expand returns the words that a word of the command becomes.
func (s *script) expand(w *syntax.Word) []word {
	from, to := int(w.Pos().Offset()), int(w.End().Offset())
	at, end := s.place(from), s.place(to)
	if p := s.parameters(w); p != nil && to <= s.unknown {
		return s.positional(*p, at, end)
	}
	keeps := assignedBy(w)
	if keeps != "" && len(keptIn(w, keeps)) == 0 {
		keeps = ""
	}
	d := s.decode(w, true)
	if to > s.unknown && d.unknown < 0 {
		d.unknown = 0
	}
	if d.unknown >= 0 {
		r := word{text: s.src[from:to], at: at, end: end, single: !d.multi && !d.elastic, loose: !d.multi && d.elastic,
			keeps: keeps}
		if !d.multi {
			s.knownOf(&r, w, d)
		}
		return []word{r}
	}
	fields, starts := d.fields()
	out := make([]word, 0, len(fields))
	for i, text := range fields {
		r := word{text: text, known: len(text), static: true, single: true, at: at, end: end, keeps: keeps}
		if len(fields) == 1 && starts[0] == 0 && len(text) == len(d.units) {
			r.content = s.contentOf(d)
		}
		if i > 0 {
			r.at = place{why: "the value of a variable"}
		}
		if i < len(fields)-1 {
			r.end = place{why: "the value of a variable"}
		}
		out = append(out, r)
	}
	return out
}

// knownOf notes what is known of a word that is put together when it runs: what comes before the unknown part is
// certain.
func (s *script) knownOf(r *word, w *syntax.Word, d decoded) {
	var b strings.Builder
	for _, u := range d.units {
		b.WriteByte(u.b)
	}
	r.text, r.known, r.content = b.String(), d.unknown, s.contentOf(d)
	if int(w.End().Offset()) > s.unknown {
		r.known = 0
	} else {
		r.tail = tailOf(w)
	}
}

// tailOf returns the last path element of a dynamic word when it is literal: "$JAVA_HOME/bin/java".
func tailOf(w *syntax.Word) string {
	last := w.Parts[len(w.Parts)-1]
	if q, ok := last.(*syntax.DblQuoted); ok && len(q.Parts) > 0 {
		last = q.Parts[len(q.Parts)-1]
	}
	var lit string
	switch p := last.(type) {
	case *syntax.Lit:
		lit = p.Value
	case *syntax.SglQuoted:
		lit = p.Value
	}
	i := strings.LastIndexByte(lit, '/')
	if i < 0 || strings.ContainsAny(lit, "\\*?[") {
		return ""
	}
	return lit[i+1:]
}

// place turns an offset in the script into a place in the line.
func (s *script) place(off int) place {
	p := s.inv.script.content.place(off)
	if p.why == "" && off > s.unknown {
		return place{why: "text behind a value that is not known"}
	}
	p.pad = off < len(s.src) && (s.src[off] == '<' || s.src[off] == '>')
	return p
}

// endOf is the place behind the last word of a command.
func (s *script) endOf(call *syntax.CallExpr) place {
	return s.place(int(call.Args[len(call.Args)-1].End().Offset()))
}

// contentOf maps a value's offsets to the line's.
func (s *script) contentOf(d decoded) *content {
	outer := s.inv.script.content
	if outer == nil {
		return nil
	}
	c := &content{arg: outer.arg, pos: make([]int, len(d.units)+1)}
	for i := range c.pos {
		c.pos[i] = -1
		off, ok := d.ends[i]
		if i < len(d.units) && d.units[i].quoted && d.units[i].pos >= 0 {
			off, ok = d.units[i].pos, true
		}
		if ok {
			if p := outer.place(off); p.why == "" {
				c.pos[i] = p.off
			}
		}
	}
	return c
}

// fields splits a value as the shell does with unquoted expansions. starts holds each field's first unit.
func (d decoded) fields() (fields []string, starts []int) {
	var b strings.Builder
	open := false
	start := 0
	flush := func() {
		if open {
			fields, starts = append(fields, b.String()), append(starts, start)
		}
		b.Reset()
		open = false
	}
	for i, u := range d.units {
		if u.split && (u.b == ' ' || u.b == '\t' || u.b == '\n') {
			flush()
			continue
		}
		if !open {
			start = i
		}
		open = true
		b.WriteByte(u.b)
	}
	if len(d.units) == 0 && (d.quotes || !d.elastic) {
		return []string{""}, []int{0}
	}
	flush()
	return fields, starts
}

// decode finds a word's value. With split, unquoted variables may become any number of words.
func (s *script) decode(w *syntax.Word, split bool) decoded {
	d := decoded{unknown: -1, ends: map[int]int{}}
	if !s.budget.take(1) {
		d.unknown = 0
		return d
	}
	s.parts(&d, w.Parts, false, split)
	for i, u := range d.units {
		if split && u.split && strings.IndexByte("*?[\\", u.b) >= 0 {
			d.lose(i)
			d.multi = true
		}
	}
	return d
}

func (d *decoded) lose(at int) {
	if d.unknown < 0 || at < d.unknown {
		d.unknown = at
	}
}

func (s *script) parts(d *decoded, parts []syntax.WordPart, quoted, split bool) {
	for i, p := range parts {
		from, to := int(p.Pos().Offset()), int(p.End().Offset())
		raw := s.src[from:to]
		switch p := p.(type) {
		case *syntax.Lit:
			s.literal(d, from, to, quoted, split, i == 0 && !quoted)
		case *syntax.SglQuoted:
			s.single(d, p, from, to)
		case *syntax.DblQuoted:
			d.quotes = true
			if p.Dollar {
				d.source(raw)
				continue
			}
			s.parts(d, p.Parts, true, split)
			d.ends[len(d.units)] = to - 1
		case *syntax.ParamExp:
			if !s.expansion(d, p, raw, quoted, split) {
				return
			}
		case *syntax.CmdSubst:
			if !quoted && split {
				d.elastic = true
			}
			d.source(raw)
		case *syntax.ArithmExp:
			if !quoted && split && s.splitting {
				d.elastic = true
			}
			d.source(raw)
		default: // ProcSubst, ExtGlob, BraceExp
			d.multi = true
			d.source(raw)
		}
	}
}

// single adds text between single quotes.
func (s *script) single(d *decoded, p *syntax.SglQuoted, from, to int) {
	d.quotes = true
	if p.Dollar {
		if raw := s.src[from:to]; strings.Contains(raw, "\\") {
			d.source(raw)
			return
		}
		from++
	}
	for k := from + 1; k < to-1; k++ {
		d.units = append(d.units, unit{b: s.src[k], pos: k, quoted: true})
	}
	d.ends[len(d.units)] = to - 1
}

// expansion adds the value of a variable, and reports whether there is room for more.
func (s *script) expansion(d *decoded, p *syntax.ParamExp, raw string, quoted, split bool) bool {
	v, ok := s.param(p)
	if !quoted && split {
		d.elastic = true
		ok = ok && !s.splitting
	}
	if !ok {
		d.multi = d.multi || mayBeList(p) || !quoted && p.Param.Value == "*"
		d.source(raw)
		return true
	}
	if !s.budget.take(len(v)) {
		d.lose(len(d.units))
		return false
	}
	for k := range len(v) {
		d.units = append(d.units, unit{b: v[k], pos: -1, split: !quoted && split})
	}
	return true
}

// mayBeList says whether an expansion may be several words even within quotes.
func mayBeList(p *syntax.ParamExp) bool {
	own := func(p *syntax.ParamExp) bool {
		return p.Param == nil || p.Param.Value == "@" || p.Index != nil || p.Excl
	}
	list := own(p)
	if p.Exp != nil && p.Exp.Word != nil {
		syntax.Walk(p.Exp.Word, func(n syntax.Node) bool {
			if q, ok := n.(*syntax.ParamExp); ok && own(q) {
				list = true
			}
			return true
		})
	}
	return list
}

// source adds a part that is only known at run time, as it is written.
func (d *decoded) source(raw string) {
	d.lose(len(d.units))
	for k := range len(raw) {
		d.units = append(d.units, unit{b: raw[k], pos: -1})
	}
}

// literal adds unquoted text, or the plain text between double quotes.
func (s *script) literal(d *decoded, from, to int, quoted, split, first bool) {
	raw := s.src[from:to]
	if !quoted && split {
		bare := withoutEscaped(raw)
		brace := strings.IndexByte(bare, '{')
		switch {
		case raw == "[" || raw == "[[":
		case strings.ContainsAny(bare, "*?["), brace >= 0 &&
			(strings.Contains(bare[brace:], ",") || strings.Contains(bare[brace:], "..")):
			d.multi = true
			d.lose(len(d.units))
		}
	}
	if !quoted && first && strings.HasPrefix(raw, "~") {
		d.lose(len(d.units))
	}
	for k := from; k < to; k++ {
		c, at := s.src[k], k
		if c == '\\' && k+1 < to {
			next := s.src[k+1]
			switch {
			case next == '\n':
				k++
				continue
			case !quoted || strings.IndexByte("$`\"\\", next) >= 0:
				c = next
				k++
			}
		}
		d.units = append(d.units, unit{b: c, pos: at, quoted: quoted})
	}
}

// withoutEscaped is a text without the characters that a backslash makes ordinary.
func withoutEscaped(raw string) string {
	if !strings.Contains(raw, "\\") {
		return raw
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' {
			i++
			continue
		}
		b.WriteByte(raw[i])
	}
	return b.String()
}

// shellOwn are variables that the shell itself sets.
func shellOwn(name string) bool {
	return slices.Contains([]string{"PWD", "OLDPWD", "PPID", "SHLVL", "_", "RANDOM", "LINENO", "SECONDS", "OPTIND",
		"OPTARG", "IFS", "UID", "EUID",
		"GROUPS", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "PIPESTATUS", "REPLY", "DIRSTACK", "FUNCNAME", "SHELLOPTS",
		"COLUMNS", "LINES",
		"PS4", "TERM", "SHELL"}, name) || strings.HasPrefix(name, "BASH")
}

func (s *script) lookup(name string) value {
	if shellOwn(name) {
		return value{}
	}
	v, _ := s.variable(name)
	return v
}

// param returns the value of an expansion, when it is known.
func (s *script) param(p *syntax.ParamExp) (string, bool) {
	if !noOperator(p) {
		return "", false
	}
	v := s.parameter(p.Param.Value)
	if !v.known {
		return "", false
	}
	if p.Exp == nil {
		return v.text, true
	}
	other := func() (string, bool) {
		if p.Exp.Word == nil {
			return "", true
		}
		return s.valueOf(p.Exp.Word)
	}
	switch p.Exp.Op {
	case syntax.DefaultUnsetOrNull:
		if v.text == "" {
			return other()
		}
	case syntax.DefaultUnset:
		if v.unset {
			return other()
		}
	case syntax.AlternateUnsetOrNull:
		if v.text == "" {
			return "", true
		}
		return other()
	case syntax.AlternateUnset:
		if v.unset {
			return "", true
		}
		return other()
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if v.text == "" {
			return "", false
		}
	default:
		return "", false
	}
	return v.text, true
}

// parameter is what is known of a variable, or of a positional parameter.
func (s *script) parameter(name string) value {
	switch {
	case isName(name):
		return s.lookup(name)
	case s.noParams:
	case name == "0":
		if s.inv.zero != nil {
			return value{text: s.inv.zero.text, known: s.inv.zero.static}
		}
	case len(name) == 1 && name[0] >= '1' && name[0] <= '9':
		i := int(name[0] - '1')
		switch n := len(s.inv.params); {
		case i < n && s.paramsCertain(i+1):
			return value{text: s.inv.params[i].text, known: s.inv.params[i].static}
		case i >= n && s.paramsCertain(n):
			return value{known: true, unset: true}
		}
	}
	return value{}
}

// paramsCertain says whether the first n positional parameters are exactly one word each.
func (s *script) paramsCertain(n int) bool {
	for _, w := range s.inv.params[:n] {
		if !w.single {
			return false
		}
	}
	return s.inv.zero == nil || s.inv.zero.single
}

// valueOf returns a word's value where words are not split (assignments).
func (s *script) valueOf(w *syntax.Word) (string, bool) {
	d := s.decode(w, false)
	if d.unknown >= 0 || d.multi || int(w.End().Offset()) > s.unknown {
		return "", false
	}
	var b strings.Builder
	for _, u := range d.units {
		b.WriteByte(u.b)
	}
	return b.String(), true
}

// writtenOf returns a word's value, with the source text of what is not known in it.
func (s *script) writtenOf(w *syntax.Word) string {
	var b strings.Builder
	for _, u := range s.decode(w, false).units {
		b.WriteByte(u.b)
	}
	return b.String()
}

// textOf returns a word's value where it is known, else its source text.
func (s *script) textOf(w *syntax.Word) string {
	if d := s.decode(w, true); d.unknown < 0 && !d.multi {
		if f, _ := d.fields(); len(f) == 1 {
			return f[0]
		}
	}
	return s.src[w.Pos().Offset():w.End().Offset()]
}

// parameters says whether a word stands for positional parameters as a whole: "$@" and, as far as they survive it
// unquoted, $@ and $*.
func (s *script) parameters(w *syntax.Word) *syntax.ParamExp {
	if s.noParams || len(w.Parts) != 1 {
		return nil
	}
	part := w.Parts[0]
	quoted := false
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 && !q.Dollar {
		part, quoted = q.Parts[0], true
	}
	p, ok := part.(*syntax.ParamExp)
	if !ok || !simpleParam(p) {
		return nil
	}
	switch p.Param.Value {
	case "@":
		if quoted {
			return p
		}
	case "*":
		if quoted {
			return nil
		}
	case "0":
		if quoted && s.inv.zero != nil {
			return p
		}
		return nil
	default:
		return nil
	}
	// Unquoted: only when splitting changes nothing.
	if s.splitting || !s.plainParams {
		return nil
	}
	return p
}

// plainWords reports whether each word is one word for certain even where nothing quotes it.
func plainWords(words []word) bool {
	return !slices.ContainsFunc(words, func(w word) bool {
		return !w.static || w.text == "" || strings.ContainsAny(w.text, " \t\n*?[\\")
	})
}

// positional returns the words of "$@" or "$0", which is written at the given places of the script. Words can also be
// put between the parameters, in the shell's own command line, if nothing else in the script looks at them.
func (s *script) positional(p syntax.ParamExp, at, end place) []word {
	out, uses := s.inv.params, s.params
	if p.Param.Value == "0" {
		out, uses = []word{*s.inv.zero}, s.zeros
	}
	if !s.budget.take(wordCost * len(out)) { // "$@" any number of times, with any number of parameters
		return nil
	}
	out = slices.Clone(out)
	if s.inv.file && uses <= 1 && !s.in.inText {
		return out // nothing else looks at them: then the script can stay as it is
	}
	between := place{why: "parameters that the script uses more than once"}
	for i := range out {
		if uses > 1 {
			// A script among the parameters must not change either.
			out[i].at, out[i].end, out[i].content = between, between, nil
		}
	}
	if len(out) > 0 {
		out[0].at, out[len(out)-1].end = at, end
	}
	return out
}
