package terminal

import (
	"bytes"
	"os"
	"testing"
)

func TestText(t *testing.T) {
	for s, want := range map[string]struct{ text, line string }{
		"":                   {"", ""},
		"wéb 世界":             {"wéb 世界", "wéb 世界"},
		"a\nb\r\n":           {"a\nb\\r\n", `a\nb\r\n`},
		"\x1b]0;t\x07\u009b": {`\x1b]0;t\a\u009b`, `\x1b]0;t\a\u009b`},
		"\u202e'":            {`\u202e'`, `\u202e'`},
		"\x9b31m":            {"\ufffd31m", "\ufffd31m"},
	} {
		if got := Text(s); got != want.text {
			t.Errorf("Text(%q) = %q, want %q", s, got, want.text)
		}
		if got := Line(s); got != want.line {
			t.Errorf("Line(%q) = %q, want %q", s, got, want.line)
		}
	}
}

func TestIs(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if Colours(file) || Is(file) || Is(&bytes.Buffer{}) || Is(nil) {
		t.Error("a file, a buffer or nothing is taken for a terminal")
	}
}
