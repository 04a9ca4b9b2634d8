package transform

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	functionconfig "debuggable.dev/debuggable/function-config"
	"debuggable.dev/debuggable/internal/debuginfo"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const (
	volumeName = "debugging-support-files"
	dbgPath    = "/dbg"
)

// defaultPeriod is the seconds between two probes where a manifest says nothing.
const defaultPeriod = 10

var probes = []string{"livenessProbe", "readinessProbe", "startupProbe"}

// checkSupport says why the support files cannot be mounted: something else has the name or the path.
func (p *Pod) checkSupport(attached []*attachment, registry string) error {
	supported := withSupport(attached)
	if len(supported) == 0 {
		return nil
	}
	for _, v := range items(get(p.Spec, "volumes")) {
		if empty := get(v, "emptyDir"); text(get(v, "name")) == volumeName && (!isMapping(empty) || len(empty.Content) > 0) {
			// One with a sizeLimit, or in memory, may be too small for the files.
			return &reason.Refusal{Code: reason.VolumeTaken, Message: fmt.Sprintf("the pod has a volume %s that is no plain emptyDir; rename it", volumeName)}
		}
	}
	for _, claim := range items(get(p.Workload.Node, "spec", "volumeClaimTemplates")) {
		if text(get(claim, "metadata", "name")) == volumeName { // a StatefulSet's claim takes the place of the pod's volume
			return &reason.Refusal{Code: reason.VolumeTaken, Message: fmt.Sprintf("a volume claim template is named %s; rename it", volumeName)}
		}
	}
	for _, c := range p.Containers {
		// A mount of that volume counts as ours, so it has to be one.
		for _, m := range items(get(c.Node, "volumeMounts")) {
			if text(get(m, "name")) == volumeName && (path.Clean(text(get(m, "mountPath"))) != dbgPath || get(m, "subPath") != nil || get(m, "subPathExpr") != nil) {
				return &reason.Refusal{Code: reason.VolumeTaken, Message: fmt.Sprintf("container %s mounts a volume %s elsewhere than at %s; rename it", c.Name, volumeName, dbgPath)}
			}
		}
	}
	for _, a := range supported {
		for _, used := range []struct{ list, path string }{{"volumeMounts", "mountPath"}, {"volumeDevices", "devicePath"}} {
			for _, m := range items(get(a.Node, used.list)) {
				at := text(get(m, used.path))
				if inDbg(at) && text(get(m, "name")) != volumeName {
					return &reason.Refusal{Code: reason.MountPathTaken, Message: fmt.Sprintf("container %s mounts volume %s at %s, where the support files would be mounted", a.Name, text(get(m, "name")), path.Clean(at))}
				}
			}
		}
	}
	for _, c := range p.Containers {
		for _, r := range runtimes.All() {
			if c.Name != installer(r.Name()) || !slices.ContainsFunc(supported, func(a *attachment) bool { return a.plan.Support == r.Name() }) {
				continue
			}
			if !c.Init || c.Image != registry+"/"+r.Name() || !mountsSupport(c.Node) {
				return &reason.Refusal{Code: reason.InitContainerTaken, Message: fmt.Sprintf("the pod has a container %s of its own; rename it", c.Name)}
			}
		}
	}
	return nil
}

// inDbg says whether a path is where the support files are.
func inDbg(p string) bool {
	p = path.Clean(p)
	return p == dbgPath || strings.HasPrefix(p, dbgPath+"/")
}

func installer(support string) string { return "install-" + support + "-debug-support" }

// withSupport lists the attachments that need a support image.
func withSupport(attached []*attachment) []*attachment {
	return slices.DeleteFunc(slices.Clone(attached), func(a *attachment) bool { return a.plan.Support == "" })
}

