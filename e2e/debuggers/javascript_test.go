package debuggers

import (
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/gorilla/websocket"
)

// Deno and Bun come from the npm registry, each as a package for one platform.
func denoImage(t *testing.T) string {
	return shared.image(t, "deno",
		func(t *testing.T) string { return serveImage(t, "deno", "@deno/linux-x64-glibc", "deno") })
}

func bunImage(t *testing.T) string {
	return shared.image(t, "bun",
		func(t *testing.T) string { return serveImage(t, "bun", "@oven/bun-linux-x64", "bin/bun") })
}

// serveImage has a runtime's program, which an npm package has under a path, and the application.
func serveImage(t *testing.T, name, pkg, program string) string {
	dir := t.TempDir()
	output(t, dir, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", pkg)
	r := newRootfs(t)
	r.program(filepath.Join(dir, "node_modules", pkg, program), "/usr/local/bin/"+name)
	r.text("/app/serve.js", source(t, "serve.js"), 0o644)
	r.shell()
	return r.push(name, v1.Config{
		WorkingDir: "/app",
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"},
	})
}

func denoCases() []attachment {
	return []attachment{
		{name: "run", deployed: true, command: "command: [deno, run, --allow-net, serve.js, --one]",
			starts: "`deno run --allow-net serve.js`", attach: attachDeno},
		{name: "shell", command: `command: [sh, -c, "exec deno --allow-net serve.js"]`,
			starts: "`sh -c \"exec deno --allow-net serve.js\"`", attach: attachDeno},
	}
}

func attachDeno(t *testing.T, addr string) (func(want string), by) {
	c, _, version := dialCDP(t, addr) // Deno/2.9.6
	c.breakAt("serve.js", breakpoint(t, "serve.js"), 0)
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "Deno/"), ".")
	return func(want string) { c.stopped("greeting", want) }, by{"Deno " + major, "DevTools protocol", "Deno's inspector"}
}

func bunCases() []attachment {
	return []attachment{
		{name: "run", deployed: true, command: "command: [bun, run, serve.js, --one]", starts: "`bun run serve.js`",
			attach: attachBun},
		{name: "file", command: "command: [bun, serve.js]", starts: "`bun serve.js`", attach: attachBun},
	}
}

// attachBun speaks WebKit's inspector protocol, whose messages for a breakpoint are those of DevTools. What Bun runs is
// what it made of the file; a client with source maps would ask for the file's line.
func attachBun(t *testing.T, addr string) (func(want string), by) {
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &cdpClient{t: t, conn: conn}
	c.call("Inspector.enable", map[string]any{}, nil)
	line, column := c.find("/app/serve.js", "return new Response(greeting)") // enables Debugger, once
	c.call("Debugger.setBreakpointsActive", map[string]any{"active": true}, nil)
	var set struct{ Locations []any }
	c.call("Debugger.setBreakpointByUrl",
		map[string]any{"lineNumber": line - 1, "columnNumber": column, "url": "/app/serve.js"}, &set)
	if len(set.Locations) != 1 {
		t.Fatalf("the breakpoint was not set: %v", set)
	}
	c.call("Inspector.initialized", map[string]any{}, nil)
	return func(want string) { c.stopped("greeting", want) }, by{"Bun", "WebKit's inspector protocol", "Bun's inspector"}
}
