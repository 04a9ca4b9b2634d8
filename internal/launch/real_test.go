package launch

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

var (
	launches   = flag.Int("launches", 100, "how many random command lines TestRealShell starts")
	launchSeed = flag.Uint64("launch-seed", 0, "the seed of TestRealShell's command lines; 0: a new one each time")
	showLeft   = flag.Bool("show-refused", false, "log each command line that TestRealShell finds refused")
)

// rig is a directory of stub programs that write down how they were started, and a shell to start them.
type rig struct {
	bin, work, log string
	u              string // what $(U) stands for
	shells         []string
}

const stub = `#!/bin/dash
{ for a in "${0##*/}" "$@"; do printf '%s\037' "$a"; done
  printf '\036X=%s\037Y=%s\037Z=%s\037W=%s\037\036%s\035' "${X-unset}" "${Y-unset}" "${Z-unset}" "${W-unset}" \
    "$(pwd)"; } >>"$LAUNCH_LOG"
`

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{bin: t.TempDir()}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.work, r.log = filepath.Join(dir, "work"), filepath.Join(dir, "log")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(r.bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"node", "app", "migrate", "python3"} {
		write(p, stub)
	}
	write("fails", stub+"exit 1\n")
	write("says", stub+"echo said twice\n")
	// The launchers that are not installed do their job and nothing else.
	write("tini", stub[:strings.Index(stub, "\n")+1]+`while getopts svwgp:e: o; do :; done; shift $((OPTIND-1)); exec `+
		`"$@"`+"\n")
	write("dumb-init", "#!/bin/dash\n"+`while getopts cvr: o; do :; done; shift $((OPTIND-1)); exec "$@"`+"\n")
	write("catatonit",
		"#!/bin/dash\n"+
			`while getopts g o; do :; done; for a in "$@"; do case $a in -) ;; -*) [ "$OPTIND" -gt 1 ] || exit 9; esac; done
shift $((OPTIND-1)); exec "$@"`+"\n")
	write("gosu", "#!/bin/dash\nshift\nexec \"$@\"\n")
	write("su-exec", "#!/bin/dash\nshift\nexec \"$@\"\n")
	write("docker-entrypoint.sh", "#!/bin/dash\nexec \"$@\"\n")
	write("opentelemetry-instrument", "#!/bin/dash\n"+`while :; do case $1 in --*=*) shift;; --*) shift 2;; *) break; `+
		`esac; done; exec "$@"`+"\n")
	// The debugger in front of the program: it starts what stands behind "--".
	write("dlv", "#!/bin/dash\n"+`while [ "$1" != -- ]; do shift; done; shift; printf 'dlv\037\035' >>"$LAUNCH_LOG"; `+
		`exec "$@"`+"\n")
	for _, s := range []string{"dash", "bash", "busybox"} {
		if _, err := exec.LookPath(s); err == nil {
			r.shells = append(r.shells, s)
		} else {
			t.Logf("not installed, not used: %s", s)
		}
	}
	if !slices.Contains(r.shells, "dash") || !slices.Contains(r.shells, "bash") {
		t.Fatal("the test needs dash and bash")
	}
	return r
}

// sh makes "sh" the named shell.
func (r *rig) sh(t testing.TB, shell string) {
	p, err := exec.LookPath(shell)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(r.bin, "sh")
	os.Remove(link)
	if err := os.Symlink(p, link); err != nil {
		t.Fatal(err)
	}
}

// start runs a command line in a fresh directory and returns what the stubs wrote down, one entry for each start.
func (r *rig) start(t testing.TB, argv, env []string) []string {
	t.Helper()
	os.RemoveAll(r.work)
	os.Remove(r.log)
	for name, text := range map[string]string{"sub dir/sub/sub/sub dir/x": "", "sub/sub/sub dir/x": "",
		"sub/sub dir/sub/sub/x": "", "sub/sub/sub/sub/x": "",
		"sub dir/sub dir/sub/x": "", "sub/sub dir/sub dir/x": "", "sub dir/sub/sub dir/x": "", "in.txt": "in\n",
		"env.sh": "Y=sourced\nexport Y\n"} {
		p := filepath.Join(r.work, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	argv = slices.Clone(argv)
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "$(U)", r.u)
	}
	program, err := lookIn(r.bin, argv[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = argv
	cmd.Dir = r.work
	cmd.Env = append(slices.Clone(env), "PATH="+r.bin+":/usr/bin:/bin", "LAUNCH_LOG="+r.log, "HOME=/home/u")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%q does not end: %v\n%s", argv, err, out)
	}
	text, err := os.ReadFile(r.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(text), "\035"), func(s string) bool { return s == "" })
}

