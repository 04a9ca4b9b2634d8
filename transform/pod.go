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
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
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
func checkSupport(p *workload.Pod, attached []*attachment, registry string) error {
	supported := withSupport(attached)
	if len(supported) == 0 {
		return nil
	}
	for _, v := range yamlnode.Items(p.Spec, "volumes") {
		if empty := yamlnode.Get(v, "emptyDir"); yamlnode.Text(v, "name") == volumeName && (!yamlnode.IsMapping(empty) || len(empty.Content) > 0) {
			// One with a sizeLimit, or in memory, may be too small for the files.
			return &reason.Refusal{Code: reason.VolumeTaken, Message: fmt.Sprintf("the pod has a volume %s that is no plain emptyDir; rename it", volumeName)}
		}
	}
	for _, claim := range yamlnode.Items(p.Workload.Node, "spec", "volumeClaimTemplates") {
		if yamlnode.Name(claim) == volumeName { // a StatefulSet's claim takes the place of the pod's volume
			return &reason.Refusal{Code: reason.VolumeTaken, Message: fmt.Sprintf("a volume claim template is named %s; rename it", volumeName)}
		}
	}
	for _, c := range p.Containers {
		// A mount of that volume counts as ours, so it has to be one.
		for _, m := range yamlnode.Items(c.Node, "volumeMounts") {
			if yamlnode.Text(m, "name") == volumeName && (path.Clean(yamlnode.Text(m, "mountPath")) != dbgPath || yamlnode.Get(m, "subPath") != nil || yamlnode.Get(m, "subPathExpr") != nil) {
				return &reason.Refusal{Code: reason.VolumeTaken, Message: fmt.Sprintf("container %s mounts a volume %s elsewhere than at %s; rename it", c.Name, volumeName, dbgPath)}
			}
		}
	}
	for _, a := range supported {
		for _, used := range []struct{ list, path string }{{"volumeMounts", "mountPath"}, {"volumeDevices", "devicePath"}} {
			for _, m := range yamlnode.Items(a.Node, used.list) {
				at := yamlnode.Text(m, used.path)
				if inDbg(at) && yamlnode.Text(m, "name") != volumeName {
					return &reason.Refusal{Code: reason.MountPathTaken, Message: fmt.Sprintf("container %s mounts volume %s at %s, where the support files would be mounted", a.Name, yamlnode.Text(m, "name"), path.Clean(at))}
				}
			}
		}
	}
	for _, c := range p.Containers {
		for _, r := range runtimes.All() {
			if c.Name != installer(r.Name()) || !slices.ContainsFunc(supported, func(a *attachment) bool { return a.Detection.Runtime.Name() == r.Name() }) {
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
	return slices.DeleteFunc(slices.Clone(attached), func(a *attachment) bool { return !a.plan.Support })
}

// addSupport adds the volume, the mounts and the init containers that fill it, ahead of the pod's own init containers
// and in the order of the table of runtimes.
func addSupport(p *workload.Pod, attached []*attachment, registry string) error {
	supported := withSupport(attached)
	if len(supported) == 0 {
		return nil
	}
	for _, a := range supported {
		if err := mount(a.Node); err != nil {
			return err
		}
	}
	var installers []*yaml.Node
	for _, r := range runtimes.All() {
		i := slices.IndexFunc(supported, func(a *attachment) bool { return a.Detection.Runtime.Name() == r.Name() })
		if i < 0 || slices.ContainsFunc(p.Containers, func(c *workload.Container) bool { return c.Name == installer(r.Name()) }) {
			continue
		}
		c, err := newInstaller(p, r.Name(), registry, supported[i])
		if err != nil {
			return err
		}
		installers = append(installers, c)
	}
	if len(installers) > 0 {
		list, err := yamlnode.EnsureBefore(p.Spec, "initContainers", "containers", yaml.SequenceNode)
		if err != nil {
			return err
		}
		list.Content = append(installers, list.Content...)
	}
	volumes, err := yamlnode.Ensure(p.Spec, "volumes", yaml.SequenceNode)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(volumes.Content, func(v *yaml.Node) bool { return yamlnode.Text(v, "name") == volumeName }) {
		volumes.Content = append(volumes.Content, yamlnode.Mapping("name", yamlnode.String(volumeName), "emptyDir", &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}))
	}
	return nil
}

// mountsSupport says whether a container mounts the support files.
func mountsSupport(container *yaml.Node) bool {
	return slices.ContainsFunc(yamlnode.Items(container, "volumeMounts"), func(m *yaml.Node) bool { return yamlnode.Text(m, "name") == volumeName })
}

func mount(container *yaml.Node) error {
	mounts, err := yamlnode.Ensure(container, "volumeMounts", yaml.SequenceNode)
	if err == nil && !mountsSupport(container) {
		mounts.Content = append(mounts.Content, yamlnode.Mapping("name", yamlnode.String(volumeName), "mountPath", yamlnode.String(dbgPath)))
	}
	return err
}

// newInstaller builds the init container of a support image, for the first container that needs it.
func newInstaller(p *workload.Pod, support, registry string, a *attachment) (*yaml.Node, error) {
	c := yamlnode.Mapping("name", yamlnode.String(installer(support)), "image", yamlnode.String(registry+"/"+support))
	if resources := installerResources(p); resources != nil {
		yamlnode.Set(c, "resources", resources)
	}
	if security := a.installerSecurity(); security != nil {
		yamlnode.Set(c, "securityContext", security)
	}
	return c, mount(c)
}

// installerSecurity copies from the application's security context what the Pod Security levels ask for, so that the
// init container satisfies the level that the pod satisfies. What the pod's own security context sets holds for every
// container without being copied.
func (a *attachment) installerSecurity() *yaml.Node {
	own := yamlnode.Get(a.Node, "securityContext")
	s := &yaml.Node{Kind: yaml.MappingNode}
	if v := yamlnode.Get(own, "allowPrivilegeEscalation"); yamlnode.Text(v) == "false" {
		yamlnode.Set(s, "allowPrivilegeEscalation", yamlnode.Clone(v))
	}
	for _, dropped := range yamlnode.Items(own, "capabilities", "drop") {
		if strings.EqualFold(yamlnode.Text(dropped), "ALL") {
			yamlnode.Set(s, "capabilities", yamlnode.Mapping("drop", yamlnode.Sequence(yamlnode.String("ALL"))))
			break
		}
	}
	if v := yamlnode.Get(own, "readOnlyRootFilesystem"); yamlnode.IsTrue(v) {
		yamlnode.Set(s, "readOnlyRootFilesystem", yamlnode.Clone(v))
	}
	for _, name := range []string{"runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxOptions", "seccompProfile"} {
		if v := yamlnode.Get(own, name); v != nil {
			yamlnode.Set(s, name, yamlnode.Clone(v))
		}
	}
	pod := yamlnode.Get(a.Pod.Spec, "securityContext")
	nonRoot := yamlnode.Get(own, "runAsNonRoot")
	if nonRoot == nil {
		nonRoot = yamlnode.Get(pod, "runAsNonRoot")
	}
	if yamlnode.IsTrue(nonRoot) && yamlnode.Get(own, "runAsUser") == nil && yamlnode.Get(pod, "runAsUser") == nil {
		// The application's image names its user; the support image's may be root, which the kubelet would refuse.
		user, _, _ := strings.Cut(a.Image.User, ":")
		if _, err := strconv.ParseUint(user, 10, 31); err == nil && user != "0" {
			yamlnode.Set(s, "runAsUser", &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: user})
		}
	}
	if len(s.Content) == 0 {
		return nil
	}
	return s
}

// relaxProbes raises the timeouts of a container's probes, and for a process that starts suspended, or is asked by a command, the
// number of times that it may fail to answer. It says whether anything changed.
func relaxProbes(c *workload.Container, timeout functionconfig.ProbeTimeout, suspended bool) bool {
	changed := false
	if timeout.Skip {
		return changed
	}
	least := seconds(timeout.Duration)
	for _, name := range probes {
		probe := yamlnode.Get(c.Node, name)
		if !yamlnode.IsMapping(probe) {
			continue
		}
		if n, ok := yamlnode.Integer(probe, "timeoutSeconds"); yamlnode.Get(probe, "timeoutSeconds") == nil || ok && n < least {
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
		// What an exec probe starts may have a time limit of its own, which no timeout of the probe lifts: curl -m, grpc_health_probe.
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

// raise lifts a limit in seconds, where there is one, to the probe timeout.
func raise(node *yaml.Node, path string, timeout functionconfig.ProbeTimeout) bool {
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

// maxAnnotations is how many bytes an object's annotations may have together (TotalAnnotationSizeLimitB in Kubernetes'
// apimachinery/pkg/api/validation/objectmeta.go).
const maxAnnotations = 256 << 10

// checkAnnotations refuses a pod whose annotations would be more than Kubernetes admits with ours.
func checkAnnotations(p *workload.Pod, entries []debuginfo.Entry) error {
	size := len(debuginfo.Annotation) + len(debuginfo.Encode(entries))
	annotations := yamlnode.Get(p.Template, "metadata", "annotations")
	if yamlnode.IsMapping(annotations) {
		for _, n := range annotations.Content {
			size += len(yamlnode.Text(n))
		}
	}
	if size <= maxAnnotations {
		return nil
	}
	return &reason.Refusal{Code: reason.AnnotationsFull, Message: fmt.Sprintf(
		"with the annotation %s, the pod's annotations would have %d bytes, and Kubernetes takes %d", debuginfo.Annotation, size, maxAnnotations)}
}

// annotate records where the debuggers listen.
func annotate(p *workload.Pod, entries []debuginfo.Entry) error {
	if i, _ := yamlnode.Field(p.Template, "metadata"); i < 0 {
		p.Template.Content = append([]*yaml.Node{yamlnode.String("metadata"), {Kind: yaml.MappingNode}}, p.Template.Content...)
	}
	metadata, err := yamlnode.Ensure(p.Template, "metadata", yaml.MappingNode)
	if err != nil {
		return err
	}
	annotations, err := yamlnode.Ensure(metadata, "annotations", yaml.MappingNode, "name", "generateName", "namespace", "labels")
	if err != nil {
		return err
	}
	node := yamlnode.String(debuginfo.Encode(entries))
	node.Style = yaml.SingleQuotedStyle
	yamlnode.Set(annotations, debuginfo.Annotation, node)
	return nil
}
