package reason

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"debuggable.dev/debuggable/internal/generated"
)

// TestPageIsFresh keeps the page that explains each reason up to date, with a result from testdata/reasons for each.
func TestPageIsFresh(t *testing.T) {
	said := examples(t)
	var b strings.Builder
	for _, e := range Table() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", e.Code, lines(strings.ToUpper(e.Means[:1])+e.Means[1:]+"."))
		if e.Do != "nothing" {
			fmt.Fprintf(&b, "%s\n\n", lines("What to do: "+e.Do+"."))
		}
		if text := said[e.Code]; text != "" {
			fmt.Fprintf(&b, "```text\n%s\n```\n", text)
		}
	}
	generated.Section(t, "../../docs/not-debuggable.md", "reasons", b.String())
}

// lines breaks a text into lines of at most 120 characters.
func lines(text string) string {
	var b strings.Builder
	used := 0
	for word := range strings.SplitSeq(text, " ") {
		switch length := utf8.RuneCountInString(word); {
		case used == 0:
			used = length
		case used+1+length > 120:
			b.WriteByte('\n')
			used = length
		default:
			b.WriteByte(' ')
			used += 1 + length
		}
		b.WriteString(word)
	}
	return b.String()
}

// examples finds a message for each code among the results that the scripts show.
func examples(t *testing.T) map[Code]string {
	scripts, err := filepath.Glob("../../testdata/reasons/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in testdata/reasons (%v)", err)
	}
	said := map[Code]string{}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^\{"message":.*$`).FindAllString(string(text), -1) {
			var result struct {
				Severity Severity
				Message  string
				Tags     map[string]string
			}
			if err := json.Unmarshal([]byte(line), &result); err != nil {
				t.Fatalf("%s: %v", script, err)
			}
			if code := Code(result.Tags["reason"]); said[code] == "" && len(result.Message) < 400 {
				said[code] = string(result.Severity) + ": " + result.Message
			}
		}
	}
	return said
}
