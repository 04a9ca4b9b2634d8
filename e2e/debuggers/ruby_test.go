package debuggers

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func rubyImage(t *testing.T) string { return shared.image(t, "ruby", makeRubyImage) }

// makeRubyImage has this machine's Ruby, where its packages have put it, with the gems that it bundles.
func makeRubyImage(t *testing.T) string {
	r := newRootfs(t)
	r.program(output(t, "", "ruby", "-e", "print RbConfig.ruby"), "/usr/local/bin/ruby")
	folders := output(t, "", "ruby", "-e",
		"puts ($: + Gem.path).select { |d| File.directory?(d) && d.start_with?('/usr/', '/var/') }")
	for dir := range strings.Lines(folders) {
		dir = strings.TrimSpace(dir)
		r.folder(dir, dir)
	}
	r.text("/app/app.rb", source(t, "app.rb"), 0o644)
	r.shell()
	return r.push("ruby", v1.Config{
		Entrypoint: []string{"ruby", "app.rb"},
		WorkingDir: "/app",
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp",
			"RUBY_VERSION=" + output(t, "", "ruby", "-e", "print RUBY_VERSION")},
	})
}

func rubyCases() []attachment {
	return []attachment{
		{name: "script", deployed: true, command: "command: [ruby, -w, app.rb, --one]", starts: "`ruby -w app.rb`",
			attach: attachRdbg},
		{name: "entrypoint", starts: "`ruby app.rb`, ENTRYPOINT of the image", attach: attachRdbg},
		{name: "shell", command: `command: [sh, -c, "exec ruby app.rb"]`, starts: "`sh -c \"exec ruby app.rb\"`",
			attach: attachRdbg},
	}
}

// attachRdbg speaks DAP with the debug gem. It pauses the program for a client that has come, once or twice, and says
// so once more than it does: as a person would, the test goes on when nothing more comes. A request too many would be
// kept for the breakpoint.
func attachRdbg(t *testing.T, addr string) (func(want string), by) {
	c := dialDAP(t, addr)
	c.attach("rdbg", map[string]any{"type": "rdbg", "request": "attach"}, "/app/app.rb", breakpoint(t, "app.rb"))
	paused := func() (thread int) {
		var pause struct {
			Reason   string
			ThreadID int `json:"threadId"`
		}
		if err := json.Unmarshal(c.event("stopped").Body, &pause); err != nil || pause.Reason != "pause" {
			t.Fatalf("for the client that has come: %+v, %v", pause, err)
		}
		return pause.ThreadID
	}
	for thread := paused(); thread != 0; {
		for c.has("stopped", time.Second) {
			thread = paused()
		}
		c.response(c.send("continue", map[string]any{"threadId": thread}), nil)
		if thread = 0; c.has("stopped", 2*time.Second) {
			thread = paused()
		}
	}
	version := output(t, "", "ruby", "-e", "print RUBY_VERSION[/\\d+\\.\\d+/]")
	gem := output(t, "", "ruby", "-e", "require 'debug/version'; print DEBUGGER__::VERSION")
	return func(want string) { c.stopped("greeting", want) }, by{"Ruby " + version, "DAP", "debug " + gem}
}
