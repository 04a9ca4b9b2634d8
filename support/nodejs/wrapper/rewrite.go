package main

import (
	_ "embed"
	"path"
	"strings"

	"debuggable.dev/debuggable/runtimes/nodejs/grammar"
)

const (
	optionsVar = "NODE_OPTIONS"
	// inspectVar holds inspector options, separated by spaces, that wait for the application to be started.
	inspectVar = "DEBUGGABLE_NODE_INSPECT"
)

// rewrite returns the command line and the environment for the real node. Where no inspector is asked for, they are
// the ones given. The preload is the path of attach.cjs, "" where there is none; resolve returns the real path of a
// script.
func rewrite(argv, environ []string, preload string, resolve func(string) string) (newArgv, newEnv []string) {
	line := parse(argv)
	options, hasOptions := lookup(environ, optionsVar)
	fromEnv, rest := takeInspect(options, preload)
	waiting, _ := lookup(environ, inspectVar)

	// The command line outweighs NODE_OPTIONS, as it does for node itself.
	inspect := line.inspect
	if len(inspect) == 0 {
		inspect = fromEnv
	}
	if len(inspect) == 0 {
		inspect = strings.Fields(waiting)
	}
	if len(inspect) == 0 {
		return argv, environ
	}

	env := without(environ, inspectVar)
	if line.last(resolve) {
		if hasOptions && rest != options {
			env = set(env, optionsVar, rest)
		}
		if len(line.inspect) > 0 || line.script == "" {
			return argv, env
		}
		newArgv = append(append(newArgv, argv[0]), inspect...)
		return append(newArgv, argv[1:]...), env
	}

	newArgv = append(append(newArgv, argv[0]), line.options...)
	newArgv = append(newArgv, line.rest...)
	if preload != "" {
		rest = strings.TrimRight("--require "+quote(preload)+" "+rest, " ")
	}
	if rest != options {
		env = set(env, optionsVar, rest)
	}
	return newArgv, append(env, inspectVar+"="+strings.Join(inspect, " "))
}

// isApplication reports whether a script is one that a user would debug: not a package manager, and nothing that was
// installed as a dependency. The list is shared with attach.cjs.
func isApplication(script string) bool {
	slashed := strings.ReplaceAll(script, `\`, "/")
	if strings.Contains(slashed, "/node_modules/") {
		return false
	}
	name := path.Base(slashed)
	for _, tool := range strings.Fields(tools) {
		if matched, err := path.Match(tool, name); err == nil && matched {
			return false
		}
	}
	return true
}

// tools holds patterns of the file names of tools that are also installed outside of node_modules.
//
//go:embed tools.txt
var tools string

// commandLine is a command line of node, taken apart.
type commandLine struct {
	options []string // node's own, without the inspector's
	inspect []string // the inspector's
	script  string   // the script that is run, "" where none is
	instead string   // the option by which node does something else than to run a script: -e, --test
	rest    []string // from the script on, or from the "--" in front of it
}

// parse takes a command line apart by node's rules: options come first, each with its value behind "=" or, for those
// of grammar.TakesValue, in the next word.
func parse(argv []string) commandLine {
	var line commandLine
	i := 1
	for ; i < len(argv); i++ {
		word := argv[i]
		if word == "--" || word == "-" || !strings.HasPrefix(word, "-") {
			break
		}
		name, _, hasValue := strings.Cut(word, "=")
		words := argv[i : i+1]
		if !hasValue && grammar.TakesValue(name) && i+1 < len(argv) {
			words = argv[i : i+2]
			i++
		}
		if isInspect(name) {
			line.inspect = append(line.inspect, words...)
		} else {
			line.options = append(line.options, words...)
		}
		if runsNoScript(name) {
			line.instead = name
		}
	}
	if i >= len(argv) {
		return line
	}
	line.rest = argv[i:]
	script := argv[i]
	if script == "--" && i+1 < len(argv) {
		script = argv[i+1]
	}
	// "-" reads the program from the standard input; `node inspect` is the command-line debugger.
	if line.instead == "" && script != "-" && script != "--" && script != "inspect" {
		line.script = script
	}
	return line
}

// last reports whether nothing that this process starts is to be inspected: because it runs the application, because it
// was itself told to inspect something else than a script (`node --inspect -e CODE`), or because it only tests or
// checks.
func (line commandLine) last(resolve func(string) string) bool {
	if line.script != "" {
		return isApplication(resolve(line.script))
	}
	switch line.instead {
	case "--test", "-c", "--check":
		return true
	case "--run": // a script of package.json's
		return false
	}
	return len(line.inspect) > 0
}

// isInspect reports whether an option belongs to the inspector.
func isInspect(name string) bool {
	switch name {
	case "--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port", "--debug-port", "--inspect-publish-uid":
		return true
	}
	return false
}

// runsNoScript reports whether with an option node does something else than to run a script from a file: its words
// after the options are arguments, or tests.
func runsNoScript(name string) bool {
	switch name {
	case "-e", "--eval", "-p", "--print", "-pe", "-v", "--version", "-h", "--help", "-c", "--check", "--test", "--run",
		"--v8-options", "--completion-bash", "--prof-process", "--build-snapshot", "--experimental-sea-config":
		return true
	}
	return false
}

// takeInspect takes the inspector's options, and the one that loads preload, out of a NODE_OPTIONS value. The other
// options stay as they are written. The value is returned untouched where there is nothing to take.
func takeInspect(options, preload string) (inspect []string, rest string) {
	words := splitOptions(options)
	var kept []string
	taken := false
	for i := 0; i < len(words); i++ {
		name, _, hasValue := strings.Cut(words[i].value, "=")
		takes := !hasValue && grammar.TakesValue(name) && i+1 < len(words)
		switch {
		case isInspect(name):
			taken = true
			inspect = append(inspect, words[i].value)
			if takes {
				i++
				inspect = append(inspect, words[i].value)
			}
		case name == "--require" && takes && preload != "" && words[i+1].value == preload:
			taken = true
			i++
		default:
			kept = append(kept, words[i].text)
			if takes {
				i++
				kept = append(kept, words[i].text)
			}
		}
	}
	if !taken {
		return nil, options
	}
	return inspect, strings.Join(kept, " ")
}

// option is a word of NODE_OPTIONS, as written and as meant.
type option struct{ text, value string }

// splitOptions splits a NODE_OPTIONS value as node does (ParseNodeOptionsEnvVar): at spaces outside of double quotes;
// within quotes a backslash takes the next character as it is.
func splitOptions(s string) []option {
	var words []option
	var text, value strings.Builder
	quoted := false
	flush := func() {
		if text.Len() > 0 {
			words = append(words, option{text.String(), value.String()})
		}
		text.Reset()
		value.Reset()
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ' ' && !quoted:
			flush()
			continue
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted && i+1 < len(s):
			text.WriteByte(c)
			i++
			c = s[i]
			value.WriteByte(c)
		default:
			value.WriteByte(c)
		}
		text.WriteByte(c)
	}
	flush()
	return words
}

// quote writes a word so that splitOptions gives it back.
func quote(word string) string {
	if !strings.ContainsAny(word, ` "\`) {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

func lookup(environ []string, name string) (string, bool) {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// set returns the environment with a variable changed; an empty value removes it.
func set(environ []string, name, value string) []string {
	env := without(environ, name)
	if value == "" {
		return env
	}
	return append(env, name+"="+value)
}

func without(environ []string, name string) []string {
	var env []string
	for _, e := range environ {
		if !strings.HasPrefix(e, name+"=") {
			env = append(env, e)
		}
	}
	return env
}
