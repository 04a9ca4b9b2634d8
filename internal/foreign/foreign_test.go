package foreign

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for s, want := range map[string]struct{ text, line string }{
		"":                   {"", ""},
		"wéb 世界":             {"wéb 世界", "wéb 世界"},
		"a\nb\r\n":           {"a\nb\\r\n", `a\nb\r\n`},
		"\x1b]0;t\x07\u009b": {`\x1b]0;t\a\u009b`, `\x1b]0;t\a\u009b`},
		"\u202e'\x7f":        {`\u202e'\x7f`, `\u202e'\x7f`},
		"a\u200bb\ufeff":     {`a\u200bb\ufeff`, `a\u200bb\ufeff`},
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

func TestJSON(t *testing.T) {
	for _, s := range []string{"plain", "wéb 世界", "\x1b[31m\r\n\t\x7f\u009b\u202e\u200b\ufeff\U000e0001 end", "\x9b"} {
		b, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		got := JSON(b)
		if i := strings.IndexFunc(string(got), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q: %q holds what nobody sees", s, got)
		}
		var back map[string]string
		if err := json.Unmarshal(got, &back); err != nil ||
			back[strings.ToValidUTF8(s, "\ufffd")] != strings.ToValidUTF8(s, "\ufffd") {
			t.Errorf("%q: %q reads back as %q, %v", s, got, back, err)
		}
	}
	indented := "{\n\t\"a\": 1\r\n}\n"
	if got := string(JSON([]byte(indented))); got != indented {
		t.Errorf("got %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("x", 2<<20), strings.Repeat("世", 1<<20),
		strings.Repeat("\x80", 1000), "a" + strings.Repeat("𝒳", 1000)} {
		for _, most := range []int{0, 1, 2, 3, 10, 160} {
			got := Cut(s, most)
			if len(got) > most+len("…") || len(s) <= most && got != s || utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Errorf("Cut(%.10q…, %d) = %q", s, most, got)
			}
		}
		if got := Quote(s); len(got) > 4*200 {
			t.Errorf("Quote(%.10q…) has %d bytes", s, len(got))
		}
	}
	if got := Cut("registry.example/team/application:v1", 18); got != "registry.exa…ion:v1" {
		t.Errorf("got %q", got)
	}
}

func TestMessage(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, "https://me:pass:word@r.io/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	secrets := &Secrets{}
	req.SetBasicAuth("me", `se"cret/+ 1`)
	secrets.AddSent(req)
	req.Header.Set("Authorization", "Bearer tok.en-1")
	secrets.AddSent(req)
	secrets.Add("", "abc")
	for s, want := range map[string]string{
		`you sent Basic bWU6c2UiY3JldC8rIDE= twice`:              "you sent Basic (redacted) twice",
		`you sent "Bearer tok.en-1"`:                             `you sent "Bearer (redacted)"`,
		`{"password":"se\"cret/+ 1"}`:                            `{"password":"(redacted)"}`,
		`password=se%22cret%2F%2B+1&user=me`:                     `password=(redacted)&user=me`,
		`pass:word`:                                              "(redacted)",
		"abc \x1b[31m\nnext":                                     `abc \x1b[31m\nnext`,
		`Get "https://s3.example/b/o?X-Amz-Signature=00": EOF`:   `Get "https://s3.example/b/o?…": EOF`,
		`proxy http://joe:hunter22@proxy:3128/?a=b#c refuses it`: `proxy http://proxy:3128/?… refuses it`,
		`https://r.io/v2/ answers`:                               `https://r.io/v2/ answers`,
	} {
		if got := Message(s, secrets); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
	if got := Message(strings.Repeat("x", 1<<20), nil); len(got) > Most+8 {
		t.Errorf("got %d bytes", len(got))
	}
	// What is cut is cut after the secrets are gone: half a secret is one, too.
	if got := Message(strings.Repeat("x", Most*2/3-3)+"tok.en-1"+strings.Repeat("y", Most),
		secrets); strings.Contains(got, "tok") {
		t.Errorf("got %q", got)
	}
}

// TestMessageIsCheap: who sends much is not searched for every secret in all of it, and no half of a secret is left.
func TestMessageIsCheap(t *testing.T) {
	secrets := &Secrets{}
	token := strings.Repeat("s3cr3t", 600)
	secrets.Add(token)
	for before := 16<<10 - len(token); before <= 16<<10; before += 50 {
		if got := Message(strings.Repeat("x", before)+token+strings.Repeat("y", 1<<20), secrets); strings.Contains(got,
			"s3cr3t") {
			t.Fatalf("%d: got %q", before, got)
		}
	}
}
