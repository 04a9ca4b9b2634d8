package process

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// kubelet expands as the kubelet does (its expansion package), written apart from expand: byte by byte, taking a byte
// behind a dollar sign for a character of the same number.
func kubelet(raw string, env map[string]string) string {
	out := ""
	for raw != "" {
		dollar := strings.IndexByte(raw, '$')
		if dollar < 0 || dollar == len(raw)-1 {
			return out + raw
		}
		out += raw[:dollar]
		next := raw[dollar+1]
		raw = raw[dollar+2:]
		if next == '$' {
			out += "$"
			continue
		}
		name, rest, closed := strings.Cut(raw, ")")
		if next != '(' || !closed {
			out += "$" + string(rune(next))
			continue
		}
		raw = rest
		if value, ok := env[name]; ok {
			out += value
		} else {
			out += "$(" + name + ")"
		}
	}
	return out
}

var expansions = []struct{ raw, want string }{
	{"", ""},
	{"plain", "plain"},
	{"$", "$"},
	{"a$", "a$"},
	{"$$", "$"},
	{"$$$", "$$"},
	{"$$$$", "$$"},
	{"$HOME", "$HOME"},
	{"${A}", "${A}"},
	{"$(A)", "value"},
	{"$$(A)", "$(A)"},
	{"$$$(A)", "$value"},
	{"$$$$(A)", "$$(A)"},
	{"$(A)$(A)", "valuevalue"},
	{"$(B)", "$(B)"},
	{"$(B) $(A)", "$(B) value"},
	{"$(", "$("},
	{"$(A", "$(A"},
	{"$($(A)", "$($(A)"},
	{"$(A))", "value)"},
	{"$()", "$()"},
	{"$(DOLLAR)", "$$(A)"}, // a value is not expanded once more
	{"$((1+2))", "$((1+2))"},
	{"$(A\nB)", "$(A\nB)"},
	{"$ $(A)", "$ value"},
	{"$-$(A)", "$-value"},
	{"x$(EMPTY)y", "xy"},
	{"$(EMPTY)", ""},
	{"日本$(A)", "日本value"},
}

var expansionEnv = map[string]string{"A": "value", "DOLLAR": "$$(A)", "EMPTY": ""}

