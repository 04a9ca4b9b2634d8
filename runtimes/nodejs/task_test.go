package nodejs

import (
	"reflect"
	"strings"
	"testing"

	"debuggable.dev/debuggable/runtimes/language"
)

func TestTask(t *testing.T) {
	for _, c := range []struct {
		line, dir, name string // name "": no script that is known
		args            []string
	}{
		{"npm start", "/srv", "start", nil},
		{"/usr/bin/npm run serve --silent a -- --port 80", "/srv", "serve", []string{"a", "--port", "80"}},
		{"npm run start", "/srv", "start", nil},
		{"npm run run", "/srv", "run", nil},
		{"npm --prefix app start", "/srv/app", "start", nil},
		{"npm start --prefix=/app", "/app", "start", nil},
		{"node /usr/lib/node_modules/npm/bin/npm-cli.js start", "/srv", "start", nil},
		{"node --max-old-space-size=400 npm start", "/srv", "start", nil},
		{"yarn serve --port 80", "/srv", "serve", []string{"--port", "80"}},
		{"yarn --cwd ../app run install", "/app", "install", nil},
		{"node .yarn/releases/yarn-4.1.0.cjs start", "/srv", "start", nil},
		{"pnpm -C app serve", "/srv/app", "serve", nil},
		{"npm", "", "", nil},
		{"npm run", "", "", nil},
		{"npm serve", "", "", nil},
		{"npm -- start", "", "", nil},
		{"npm start --workspace a", "", "", nil},
		{"npm start --prefix", "", "", nil},
		{"npm exec start", "", "", nil},
		{"yarn install", "", "", nil},
		{"yarn --production start", "", "", nil},
		{"pnpm --filter a start", "", "", nil},
		{"npx start", "", "", nil},
		{"node server.js start", "", "", nil},
		{"nodemon start", "", "", nil},
	} {
		got := task(language.Process{Argv: strings.Fields(c.line), WorkingDir: "/srv"})
		var want *language.Task
		if c.name != "" {
			want = &language.Task{
				Dir: c.dir, File: c.dir + "/package.json", Name: c.name, Args: c.args, Before: []string{"pre" + c.name},
				Bin: c.dir + "/node_modules/.bin",
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", c.line, got, want)
		}
	}
	if got := task(language.Process{Argv: []string{"npm", "$X"}, WorkingDir: "/srv",
		Dynamic: []bool{false, true}}); got != nil {
		t.Errorf("a word that is not known: got %+v", got)
	}
}
