package process

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// word is one word of a command line.
type word struct {
	raw      string    // as a manifest writes it, for Kubernetes to expand
	text     string    // as the process gets it, as far as that is known
	segments []segment // how text maps to raw; nil for a word of the image, which raw escapes as a whole
	node     *yaml.Node
	unknown  int // where in text a reference stands whose value is not known, or -1
	// appended says that something else puts the word there when the pod is made: it is not written.
	appended bool
}

// part is one of the two parts of a command line: what comes from ENTRYPOINT or command, and from CMD or args.
type part struct {
	field   string // command or args
	node    *yaml.Node
	words   []word
	changed bool // by edits
}

func (p part) fromImage() bool { return p.node == nil }

// CommandLine is what a container starts. Kubernetes' rules: command replaces ENTRYPOINT and switches CMD off, args
// replaces CMD; an empty list is none.
type CommandLine struct{ command, args part }

// CommandLineOf works out what the container starts.
func CommandLineOf(c *workload.Container, cfg image.Config, e Environment) (CommandLine, error) {
	l := CommandLine{command: part{field: "command"}, args: part{field: "args"}}
	for _, p := range []*part{&l.command, &l.args} {
		node := yamlnode.Get(c.Node, p.field)
		if node == nil || node.Kind == yaml.SequenceNode && len(node.Content) == 0 {
			continue
		}
		if node.Kind != yaml.SequenceNode {
			return l, reason.Refuse(reason.InvalidField, "%s is not a list of strings", p.field)
		}
		p.node = node
		for i, n := range node.Content {
			if n.Kind != yaml.ScalarNode || n.Tag != yaml.NodeTagString {
				return l, reason.Refuse(reason.InvalidField, "%s", notAString(fmt.Sprintf("%s[%d]", p.field, i), n))
			}
			w := word{raw: n.Value, node: n, unknown: -1}
			w.text, w.segments = e.expanded.expand(n.Value, e, func(name string, at int) {
				if w.unknown < 0 && e.Unknown[name] {
					w.unknown = at
				}
			})
			if at := placeholderIn(w.text, c); at >= 0 && (w.unknown < 0 || at < w.unknown) {
				w.unknown = at
			}
			p.words = append(p.words, w)
		}
	}
	if err := e.expanded.tooLarge(); err != nil {
		return l, err
	}
	if l.command.node == nil {
		l.command.words = imageWords(cfg.Entrypoint)
		if l.args.node == nil {
			l.args.words = imageWords(cfg.Cmd)
		}
	}
	rules := c.Pod.Workload.Rules
	if rules.Appends == "" || yamlnode.Get(c.Node, rules.Appends) == nil {
		return l, nil
	}
	if l.command.node == nil {
		return l, reason.Refuse(reason.NoCommand, "its %s is to be run by a command, which is not given", rules.Appends)
	}
	l.args.words = append(l.args.words, word{raw: rules.File, text: rules.File, unknown: -1, appended: true})
	return l, nil
}

// placeholderIn is where the first of what is put in the place of text when the pod is made stands in a word; -1 for
// none.
func placeholderIn(text string, c *workload.Container) int {
	if begins := c.Pod.Workload.Rules.Placeholder; begins != "" {
		return strings.Index(text, begins)
	}
	return -1
}

// CheckAppended refuses a command line in which what is put behind it when the pod is made would not be where it was.
func (l CommandLine) CheckAppended() error {
	words := l.words()
	for i, w := range words {
		if w.appended && i < len(words)-1 {
			return reason.Refuse(reason.ProgramDynamic, "the debugger needs a word behind %s, which is put there when the pod "+
				"is made", w.text)
		}
	}
	return nil
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
		words[i] = word{raw: Escape(t), text: t, unknown: -1}
	}
	return words
}

// Argv is the command line as the process gets it.
func (l CommandLine) Argv() []string {
	var argv []string
	for _, w := range l.words() {
		argv = append(argv, w.text)
	}
	return argv
}

// UnknownFrom is launch.Input's field of that name.
func (l CommandLine) UnknownFrom() []int {
	var from []int
	for _, w := range l.words() {
		from = append(from, w.unknown)
	}
	return from
}

