package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	in := strings.Join([]string{
		`{"Action":"output","Package":"debuggable.dev/debuggable/a","Test":"TestHelm","Output":"=== RUN   TestHelm\n"}`,
		`{"Action":"output","Package":"debuggable.dev/debuggable/a","Test":"TestHelm","Output":"    a_test.go:7: helm is ` +
			`not built\n"}`,
		`{"Action":"output","Package":"debuggable.dev/debuggable/a","Test":"TestHelm","Output":"--- SKIP: TestHelm ` +
			`(0.00s)\n"}`,
		`{"Action":"skip","Package":"debuggable.dev/debuggable/a","Test":"TestHelm"}`,
		`{"Action":"output","Package":"debuggable.dev/debuggable/a","Test":"TestGood","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"debuggable.dev/debuggable/a","Test":"TestGood"}`,
		`{"Action":"output","Package":"debuggable.dev/debuggable/a","Output":"PASS\n"}`,
		`{"Action":"output","Package":"debuggable.dev/debuggable/a","Output":"ok  \tdebuggable.dev/debuggable/a\t0.1s\n"}`,
		`{"Action":"pass","Package":"debuggable.dev/debuggable/a"}`,
	}, "\n")
	var out strings.Builder
	if err := run(strings.NewReader(in), &out); err != nil {
		t.Error(err)
	}
	want := "ok  \tdebuggable.dev/debuggable/a\t0.1s\n\nskipped, 1 in all:\n  helm is not built\n      ./a TestHelm\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	bad := `{"Action":"output","Package":"p","Test":"TestBad","Output":"    p_test.go:1: no\n"}` + "\n" +
		`{"Action":"fail","Package":"p","Test":"TestBad"}`
	if err := run(strings.NewReader(bad), &out); err == nil || out.String() != "    p_test.go:1: no\n\n"+
		"no test was skipped\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}
