package process

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/scalar"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// Environment is what is known of a container's environment before it starts: the image's, overlaid by envFrom where
// the ConfigMap or Secret is among the items, then by env. Containers share what they have in common, so that no map in
// it is to be changed.
type Environment struct {
	*layer
	own      map[string]string // what env sets to a known value
	Unknown  map[string]bool   // what env sets to a value that is not known
	Likely   map[string]string // values of unknown ones, going by objects among the items
	expanded *expanding        // what references in values and words have come to
	all      map[string]string // the environment that the process sees, as far as it is known
}

// opaqueSource is an envFrom source of which nothing is known but what its variables' names begin with.
type opaqueSource struct {
	object string // `ConfigMap app`
	prefix string
}

// opaqueSources lists the sources that may set a variable.
func (e Environment) opaqueSources(name string) []opaqueSource {
	return slices.DeleteFunc(slices.Clone(e.opaque), func(o opaqueSource) bool {
		return !strings.HasPrefix(name, o.prefix) || name == o.prefix
	})
}

// All is the environment that the process sees, as far as it is known. It is not to be changed.
func (e Environment) All() map[string]string { return e.all }

// Ports returns what find makes of the variables' values, in the order of their names; for all who share them once.
func (e Environment) Ports(find func(text string) []int32) []int32 {
	ports := func() []int32 {
		var values []string
		for _, name := range slices.Sorted(maps.Keys(e.all)) {
			values = append(values, e.all[name])
		}
		return find(strings.Join(values, " "))
	}
	if len(e.own)+len(e.Unknown) > 0 {
		return ports()
	}
	if e.ports == nil {
		e.ports = sync.OnceValue(ports)
	}
	return e.ports()
}

// overlay makes all of what the image, envFrom and env set.
func (e Environment) overlay() map[string]string {
	all := make(map[string]string, len(e.layer.all)+len(e.own))
	maps.Copy(all, e.layer.all)
	for name := range e.Unknown {
		delete(all, name)
	}
	maps.Copy(all, e.own)
	return all
}

// lookup resolves a reference as Kubernetes does: from what the manifest sets, and not from the image.
func (e Environment) lookup(name string) (string, bool) {
	if v, ok := e.own[name]; ok {
		return v, ok
	}
	if e.Unknown[name] {
		return "", false
	}
	v, ok := e.sourced[name]
	return v, ok
}

// MayResolve reports whether a reference that lookup does not resolve may have a value in the cluster.
func (e Environment) MayResolve(name string) bool {
	return e.Unknown[name] || len(e.opaqueSources(name)) > 0 || strings.Contains(name, "_SERVICE_") ||
		strings.Contains(name, "_PORT")
}

// Hidden words what a new value of a variable hides, if envFrom sets it from objects that are not known.
func (e Environment) Hidden(name string) (words []string) {
	for _, source := range e.opaqueSources(name) {
		words = append(words, name+" of "+source.object)
	}
	return words
}

// EnvironmentOf works out a container's environment.
func EnvironmentOf(c *workload.Container, cfg image.Config, known *Sources) Environment {
	namespace := yamlnode.Namespace(c.Pod.Workload.Node)
	e := Environment{layer: known.layer(cfg, namespace, envFrom(c)), own: map[string]string{}, Unknown: map[string]bool{},
		Likely: map[string]string{}}
	e.expanded = &expanding{size: e.layer.bytes, many: e.layer.many, shared: &known.expanded}
	known.given += e.layer.bytes
	e.expanded.given = known.given > maxGiven
	for _, entry := range yamlnode.Items(c.Node, "env") {
		name := yamlnode.Text(entry, "name")
		if name == "" {
			continue
		}
		if raw := yamlnode.Text(entry, "value"); raw != "" || yamlnode.Get(entry, "valueFrom") == nil {
			value, _ := e.expanded.expand(raw, e, func(string, int) {})
			e.own[name] = value
			delete(e.Unknown, name)
			delete(e.Likely, name)
			continue
		}
		delete(e.own, name)
		delete(e.Likely, name)
		e.Unknown[name] = true
		for _, ref := range []struct{ field, kind string }{{"configMapKeyRef", "ConfigMap"}, {"secretKeyRef", "Secret"}} {
			r := yamlnode.Get(entry, "valueFrom", ref.field)
			if value, ok := known.Values(ref.kind, namespace, yamlnode.Text(r, "name"))[yamlnode.Text(r, "key")]; ok {
				e.Likely[name] = value
			}
		}
	}
	e.all = e.layer.all
	if len(e.own)+len(e.Unknown) > 0 {
		if e.expanded.many = e.expanded.many || !known.copy(len(e.all), 0); !e.expanded.many {
			e.all = e.overlay()
		}
	}
	return e
}

// EnvEdit is one change to a container's env list.
type EnvEdit struct {
	entry  *yaml.Node // nil: a new entry
	Name   string
	Value  string
	rename bool // the entry takes its value from elsewhere: it is renamed, and a new one refers to it
}

// Renamed entries keep what they hold under a name of our own.
const renamedPrefix = "DEBUGGABLE_"

