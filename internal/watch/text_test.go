package watch

import (
	"errors"
	"strings"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/debuginfo"
)

func render(t *text, publish func(h *hub)) string {
	h := testHub()
	var b strings.Builder
	h.also = func(r record) { b.Write(t.format(r)) }
	publish(h)
	return b.String()
}

func info(runtime string, ports map[string]int32) debuginfo.Container {
	return debuginfo.Container{Runtime: runtime, Ports: ports}
}

func TestText(t *testing.T) {
	got := render(&text{location: time.UTC, kubectl: []string{"kubectl", "--context", "my cluster"}}, func(h *hub) {
		web := h.publishStarted(container{namespace: "shop", pod: "web-f6d56bcc5-6csgs", name: "web",
			info: info("go", map[string]int32{"dlv": 56268})})
		h.publishStarted(container{namespace: "shop", pod: "db-0", name: "postgres-sidecar", restartCount: 3,
			info: info("jvm", map[string]int32{"jdwp": 5005})})
		h.publishStarted(container{namespace: "shop", pod: "js", name: "web",
			info: info("nodejs", map[string]int32{"devtools": 9229, "dap": 5678})})
		h.publishStarted(container{namespace: "shop", pod: "py", name: "web",
			info: info("python", map[string]int32{"pydevd": 5678})})
		h.publishStarted(container{namespace: "shop", pod: "net", name: "web", info: info("netcore", nil)})
		h.publishStarted(container{namespace: "shop", pod: "rb", name: "web",
			info: info("ruby", map[string]int32{"rdbg": 1234})})
		h.publishStarted(container{namespace: "shop", pod: "two", name: "web",
			info: info("go", map[string]int32{"dlv": 1, "dap": 1})})
		h.publishStarted(container{namespace: "shop", pod: "bare", name: "web"})
		h.publishTerminated(web)
	})
	want := `02:27:30  started     shop/web-f6d56bcc5-6csgs          web       go       dlv 56268
            kubectl --context 'my cluster' port-forward -n shop pod/web-f6d56bcc5-6csgs 56268:56268
            dlv connect 127.0.0.1:56268
02:27:30  started     shop/db-0                         postgres-sidecar  jvm      jdwp 5005  (restart 3)
            kubectl --context 'my cluster' port-forward -n shop pod/db-0 5005:5005
            jdb -attach 127.0.0.1:5005
02:27:30  started     shop/js                           web               nodejs   dap 5678, devtools 9229
            kubectl --context 'my cluster' port-forward -n shop pod/js 5678:5678 9229:9229
            debugpy: "request": "attach", "connect": {"host": "127.0.0.1", "port": 5678}
            node inspect 127.0.0.1:9229   or chrome://inspect
02:27:30  started     shop/py                           web               python   pydevd 5678
            kubectl --context 'my cluster' port-forward -n shop pod/py 5678:5678
            pydevd: attach a PyDev client to 127.0.0.1:5678
02:27:30  started     shop/net                          web               netcore
            kubectl --context 'my cluster' exec -i -n shop pod/net -c web -- /dbg/netcore/vsdbg --interpreter=vscode
02:27:30  started     shop/rb                           web               ruby     rdbg 1234
            kubectl --context 'my cluster' port-forward -n shop pod/rb 1234:1234
            rdbg --attach 127.0.0.1 1234
02:27:30  started     shop/two                          web               go       dap 1, dlv 1
            kubectl --context 'my cluster' port-forward -n shop pod/two 1:1
            debugpy: "request": "attach", "connect": {"host": "127.0.0.1", "port": 1}
            dlv connect 127.0.0.1:1
02:27:30  started     shop/bare                         web
02:27:30  terminated  shop/web-f6d56bcc5-6csgs          web               go
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextWithForwards(t *testing.T) {
	got := render(&text{location: time.UTC, forwards: true, painter: true, kubectl: []string{"kubectl"}}, func(h *hub) {
		id := h.publishStarted(container{namespace: "shop", pod: "web", name: "web",
			info: info("go", map[string]int32{"dlv": 56268})})
		h.publishForward(id,
			portEvent{LocalPort: 40001, RemotePort: 56268, PodName: "web", ContainerName: "web", Namespace: "shop",
				PortName: "dlv"}, false)
		h.publishTerminated(id)
	})
	want := "\x1b[2m02:27:30\x1b[0m  \x1b[32mstarted   \x1b[0m  shop/web                          web       go       " +
		"dlv 56268\n" +
		"\x1b[2m02:27:30\x1b[0m  \x1b[36mforwarding\x1b[0m  shop/web                          web                dlv " +
		"127.0.0.1:40001 -> 56268\n" +
		"            \x1b[2mdlv connect 127.0.0.1:40001\x1b[0m\n" +
		"\x1b[2m02:27:30\x1b[0m  \x1b[31mterminated\x1b[0m  shop/web                          web       go\n"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// Annotations are written by whoever may create pods: they must not get at the terminal.
func TestTextIsPrintable(t *testing.T) {
	evil := "\x1b]0;title\x07\r\n\u202eevil\u009b31m"
	got := render(&text{location: time.UTC, kubectl: []string{"kubectl"}}, func(h *hub) {
		c := container{namespace: evil, pod: evil, name: evil,
			info: debuginfo.Container{Artifact: evil, Runtime: evil, WorkingDir: evil, Ports: map[string]int32{evil: 1}}}
		id := h.publishStarted(c)
		h.publishForward(id, portEvent{PodName: evil, ContainerName: evil, Namespace: evil, PortName: evil}, false)
		h.publishTerminated(id)
	})
	stderr := newPrinter(nil)
	stderr.say("pod %s: %v", evil, errors.New(evil))
	for _, s := range []string{strings.ReplaceAll(got, "\n", ""), strings.TrimSuffix(string(stderr.take()[0]), "\n")} {
		if strings.ContainsAny(s, "\x1b\x07\r\n\u202e\u009b") {
			t.Errorf("control characters get through: %q", s)
		}
	}
	if n := strings.Count(got, "\n"); n != 6 {
		t.Errorf("%d lines, want 6: %q", n, got)
	}
}
