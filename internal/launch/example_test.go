package launch_test

import (
	"fmt"
	"strings"
	"testing"

	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
)

func Example() {
	in := launch.Input{Argv: []string{"tini", "--", "sh", "-c", `migrate && exec node "$APP" >/log/out`}}
	found, err := launch.Find(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	edits, err := found.Insert([]runtimes.Insertion{{Before: 1, Words: []string{"--inspect=0.0.0.0:9229"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(found.Argv, found.Static, found.Via)
	fmt.Println(strings.Join(launch.Apply(in.Argv, edits), " "))
	// Output:
	// [node $APP] [true false] [tini sh -c]
	// tini -- sh -c migrate && exec node --inspect=0.0.0.0:9229 "$APP" >/log/out
}

func ExampleFind_refused() {
	_, err := launch.Find(launch.Input{Argv: []string{"sh", "-c", "while true; do node app.js; done"}})
	fmt.Println(string(err.(*reason.Refusal).Code)+":", err)
	// Output: ShellLoop: the script ends with a loop
}

func BenchmarkFind(b *testing.B) {
	in := launch.Input{
		Argv: []string{"tini", "--", "sh", "-c",
			`set -e; cd /srv && exec sh -c "exec node \"\$APP\" --port=${PORT:-8080}" 2>&1`}}
	for b.Loop() {
		if _, err := launch.Find(in); err != nil {
			b.Fatal(err)
		}
	}
}
