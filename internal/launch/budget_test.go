package launch

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestNestingIsBounded: what would overflow the parser's stack is not parsed.
func TestNestingIsBounded(t *testing.T) {
	for _, open := range []string{
		"(", "{ ", "$(", "<(cat ", "((", "$((1+", "${a:-", "`", "if ", "while ", "case a in a) ", "time ", "! ",
		"(#)\n", "f() {\n#}\n",
	} {
		_, err := Find(Input{Argv: []string{"sh", "-c", strings.Repeat(open, 40000)}})
		if err == nil || reasonOf(t, err) != "TooDeep" {
			t.Errorf("%q: %v", open, err)
		}
	}
	for name, script := range map[string]string{
		"hidden by comments": strings.Repeat("(#)\n", 300) + "node a.js\n" + strings.Repeat(")", 300),
		"hidden by quotes":   strings.Repeat("(: ')'\n", 300) + "node a.js\n" + strings.Repeat(")", 300),
	} {
		if _, err := Find(Input{Argv: []string{"sh", "-c", script}}); err == nil || reasonOf(t, err) != "TooDeep" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHonestScriptsAreFollowed: long, wide and reasonably deep scripts are no less followed for the bounds.
func TestHonestScriptsAreFollowed(t *testing.T) {
	env := map[string]string{}
	for i := range 200 {
		env[fmt.Sprintf("V%d", i)] = "value"
	}
	for name, before := range map[string]string{
		"levels":    strings.Repeat("if true; then\n", 30) + "echo\n" + strings.Repeat("fi\n", 30),
		"functions": strings.Repeat("f() { case $1 in a) x=$(echo ${b:-c});; esac; }\n", 500),
		"lines": strings.Repeat("echo \"(starting: ${V1:-none}\" # a comment (open\n",
			200) + strings.Repeat("export A=$V2\n", 1000),
		"list":      strings.Repeat("true && ", 1000) + "true\n",
		"elif":      "if true; then echo; " + strings.Repeat("elif true; then echo; ", 500) + "fi\n",
		"JSON":      "cat > /tmp/a.json <<'EOF'\n[" + strings.Repeat(`{"a": {"b": [1]}},`+"\n", 5000) + "{}]\nEOF\n",
		"variables": strings.Repeat("export PATH=$PATH:/opt/bin\n", 100) + strings.Repeat("A=${A}x\n", 500),
	} {
		found, err := Find(Input{Argv: []string{"sh", "-c", before + "exec node a.js\n"}, Env: env})
		if err != nil || !slices.Equal(found.Argv, []string{"node", "a.js"}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCostIsBounded: what doubles with each level ends within the budget.
func TestCostIsBounded(t *testing.T) {
	for name, script := range map[string]string{
		"assignments": "a=x;" + strings.Repeat("a=$a$a;", 40) + "node a.js",
		"defaults":    "node " + strings.Repeat("${a:-", 40) + strings.Repeat("}", 40),
		"growth":      strings.Repeat("a=${a}xxxxxxxxxxxxxxxx;", 6400) + "node a.js",
		"references":  "node " + strings.Repeat("$A", 3200),
	} {
		_, err := Find(Input{Argv: []string{"sh", "-c", script}, Env: map[string]string{"A": strings.Repeat("x", 32000)}})
		if name != "defaults" && (err == nil || reasonOf(t, err) != "TooDeep") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Find(Input{Argv: []string{"sh/", "-c", "node a.js"}}); err == nil || reasonOf(t, err) != "NoCommand" {
		t.Errorf("a directory as command: %v", err)
	}
}

// TestWorkGrowsWithTheLine: four times the command line is at most a bit more than four times the work, counted in
// bytes that are allocated, once what the budget allows is taken away.
func TestWorkGrowsWithTheLine(t *testing.T) {
	script := func(before, each, after string) func(n int) []string {
		return func(n int) []string { return []string{"bash", "-c", before + strings.Repeat(each, n) + after} }
	}
	numbered := func(each string) func(n int) []string {
		return func(n int) []string {
			var b strings.Builder
			for i := range n {
				b.WriteString(strings.ReplaceAll(each, "N", fmt.Sprint(i)))
			}
			return []string{"sh", "-c", b.String() + "exec node a.js"}
		}
	}
	parameters := func(each string) func(n int) []string {
		return func(n int) []string {
			return append([]string{"sh", "-c", "exec node " + strings.Repeat(each+" ", n), "sh"},
				slices.Repeat([]string{"x"}, n)...)
		}
	}
	for name, line := range map[string]func(n int) []string{
		"$*":   parameters("$*"),
		"$@":   parameters("$@"),
		`"$@"`: parameters(`"$@"`),
		`"$*"`: parameters(`"$*"`),
		"$9":   parameters("$9"),
		"strip": func(n int) []string {
			return []string{"sh", "-c", "node " + strings.Repeat("${a#", n) + strings.Repeat("}", n)}
		},
		"strips":          script("node ", strings.Repeat("${a#", 200)+strings.Repeat("}", 200)+" ", ""),
		"defaults":        script("node ", strings.Repeat("${a:-", 200)+strings.Repeat("}", 200)+" ", ""),
		"time":            script("", "time ", "node a.js"),
		"cd":              script("", "cd d\n", "exec node a.js"),
		"exports, source": numbered("export AN=x\n. /x\n"),
		"exports":         numbered("export AN=x\n"),
		"functions":       numbered("fN() { :; }\nfN\n"),
		"pipes":           script("", "a | b\n", "exec node a.js"),
		"one pipe":        script("", "cat | ", "node a.js"),
		"and":             script("", "a && ", "exec node a.js"),
		"scripts":         script("", "sh -c 'a'\n", "exec node a.js"),
		"launchers":       script("", "env A=b nice nohup a\n", "exec node a.js"),
		"traps":           script("", "trap 'a' EXIT\n", "exec node a.js"),
		"after":           script("node a.js\n", "if true; then :; fi\n", ""),
		"background":      script("f() { a; }\n", "f &\n", "exec node a.js"),
		"append":          script("a=x\n", "a+=y\n", "exec node a.js"),
		"unset":           script("", "unset A\n", "exec node a.js"),
		"arithmetic":      script("", "x=$((a+b))\n", "exec node a.js"),
		"-S of -S":        func(n int) []string { return []string{"env", "-S", strings.Repeat("-S ", n) + "node"} },
		"-S":              func(n int) []string { return []string{"env", "-S", strings.Repeat("-S -i ", n) + "node"} },
		"env -u": func(n int) []string {
			return append(append([]string{"env"}, slices.Repeat([]string{"-u", "X"}, n)...), "node")
		},
		"env -C": func(n int) []string {
			return append(append([]string{"env"}, slices.Repeat([]string{"-C", "d"}, n)...), "node")
		},
		"letters": func(n int) []string { return []string{"tini", "-" + strings.Repeat("v", n), "node"} },
	} {
		t.Run(name, func(t *testing.T) {
			size := 2048
			if name == "strips" || name == "defaults" {
				size = 64
			}
			work := func(n int) uint64 {
				in := Input{Argv: line(n)}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, _ = Find(in) // a refusal is as good
				runtime.ReadMemStats(&after)
				return after.TotalAlloc - before.TotalAlloc
			}
			const budget = 64 << 20
			if small, large := work(size), work(4*size); large > 6*small+budget {
				t.Errorf("%d kB of work become %d kB with four times the line", small>>10, large>>10)
			}
		})
	}
}