// ManifestWords are the raw words that the manifest itself writes.
func (l CommandLine) ManifestWords() []string {
	var raw []string
	for _, w := range l.words() {
		if w.node != nil {
			raw = append(raw, w.raw)
		}
	}
	return raw
}

func (l CommandLine) words() []word { return slices.Concat(l.command.words, l.args.words) }

// Edit returns the command line after the edits.
func (l CommandLine) Edit(edits []launch.Edit) (CommandLine, error) {
	edited := l
	boundary := len(l.command.words)
	commandChanges := slices.ContainsFunc(edits, func(e launch.Edit) bool { return e.Word < boundary })
	// A word between the two parts goes where a field is written anyway, else to args, so that command need not be
	// written; but a command that the manifest has, alone, grows.
	intoArgs := func(e launch.Edit) bool {
		if e.Offset >= 0 {
			return e.Word >= boundary
		}
		return e.Word > boundary ||
			e.Word == boundary && !commandChanges && (len(l.args.words) > 0 || l.command.fromImage())
	}
	edited.command.words, edited.args.words = slices.Clone(l.command.words), slices.Clone(l.args.words)
	// From the last to the first, so that the positions of those to come stay right, and what is put at the same place
	// keeps its order.
	ordered := slices.Clone(edits)
	slices.SortStableFunc(ordered, func(a, b launch.Edit) int {
		return cmp.Or(cmp.Compare(a.Word, b.Word), cmp.Compare(a.Offset, b.Offset))
	})
	for _, e := range slices.Backward(ordered) {
		p, at := &edited.command, e.Word
		if intoArgs(e) {
			p, at = &edited.args, at-boundary
		}
		p.changed = true
		if e.Offset < 0 {
			p.words = slices.Insert(p.words, at, imageWords(e.Words)...)
			continue
		}
		w, err := p.words[at].insert(e.Offset, e.Text)
		if err != nil {
			return l, err
		}
		p.words[at] = w
	}
	return edited, nil
}

// Rebase returns a command line of the words given, all of which are written to the manifest. from says, word by word,
// which of l's words it is, and keeps its meaning; -1 is none, whose text is taken literally.
func (l CommandLine) Rebase(argv []string, from []int) CommandLine {
	words, old := imageWords(argv), l.words()
	for i, f := range from {
		if f >= 0 {
			words[i] = old[f]
		}
	}
	return CommandLine{
		command: part{field: "command", words: words[:1], changed: true},
		args:    part{field: "args", words: words[1:], changed: true},
	}
}

// insert puts text, which has no dollar sign, into a word.
func (w word) insert(offset int, text string) (word, error) {
	if w.node == nil {
		t := w.text[:offset] + text + w.text[offset:]
		return word{raw: Escape(t), text: t, unknown: -1}, nil
	}
	at, ok := rawOffset(w.segments, offset, len(w.text), len(w.raw))
	if !ok {
		return w, reason.Refuse(reason.ProgramInVariable, "the program is named inside a variable that Kubernetes expands "+
			"into the command line")
	}
	w.raw = w.raw[:at] + text + w.raw[at:]
	return w, nil
}

// WriteCommandLine writes the parts of a command line that changed. Since command switches the image's CMD off, args
// are written with it.
func WriteCommandLine(c *workload.Container, l CommandLine) {
	args := l.args.changed
	if l.command.changed {
		l.command.write(c, "name", "image", "imagePullPolicy")
		args = args || l.args.fromImage()
	}
	written := func(w word) bool { return !w.appended }
	if args && slices.ContainsFunc(l.args.words, written) {
		l.args.write(c, "name", "image", "imagePullPolicy", "command")
	}
}

func (p part) write(c *workload.Container, after ...string) {
	node := p.node
	if node == nil {
		node = &yaml.Node{Kind: yaml.SequenceNode}
		yamlnode.Set(c.Node, p.field, node, after...)
	}
	neighbours := slices.Clone(node.Content)
	content := make([]*yaml.Node, 0, len(p.words))
	for _, w := range p.words {
		switch {
		case w.appended:
		case w.node == nil:
			content = append(content, yamlnode.StringLike(w.raw, neighbours))
		default:
			content = append(content, w.node)
			yamlnode.SetString(w.node, w.raw)
		}
	}
	node.Content = content
}
