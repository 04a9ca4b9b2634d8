package launch

import (
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// unfollowed refuses launchers that are known, but not followed: a debugger in front of them would not debug the
// application, and variables may not get past them.
func unfollowed(words []word) error {
	name := path.Base(words[0].text)
	why, known := "", false
	for _, u := range unfollowedLaunchers() {
		if slices.Contains(u.names, name) {
			why, known = u.why, true
		}
	}
	switch {
	case known:
	case strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-musl") || name == "ld.so":
		why = "loads its program by itself"
	case name == "su" || name == "runuser":
		if !slices.ContainsFunc(words[1:], loginOption) {
			return nil // variables get past it
		}
		why = "starts a login shell, which drops variables"
	default:
		return nil
	}
	return reason.Refuse(reason.LauncherNotFollowed, "%s %s: start the program without it", name, why)
}

// loginOption reports whether a word asks su for a login shell: -, -l, -lc, --login and what is short for it. Letters
// behind one that takes a value are the value.
func loginOption(w word) bool {
	text, short := strings.CutPrefix(w.text, "-")
	if long, ok := strings.CutPrefix(text, "-"); ok {
		return len(long) > 0 && strings.HasPrefix("login", long)
	}
	if end := strings.IndexAny(text, "cgGsuw"); end >= 0 {
		text = text[:end]
	}
	return short && (w.text == "-" || strings.Contains(text, "l"))
}

type unfollowedLauncher struct {
	names []string
	why   string
}

// unfollowedLaunchers returns the table, by what they do. Source: their manual pages.
func unfollowedLaunchers() []unfollowedLauncher {
	return []unfollowedLauncher{
		{[]string{"sudo", "doas"}, "drops variables, and may allow certain command lines only"},
		{[]string{"chroot", "nsenter", "unshare", "bwrap", "firejail", "proot", "fakechroot"},
			"gives its program other surroundings"},
		{[]string{"systemd-run"}, "has its program started by another process"},
		{[]string{"strace", "ltrace", "valgrind", "heaptrack", "gdb", "rr", "perf", "catchsegv"},
			"watches its program itself"},
		{[]string{"script", "unbuffer", "capsh", "setarch", "linux32", "linux64", "i386", "pid1", "cross-env-shell"},
			"has options that are not read here"},
		{[]string{
			"s6-envdir", "s6-softlimit", "s6-applyuidgid", "s6-env", "s6-sudo", "s6-setlock", "s6-fghack", "s6-log", "execlineb",
			"importas", "exec-helper",
		}, "has options that are not read here"},
		{[]string{"sops", "summon", "consul-template", "envconsul", "vault-env", "conda", "mamba", "micromamba", "pixi",
			"hatch"}, "finds its program in its own way"},
	}
}
