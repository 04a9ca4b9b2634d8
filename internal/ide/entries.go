package ide

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"debuggable.dev/debuggable/runtimes/editor"
)

// prefix starts the names of our entries: what has it is ours to change and to remove.
const prefix = "debuggable: "

const loopback = "127.0.0.1"

// names gives each container the name of its entry: that of the workload and the container, with the namespace and the
// kind where only these tell two apart.
func names(containers []Container) []string {
	forms := []func(Container) string{
		func(c Container) string { return c.Workload + ":" + c.Name },
		func(c Container) string { return c.Namespace + "/" + c.Workload + ":" + c.Name },
		func(c Container) string { return c.Namespace + "/" + c.Kind + "/" + c.Workload + ":" + c.Name },
	}
	count := make([]map[string]int, len(forms))
	for i, form := range forms {
		count[i] = map[string]int{}
		for _, c := range containers {
			count[i][form(c)]++
		}
	}
	var all []string
	used := map[string]int{}
	for _, c := range containers {
		name := ""
		for i, form := range forms {
			if name = form(c); count[i][name] == 1 {
				break
			}
		}
		name = prefix + literal(name)
		if c.Sources.Guess && c.NeedsMapping() {
			name += " (paths guessed)"
		}
		if used[name]++; used[name] > 1 { // of an object that is there twice
			name += fmt.Sprintf(" (%d)", used[name])
		}
		all = append(all, name)
	}
	return all
}

// target is what a language is told of a container. place turns local directories into what the editor wants.
func (c Container) target(place func(string) string) editor.Target {
	protocol, port := c.port()
	t := editor.Target{Host: loopback, Port: cmp.Or(c.Port, port), Protocol: protocol, Workspace: place("")}
	for _, m := range c.Sources.Mappings {
		t.Mappings = append(t.Mappings, editor.Mapping{Local: place(m.Local), Remote: m.Remote})
	}
	slices.SortStableFunc(t.Mappings, func(a, b editor.Mapping) int { return cmp.Compare(len(b.Remote), len(a.Remote)) })
	for _, name := range slices.Sorted(maps.Keys(c.Sources.Modules)) {
		t.Modules = append(t.Modules, editor.Mapping{Local: place(c.Sources.Modules[name]), Remote: name})
	}
	t.MainPackage = c.Sources.Main
	t.Exec = []string{"kubectl", "exec", "-i"}
	if c.Namespace != "" {
		t.Exec = append(t.Exec, "-n", c.Namespace)
	}
	t.Exec = append(t.Exec, strings.ToLower(c.Kind)+"/"+c.Workload, "-c", c.Name, "--")
	return t
}

// placeIn returns a function that writes directories of the workspace by an editor's variable for that.
func placeIn(workspace, variable string) func(string) string {
	return func(dir string) string {
		if dir == "" {
			return variable
		}
		rel, err := filepath.Rel(workspace, dir)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return filepath.ToSlash(dir)
		}
		if rel == "." {
			return variable
		}
		return variable + "/" + filepath.ToSlash(rel)
	}
}

// entry is one configuration of launch.json.
type entry struct {
	name   string
	fields editor.Object
}

func (e entry) object() editor.Object {
	return append(editor.Object{{Key: "name", Value: e.name}}, literals(e.fields).(editor.Object)...)
}

// workspaceFolder is VS Code's variable for the directory that it has open.
const workspaceFolder = "${workspaceFolder}"

// literal takes apart what VS Code would replace in a text, ${command:…} by what the command answers, for which it
// runs it. VS Code has no way to quote it, and no name or directory of a container that runs holds it; manifests are
// other people's.
func literal(s string) string {
	rest, ours := strings.CutPrefix(s, workspaceFolder)
	rest = strings.ReplaceAll(rest, "${", "$ {")
	if ours {
		return workspaceFolder + rest
	}
	return rest
}

// literals is literal for all texts of a value.
func literals(v any) any {
	switch v := v.(type) {
	case string:
		return literal(v)
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = literals(v[i])
		}
		return all
	case editor.Object:
		all := make(editor.Object, len(v))
		for i, f := range v {
			all[i] = editor.Field{Key: literal(f.Key), Value: literals(f.Value)}
		}
		return all
	}
	return v
}

// vscodeEntries are the configurations for VS Code's own debuggers.
func vscodeEntries(workspace string, containers []Container) []entry {
	var entries []entry
	for i, name := range names(containers) {
		if l, ok := containers[i].language(); ok && l.Launch != nil {
			entries = append(entries, entry{name, l.Launch(containers[i].target(placeIn(workspace, workspaceFolder)))})
		}
	}
	return entries
}

const cloudCodeType = "cloudcode.kubernetes"

// cloudCodeEntries are the configurations of Google's Cloud Code, which finds the pod and forwards the port by itself.
func cloudCodeEntries(workspace string, containers []Container) []entry {
	var entries []entry
	for i, name := range names(containers) {
		c := containers[i]
		l, ok := c.language()
		if !ok || l.CloudName == "" {
			continue
		}
		_, port := c.port()
		o := editor.Object{
			{Key: "type", Value: cloudCodeType}, {Key: "request", Value: "attach"}, {Key: "language", Value: l.CloudName},
		}
		if port != 0 {
			o = append(o, editor.Field{Key: "debugPort", Value: port})
		}
		var selector editor.Object
		for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
			selector = append(selector, editor.Field{Key: key, Value: c.Labels[key]})
		}
		o = append(o, editor.Field{Key: "podSelector", Value: selector})
		if mappings := c.target(placeIn(workspace, workspaceFolder)).Mappings; len(mappings) > 0 {
			widest := mappings[len(mappings)-1]
			o = append(o, editor.Field{Key: "localRoot", Value: widest.Local},
				editor.Field{Key: "remoteRoot", Value: widest.Remote})
		}
		entries = append(entries, entry{name + " (Cloud Code)", o})
	}
	return entries
}

// Sort brings containers of a cluster into an order that does not depend on when they started.
func Sort(containers []Container) {
	slices.SortStableFunc(containers, compare)
}

func compare(a, b Container) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Workload, b.Workload),
		strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}