func lookIn(bin, name string) (string, error) {
	if p := filepath.Join(bin, name); !strings.Contains(name, "/") {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return exec.LookPath(name)
}

// argvOf returns the arguments of an entry.
func argvOf(entry string) []string {
	args, _, _ := strings.Cut(entry, "\036")
	return strings.Split(strings.TrimSuffix(args, "\037"), "\037")
}

const marker = "--inspect=0.0.0.0:9229"

// check starts a command line as it is and with words inserted, and compares.
func (r *rig) check(t testing.TB, in Input, env []string, rnd *rand.Rand) (code string) {
	t.Helper()
	in.UnknownFrom = unknownFrom(in.Argv, in.Unknown)
	found, err := Find(in)
	if err != nil {
		ref, ok := err.(*reason.Refusal)
		if !ok || ref.Code == "" || ref.Message == "" {
			t.Fatalf("%q: the error %v is no refusal with a reason", in.Argv, err)
		}
		return string(ref.Code)
	}
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\nargv  %q\nfound %q %v\nend   %+v", fmt.Sprintf(format, args...), in.Argv, found.Argv, found.Static,
			found.end)
	}
	before := r.start(t, in.Argv, env)
	clean := func(entries []string) []string {
		out := slices.DeleteFunc(slices.Clone(entries), func(e string) bool { return strings.HasPrefix(e, "dlv\037") })
		slices.Sort(out)
		return out
	}
	var spots []int
	for i := range len(found.Argv) + 1 {
		spots = append(spots, i)
	}
	rnd.Shuffle(len(spots), func(i, j int) { spots[i], spots[j] = spots[j], spots[i] })
	if len(spots) > 2 {
		spots = spots[:2]
	}
	for _, spot := range spots {
		words := []string{marker}
		if spot == 0 {
			words = []string{filepath.Join(r.bin, "dlv"), "exec", "--headless", "--"}
		}
		edits, err := found.Insert([]runtimes.Insertion{{Before: spot, Words: words}})
		if err != nil {
			if code == "" && (spot == 0 || spot == 1) {
				code = "insert:" + string(err.(*reason.Refusal).Code)
			}
			continue
		}
		changed := Apply(in.Argv, edits)
		after := r.start(t, changed, env)
		if spot == 0 {
			if n := len(after) - len(clean(after)); n != 1 && len(before) > 0 && reached(before, found) {
				fail("the debugger was started %d times\nafter %q\nlog   %q\nthen  %q", n, changed, before, after)
			}
			if !slices.Equal(clean(before), clean(after)) {
				fail("started differently behind a debugger\nafter %q\nlog   %q\nthen  %q", changed, before, after)
			}
			continue
		}
		marked := 0
		for i, e := range after {
			args := argvOf(e)
			at := slices.Index(args, marker)
			if at < 0 {
				continue
			}
			marked++
			if filepath.Base(found.Argv[0]) != args[0] {
				fail("words went to %q\nafter %q", args, changed)
			}
			if !slices.Contains(found.Static[:spot], false) && at != spot {
				fail("the word before %d went before %d\nafter %q\nlog   %q", spot, at, changed, after)
			}
			after[i] = strings.Replace(e, "\037"+marker, "", 1)
			if !slices.Contains(found.Static, false) {
				got := slices.Delete(slices.Clone(args), at, at+1)
				if want := append([]string{filepath.Base(found.Argv[0])}, found.Argv[1:]...); !slices.Equal(got, want) {
					fail("the program's words are not those found: %q\nafter %q", got, changed)
				}
			}
			r.surroundings(fail, found, e)
		}
		if marked != 1 && reached(before, found) {
			fail("%d programs got the inserted word\nafter %q\nlog   %q\nthen  %q", marked, changed, before, after)
		}
		if !slices.Equal(clean(before), clean(after)) {
			fail("started differently\nafter %q\nlog   %q\nthen  %q", changed, before, after)
		}
	}
	return code
}

