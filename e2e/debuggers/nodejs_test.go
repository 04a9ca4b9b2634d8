package debuggers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func nodeImage(t *testing.T) string { return shared.image(t, "nodejs", makeNodeImage) }

func makeNodeImage(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"package.json", "app.js", "app.ts", "tsconfig.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(source(t, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	output(t, dir, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
	r := newRootfs(t)
	r.program(output(t, dir, "node", "-p", "process.execPath"), "/usr/local/bin/node")
	npm, err := filepath.EvalSymlinks(filepath.Join(output(t, dir, "npm", "root", "-g", "--loglevel=silent"), "npm"))
	if err != nil {
		t.Fatal(err)
	}
	r.folder(npm, "/usr/local/lib/node_modules/npm", "docs", "man")
	r.link("/usr/local/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js")
	r.link("/usr/local/bin/nodemon", "/app/node_modules/nodemon/bin/nodemon.js")
	r.folder(dir, "/app")
	r.shell()
	return r.push("nodejs", v1.Config{
		Entrypoint: []string{"node", "app.js"},
		WorkingDir: "/app",
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "NODE_VERSION=20", "HOME=/tmp",
			"npm_config_update_notifier=false"},
	})
}

func nodeCases() []attachment {
	js := attachNode("app.js", "/app/app.js")
	return []attachment{
		{name: "node", deployed: true, command: "args: [app.js, --one]\ncommand: [node]", starts: "`node app.js`",
			attach: js},
		{name: "entrypoint", starts: "`node app.js`, ENTRYPOINT of the image", attach: js},
		{name: "npm", command: "command: [npm, start]", starts: "`npm start` → `node app.js`", attach: js},
		{name: "nodemon", command: "command: [nodemon, app.js]", starts: "`nodemon app.js`", attach: js},
		{name: "npm-nodemon", command: "command: [npm, run, watch]", starts: "`npm run watch` → `nodemon app.js`",
			attach: js},
		{name: "shell", command: `command: [sh, -c, "node -v && exec node app.js"]`,
			starts: "`sh -c \"node -v && exec node app.js\"`", attach: js},
		{name: "ts-node", command: "command: [npm, run, ts-node]", starts: "`npm run …` → `ts-node app.ts`",
			attach: attachNode("app.ts", "/ts-node/dist/bin.js")},
		{name: "tsx", command: "command: [npm, run, tsx]", starts: "`npm run …` → `tsx app.ts`",
			attach: attachNode("app.ts", "/app/app.ts")},
	}
}

// attachNode speaks the DevTools protocol to the inspector of a process that runs a script whose path ends as given.
func attachNode(file, script string) func(t *testing.T, addr string) (func(string), by) {
	return func(t *testing.T, addr string) (func(string), by) {
		c, runs, version := dialCDP(t, addr)
		if !strings.HasSuffix(runs, script) {
			t.Fatalf("the inspector is in %s, not in %s", runs, script)
		}
		at, column := breakpoint(t, file), 0
		if strings.HasSuffix(file, ".ts") {
			// What runs is what the tool made of it; a client with source maps would ask for the .ts line.
			at, column = c.find("app.ts", "response.end(greeting)")
		}
		c.breakAt(file, at, column)
		return func(want string) {
			c.stopped("greeting", want)
		}, by{"Node " + strings.SplitN(version, ".", 2)[0], "DevTools protocol", "Node's inspector"}
	}
}
