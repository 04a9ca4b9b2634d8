package transform

import (
	"fmt"
	"slices"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// word is one word of a command line.
type word struct {
	raw      string    // as a manifest writes it, for Kubernetes to expand
	text     string    // as the process gets it, as far as that is known
	segments []segment // how text maps to raw; nil for a word of the image, which raw escapes as a whole
	node     *yaml.Node
	unknown  int // where in text a reference stands whose value is not known, or -1
}

// part is one of the two parts of a command line: what comes from ENTRYPOINT or command, and from CMD or args.
type part struct {
	field string // command or args
	node  *yaml.Node
	words []word
}

func (p part) fromImage() bool { return p.node == nil }

// commandLine is what a container starts. Kubernetes' rules: command replaces ENTRYPOINT and switches CMD off, args
// replaces CMD; an empty list is none.
type commandLine struct{ command, args part }

// commandLine works out what the container starts.
func commandLineOf(c *workload.Container, cfg image.Config, e environment) (commandLine, error) {
	l := commandLine{part{field: "command"}, part{field: "args"}}
	for _, p := range []*part{&l.command, &l.args} {
		node := yamlnode.Get(c.Node, p.field)
		if node == nil || node.Kind == yaml.SequenceNode && len(node.Content) == 0 {
			continue
		}
		if node.Kind != yaml.SequenceNode {
			return l, &reason.Refusal{Code: reason.InvalidField, Message: fmt.Sprintf("%s is not a list of strings", p.field)}
		}
		p.node = node
		for i, n := range node.Content {
			if n.Kind != yaml.ScalarNode || n.Tag != yaml.NodeTagString {
				return l, &reason.Refusal{Code: reason.InvalidField, Message: notAString(fmt.Sprintf("%s[%d]", p.field, i), n)}
			}
			w := word{raw: n.Value, node: n, unknown: -1}
			w.text, w.segments = e.expanded.expand(n.Value, e, func(name string, at int) {
				if w.unknown < 0 && e.unknown[name] {
					w.unknown = at
				}
			})
			p.words = append(p.words, w)
		}
	}
	if e.expanded.tooMuch() {
		return l, &reason.Refusal{Code: reason.TooLarge, Message: fmt.Sprintf(
			"its variables, command and args come to more than %d MiB once their references are resolved", maxExpanded>>20)}
	}
	if l.command.node == nil {
		l.command.words = imageWords(cfg.Entrypoint)
		if l.args.node == nil {
			l.args.words = imageWords(cfg.Cmd)
		}
	}
	return l, nil
}

// notAString words that an element of command or args is no string, which Kubernetes refuses.
func notAString(path string, n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == yaml.NodeTagNull {
		return path + " is not a string"
	}
	return fmt.Sprintf("%s is %s, which is not a string: put it in quotes", path, n.Value)
}

func imageWords(texts []string) []word {
	words := make([]word, len(texts))
	for i, t := range texts {
		words[i] = word{raw: escape(t), text: t, unknown: -1}
	}
	return words
}

// argv is the command line as the process gets it.
func (l commandLine) argv() []string {
	var argv []string
	for _, w := range l.words() {
		argv = append(argv, w.text)
	}
	return argv
}

// unknownFrom is launch.Input's field of that name.
func (l commandLine) unknownFrom() []int {
	var from []int
	for _, w := range l.words() {
		from = append(from, w.unknown)
	}
	return from
}

// manifestWords are the raw words that the manifest itself writes.
func (l commandLine) manifestWords() []string {
	var raw []string
	for _, w := range l.words() {
		if w.node != nil {
			raw = append(raw, w.raw)
		}
	}
	return raw
}

func (l commandLine) words() []word { return slices.Concat(l.command.words, l.args.words) }

// edit returns the command line after the edits, and which of its parts they changed.
func (l commandLine) edit(edits []launch.Edit) (edited commandLine, command, args bool, err error) {
	edited = commandLine{l.command, l.args}
	boundary := len(l.command.words)
	commandChanges := slices.ContainsFunc(edits, func(e launch.Edit) bool { return e.Word < boundary })
	// A word between the two parts goes where a field is written anyway, else to args, so that command need not be
	// written; but a command that the manifest has, alone, grows.
	intoArgs := func(at int) bool {
		return at > boundary || at == boundary && !commandChanges && (len(l.args.words) > 0 || l.command.fromImage())
	}
	edited.command.words, edited.args.words = slices.Clone(l.command.words), slices.Clone(l.args.words)
	// From the last to the first, so that the positions of those to come stay right, and what is put at the same place
	// keeps its order.
	ordered := slices.Clone(edits)
	slices.SortStableFunc(ordered, func(a, b launch.Edit) int {
		if a.Word != b.Word {
			return a.Word - b.Word
		}
		return a.Offset - b.Offset
	})
	for _, e := range slices.Backward(ordered) {
		if e.Offset >= 0 {
			p, at := &edited.command, e.Word
			if at >= boundary {
				p, at, args = &edited.args, at-boundary, true
			} else {
				command = true
			}
			w, err := p.words[at].insert(e.Offset, e.Text)
			if err != nil {
				return l, false, false, err
			}
			p.words[at] = w
			continue
		}
		p, at := &edited.command, e.Word
		if intoArgs(at) {
			p, at, args = &edited.args, at-boundary, true
		} else {
			command = true
		}
		var words []word
		for _, t := range e.Words {
			words = append(words, word{raw: escape(t), text: t, unknown: -1})
		}
		p.words = slices.Insert(p.words, at, words...)
	}
	return edited, command, args, nil
}

// insert puts text, which has no dollar sign, into a word.
func (w word) insert(offset int, text string) (word, error) {
	if w.node == nil {
		t := w.text[:offset] + text + w.text[offset:]
		return word{raw: escape(t), text: t, unknown: -1}, nil
	}
	at, ok := rawOffset(w.segments, offset, len(w.text), len(w.raw))
	if !ok {
		return w, &reason.Refusal{Code: reason.ProgramInVariable, Message: "the program is named inside a variable that Kubernetes expands into the command line"}
	}
	w.raw = w.raw[:at] + text + w.raw[at:]
	return w, nil
}

// writeCommandLine writes the parts that changed. Since command switches the image's CMD off, args are written with it.
func writeCommandLine(c *workload.Container, l commandLine, command, args bool) {
	if command {
		writePart(c, l.command, "name", "image", "imagePullPolicy")
		args = args || l.args.fromImage()
	}
	if args && len(l.args.words) > 0 {
		writePart(c, l.args, "name", "image", "imagePullPolicy", "command")
	}
}

func writePart(c *workload.Container, p part, after ...string) {
	node := p.node
	if node == nil {
		node = &yaml.Node{Kind: yaml.SequenceNode}
		yamlnode.Set(c.Node, p.field, node, after...)
	}
	neighbours := slices.Clone(node.Content)
	content := make([]*yaml.Node, len(p.words))
	for i, w := range p.words {
		switch {
		case w.node == nil:
			content[i] = yamlnode.StringLike(w.raw, neighbours)
		default:
			yamlnode.SetString(w.node, w.raw)
			content[i] = w.node
		}
	}
	node.Content = content
}
