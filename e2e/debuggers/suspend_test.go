package debuggers

import (
	"fmt"
	"testing"
	"time"
)

// TestSuspend starts applications with --suspend: they wait for a debugger for longer than their probes would have
// allowed, nothing kills them, and with the first debugger they go on, stop at the breakpoint that it set, and answer.
func TestSuspend(t *testing.T) {
	for _, test := range []struct {
		runtime string
		image   func(t *testing.T) string
		attach  func(t *testing.T, addr string) (stopped func(want string), by by)
	}{
		{"go", goImage, attachDelve},
		{"jvm", jvmImage, func(t *testing.T, addr string) (func(string), by) {
			j := startJDB(t, addr)
			j.wait("[1] ") // the prompt: the program stands in its first thread
			stopped, by := j.breaks()
			j.do("resume", "> ")
			return stopped, by
		}},
		{"nodejs", nodeImage, func(t *testing.T, addr string) (func(string), by) {
			c, _, _ := dialCDP(t, addr)
			c.goOn("app.js", breakpoint(t, "app.js"))
			return func(want string) { c.stopped("greeting", want) }, by{}
		}},
		{"python", pythonImage, attachDebugpy("app.py")},
	} {
		t.Run(test.runtime, func(t *testing.T) {
			namespace := newNamespace(t)
			w := shared.watch(t, namespace)
			shared.apply(t, namespace, shared.rewrite(t, manifest{kind: "Pod", image: test.image(t)}.String(), "--suspend"))
			p := shared.waitPod(t, namespace, "app", "running", running)
			addr := w.started(p.Name, "app", 0)
			_, port := p.debugPort(t)
			p.listens(t, port)
			time.Sleep(probesAllow + 3*time.Second)
			if body, err := p.get(t.Context(), "/"); err == nil {
				t.Fatalf("it does not wait, but answers %q", body)
			}
			p.lives(t)

			stopped, _ := test.attach(t, addr)
			shared.waitPod(t, namespace, "app", "ready", ready)
			p.stopsTwice(t, stopped)
			p.lives(t)
		})
	}
}

// goOn sets a breakpoint in a file that is not loaded yet, and lets a program run that waits for its debugger.
func (c *cdpClient) goOn(file string, line int) {
	c.t.Helper()
	c.call("Runtime.enable", map[string]any{}, nil)
	c.call("Debugger.enable", map[string]any{}, nil)
	c.call("Debugger.setBreakpointByUrl", map[string]any{"lineNumber": line - 1, "urlRegex": fmt.Sprintf(".*/%s$", file)},
		nil)
	c.call("Runtime.runIfWaitingForDebugger", map[string]any{}, nil)
	c.event("Debugger.paused") // in the first line
	c.call("Debugger.resume", map[string]any{}, nil)
}
