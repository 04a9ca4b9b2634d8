package launch

import (
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

// imageFiles are the files of an image: scripts begin with #!, "go" and "native" are programs, anything else is data.
// What is not listed is not there.
type imageFiles map[string]string

func (m imageFiles) Find(paths []string) (files.File, bool) {
	for _, p := range paths {
		text, ok := m[p]
		if !ok {
			continue
		}
		f := files.File{Path: p}
		switch text {
		case "go":
			f.Go = &files.Go{Version: "go1.26.1"}
		case "native":
			f.Native = true
		default:
			f.Script, f.Interpreter = files.ReadScript([]byte(text))
		}
		return f, true
	}
	return files.File{}, false
}

func (m imageFiles) Exists(paths []string) (there, known bool) {
	_, there = m.Find(paths)
	return there, true
}

// TestScriptFiles: what a script of the image starts, and where the debugger /d goes: in front of the program, with
// "--" behind it where there are arguments. A copied script is shown by its text.
func TestScriptFiles(t *testing.T) {
	const entry = "#!/bin/sh\n"
	for name, c := range map[string]struct {
		script string
		argv   string
		want   string // the program and its words
		edited string // the command line, words in ⟨⟩ where they have spaces; or a reason
	}{
		"exec":           {"exec \"$@\"", "/e /app a", "/app a", "/e /d /app -- a"},
		"a name":         {"exec \"$@\"", "/e app a", "app a", "/e /d /bin/app -- a"},
		"launcher":       {"exec gosu x \"$@\"", "/e app a", "app a", "/e /d /bin/app -- a"},
		"itself":         {"exec /app \"$@\"", "/e a", "/app a", "/bin/sh -c ⟨exec /d /app -- \"$@\"⟩ /e a"},
		"itself by name": {"exec app", "/e", "app", "/bin/sh -c ⟨exec /d /bin/app⟩ /e"},
		"set in a branch": {"if [ \"$1\" = x ]; then set -- /app \"$@\"; fi\nexec \"$@\"", "/e x", "/app x",
			"/bin/sh -c ⟨if [ \"$1\" = x ]; then set -- /app -- \"$@\"; fi exec /d \"$@\"⟩ /e x"},
		"case": {"case \"$1\" in\nx) shift; set -- /app --x \"$@\" ;;\nesac\nexec \"$@\"", "/e x",
			"/app --x", "/bin/sh -c ⟨case \"$1\" in x) shift; set -- /app -- --x \"$@\" ;; esac exec /d \"$@\"⟩ /e x"},
		"a branch of its own": {"if [ \"$1\" = /app ]; then setup; fi\nexec \"$@\"", "/e /app", "/app",
			"/bin/sh -c ⟨if [ \"$1\" = /app ]; then setup; fi exec /d \"$@\"⟩ /e /app"},
		"with arguments": {"if [ \"$1\" = app ]; then setup; fi\nexec \"$@\"", "/e app a", "app a",
			"ShellConditional"},
		"a branch not taken": {"if [ \"$1\" = b ]; then exec b; fi\nexec \"$@\"", "/e app", "app", "/e /d /bin/app"},
		"not decided": {"if [ \"$(id -u)\" = 0 ]; then exec gosu x \"$@\"; fi\nexec \"$@\"", "/e app", "/e app",
			"ScriptProgram"},
		"decided all the same": {"if [ \"$1\" = b ] && [ \"$(id -u)\" = 0 ]; then exec b; fi\nexec \"$@\"", "/e /app",
			"/app", "/e /d /app"},
		"options of the first": {"[ \"${1#-}\" != \"$1\" ] && set -- app \"$@\"\nexec \"$@\"", "/e -x", "app -x",
			"/bin/sh -c ⟨[ \"${1#-}\" != \"$1\" ] && set -- /d /bin/app \"$@\" exec \"$@\"⟩ /e -- -x"},
		"number of parameters": {"if [ $# -eq 0 ]; then set -- /app; fi\nexec \"$@\"", "/e", "/app",
			"/bin/sh -c ⟨if [ $# -eq 0 ]; then set -- /app; fi exec /d \"$@\"⟩ /e"},
		"a file that is there": {"if [ -f /app ]; then exec b; fi\nexec \"$@\"", "/e /app", "/e /app", "ScriptProgram"},
		"one that is not":      {"if [ -f /no ]; then exec b; fi\nexec \"$@\"", "/e /app", "/app", "/e /d /app"},
		"a program that is not": {"if ! command -v no >/dev/null 2>&1; then exec /app; fi\nexec b", "/e", "/app",
			"/bin/sh -c ⟨if ! command -v no >/dev/null 2>&1; then exec /d /app; fi exec b⟩ /e"},
		"asks": {"cd $BASH_SOURCE\nexec /app", "/e", "/app", "ScriptProgram"},
		"looks at them twice": {"echo \"$@\"\nexec \"$@\"", "/e /app", "/app",
			"/bin/sh -c ⟨echo \"$@\" exec /d \"$@\"⟩ /e /app"},
		"with a shell in front": {"exec /app", "sh /e", "/app", "sh -c ⟨exec /d /app⟩ /e"},
		"with tini in front":    {"exec /app", "tini -- /e", "/app", "tini -- /bin/sh -c ⟨exec /d /app⟩ /e"},
		"in a shell's script":   {"exec \"$@\"", "sh -c ⟨exec /e /app a⟩", "/app a", "sh -c ⟨exec /e /d /app -- a⟩"},
		"a script in a script":  {"exec /app", "sh -c ⟨exec /e⟩", "/app", "ShellQuoting"},
		"shift":                 {"cd \"$1\"; shift\nexec \"$@\"", "/e /x /app", "/e /x /app", "ScriptProgram"},
		"shift alone":           {"shift\nexec \"$@\"", "/e /x /app", "/app", "/e /x /d /app"},
		"looked at before":      {"Y=$1\nset -- /app\nexec \"$@\"", "/e /x", "/e /x", "ScriptProgram"},
		"looked at afterwards": {"set -- /app\nY=$1\nexec /app", "/e /x", "/app",
			"/bin/sh -c ⟨set -- /app Y=$1 exec /d /app⟩ /e /x"},
		"shift in a loop": {"while [ $# -gt 1 ]; do shift; done\nexec \"$@\"", "/e /x /app", "/e /x /app",
			"ScriptProgram"},
	} {
		t.Run(name, func(t *testing.T) {
			m := imageFiles{"/e": entry + c.script, "/app": "go", "/bin/app": "go", "/bin/b": "native"}
			found, err := Find(Input{Argv: split(c.argv), Files: m})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(found.Argv, " "); got != c.want {
				t.Errorf("starts %q, want %q", got, c.want)
			}
			at := []runtimes.Insertion{{Before: 0, Words: []string{"/d"}}}
			if len(found.Argv) > 1 {
				at = append(at, runtimes.Insertion{Before: 1, Words: []string{"--"}})
			}
			edits, err := found.Insert(at)
			got := ""
			if err != nil {
				got = string(reason.Of(err))
			} else {
				for _, w := range Apply(split(c.argv), edits) {
					w = strings.ReplaceAll(strings.TrimPrefix(w, entry), "\n", " ")
					if strings.Contains(w, " ") {
						w = "⟨" + w + "⟩"
					}
					got += " " + w
				}
			}
			if got = strings.TrimSpace(got); got != c.edited {
				t.Errorf("becomes %s, want %s", got, c.edited)
			}
		})
	}
}

// split splits a line at spaces, but for those between ⟨ and ⟩.
func split(line string) (words []string) {
	inside := false
	for _, w := range strings.Split(line, " ") {
		if inside {
			words[len(words)-1] += " " + strings.TrimSuffix(w, "⟩")
		} else {
			words = append(words, strings.TrimSuffix(strings.TrimPrefix(w, "⟨"), "⟩"))
		}
		inside = (inside || strings.HasPrefix(w, "⟨")) && !strings.HasSuffix(w, "⟩")
	}
	return words
}

// TestFilesOnPath: programs are looked for where the container's own PATH says; where it is not known, nowhere.
func TestFilesOnPath(t *testing.T) {
	m := imageFiles{"/opt/bin/app": "go", "/bin/app": "native"}
	for name, c := range map[string]struct {
		in   Input
		want string
	}{
		"the image's": {Input{Env: map[string]string{"PATH": "/opt/bin:/bin"}}, "/opt/bin/app"},
		"none":        {Input{}, "/bin/app"},
		"not known":   {Input{Unknown: map[string]bool{"PATH": true}}, ""},
		"relative":    {Input{Env: map[string]string{"PATH": "bin:/bin"}}, ""},
		"cleared":     {Input{Argv: []string{"env", "-i", "app"}}, ""},
		"set on the way": {Input{Argv: []string{"env", "PATH=/opt/bin", "app"}, Env: map[string]string{"PATH": "/bin"}},
			"/opt/bin/app"},
		"changed by shell": {
			Input{Argv: []string{"sh", "-c", "export PATH=/opt/bin:$PATH; exec app"}, Env: map[string]string{"PATH": "/bin"}},
			"/opt/bin/app"},
	} {
		if c.in.Argv == nil {
			c.in.Argv = []string{"app"}
		}
		c.in.Files = m
		found, err := Find(c.in)
		got := ""
		if err == nil && found.File != nil {
			got = found.File.Path
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}
