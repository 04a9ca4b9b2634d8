package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"debuggable.dev/debuggable/internal/manifest"
	"debuggable.dev/debuggable/internal/terminal"
)

// statusBroken ends a script's command that broke a promise which holds for all input; the program itself never uses
// it.
const statusBroken = 99

// main is the program's own main.
func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// checkedMain is main for the scripts. Where it turned manifests into manifests, it checks what is promised for all of
// them, whatever the script compares:
//
//   - a second run over the output changes nothing: not a byte of a stream, nor of a ResourceList's items;
//   - a document comes out in other bytes only if it holds something else than before.
func checkedMain() {
	if terminal.Is(os.Stdin) {
		main()
	}
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	status := run(context.Background(), os.Args, bytes.NewReader(in), &out, os.Stderr)
	if _, err := os.Stdout.Write(out.Bytes()); err != nil {
		panic(err)
	}
	if status == statusDone && len(bytes.TrimSpace(out.Bytes())) > 0 && transforms(os.Args[1:]) {
		flags, files := splitFiles(os.Args[1:])
		if err := checkAgain(flags, out.Bytes()); err != nil {
			fmt.Fprintln(os.Stderr, "BROKEN:", err)
			os.Exit(statusBroken)
		}
		if err := checkUntouched(files, in, out.Bytes()); err != nil {
			fmt.Fprintln(os.Stderr, "BROKEN:", err)
			os.Exit(statusBroken)
		}
	}
	os.Exit(status)
}

// transforms says whether the program is called without a subcommand.
func transforms(args []string) bool {
	return !slices.ContainsFunc(args, func(a string) bool {
		return slices.Contains([]string{"lock", "ide", "attach", "inspect", "explain", "version", "completion", "watch",
			"help", "--version", "--help", "-h", "--diff"}, a)
	})
}

// splitFiles takes the -f flags out of a command line.
func splitFiles(args []string) (flags, files []string) {
	for i := 0; i < len(args); i++ {
		if args[i] == "-f" || args[i] == "--filename" {
			i++
			files = append(files, args[i])
			continue
		}
		flags = append(flags, args[i])
	}
	return flags, files
}

// checkAgain runs the program over its own output.
func checkAgain(flags []string, once []byte) error {
	var twice, errw bytes.Buffer
	if status := run(context.Background(), append([]string{"debuggable"}, flags...), bytes.NewReader(once), &twice,
		&errw); status != statusDone {
		return fmt.Errorf("a second run ended with status %d\n%s", status, &errw)
	}
	set, err := manifest.Read(manifest.Input{Name: "output", Data: once})
	if err != nil {
		return err
	}
	before, after := once, twice.Bytes()
	if set.Function {
		if before, err = itemsOf(before); err != nil {
			return err
		}
		if after, err = itemsOf(after); err != nil {
			return err
		}
	}
	if !bytes.Equal(before, after) {
		return fmt.Errorf("a second run changed the output; it became\n%s", after)
	}
	return nil
}

var topLevel = regexp.MustCompile(`(?m)^[A-Za-z'"{]`)

// itemsOf returns the text of a ResourceList's items.
func itemsOf(list []byte) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimSpace(list), []byte("{")) {
		var l struct{ Items json.RawMessage }
		err := json.Unmarshal(list, &l)
		return l.Items, err
	}
	_, items, found := bytes.Cut(list, []byte("\nitems:"))
	if !found {
		return nil, nil
	}
	if end := topLevel.FindIndex(items); end != nil {
		items = items[:end[0]]
	}
	return items, nil
}

// checkUntouched compares the documents of a stream before and after. It looks at input from one place only: where
// there are several, the documents are joined anew.
func checkUntouched(files []string, in, out []byte) error {
	if len(files) > 1 {
		return nil
	}
	if len(files) == 1 && files[0] != "-" {
		info, err := os.Stat(files[0])
		if err != nil || info.IsDir() {
			return err
		}
		if in, err = os.ReadFile(files[0]); err != nil {
			return err
		}
	}
	before, after := documents(in), documents(out)
	if len(before) != len(after) {
		return fmt.Errorf("%d documents became %d", len(before), len(after))
	}
	for i := range before {
		if before[i] == after[i] {
			continue
		}
		a, err := manifest.Read(manifest.Input{Name: "before", Data: []byte(before[i])})
		if err != nil {
			continue // anchors of another document, or the like: the comparison of the whole has to do
		}
		b, err := manifest.Read(manifest.Input{Name: "after", Data: []byte(after[i])})
		if err != nil {
			return fmt.Errorf("document %d became one that cannot be read: %w", i+1, err)
		}
		if len(a.Objects()) != len(b.Objects()) {
			return fmt.Errorf("document %d had %d objects and has %d", i+1, len(a.Objects()), len(b.Objects()))
		}
		same := !a.Function
		for j := range a.Objects() {
			if a.Objects()[j].Node().MustString() != b.Objects()[j].Node().MustString() {
				same = false
			}
		}
		if same {
			return fmt.Errorf("document %d holds what it held, in other bytes:\n%s\nbecame\n%s", i+1, before[i], after[i])
		}
	}
	return nil
}

// documents cuts a stream where a line is a document's separator.
func documents(stream []byte) []string {
	return regexp.MustCompile(`(?m)^---`).Split(strings.TrimSuffix(string(stream), "\n"), -1)
}
