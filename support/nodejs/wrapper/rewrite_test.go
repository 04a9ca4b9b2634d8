package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	const in = "--inspect=0.0.0.0:9229"
	const pre = "NODE_OPTIONS=--require /dbg/nodejs/lib/attach.cjs"
	const wait = "DEBUGGABLE_NODE_INSPECT=" + in
	tests := map[string]struct {
		argv, env         string // words separated by "|"
		wantArgv, wantEnv string // "=" for unchanged
	}{
		"nothing to do":            {"node|app.js", "A=1|NODE_OPTIONS=--max-old-space-size=99", "=", "="},
		"npm without an inspector": {"node|/usr/local/bin/npm|start", "A=1", "=", "="},
		"a script":                 {"node|" + in + "|app.js|--x", "A=1", "=", "="},
		"a script's own --inspect": {"node|app.js|" + in, "A=1", "=", "="},
		"a script, options":        {"node|" + in + "|-r|dotenv/config|--import|./x.mjs|app.js", "", "=", "="},
		"from NODE_OPTIONS":        {"node|app.js", "NODE_OPTIONS=" + in, "node|" + in + "|app.js", ""},
		"NODE_OPTIONS is kept": {"node|app.js", `NODE_OPTIONS=-r "./a b.js"  ` + in + ` --no-warnings`,
			"node|" + in + "|app.js", `NODE_OPTIONS=-r "./a b.js" --no-warnings`},
		"both": {"node|--inspect=1|app.js", "NODE_OPTIONS=--inspect=2", "node|--inspect=1|app.js", ""},
		"handed down": {"node|--no-warnings|app.js", wait + "|" + pre, "node|" + in + "|--no-warnings|app.js",
			""},
		"handed down, more options": {"node|app.js", wait + "|" + pre + " --no-warnings", "node|" + in + "|app.js",
			"NODE_OPTIONS=--no-warnings"},
		"port apart": {"node|app.js", "NODE_OPTIONS=--inspect --inspect-port 9230",
			"node|--inspect|--inspect-port|9230|app.js", ""},
		"npm": {"node|/usr/local/bin/npm|start", "NODE_OPTIONS=" + in + " --no-warnings", "=",
			pre + " --no-warnings|" + wait},
		"npm, on the command line": {"node|" + in + "|--no-warnings|/usr/local/bin/npm|start|" + in, "",
			"node|--no-warnings|/usr/local/bin/npm|start|" + in, pre + "|" + wait},
		"npm, handed down": {"node|/usr/local/bin/npm|start", wait + "|" + pre, "=", pre + "|" + wait},
		"yarn's own place": {"node|/opt/yarn-v1.22.22/bin/yarn.js|start", "NODE_OPTIONS=" + in, "=",
			pre + "|" + wait},
		"yarn in the repository": {"node|/app/.yarn/releases/yarn-4.5.0.cjs|start", "NODE_OPTIONS=" + in, "=",
			pre + "|" + wait},
		"corepack's pnpm": {"node|/root/.cache/node/corepack/v1/pnpm/9.0.0/bin/pnpm.cjs|start",
			"NODE_OPTIONS=" + in, "=", pre + "|" + wait},
		"node_modules": {"node|./node_modules/.bin/nodemon|app.js", "NODE_OPTIONS=" + in, "=",
			pre + "|" + wait},
		"node_modules, relative": {"node|node_modules/ts-node/dist/bin.js|app.ts", "NODE_OPTIONS=" + in, "=",
			pre + "|" + wait},
		"a value is no script": {"node|-r|./node_modules/x/register.js|app.js", "NODE_OPTIONS=" + in,
			"node|" + in + "|-r|./node_modules/x/register.js|app.js", ""},
		"options with =": {"node|--require=./node_modules/x.js|--stack-trace-limit=9|app.js",
			"NODE_OPTIONS=" + in, "node|" + in + "|--require=./node_modules/x.js|--stack-trace-limit=9|app.js", ""},
		"conditions": {"node|-C|dev|--loader|./l.mjs|--env-file|.env|app.js", "NODE_OPTIONS=" + in,
			"node|" + in + "|-C|dev|--loader|./l.mjs|--env-file|.env|app.js", ""},
		"--": {"node|" + in + "|--|app.js", "", "=", "="},
		"--, npm": {"node|" + in + "|--|/usr/local/bin/npm", "", "node|--|/usr/local/bin/npm",
			pre + "|" + wait},
		"eval": {"node|-e|1+1|x.js", "NODE_OPTIONS=" + in, "=", pre + "|" + wait},
		"eval, on the command line": {"node|" + in + "|-e|1+1|x.js", "NODE_OPTIONS=--inspect=1 --no-warnings", "=",
			"NODE_OPTIONS=--no-warnings"},
		"stdin, on the command line": {"node|" + in, wait + "|" + pre, "=", ""},
		"tests": {"node|--test|a.test.js", "NODE_OPTIONS=" + in + " --no-warnings", "=",
			"NODE_OPTIONS=--no-warnings"},
		"tests, handed down":    {"node|--test", wait + "|" + pre, "=", ""},
		"package.json's script": {"node|" + in + "|--run|start", "", "node|--run|start", pre + "|" + wait},
		"a share of the memory": {"node|--max-old-space-size-percentage|50|app.js", "NODE_OPTIONS=" + in,
			"node|" + in + "|--max-old-space-size-percentage|50|app.js", ""},
		"print":                     {"node|-p|1+1", "NODE_OPTIONS=" + in, "=", pre + "|" + wait},
		"version":                   {"node|-v", "NODE_OPTIONS=" + in, "=", pre + "|" + wait},
		"check":                     {"node|--check|app.js", "NODE_OPTIONS=" + in, "=", ""},
		"the interactive shell":     {"node", "NODE_OPTIONS=" + in, "=", pre + "|" + wait},
		"the standard input":        {"node|" + in + "|-|x", "", "=", "="},
		"the command-line debugger": {"node|inspect|app.js", "NODE_OPTIONS=" + in, "=", pre + "|" + wait},
		"suspended": {"node|--inspect-brk=0.0.0.0:9229|npm-cli.js", "", "node|npm-cli.js",
			pre + "|DEBUGGABLE_NODE_INSPECT=--inspect-brk=0.0.0.0:9229"},
		"nothing on the command line": {"node|-r", "NODE_OPTIONS=" + in, "=", pre + "|" + wait},
	}
	links := map[string]string{"/usr/local/bin/npm": "/usr/local/lib/node_modules/npm/bin/npm-cli.js"}
	resolve := func(s string) string {
		if to, ok := links[s]; ok {
			return to
		}
		return filepath.Join("/app", s)
	}
	split := func(s string) []string {
		if s == "" {
			return nil
		}
		return strings.Split(s, "|")
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			argv, env := rewrite(split(test.argv), split(test.env), "/dbg/nodejs/lib/attach.cjs", resolve)
			if test.wantArgv == "=" {
				test.wantArgv = test.argv
			}
			if test.wantEnv == "=" {
				test.wantEnv = test.env
			}
			if got := strings.Join(argv, "|"); got != test.wantArgv {
				t.Errorf("argv\n got %s\nwant %s", got, test.wantArgv)
			}
			if got := strings.Join(env, "|"); got != test.wantEnv {
				t.Errorf("env\n got %s\nwant %s", got, test.wantEnv)
			}
		})
	}
}

