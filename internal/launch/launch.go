// Package launch finds out what a command line really starts: behind shells (sh -c "…"), behind launchers (tini, env,
// gosu, docker-entrypoint.sh …) and behind the Cloud Native Buildpacks launcher, one inside the other.
//
// [Find] follows the command line to the program that matters, and [Found.Insert] says where in the original text words
// have to be put so that they end up in front of one of that program's words. Nothing is ever removed, replaced or
// re-quoted: an edit inserts whole words into the argument vector, or bytes into one of its words (a shell script).
//
// The rule above all others: after the edits the container starts exactly what it started before, in the same order.
// What is not certain is a [reason.Refusal], with a reason code that does not change and a message for people.
//
// The package does no I/O and runs nothing. The data flow is
//
//	argument vector → words with places (words.go) → launcher table (launchers.go), buildpacks (buildpacks.go)
//	               ↘ shell: invocation (shell.go) → script: which command counts (script.go), what the script
//	                 changes on the way there (effects.go), its words (expand.go) → again, from the left
package launch

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
	"debuggable.dev/debuggable/runtimes/language"
)

// Input is the command line as the container runtime would see it, with what is known about its surroundings.
type Input struct {
	// Argv holds the words after Kubernetes' expansion. A $(NAME) whose value is not known is left in the text.
	Argv []string
	// UnknownFrom says for each word at which byte the first such $(NAME) stands, or -1; nil: there is none in any. In a
	// word of the image, or behind $$, the same text is just text.
	UnknownFrom []int
	// Env holds the variables whose values are known. They are used to follow "$JAVA_HOME/bin/java" and for buildpacks.
	Env map[string]string
	// Unknown holds the names of variables that are set to a value that is not known.
	Unknown map[string]bool
	// Labels are the image's labels, and Read what was read in those of images before; nil for nothing.
	Labels map[string]string
	Read   *Labels
	// WorkingDir is the directory that the command line starts in; "" means "/".
	WorkingDir string
	// Files says what the files of the image are; nil: nothing is known of them.
	Files Files

	copies map[string]bool // of what was edited: the scripts among its words that are copies of files
	inText bool            // words in front of "$@" go into scripts, and not among their parameters
}

// Assignment is what becomes of a variable on the way from the container's environment to the program. A script's
// variable that it does not export reaches the program only if the container's environment has the variable too.
type Assignment struct {
	// Value is the value, when Known. A variable that is certainly unset is Known and Unset.
	Value string
	Known bool
	Unset bool
	// Keeps says that the value that the container's environment has is part of the new one (PATH=/x:$PATH), whatever
	// it is.
	Keeps bool
	// Text is what is written of a value that is not known: "$JAVA_TOOL_OPTIONS -agentlib:jdwp=…"; Perhaps says that a
	// part of it may not be, which stands in a condition.
	Text    string
	Perhaps bool
}

// Command is a simple command of a script, other than the program.
type Command struct {
	// Argv holds the command's words: a word's value where it is known, else its source text.
	Argv []string
	// Starts holds the command lines of the programs that it starts; see Programs.
	Starts [][]string
	// Background says that it runs beside the program: "cmd &", or a part of the same pipeline.
	Background bool
	// Heard says that the script reads the messages of what it starts: V=$(cmd 2>&1).
	Heard bool
	// Last says of a command within a script that it may be the program that matters: the script ends with it, or
	// becomes it. Maybe says that it need not run.
	Last, Maybe bool
}

