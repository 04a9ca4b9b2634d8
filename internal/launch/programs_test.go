package launch

import (
	"strings"
	"testing"
)

func TestPrograms(t *testing.T) {
	for in, want := range map[string]string{
		"cat /tmp/healthy":                                      "cat /tmp/healthy",
		"timeout 5 env A=B curl localhost":                      "curl localhost",
		"/bin/busybox wget x":                                   "wget x",
		"sh -c ⟨test -f /a && [ -n \"$B\" ] || exit 1⟩":         "",
		"bash -o pipefail -ec ⟨curl x | grep \"$(hostname)\"⟩":  "curl x; grep \"$(hostname)\"; hostname",
		"sh -c ⟨exec timeout 1 sh -c 'jcmd 1 VM.version'⟩":      "jcmd 1 VM.version",
		"sh -c ⟨f() { keytool; }; f; command -v java; eval ls⟩": "keytool; ls",
		"sh -c ⟨trap 'catalina.sh stop' TERM; trap - INT; :⟩":   "catalina.sh stop",
		"sh -c ⟨. /env; exec 2>&1; exec -a x java⟩":             ". /env; java",
		"sh -c ⟨$CMD x⟩":                                        "$CMD x",
		"sh -c ⟨if⟩":                                            "sh -c if",
		"sh /probe.sh":                                          "sh /probe.sh",
		"find / -name x -exec java {} ;":                        "java {} ;",
		"xargs -r kill":                                         "kill",
		"find / -name x":                                        "find / -name x",
		"env":                                                   "env",
		"bash -lc ⟨for i in 1 2; do ./a $i & done; wait⟩":       "./a $i",
	} {
		var got []string
		for _, argv := range Programs(argv(in)) {
			got = append(got, strings.Join(argv, " "))
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%s starts %q, want %q", in, s, want)
		}
	}
}

// What a script starts beside its program runs at the same time where a function is called in the background.
func TestRestOfScripts(t *testing.T) {
	for in, want := range map[string]string{
		"sh -c ⟨f() { java w; }; f & exec java a⟩":   "java w&",
		"sh -c ⟨f() { java w; }; f; exec java a⟩":    "java w",
		"sh -c ⟨{ keytool x; java a; } | svlogd l⟩":  "keytool x svlogd l&",
		"sh -c ⟨keytool x | tee l; java a⟩":          "keytool x tee l",
		"sh -c ⟨keytool x && exec java a⟩":           "keytool x",
		"sh -c ⟨(sleep 1; jcmd) & exec java a⟩":      "sleep 1& jcmd&",
		"sh -c ⟨cd /app; export A=$(id); exec java⟩": "id",
		"sh -c ⟨sh -c 'java w & java m'; java a⟩":    "java w& java m&",
		"sh -c ⟨nice sh -c 'java m'; java a⟩":        "java m",
		"sh -c ⟨eval 'java w &'; java a⟩":            "java w&",

		// Behind what may be a launcher, all but the last.
		"with x sh -c ⟨java w & exec java a⟩":          "java w&",
		"tini -- with -- bash -lc ⟨keytool x; java a⟩": "keytool x",
		"sh -c ⟨with x sh -c 'jcmd; java a'⟩":          "jcmd",
		"with x sh -c ⟨exec java a⟩":                   "",
		"with x bash -x start":                         "",
		"java -jar a sh -c ⟨java w & java b⟩":          "",
	} {
		f, err := Find(Input{Argv: argv(in)})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		var got []string
		for _, c := range f.Rest {
			for _, argv := range c.Starts {
				s := strings.Join(argv, " ")
				if c.Background {
					s += "&"
				}
				got = append(got, s)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s starts %q beside, want %q", in, s, want)
		}
	}
}
