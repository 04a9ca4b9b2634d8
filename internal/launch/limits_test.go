package launch

import (
	"errors"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

// What cannot be inserted because of what reads the line before the program does.
func TestInsertLimits(t *testing.T) {
	label := func(command string) map[string]string {
		return map[string]string{buildMetadata: `{"processes":[{"type":"web","command":` + command +
			`,"args":null,"direct":false,"buildpackID":"x"}],"buildpacks":[{"id":"x","api":"0.10"}]}`}
	}
	quoted := func(words string) string { return `["` + strings.ReplaceAll(words, " ", `","`) + `"]` }
	insert := []runtimes.Insertion{{Before: 0, Words: []string{"/dbg/launcher", "--port", "1", "--"}}}
	for name, c := range map[string]struct {
		argv   string
		labels map[string]string
		reason string // "" for none
		want   string // the line after the insertion
	}{
		"ten words one by one": {"/cnb/lifecycle/launcher python a.py b c d e", nil, "",
			"/cnb/lifecycle/launcher|/dbg/launcher|--port|1|--|python|a.py|b|c|d|e"},
		"eleven words one by one": {"/cnb/lifecycle/launcher python a.py b c d e f", nil, "BuildpackForm", ""},
		"words of the image": {"/cnb/process/web", label(quoted("python a.py it's & c")), "",
			"/cnb/lifecycle/launcher|/dbg/launcher --port 1 -- python a.py 'it'\\''s' '&' c"},
		"a word that bash reads":   {"/cnb/process/web", label(quoted("python a.py $HOME b c d e")), "BuildpackForm", ""},
		"catatonit and no option":  {"catatonit python -", nil, "", "catatonit|--|/dbg/launcher|--port|1|--|python|-"},
		"catatonit eats the first": {"catatonit python a.py -- b", nil, "LauncherUnknownOption", ""},
		"catatonit eats its own":   {"catatonit catatonit -g python", nil, "LauncherUnknownOption", ""},
	} {
		t.Run(name, func(t *testing.T) {
			argv := strings.Fields(c.argv)
			found, err := Find(Input{Argv: argv, Labels: c.labels})
			if err != nil {
				t.Fatal(err)
			}
			edits, err := found.Insert(insert)
			var refusal *reason.Refusal
			if errors.As(err, &refusal); (refusal == nil) != (c.reason == "") || refusal != nil &&
				string(refusal.Code) != c.reason {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
			if err != nil {
				return
			}
			line := argv
			if found.Base != nil {
				line = found.Base
			}
			if got := strings.Join(Apply(line, edits), "|"); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if found, err := Find(Input{Argv: []string{"sh", "-c", `set -- --x; catatonit python a.py "$@"`}}); err != nil {
		t.Error(err)
	} else if edits, err := found.Insert(insert); err == nil {
		t.Errorf("catatonit may take what stands for $@ for its own, but got %v", edits)
	}
	if _, err := Find(Input{Argv: []string{"/cnb/process/web"},
		Labels: label(`["bash","-c","exec python \"$X\""]`)}); err == nil || !strings.Contains(err.Error(), "once before") {
		t.Errorf("a script that bash reads twice: got %v", err)
	}
}

// A wildcard behind a backslash is none: what the word is worth is certain.
func TestEscapedWildcards(t *testing.T) {
	for script, want := range map[string]string{
		`java -agentlib\:jdwp\=address\=\*\:8000 x`: "-agentlib:jdwp=address=*:8000",
		`java \[a\] x`:   "[a]",
		`java \{a,b\} x`: "{a,b}",
		`java \\* x`:     "",
		`java a* x`:      "",
	} {
		for _, shell := range []string{"sh", "bash"} {
			found, err := Find(Input{Argv: []string{shell, "-c", script}})
			if err != nil {
				t.Fatal(err)
			}
			if certain := want != ""; found.Static[1] != certain || certain && found.Argv[1] != want {
				t.Errorf("%s %s: got %q, certain: %v", shell, script, found.Argv[1], found.Static[1])
			}
		}
	}
}
