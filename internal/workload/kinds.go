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
