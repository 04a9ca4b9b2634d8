package attach

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/ide"
	"debuggable.dev/debuggable/internal/sources"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"web": {Name: "web"}, "web:app": {Name: "web", Container: "app"}, "shop/web": {Namespace: "shop", Name: "web"},
		"shop/web:app": {Namespace: "shop", Name: "web", Container: "app"},
	} {
		if got, err := ParseTarget(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "/web", "a/b/c", "web:", ":app", "shop/", "a:b:c"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestFits(t *testing.T) {
	r := debuginfo.Running{Pod: "web-5f-x", Workload: "web", Name: "app"}
	for text, want := range map[string]bool{"web": true, "web-5f-x": true, "web:app": true, "web:other": false,
		"we": false} {
		target, err := ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.Fits(r); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestMerge(t *testing.T) {
	ours := map[string]json.RawMessage{"pathMappings": json.RawMessage(`[{"localRoot":"/a"}]`),
		"justMyCode": json.RawMessage("false")}
	for theirs, want := range map[string]string{
		`{}`: `{"justMyCode":false,"pathMappings":[{"localRoot":"/a"}]}`,
		`{"connect":{"port":1},"host":"x","port":1,"name":"n"}`: `{"justMyCode":false,"name":"n",` +
			`"pathMappings":[{"localRoot":"/a"}]}`,
		`{"justMyCode":true,"pathMappings":[{"localRoot":"/mine"}]}`: `{"justMyCode":true,` +
			`"pathMappings":[{"localRoot":"/mine"},{"localRoot":"/a"}]}`,
		`{"justMyCode":true,"pathMappings":[{"localRoot":"/a"}]}`: `{"justMyCode":true,` +
			`"pathMappings":[{"localRoot":"/a"}]}`,
	} {
		var arguments map[string]json.RawMessage
		if err := json.Unmarshal([]byte(theirs), &arguments); err != nil {
			t.Fatal(err)
		}
		merge(ours)(arguments)
		if got, err := json.Marshal(arguments); err != nil || string(got) != want {
			t.Errorf("%s becomes %s, %v", theirs, got, err)
		}
	}
}

// TestRefused: what cannot be attached to is said, with what to do.
func TestRefused(t *testing.T) {
	container := func(name, runtime, protocol string) debuginfo.Running {
		return debuginfo.Running{
			Namespace: "shop", Pod: "web-1", Name: name, Workload: "web", Kind: "Deployment",
			Info: debuginfo.Container{Runtime: runtime, Ports: map[string]int32{protocol: 1}},
		}
	}
	for want, running := range map[string][]debuginfo.Running{
		"does not speak the Debug Adapter Protocol: run debuggable watch -n shop " +
			"--port-forward": {container("a", "jvm", "jdwp")},
		"say which, as in web:a (it has a, b)": {
			container("a", "go", "dlv"), container("b", "go", "dlv")},
		"web: no such container runs under a debugger after " +
			"50ms": {{Pod: "other", Workload: "other"}},
		"container a of pod web-1 is python, whose debugger does not speak " +
			"the": {container("a", "python", "pydevd")},
	} {
		a := &Attachment{
			Target: Target{Name: "web"}, Say: t.Logf, Timeout: 50 * time.Millisecond,
			Locate: func(context.Context, ide.Container) (sources.Found, error) { return sources.Found{}, nil },
			Follow: func(ctx context.Context, _ func(debuginfo.Running) bool, look func([]debuginfo.Running) error) error {
				if err := look(running); err != nil {
					return err
				}
				<-ctx.Done()
				return nil
			},
		}
		err := a.Serve(t.Context(), strings.NewReader(""), &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

func TestParsePlace(t *testing.T) {
	for _, at := range []string{"", "x", "attach_test.go", "attach_test.go:", "attach_test.go:0", ":1", "none.go:1"} {
		if file, line, err := parsePlace(at); err == nil {
			t.Errorf("%q: %s, %d", at, file, line)
		}
	}
	if file, line, err := parsePlace("attach_test.go:7"); err != nil || line != 7 ||
		!strings.HasSuffix(file, "/internal/attach/attach_test.go") {
		t.Errorf("%s, %d, %v", file, line, err)
	}
}
