package podedit

import (
	"math"
	"strconv"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// defaultPeriod is the seconds between two probes where a manifest says nothing.
const defaultPeriod = 10

// Probes are the fields of a container's probes.
func Probes() []string { return []string{"livenessProbe", "readinessProbe", "startupProbe"} }

// RelaxProbes raises the timeouts of a container's probes, and for a process that starts suspended, or is asked by a
// command, the number of times that it may fail to answer. It reports whether anything changed.
func RelaxProbes(c *workload.Container, timeout functionconfig.ProbeTimeout, suspended bool) bool {
	changed := false
	if timeout.Skip {
		return changed
	}
	least := seconds(timeout.Duration)
	for _, name := range Probes() {
		probe := yamlnode.Get(c.Node, name)
		if !yamlnode.IsMapping(probe) {
			continue
		}
		if n, ok := yamlnode.Integer(probe, "timeoutSeconds"); yamlnode.Get(probe, "timeoutSeconds") == nil || ok &&
			n < least {
			yamlnode.Set(probe, "timeoutSeconds", yamlnode.Number(least))
			changed = true
		}
		period, ok := yamlnode.Integer(probe, "periodSeconds")
		if name == "readinessProbe" && c.Pod.Workload.Rules.Knative && period == 0 {
			// Without a period it is Knative's own kind of probe, for which Knative refuses a timeout (validateReadinessProbe
			// in serving's pkg/apis/serving/k8s_validation.go). With Kubernetes' default it is an ordinary one.
			yamlnode.Set(probe, "periodSeconds", yamlnode.Number(defaultPeriod))
			changed = true
		}
		// What an exec probe starts may have a time limit of its own, which no timeout of the probe lifts: curl -m,
		// grpc_health_probe.
		if name == "readinessProbe" || !suspended && yamlnode.Get(probe, "exec") == nil {
			continue
		}
		if !ok || period < 1 {
			period = defaultPeriod
		}
		threshold := (least+period-1)/period + 1
		if n, ok := yamlnode.Integer(probe, "failureThreshold"); !ok || n < threshold {
			yamlnode.Set(probe, "failureThreshold", yamlnode.Number(threshold))
			changed = true
		}
	}
	return changed
}

// Raise lifts a limit in seconds, where there is one, to the probe timeout.
func Raise(node *yaml.Node, path string, timeout functionconfig.ProbeTimeout) bool {
	if timeout.Skip {
		return false
	}
	changed := false
	for _, at := range yamlnode.Lookup(node, path) {
		if n, ok := yamlnode.Integer(at.Node); ok && n < seconds(timeout.Duration) {
			at.Node.Value = strconv.Itoa(seconds(timeout.Duration))
			changed = true
		}
	}
	return changed
}

// seconds rounds up: a probe's timeout is a whole number of seconds.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
