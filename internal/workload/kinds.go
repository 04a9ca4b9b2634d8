package workload

import (
	"slices"
	"strings"
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
	// Containers are the paths of containers beside initContainers, from the template, where that is a pod's spec and its
	// metadata in one. None: the template has a spec with containers.
	Containers []string
	// Main is what a container without a name is called in the pod; "" where each has a name of its own.
	Main string
	// Appends is the field of a container whose text is put into a file, the path of which becomes the last word of what
	// is started.
	Appends, File string
	// Placeholder begins what is put in the place of text only when the pod is made.
	Placeholder string
	// Outer is the path of what holds for all pods of the object, where they do not say otherwise, and Patched are fields
	// of it, and of templates, by which a pod becomes another than its template says.
	Outer   string
	Patched []string
	// Ends says that the pods are meant to end, whatever they say.
	Ends bool
	// Output is what others name what a container writes by; Shared says that others may well be in other objects.
	Output string
	Shared bool
	// Complete says that an object of the kind has a pod template, or is a mistake.
	Complete bool
}

var v1 = []string{"v1"}

// Kinds returns the table of kinds.
func Kinds() []Kind { return slices.Clone(kinds) }

// kinds is the table of kinds; a user's own come before it.
var kinds = []Kind{
	{Group: "", Versions: v1, Kind: "Pod", Complete: true, Template: []string{""}},
	{Group: "", Versions: v1, Kind: "PodTemplate", Complete: true, Template: []string{"template"}},
	{Group: "", Versions: v1, Kind: "ReplicationController", Complete: true, Template: template, Replicas: replicas},
	{Group: "apps", Versions: v1, Kind: "Deployment", Complete: true, Template: template, Replicas: replicas,
		Deadlines: []string{"spec.progressDeadlineSeconds"}},
	{Group: "apps", Versions: v1, Kind: "StatefulSet", Complete: true, Template: template, Replicas: replicas,
		Partitions: partition},
	{Group: "apps", Versions: v1, Kind: "DaemonSet", Complete: true, Template: template},
	{Group: "apps", Versions: v1, Kind: "ReplicaSet", Complete: true, Template: template, Replicas: replicas},
	{Group: "batch", Versions: v1, Kind: "Job", Complete: true, Template: template, Replicas: []string{"spec.parallelism"},
		Deadlines: []string{"spec.activeDeadlineSeconds"}},
	{Group: "batch", Versions: v1, Kind: "CronJob", Complete: true, Template: []string{"spec.jobTemplate.spec.template"},
		Replicas:  []string{"spec.jobTemplate.spec.parallelism"},
		Deadlines: []string{"spec.jobTemplate.spec.activeDeadlineSeconds"}},

	{Group: "argoproj.io", Kind: "Rollout", Template: template, Replicas: replicas,
		Deadlines: []string{"spec.progressDeadlineSeconds"}},
	argoWorkflow("Workflow", "spec", false),
	argoWorkflow("CronWorkflow", "spec.workflowSpec", false),
	argoWorkflow("WorkflowTemplate", "spec", true),
	argoWorkflow("ClusterWorkflowTemplate", "spec", true),
	{Group: "serving.knative.dev", Kind: "Service", Template: template, Knative: true},
	{Group: "serving.knative.dev", Kind: "Configuration", Template: template, Knative: true},
	{Group: "apps.kruise.io", Kind: "CloneSet", Template: template, Replicas: replicas,
		Partitions: []string{"spec.updateStrategy.partition"}},
	{Group: "apps.kruise.io", Kind: "StatefulSet", Template: template, Replicas: replicas, Partitions: partition},
	{Group: "apps.kruise.io", Kind: "DaemonSet", Template: template, Partitions: partition},
	{Group: "apps.openshift.io", Kind: "DeploymentConfig", Template: template, Replicas: replicas},
	{Group: "batch.volcano.sh", Kind: "Job", Template: []string{"spec.tasks[].template"},
		Replicas: []string{"spec.tasks[].replicas", "spec.tasks[].minAvailable", "spec.minAvailable"}},
	{Group: "jobset.x-k8s.io", Kind: "JobSet", Template: []string{"spec.replicatedJobs[].template.spec.template"},
		Replicas:  []string{"spec.replicatedJobs[].replicas", "spec.replicatedJobs[].template.spec.parallelism"},
		Deadlines: []string{"spec.replicatedJobs[].template.spec.activeDeadlineSeconds"}},
	{Group: "leaderworkerset.x-k8s.io", Kind: "LeaderWorkerSet",
		Template:   []string{"spec.leaderWorkerTemplate.leaderTemplate", "spec.leaderWorkerTemplate.workerTemplate"},
		Replicas:   replicas,
		Partitions: []string{"spec.rolloutStrategy.rollingUpdateConfiguration.partition"}},
}

// argoWorkflow is a kind of Argo Workflows, which holds the spec of a workflow at a path. Sources: Template,
// ScriptTemplate, Metadata and WorkflowSpec in argo-workflows' pkg/apis/workflow/v1alpha1/workflow_types.go, and
// createWorkflowPod in its workflow/controller/workflowpod.go: the names of containers, the script's path,
// templateDefaults and podSpecPatch.
func argoWorkflow(kind, spec string, shared bool) Kind {
	return Kind{
		Group: "argoproj.io", Kind: kind, Template: []string{spec + ".templates[]"},
		Containers: []string{"container", "script", "containerSet.containers[]", "sidecars[]"}, Main: "main",
		Appends: "source", File: "/argo/staging/script", Placeholder: "{{",
		Outer: spec, Patched: []string{"podSpecPatch", "templateDefaults"},
		Deadlines: []string{spec + ".activeDeadlineSeconds"}, Ends: true,
		Output: "outputs.result", Shared: shared,
	}
}

var (
	template  = []string{"spec.template"}
	replicas  = []string{"spec.replicas"}
	partition = []string{"spec.updateStrategy.rollingUpdate.partition"}
)

// deprecated are the API versions of workloads that Kubernetes removed, in 1.16 and in 1.25, the kinds that were in
// them, and where these are now.
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

// meant is the built-in kind that an object under another API version of Kubernetes's own, or in other letters, stands
// for; nil where it may well be what it says.
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
