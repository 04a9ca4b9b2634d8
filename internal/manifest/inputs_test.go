package manifest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"k8s/b.yaml", "k8s/a.yml", "k8s/sub/c.json", "k8s/sub.yaml/d.yaml", "k8s/README.md",
		"k8s/.hidden.yaml", "k8s/.git/e.yaml",
		"other/values.txt", "single.txt", ".dot/f.yaml"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"k8s/z.yaml": "../single.txt", "k8s/loop": "..",
		"k8s/folder.yaml": "../other", "link": "k8s/sub"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	all := "k8s/a.yml k8s/b.yaml k8s/sub/c.json k8s/sub.yaml/d.yaml k8s/z.yaml"
	for name, test := range map[string]struct{ paths, want, err string }{
		"folder":           {paths: "k8s", want: all},
		"unclean folder":   {paths: "./k8s/", want: all},
		"file":             {paths: "single.txt", want: "single.txt"},
		"order given":      {paths: "k8s/b.yaml - k8s/a.yml", want: "k8s/b.yaml <stdin> k8s/a.yml"},
		"hidden but named": {paths: ".dot", want: ".dot/f.yaml"},
		"linked folder":    {paths: "link", want: "link/c.json"},
		"missing":          {paths: "k8s nope", err: `"nope" does not exist`},
		"empty folder":     {paths: "empty", err: `folder "empty" holds no .yaml, .yml or .json file`},
		"no manifests":     {paths: "other", err: `folder "other" holds no`},
		"stdin twice":      {paths: "- -", err: "named twice"},
	} {
		t.Run(name, func(t *testing.T) {
			inputs, err := Expand(t.Context(), strings.Fields(test.paths), strings.NewReader("<stdin>"))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v does not say %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, in := range inputs {
				names = append(names, in.Name)
				if want := strings.ReplaceAll(strings.ReplaceAll(in.Name, "z.yaml", "x"), "link/",
					"k8s/sub/"); string(in.Data) != want && string(in.Data) != "single.txt" {
					t.Errorf("%s holds %q", in.Name, in.Data)
				}
			}
			wantText(t, strings.Join(names, " "), test.want)
		})
	}
	if _, err := Expand(t.Context(), []string{"-"}, iotest.ErrReader(os.ErrClosed)); err == nil ||
		!strings.Contains(err.Error(), "standard input") {
		t.Errorf("a reader that fails: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	silent, w := io.Pipe()
	defer w.Close()
	cancel(errors.New("enough"))
	if _, err := Expand(ctx, []string{"-"}, silent); err == nil ||
		err.Error() != "reading manifests from standard input: enough" {
		t.Errorf("a reader that never answers: %v", err)
	}
}

// TestEndless: what never ends, or is larger than any manifests, is an error that names it.
func TestEndless(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err == nil {
		_, err := Expand(t.Context(), []string{"/dev/zero"}, nil)
		if want := "reading manifests: read /dev/zero: there is more than 1 MiB of it: split it, or name another " +
			"file"; err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	large := filepath.Join(t.TempDir(), "large.yaml")
	f, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(maxFile+1), f.Close()); err != nil { // sparse: it takes no space
		t.Fatal(err)
	}
	if _, err := ReadFile(large); err == nil || !strings.Contains(err.Error(), "more than 256 MiB") {
		t.Errorf("got error %v of a file that is too large", err)
	}
	if data, err := readBounded(strings.NewReader("a: 1\n"), 5, 0); err != nil || string(data) != "a: 1\n" {
		t.Errorf("got %q and error %v of what is as large as may be", data, err)
	}
	if _, err := readBounded(strings.NewReader("a: 1\n"), 4, 0); err == nil {
		t.Error("what is larger than may be is no error")
	}
}
