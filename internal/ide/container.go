package ide

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/localport"
	"debuggable.dev/debuggable/internal/sources"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
	"debuggable.dev/debuggable/runtimes/editor"
)

// Container is a debuggable container, and where its sources are.
type Container struct {
	Namespace      string // "" for that of the context
	Kind, Workload string // what the pod is of: Deployment, web; of a pod of its own: Pod and its name
	Name           string
	// Labels are those of the pod.
	Labels map[string]string
	// Image is the container's image, Platform the one that the pod asks for ("arm64"), "" for none.
	Image string
	Arch  string
	// Words are the container's command and args.
	Words []string
	Info  debuginfo.Container
	// Port is the port of this machine that leads to the debugger's; 0 for one to be chosen by Assign.
	Port    int
	Sources sources.Found
}

// language returns what the container's runtime needs.
func (c Container) language() (editor.Language, bool) {
	for _, r := range runtimes.All() {
		if r.Name() == c.Info.Runtime {
			return r.Editor, true
		}
	}
	return editor.Language{}, false
}

// Extensions are those of the container's source files.
func (c Container) Extensions() []string {
	l, _ := c.language()
	return l.Extensions
}

// Built says that the container's program knows the module that it was built from.
func (c Container) Built() bool {
	l, _ := c.language()
	return l.Module
}

// NeedsMapping says that the debugger knows sources by their paths.
func (c Container) NeedsMapping() bool {
	l, _ := c.language()
	return l.Module || len(l.Extensions) > 0
}

// Remote is the directory in the container that holds the sources if nothing else is known.
func (c Container) Remote() string { return cmp.Or(c.Info.RemoteRoot, c.Info.WorkingDir) }

// port returns the debugger's protocol and its port in the container; of several the first by name, which is dap ahead
// of pydevd.
func (c Container) port() (protocol string, port int) {
	for _, protocol := range slices.Sorted(maps.Keys(c.Info.Ports)) {
		return protocol, int(c.Info.Ports[protocol])
	}
	return "", 0
}

// Assign gives each container without a local port the one that forwarding it gives, where all of them run when that
// begins.
func Assign(containers []Container) {
	var plan localport.Plan
	order := make([]*Container, len(containers))
	for i := range containers {
		order[i] = &containers[i]
		for _, port := range containers[i].Info.Ports {
			plan.Want(int(port))
		}
		if containers[i].Port != 0 {
			plan.Reserve(containers[i].Port)
		}
	}
	slices.SortStableFunc(order, func(a, b *Container) int { return compare(*a, *b) })
	for _, c := range order {
		if c.Port != 0 {
			continue
		}
		for _, protocol := range slices.Sorted(maps.Keys(c.Info.Ports)) {
			if local := plan.Take(int(c.Info.Ports[protocol])); c.Port == 0 {
				c.Port = local // of several, that of the protocol that port returns
			}
		}
	}
}

