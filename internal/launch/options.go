package launch

import (
	"slices"
	"strings"
	"unicode/utf8"

	"debuggable.dev/debuggable/internal/reason"
)

// options consumes the launcher's options. Options of env -S are spliced in as they come.
func (l launcher) options(f *finder, name string, words []word) ([]word, error) {
	for len(words) > 0 {
		w := words[0]
		if !w.static {
			if w.one() && (w.known > 0 && w.text[0] != '-' || l.short == "" && l.long == "" && l.operands > 0) {
				return words, nil
			}
			return nil, reason.Refuse(reason.LauncherUnknownOption, "whether %s is an option of %s is only known when it runs",
				quote(w.option()), name)
		}
		var err error
		switch {
		case w.text == "--" && l.anyLong:
			err = unknownOption(name, w)
		case w.text == "--":
			return words[1:], nil
		case w.text == "-" || !strings.HasPrefix(w.text, "-"):
			return words, nil
		case l.numeric && isNumber(strings.TrimLeft(w.text[1:], "+-")):
			words = words[1:]
		case l.goFlags || strings.HasPrefix(w.text, "--"):
			words, err = l.longOption(f, name, words)
		default:
			words, err = l.shortOptions(f, name, words)
		}
		if err != nil {
			return nil, err
		}
	}
	return words, nil
}

// longOption consumes --name, --name=value or --name value.
func (l launcher) longOption(f *finder, name string, words []word) ([]word, error) {
	long := strings.Fields(l.long)
	w := words[0]
	opt, val, hasVal := strings.Cut(strings.TrimLeft(w.text[:2], "-")+w.text[2:], "=")
	arg := w.suffix(len(w.text) - len(val))
	words = words[1:]
	switch {
	case slices.Contains(long, opt) && !hasVal, slices.Contains(long, opt+"=?"):
		return words, l.tell(f, opt, arg)
	case slices.Contains(long, opt+"="), l.anyLong && opt != "version" && opt != "help":
		if hasVal {
			return l.valued(f, opt, arg, words)
		}
		return l.separate(f, name, opt, w, words)
	}
	return nil, unknownOption(name, w)
}

// shortOptions consumes letters that stand together, and the value of the last.
func (l launcher) shortOptions(f *finder, name string, words []word) ([]word, error) {
	w := words[0]
	words = words[1:]
	for i := 1; i < len(w.text); i++ {
		at := strings.IndexByte(l.short, w.text[i])
		if at < 0 || w.text[i] == ':' {
			return nil, unknownOption(name, w)
		}
		opt := w.text[i : i+1]
		switch {
		case at+1 < len(l.short) && l.short[at+1] == ':' && i+1 == len(w.text):
			return l.separate(f, name, opt, w, words)
		case at+1 < len(l.short) && l.short[at+1] == ':':
			return l.valued(f, opt, w.suffix(i+1), words)
		}
		if err := l.tell(f, opt, nil); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// separate consumes the word that is the value of an option.
func (l launcher) separate(f *finder, name, opt string, option word, words []word) ([]word, error) {
	if len(words) == 0 || !words[0].one() {
		return nil, reason.Refuse(reason.LauncherUnknownOption, "%s: the option %s has no value that is known to be one word",
			name, option.text)
	}
	return l.valued(f, opt, &words[0], words[1:])
}

// valued records an option with its value. Words of env -S come in front of those that follow.
func (l launcher) valued(f *finder, opt string, val *word, words []word) ([]word, error) {
	if opt == "split-string" || opt == "S" && slices.Contains(l.names, "env") {
		split, err := splitString(val)
		if err == nil && !f.budget.take(wordCost*len(words)) {
			err = reason.Refuse(reason.TooDeep, "env -S comes to more than is looked at")
		}
		return append(split, words...), err
	}
	return words, l.tell(f, opt, val)
}

func (l launcher) tell(f *finder, opt string, val *word) error {
	if l.option == nil {
		return nil
	}
	return l.option(f, opt, val)
}

func unknownOption(name string, w word) error {
	return reason.Refuse(reason.LauncherUnknownOption, "the option %s of %s is not known", quote(w.option()), name)
}

// option is an option without its value, which may be a secret: --token of --token=…, -t of -t….
func (w word) option() string {
	if !strings.HasPrefix(w.text, "--") {
		_, size := utf8.DecodeRuneInString(strings.TrimPrefix(w.text, "-"))
		return w.text[:min(1+size, len(w.text))]
	}
	option, _, _ := strings.Cut(w.text, "=")
	return option
}

// suffix is the part of a static word from a byte on, as a word of its own.
func (w word) suffix(from int) *word {
	s := word{text: w.text[from:], known: len(w.text) - from, static: w.static, single: w.single, end: w.end}
	s.at = w.content.place(from)
	if w.content != nil {
		pos := make([]int, len(s.text)+1)
		for i := range pos {
			pos[i] = -1
			if p := w.content.place(from + i); p.why == "" {
				pos[i] = p.off
			}
		}
		s.content = &content{arg: w.content.arg, pos: pos}
	}
	return &s
}

// splitString splits the argument of env -S. Only what is the same in every implementation is taken: words between
// spaces, without quotes, escapes, variables and comments.
func splitString(arg *word) ([]word, error) {
	if !arg.static || strings.ContainsAny(arg.text, "\\'\"$#\v\f\r") {
		return nil, reason.Refuse(reason.LauncherUnknownOption, "env -S %s is more than plain words", quote(arg.text))
	}
	var out []word
	for i := 0; i < len(arg.text); {
		if strings.IndexByte(" \t\n", arg.text[i]) >= 0 {
			i++
			continue
		}
		n := strings.IndexAny(arg.text[i:], " \t\n")
		if n < 0 {
			n = len(arg.text) - i
		}
		s := word{text: arg.text[i : i+n], known: n, static: true, single: true}
		s.at, s.end = arg.content.place(i), arg.content.place(i+n)
		out = append(out, s)
		i += n
	}
	return out, nil
}
