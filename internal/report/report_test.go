package report

import (
	"bytes"
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
	Reporter{w: &out, painter: true}.Results(results)
	want := "\x1b[32mok     \x1b[0m  Pod/wéb       fine\n\x1b[33mwarning\x1b[0m  -        app  so-so\n" +
		"\x1b[31merror  \x1b[0m  -             bad\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
	out.Reset()
	Reporter{w: &out}.Results(
		fn.Results{{Severity: fn.Warning, Message: "container a\x1b[2J: no\nok  all\u202e",
			ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: "p\r"}, Tags: map[string]string{"container": "a\x1b[2J"}}})
	if want := `warning  Pod/p\r  a\x1b[2J  no\nok  all\u202e` + "\n"; out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
	out.Reset()
	New(&out, "text", false).Results(results)
	if bytes.Contains(out.Bytes(), []byte("\x1b")) {
		t.Errorf("colours in what is no terminal: %q", out.String())
	}
}

// TestReportLongNames: one name of two million characters neither pads the other rows nor is written in full.
func TestReportLongNames(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	results := fn.Results{
		{Severity: fn.Info, Message: "container " + long + ": fine", ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: long},
			Tags: map[string]string{"container": long}}}
	for range 2000 {
		results = append(results,
			&fn.Result{Severity: fn.Info, Message: "container c: fine", ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: "p"},
				Tags: map[string]string{"container": "c"}})
	}
	var out bytes.Buffer
	New(&out, "text", false).Results(results)
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
	New(&out, "json",
		false).Results(fn.Results{{Severity: fn.Info, Message: name, ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: name}}})
	if want := `{"message":"a\u001b[2J\u009b\u202e\u200b\u007f",`; !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %q, want it to begin with %q", out.String(), want)
	}
}