// addSupport adds the volume, the mounts and the init containers that fill it, ahead of the pod's own init containers
// and in the order of the table of runtimes.
func (p *Pod) addSupport(attached []*attachment, registry string) {
	supported := withSupport(attached)
	if len(supported) == 0 {
		return
	}
	for _, a := range supported {
		mount(a.Node)
	}
	var installers []*yaml.Node
	for _, r := range runtimes.All() {
		i := slices.IndexFunc(supported, func(a *attachment) bool { return a.plan.Support == r.Name() })
		if i < 0 || slices.ContainsFunc(p.Containers, func(c *Container) bool { return c.Name == installer(r.Name()) }) {
			continue
		}
		installers = append(installers, p.installer(r.Name(), registry, supported[i]))
	}
	if len(installers) > 0 {
		list := ensureBefore(p.Spec, "initContainers", "containers")
		list.Content = append(installers, list.Content...)
	}
	volumes := ensure(p.Spec, "volumes", yaml.SequenceNode)
	if !slices.ContainsFunc(volumes.Content, func(v *yaml.Node) bool { return text(get(v, "name")) == volumeName }) {
		volumes.Content = append(volumes.Content, mapping("name", str(volumeName), "emptyDir", &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}))
	}
}

// ensureBefore returns the sequence in a field, and makes it in front of another field where it is missing.
func ensureBefore(node *yaml.Node, name, before string) *yaml.Node {
	if get(node, name) == nil {
		if i, _ := field(node, name); i > 0 { // an explicit null
			node.Content = slices.Delete(node.Content, i-1, i+1)
		}
		if i, _ := field(node, before); i > 0 {
			value := &yaml.Node{Kind: yaml.SequenceNode}
			node.Content = slices.Insert(node.Content, i-1, str(name), value)
			return value
		}
	}
	return ensure(node, name, yaml.SequenceNode)
}

// mountsSupport says whether a container mounts the support files.
func mountsSupport(container *yaml.Node) bool {
	return slices.ContainsFunc(items(get(container, "volumeMounts")), func(m *yaml.Node) bool { return text(get(m, "name")) == volumeName })
}

func mount(container *yaml.Node) {
	mounts := ensure(container, "volumeMounts", yaml.SequenceNode)
	if !mountsSupport(container) {
		mounts.Content = append(mounts.Content, mapping("name", str(volumeName), "mountPath", str(dbgPath)))
	}
}

// installer builds the init container of a support image, for the first container that needs it.
func (p *Pod) installer(support, registry string, a *attachment) *yaml.Node {
	c := mapping("name", str(installer(support)), "image", str(registry+"/"+support))
	if resources := p.installerResources(); resources != nil {
		set(c, "resources", resources)
	}
	if security := a.installerSecurity(); security != nil {
		set(c, "securityContext", security)
	}
	mount(c)
	return c
}

// installerSecurity copies from the application's security context what the Pod Security levels ask for, so that the
// init container satisfies the level that the pod satisfies. What the pod's own security context sets holds for every
// container without being copied.
func (a *attachment) installerSecurity() *yaml.Node {
	own := get(a.Node, "securityContext")
	s := &yaml.Node{Kind: yaml.MappingNode}
	if v := get(own, "allowPrivilegeEscalation"); text(v) == "false" {
		set(s, "allowPrivilegeEscalation", clone(v))
	}
	for _, dropped := range items(get(own, "capabilities", "drop")) {
		if strings.EqualFold(text(dropped), "ALL") {
			set(s, "capabilities", mapping("drop", sequence(str("ALL"))))
			break
		}
	}
	if v := get(own, "readOnlyRootFilesystem"); isTrue(v) {
		set(s, "readOnlyRootFilesystem", clone(v))
	}
	for _, name := range []string{"runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxOptions", "seccompProfile"} {
		if v := get(own, name); v != nil {
			set(s, name, clone(v))
		}
	}
	pod := get(a.Pod.Spec, "securityContext")
	nonRoot := get(own, "runAsNonRoot")
	if nonRoot == nil {
		nonRoot = get(pod, "runAsNonRoot")
	}
	if isTrue(nonRoot) && get(own, "runAsUser") == nil && get(pod, "runAsUser") == nil {
		// The application's image names its user; the support image's may be root, which the kubelet would refuse.
		user, _, _ := strings.Cut(a.Image.User, ":")
		if _, err := strconv.ParseUint(user, 10, 31); err == nil && user != "0" {
			set(s, "runAsUser", &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: user})
		}
	}
	if len(s.Content) == 0 {
		return nil
	}
	return s
}

