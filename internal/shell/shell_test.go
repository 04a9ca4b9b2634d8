package shell

import "testing"

func TestJoin(t *testing.T) {
	got := Join("", "pod/web-1", "a b", "--a=b", "-a=b c", "a=b", "$HOME", "~/x", "c\x00")
	if want := `'' pod/web-1 'a b' --a=b -a='b c' 'a=b' '$HOME' '~/x' "c\x00"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
