package launch

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"debuggable.dev/debuggable/runtimes"
)

func seeds() []string {
	return []string{
		"node app.js", "exec node \"$@\"", "cd d && exec node 'a b' 2>&1 >f", "set -e\nmigrate\nX=1 exec env A=b node\n",
		"sh -c \"exec sh -c 'node x'\"", "{ a; (b && node | tee l); }",
		"if a; then b; fi; exec tini -- node $X ${Y:-z} $(c) `d` *.js", "node <<E\nb\nE\n", "a || b",
		"while :; do node; done", "exec bash -ec \"cd \\\"\\$D\\\" && node\"", "export A=$A:b; unset C; . ./x; node \\\n  y",
		"node &> x; [[ a ]] && node", "env -S 'A=b node' x", "exec -a n node", "f() { a; }; node $((1+2)) $'x' {a,b}",
		"\"$JAVA_HOME/bin/java\" $JAVA_OPTS", "node>log 10>x", "exec \"$0\" \"$@\"", "node \"\" ''", "node $(U) '$(U)'",
	}
}

// removed returns the line without the edits: Apply backwards.
func removed(t *testing.T, line []string, edits []Edit, changed []string) []string {
	t.Helper()
	out := slices.Clone(changed)
	shift := 0
	for _, e := range edits {
		if e.Offset < 0 {
			at := e.Word + shift
			if !slices.Equal(out[at:at+len(e.Words)], e.Words) {
				t.Fatalf("%q: the words %q are not at %d of %q", line, e.Words, at, out)
			}
			out = slices.Delete(out, at, at+len(e.Words))
			continue
		}
		if n := strings.Count(out[e.Word+shift], e.Text); n < 1 {
			t.Fatalf("%q: %q is not in %q", line, e.Text, out)
		}
		w := out[e.Word+shift]
		out[e.Word+shift] = w[:e.Offset] + w[e.Offset+len(e.Text):]
	}
	return out
}

// check finds the program, and inserts at each place: nothing else may change.
func checkLine(t *testing.T, in Input) {
	in.UnknownFrom = unknownFrom(in.Argv, in.Unknown)
	t.Helper()
	f, err := Find(in)
	if err != nil {
		reasonOf(t, err)
		return
	}
	if len(f.Argv) == 0 || len(f.Argv) != len(f.Static) {
		t.Fatalf("%q: found %q %v", in.Argv, f.Argv, f.Static)
	}
	if edits, err := f.Insert(nil); err != nil || len(edits) != 0 {
		t.Fatalf("%q: inserting nothing: %v %v", in.Argv, edits, err)
	}
	line := in.Argv
	if f.Base != nil {
		line = f.Base
	}
	const mark = "/MARK"
	// A launcher that leads nowhere is a program itself, but what stands among its words may be an option's value: nobody
	// puts words there.
	_, launches := launcherNames().named(f.Argv[0])
	for at := range len(f.Argv) + 1 {
		if launches && at > 0 {
			break
		}
		edits, err := f.Insert([]runtimes.Insertion{{Before: at, Words: []string{mark}}})
		if err != nil {
			reasonOf(t, err)
			continue
		}
		changed := Apply(line, edits)
		if got := removed(t, line, edits, changed); !slices.Equal(got, line) {
			t.Fatalf("%q at %d: %q, without the edits %q", line, at, changed, got)
		}
		if f.Base != nil {
			continue
		}
		// The changed line leads to the same program, with the word at its place.
		g, err := Find(Input{Argv: changed, UnknownFrom: unknownFrom(changed, in.Unknown), Env: in.Env, Unknown: in.Unknown,
			Labels: in.Labels})
		if err != nil {
			t.Fatalf("%q at %d: %q is not found any more: %v", line, at, changed, err)
		}
		if at == 0 && (IsScript(f.Argv[0]) || slices.Contains(f.Via, "uv run")) {
			continue
		}
		if i := slices.Index(g.Argv, mark); i != at || !slices.Equal(slices.Delete(slices.Clone(g.Argv), i, i+1), f.Argv) {
			t.Fatalf("%q at %d: %q leads to %q, not %q", line, at, changed, g.Argv, f.Argv)
		}
		for i := range line {
			if len(edits) == 1 && edits[0].Offset >= 0 && edits[0].Word == i && !splitByEnv(line, i) {
				sameStructure(t, line[i], changed[i], mark)
			}
		}
	}
}

// splitByEnv tells whether a word is what env's -S splits, which is no shell script: "-S0" is an option and the program
// "0", and "-S/MARK 0" is right, though a shell sees other words. Where the mark came to stand says everything there is
// to say about it.
func splitByEnv(line []string, i int) bool {
	option := func(w string) bool {
		return strings.HasPrefix(w, "--s") || strings.HasPrefix(w, "-") && strings.Contains(w, "S")
	}
	return option(line[i]) || i > 0 && option(line[i-1])
}