// PlanEnv turns a runtime's changes into edits of the env list. words are the raw words of command and args.
// The warnings name envFrom sources that a new entry would hide a value of.
func PlanEnv(
	c *workload.Container, e Environment, changes []runtimes.EnvChange, words []string,
) (edits []EnvEdit, hides []string, err error) {
	list := yamlnode.Items(c.Node, "env")
	for _, change := range changes {
		at := -1
		for i, entry := range list {
			if yamlnode.Text(entry, "name") == change.Name {
				at = i // of entries with one name the last one counts
			}
		}
		if who := referrer(list[at+1:], words, change.Name); who != "" && at >= 0 || who == "args" {
			return nil, nil, reason.Refuse(reason.EnvReferenced, "%s would have to change, but %s refers to it as $(%s)",
				change.Name, who, change.Name)
		}
		edit := EnvEdit{Name: change.Name}
		switch {
		case at >= 0 && yamlnode.Get(list[at], "valueFrom") == nil:
			edit.entry, edit.Value = list[at], Combine(change, yamlnode.Text(list[at], "value"))
		case at >= 0 && change.How == runtimes.Replace:
			edit.entry, edit.Value = list[at], change.Value
		case at >= 0:
			if _, there := e.Likely[change.Name]; !there && optional(yamlnode.Get(list[at], "valueFrom")) {
				return nil, nil, reason.Refuse(reason.OptionalEnv,
					"%s comes from an optional key that may be missing, so it cannot be extended", change.Name)
			}
			renamed := renamedPrefix + change.Name
			if slices.ContainsFunc(list, func(n *yaml.Node) bool { return yamlnode.Text(n, "name") == renamed }) {
				return nil, nil, reason.Refuse(reason.EnvNameTaken, "the container already has a variable %s", renamed)
			}
			edit.entry, edit.rename, edit.Value = list[at], true, Combine(change, "$("+renamed+")")
		case e.sets(change.Name):
			edit.Value = Combine(change, "$("+change.Name+")")
			if e.sourced[change.Name] == "" {
				edit.Value = Combine(change, "")
			}
		default:
			value, ok := e.Image[change.Name]
			if !ok {
				value = change.Default
			}
			edit.Value = Combine(change, Escape(value))
			if change.How != runtimes.Replace {
				hides = append(hides, e.Hidden(change.Name)...)
			}
		}
		edits = append(edits, edit)
	}
	return edits, hides, nil
}

// Combine joins a change with the existing value, both as written in a manifest.
func Combine(change runtimes.EnvChange, existing string) string {
	switch {
	case change.How == runtimes.Replace || existing == "":
		return change.Value
	case change.How == runtimes.Append:
		return existing + change.Sep + change.Value
	}
	return change.Value + change.Sep + existing
}

// referrer names the first place that refers to a variable: another variable, or "args"; "" for none.
func referrer(entries []*yaml.Node, words []string, name string) string {
	who := ""
	for _, entry := range entries {
		References(yamlnode.Text(entry, "value"), func(n string) {
			if n == name && who == "" {
				who = "variable " + yamlnode.Text(entry, "name")
			}
		})
	}
	for _, w := range words {
		References(w, func(n string) {
			if n == name {
				who = "args"
			}
		})
	}
	return who
}

// optional reports whether a valueFrom may yield nothing.
func optional(valueFrom *yaml.Node) bool {
	return yamlnode.IsTrue(valueFrom, "secretKeyRef", "optional") ||
		yamlnode.IsTrue(valueFrom, "configMapKeyRef", "optional") || yamlnode.IsTrue(valueFrom, "fileKeyRef", "optional")
}

// WriteEnv makes the edits.
func WriteEnv(c *workload.Container, edits []EnvEdit) error {
	if len(edits) == 0 {
		return nil
	}
	list, err := yamlnode.Ensure(c.Node, "env", yaml.SequenceNode, "image", "command", "args", "workingDir", "ports",
		"envFrom")
	if err != nil {
		return err
	}
	newEntry := func(edit EnvEdit) *yaml.Node {
		return yamlnode.Mapping("name", yamlnode.String(edit.Name), "value", yamlnode.StringLike(edit.Value, values(list)))
	}
	for _, edit := range edits {
		switch {
		case edit.entry == nil:
			list.Content = append(list.Content, newEntry(edit))
		case edit.rename:
			yamlnode.Set(edit.entry, "name", yamlnode.String(renamedPrefix+edit.Name))
			i := slices.Index(list.Content, edit.entry)
			list.Content = slices.Insert(list.Content, i+1, newEntry(edit))
		default:
			yamlnode.Remove(edit.entry, "valueFrom")
			_, old := yamlnode.Field(edit.entry, "value")
			value := yamlnode.String(edit.Value)
			if old != nil {
				value.Style = scalar.Like(edit.Value, old.Style)
			}
			yamlnode.Set(edit.entry, "value", value, "name")
		}
	}
	return nil
}

// values lists the value scalars of an env list.
func values(list *yaml.Node) []*yaml.Node {
	var vs []*yaml.Node
	for _, entry := range list.Content {
		if v := yamlnode.Get(entry, "value"); v != nil {
			vs = append(vs, v)
		}
	}
	return vs
}
