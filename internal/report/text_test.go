package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"

	"debuggable.dev/debuggable/internal/reason"
)

// many returns a result or two for each of n workloads with long names.
func many(n int) fn.Results {
	kinds := []struct {
		code     reason.Code
		severity fn.Severity
		message  string
	}{
		{reason.Debuggable, fn.Info, "go, dlv on port 56268 (image sets GOTRACEBACK)"},
		{reason.KnownOther, fn.Info, "not made debuggable: program redis-server belongs to no runtime that can be debugged"},
		{reason.ImageNotFound, fn.Warning, "not made debuggable: image registry.example.com/" + strings.Repeat("team/", 30) +
			"web:v1 is in none of the sources"},
	}
	var results fn.Results
	for i := range n {
		kind := kinds[i%len(kinds)]
		results = append(results, &fn.Result{
			Severity: kind.severity, Message: "container application-server: " + kind.message,
			ResourceRef: &fn.ResourceRef{Kind: "Deployment", Namespace: "production-europe-west",
				Name: fmt.Sprintf("recommendation-engine-backend-for-frontend-%d", i)},
			Field: &fn.Field{Path: "spec.template.spec.containers[0]"},
			Tags:  map[string]string{"container": "application-server", "reason": string(kind.code)},
		})
	}
	return results
}

func TestFitsTheTerminal(t *testing.T) {
	results := many(120)
	for _, width := range []int{40, 80, 100, 200} {
		var out bytes.Buffer
		r := Reporter{w: &out, width: width}
		r.Results(results)
		r.Note("%s", strings.Repeat("many words and ", 40))
		r.Total(results, true)
		for line := range strings.Lines(out.String()) {
			if got := utf8.RuneCountInString(strings.TrimRight(line, "\n")); got > width {
				t.Errorf("%d columns in a terminal of %d: %s", got, width, line)
			}
		}
		if i := 119; width >= 80 && !strings.Contains(out.String(), fmt.Sprintf("-%d ", i)) {
			t.Errorf("%d columns: the end of the name of workload %d is cut", width, i)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if last := lines[len(lines)-1]; width >= 200 && last != "total    40 made debuggable, 80 not: 40 ImageNotFound, 40 "+
			"KnownOther; debuggable explain ImageNotFound says what to do" {
			t.Errorf("%d columns: the last line is %q", width, last)
		}
	}
}

// TestNothingIsLost: what is wrapped is the same words, and long ones the same letters.
func TestNothingIsLost(t *testing.T) {
	for _, text := range []string{"", "a", "a b", "abcdefghijklmnopqrstuvwxyz", "a abcdefghijklmnopqrstuvwxyz z",
		"  two  spaces", "wörter mit ümläuten"} {
		for columns := 1; columns < 12; columns++ {
			lines := wrap(text, columns)
			if got := strings.Join(lines, ""); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(text, " ", "") {
				t.Errorf("%q in %d columns is %q", text, columns, lines)
			}
			if i := slices.IndexFunc(lines, func(l string) bool { return utf8.RuneCountInString(l) > columns }); i >= 0 {
				t.Errorf("%q in %d columns has the line %q", text, columns, lines[i])
			}
		}
	}
}

func TestTotal(t *testing.T) {
	result := func(code reason.Code, container, message string) *fn.Result {
		r := &fn.Result{Severity: fn.Info, Message: message, Tags: map[string]string{"reason": string(code)},
			ResourceRef: &fn.ResourceRef{Kind: "Pod", Name: "p"}}
		if container != "" {
			r.Tags["container"], r.Field = container, &fn.Field{Path: container}
		}
		return r
	}
	for want, results := range map[string]fn.Results{
		"": {result(reason.MatchesNothing, "", "artifacts: nothing")},
		"total    1 made debuggable, 0 not\n": {result(reason.Debuggable, "a", ""), result(reason.OutlivesProgram, "a", ""),
			result(reason.ReplicasKept, "", "stays")},
		"total    0 made debuggable, 2 not: 1 KnownOther, 1 Skipped\n": {result(reason.KnownOther, "a", ""),
			result(reason.Skipped, "", "left alone: annotated")},
	} {
		var out bytes.Buffer
		New(&out, "text", false).Total(results, true)
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	}
}