func TestSplitOptions(t *testing.T) {
	tests := map[string][]string{
		"":                             nil,
		"  a  b ":                      {"a", "b"},
		`-r "a b" c`:                   {"-r", "a b", "c"},
		`"a\"b" "c\\d"`:                {`a"b`, `c\d`},
		`--x="a b"`:                    {"--x=a b"},
		`a\b`:                          {`a\b`},
		`"never closed`:                {"never closed"},
		quote(`/a b/"x"\y`) + " after": {`/a b/"x"\y`, "after"},
	}
	for in, want := range tests {
		var got []string
		for _, w := range splitOptions(in) {
			got = append(got, w.value)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Whatever NODE_OPTIONS says, taking the inspector out loses no other option, and a second time takes nothing.
func FuzzTakeInspect(f *testing.F) {
	for _, s := range []string{"", "--inspect", `-r "a b" --inspect-port 1 x`, `"--inspect=1" \" "`, "--require /p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, rest := takeInspect(s, "/p")
		again, rest2 := takeInspect(rest, "/p")
		if len(again) > 0 || rest2 != rest {
			t.Errorf("%q left %q, which still has %q", s, rest, again)
		}
		for _, w := range splitOptions(rest) {
			if !slices.ContainsFunc(splitOptions(s), func(o option) bool { return o.text == w.text }) {
				t.Errorf("%q gave %q, which it does not have", s, w.text)
			}
		}
	})
}

func TestRealNode(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"dbg", "link", "dir/node", "plain", "real"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	at := func(p string) string { return filepath.Join(dir, p) }
	for file, mode := range map[string]os.FileMode{"dbg/node": 0o755, "plain/node": 0o644, "real/node": 0o755} {
		if err := os.WriteFile(at(file), []byte("#!/bin/true"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(at("dbg/node"), at("link/node")); err != nil {
		t.Fatal(err)
	}
	path := strings.Join([]string{at("none"), at("dbg") + "/", at("link"), at("dir"), at("plain"), at("real")}, ":")
	got, err := realNode(at("dbg/node"), path)
	if err != nil || got != at("real/node") {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := realNode(at("dbg/node"), at("dbg")+":"+at("link")); err == nil {
		t.Error("no error without a real node")
	}
}
