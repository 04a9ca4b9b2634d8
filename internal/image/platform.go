package image

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// DefaultPlatform is the platform of a Want that names none.
const DefaultPlatform = "linux/amd64"

// knownOS and knownArch are the values of GOOS and GOARCH that container images are built for; the OCI image
// specification takes its platform names from there.
var (
	knownOS = []string{"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos",
		"aix", "android", "plan9", "wasi", "wasip1", "js"}
	knownArch = []string{"amd64", "arm64", "arm", "386", "ppc64le", "ppc64", "s390x", "riscv64", "loong64", "mips",
		"mipsle", "mips64", "mips64le", "wasm"}
)

// ParsePlatform reads OS/ARCH[/VARIANT][:OSVERSION], like linux/amd64, linux/arm/v7 or windows/amd64:10.0.17763.1, and
// normalises it: linux/arm64/v8 is linux/arm64, linux/arm is linux/arm/v7, x86_64 is amd64. It refuses operating
// systems and architectures that Go does not know.
func ParsePlatform(s string) (v1.Platform, error) {
	words, version, _ := strings.Cut(strings.TrimSpace(s), ":")
	parts := strings.Split(words, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return v1.Platform{}, fmt.Errorf("platform %q: want OS/ARCH or OS/ARCH/VARIANT, like linux/amd64 or linux/arm/v7", s)
	}
	p := v1.Platform{OS: parts[0], Architecture: parts[1], OSVersion: version}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	p = normalPlatform(p)
	if !slices.Contains(knownOS, p.OS) {
		return v1.Platform{}, fmt.Errorf("platform %q: unknown operating system %q, want one like linux or windows", s,
			parts[0])
	}
	if !slices.Contains(knownArch, p.Architecture) {
		return v1.Platform{}, fmt.Errorf("platform %q: unknown architecture %q, want one of %s", s, parts[1],
			strings.Join(knownArch, ", "))
	}
	return p, nil
}

// NormalPlatform returns the platform that s names in the one way to write it, like linux/arm64 for linux/arm64/v8;
// s itself where it is no platform.
func NormalPlatform(s string) string {
	p, err := ParsePlatform(s)
	if err != nil {
		return s
	}
	return p.String()
}

// normalPlatform gives each platform one spelling, the one that containerd uses (github.com/containerd/platforms,
// database.go): default variants are left out, but for arm, whose default is v7.
func normalPlatform(p v1.Platform) v1.Platform {
	p.OS, p.Architecture, p.Variant = strings.ToLower(p.OS), strings.ToLower(p.Architecture), strings.ToLower(p.Variant)
	if p.OS == "macos" {
		p.OS = "darwin"
	}
	switch p.Architecture {
	case "i386", "i486", "i586", "i686":
		p.Architecture, p.Variant = "386", ""
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "armhf":
		p.Architecture, p.Variant = "arm", "v7"
	case "armel":
		p.Architecture, p.Variant = "arm", "v6"
	}
	if p.Variant != "" && p.Variant[0] >= '0' && p.Variant[0] <= '9' {
		p.Variant = "v" + p.Variant
	}
	switch {
	case p.Architecture == "amd64" && p.Variant == "v1", p.Architecture == "arm64" &&
		(p.Variant == "v8" || p.Variant == "v8.0"):
		p.Variant = ""
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	}
	return p
}

// noMatch is the rank of a platform that cannot serve.
const noMatch = -1

// rank says how well an image built for have serves a node that is want: 0 is exact, more is worse, noMatch not at all.
// A node runs images of lower variants of its architecture, and as a last resort those of its 32-bit sibling; that is
// containerd's order (github.com/containerd/platforms, compare.go), and so what a kubelet pulls.
func rank(want, have v1.Platform) int {
	want, have = normalPlatform(want), normalPlatform(have)
	if want.OS != have.OS {
		return noMatch
	}
	r := 0
	if want.OSVersion != "" && want.OSVersion != have.OSVersion {
		if have.OSVersion != "" {
			return noMatch
		}
		r = 1
	}
	const sibling = 10000
	w, h := variantNumber(want), variantNumber(have)
	switch {
	case want.Architecture == have.Architecture && want.Variant == have.Variant:
		return r
	case want.Architecture == have.Architecture:
		if w < 0 || h < 0 || h > w {
			return noMatch
		}
		return r + 2*(w-h)
	case want.Architecture == "arm64" && have.Architecture == "arm":
		if h < 0 || h > 800 {
			return noMatch
		}
		return r + sibling + 2*(800-h)
	case want.Architecture == "amd64" && have.Architecture == "386":
		return r + sibling
	}
	return noMatch
}

// variantNumber returns the variant of a normalised platform as a number that grows with it, v8.2 as 802; -1 where the
// variant is not of that form, or the architecture has no order of variants.
func variantNumber(p v1.Platform) int {
	v := p.Variant
	if v == "" {
		switch p.Architecture {
		case "amd64":
			v = "v1"
		case "arm64":
			v = "v8"
		}
	}
	switch p.Architecture {
	case "amd64", "arm", "arm64":
	default:
		return -1
	}
	major, minor, _ := strings.Cut(strings.TrimPrefix(v, "v"), ".")
	a, err := strconv.ParseUint(major, 10, 5)
	if err != nil || !strings.HasPrefix(v, "v") {
		return -1
	}
	var b uint64
	if minor != "" {
		if b, err = strconv.ParseUint(minor, 10, 6); err != nil {
			return -1
		}
	}
	return int(a)*100 + int(b)
}

// platformList names platforms for people: each once, in the order given.
func platformList(ps []*v1.Platform) string {
	var names []string
	for _, p := range ps {
		n := "an unknown platform"
		if p != nil {
			n = normalPlatform(*p).String()
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}
