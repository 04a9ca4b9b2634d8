package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"debuggable.dev/debuggable/internal/image"
)

// FuzzRun gives the program whatever bytes as manifests, with images that it knows and without any: no panic, nothing
// on standard output after an error, and a second run over what it wrote changes nothing.
func FuzzRun(f *testing.F) {
	scripts, err := filepath.Glob("../../testdata/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	var known []image.Entry // one of each name
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			entries, err := image.ParseImageConfigs(file.Data, file.Name)
			if err != nil && bytes.Contains(file.Data, []byte("apiVersion")) && !strings.HasPrefix(file.Name, "want") &&
				len(file.Data) < 800 {
				f.Add(file.Data)
			}
			if err == nil {
				for _, e := range entries {
					if !slices.ContainsFunc(known, func(k image.Entry) bool { return k.Image == e.Image }) {
						known = append(known, e)
					}
				}
			}
		}
	}
	for _, odd := range []string{
		"kind: List\nitems: [[a], 3, null, {}]\n",
		"apiVersion: v1\nkind: List\nmetadata: [a]\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata: [a]\n" +
			"  spec: [a]\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {annotations: [a], labels: [a]}\nspec: {containers: [[a], {image: [a], env: " +
			"[[a]], ports: [a], command: [[a]]}]}\n",
		"apiVersion: debuggable.dev/v1alpha1\nkind: ImageConfigs\nmetadata: [a]\nimages: [a]\n",
		"apiVersion: debuggable.dev/v1alpha1\nkind: Debuggable\nmetadata: [a]\n",
		"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: [a]\nitems: [{metadata: [a]}]\n" +
			"results: [a]\n",
		"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {apiVersion: v1, kind: ConfigMap, " +
			"metadata: [a], data: [a]}\n",
	} {
		f.Add([]byte(odd))
	}
	lock, err := image.MarshalImageConfigs("known", known)
	if err != nil {
		f.Fatal(err)
	}
	flags := []string{"debuggable", "--offline", "--image-configs", filepath.Join(f.TempDir(), "lock.yaml")}
	if err := os.WriteFile(flags[3], lock, 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, args := range [][]string{flags, {"debuggable", "lock", "--offline"}} {
			var out, errw bytes.Buffer
			status := run(context.Background(), args, bytes.NewReader(in), &out, &errw)
			if status == statusUsage {
				t.Fatalf("%q: %s", args, errw.String())
			}
			if args[1] == "lock" {
				continue
			}
			function := bytes.Contains(out.Bytes(), []byte("ResourceList"))
			if status != statusDone && !function && out.Len() > 0 {
				t.Fatalf("%d bytes written on an error: %s", out.Len(), errw.String())
			}
			if status != statusDone || function || len(strings.TrimSpace(out.String())) == 0 {
				continue
			}
			var again bytes.Buffer
			if status := run(context.Background(), args, bytes.NewReader(out.Bytes()), &again, &errw); status != statusDone ||
				again.String() != out.String() {
				t.Fatalf("a second run, with exit status %d, changed\n%s\nto\n%s\n%s", status, out.String(), again.String(),
					errw.String())
			}
		}
	})
}
