package main

import (
	"bytes"
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
	reporter{w: &out, color: true}.print(results)
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