// relaxProbes raises the timeouts of a container's probes, and for a process that starts suspended, or is asked by a command, the
// number of times that it may fail to answer. It says whether anything changed.
func (c *Container) relaxProbes(timeout functionconfig.ProbeTimeout, suspended bool) bool {
	changed := false
	if timeout.Skip {
		return changed
	}
	least := seconds(timeout.Duration)
	for _, name := range probes {
		probe := get(c.Node, name)
		if !isMapping(probe) {
			continue
		}
		if n, ok := integer(get(probe, "timeoutSeconds")); get(probe, "timeoutSeconds") == nil || ok && n < least {
			set(probe, "timeoutSeconds", num(least))
			changed = true
		}
		period, ok := integer(get(probe, "periodSeconds"))
		if name == "readinessProbe" && c.Pod.Workload.Kind.Knative && period == 0 {
			// Without a period it is Knative's own kind of probe, for which Knative refuses a timeout (validateReadinessProbe
			// in serving's pkg/apis/serving/k8s_validation.go). With Kubernetes' default it is an ordinary one.
			set(probe, "periodSeconds", num(defaultPeriod))
			changed = true
		}
		// What an exec probe starts may have a time limit of its own, which no timeout of the probe lifts: curl -m, grpc_health_probe.
		if name == "readinessProbe" || !suspended && get(probe, "exec") == nil {
			continue
		}
		if !ok || period < 1 {
			period = defaultPeriod
		}
		threshold := (least+period-1)/period + 1
		if n, ok := integer(get(probe, "failureThreshold")); !ok || n < threshold {
			set(probe, "failureThreshold", num(threshold))
			changed = true
		}
	}
	return changed
}

// raise lifts a limit in seconds, where there is one, to the probe timeout.
func raise(node *yaml.Node, path string, timeout functionconfig.ProbeTimeout) bool {
	if timeout.Skip {
		return false
	}
	changed := false
	for _, at := range lookup(node, path) {
		if n, ok := integer(at.node); ok && n < seconds(timeout.Duration) {
			at.node.Value = strconv.Itoa(seconds(timeout.Duration))
			changed = true
		}
	}
	return changed
}

// seconds rounds up: a probe's timeout is a whole number of seconds.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// maxAnnotations is how many bytes an object's annotations may have together (TotalAnnotationSizeLimitB in Kubernetes'
// apimachinery/pkg/api/validation/objectmeta.go).
const maxAnnotations = 256 << 10

// checkAnnotations refuses a pod whose annotations would be more than Kubernetes admits with ours.
func (p *Pod) checkAnnotations(entries []debuginfo.Entry) error {
	size := len(debuginfo.Annotation) + len(debuginfo.Encode(entries))
	annotations := get(p.Template, "metadata", "annotations")
	if isMapping(annotations) {
		for _, n := range annotations.Content {
			size += len(text(n))
		}
	}
	if size <= maxAnnotations {
		return nil
	}
	return &reason.Refusal{Code: reason.AnnotationsFull, Message: fmt.Sprintf(
		"with the annotation %s, the pod's annotations would have %d bytes, and Kubernetes takes %d", debuginfo.Annotation, size, maxAnnotations)}
}

// annotate records where the debuggers listen.
func (p *Pod) annotate(entries []debuginfo.Entry) {
	metadata := get(p.Template, "metadata")
	if !isMapping(metadata) {
		metadata = &yaml.Node{Kind: yaml.MappingNode}
		if i, _ := field(p.Template, "metadata"); i > 0 {
			p.Template.Content[i] = metadata
		} else {
			p.Template.Content = append([]*yaml.Node{str("metadata"), metadata}, p.Template.Content...)
		}
	}
	node := str(debuginfo.Encode(entries))
	node.Style = yaml.SingleQuotedStyle
	set(ensure(metadata, "annotations", yaml.MappingNode, "name", "generateName", "namespace", "labels"), debuginfo.Annotation, node)
}