func TestExpand(t *testing.T) {
	for _, c := range expansions {
		if got := kubelet(c.raw, expansionEnv); got != c.want {
			t.Errorf("the test's own expansion of %q is %q, want %q", c.raw, got, c.want)
		}
		got, _ := expand(c.raw, lookupIn(expansionEnv))
		if got != c.want {
			t.Errorf("expand(%q) = %q, want %q", c.raw, got, c.want)
		}
	}
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestEscape(t *testing.T) {
	for _, c := range []struct{ literal, want string }{
		{"$HOME", "$HOME"},
		{"a$", "a$"},
		{"$(A)", "$$(A)"},
		{"$$", "$$$"},
		{"$$$", "$$$$$"},
		{"$é", "$$é"},
		{"echo $(date) ${X}", "echo $$(date) ${X}"},
	} {
		if got := Escape(c.literal); got != c.want {
			t.Errorf("escape(%q) = %q, want %q", c.literal, got, c.want)
		}
		if got := kubelet(Escape(c.literal), expansionEnv); got != c.literal {
			t.Errorf("the kubelet makes %q of escape(%q)", got, c.literal)
		}
	}
}

// checkExpansion checks what holds for every text: escaping survives the kubelet whatever the environment, expand
// agrees with the kubelet, and its segments are copies.
func checkExpansion(t *testing.T, s string) {
	t.Helper()
	for _, env := range []map[string]string{nil, expansionEnv} {
		if got := kubelet(Escape(s), env); got != s {
			t.Fatalf("the kubelet makes %q of escape(%q) = %q", got, s, Escape(s))
		}
		if got, _ := expand(Escape(s), lookupIn(env)); got != s {
			t.Fatalf("expand(escape(%q)) = %q", s, got)
		}
		text, segments := expand(s, lookupIn(env))
		mangled := false // a manifest that the kubelet does not take as it is meant
		for i := 0; i+1 < len(s); i++ {
			mangled = mangled || s[i] == '$' && s[i+1] >= utf8.RuneSelf
		}
		if !mangled && text != kubelet(s, env) {
			t.Fatalf("expand(%q) = %q, but the kubelet makes %q of it", s, text, kubelet(s, env))
		}
		at, raw := 0, 0
		for _, seg := range segments {
			if seg.At < at || seg.Raw < raw || seg.Len <= 0 || text[seg.At:seg.At+seg.Len] != s[seg.Raw:seg.Raw+seg.Len] {
				t.Fatalf("expand(%q): %v is no copy", s, seg)
			}
			at, raw = seg.At+seg.Len, seg.Raw+seg.Len
		}
		// Plain text that is put at any place that rawOffset knows is in the expanded text at that place.
		for offset := 0; offset <= len(text); offset++ {
			p, ok := rawOffset(segments, offset, len(text), len(s))
			if !ok || mangled || offset > 0 && offset < len(text) && text[offset-1] == '$' {
				continue // no shell has two words in "$(" or "$x"
			}
			if got, want := kubelet(s[:p]+" words "+s[p:], env), text[:offset]+" words "+text[offset:]; got != want {
				t.Fatalf("%q with words at %d (of the raw text: %d) becomes %q, want %q", s, offset, p, got, want)
			}
		}
	}
}

func TestExpansionOfRandomTexts(t *testing.T) {
	parts := []string{"$", "$", "$", "(", ")", "A", "B", "(A)", "$(A)", "$(", "$$", " ", "x", "EMPTY", "DOLLAR", "é",
		"\n", "'"}
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := ""
		for range r.IntN(9) {
			s += parts[r.IntN(len(parts))]
		}
		checkExpansion(t, s)
	}
}

func FuzzExpansion(f *testing.F) {
	for _, c := range expansions {
		f.Add(c.raw)
	}
	f.Add("$é$(A)$$")
	f.Fuzz(func(t *testing.T, s string) {
		if utf8.ValidString(s) && len(s) < 200 {
			checkExpansion(t, s)
		}
	})
}

// TestExpansionIsBounded: what many references come to is counted before it is made, and a reference without an end is
// looked for once.
func TestExpansionIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	e := Environment{layer: &layer{}, own: map[string]string{"A": long}, expanded: &expanding{}}
	for range 2 {
		if text, _ := e.expanded.expand(strings.Repeat("$(A)", 1000), e, func(string, int) {}); len(text) != 4000 ||
			!e.expanded.tooMuch() {
			t.Errorf("65 MB of references become %d bytes", len(text))
		}
	}
	e.expanded = &expanding{}
	if text, _ := e.expanded.expand(strings.Repeat("$(A)", 60), e, func(string, int) {}); len(text) != 60*len(long) ||
		e.expanded.tooMuch() {
		t.Errorf("4 MB of references become %d bytes", len(text))
	}
	left := 0
	for all, i := new(int), 0; i < 2*maxShared>>16; i++ {
		e.expanded = &expanding{shared: all}
		text, _ := e.expanded.expand("$(A)", e, func(string, int) {})
		if err := e.expanded.tooLarge(); (text == "$(A)") != (err != nil) {
			t.Fatalf("%d bytes, %v", len(text), err)
		} else if err != nil {
			left++
		}
	}
	if left != maxShared>>16 {
		t.Errorf("%d of %d containers that refer to a long value are left alone", left, 2*maxShared>>16)
	}
	open := strings.Repeat("$(", 2<<20)
	start := time.Now()
	if text, _ := expand(open, e.lookup); text != open {
		t.Error("references without an end do not stay")
	}
	if took := time.Since(start); took > 20*time.Second { // it was hours
		t.Errorf("references without an end took %v", took)
	}
}
