package launch

import (
	"fmt"
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
		"lines":     strings.Repeat("echo \"(starting: ${V1:-none}\" # a comment (open\n", 200) + strings.Repeat("export A=$V2\n", 1000),
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
