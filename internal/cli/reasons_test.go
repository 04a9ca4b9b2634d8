package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/reason"
)

// uncovered are the reasons that no script can have a result with, and why.
var uncovered = map[string]string{
	"NoFreePort":       "takes a pod that declares more than nine thousand ports; see TestNoFreePort of package transform",
	"AnnotationsFull":  "takes annotations of 256 KiB; see TestAnnotationsFull of package transform",
	"WordNeedsQuoting": "no runtime inserts a word that needs quotes; package launch tests it with words of its own",
}

// TestEveryReasonHasAGolden looks each reason up among the results that testdata/reasons shows, once at least as grave
// as the table says.
func TestEveryReasonHasAGolden(t *testing.T) {
	shown := map[string]string{}
	scripts, err := filepath.Glob("../../testdata/reasons/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in testdata/reasons (%v)", err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:"severity":"(\w+)".*)?"reason":"(\w+)"|\n +reason: `+
			`(\w+)\n`).FindAllStringSubmatch(string(text), -1) {
			shown[m[2]+m[3]] += " " + m[1]
		}
	}
	for _, e := range reason.Table() {
		code := string(e.Code)
		severities, found := shown[code]
		why, excused := uncovered[code]
		switch {
		case excused && found:
			t.Errorf("%s has a golden: it need not be excused (%s)", code, why)
		case !excused && !found:
			t.Errorf("%s is the reason of no result in testdata/reasons", code)
		case strings.TrimSpace(severities) != "" && !strings.Contains(severities, string(e.Severity)):
			t.Errorf("%s is%s in testdata/reasons, %s in the table", code, severities, e.Severity)
		}
		delete(shown, code)
	}
	for code := range shown {
		t.Errorf("testdata/reasons shows %s, which the table does not have", code)
	}
	for code := range uncovered {
		if _, found := reason.Lookup(code); !found {
			t.Errorf("%s is excused, but the table does not have it", code)
		}
	}
}
