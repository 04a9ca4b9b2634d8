// Package docs_test runs what the documentation shows.
package docs_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// notRun lists the command blocks that no test can run here, as file and first line: they need a cluster, or a registry
// or a terminal of the reader's. Every other block of commands is marked console and is run.
func notRun() []string {
	return []string{
		"README.md: go test ./...", // it would run itself
		"README.md: kubectl port-forward deployment/web 56268",
		"docs/ide.md: debuggable -f k8s/ > debug.yaml", // testdata/ide and e2e/debuggers run it
		"docs/pipelines.md: kustomize build overlays/dev | debuggable | kubectl apply -f -",
		"docs/pipelines.md: kubectl debuggable -f k8s/ --offline",
		"docs/pipelines.md: debuggable -f k8s/ --diff",
		"docs/pipelines.md: debuggable lock -f k8s/ -o images.lock.yaml",
		"README.md: go install debuggable.dev/debuggable@latest", // takes what is published
		"docs/howto/ci.md: debuggable lock -f k8s/ -o images.lock.yaml",
		"docs/howto/ci.md: debuggable lock -f k8s/ --check images.lock.yaml",
		"docs/howto/flux.md: kustomize build overlays/dev | debuggable --strict --offline --image-configs images.lock.yaml " +
			"> rendered/debug.yaml",
		"docs/howto/flux.md: flux suspend kustomization web",
		"docs/howto/helm.md: helm plugin install helm-plugin", // internal/pipelines does
		"docs/howto/kustomize.md: kustomize build overlays/dev | debuggable | kubectl apply -f -",
		"docs/howto/skaffold.md: skaffold build --file-output=build.json",
		"docs/tour.md: go install debuggable.dev/debuggable@latest",
		"docs/tour.md: debuggable -f examples/tour/web.yaml | kubectl apply -f -",
		"docs/tour.md: debuggable watch --port-forward",
		"docs/tour.md: kubectl rollout undo deployment/web",
		"docs/security.md: docker run --rm -i --network=none ghcr.io/acme/debuggable --offline < manifests.yaml",
		"docs/runtimes.md: kubectl port-forward deployment/web 56268",
		"docs/support-images.md: make support-images", // support/build's tests and e2e/debuggers build and push them
		// testdata/pod/support-images.txtar runs these flags on manifests.
		"docs/support-images.md: debuggable -f k8s/ --support-registry registry.example.com/debug --support-tag 1.2.3 " +
			"--support-pull-policy IfNotPresent",
		// testdata/pod/support-delivery.txtar runs this one.
		"docs/support-images.md: debuggable -f k8s/ --support-registry registry.example.com/debug --support-delivery image",
		// support/build's tests do, with archives of their own.
		"docs/support-images.md: go run ./support/build -only netcore -netcore=require -vsdbg-version 17.6.10401.3 " +
			"-vsdbg-url 'downloads/vsdbg-{rid}.tar.gz'",
		// e2e/watch calls it with Skaffold's own client.
		"docs/watch.md: grpcurl -plaintext -import-path proto -proto v2/skaffold.proto 127.0.0.1:50052 " +
			"proto.v2.SkaffoldV2Service/Events",
		// e2e/debuggers runs both.
		"docs/howto/ci.md: kubectl apply -f debug.yaml && kubectl rollout status deployment/web",
		// e2e/debuggers builds the sources, and does the rest of it with them.
		"docs/tutorial.md: docker build -t registry.example.com/hello-go:v1 examples/hello/go",
		"docs/tutorial.md: debuggable -f examples/hello/k8s/go.yaml --archive hello-go.tar > debug.yaml",
		"docs/tutorial.md: debuggable ide vscode -f debug.yaml --archive hello-go.tar --write",
		"docs/tutorial.md: kubectl port-forward deployment/hello-go 8080",
		"docs/watch.md: debuggable watch", // e2e/watch runs it against a real API server
	}
}