// Containers finds the debuggable containers of a rewritten object: of each pod template in it that has the annotation,
// whatever the object's kind.
func Containers(object *yaml.Node) ([]Container, error) {
	object = yamlnode.Resolve(object)
	if items := yamlnode.Items(object, "items"); items != nil && strings.HasSuffix(yamlnode.Text(object, "kind"), "List") {
		var all []Container
		for _, item := range items {
			found, err := Containers(item)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	}
	owner := Container{Namespace: yamlnode.Namespace(object), Kind: yamlnode.Text(object, "kind"),
		Workload: yamlnode.Name(object)}
	var all []Container
	err := eachTemplate(object, 0, func(template *yaml.Node, annotation string) error {
		entries, err := debuginfo.Decode(annotation)
		if err != nil {
			return fmt.Errorf("%s %s: %w", owner.Kind, owner.Workload, err)
		}
		pod, specs := owner, specsOf(template)
		pod.Labels = map[string]string{}
		for pairs := yamlnode.Pairs(template, "metadata", "labels"); len(pairs) > 1; pairs = pairs[2:] {
			pod.Labels[pairs[0].Value] = pairs[1].Value
		}
		pod.Arch = yamlnode.Text(template, "spec", "nodeSelector", "kubernetes.io/arch")
		for _, e := range entries {
			all = append(all, pod.with(e, specs[e.Name]))
		}
		return nil
	})
	return all, err
}

// specsOf are the containers of a pod template by their names.
func specsOf(template *yaml.Node) map[string][]*yaml.Node {
	specs := map[string][]*yaml.Node{}
	for _, list := range []string{"initContainers", "containers"} {
		for _, n := range yamlnode.Items(template, "spec", list) {
			name := yamlnode.Text(n, "name")
			specs[name] = append(specs[name], n)
		}
	}
	return specs
}

// with returns the container of an entry of a pod template's annotation.
func (c Container) with(e debuginfo.Entry, specs []*yaml.Node) Container {
	c.Name, c.Info = e.Name, e.Container
	for _, n := range specs {
		c.Image = yamlnode.Text(n, "image")
		for _, word := range append(yamlnode.Items(n, "command"), yamlnode.Items(n, "args")...) {
			c.Words = append(c.Words, yamlnode.Resolve(word).Value)
		}
	}
	return c
}

// Names that Kubernetes accepts, https://kubernetes.io/docs/concepts/overview/working-with-objects/names/, and kinds as
// all APIs write them. How long they may be is not part of the expressions, which would take long to compile then, each
// time that the program starts.
var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)
	kind      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)
)

const longestLabel, longestSubdomain = 63, 253

// Possible reports whether a container of its names can run. Editors get names as parts of command lines and of paths,
// and manifests are other people's.
func (c Container) Possible() bool {
	is := func(text string, expression *regexp.Regexp, longest int) bool {
		return len(text) <= longest && expression.MatchString(text)
	}
	return (c.Namespace == "" || is(c.Namespace, label, longestLabel)) && is(c.Name, label, longestLabel) &&
		(c.Workload == "" || is(c.Workload, subdomain, longestSubdomain)) &&
		(c.Kind == "" || is(c.Kind, kind, longestLabel))
}

// eachTemplate calls f for each mapping that has the annotation and containers.
func eachTemplate(n *yaml.Node, depth int, f func(template *yaml.Node, annotation string) error) error {
	const deepest = 24 // much more than any kind nests its pod template
	if depth > deepest {
		return nil
	}
	n = yamlnode.Resolve(n)
	if annotation, ok := yamlnode.Annotation(n, debuginfo.Annotation); ok &&
		yamlnode.Items(n, "spec", "containers") != nil {
		return f(n, annotation)
	}
	for _, below := range n.Content {
		if err := eachTemplate(below, depth+1, f); err != nil {
			return err
		}
	}
	return nil
}

// FromRunning describes a container that runs in a cluster.
func FromRunning(r debuginfo.Running) Container {
	return Container{
		Namespace: r.Namespace, Kind: r.Kind, Workload: r.Workload, Name: r.Name, Labels: r.Labels, Image: r.Image,
		Arch: r.Arch, Info: r.Info,
	}
}

// Adapter returns the protocol of the container's debugger under which it speaks the Debug Adapter Protocol; false
// where it does not.
func (c Container) Adapter() (protocol string, ok bool) {
	l, _ := c.language()
	_, has := c.Info.Ports[l.Adapter]
	return l.Adapter, has && l.Adapter != ""
}

// Going is what the debugger is asked ahead of attaching to it; nil for nothing.
func (c Container) Going() *editor.Question {
	l, _ := c.language()
	return l.Going
}

// RemotePath is the path by which the debugger knows a local file, as far as the mappings say.
func (c Container) RemotePath(file string) (string, bool) {
	longest, remote := -1, ""
	for _, m := range c.Sources.Mappings {
		rel, err := filepath.Rel(m.Local, file)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) || len(m.Local) <= longest {
			continue
		}
		longest, remote = len(m.Local), path.Join(m.Remote, filepath.ToSlash(rel))
	}
	return remote, longest >= 0
}
