package cli

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"

	"debuggable.dev/debuggable/transform"
)

// scriptAgree compares, for each image of a lock file, what inspect says with what becomes of a pod that says nothing
// but the image: the runtime, the command line, the ports and the reasons.
func scriptAgree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: agree LOCKFILE FLAG…")
	}
	var lock struct {
		Images []struct {
			Image  string
			Config struct{ Entrypoint, Cmd []string }
		}
	}
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[0])), &lock))
	if len(lock.Images) == 0 {
		ts.Fatalf("%s has no images", args[0])
	}
	for _, i := range lock.Images {
		pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec:\n  containers: [{name: container, image: '" +
			i.Image + "'}]\n"
		out, results := runBoth(ts, ts.MkAbs("."), append([]string{"debuggable", "--report=json"}, args[1:]...), pod)
		said, _ := runBoth(ts, ts.MkAbs("."), slices.Concat([]string{"debuggable", "inspect", i.Image, "-o=json"}, args[1:]),
			"")
		var e transform.Explanation
		ts.Check(json.Unmarshal([]byte(said), &e))
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
		if done := transformedTo(ts, out, results, i.Config.Entrypoint, i.Config.Cmd,
			e.Debuggable); !reflect.DeepEqual(inspected, done) {
			ts.Fatalf("%s: inspect says %+v, and this is done: %+v", i.Image, inspected, done)
		}
	}
}

// answer is what both have to agree on.
type answer struct {
	Runtime string
	Line    []string
	Reasons []string
	Ports   map[string]int32
}

// transformedTo reads what became of a pod, and what was said about it.
func transformedTo(
	ts *testscript.TestScript, out, results string, entrypoint, cmd []string, debuggable bool,
) (a answer) {
	for line := range strings.Lines(results) {
		var r struct{ Tags map[string]string }
		ts.Check(json.Unmarshal([]byte(line), &r))
		// inspect does not say what is wrong with the debugger itself, and with the container's own life.
		if reason := r.Tags["reason"]; reason != "OutlivesProgram" {
			a.Reasons = append(a.Reasons, reason)
		}
		if a.Runtime == "" {
			a.Runtime = r.Tags["runtime"]
		}
	}
	if !debuggable {
		return a
	}
	var pod struct {
		Metadata struct{ Annotations map[string]string }
		Spec     struct {
			Containers []struct{ Command, Args []string }
		}
	}
	ts.Check(yaml.Unmarshal([]byte(out), &pod))
	var annotation map[string]struct{ Ports map[string]int32 }
	ts.Check(json.Unmarshal([]byte(pod.Metadata.Annotations["debug.cloud.google.com/config"]), &annotation))
	a.Ports = annotation["container"].Ports
	c := pod.Spec.Containers[0]
	switch {
	case len(c.Command) > 0:
		a.Line = append(c.Command, c.Args...)
	case len(c.Args) > 0:
		a.Line = append(slices.Clone(entrypoint), c.Args...)
	default:
		a.Line = slices.Concat(entrypoint, cmd)
		return a
	}
	for i, w := range a.Line {
		a.Line[i] = strings.ReplaceAll(w, "$$", "$")
	}
	return a
}
