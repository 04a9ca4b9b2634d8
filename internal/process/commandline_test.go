package process

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	ociv1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// containerOf makes a container of YAML.
func containerOf(t *testing.T, text string) *workload.Container {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return &workload.Container{Node: doc.Content[0], Name: "web",
		Pod: &workload.Pod{Workload: &workload.Workload{Node: doc.Content[0]}}}
}

func textOf(t *testing.T, c *workload.Container) string {
	t.Helper()
	out, err := yaml.Marshal(c.Node)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func configOf(entrypoint, cmd []string) image.Config {
	return image.Config{Config: ociv1.Config{Entrypoint: entrypoint, Cmd: cmd}}
}

func TestCommandLine(t *testing.T) {
	entrypoint, cmd := []string{"/entry", "-e"}, []string{"cmd", "-c"}
	for name, c := range map[string]struct{ manifest, want string }{
		"neither":           {"{name: web}", "/entry -e cmd -c"},
		"args":              {"{args: [a, b]}", "/entry -e a b"},
		"command":           {"{command: [x]}", "x"}, // the image's CMD is not used
		"both":              {"{command: [x], args: [a]}", "x a"},
		"an empty command":  {"{command: [], args: [a]}", "/entry -e a"},
		"empty args":        {"{args: []}", "/entry -e cmd -c"},
		"a command of null": {"{command: null}", "/entry -e cmd -c"},
		"references":        {"{env: [{name: A, value: '1'}], args: [$(A), $(B), $$(A)]}", "/entry -e 1 $(B) $(A)"},
		"an earlier variable": {"{env: [{name: A, value: '1'}, {name: B, value: $(A)$(C)}, {name: C, value: x}], args: " +
			"[$(B)]}", "/entry -e 1$(C)"},
	} {
		t.Run(name, func(t *testing.T) {
			k := containerOf(t, c.manifest)
			l, err := CommandLineOf(k, configOf(entrypoint, cmd), EnvironmentOf(k, image.Config{}, NewSources()))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(l.Argv(), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWriteBack(t *testing.T) {
	words := func(at int, words ...string) launch.Edit { return launch.Edit{Word: at, Offset: -1, Words: words} }
	for name, c := range map[string]struct {
		manifest        string
		entrypoint, cmd []string
		edits           []launch.Edit
		want            string
	}{
		"command switches CMD off, so args is written too": {
			"name: web\n", []string{"/app"}, []string{"--port", "80"}, []launch.Edit{words(0, "dlv"), words(1, "--")},
			"name: web\ncommand:\n- dlv\n- /app\n- --\nargs:\n- --port\n- \"80\"\n",
		},
		"only what came from CMD changes": {
			"name: web\n", []string{"tini", "--"}, []string{"node", "a.js"}, []launch.Edit{words(3, "--inspect")},
			"name: web\nargs:\n- node\n- --inspect\n- a.js\n",
		},
		"only args change": {
			"name: web\nargs: [node, a.js]\n", []string{"tini", "--"}, []string{"stale"}, []launch.Edit{words(3, "--inspect")},
			"name: web\nargs: [node, --inspect, a.js]\n",
		},
		"what the manifest has in command stays there": {
			"name: web\ncommand: [node]\nargs: [a.js]\n", nil, []string{"stale"}, []launch.Edit{words(1, "--inspect")},
			"name: web\ncommand: [node]\nargs: [--inspect, a.js]\n",
		},
		"a command of the manifest alone grows": {
			"name: web\ncommand: [npm]\n", nil, []string{"stale"}, []launch.Edit{words(1, "--node-options=x")},
			"name: web\ncommand: [npm, --node-options=x]\n",
		},
		"words at one place keep their order": {
			"name: web\nargs: [catatonit, node]\n", nil, nil, []launch.Edit{words(1, "--"), words(1, "dlv", "exec")},
			"name: web\nargs: [catatonit, --, dlv, exec, node]\n",
		},
		"words of the image are escaped, those of the manifest are not": {
			"name: web\nargs: ['$(A)', '$$(A)', a]\n", []string{"sh", "$(A)", "$$"}, nil,
			[]launch.Edit{words(0, "x"), words(6, "y")},
			"name: web\ncommand:\n- 'x'\n- 'sh'\n- '$$(A)'\n- '$$$'\nargs: ['$(A)', '$$(A)', a, 'y']\n",
		},
		"words that YAML 1.1 reads as something else are quoted": {
			"name: web\n", nil, []string{"node", "yes", "on", "1:30", "0o7", "~", "null", "1e3"}, []launch.Edit{words(1, "x")},
			"name: web\nargs:\n- node\n- x\n- \"yes\"\n- \"on\"\n- \"1:30\"\n- \"0o7\"\n- \"~\"\n- \"null\"\n- \"1e3\"\n",
		},
		"an insertion into a script": {
			"name: web\nargs:\n- -c\n- |\n  # $$(A) $(B)\n  exec node a.js\n", []string{"sh"}, nil,
			[]launch.Edit{{Word: 2, Offset: len("# $(A) $(B)\nexec node"), Text: " --inspect"}},
			"name: web\nargs:\n- -c\n- |\n  # $$(A) $(B)\n  exec node --inspect a.js\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := containerOf(t, c.manifest)
			cfg := configOf(c.entrypoint, c.cmd)
			l, err := CommandLineOf(k, cfg, EnvironmentOf(k, cfg, NewSources()))
			if err != nil {
				t.Fatal(err)
			}
			edited, err := l.Edit(c.edits)
			if err != nil {
				t.Fatal(err)
			}
			WriteCommandLine(k, edited)
			if got := textOf(t, k); strings.ReplaceAll(got, "'", "") != strings.ReplaceAll(c.want, "'", "") {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// checkWriteBack makes up a command line and edits, and checks that what Kubernetes makes of the container that is
// written is the command line with the edits made.
func checkWriteBack(t *testing.T, r *rand.Rand, texts []string) {
	t.Helper()
	some := func(max int) []string {
		var out []string
		for range r.IntN(max + 1) {
			out = append(out, texts[r.IntN(len(texts))])
		}
		return out
	}
	cfg := configOf(some(3), some(3))
	node := yaml.MakeNullNode().YNode()
	*node = yaml.Node{Kind: yaml.MappingNode}
	list := func(words []string) *yaml.Node {
		n := yamlnode.Sequence()
		for _, w := range words {
			n.Content = append(n.Content, yamlnode.String(w))
		}
		return n
	}
	yamlnode.Set(node, "env",
		yamlnode.Sequence(yamlnode.Mapping("name", yamlnode.String("A"), "value", yamlnode.String("value")),
			yamlnode.Mapping("name", yamlnode.String("DOLLAR"), "value", yamlnode.String("$$$$(A)")),
			yamlnode.Mapping("name", yamlnode.String("EMPTY"), "value", yamlnode.String(""))))
	if r.IntN(2) == 0 {
		yamlnode.Set(node, "command", list(some(3)))
	}
	if r.IntN(2) == 0 {
		yamlnode.Set(node, "args", list(some(3)))
	}
	k := &workload.Container{Node: node, Name: "web", Pod: &workload.Pod{Workload: &workload.Workload{Node: node}}}
	e := EnvironmentOf(k, cfg, NewSources())
	l, err := CommandLineOf(k, cfg, e)
	if err != nil {
		t.Fatal(err)
	}
	argv := l.Argv()
	var edits []launch.Edit
	for i := 0; i <= len(argv); i++ {
		for r.IntN(4) == 0 {
			edits = append(edits, launch.Edit{Word: i, Offset: -1, Words: []string{"--", "dlv", "--listen=:1"}[r.IntN(3):]})
		}
		if i < len(argv) && r.IntN(3) == 0 {
			at := r.IntN(len(argv[i]) + 1)
			if at > 0 && argv[i][at-1] == '$' || at < len(argv[i]) && !utf8.RuneStart(argv[i][at]) {
				continue
			}
			edits = append(edits, launch.Edit{Word: i, Offset: at, Text: " --inspect "})
		}
	}
	want := launch.Apply(argv, edits)
	edited, err := l.Edit(edits)
	if err != nil {
		return // a place that the manifest does not spell out
	}
	before := textOf(t, k)
	WriteCommandLine(k, edited)
	if len(edits) == 0 && textOf(t, k) != before {
		t.Fatalf("no edit, but\n%s\nbecame\n%s", before, textOf(t, k))
	}
	// Read it as Kubernetes does, from the bytes.
	var written struct{ Command, Args []string }
	if err := yaml.Unmarshal([]byte(textOf(t, k)), &written); err != nil {
		t.Fatalf("reading\n%s\n%v", textOf(t, k), err)
	}
	got := written.Command
	if len(written.Command) == 0 {
		got = cfg.Entrypoint
		if len(written.Args) == 0 {
			got = slices.Concat(got, cfg.Cmd)
		}
	} else {
		got = expandAll(got)
	}
	got = slices.Concat(got, expandAll(written.Args))
	if !slices.Equal(got, want) {
		t.Fatalf("ENTRYPOINT %q CMD %q\n%s\nwith the edits %+v becomes\n%s\nthat starts %q\nwant        %q", cfg.Entrypoint,
			cfg.Cmd, before, edits, textOf(t, k), got, want)
	}
}

func expandAll(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, kubelet(w, expansionEnv))
	}
	return out
}

func TestWriteBackOfRandomCommandLines(t *testing.T) {
	texts := []string{"a", "", " ", "$", "$$", "$(A)", "$(B)", "$$(A)", "$$$(A)", "$(DOLLAR)", "x$(EMPTY)y", "$(EMPTY)",
		"a b", "yes", "null", "1", "- a", "#x", "it's", "a\nb\n", "\n", "\t\n", " a\nb", "\n\tx\n", "a \n \n", "日本 $(A)",
		"$HOME", "exec node $(A) a.js", "k: v", "*a", "&a", "!x", "%", "@", "`", "{", "[", "\"", "\\", "\t", "~", "é$"}
	for seed := range uint64(3000) {
		checkWriteBack(t, rand.New(rand.NewPCG(seed, 2)), texts)
	}
}

func FuzzWriteBack(f *testing.F) {
	f.Add(uint64(1), "node", "$(A)$$", "sh -c 'x $(B)'")
	f.Fuzz(func(t *testing.T, seed uint64, a, b, c string) {
		for _, s := range []string{a, b, c} {
			for i := range len(s) {
				// YAML has no other control characters than these, and Kubernetes no words with a byte behind "$" that is no ASCII.
				if s[i] < ' ' && s[i] != '\n' && s[i] != '\t' || s[i] >= 0x7f {
					return
				}
			}
		}
		checkWriteBack(t, rand.New(rand.NewPCG(seed, 3)), []string{a, b, c})
	})
}
