package launch

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/internal/reason"
)

// The Cloud Native Buildpacks launcher, as the platform specification and the lifecycle's launch package have it
// (github.com/buildpacks/spec platform.md, github.com/buildpacks/lifecycle launch/process.go, cmd/launcher):
//
//   - Platform API before 0.4: the launcher runs the process type that its only argument names; without arguments the
//     one in CNB_PROCESS_TYPE, else "web"; with other arguments those. 0.4 and later: the name that it is called by
//     (/cnb/process/web) chooses the type, whose process gets the arguments; called by its own name it runs its
//     arguments.
//   - Arguments that start with "--" are run directly. Others, and processes that are not "direct", are run by bash,
//     after the profile scripts: a single word is a script, several words are each expanded as if within double quotes.
//     Buildpacks before API 0.4 have scripts with arguments too.
//   - A process's command may be a list (buildpack API 0.9): its arguments are kept, while user arguments replace
//     "args". For older buildpacks, and before platform API 0.10, user arguments are appended.
//   - The label does not have the buildpacks' APIs (GroupElement in the lifecycle's buildpack package); what it has may
//     show them: a command of several words is of API 0.9 or later, a process that is not direct of an earlier one.
const (
	cnbLauncher    = "/cnb/lifecycle/launcher"
	cnbProcessDir  = "/cnb/process"
	buildMetadata  = "io.buildpacks.build.metadata"
	defaultProcess = "web"
	defaultAppDir  = "/workspace"
	// defaultPlatformAPI is what launchers take without CNB_PLATFORM_API.
	defaultPlatformAPI = "0.3"
)

type cnbMetadata struct {
	Processes  []cnbProcess `json:"processes"`
	Buildpacks []struct {
		ID  string `json:"id"`
		API string `json:"api"`
	} `json:"buildpacks"`
}

// Labels keeps what buildpacks' labels say, so that one which many containers have is read once. It is not for use by
// several at a time; nil reads each time.
type Labels struct{ read map[string]readLabel }

type readLabel struct {
	meta cnbMetadata
	err  error
}

// metadata reads a label; "" says nothing.
func (l *Labels) metadata(label string) (cnbMetadata, error) {
	if label == "" {
		return cnbMetadata{}, nil
	}
	if l != nil {
		if r, done := l.read[label]; done {
			return r.meta, r.err
		}
	}
	var r readLabel
	r.err = json.Unmarshal([]byte(label), &r.meta)
	if l != nil {
		if l.read == nil {
			l.read = map[string]readLabel{}
		}
		l.read[label] = r
	}
	return r.meta, r.err
}

type cnbProcess struct {
	Type       string     `json:"type"`
	Command    stringList `json:"command"`
	Args       []string   `json:"args"`
	Direct     bool       `json:"direct"`
	Buildpack  string     `json:"buildpackID"`
	WorkingDir string     `json:"working-dir"`
}

// stringList reads a string as a list of one.
type stringList []string

