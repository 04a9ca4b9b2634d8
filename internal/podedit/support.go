// Package podedit makes the edits of a pod that debuggers ask for besides those of a container's process: support files, probes,
// ports, memory and the annotation. What may stand in the way is checked first, without an edit.
package podedit

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// SupportPath is where the support files are mounted.
const SupportPath = "/dbg"

const volumeName = "debugging-support-files"

// Debugged is a container that gets a debugger, and what that asks of the pod.
type Debugged struct {
	Container *workload.Container
	Ports     []runtimes.Port
	// Support names the runtime whose support files are needed, SupportImage the image that has them; "" for none.
	Support, SupportImage string
	// PullPolicy is the imagePullPolicy of SupportImage; "" for none.
	PullPolicy string
	// User is whom the container's image runs as.
	User string
}

// InSupport reports whether a path is where the support files are.
func InSupport(p string) bool {
	p = path.Clean(p)
	return p == SupportPath || strings.HasPrefix(p, SupportPath+"/")
}

func installerName(support string) string { return "install-" + support + "-debug-support" }

// CheckSupport refuses a pod where something else has the name or the path of the support files.
func CheckSupport(p *workload.Pod, debugged []Debugged) error {
	supported := withSupport(debugged)
	if len(supported) == 0 {
		return nil
	}
	for _, check := range []func() error{
		func() error { return checkVolumes(p) },
		func() error { return checkPaths(supported) },
		func() error { return checkInstallers(p, supported) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkVolumes refuses what has the volume's name and is not it.
func checkVolumes(p *workload.Pod) error {
	for _, v := range yamlnode.Items(p.Spec, "volumes") {
		empty := yamlnode.Get(v, "emptyDir")
		if yamlnode.Text(v, "name") == volumeName && (!yamlnode.IsMapping(empty) || len(empty.Content) > 0) {
			// One with a sizeLimit, or in memory, may be too small for the files.
			return reason.Refuse(reason.VolumeTaken, "the pod has a volume %s that is no plain emptyDir; rename it", volumeName)
		}
	}
	for _, claim := range yamlnode.Items(p.Workload.Node, "spec", "volumeClaimTemplates") {
		if yamlnode.Name(claim) == volumeName { // a StatefulSet's claim takes the place of the pod's volume
			return reason.Refuse(reason.VolumeTaken, "a volume claim template is named %s; rename it", volumeName)
		}
	}
	for _, c := range p.Containers {
		// A mount of that volume counts as ours, so it has to be one.
		for _, m := range yamlnode.Items(c.Node, "volumeMounts") {
			elsewhere := path.Clean(yamlnode.Text(m, "mountPath")) != SupportPath ||
				yamlnode.Get(m, "subPath") != nil || yamlnode.Get(m, "subPathExpr") != nil
			if yamlnode.Text(m, "name") == volumeName && elsewhere {
				return reason.Refuse(reason.VolumeTaken, "container %s mounts a volume %s elsewhere than at %s; rename it",
					c.Name, volumeName, SupportPath)
			}
		}
	}
	return nil
}

// checkPaths refuses what is mounted where the support files would be.
func checkPaths(supported []Debugged) error {
	for _, d := range supported {
		for _, used := range []struct{ list, path string }{{"volumeMounts", "mountPath"}, {"volumeDevices", "devicePath"}} {
			for _, m := range yamlnode.Items(d.Container.Node, used.list) {
				at, volume := yamlnode.Text(m, used.path), yamlnode.Text(m, "name")
				if InSupport(at) && volume != volumeName {
					return reason.Refuse(reason.MountPathTaken,
						"container %s mounts volume %s at %s, where the support files would be mounted", d.Container.Name, volume, path.Clean(at))
				}
			}
		}
	}
	return nil
}

// checkInstallers refuses containers that have the names of those that bring the support files, and are others.
func checkInstallers(p *workload.Pod, supported []Debugged) error {
	images := map[string]map[string]bool{} // of the containers that are to be there, by name
	for _, d := range supported {
		name := installerName(d.Support)
		if images[name] == nil {
			images[name] = map[string]bool{}
		}
		images[name][d.SupportImage] = true
	}
	for _, c := range p.Containers {
		wanted := images[c.Name]
		if len(wanted) > 0 && (!c.Init || len(wanted) > 1 || !wanted[c.Image] || !mountsSupport(c.Node)) {
			return reason.Refuse(reason.InitContainerTaken, "the pod has a container %s of its own; rename it", c.Name)
		}
	}
	return nil
}

// withSupport lists the containers that need support files.
func withSupport(debugged []Debugged) []Debugged {
	return slices.DeleteFunc(slices.Clone(debugged), func(d Debugged) bool { return d.Support == "" })
}

// AddSupport adds the volume, the mounts and the init containers that fill it, ahead of the pod's own init containers
// and in the order of the table of runtimes.
func AddSupport(p *workload.Pod, debugged []Debugged) error {
	supported := withSupport(debugged)
	if len(supported) == 0 {
		return nil
	}
	for _, d := range supported {
		if err := mount(d.Container.Node); err != nil {
			return err
		}
	}
	installers, err := newInstallers(p, supported)
	if err != nil {
		return err
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
		empty := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		volumes.Content = append(volumes.Content, yamlnode.Mapping("name", yamlnode.String(volumeName), "emptyDir", empty))
	}
	return nil
}

// newInstallers builds the init containers that the pod does not have yet.
func newInstallers(p *workload.Pod, supported []Debugged) (installers []*yaml.Node, err error) {
	for _, r := range runtimes.All() {
		i := slices.IndexFunc(supported, func(d Debugged) bool { return d.Support == r.Name() })
		if i < 0 || p.Has(installerName(r.Name())) {
			continue
		}
		c, err := newInstaller(p, supported[i])
		if err != nil {
			return nil, err
		}
		installers = append(installers, c)
	}
	return installers, nil
}

// mountsSupport reports whether a container mounts the support files.
func mountsSupport(container *yaml.Node) bool {
	return slices.ContainsFunc(yamlnode.Items(container, "volumeMounts"), func(m *yaml.Node) bool { return yamlnode.Text(m, "name") == volumeName })
}

func mount(container *yaml.Node) error {
	mounts, err := yamlnode.Ensure(container, "volumeMounts", yaml.SequenceNode)
	if err == nil && !mountsSupport(container) {
		mounts.Content = append(mounts.Content, yamlnode.Mapping("name", yamlnode.String(volumeName), "mountPath", yamlnode.String(SupportPath)))
	}
	return err
}

// newInstaller builds the init container of a support image, for the first container that needs it.
func newInstaller(p *workload.Pod, d Debugged) (*yaml.Node, error) {
	c := yamlnode.Mapping("name", yamlnode.String(installerName(d.Support)), "image", yamlnode.String(d.SupportImage))
	if d.PullPolicy != "" {
		yamlnode.Set(c, "imagePullPolicy", yamlnode.String(d.PullPolicy))
	}
	if resources := installerResources(p); resources != nil {
		yamlnode.Set(c, "resources", resources)
	}
	if security := installerSecurity(d); security != nil {
		yamlnode.Set(c, "securityContext", security)
	}
	return c, mount(c)
}

// installerSecurity copies from the application's security context what the Pod Security levels ask for, so that the
// init container satisfies the level that the pod satisfies. What the pod's own security context sets holds for every
// container without being copied.
func installerSecurity(d Debugged) *yaml.Node {
	own := yamlnode.Get(d.Container.Node, "securityContext")
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
	pod := yamlnode.Get(d.Container.Pod.Spec, "securityContext")
	nonRoot := yamlnode.Get(own, "runAsNonRoot")
	if nonRoot == nil {
		nonRoot = yamlnode.Get(pod, "runAsNonRoot")
	}
	if yamlnode.IsTrue(nonRoot) && yamlnode.Get(own, "runAsUser") == nil && yamlnode.Get(pod, "runAsUser") == nil {
		// The application's image names its user; the support image's may be root, which the kubelet would refuse.
		user, _, _ := strings.Cut(d.User, ":")
		if _, err := strconv.ParseUint(user, 10, 31); err == nil && user != "0" {
			yamlnode.Set(s, "runAsUser", &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: user})
		}
	}
	if len(s.Content) == 0 {
		return nil
	}
	return s
}