// surroundings compares the directory and the variables that Find knows with those that the program saw.
func (r *rig) surroundings(fail func(string, ...any), found Found, entry string) {
	parts := strings.Split(entry, "\036")
	if found.DirKnown {
		want := r.work
		if found.Dir != "" {
			want = found.Dir
		}
		if parts[2] != want {
			fail("started in %s, not in %s", parts[2], want)
		}
	}
	for _, kv := range strings.Split(strings.TrimSuffix(parts[1], "\037"), "\037") {
		name, got, _ := strings.Cut(kv, "=")
		a, ok := found.Assigned[name]
		switch {
		case !ok || !a.Known:
		case a.Unset && got != "unset":
			fail("%s is set, to %q", name, got)
		case !a.Unset && got != a.Value && got != "unset": // unset: not exported
			fail("%s=%q, not %q", name, got, a.Value)
		}
	}
}

// reached says whether the program was started at all: what comes before it may have failed.
func reached(entries []string, found Found) bool {
	return slices.ContainsFunc(entries, func(e string) bool { return argvOf(e)[0] == filepath.Base(found.Argv[0]) })
}

// gen makes command lines.
type gen struct {
	*rand.Rand
	bash bool
}

func (g *gen) pick(s ...string) string { return s[g.IntN(len(s))] }

// text is the value of an awkward word.
func (g *gen) text() string {
	return g.pick("app.js", "--port=8080", "two words", "", "it's", `say "hi"`, "$HOME", "a&b", "c;d", `back\slash`,
		"ünïcödé", "*", "#no", "~",
		"tab\there", "$(U)", "new\nline", "{a,b}", "!", "`tick`", "$(uname)", "-", "--", "a=b", "|", "<x>", "%s", "\\", "'",
		"$$", "[a]", "(x)")
}

// quoted writes a value as a shell word in one of many ways.
func (g *gen) quoted(v string) string {
	var b strings.Builder
	for first := true; first || v != ""; first = false {
		n := len(v)
		if n > 1 && g.IntN(3) == 0 {
			for n = 1 + g.IntN(n-1); n < len(v) && v[n]&0xC0 == 0x80; n++ {
			}
		}
		part := v[:n]
		v = v[n:]
		switch k := g.IntN(4); {
		case k == 0 && part != "" && !strings.Contains(part, "\n"):
			for _, c := range part {
				if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789./-_", c) {
					b.WriteByte('\\')
				}
				b.WriteRune(c)
			}
		case k == 1 && !strings.Contains(part, "'"):
			b.WriteString("'" + part + "'")
		default:
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(part) + `"`)
		}
	}
	return b.String()
}

func (g *gen) arg() string {
	switch g.IntN(12) {
	case 0:
		return g.pick("$X", `"$X"`, "${Y}", `"${Y:-d e}"`, "${Z:-x}", "$NOPE", `"$NOPE"`, "pre$X", "--y=${Y}", `"a $U b"`,
			"$U", "${Z-}", "${Z:+set}", "${Y#a}")
	case 1:
		return g.pick("$(says)", `"$(says)"`, "`says`", "*.txt", "$(U)", "--u=$(U)", "$((1+2))", "~", "{a,b}", "su*", `"$@"`,
			"$@", "$1", `"$1"`, `"$0"`, "$#", `"$*"`, "$*")
	case 2:
		if g.bash {
			return g.pick("$'q'", "$'a\\tb'", "${X/a/b}", `$"loc"`)
		}
	case 3, 4:
		return g.pick("app.js", "--flag", "-x", "8080", "/srv/app.js", "a.b:c")
	}
	return g.quoted(g.text())
}

