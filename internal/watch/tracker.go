package watch

import (
	"maps"
	"slices"
	"time"

	"debuggable.dev/debuggable/internal/debuginfo"
)

// container is a debuggable container that runs or ran.
type container struct {
	namespace, pod, uid, name string
	// id is the container ID: a container that restarts gets another one.
	id           string
	restartCount int32
	// info is what the annotation said of the container when it was reported as started.
	info debuginfo.Container

	kind, owner, image, arch string
	labels                   map[string]string
	created                  time.Time
	condition
}

// condition is what may change of a container while it runs.
type condition struct {
	deleting bool // the pod is being deleted
	ready    bool
}

// running describes the container for those who look on.
func (c container) running() debuginfo.Running {
	return debuginfo.Running{
		Namespace: c.namespace, Pod: c.pod, Name: c.name, ID: c.id, Kind: c.kind, Workload: c.owner, Labels: c.labels,
		Image: c.image, Arch: c.arch, Info: c.info, Locals: map[string]int{}, Created: c.created, Deleting: c.deleting,
		Ready: c.ready,
	}
}

// is says whether the status is that of this container, not of one that came before or after it. Where one of them has
// no ID (virtual nodes give none, or give it late) the restart count tells them apart.
func (c container) is(s containerStatus) bool {
	if c.name != s.name {
		return false
	}
	if c.id == "" || s.id == "" {
		return c.restartCount == s.restartCount
	}
	return c.id == s.id
}

// change is what happened to a container.
type change struct {
	started   bool // else terminated
	container container
}

// tracker turns looks at pods into changes. It compares what runs now with what it has reported as running, so it
// does not matter how many looks were missed in between: a container is Started once it is seen running, Terminated
// once it is not, and no container is either twice in a row.
//
// The zero value is ready for use. It is not safe for concurrent use.
type tracker struct {
	pods map[podKey]*trackedPod
}

type podKey struct{ namespace, name string }

// trackedPod is a pod that carries, or carried, the annotation.
type trackedPod struct {
	uid string
	// read says that annotation was looked at; entries is what it says or, if it is broken, what the one before said.
	read, broken bool
	annotation   string
	entries      map[string]debuginfo.Container
	// warned is the annotation of the last warning.
	warned *string
	// running holds the containers that were reported as started and not yet as terminated, in that order.
	running []container
}

// observe takes a look at a pod. The changes are in order: first what ended, then what started. The error says that the
// annotation is broken; it is returned once for a pod and value, and comes beside changes, not instead of them.
//
// As long as an annotation is broken nothing is reported as started, and what runs stays as it was reported. An
// annotation that is taken away ends the containers it listed; one that says something else of a container ends it as
// it was and starts it anew.
func (t *tracker) observe(p pod) ([]change, error) {
	key := podKey{p.namespace, p.name}
	var changes []change
	known := t.pods[key]
	if known != nil && known.uid != p.uid { // replaced under the same name
		changes = t.forget(p.namespace, p.name)
		known = nil
	}
	if known == nil {
		if !p.annotated {
			return changes, nil
		}
		if t.pods == nil {
			t.pods = map[podKey]*trackedPod{}
		}
		known = &trackedPod{uid: p.uid}
		t.pods[key] = known
	}
	warning := known.readAnnotation(p)

	known.running = slices.DeleteFunc(known.running, func(c container) bool {
		if known.stillReported(c, p.containers) {
			return false
		}
		c.deleting = c.deleting || p.deleting
		changes = append(changes, change{container: c})
		return true
	})
	if known.broken {
		return changes, warning
	}
	for _, s := range p.containers {
		info, listed := known.entries[s.name]
		if !s.running || !listed || slices.ContainsFunc(known.running, func(c container) bool { return c.name == s.name }) {
			continue
		}
		c := container{
			namespace: p.namespace, pod: p.name, uid: p.uid, name: s.name,
			id: s.id, restartCount: s.restartCount, info: info,
			kind: p.kind, owner: p.owner, image: s.image, arch: p.arch, labels: p.labels,
			created: p.created, condition: condition{p.deleting, s.ready},
		}
		known.running = append(known.running, c)
		changes = append(changes, change{started: true, container: c})
	}
	return changes, nil
}

// altered returns the containers of a pod that run on, but whose condition has changed since the last look.
func (t *tracker) altered(p pod) []container {
	known := t.pods[podKey{p.namespace, p.name}]
	if known == nil {
		return nil
	}
	var altered []container
	for i := range known.running {
		c := &known.running[i]
		at := slices.IndexFunc(p.containers, c.is)
		if at < 0 {
			continue
		}
		if now := (condition{p.deleting, p.containers[at].ready}); now != c.condition {
			c.condition = now
			altered = append(altered, *c)
		}
	}
	return altered
}

// forget takes note that a pod is gone.
func (t *tracker) forget(namespace, name string) []change {
	key := podKey{namespace, name}
	known := t.pods[key]
	if known == nil {
		return nil
	}
	delete(t.pods, key)
	var changes []change
	for _, c := range known.running {
		c.deleting = true
		changes = append(changes, change{container: c})
	}
	return changes
}

// readAnnotation brings the entries up to date with the pod's annotation.
func (k *trackedPod) readAnnotation(p pod) error {
	if !p.annotated {
		k.read, k.broken, k.entries = false, false, nil
		return nil
	}
	if k.read && k.annotation == p.annotation {
		return nil
	}
	k.read, k.annotation = true, p.annotation
	entries, err := debuginfo.Decode(p.annotation)
	if k.broken = err != nil; k.broken {
		if k.warned != nil && *k.warned == p.annotation {
			return nil
		}
		k.warned = &p.annotation
		return err
	}
	k.entries = make(map[string]debuginfo.Container, len(entries))
	for _, e := range entries {
		k.entries[e.Name] = e.Container
	}
	return nil
}

// stillReported says whether the container runs as it was reported.
func (k *trackedPod) stillReported(c container, statuses []containerStatus) bool {
	if !slices.ContainsFunc(statuses, func(s containerStatus) bool { return s.running && c.is(s) }) {
		return false
	}
	info, listed := k.entries[c.name]
	return listed && sameInfo(info, c.info)
}

func sameInfo(a, b debuginfo.Container) bool {
	return a.Artifact == b.Artifact && a.Runtime == b.Runtime && a.WorkingDir == b.WorkingDir &&
		a.RemoteRoot == b.RemoteRoot && maps.Equal(a.Ports, b.Ports)
}