// Found is the program that matters.
type Found struct {
	// Argv holds the program and its arguments; Argv[0] may be a path. A word that is only known at run time stands as its
	// source text, without the outermost quotes: $PORT, $(cmd), ${JDK}/bin/java.
	Argv []string
	// Static says for each word of Argv whether its value is certain.
	Static []bool
	// Dir is the working directory when something on the way changes it, else "". It is meaningful only when DirKnown.
	Dir      string
	DirKnown bool
	// Assigned holds the variables that launchers or scripts set or unset on the way: a change of one of them in the
	// container's environment may not reach the program.
	Assigned map[string]Assignment
	// Cleared says that the environment is emptied on the way (env -i): only what Assigned holds reaches the program.
	Cleared bool
	// Opaque says that something on the way may set any variable: a sourced file, a login shell, a buildpack's layers.
	Opaque bool
	// References holds the names of the variables that scripts on the way use, other than to extend that same variable.
	References map[string]bool
	// Script says that the program is, or is likely to be, a shell script: see IsScript.
	Script bool
	// File is what the program's file is, where that is known, and Dir in front of its name where that alone does not say
	// it.
	File *files.File
	// Via holds the launchers and shells that were passed, outermost first: tini, sh -c, docker-entrypoint.sh.
	Via []string
	// Rest holds the other commands of the scripts on the way.
	Rest []Command
	// Within holds the commands of the script that the program is, where its text is known.
	Within []Command
	// Base is the line that Insert's edits refer to, in place of Input.Argv; nil for Input.Argv itself. It starts the
	// same process as Input.Argv and is needed only when there is something to insert (buildpacks).
	Base []string
	// BaseFrom says for each word of Base which word of Input.Argv it is, or -1 for one from the image's label.
	BaseFrom []int

	words      []word
	end        place
	assign     assignments
	line       []string
	argv0      string              // who sets the program's argv[0]; "" for nobody
	noInsert   *reason.Refusal     // why nothing can be inserted at all
	noFront    *reason.Refusal     // why nothing can be inserted in front of the program
	noAssign   *reason.Refusal     // the same for assignments: other than for the program's sake
	maxWords   int                 // how many words the line may have after insertions; 0: any number
	guards     []place             // where a "--" has to go too when anything is inserted
	wordChecks []func(string) bool // what inserted words have to satisfy besides being plain

	unknownFrom []int

	leads []lead
	in    Input
	// decisions are those that scripts on the way make because of what the command line says, in order.
	decisions []string
}

// Edit is an insertion into the line (Found.Base, or else Input.Argv): Words in front of line[Word] when Offset is
// negative (Word may be len(line)), else Text at the byte Offset of line[Word]. All edits refer to the line as it was;
// of edits at the same place the first comes first. See Apply.
type Edit struct {
	Word, Offset int
	Words        []string
	Text         string
	// Script is the path of the script of the image whose text, changed, is among Words.
	Script string

	guard bool // Words are a launcher's "--", which comes ahead of all else at its place
}

// Find follows the command line to the program that matters. An error is a *reason.Refusal.
func Find(in Input) (Found, error) {
	f := newFinder(launcherNames())
	f.in, f.line = in, in.Argv
	f.dir, f.dirKnown = in.WorkingDir, true
	if len(in.Argv) == 0 {
		return Found{}, reason.Refuse(reason.NoCommand, "there is no command to run")
	}
	words, end := argvWords(in.Argv, in.UnknownFrom)
	found, err := f.follow(words, end, 0)
	if f.budget.used > maxCost {
		return Found{}, reason.Refuse(reason.TooDeep, "the words of its scripts come to more than is looked at")
	}
	return found, err
}

// Insert returns the edits that put words in front of Argv[Before] for each insertion (Before == len(Argv): behind the
// last word), in the order of their positions. Words must consist of letters, digits and /_.:=,+@%- so that they mean
// the same within any kind of quotes. An error is a *reason.Refusal.
func (f Found) Insert(at []runtimes.Insertion) ([]Edit, error) {
	at = slices.Clone(at)
	sort.SliceStable(at, func(i, j int) bool { return at[i].Before < at[j].Before })
	edits, err := f.editsFor(at)
	if err != nil || len(edits) == 0 {
		return nil, err
	}
	if err := f.checkCount(edits); err != nil {
		return nil, err
	}
	for _, p := range slices.Backward(f.guards) {
		e, err := f.edit(p, false, []string{"--"})
		if err != nil {
			return nil, err
		}
		e.guard = true
		edits = append([]Edit{e}, edits...)
	}
	edits, err = f.settle(edits)
	if err == nil {
		err = f.holds(at, edits)
	}
	copies := slices.ContainsFunc(edits, func(e Edit) bool { return e.Script != "" })
	if f.in.inText || err == nil && !copies || err != nil && len(f.decisions) == 0 {
		return edits, err
	}
	// Where a script is copied anyway, its parameters had better stay; and where they have to, a copy may do.
	in := f.in
	in.inText = true
	if again, problem := Find(in); problem == nil {
		if instead, problem := again.Insert(at); problem == nil {
			return instead, nil
		}
	}
	return edits, err
}

