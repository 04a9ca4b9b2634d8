package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// report is what a process of the tests says about itself, a line of JSON each.
type report struct {
	Name      string
	Inspector string // the inspector's URL, "" without one
	Options   string // NODE_OPTIONS
	Waiting   string // DEBUGGABLE_NODE_INSPECT
	Args      []string
	PID       int
}

const say = `
const { url } = require('inspector');
function say(name) {
  console.log(JSON.stringify({ name, inspector: url() || '', options: process.env.NODE_OPTIONS || '',
    waiting: process.env.DEBUGGABLE_NODE_INSPECT || '', args: process.argv.slice(2), pid: process.pid }));
}
`

// TestWithNode runs the wrapper in front of this machine's node (or of $NODE), with stand-ins for the tools that start
// applications in each of the ways that there are, and looks at which process has an inspector.
func TestWithNode(t *testing.T) {
	node := os.Getenv("NODE")
	if node == "" {
		var err error
		if node, err = exec.LookPath("node"); err != nil {
			t.Skip("node is missing")
		}
	}
	dir := t.TempDir()
	files := map[string]string{
		"app.js":    say + "say('app')",
		"child.js":  say + "say('child')",
		"forks.js":  say + "say('app'); require('child_process').fork('./child.js')",
		"spawns.js": say + "say('app'); require('child_process').spawn('node', ['child.js'], { stdio: 'inherit' })",
		"cluster.js": say + "const c = require('cluster'); say(c.isMaster ? 'app' : 'worker'); if (c.isMaster) " +
			"c.fork(); else process.exit(0)",
		"main.mjs": "import { url } from 'inspector'; console.log(JSON.stringify({ name: 'app', inspector: url() " +
			"|| '' }))",
		"nodemon.config.js": say + "say('config')",
		// Starts the application by PATH, as npm does, by process.execPath, as nodemon does, and in its own process, as
		// ts-node does.
		"node_modules/npm/bin/npm-cli.js": say + "say('tool'); require('child_process').spawn('sh', ['-c', " +
			"process.argv.slice(2).join(' ')], { stdio: 'inherit' })",
		"node_modules/nodemon/bin/nodemon.js": say + "say('tool'); require('child_process').fork(process.argv[2], " +
			"process.argv.slice(3))",
		"node_modules/ts-node/dist/bin.js": say + "say('tool'); require(require('path').resolve('nodemon.config.js')); " +
			"require(require('path').resolve(process.argv[2]))",
		"node_modules/ts-node/dist/child/x.js": say + "say('app')",
		"node_modules/unknown/index.js":        say + "say('tool'); require(require('path').resolve(process.argv[2]))",
		".yarn/releases/yarn-4.5.0.cjs": say + "say('tool'); require('child_process').spawn('node', " +
			"process.argv.slice(2), { stdio: 'inherit' })",
		".yarn/releases/yarn-5.0.0.cjs": say + "say('tool'); process.env.NODE_OPTIONS = '--stack-trace-limit=9 ' + " +
			"process.env.NODE_OPTIONS; require('child_process').spawn(process.execPath, process.argv.slice(2), { stdio: " +
			"'inherit' })",
	}
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dbg := filepath.Join(dir, "dbg with spaces")
	for _, cmd := range [][]string{
		{"go", "build", "-o", filepath.Join(dbg, "bin", "node"), "."},
		{"mkdir", "-p", filepath.Join(dbg, "lib"), filepath.Join(dir, "bin")},
		{"cp", "../lib/attach.cjs", "tools.txt", filepath.Join(dbg, "lib")},
		{"ln", "-s", node, filepath.Join(dir, "bin", "node")},
	} {
		if out, err := exec.CommandContext(t.Context(), cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}

	tests := map[string]struct {
		argv string // INSPECT stands for --inspect=127.0.0.1:PORT
		env  string
		want string // names of the processes in order; the one with the inspector on the port has a *
		out  string // what is printed instead
	}{
		"a script":                  {argv: "INSPECT app.js x", want: "app*"},
		"a script, by NODE_OPTIONS": {argv: "app.js x", env: "--no-warnings INSPECT", want: "app*"},
		"an ES module":              {argv: "main.mjs", env: "INSPECT", want: "app*"},
		"npm":                       {argv: "node_modules/npm/bin/npm-cli.js node app.js", env: "INSPECT", want: "tool app*"},
		"npm, then nodemon": {argv: "node_modules/npm/bin/npm-cli.js node node_modules/nodemon/bin/nodemon.js app.js",
			env: "INSPECT", want: "tool tool app*"},
		"npm, then two": {argv: "node_modules/npm/bin/npm-cli.js node -v; node app.js", env: "INSPECT",
			want: "tool app*"},
		"yarn":    {argv: "INSPECT .yarn/releases/yarn-4.5.0.cjs app.js", want: "tool app*"},
		"nodemon": {argv: "node_modules/nodemon/bin/nodemon.js app.js", env: "INSPECT", want: "tool app*"},
		"nodemon, ES module": {argv: "node_modules/nodemon/bin/nodemon.js main.mjs", env: "INSPECT",
			want: "tool app*"},
		"nodemon's own option": {argv: "node_modules/nodemon/bin/nodemon.js app.js INSPECT", want: "tool app"},
		"ts-node": {argv: "node_modules/ts-node/dist/bin.js app.js", env: "INSPECT",
			want: "tool config app*"},
		"ts-node's child": {argv: "node_modules/npm/bin/npm-cli.js node node_modules/ts-node/dist/child/x.js",
			env: "INSPECT", want: "tool app*"},
		"any other tool":  {argv: "node_modules/unknown/index.js app.js", env: "INSPECT", want: "tool app"},
		"a forked child":  {argv: "INSPECT forks.js", want: "app* child"},
		"a child by PATH": {argv: "INSPECT spawns.js", want: "app* child"},
		"a tool's app's child": {argv: "node_modules/nodemon/bin/nodemon.js spawns.js", env: "INSPECT",
			want: "tool app* child"},
		"cluster":                   {argv: "INSPECT cluster.js", want: "app* worker"},
		"no inspector":              {argv: "app.js", want: "app"},
		"version":                   {argv: "--version", env: "INSPECT", out: "v"},
		"eval":                      {argv: "-p 40+2", env: "INSPECT", out: "42\n"},
		"eval, on the command line": {argv: "INSPECT -e require('./app.js')", want: "app*"},
		"yarn's options around it": {argv: ".yarn/releases/yarn-5.0.0.cjs app.js", env: "--no-warnings INSPECT",
			want: "tool app*"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := l.Addr().String()
			l.Close()
			inspect := "--inspect=" + addr
			cmd := exec.CommandContext(t.Context(), filepath.Join(dbg, "bin", "node"),
				strings.Split(strings.ReplaceAll(test.argv, "INSPECT", inspect), " ")...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + filepath.Join(dbg, "bin") + ":" + filepath.Join(dir, "bin") + ":/usr/bin:/bin"}
			if test.env != "" {
				cmd.Env = append(cmd.Env, "NODE_OPTIONS="+strings.ReplaceAll(test.env, "INSPECT", inspect))
			}
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
			}
			if test.out != "" {
				if !strings.HasPrefix(stdout.String(), test.out) || strings.Contains(stderr.String(), "Debugger") {
					t.Errorf("got %q %q", stdout.String(), stderr.String())
				}
				return
			}
			var got []string
			for _, line := range strings.Split(strings.TrimSpace(stdout.String()), "\n") {
				if strings.HasPrefix(line, "v") { // node -v
					continue
				}
				var r report
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				switch {
				case strings.Contains(r.Inspector, addr):
					r.Name += "*"
					fallthrough
				case r.Name == "child" || r.Name == "worker":
					// Nothing is left of what brought the inspector.
					if strings.Contains(r.Options, "attach.cjs") || strings.Contains(r.Options, "inspect") || r.Waiting != "" {
						t.Errorf("%s is left with %+v", r.Name, r)
					}
					if strings.Contains(test.env, "--no-warnings") && !strings.HasSuffix(r.Options, "--no-warnings") {
						t.Errorf("NODE_OPTIONS is %q", r.Options)
					}
				}
				got = append(got, r.Name)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q\n%s%s", got, test.want, stdout.String(), stderr.String())
			}
		})
	}
	t.Run("exit code", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dbg, "bin", "node"), "-e", "process.exit(9)")
		cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin")}
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 9 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no node", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dbg, "bin", "node"), "app.js")
		cmd.Env = []string{"PATH=" + filepath.Join(dbg, "bin")}
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 127 ||
			!strings.Contains(string(out), "no node on PATH") {
			t.Errorf("got %d, %s", cmd.ProcessState.ExitCode(), out)
		}
	})
}
