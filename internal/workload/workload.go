// Package workload finds the pod templates in Kubernetes objects and reads what they say: kinds, pods, containers,
// platforms, who selects them. It edits nothing.
package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// Object is one document of the input, as the transform needs it.
type Object interface {
	// Node is the object's mapping, edited in place.
	Node() *yaml.RNode
	// MarkEdited says that the object is to be written anew.
	MarkEdited()
	// File tells where the object came from: a path and its index in that file; "" where that is not known.
	File() (path string, index int)
}

// Workload is an object that holds pod templates: a document, or an element of a list in one.
type Workload struct {
	Object Object
	Node   *yaml.Node
	Rules  Kind
	// Path leads from the document's root to Node: "" or "items[2]".
	Path string
	Pods []*Pod

	APIVersion, Kind string
	Instead          string // the API version to use, where this one is gone from Kubernetes; "" otherwise
	Problem          string // why the object can have no pod template that Kubernetes would read; "" otherwise

	outputRead bool // the object itself reads what one of its programs writes
}

// Pod is a pod template of a workload, or a Pod itself.
type Pod struct {
	Workload *Workload
	Template *yaml.Node // the mapping with the pod's metadata and spec
	Spec     *yaml.Node // which may be Template itself; see Kind.Containers
	Outer    *yaml.Node // what holds where Spec does not say otherwise; nil for nothing
	Path     string     // leads from the document's root to Template
	SpecPath string     // leads from the document's root to Spec

	Containers []*Container // in pod order, init containers first

	named map[string]int               // how many containers have a name
	sums  map[string]resource.Quantity // what limits come to, by resource
}

// Container is one container of a pod template.
type Container struct {
	Pod   *Pod
	Node  *yaml.Node
	Name  string
	Image string // as the manifest writes it
	Path  string // leads from the document's root to Node
	Init  bool   // an init container or a native sidecar
}

// Of returns the workload that an object is, by the table of kinds that own add to and come before; nil where it is
// none that is known.
func Of(object Object, o Element, own []Kind) *Workload {
	group, version := "", o.APIVersion
	if i := strings.IndexByte(version, '/'); i >= 0 {
		group, version = version[:i], version[i+1:]
	}
	w := &Workload{Object: object, Node: o.Node, Path: o.Path, APIVersion: o.APIVersion, Kind: o.Kind}
	for _, d := range deprecated {
		if d.apiVersion == o.APIVersion && slices.Contains(d.kinds, o.Kind) {
			w.Instead = d.instead
			return w
		}
	}
	for _, table := range [][]Kind{own, kinds} {
		for _, k := range table {
			if k.Group == group && k.Kind == o.Kind && (k.Versions == nil || slices.Contains(k.Versions, version)) {
				w.addPods(k)
				return w
			}
		}
	}
	if k := meant(group, o.Kind); k != nil {
		w.Problem = fmt.Sprintf("there is no %s of apiVersion %q; want %s of %s", o.Kind, o.APIVersion, k.Kind,
			strings.TrimPrefix(k.Group+"/"+k.Versions[0], "/"))
		return w
	}
	return nil
}

// addPods finds the pod templates of a kind.
func (w *Workload) addPods(k Kind) {
	w.Rules = k
	w.outputRead = k.Output != "" && yamlnode.Mentions(w.Node, k.Output)
	for _, t := range k.Template {
		for _, at := range yamlnode.Lookup(w.Node, t) {
			w.addPod(at.Node, yamlnode.Join(w.Path, at.Path))
		}
	}
	if k.Complete && len(w.Pods) == 0 {
		w.Problem = "it has no " + yamlnode.Join(strings.Join(k.Template, ", "), "spec")
	}
}

func (w *Workload) addPod(node *yaml.Node, path string) {
	p := &Pod{Workload: w, Template: node, Spec: yamlnode.Get(node, "spec"), Path: path,
		SpecPath: yamlnode.Join(path, "spec")}
	lists := []string{"containers[]"}
	if w.Rules.Containers != nil {
		p.Spec, p.SpecPath, lists = node, path, w.Rules.Containers
		p.Outer = yamlnode.Get(w.Node, strings.Split(w.Rules.Outer, ".")...)
	}
	if !yamlnode.IsMapping(p.Spec) {
		return
	}
	for _, list := range append([]string{"initContainers[]"}, lists...) {
		for _, at := range yamlnode.Lookup(p.Spec, list) {
			if !yamlnode.IsMapping(at.Node) {
				continue
			}
			p.Containers = append(p.Containers, &Container{
				Pod: p, Node: at.Node, Name: cmp.Or(yamlnode.Text(at.Node, "name"), w.Rules.Main),
				Image: strings.TrimSpace(yamlnode.Text(at.Node, "image")), Init: list == "initContainers[]",
				Path: yamlnode.Join(p.SpecPath, at.Path),
			})
		}
	}
	if w.Rules.Containers != nil && !slices.ContainsFunc(p.Containers, func(c *Container) bool { return !c.Init }) {
		return // it says what other templates there are, and in which order
	}
	if w.Rules.Knative {
		p.nameUnnamed()
	}
	p.named = make(map[string]int, len(p.Containers))
	for _, c := range p.Containers {
		p.named[c.Name]++
	}
	w.Pods = append(w.Pods, p)
}

// nameUnnamed names the containers that have no name as Knative names them in the pods that it creates
// (applyDefaultContainerNames in serving's pkg/apis/serving/v1/revision_defaults.go). The manifest stays without.
func (p *Pod) nameUnnamed() {
	taken := map[string]bool{}
	count := 0
	for _, c := range p.Containers {
		taken[c.Name] = true
		if !c.Init {
			count++
		}
	}
	next := 0
	for _, c := range p.Containers {
		if c.Name != "" || c.Init {
			continue
		}
		c.Name = "user-container"
		for numbered := count > 1; numbered || taken[c.Name]; next++ {
			c.Name, numbered = "user-container-"+strconv.Itoa(next), false
		}
	}
}

// CheckName refuses a container whose name the annotation could not stand for; Kubernetes refuses such pods.
func (p *Pod) CheckName(name string) error {
	if name == "" {
		return reason.Refuse(reason.InvalidField, "it has no name")
	}
	if p.named[name] > 1 {
		return reason.Refuse(reason.InvalidField, "the pod has another container of that name")
	}
	return nil
}

// Annotation returns the value of a per-workload annotation: the pod template's or, where it has none, the object's.
func (p *Pod) Annotation(key string) (string, bool) {
	if v, ok := yamlnode.Annotation(p.Template, key); ok {
		return v, true
	}
	return yamlnode.Annotation(p.Workload.Node, key)
}
