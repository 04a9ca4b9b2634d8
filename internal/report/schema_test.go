package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"debuggable.dev/debuggable/internal/generated"
	"debuggable.dev/debuggable/internal/reason"
)

const schemaFile = "../../docs/report.schema.json"

type object = map[string]any

// schema describes one line of --report json.
func schema() object {
	text := func(means string) object { return object{"type": "string", "description": means} }
	number := func(least int, means string) object {
		return object{"type": "integer", "minimum": least, "description": means}
	}
	closed := func(means string, required []string, properties object) object {
		o := object{"type": "object", "description": means, "additionalProperties": false, "properties": properties}
		if len(required) > 0 {
			o["required"] = required
		}
		return o
	}
	var codes []reason.Code
	for _, e := range reason.Table() {
		codes = append(codes, e.Code)
	}
	s := closed("What debuggable did with one container, or says about a workload or a setting.",
		[]string{"message", "severity", "tags"}, object{
			"message":  text("one line for people"),
			"severity": object{"enum": []string{"info", "warning", "error"}},
			"resourceRef": closed("the object that it is about", []string{"apiVersion", "kind"}, object{
				"apiVersion": text("group and version"), "kind": text("kind"),
				"name": text("name, or generateName"), "namespace": text("namespace, where the manifest has one"),
			}),
			"field": closed("the field that it is about", []string{"path"},
				object{"path": text("of a container: spec.template.spec.containers[0]")}),
			"file": closed("where the object was read", []string{"path", "index"}, object{
				"path":  text("the file; - for standard input"),
				"index": number(0, "position of the document in the file, from 0"),
				"line":  number(1, "where the container begins, or without one the workload"),
			}),
			"tags": closed("what programs need to know", []string{"reason"}, object{
				"reason":    object{"enum": codes, "description": "see docs/not-debuggable.md, or `debuggable explain REASON`"},
				"container": text("name of the container"),
				"image":     text("image of the container as the manifest has it"),
				"runtime":   text("go, jvm, nodejs, python, netcore, …"),
				"port":      text("where the debugger listens; several are separated by commas"),
				"protocol":  text("what the debugger speaks on these ports, in the same order"),
			}),
		})
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "A line of debuggable --report json"
	return s
}

// TestSchema keeps the schema fresh, and holds the results that the scripts show to it.
func TestSchema(t *testing.T) {
	data, err := json.MarshalIndent(schema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	generated.File(t, schemaFile, string(data)+"\n")
	compiled, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("../../testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			if !strings.HasPrefix(string(line), `{"message":`) {
				continue
			}
			lines++
			var value any
			if err := json.Unmarshal(line, &value); err != nil {
				t.Errorf("%s: %v", script, err)
			} else if err := compiled.Validate(value); err != nil {
				t.Errorf("%s: %s%v", script, line, err)
			}
		}
	}
	if lines < 100 {
		t.Errorf("%d lines were found, want many more", lines)
	}
}