// block is a fenced block of a document.
type block struct {
	doc   string   // path below the repository's root
	start int      // index of the line behind the opening fence
	lang  string   // first word of the info string
	attrs []string // its other words
	lines []string
}

// step is one command of a console block and what the document says it prints.
type step struct {
	command string
	want    []string
}

func TestEveryCommandBlockIsRunOrListed(t *testing.T) {
	listed := notRun()
	var seen []string
	for _, b := range allBlocks(t) {
		switch b.lang {
		case "sh", "bash", "shell", "zsh":
			if len(b.lines) == 0 {
				continue
			}
			command, _, _ := strings.Cut(b.lines[0], "  #")
			id := b.doc + ": " + strings.TrimSpace(command)
			seen = append(seen, id)
			if !slices.Contains(listed, id) {
				t.Errorf("%s:%d: block of commands that no test runs: mark it console, or add %q to notRun and say why", b.doc,
					b.start, id)
			}
		case "":
			t.Errorf("%s:%d: block without a language", b.doc, b.start)
		}
	}
	for _, id := range listed {
		if !slices.Contains(seen, id) {
			t.Errorf("notRun lists %q, which no document has", id)
		}
	}
}

// TestListedCommandsAreUnderstood asks debuggable for the help of each of its command lines that is not run: an unknown
// flag or a wrong value is an error all the same.
func TestListedCommandsAreUnderstood(t *testing.T) {
	installTools(t)
	asked := 0
	for _, b := range allBlocks(t) {
		if b.lang != "sh" {
			continue
		}
		for _, line := range b.lines {
			line, _, _ = strings.Cut(line, "  #")
			for _, command := range strings.Split(line, "|") {
				command, _, _ = strings.Cut(command, ">")
				command = strings.TrimPrefix(strings.TrimSpace(command), "kubectl ")
				if command != "debuggable" && !strings.HasPrefix(command, "debuggable ") {
					continue
				}
				asked++
				args := append(strings.Fields(command)[1:], "--help")
				if out, err := exec.CommandContext(t.Context(), "debuggable", args...).CombinedOutput(); err != nil {
					t.Errorf("%s:%d: %s: %v\n%s", b.doc, b.start, command, err, out)
				}
			}
		}
	}
	if asked < 5 {
		t.Errorf("%d command lines were found, want many more", asked)
	}
}

// TestCommands runs each console block in a copy of the repository, with the program and kustomize on PATH, and
// compares what is printed with what the document shows. UPDATE=1 writes down what is printed.
func TestCommands(t *testing.T) {
	root := repository(t)
	installTools(t)
	blocks := allBlocks(t)
	t.Cleanup(func() { // when all have been run
		if os.Getenv("UPDATE") == "" {
			return
		}
		updates := map[string][]block{}
		for _, b := range blocks {
			if b.lang == "console" {
				updates[b.doc] = append(updates[b.doc], b)
			}
		}
		for doc, printed := range updates {
			if err := rewrite(filepath.Join(root, doc), printed); err != nil {
				t.Error(err)
			}
		}
	})
	for at, b := range blocks {
		if b.lang != "console" {
			continue
		}
		t.Run(fmt.Sprintf("%s:%d", b.doc, b.start), func(t *testing.T) {
			t.Parallel()
			for _, attr := range b.attrs {
				if tool, ok := strings.CutPrefix(attr, "needs="); ok {
					if _, err := exec.LookPath(tool); err != nil {
						t.Skipf("%s is not installed", tool)
					}
				}
			}
			dir := t.TempDir()
			copyTree(t, root, dir)
			steps, err := b.steps()
			if err != nil {
				t.Fatal(err)
			}
			printed := b
			printed.lines = nil
			for i, s := range steps {
				want := 0
				if i == len(steps)-1 {
					want = b.exit()
				}
				got, status := shell(t, dir, s.command)
				if status != want {
					t.Errorf("$ %s\nexit status %d, want %d:\n%s", s.command, status, want, strings.Join(got, "\n"))
				}
				if os.Getenv("UPDATE") != "" && !slices.ContainsFunc(s.want, isOpen) {
					s.want = got
				} else if !matches(got, s.want) {
					t.Errorf("$ %s\nprinted\n%s\nbut the document says\n%s", s.command, strings.Join(got, "\n"),
						strings.Join(s.want, "\n"))
				}
				printed.lines = append(printed.lines, "$ "+strings.ReplaceAll(s.command, "\n", "\n> "))
				printed.lines = append(printed.lines, s.want...)
			}
			blocks[at] = printed
		})
	}
}

