package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/tools/txtar"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"

	"debuggable.dev/debuggable/transform"
)

// imageList is the part of an ImageConfigs resource that tells what its images start.
type imageList struct {
	Kind   string `yaml:"kind"`
	Images []struct {
		Image  string `yaml:"image"`
		Config struct {
			Entrypoint []string `yaml:"Entrypoint"`
			Cmd        []string `yaml:"Cmd"`
		} `yaml:"config"`
	} `yaml:"images"`
}

// scriptAgree compares, for each image of a lock file, what inspect says with what becomes of a pod that says nothing
// but the image: the runtime, the command line, the ports and the reasons.
func scriptAgree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: agree LOCKFILE FLAG…")
	}
	var lock imageList
	ts.Check(kyaml.Unmarshal([]byte(ts.ReadFile(args[0])), &lock))
	if len(lock.Images) == 0 {
		ts.Fatalf("%s has no images", args[0])
	}
	for _, i := range lock.Images {
		ts.Check(agree(ts, ts.MkAbs("."), i.Image, i.Config.Entrypoint, i.Config.Cmd, args[1:]))
	}
}

// TestInspectAgrees makes the same comparison for each image of which any script has the configuration.
func TestInspectAgrees(t *testing.T) {
	scripts, err := filepath.Glob("../../testdata/*/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in testdata (%v)", err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	images := 0
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			var lock imageList
			if bytes.Contains(file.Data, []byte("\n---")) || kyaml.Unmarshal(file.Data, &lock) != nil ||
				lock.Kind != "ImageConfigs" {
				continue
			}
			name := filepath.Join(dir, "lock")
			text := bytes.ReplaceAll(file.Data, []byte("DIGEST"), bytes.Repeat([]byte("0"), 64)) // see scriptTimeless
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, i := range lock.Images {
				if run(t.Context(), []string{"debuggable", "inspect", i.Image, "--offline", "--image-configs", name},
					strings.NewReader(""), io.Discard, io.Discard) != statusDone {
					continue // a script shows that it is refused
				}
				images++
				for _, more := range [][]string{nil, {"--support-registry=registry.example.com/dbg"}, {"--suspend"}} {
					flags := append([]string{"--offline", "--image-configs", "lock"}, more...)
					if err := agree(t, dir, i.Image, i.Config.Entrypoint, i.Config.Cmd, flags); err != nil {
						t.Errorf("%s, %s %q: %v", script, file.Name, more, err)
					}
				}
			}
		}
	}
	if images < 500 {
		t.Errorf("only %d images were compared", images)
	}
}

// agree compares what inspect says of an image with what becomes of a pod.
func agree(f failer, dir, image string, entrypoint, cmd, flags []string) error {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec:\n  containers: [{name: container, image: '" +
		image + "'}]\n"
	out, results := runBoth(f, dir, append([]string{"debuggable", "--report=json"}, flags...), pod)
	said, _ := runBoth(f, dir, slices.Concat([]string{"debuggable", "inspect", image, "-o=json"}, flags), "")
	var e transform.Explanation
	if err := json.Unmarshal([]byte(said), &e); err != nil {
		return err
	}
	inspected := answer{Runtime: e.Runtime, Line: e.After, Reasons: []string{e.Reason}, Ports: e.Ports}
	if e.Debuggable {
		inspected.Reasons[0] = "Debuggable"
		if reflect.DeepEqual(e.After, e.Before) && len(e.Env) == 0 && e.Support == "" {
			inspected.Reasons[0] = "AlreadyDebugged"
		}
	}
	for _, n := range e.Notes {
		inspected.Reasons = append(inspected.Reasons, n.Reason)
	}
	done, err := transformedTo(out, results, entrypoint, cmd, e.Debuggable)
	if err == nil && !reflect.DeepEqual(inspected, done) {
		err = fmt.Errorf("%s: inspect says %+v, and this is done: %+v", image, inspected, done)
	}
	return err
}

// answer is what both have to agree on.
type answer struct {
	Runtime string
	Line    []string
	Reasons []string
	Ports   map[string]int32
}

// transformedTo reads what became of a pod, and what was said about it.
func transformedTo(out, results string, entrypoint, cmd []string, debuggable bool) (a answer, err error) {
	for line := range strings.Lines(results) {
		var r struct{ Tags map[string]string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return a, err
		}
		// inspect does not say what is wrong with the debugger itself, and with the container's own life.
		if reason := r.Tags["reason"]; reason != "OutlivesProgram" {
			a.Reasons = append(a.Reasons, reason)
		}
		if a.Runtime == "" {
			a.Runtime = r.Tags["runtime"]
		}
	}
	if !debuggable {
		return a, nil
	}
	var pod struct {
		Metadata struct{ Annotations map[string]string }
		Spec     struct {
			Containers []struct{ Command, Args []string }
		}
	}
	if err := yaml.Unmarshal([]byte(out), &pod); err != nil {
		return a, err
	}
	var annotation map[string]struct{ Ports map[string]int32 }
	text := pod.Metadata.Annotations["debug.cloud.google.com/config"]
	if err := json.Unmarshal([]byte(text), &annotation); err != nil {
		return a, err
	}
	a.Ports = annotation["container"].Ports
	c := pod.Spec.Containers[0]
	switch {
	case len(c.Command) > 0:
		a.Line = append(c.Command, c.Args...)
	case len(c.Args) > 0:
		a.Line = append(slices.Clone(entrypoint), c.Args...)
	default:
		a.Line = slices.Concat(entrypoint, cmd)
		return a, nil
	}
	for i, w := range a.Line {
		a.Line[i] = strings.ReplaceAll(w, "$$", "$")
	}
	return a, nil
}