func (l *stringList) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*l = []string{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// buildpack follows the buildpacks launcher, when words start with it: to the words of a direct or a tokenised process,
// or to a script for bash. ok is false when it is another program.
func (f *finder) buildpack(words []word) (rest []word, end place, script *invocation, ok bool, err error) {
	called, isLauncher := f.cnbName(words[0].text)
	if !isLauncher {
		return nil, end, nil, false, nil
	}
	for _, w := range words {
		if !w.single {
			return nil, end, nil, false, reason.Refuse(reason.BuildpackForm,
				"the arguments of the buildpacks launcher are only known when it runs")
		}
	}
	label := f.in.Labels[buildMetadata]
	meta, err := f.in.Read.metadata(label)
	if err != nil {
		return nil, end, nil, false, reason.Refuse(reason.BuildpackMetadata, "the image's label %s cannot be read",
			buildMetadata)
	}
	api, err := f.cnbAPI(called)
	if err != nil {
		return nil, end, nil, false, err
	}

	f.via = append(f.via, words[0].text)
	f.forget() // layers and profile scripts set variables
	appDir := f.in.Env["CNB_APP_DIR"]
	if appDir == "" {
		appDir = defaultAppDir
	}
	f.chdir(appDir, true)

	p, user, err := f.cnbChosen(meta, called, api, words[1:])
	if err != nil {
		return nil, end, nil, false, err
	}
	if p == nil {
		return f.cnbUser(user)
	}
	if len(p.Command) == 0 || p.Command[0] == "" {
		return nil, end, nil, false, reason.Refuse(reason.BuildpackMetadata, "the buildpack process %s has no command",
			p.Type)
	}
	args, unsure, err := f.cnbArgs(*p, meta, api, user)
	if err != nil {
		return nil, end, nil, false, err
	}
	return f.cnbKnown(*p, meta, appDir, args, user, unsure)
}

// cnbAPI is the version of the platform's interface that the launcher follows.
func (f *finder) cnbAPI(called string) (string, error) {
	for _, name := range []string{"CNB_PLATFORM_API", "CNB_PROCESS_TYPE", "CNB_APP_DIR"} {
		if f.in.Unknown[name] {
			return "", reason.Refuse(reason.BuildpackMetadata, "the value of %s is not known", name)
		}
	}
	api := f.in.Env["CNB_PLATFORM_API"]
	if api == "" {
		api = defaultPlatformAPI
		if called != "launcher" {
			api = "0.4" // the links in /cnb/process came with it
		}
	}
	if _, _, valid := apiVersion(api); !valid {
		return "", reason.Refuse(reason.BuildpackMetadata, "CNB_PLATFORM_API=%s is no version", api)
	}
	return api, nil
}

// cnbChosen is the process that the launcher starts, and what the user gives it; nil for a command that stands in the
// line itself.
func (f *finder) cnbChosen(meta cnbMetadata, called, api string, user []word) (*cnbProcess, []word, error) {
	if !apiLess(api, "0.4") {
		p := meta.process(called)
		if p == nil && called != "launcher" {
			return nil, nil, meta.missing(called)
		}
		return p, user, nil
	}
	wanted := ""
	switch {
	case len(user) == 0:
		if wanted = f.in.Env["CNB_PROCESS_TYPE"]; wanted == "" {
			wanted = defaultProcess
		}
	case len(user) == 1 && !user[0].static:
		return nil, nil, reason.Refuse(reason.BuildpackProcess,
			"which process the buildpacks launcher starts is only known when it runs")
	case len(user) == 1:
		wanted = user[0].text
	}
	if wanted != "" {
		if p := meta.process(wanted); p != nil {
			return p, nil, nil
		}
	}
	if len(user) == 0 {
		return nil, nil, meta.missing(wanted)
	}
	return nil, user, nil
}

// cnbArgs are the arguments of a process. unsure says that its own may not be among them.
func (f *finder) cnbArgs(
	p cnbProcess, meta cnbMetadata, api string, user []word,
) (args []string, unsure bool, err error) {
	args = slices.Concat(p.Command[1:], p.Args)
	if len(user) > 0 && !apiLess(api, "0.10") {
		bp := meta.buildpackAPI(p.Buildpack)
		switch {
		case len(p.Command) > 1 || bp != "" && !apiLess(bp, "0.9"):
			args = slices.Clone(p.Command[1:]) // what the user says replaces the process's own arguments
		case bp == "" && p.Direct && len(p.Args) > 0:
			refusal := reason.Refuse(reason.BuildpackMetadata,
				"the image's label does not say whether the arguments of the buildpack process %s are replaced or extended", p.Type)
			if _, launches := f.launchers.named(p.Command[0]); launches || isShell(path.Base(p.Command[0])) {
				return nil, false, refusal
			}
			unsure, f.noInsert = true, refusal
		}
	}
	for _, u := range user {
		args = append(args, u.text)
	}
	return args, unsure, nil
}

// cnbName says whether a program is the launcher, and the name that it goes by.
func (f *finder) cnbName(program string) (string, bool) {
	if program == cnbLauncher {
		return "launcher", true
	}
	if path.Dir(program) == cnbProcessDir {
		return path.Base(program), true
	}
	if !strings.Contains(program, "/") && f.in.Labels[buildMetadata] != "" {
		for _, dir := range strings.Split(f.in.Env["PATH"], ":") {
			switch dir {
			case cnbProcessDir:
				if meta, err := f.in.Read.metadata(f.in.Labels[buildMetadata]); err == nil && meta.process(program) != nil {
					return program, true
				}
			case path.Dir(cnbLauncher):
				if program == "launcher" {
					return program, true
				}
			default:
				return "", false // a program of that name may stand in front
			}
		}
	}
	return "", false
}

// cnbUser follows a command that is written in the line itself.
func (f *finder) cnbUser(user []word) ([]word, place, *invocation, bool, error) {
	end := place{arg: len(f.line), off: -1}
	switch {
	case len(user) == 0:
		return nil, end, nil, false, reason.Refuse(reason.BuildpackProcess, "the buildpacks launcher has no command to run")
	case len(user) > 1 && user[0].static && user[0].text == "--":
		return user[1:], end, nil, true, nil
	case !user[0].static:
		return nil, end, nil, false, reason.Refuse(reason.BuildpackProcess,
			"what the buildpacks launcher starts is only known when it runs")
	case len(user) == 1:
		return nil, end, f.cnbScript(user[0], nil, nil, end), true, nil
	}
	return f.tokens(user), end, nil, true, nil
}

// lastOf says of each of n words whether it is one of the last in the line, and which, since the user gave it; -1 for
// the others.
func lastOf(n, given, line int) []int {
	from := make([]int, n)
	for i := range from {
		if from[i] = -1; i >= n-given {
			from[i] = i - n + line
		}
	}
	return from
}

// markUnknown gives the last words the marks of what the user gave, which may hold values that are not known.
func markUnknown(words, user []word) {
	for i, u := range user {
		if w := &words[len(words)-len(user)+i]; !u.static {
			w.static, w.known = false, u.known
		}
	}
}

// cnbKnown follows a process of the image, and writes it as a command line that the launcher understands. unsure says
// that its arguments are not certain.
func (f *finder) cnbKnown(
	p cnbProcess, meta cnbMetadata, appDir string, args []string, user []word, unsure bool,
) ([]word, place, *invocation, bool, error) {
	cmd := p.Command[0]
	dir := appDir
	if p.WorkingDir != "" {
		f.chdir(p.WorkingDir, true)
		if dir = p.WorkingDir; !path.IsAbs(dir) {
			dir = path.Join(appDir, dir)
		}
	}
	if path.Clean(dir) != path.Clean(appDir) {
		f.noInsert = reason.Refuse(reason.BuildpackForm, "the buildpack process %s has a working directory of its own, "+
			"which another command line cannot give it", p.Type)
	}
	f.base = []string{cnbLauncher}
	if p.Direct {
		f.base = append(f.base, "--")
	}
	f.base = append(append(f.base, cmd), args...)
	f.line = f.base
	f.baseFrom = lastOf(len(f.base), len(user), len(f.in.Argv))
	words, end := argvWords(f.base, nil)
	markUnknown(words, user)
	for i := len(words) - len(args); unsure && i < len(words); i++ {
		words[i].static, words[i].known = false, 0
	}
	if p.Direct {
		return words[2:], end, nil, true, nil
	}
	if len(args) == 0 {
		return nil, end, f.cnbScript(words[1], nil, nil, end), true, nil
	}
	if api := meta.buildpackAPI(p.Buildpack); p.Buildpack != "" && api != "" && apiLess(api, "0.4") {
		f.noInsert = reason.Refuse(reason.BuildpackForm,
			"the buildpack process %s is a script with arguments, which another command line cannot say", p.Type)
		return nil, end, f.cnbScript(words[1], &words[2], words[3:], end), true, nil
	} else if p.Buildpack != "" && api == "" &&
		!plain(cmd) { // a single word would make no use of the arguments as a script
		f.noInsert = reason.Refuse(reason.BuildpackMetadata,
			"the image's label does not say which API the buildpack of process %s has", p.Type)
	}
	tokens := f.tokens(words[1:])
	if script, ok := scriptOf(tokens); ok && len(tokens) <= maxTokens && len(tokens)+mostInserted > maxTokens &&
		f.noInsert == nil {
		// A script with the same words may have as many as it likes.
		f.base = []string{cnbLauncher, script}
		f.line, f.baseFrom, f.maxWords = f.base, []int{-1, -1}, 0
		words, end := argvWords(f.base, nil)
		return nil, end, f.cnbScript(words[1], nil, nil, end), true, nil
	}
	return tokens, end, nil, true, nil
}

// mostInserted is more words than any debugger needs.
const mostInserted = 9

// scriptOf writes words that bash takes one by one as a script, if nothing changes them on the way: in "eval echo
// \"$1\"" the shell splits $1 at blanks and expands wildcards in it.
func scriptOf(tokens []word) (string, bool) {
	var quoted []string
	for i, t := range tokens {
		if !t.static || i == 0 && !(plain(t.text) && commandWord(t.text)) || strings.ContainsAny(t.text, "\t\n*?[") ||
			strings.Contains(t.text, "  ") {
			return "", false
		}
		if text := t.text; plain(text) {
			quoted = append(quoted, text)
		} else {
			quoted = append(quoted, "'"+strings.ReplaceAll(text, "'", `'\''`)+"'")
		}
	}
	return strings.Join(quoted, " "), true
}

func (f *finder) cnbScript(script word, zero *word, params []word, end place) *invocation {
	f.via = append(f.via, "bash -c")
	return &invocation{langs: []syntax.LangVariant{syntax.LangBash}, script: script, zero: zero, params: params, end: end,
		via: "the buildpacks launcher"}
}

// maxTokens is how many words bash can be given one by one: the launcher writes "$10" for the eleventh, which bash
// reads as "${1}0" (bashCommandWithTokens in the lifecycle's launch/bash.go).
const maxTokens = 10

// tokens marks the words that bash expands one by one, each as if by echo within double quotes.
func (f *finder) tokens(words []word) []word {
	out := slices.Clone(words)
	for i := range out {
		if n := strings.IndexAny(out[i].text, "$`\"\\"); n >= 0 || echoOption(out[i].text) {
			out[i].static, out[i].known, out[i].mangled = false, max(n, 0), true
		}
	}
	f.maxWords = len(f.line) - len(words) + maxTokens
	f.checks = append(f.checks, func(w string) bool { return !echoOption(w) })
	return out
}

// echoOption says whether echo would swallow a word.
func echoOption(w string) bool {
	return len(w) > 1 && w[0] == '-' && strings.Trim(w[1:], "neE") == ""
}

func (m cnbMetadata) process(kind string) *cnbProcess {
	for i := range m.Processes {
		if m.Processes[i].Type == kind {
			return &m.Processes[i]
		}
	}
	return nil
}

func (m cnbMetadata) missing(kind string) error {
	if len(m.Processes) == 0 {
		return reason.Refuse(reason.BuildpackMetadata, "the image's label %s has no processes", buildMetadata)
	}
	return reason.Refuse(reason.BuildpackProcess, "the image has no buildpack process %s", quote(kind))
}

func (m cnbMetadata) buildpackAPI(id string) string {
	for _, bp := range m.Buildpacks {
		if bp.ID == id {
			return bp.API
		}
	}
	return ""
}

func apiVersion(v string) (major, minor int, ok bool) {
	a, b, _ := strings.Cut(v, ".")
	major, err := strconv.Atoi(a)
	if err != nil {
		return 0, 0, false
	}
	if b == "" {
		return major, 0, true
	}
	minor, err = strconv.Atoi(b)
	return major, minor, err == nil
}

func apiLess(a, b string) bool {
	am, an, _ := apiVersion(a)
	bm, bn, _ := apiVersion(b)
	return am < bm || am == bm && an < bn
}