func (g *gen) program() string {
	p := g.pick("node", "node", "app", "python3")
	switch g.IntN(8) {
	case 0:
		return `"` + p + `"`
	case 1:
		return "'" + p + "'"
	case 2:
		return p[:1] + `\` + p[1:]
	}
	return p
}

// simple is a simple command with arguments, redirections and assignments.
func (g *gen) simple(depth int) string {
	var b strings.Builder
	for range g.IntN(6) / 4 {
		b.WriteString(g.pick("X=1 ", "W=\"$X more\" ", "Y= ", "X=$Y ", ">out0 ", "Z='q r' "))
	}
	switch g.IntN(5) {
	case 0, 1:
		b.WriteString("exec ")
	case 2:
		if g.IntN(4) == 0 {
			b.WriteString("command ")
		}
	}
	for range g.IntN(5) / 3 {
		b.WriteString(g.launcher(g.quoted) + " ")
	}
	if depth > 0 && g.IntN(5) == 0 {
		b.WriteString(g.pick("sh", "bash", "dash") + " " + g.pick("-c", "-ec", "-e -c", "-eu -c") + " " + g.inner(depth-1))
		for range g.IntN(3) {
			b.WriteString(" " + g.arg())
		}
	} else {
		b.WriteString(g.program())
		for range g.IntN(4) {
			b.WriteString(g.pick(" ", " ", "  ", " \\\n") + g.arg())
			if g.IntN(10) == 0 {
				b.WriteString(g.pick(" >mid", ">mid", " 2>&1"))
			}
		}
	}
	if g.IntN(4) == 0 {
		b.WriteString(g.pick(" 2>&1", " >out", ">out", " <in.txt", " >out 2>&1", " 2>/dev/null", " <<E\nbody $X\nE\n"))
	}
	return b.String()
}

// inner is a script as one word.
func (g *gen) inner(depth int) string {
	s := g.script(depth)
	switch {
	case g.IntN(2) == 0 && !strings.Contains(s, "'"):
		return "'" + s + "'"
	case g.IntN(8) == 0:
		// its variables are the outer script's
		return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "`", "\\`").Replace(s) + `"`
	case g.IntN(8) == 0:
		return g.quoted(s)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(s) + `"`
}

func (g *gen) launcher(q func(string) string) string {
	l := [][]string{{"tini", "--"}, {"tini", "-g", "-v", "--"}, {"tini", "-p", "SIGTERM"}, {"dumb-init"},
		{"dumb-init", "-c", "-r", "15:3", "--"}, {"env"},
		{"env", "X=new"}, {"env", "-u", "Y", "Z=a b"}, {"env", "--", "W=1"}, {"nice"}, {"nice", "-n", "1"}, {"nice", "-2"},
		{"nohup"}, {"stdbuf", "-oL"},
		{"stdbuf", "-o", "L", "-e0"}, {"setsid", "-w"}, {"gosu", "app:app"}, {"su-exec", "1000"}, {"docker-entrypoint.sh"},
		{"catatonit", "--"}, {"catatonit"},
		{"opentelemetry-instrument", "--traces_exporter", "console"}, {"opentelemetry-instrument", "--a=b"},
		{"env", "-C", "sub"}, {"setpriv", "--nnp"},
		{"setpriv", "--no-new-privs", "--"}, {"env", "-uX"}, {"/usr/bin/env"}}[g.IntN(28)]
	out := make([]string, len(l))
	for i, w := range l {
		if out[i] = w; strings.ContainsAny(w, " ") || g.IntN(6) == 0 {
			out[i] = q(w)
		}
	}
	return strings.Join(out, " ")
}

// final is what a script ends with.
func (g *gen) final(depth int) string {
	s := g.simple(depth)
	switch g.IntN(24) {
	case 0:
		return "(cd sub && " + s + "\n)"
	case 1:
		return "{ " + s + "\n}"
	case 2:
		return s + " || exit 3"
	case 3:
		return "migrate up && " + s
	case 4:
		return "cd sub && " + s
	case 5:
		return "cd 'sub dir'; " + s
	case 6:
		return s + "; echo done"
	case 7:
		return s + " | cat"
	case 8:
		return `exec "$@"`
	case 9:
		return `exec "$0" "$@"`
	case 10:
		return "if true; then " + s + "\nfi"
	case 11:
		return "for i in 1 2; do " + s + "\ndone"
	case 12:
		return s + " & wait"
	case 13:
		return "[ -n \"$X\" ] && " + s
	case 14:
		return "fails || " + s
	case 15:
		return s + "\nexit $?"
	case 16:
		return "fails || true; " + s
	}
	return s
}

func (g *gen) script(depth int) string {
	var b strings.Builder
	for range g.IntN(3) {
		b.WriteString(g.pick("set -e", "set -eu", "X=script", "export Y=\"$Y:more\"", "export X='e x'", "migrate --all",
			"migrate \"$@\"", "cd sub", "# a comment", "",
			"if [ -f in.txt ]; then migrate $X; fi", "for i in 1 2; do migrate $i; done", ". ./env.sh", "trap 'echo bye' TERM",
			"unset X", "exec 3>fd3", "W=$(says)", "f() { migrate from-f; }", "until true; do sleep 1; done",
			"[ -n \"$NOPE\" ] && export X=cond", "Z=${Z:-dflt}", ": \"${Y:=q}\"", "umask 022", "export W=1 Z=\"$X $Y\"",
			"case $X in a*) X=case;; esac", "read -r W <in.txt", "true && X=and", "fails || X=or", "(X=sub; cd /)",
			"migrate | cat",
			"cat <<E\ntext\nE", "X=\"$X\" migrate", "set -a", "set -- shifted args", "shift", "for a; do migrate \"$a\"; done",
			"while getopts ab o; do migrate $o; done") + g.pick("\n", "\n", "; ", " &&\n"))
	}
	s := strings.NewReplacer("\n; ", "\n", "# a comment; ", "# a comment\n", "# a comment &&\n", "# a comment\n", "E; ",
		"E\n", "E &&\n", "E\n").Replace(b.String())
	for strings.HasPrefix(s, "; ") || strings.HasPrefix(s, " &&") {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "; "), " &&\n")
	}
	return s + g.final(depth) + g.pick("", "", "\n", " ", " # end")
}

