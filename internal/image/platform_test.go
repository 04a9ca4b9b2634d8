package image

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"linux/amd64":                  "linux/amd64",
		"Linux/AMD64":                  "linux/amd64",
		" linux/x86_64 ":               "linux/amd64",
		"linux/amd64/v1":               "linux/amd64",
		"linux/amd64/v3":               "linux/amd64/v3",
		"linux/arm64/v8":               "linux/arm64",
		"linux/aarch64":                "linux/arm64",
		"linux/arm64/8":                "linux/arm64",
		"linux/arm":                    "linux/arm/v7",
		"linux/arm/6":                  "linux/arm/v6",
		"linux/armhf":                  "linux/arm/v7",
		"linux/i386":                   "linux/386",
		"windows/amd64:10.0.17763.100": "windows/amd64:10.0.17763.100",
	} {
		p, err := ParsePlatform(in)
		if err != nil {
			t.Errorf("ParsePlatform(%q): %v", in, err)
		} else if p.String() != want {
			t.Errorf("ParsePlatform(%q) = %s, want %s", in, p, want)
		}
		if again := NormalPlatform(want); again != want {
			t.Errorf("NormalPlatform(%q) = %q: not the same again", want, again)
		}
	}
	for in, want := range map[string]string{
		"":                  "OS/ARCH",
		"amd64":             "OS/ARCH",
		"linux/":            "OS/ARCH",
		"linux/arm/v7/more": "OS/ARCH",
		"linux/amd46":       `unknown architecture "amd46"`,
		"linus/amd64":       `unknown operating system "linus"`,
	} {
		if _, err := ParsePlatform(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParsePlatform(%q): got error %v, want one with %q", in, err, want)
		}
	}
}

// TestRank lists, for a node, images best first; none of the others serves it.
func TestRank(t *testing.T) {
	all := strings.Fields("linux/amd64 linux/amd64/v2 linux/amd64/v3 linux/386 linux/arm64 linux/arm64/v9 " +
		"linux/arm64/v8.1 " +
		"linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/s390x windows/amd64 linux/riscv64")
	for node, want := range map[string]string{
		"linux/amd64":    "linux/amd64 linux/386",
		"linux/amd64/v3": "linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386",
		"linux/arm64":    "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
		"linux/arm64/v9": "linux/arm64/v9 linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5",
		"linux/arm":      "linux/arm/v7 linux/arm/v6 linux/arm/v5",
		"linux/arm/v6":   "linux/arm/v6 linux/arm/v5",
		"linux/s390x":    "linux/s390x",
		"windows/amd64":  "windows/amd64",
		"linux/ppc64le":  "",
	} {
		left := map[string]bool{}
		for _, p := range all {
			left[p] = true
		}
		var got []string
		for len(left) > 0 {
			var cs []*candidate
			for _, p := range all { // the order must not matter
				if left[p] {
					pp := mustPlatform(t, p)
					cs = append(cs, &candidate{platform: &pp})
				}
			}
			c := best(cs, mustPlatform(t, node))
			if c == nil {
				break
			}
			got = append(got, c.platform.String())
			delete(left, c.platform.String())
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: got  %s\nwant %s", node, g, want)
		}
	}
}

func mustPlatform(t testing.TB, s string) v1.Platform {
	t.Helper()
	p, err := ParsePlatform(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func FuzzParsePlatform(f *testing.F) {
	for _, s := range []string{"linux/amd64", "linux/arm/v7", "windows/amd64:10.0", "a/b/c", "linux/arm64/v8.2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlatform(s)
		if err != nil {
			return
		}
		again, err := ParsePlatform(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q: %s becomes %s, %v", s, p, again, err)
		}
		if rank(p, p) != 0 {
			t.Fatalf("%s does not serve itself", p)
		}
	})
}
