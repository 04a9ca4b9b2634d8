package transform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Kind says where one kind of object holds its pod templates and what multiplies its pods. Paths are dotted; a `[]`
// behind a name stands for each element of a list.
type Kind struct {
	Group    string
	Versions []string // nil: any
	Kind     string
	// Template is the path of the object that has the pod's metadata and spec; "" is the object itself.
	Template []string
	// Replicas are the paths of the counts that become one.
	Replicas []string
	// Partitions are the paths of counts or percentages of pods that keep the old template when it changes.
	Partitions []string
	// Deadlines are the paths of limits in seconds on how long the workload may take.
	Deadlines []string
	// Knative says that Knative's rules hold: containers may not declare a port more and need no name, and annotations
	// say how many pods there may be.
	Knative bool
	// Complete says that an object of the kind has a pod template, or is a mistake.
	Complete bool
}

var v1 = []string{"v1"}

// kinds is the table of kinds; a user's own come before it.
var kinds = []Kind{
	{Group: "", Versions: v1, Kind: "Pod", Complete: true, Template: []string{""}},
	{Group: "", Versions: v1, Kind: "PodTemplate", Complete: true, Template: []string{"template"}},
	{Group: "", Versions: v1, Kind: "ReplicationController", Complete: true, Template: template, Replicas: replicas},
	{Group: "apps", Versions: v1, Kind: "Deployment", Complete: true, Template: template, Replicas: replicas, Deadlines: []string{"spec.progressDeadlineSeconds"}},
	{Group: "apps", Versions: v1, Kind: "StatefulSet", Complete: true, Template: template, Replicas: replicas, Partitions: partition},
	{Group: "apps", Versions: v1, Kind: "DaemonSet", Complete: true, Template: template},
	{Group: "apps", Versions: v1, Kind: "ReplicaSet", Complete: true, Template: template, Replicas: replicas},
	{Group: "batch", Versions: v1, Kind: "Job", Complete: true, Template: template, Replicas: []string{"spec.parallelism"}, Deadlines: []string{"spec.activeDeadlineSeconds"}},
	{Group: "batch", Versions: v1, Kind: "CronJob", Complete: true, Template: []string{"spec.jobTemplate.spec.template"},
		Replicas: []string{"spec.jobTemplate.spec.parallelism"}, Deadlines: []string{"spec.jobTemplate.spec.activeDeadlineSeconds"}},

	{Group: "argoproj.io", Kind: "Rollout", Template: template, Replicas: replicas, Deadlines: []string{"spec.progressDeadlineSeconds"}},
	{Group: "serving.knative.dev", Kind: "Service", Template: template, Knative: true},
	{Group: "serving.knative.dev", Kind: "Configuration", Template: template, Knative: true},
	{Group: "apps.kruise.io", Kind: "CloneSet", Template: template, Replicas: replicas, Partitions: []string{"spec.updateStrategy.partition"}},
	{Group: "apps.kruise.io", Kind: "StatefulSet", Template: template, Replicas: replicas, Partitions: partition},
	{Group: "apps.kruise.io", Kind: "DaemonSet", Template: template, Partitions: partition},
	{Group: "apps.openshift.io", Kind: "DeploymentConfig", Template: template, Replicas: replicas},
	{Group: "batch.volcano.sh", Kind: "Job", Template: []string{"spec.tasks[].template"}, Replicas: []string{"spec.tasks[].replicas", "spec.tasks[].minAvailable", "spec.minAvailable"}},
	{Group: "jobset.x-k8s.io", Kind: "JobSet", Template: []string{"spec.replicatedJobs[].template.spec.template"},
		Replicas:  []string{"spec.replicatedJobs[].replicas", "spec.replicatedJobs[].template.spec.parallelism"},
		Deadlines: []string{"spec.replicatedJobs[].template.spec.activeDeadlineSeconds"}},
	{Group: "leaderworkerset.x-k8s.io", Kind: "LeaderWorkerSet", Template: []string{"spec.leaderWorkerTemplate.leaderTemplate", "spec.leaderWorkerTemplate.workerTemplate"}, Replicas: replicas,
		Partitions: []string{"spec.rolloutStrategy.rollingUpdateConfiguration.partition"}},
}

var (
	template  = []string{"spec.template"}
	replicas  = []string{"spec.replicas"}
	partition = []string{"spec.updateStrategy.rollingUpdate.partition"}
)

// deprecated are the API versions of workloads that Kubernetes removed, in 1.16 and in 1.25, the kinds that were in them, and where
// these are now.
var deprecated = []struct {
	apiVersion, instead string
	kinds               []string
}{
	{"extensions/v1beta1", "apps/v1", []string{"Deployment", "DaemonSet", "ReplicaSet"}},
	{"apps/v1beta1", "apps/v1", []string{"Deployment", "StatefulSet"}},
	{"apps/v1beta2", "apps/v1", []string{"Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"}},
	{"batch/v2alpha1", "batch/v1", []string{"CronJob"}},
	{"batch/v1beta1", "batch/v1", []string{"CronJob"}},
}

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
	Kind   Kind
	// Path leads from the document's root to Node: "" or "items[2]".
	Path string
	Pods []*Pod

	apiVersion, kind string
	instead          string // the API version to use, where this one is gone from Kubernetes; "" otherwise
	problem          string // why the object can have no pod template that Kubernetes would read; "" otherwise
}