// sameStructure parses a script before and after, takes the mark out of the syntax tree again, and compares.
func sameStructure(t *testing.T, before, after, mark string) {
	t.Helper()
	for _, lang := range []syntax.LangVariant{syntax.LangBash, syntax.LangPOSIX} {
		a, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(before), "")
		if err != nil {
			continue
		}
		b, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(after), "")
		if err != nil {
			t.Fatalf("%q became %q: %v", before, after, err)
		}
		// Within literals (scripts in scripts) spaces do not count, since the mark brought one.
		drop := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, mark, ""), " ", "") }
		strip := func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.CallExpr:
				n.Args = slices.DeleteFunc(n.Args, func(w *syntax.Word) bool { return w.Lit() == mark })
			case *syntax.Lit:
				n.Value = drop(n.Value)
			case *syntax.SglQuoted:
				n.Value = drop(n.Value)
			}
			return true
		}
		syntax.Walk(a, strip)
		syntax.Walk(b, strip)
		var pa, pb bytes.Buffer
		if syntax.NewPrinter().Print(&pa, a) != nil || syntax.NewPrinter().Print(&pb, b) != nil {
			continue
		}
		if pa.String() != pb.String() {
			t.Fatalf("%q became %q, whose structure is another:\n%s\n%s", before, after, pa.String(), pb.String())
		}
	}
}

// FuzzScript: a script for a shell, with positional parameters.
func FuzzScript(f *testing.F) {
	for i, s := range seeds() {
		f.Add(s, []string{"sh", "bash", "dash"}[i%3], "node\x00a b")
	}
	f.Fuzz(func(t *testing.T, script, shell, params string) {
		if strings.Contains(script, "MARK") || strings.Contains(params, "MARK") {
			return
		}
		in := Input{Argv: []string{"sh", "-c", script, "--"}, Env: testEnv, Unknown: map[string]bool{"U": true}}
		if isShell(shell) {
			in.Argv[0] = shell
		}
		if params != "" {
			in.Argv = append(in.Argv, strings.Split(params, "\x00")...)
		}
		checkLine(t, in)
	})
}

// FuzzArgv: any words, with and without a buildpack label.
func FuzzArgv(f *testing.F) {
	labels := label(f,
		[]cnbProcess{{Type: "web", Command: []string{"node"}, Args: []string{"s.js"}, Direct: true},
			{Type: "s", Command: []string{"exec node"}}}, nil)
	for _, s := range []string{"tini\x00--\x00node\x00a", "env\x00-i\x00A=B\x00-S\x00node x", "/cnb/process/web\x00a",
		"/cnb/lifecycle/launcher\x00s", "nice\x00-5\x00bash\x00-ec\x00exec node",
		"uv\x00run\x00-p\x003\x00python", "chpst\x00-u\x00a\x00x", "sh\x00-c\x00exec \"$@\"\x00--\x00node",
		"setpriv\x00--reuid=1\x00--\x00x", "catatonit\x00x\x00y",
		"/cnb/lifecycle/launcher\x00--\x00sh\x00-c\x00node", "env\x00-S0", "runuser\x00-u", "dockerize\x00-wait\x00x\x00node",
		"newrelic-admin\x00run-python\x00x"} {
		f.Add(s, labels[buildMetadata])
	}
	f.Fuzz(func(t *testing.T, words, meta string) {
		if strings.Contains(words, "MARK") || strings.Contains(meta, "MARK") {
			return
		}
		checkLine(t,
			Input{Argv: strings.Split(words, "\x00"), Env: testEnv, Unknown: map[string]bool{"U": true},
				Labels: map[string]string{buildMetadata: meta}})
	})
}

// FuzzScriptFile: a script of the image, which is followed, or whose commands are listed.
func FuzzScriptFile(f *testing.F) {
	for _, text := range []string{
		"#!/bin/sh\nexec \"$@\"\n", "#!/bin/sh -e\ncd /srv\nexec node a.js\n",
		"#!/bin/bash\nnode a.js & node b.js | cat; wait\n",
		"#!/bin/bash\nif [ \"$1\" = node -a \"$(id -u)\" = 0 ]; then chown x y; exec gosu app \"$0\" \"$@\"; fi\n" +
			"exec \"$@\"\n",
		"#!/bin/sh\nfor i in a b; do node $i & done\ncase $1 in a) exec sh -c 'a & b' ;; *) while :; do x; done ;; esac\n",
		"#!/bin/bash\n[[ \"$*\" == a* ]] && set -- b \"$@\"\nf() { a; }; f || exit 1\n",
	} {
		f.Add(text, "node", "-x")
	}
	f.Fuzz(func(t *testing.T, text, program, arg string) {
		in := Input{Argv: []string{"/entry.sh", program, arg}, Files: imageFiles{"/entry.sh": text}}
		found, err := Find(in)
		if err != nil {
			reasonOf(t, err)
			return
		}
		for at := range len(found.Argv) + 1 {
			if _, err := found.Insert([]runtimes.Insertion{{Before: at, Words: []string{"/MARK"}}}); err != nil {
				reasonOf(t, err)
			}
		}
		for _, c := range found.Within {
			if len(c.Argv) == 0 || len(c.Starts) == 0 {
				t.Errorf("%q: a command without words: %+v", text, c)
			}
		}
	})
}
