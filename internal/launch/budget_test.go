package launch

import (
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
		if err == nil || reasonOf(t, err) != TooDeep {
			t.Errorf("%q: %v", open, err)
		}
	}
	deep := strings.Repeat("if true; then\n", 30) + "exec node a.js\n" + strings.Repeat("fi\n", 30)
	if nested(deep + strings.Repeat("f() { case $1 in a) x=$(echo ${b:-c});; esac; }\n", 500)) {
		t.Error("a long honest script is left alone")
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
		if name != "defaults" && (err == nil || reasonOf(t, err) != TooDeep) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Find(Input{Argv: []string{"sh/", "-c", "node a.js"}}); err == nil || reasonOf(t, err) != NoCommand {
		t.Errorf("a directory as command: %v", err)
	}
}
