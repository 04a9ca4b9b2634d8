package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// Scripts have no terminal, so that they never see a colour. What the terminal would act on, only we print.
func TestReportColours(t *testing.T) {
	results := fn.Results{
		{Severity: fn.Info, Message: "fine", ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: "wéb"}},
		{Severity: fn.Warning, Message: "container app: so-so", Tags: map[string]string{"container": "app"}},
		{Severity: fn.Error, Message: "bad"},
	}
	var out bytes.Buffer
	reporter{w: &out, painter: true}.print(results)
	want := "\x1b[32mok     \x1b[0m  Pod/wéb       fine\n\x1b[33mwarning\x1b[0m  -        app  so-so\n\x1b[31merror  \x1b[0m  -             bad\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
	out.Reset()
	reporter{w: &out}.print(fn.Results{{Severity: fn.Warning, Message: "container a\x1b[2J: no\nok  all\u202e", ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: "p\r"}, Tags: map[string]string{"container": "a\x1b[2J"}}})
	if want := `warning  Pod/p\r  a\x1b[2J  no\nok  all\u202e` + "\n"; out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
	out.Reset()
	newReporter(&out, "text", false).print(results)
	if bytes.Contains(out.Bytes(), []byte("\x1b")) {
		t.Errorf("colours in what is no terminal: %q", out.String())
	}
}

// TestReportLongNames: one name of two million characters neither pads the other rows nor is written in full.
func TestReportLongNames(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	results := fn.Results{{Severity: fn.Info, Message: "container " + long + ": fine", ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: long}, Tags: map[string]string{"container": long}}}
	for range 2000 {
		results = append(results, &fn.Result{Severity: fn.Info, Message: "container c: fine", ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: "p"}, Tags: map[string]string{"container": "c"}})
	}
	var out bytes.Buffer
	newReporter(&out, "text", false).print(results)
	for line := range strings.Lines(out.String()) {
		if len(line) > 5000 {
			t.Fatalf("a line has %d bytes", len(line))
		}
	}
	if out.Len() > 500*len(results) {
		t.Errorf("%d results took %d bytes", len(results), out.Len())
	}
}

// TestReportJSONIsShown: JSON lines are read by people as well, on a terminal that acts on control characters.
func TestReportJSONIsShown(t *testing.T) {
	var out bytes.Buffer
	name := "a\x1b[2J\u009b\u202e\u200b\x7f"
	newReporter(&out, "json", false).print(fn.Results{{Severity: fn.Info, Message: name, ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: name}}})
	if want := `{"message":"a\u001b[2J\u009b\u202e\u200b\u007f",`; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %q, want it to begin with %q", out.String(), want)
	}
}

// TestLongForeignTexts: what a manifest says is quoted in part, however often it is quoted.
func TestLongForeignTexts(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	var pod strings.Builder
	pod.WriteString("apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations: {debug.cloud.google.com/config: '" + long + "'}\nspec:\n  containers:\n")
	for i := range 200 {
		fmt.Fprintf(&pod, "  - {name: c%d, image: nginx}\n", i)
	}
	pod.WriteString("---\napiVersion: v1\nkind: Pod\nmetadata: {name: q}\nspec: {containers: [{name: c, image: '" + long + "'}]}\n")
	pod.WriteString("---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + long + "}\nspec: {containers: [{name: " + long + ", command: ['tini', '--" + long + "']}]}\n")
	for _, format := range []string{"text", "json"} {
		var out, errw bytes.Buffer
		run(t.Context(), []string{"debuggable", "--offline", "--report", format}, strings.NewReader(pod.String()), &out, &errw)
		if errw.Len() > 1000*203 || errw.Len() == 0 {
			t.Errorf("%s: %d bytes were said", format, errw.Len())
		}
	}
}