// input is a whole command line.
func (g *gen) input() Input {
	in := Input{Env: map[string]string{"X": "one", "Y": "a:b c"}, Unknown: map[string]bool{"U": true}}
	for range g.IntN(4) / 2 {
		l := g.launcher(func(s string) string { return s })
		if !strings.Contains(l, "a b") {
			in.Argv = append(in.Argv, strings.Fields(l)...)
		}
	}
	if g.IntN(5) == 0 {
		in.Argv = append(in.Argv, g.pick("node", "app"))
		for range g.IntN(4) {
			in.Argv = append(in.Argv, g.text())
		}
		return in
	}
	shell := g.pick("sh", "sh", "bash", "dash", "/bin/bash")
	g.bash = strings.Contains(shell, "bash")
	in.Argv = append(in.Argv, shell)
	in.Argv = append(in.Argv,
		strings.Fields(g.pick("-c", "-c", "-ec", "-euc", "-e -c", "-c -e", "-c --", "+x -c", "-ce"))...)
	in.Argv = append(in.Argv, g.script(2))
	for i := range g.IntN(5) {
		if i < 2 && g.IntN(2) == 0 {
			in.Argv = append(in.Argv, g.pick("node", "sh", "app"))
		} else {
			in.Argv = append(in.Argv, g.text())
		}
	}
	return in
}

// TestRealShell starts random command lines with real shells, before and after words are inserted.
func TestRealShell(t *testing.T) {
	seed := *launchSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed: -launch-seed=%d", seed)
	var mu sync.Mutex
	refused := map[string]int{}
	first := newRig(t)
	for w, shell := range first.shells {
		r := newRig(t)
		r.sh(t, shell)
		t.Run("sh="+shell, func(t *testing.T) {
			t.Parallel()
			for i := w; i < *launches; i += len(first.shells) {
				rnd := rand.New(rand.NewPCG(seed, uint64(i)))
				g := &gen{Rand: rnd}
				in := g.input()
				in.WorkingDir = r.work
				r.u = g.pick("uv", "u v", "a;b", "c' d", "e\" f", "", "-u")
				if code := r.check(t, in, []string{"X=one", "Y=a:b c", "U=" + r.u}, rnd); code != "" {
					if *showLeft {
						t.Logf("%s: %q", code, in.Argv)
					}
					mu.Lock()
					refused[code]++
					mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() {
		n := 0
		for _, k := range refused {
			n += k
		}
		t.Logf("%d command lines, %d refused: %v", *launches, n, refused)
	})
}
