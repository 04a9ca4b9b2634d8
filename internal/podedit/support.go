// Package podedit makes the edits of a pod that debuggers ask for besides those of a container's process: support
// files, probes, ports, memory and the annotation. What may stand in the way is checked first, without an edit.
package podedit

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
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
	// PullPolicy is when nodes pull SupportImage; "" for Kubernetes' default.
	PullPolicy string
	// Folder is where SupportImage has its files, where the image itself is mounted; "" where an init container copies
	// them.
	Folder string
	// User is whom the container's image runs as.
	User string
}

// InSupport reports whether a path is where the support files are.
func InSupport(p string) bool {
	p = path.Clean(p)
	return p == SupportPath || strings.HasPrefix(p, SupportPath+"/")
}

// volume is the name of the volume with a container's support files: all that are copied share one, an image is one of
// its own.
func (d Debugged) volume() string {
	if d.Folder == "" {
		return volumeName
	}
	return volumeName + "-" + d.Support
}

func installerName(support string) string { return "install-" + support + "-debug-support" }

// CheckSupport refuses a pod where something else has the name or the path of the support files.
func CheckSupport(p *workload.Pod, debugged []Debugged) error {
	supported := withSupport(debugged)
	if len(supported) == 0 {
		return nil
	}
	for _, check := range []func() error{
		func() error { return checkVolumes(p, supported) },
		func() error { return checkPaths(supported) },
		func() error { return checkInstallers(p, supported) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkVolumes refuses what has the name of one of the volumes and is not it.
func checkVolumes(p *workload.Pod, supported []Debugged) error {
	wanted := map[string]Debugged{}
	for _, d := range supported {
		wanted[d.volume()] = d
	}
	for _, v := range p.Volumes() {
		if d, is := wanted[yamlnode.Text(v, "name")]; is && !d.isVolume(v) {
			return reason.Refuse(reason.VolumeTaken, "the pod has a volume %s that is no %s; rename it", d.volume(),
				d.kindOfVolume())
		}
	}
	claims := slices.Concat(yamlnode.Items(p.Workload.Node, "spec", "volumeClaimTemplates"),
		yamlnode.Items(p.Outer, "volumeClaimTemplates"))
	for _, claim := range claims {
		// a StatefulSet's claim takes the place of the pod's volume
		if name := yamlnode.Name(claim); wanted[name].Support != "" {
			return reason.Refuse(reason.VolumeTaken, "a volume claim template is named %s; rename it", name)
		}
	}
	for _, c := range p.Containers {
		// A mount of that volume counts as ours, so it has to be one.
		for _, m := range yamlnode.Items(c.Node, "volumeMounts") {
			d, is := wanted[yamlnode.Text(m, "name")]
			elsewhere := path.Clean(yamlnode.Text(m, "mountPath")) != SupportPath ||
				yamlnode.Text(m, "subPath") != d.Folder || yamlnode.Get(m, "subPathExpr") != nil
			if is && elsewhere {
				return reason.Refuse(reason.VolumeTaken, "container %s mounts a volume %s elsewhere than at %s; rename it",
					c.Name, d.volume(), SupportPath)
			}
		}
	}
	return nil
}

// isVolume reports whether a volume of the right name is the one with the container's support files.
func (d Debugged) isVolume(v *yaml.Node) bool {
	if d.Folder != "" {
		return yamlnode.Text(v, "image", "reference") == d.SupportImage &&
			yamlnode.Text(v, "image", "pullPolicy") == d.PullPolicy
	}
	// One with a sizeLimit, or in memory, may be too small for the files.
	empty := yamlnode.Get(v, "emptyDir")
	return yamlnode.IsMapping(empty) && len(empty.Content) == 0
}

func (d Debugged) kindOfVolume() string {
	if d.Folder != "" {
		return "volume of the image " + foreign.Short(d.SupportImage)
	}
	return "plain emptyDir"
}

// newVolume builds the volume with the container's support files.
func (d Debugged) newVolume() *yaml.Node {
	if d.Folder == "" {
		return yamlnode.Mapping("name", yamlnode.String(d.volume()), "emptyDir",
			&yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle})
	}
	image := yamlnode.Mapping("reference", yamlnode.String(d.SupportImage))
	if d.PullPolicy != "" {
		yamlnode.Set(image, "pullPolicy", yamlnode.String(d.PullPolicy))
	}
	return yamlnode.Mapping("name", yamlnode.String(d.volume()), "image", image)
}

// checkPaths refuses what is mounted where the support files would be.
func checkPaths(supported []Debugged) error {
	for _, d := range supported {
		for _, used := range []struct{ list, path string }{{"volumeMounts", "mountPath"}, {"volumeDevices", "devicePath"}} {
			for _, m := range yamlnode.Items(d.Container.Node, used.list) {
				at, volume := yamlnode.Text(m, used.path), yamlnode.Text(m, "name")
				if InSupport(at) && volume != d.volume() {
					return reason.Refuse(reason.MountPathTaken,
						"container %s mounts volume %s at %s, where the support files would be mounted", d.Container.Name, volume,
						path.Clean(at))
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
		if d.Folder != "" {
			continue
		}
		name := installerName(d.Support)
		if images[name] == nil {
			images[name] = map[string]bool{}
		}
		images[name][d.SupportImage] = true
	}
	for _, c := range p.Containers {
		wanted := images[c.Name]
		if len(wanted) > 0 && (!c.Init || len(wanted) > 1 || !wanted[c.Image] || !mounts(c.Node, volumeName)) {
			return reason.Refuse(reason.InitContainerTaken, "the pod has a container %s of its own; rename it", c.Name)
		}
	}
	return nil
}

// withSupport lists the containers that need support files.
func withSupport(debugged []Debugged) []Debugged {
	return slices.DeleteFunc(slices.Clone(debugged), func(d Debugged) bool { return d.Support == "" })
}

// AddSupport adds the volumes, the mounts and, where files are copied, the init containers that do so, ahead of the
// pod's own init containers and in the order of the table of runtimes.
func AddSupport(p *workload.Pod, debugged []Debugged) error {
	supported := withSupport(debugged)
	if len(supported) == 0 {
		return nil
	}
	for _, d := range supported {
		if err := mount(d.Container.Node, d); err != nil {
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
	for _, d := range inOrder(supported) {
		named := func(v *yaml.Node) bool { return yamlnode.Text(v, "name") == d.volume() }
		if !slices.ContainsFunc(volumes.Content, named) {
			volumes.Content = append(volumes.Content, d.newVolume())
		}
	}
	return nil
}

// inOrder are the first containers that need each runtime's support files, in the order of the table of runtimes.
func inOrder(supported []Debugged) (first []Debugged) {
	for _, r := range runtimes.All() {
		if i := slices.IndexFunc(supported, func(d Debugged) bool { return d.Support == r.Name() }); i >= 0 {
			first = append(first, supported[i])
		}
	}
	return first
}

// newInstallers builds the init containers that the pod does not have yet.
func newInstallers(p *workload.Pod, supported []Debugged) (installers []*yaml.Node, err error) {
	for _, d := range inOrder(supported) {
		if d.Folder != "" || p.Has(installerName(d.Support)) {
			continue
		}
		c, err := newInstaller(p, d)
		if err != nil {
			return nil, err
		}
		installers = append(installers, c)
	}
	return installers, nil
}

// mounts reports whether a container mounts a volume.
func mounts(container *yaml.Node, volume string) bool {
	return slices.ContainsFunc(yamlnode.Items(container, "volumeMounts"),
		func(m *yaml.Node) bool { return yamlnode.Text(m, "name") == volume })
}

// mount mounts the support files that d needs in a container: its own, or the one that copies them.
func mount(container *yaml.Node, d Debugged) error {
	list, err := yamlnode.Ensure(container, "volumeMounts", yaml.SequenceNode)
	if err != nil || mounts(container, d.volume()) {
		return err
	}
	m := yamlnode.Mapping("name", yamlnode.String(d.volume()), "mountPath", yamlnode.String(SupportPath))
	if d.Folder != "" {
		// An image's volume is read-only whatever this says; but people, and policies, read it.
		yamlnode.Set(m, "subPath", yamlnode.String(d.Folder))
		yamlnode.Set(m, "readOnly", yamlnode.Bool(true))
	}
	list.Content = append(list.Content, m)
	return nil
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
	return c, mount(c, d)
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
	pod := d.Container.Pod.Setting("securityContext")
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