// Pod is a pod template of a workload, or a Pod itself.
type Pod struct {
	Workload *Workload
	Template *yaml.Node // the mapping with the pod's metadata and spec
	Spec     *yaml.Node
	Path     string // leads from the document's root to Template

	Containers []*Container // in pod order, init containers first

	named map[string]int // how many containers have a name
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

// maxListDepth bounds how deep lists in lists are followed; no tool writes any.
const maxListDepth = 8

// find lists the workloads of a document in order: the object itself or, in lists, its elements.
func find(object Object, node *yaml.Node, path, defaultAPIVersion, defaultKind string, table []Kind) []*Workload {
	if !yamlnode.IsMapping(node) {
		return nil
	}
	apiVersion, kind := yamlnode.Text(node, "apiVersion"), yamlnode.Text(node, "kind")
	if apiVersion == "" && kind == "" {
		apiVersion, kind = defaultAPIVersion, defaultKind
	}
	if isLocal(node) {
		return nil
	}
	if element, isList := strings.CutSuffix(kind, "List"); isList && yamlnode.Get(node, "items") != nil && (kind != "List" || apiVersion == "v1") {
		if strings.Count(path, "items[") > maxListDepth {
			return nil
		}
		if element == "" {
			apiVersion = ""
		}
		var found []*Workload
		for i, item := range yamlnode.Items(node, "items") {
			found = append(found, find(object, item, yamlnode.Join(path, "items["+strconv.Itoa(i)+"]"), apiVersion, element, table)...)
		}
		return found
	}
	group, version := "", apiVersion
	if i := strings.IndexByte(apiVersion, '/'); i >= 0 {
		group, version = apiVersion[:i], apiVersion[i+1:]
	}
	w := &Workload{Object: object, Node: node, Path: path, apiVersion: apiVersion, kind: kind}
	for _, d := range deprecated {
		if d.apiVersion == apiVersion && slices.Contains(d.kinds, kind) {
			w.instead = d.instead
			return []*Workload{w}
		}
	}
	for _, k := range table {
		if k.Group != group || k.Kind != kind || k.Versions != nil && !slices.Contains(k.Versions, version) {
			continue
		}
		w.Kind = k
		for _, t := range k.Template {
			for _, at := range yamlnode.Lookup(node, t) {
				w.addPod(at.Node, yamlnode.Join(path, at.Path))
			}
		}
		if k.Complete && len(w.Pods) == 0 {
			w.problem = "it has no " + yamlnode.Join(strings.Join(k.Template, ", "), "spec")
		}
		return []*Workload{w}
	}
	if k := meant(group, kind); k != nil {
		w.problem = fmt.Sprintf("there is no %s of apiVersion %q; want %s of %s", kind, apiVersion, k.Kind, strings.TrimPrefix(k.Group+"/"+k.Versions[0], "/"))
		return []*Workload{w}
	}
	return nil
}

// meant is the built-in kind that an object under another API version of Kubernetes's own, or in other letters, stands for; nil where
// it may well be what it says.
func meant(group, kind string) *Kind {
	if !slices.ContainsFunc(kinds, func(k Kind) bool { return k.Group == group && k.Versions != nil }) {
		return nil // somebody else's group
	}
	for i, k := range kinds {
		if k.Versions != nil && strings.EqualFold(k.Kind, kind) {
			return &kinds[i]
		}
	}
	return nil
}

// isLocal says whether an object is for tools alone and never gets to a cluster.
func isLocal(node *yaml.Node) bool {
	local, _ := yamlnode.Annotation(node, "config.kubernetes.io/local-config")
	return local == "true"
}

func (w *Workload) addPod(node *yaml.Node, path string) {
	spec := yamlnode.Get(node, "spec")
	if !yamlnode.IsMapping(spec) {
		return
	}
	p := &Pod{Workload: w, Template: node, Spec: spec, Path: path}
	for _, list := range []string{"initContainers", "containers"} {
		for i, c := range yamlnode.Items(spec, list) {
			if !yamlnode.IsMapping(c) {
				continue
			}
			p.Containers = append(p.Containers, &Container{
				Pod: p, Node: c, Name: yamlnode.Text(c, "name"), Image: strings.TrimSpace(yamlnode.Text(c, "image")), Init: list == "initContainers",
				Path: yamlnode.Join(path, "spec."+list+"["+strconv.Itoa(i)+"]"),
			})
		}
	}
	if w.Kind.Knative {
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

// checkName refuses a container whose name the annotation could not stand for; Kubernetes refuses such pods.
func (p *Pod) checkName(name string) error {
	if name == "" {
		return &reason.Refusal{Code: reason.InvalidField, Message: "it has no name"}
	}
	if p.named[name] > 1 {
		return &reason.Refusal{Code: reason.InvalidField, Message: "the pod has another container of that name"}
	}
	return nil
}

// annotation returns the value of a per-workload annotation: the pod template's or, where it has none, the object's.
func (p *Pod) annotation(key string) (string, bool) {
	if v, ok := yamlnode.Annotation(p.Template, key); ok {
		return v, true
	}
	return yamlnode.Annotation(p.Workload.Node, key)
}