// editsFor returns the edit of each insertion by itself.
func (f Found) editsFor(at []runtimes.Insertion) (edits []Edit, err error) {
	for _, ins := range at {
		if len(ins.Words) == 0 {
			continue
		}
		if f.noInsert != nil {
			return nil, f.noInsert
		}
		if ins.Before < 0 || ins.Before > len(f.words) {
			return nil, reason.Refuse(reason.ShellQuoting, "there is no word %d in the program's command line", ins.Before)
		}
		if err := f.checkWords(ins); err != nil {
			return nil, err
		}
		p, behind := f.end, true
		if ins.Before < len(f.words) {
			p, behind = f.words[ins.Before].at, false
		}
		if p.why != "" && ins.Before > 0 && f.words[ins.Before-1].end.why == "" {
			p, behind = f.words[ins.Before-1].end, true
		}
		e, err := f.edit(p, behind, ins.Words)
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return edits, nil
}

// checkWords refuses words that would not arrive as they are.
func (f Found) checkWords(ins runtimes.Insertion) error {
	for i, w := range ins.Words {
		if !plain(w) {
			return reason.Refuse(reason.WordNeedsQuoting, "the word %q cannot be inserted without quotes", w)
		}
		for _, ok := range f.wordChecks {
			if !ok(w) {
				return reason.Refuse(reason.WordNeedsQuoting, "the word %q would be changed on its way to the program", w)
			}
		}
		if ins.Before == 0 && i == 0 && !commandWord(w) {
			return reason.Refuse(reason.WordNeedsQuoting, "the word %q would not be taken for a program", w)
		}
	}
	switch {
	case ins.Before > 0:
	case f.noFront != nil:
		return f.noFront
	case f.argv0 != "":
		return reason.Refuse(
			reason.Argv0Fixed, "%s gives the program another name, which a debugger in front of it would get", f.argv0)
	}
	return nil
}

// checkCount refuses more words than the launcher hands on.
func (f Found) checkCount(edits []Edit) error {
	if f.maxWords == 0 {
		return nil
	}
	n := len(f.line) + len(f.guards)
	for _, e := range edits {
		n += len(e.Words)
	}
	if n > f.maxWords {
		return reason.Refuse(reason.BuildpackForm, "the buildpacks launcher cannot give the program more than %d words",
			maxTokens)
	}
	return nil
}

// Assignable says whether Assign can set a variable, and to what it is set now ("" for nothing): an env on the way,
// behind which nothing changes or uses the variable, sets it to a known value, or unsets it.
func (f Found) Assignable(name string) (existing string, ok bool) {
	if f.assign.at == nil || f.assign.at.arg >= leadWord || f.noAssign != nil || f.Opaque || f.References[name] ||
		f.assign.since[name] {
		return "", false
	}
	now, assigned := f.Assigned[name]
	then, was := f.assign.assigned[name]
	if assigned != was || now != then || !now.Known && (assigned || !f.Cleared) {
		return "", false
	}
	return now.Value, true
}

// Assign returns the edit that sets a variable by one more word for env; it goes in front of Insert's edits. An error
// is a *reason.Refusal.
func (f Found) Assign(name, value string) (Edit, error) {
	w := name + "=" + value
	if _, ok := f.Assignable(name); !ok || f.assign.at.off >= 0 && !plain(w) {
		return Edit{}, reason.Refuse(reason.WordNeedsQuoting, "%s cannot be set where %s starts", name, f.Argv[0])
	}
	return f.edit(*f.assign.at, false, []string{w})
}

// edit puts words in front of, or behind, a place.
func (f Found) edit(p place, behind bool, words []string) (Edit, error) {
	if p.why != "" {
		return Edit{}, reason.Refuse(reason.ShellQuoting, "words cannot be put into %s", p.why)
	}
	if p.off < 0 {
		return Edit{Word: p.arg, Offset: -1, Words: slices.Clone(words)}, nil
	}
	from := p.arg
	if p.arg >= leadWord {
		from = -1
	} else if f.BaseFrom != nil {
		from = f.BaseFrom[p.arg]
	}
	if from >= 0 && f.unknownFrom != nil && f.unknownFrom[from] >= 0 && f.unknownFrom[from] < p.off {
		return Edit{}, reason.Refuse(reason.UnknownText,
			"a value that is not known here is part of the script in front of the program")
	}
	text := strings.Join(words, " ")
	switch {
	case !behind:
		text += " "
	case p.pad:
		text = " " + text + " "
	default:
		text = " " + text
	}
	return Edit{Word: p.arg, Offset: p.off, Text: text}, nil
}

// Apply returns the line with the edits made, for callers that hold the words themselves.
func Apply(line []string, edits []Edit) []string {
	texts := slices.Clone(line)
	for _, e := range slices.Backward(edits) {
		if e.Offset >= 0 {
			texts[e.Word] = texts[e.Word][:e.Offset] + e.Text + texts[e.Word][e.Offset:]
		}
	}
	var out []string
	for i := 0; i <= len(texts); i++ {
		for _, e := range edits {
			if e.Offset < 0 && e.Word == i {
				out = append(out, e.Words...)
			}
		}
		if i < len(texts) {
			out = append(out, texts[i])
		}
	}
	return out
}

// IsScript says whether a program is likely to be a shell script, by its name alone: a shell's file name extension, a
// name with "entrypoint" in it, or one of the names that scripts are commonly installed under without an extension.
func IsScript(program string) bool {
	name := strings.ToLower(path.Base(program))
	if language.ShellScript(name) {
		return true
	}
	switch path.Ext(name) {
	case ".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php", ".pex":
		return false // another interpreter's, whatever it is called
	}
	if strings.Contains(name, "entrypoint") {
		return true
	}
	return slices.Contains([]string{"start", "run", "init", "bootstrap", "launch", "gradlew", "mvnw"}, name)
}

// maxDepth bounds how many shells and launchers are followed, one inside the other; maxShells bounds the scripts among
// them, since a script may have to be read twice.
const (
	maxDepth  = 24
	maxShells = 6
)

type value struct {
	text  string
	known bool
	unset bool // known to be unset
}

// assignments is what env, the last one on the way, has assigned, and the place for one more: in front of its command.
type assignments struct {
	at       *place
	assigned map[string]Assignment
	since    map[string]bool // what is assigned behind it, be it to the value that it has
}

// finder is the state of one walk from the container's command line to the program.
type finder struct {
	in         Input
	line       []string
	base       []string
	baseFrom   []int
	vars       map[string]value // on top of the container's, which many may share
	onlyVars   bool             // the container's are gone
	assigned   map[string]Assignment
	references map[string]bool
	cleared    bool
	opaque     bool
	dir        string
	dirSet     bool
	dirKnown   bool
	via        []string
	rest       []Command
	argv0      string
	shells     int
	maxWords   int
	guards     []place
	atEnv      assignments
	noInsert   *reason.Refusal
	noFront    *reason.Refusal
	checks     []func(string) bool
	budget     *budget
	launchers  launcherTable

	leads        []lead
	shellIsThere bool // the words of the shell that runs a script are in the command line already
	decisions    []string
}

func newFinder(launchers launcherTable) *finder {
	return &finder{vars: map[string]value{}, assigned: map[string]Assignment{}, references: map[string]bool{},
		budget: &budget{}, launchers: launchers}
}

// clone copies what a walk changes, so that a script can be read in two dialects.
func (f *finder) clone() *finder {
	c := *f
	c.vars, c.assigned, c.references = maps.Clone(f.vars), maps.Clone(f.assigned), maps.Clone(f.references)
	c.via, c.rest = slices.Clip(f.via), slices.Clip(f.rest)
	c.checks, c.guards, c.leads = slices.Clip(f.checks), slices.Clip(f.guards), slices.Clip(f.leads)
	c.decisions = slices.Clip(f.decisions)
	c.atEnv.since = maps.Clone(f.atEnv.since)
	return &c
}

// follow unwraps words until they start with the program. end is the place behind the last word.
func (f *finder) follow(words []word, end place, depth int) (Found, error) {
	for ; ; depth++ {
		if depth > maxDepth {
			return Found{}, reason.Refuse(reason.TooDeep, "more than %d shells and launchers, one inside the other", maxDepth)
		}
		if err := checkFirst(words); err != nil {
			return Found{}, err
		}
		first := words[0]
		if !first.static {
			return f.dynamic(words, end)
		}
		name := path.Base(first.text)
		if depth == 0 {
			next, nextEnd, script, done, err := f.buildpack(words)
			if err != nil {
				return Found{}, err
			}
			if script != nil {
				return f.script(*script, depth+1)
			}
			if done {
				words, end = next, nextEnd
				continue
			}
		}
		if startsApplet(words) {
			f.via = append(f.via, "busybox")
			words = words[1:]
			continue
		}
		if isShell(name) {
			return f.shell(words, end, depth)
		}
		if err := unfollowed(words); err != nil {
			return Found{}, err
		}
		l, ok := f.launchers.named(first.text)
		if !ok || l.script {
			if file, known := f.fileOf(first); known {
				if len(file.Interpreter) > 0 {
					words = f.interpreted(words, file)
					continue
				}
				return f.program(words, end, file, depth), nil
			}
		}
		if !ok {
			f.behind(words)
			return f.found(words, end, IsScript(first.text)), nil
		}
		next, err := l.unwrap(f, words)
		if err != nil {
			return Found{}, err
		}
		if next == nil { // it is the program after all
			return f.found(words, end, IsScript(first.text)), nil
		}
		f.via = append(f.via, l.via(name))
		words = next
	}
}

// checkFirst refuses words that name no program.
func checkFirst(words []word) error {
	switch {
	case len(words) == 0:
		return reason.Refuse(reason.NoCommand, "there is no command to run")
	case !words[0].static:
	case words[0].text == "":
		return reason.Refuse(reason.NoCommand, "the command's first word is empty")
	case strings.HasSuffix(words[0].text, "/"):
		return reason.Refuse(reason.NoCommand, "the command %s names a directory", quote(words[0].text))
	}
	return nil
}

// dynamic is a program whose first word is put together when it runs: "$JAVA_HOME/bin/java" names it even when the
// directory is not known.
func (f *finder) dynamic(words []word, end place) (Found, error) {
	first := words[0]
	refusal := reason.Refuse(reason.ProgramDynamic, "what %s starts is only known when it runs", quote(first.text))
	if first.tail == "" {
		return Found{}, refusal
	}
	if !first.single && f.noInsert == nil {
		f.noInsert = refusal
	}
	return f.found(words, end, IsScript(first.tail)), nil
}

func (f *finder) found(words []word, end place, script bool) Found {
	noInsert := f.noInsert
	if script && noInsert == nil {
		noInsert = reason.Refuse(reason.ScriptProgram, "%s is a shell script, or is named like one: no debugger can run it",
			quote(words[0].text))
	}
	r := Found{
		DirKnown: f.dirKnown, Assigned: f.assigned, Cleared: f.cleared, Opaque: f.opaque, References: f.references,
		Script: script, Via: f.via, Rest: f.rest, Base: f.base, BaseFrom: f.baseFrom, words: words, end: end, line: f.line,
		argv0: f.argv0,
		leads: f.leads, in: f.in, decisions: f.decisions,
		assign: f.atEnv, noInsert: noInsert, noFront: f.noFront, noAssign: f.noInsert, guards: f.guards, maxWords: f.maxWords,
		wordChecks: f.checks, unknownFrom: f.in.UnknownFrom,
	}
	if f.dirSet && f.dirKnown {
		r.Dir = f.dir
	}
	for _, w := range words {
		r.Argv = append(r.Argv, w.text)
		r.Static = append(r.Static, w.static)
	}
	return r
}

// fileOf is file, for programs whose names do not say what they are, and only where the file does.
func (f *finder) fileOf(w word) (files.File, bool) {
	if l, launches := f.launchers.named(w.text); f.launchers.knownProgram(w.text) && !(launches && l.script) {
		return files.File{}, false
	}
	file, known := f.file(w)
	return file, known && file.Says()
}

// program is the program that a command line starts, whose file is known: behind it, where it is a shell script that
// can be followed.
func (f *finder) program(words []word, end place, file files.File, depth int) Found {
	if shell := files.ShellWords(file.Script); shell != nil {
		if found, err := f.scriptFile(words, end, file, shell, depth); err == nil {
			return found
		}
	}
	if dir := dirOf(words[0].text, file); dir != "" && file.Script == "" {
		f.addLead(lead{at: words[0].at, dir: dir, text: -1})
	}
	if file.Script != "" {
		f.behind(words)
	}
	found := f.found(words, end, file.Script != "")
	found.File = &file
	if file.Script != "" {
		found.Within = f.within(words, end, file, files.ShellWords(file.Script))
	}
	return found
}

// chdir records a change of directory to the word's value.
func (f *finder) chdir(to string, known bool) {
	f.dirSet = true
	switch {
	case !known || to == "" || to == "-":
		f.dirKnown = false
	case path.IsAbs(to):
		f.dir, f.dirKnown = path.Clean(to), true
	case f.dirKnown && f.budget.take(len(f.dir)/16): // each step costs more than the last
		f.dir = path.Join("/", f.dir, to)
	}
}

// assign records that a variable gets a value on the way.
func (f *finder) assign(name string, a Assignment) {
	if old, ok := f.assigned[name]; ok && a.Keeps {
		// It extends what an earlier step made of it.
		a.Keeps = old.Keeps
	} else if a.Keeps && f.cleared {
		a.Keeps = false
	}
	// What a variable may hold grows with each step, so that each costs more than the last.
	if old := f.assigned[name]; !a.Known && f.budget.take((len(old.Value)+len(old.Text)+len(a.Text))/16) {
		a.Text = strings.TrimSpace(old.Value + old.Text + " " + a.Text)
		a.Perhaps = a.Perhaps || old.Perhaps
	}
	if f.atEnv.since != nil {
		f.atEnv.since[name] = true
	}
	f.assigned[name] = a
	f.vars[name] = value{text: a.Value, known: a.Known, unset: a.Unset}
}

// variable is what is known of a variable here, and whether it is set for certain, or may be.
func (f *finder) variable(name string) (value, bool) {
	if v, ok := f.vars[name]; ok || f.onlyVars {
		return v, ok
	}
	if f.in.Unknown[name] {
		return value{}, true
	}
	text, ok := f.in.Env[name]
	return value{text: text, known: ok}, ok
}

// forget says that something may have set any variable.
func (f *finder) forget() {
	f.opaque = true
	f.vars, f.onlyVars = map[string]value{}, true
	if !f.budget.take(len(f.assigned)) {
		return
	}
	for name, a := range f.assigned {
		f.assigned[name] = Assignment{Keeps: a.Keeps, Text: a.Value + a.Text, Perhaps: a.Perhaps}
	}
}

// quote shortens text for a message.
func quote(s string) string {
	if len(s) > 60 {
		s = s[:57] + "..."
	}
	return fmt.Sprintf("%q", s)
}
