package runtimes

import (
	"fmt"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/generated"
)

// TestDocumentationIsFresh generates the documentation's tables of languages from what they say about themselves.
func TestDocumentationIsFresh(t *testing.T) {
	code := func(cell string, words []string) string {
		if cell == "" && len(words) > 0 {
			cell = "`" + strings.Join(words, "` `") + "`"
		}
		return cell
	}
	var signs, rewrites strings.Builder
	signs.WriteString("| runtime | also called | program | strong signs | weak signs |\n| --- | --- | --- | --- | --- |\n")
	rewrites.WriteString("| runtime | protocol, port | rewrite | support files |\n| --- | --- | --- | --- |\n")
	for _, r := range All() {
		s := r.Signs
		fmt.Fprintf(&signs, "| `%s` | %s | %s | %s | %s |\n", r.Name(), code("", r.Aliases()),
			code(r.Doc.Programs, s.Programs), code(r.Doc.Strong, s.Strong), code(r.Doc.Weak, s.Weak))
		listens := "none"
		if len(r.Protocols) > 0 {
			listens = fmt.Sprintf("`%s` %d", r.Protocols[0].Name, r.Protocols[0].Port)
		}
		fmt.Fprintf(&rewrites, "| `%s` | %s | %s | %s |\n", r.Name(), listens, r.Doc.Rewrite, r.Doc.Support)
	}
	generated.Section(t, "../docs/runtimes.md", "signs", signs.String())
	generated.Section(t, "../docs/runtimes.md", "rewrites", rewrites.String())
}