// bin is a folder with the program in it, built once for all tests.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "debuggable-docs")
	if err != nil {
		panic(err)
	}
	bin = dir
	status := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(status)
}

// installTools puts the program, kustomize and, where it was built before, Helm on PATH.
func installTools(t *testing.T) {
	t.Helper()
	// What is built in copies of the repository need not be compiled anew for the sake of their paths.
	t.Setenv("GOFLAGS", strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("DOCKER_HOST", "unix:///nowhere/engine.sock") // not an engine that this machine may have
	if _, err := os.Stat(filepath.Join(bin, "debuggable")); err == nil {
		return
	}
	root := repository(t)
	goCommand(t, root, "build", "-o", filepath.Join(bin, "debuggable"), ".")
	kustomize := strings.TrimSpace(goCommand(t, root, "tool", "-modfile=tools.mod", "-n", "kustomize"))
	if err := os.Symlink(kustomize, filepath.Join(bin, "kustomize")); err != nil {
		t.Fatal(err)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		// Where the tests of internal/pipelines keep what they build.
		built, err := filepath.Glob(filepath.Join(cache, "debuggable-tools", "*", "helm"))
		if err != nil {
			t.Fatal(err)
		}
		for _, helm := range built[:min(1, len(built))] {
			if err := os.Symlink(helm, filepath.Join(bin, "helm")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestArgoCDPlugin runs what the config management plugin of docs/howto/argo-cd.md runs, where Argo CD would.
func TestArgoCDPlugin(t *testing.T) {
	root := repository(t)
	installTools(t)
	var plugin struct {
		Kind string
		Spec struct {
			Generate struct{ Command, Args []string }
		}
	}
	for _, b := range allBlocks(t) {
		if b.doc == "docs/howto/argo-cd.md" && b.lang == "yaml" && plugin.Kind != "ConfigManagementPlugin" {
			if err := yaml.Unmarshal([]byte(strings.Join(b.lines, "\n")), &plugin); err != nil {
				t.Fatal(err)
			}
		}
	}
	argv := slices.Concat(plugin.Spec.Generate.Command, plugin.Spec.Generate.Args)
	if len(argv) == 0 {
		t.Fatal("the page has no ConfigManagementPlugin")
	}
	dir := t.TempDir()
	copyTree(t, filepath.Join(root, "examples", "shop"), dir)
	kustomization := "resources: [k8s/cart.yaml, k8s/orders.yaml, k8s/recommend.yaml, k8s/web.yaml]\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if got := strings.Count(string(out), "debug.cloud.google.com/config"); err != nil || got != 4 {
		t.Errorf("%v; %d workloads are debuggable, want 4", err, got)
	}
	if err := os.Remove(filepath.Join(dir, "images.lock.yaml")); err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	if out, err := cmd.Output(); err == nil || len(out) > 0 {
		t.Errorf("without a lock file it succeeds, with %d bytes", len(out))
	}
}

// TestLinks follows every link to a file of the repository.
func TestLinks(t *testing.T) {
	root := repository(t)
	for _, doc := range documents(t) {
		data, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(data), "](")[1:] {
			target, _, _ := strings.Cut(part, ")")
			target, _, _ = strings.Cut(target, "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(doc), target)); err != nil {
				t.Errorf("%s links to %s: %v", doc, target, err)
			}
		}
	}
}

// steps reads a console block: a command after "$ ", its further lines after "> ", then what it prints.
func (b block) steps() ([]step, error) {
	var steps []step
	for _, line := range b.lines {
		last := len(steps) - 1
		switch command, ok := strings.CutPrefix(line, "$ "); {
		case ok:
			steps = append(steps, step{command: command})
		case last < 0:
			return nil, fmt.Errorf("%s:%d: a console block begins with a command", b.doc, b.start)
		case strings.HasPrefix(line, "> ") && len(steps[last].want) == 0:
			steps[last].command += "\n" + line[2:]
		default:
			steps[last].want = append(steps[last].want, line)
		}
	}
	return steps, nil
}

// exit is the status that the block's last command ends with.
func (b block) exit() int {
	for _, attr := range b.attrs {
		if s, ok := strings.CutPrefix(attr, "exit="); ok {
			status, err := strconv.Atoi(s)
			if err == nil {
				return status
			}
		}
	}
	return 0
}

// matches compares lines; a line "…" stands for any number of lines, and a line that ends in it for any that begin so.
func matches(got, want []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] == "…" {
		for i := range len(got) + 1 {
			if matches(got[i:], want[1:]) {
				return true
			}
		}
		return false
	}
	if len(got) == 0 {
		return false
	}
	prefix, open := strings.CutSuffix(want[0], "…")
	if got[0] != want[0] && (!open || !strings.HasPrefix(got[0], prefix)) {
		return false
	}
	return matches(got[1:], want[1:])
}

// isOpen says whether an expected line stands for more than itself.
func isOpen(line string) bool { return line == "…" || strings.HasSuffix(line, "…") }

// shell runs a command and returns what it printed on both streams, line by line.
func shell(t *testing.T, dir, command string) ([]string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-uo", "pipefail", "-c", command)
	cmd.Dir = dir
	// Without what a make above this test hands down: a make in a block would tell of its folders.
	cmd.Env = append(os.Environ(), "UPDATE=", "TERM=dumb", "MAKEFLAGS=", "MAKELEVEL=", "MFLAGS=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %q: %v", command, err)
	}
	text := strings.TrimRight(out.String(), "\n")
	if text == "" {
		return nil, cmd.ProcessState.ExitCode()
	}
	return strings.Split(text, "\n"), cmd.ProcessState.ExitCode()
}

func rewrite(file string, blocks []block) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	slices.SortFunc(blocks, func(a, b block) int { return cmp.Compare(b.start, a.start) })
	for _, b := range blocks {
		end := b.start + slices.Index(lines[b.start:], "```")
		lines = slices.Replace(lines, b.start, end, b.lines...)
	}
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644)
}

func allBlocks(t *testing.T) []block {
	t.Helper()
	root := repository(t)
	var blocks []block
	for _, doc := range documents(t) {
		data, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			t.Fatal(err)
		}
		var open *block
		for i, line := range strings.Split(string(data), "\n") {
			info, fence := strings.CutPrefix(line, "```")
			switch {
			case fence && open == nil:
				words := strings.Fields(info)
				open = &block{doc: doc, start: i + 1}
				if len(words) > 0 {
					open.lang, open.attrs = words[0], words[1:]
				}
			case fence:
				blocks = append(blocks, *open)
				open = nil
			case open != nil:
				open.lines = append(open.lines, line)
			}
		}
		if open != nil {
			t.Errorf("%s:%d: block that never ends", doc, open.start)
		}
	}
	return blocks
}

// documents are README.md and everything in docs, below the repository's root.
func documents(t *testing.T) []string {
	t.Helper()
	docs := []string{"README.md"}
	for _, pattern := range []string{"*.md", "howto/*.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			docs = append(docs, filepath.Join("docs", page))
		}
	}
	return docs
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch rel {
		case ".git", "bin", "dist", "e2e", "testdata":
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil // a worktree's .git is a file
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}
