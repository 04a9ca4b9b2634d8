package functionconfig

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Domain is that of the annotations that are this program's alone.
const Domain = "debuggable.dev"

// The annotations that messages name.
const (
	SkipAnnotation       = Domain + "/skip"
	ContainersAnnotation = Domain + "/containers"
	RuntimeAnnotation    = Domain + "/runtime"
	ProbeAnnotation      = "debug.cloud.google.com/probe-timeouts"
	// ProbeAnnotationDocumented is how the documentation of "skaffold debug" spells it; Kubernetes refuses two slashes.
	ProbeAnnotationDocumented = "debug.cloud.google.com/probe/timeouts"
)

// Annotation is the surface of the settings on which a workload says something for itself.
type Annotation struct {
	Keys         []string // its key, then other spellings
	value, means string   // cells of the reference
	read         func(*PodSettings, string) error
}

// Read takes an annotation's value into the settings of a pod.
func (a Annotation) Read(to *PodSettings, value string) error { return a.read(to, value) }

// PodSettings are the settings that hold for one pod.
type PodSettings struct {
	Skip, Suspend bool
	ProbeTimeout  ProbeTimeout
	// Containers are the only ones that are meant; nil: all but init containers.
	Containers []string
	// Runtimes say what containers run, in the order given. RuntimesErr is why the annotation makes no sense: that
	// concerns no pod whose containers stay as they are.
	Runtimes    []ContainerRuntime
	RuntimesErr error
}

// ContainerRuntime is the canonical name of the runtime of a container, or of all where Container is "" and All is set.
type ContainerRuntime struct {
	Container, Runtime string
	All                bool
}

// Annotations is the table of annotations, in the order of the reference.
func Annotations() []Annotation {
	return []Annotation{
		{
			Keys: []string{SkipAnnotation}, value: "`\"true\"`", means: "the workload is not touched",
			read: readBool(func(s *PodSettings) *bool { return &s.Skip }),
		},
		{
			Keys: []string{Domain + "/suspend"}, value: "`\"true\"` or `\"false\"`", means: "takes the place of `suspend`",
			read: readBool(func(s *PodSettings) *bool { return &s.Suspend }),
		},
		{
			Keys:  []string{ProbeAnnotation, ProbeAnnotationDocumented},
			value: "`skip` or a Go duration", means: "takes the place of `probeTimeout`",
			read: func(s *PodSettings, value string) (err error) {
				s.ProbeTimeout, err = ParseProbeTimeout(value)
				return err
			},
		},
		{
			Keys: []string{ContainersAnnotation}, value: "names, separated by commas",
			means: "no other container is made debuggable; init containers can be named too",
			read: func(s *PodSettings, value string) error {
				s.Containers = slices.DeleteFunc(splitTrimmed(value), func(name string) bool { return name == "" })
				return nil
			},
		},
		{
			Keys: []string{RuntimeAnnotation}, value: "`RUNTIME` or `NAME=RUNTIME,NAME=RUNTIME`",
			means: "the runtime of all containers, or of those named; nothing is detected for them",
			read: func(s *PodSettings, value string) error {
				s.Runtimes, s.RuntimesErr = parseContainerRuntimes(value)
				return nil
			},
		},
	}
}

func readBool(of func(*PodSettings) *bool) func(*PodSettings, string) error {
	return func(s *PodSettings, value string) error {
		v, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("want true or false")
		}
		*of(s) = v
		return nil
	}
}

func parseContainerRuntimes(value string) (told []ContainerRuntime, err error) {
	for _, entry := range splitTrimmed(value) {
		container, name, pair := strings.Cut(entry, "=")
		if !pair {
			container, name = "", container
		}
		canonical, err := ParseRuntime(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		told = append(told, ContainerRuntime{strings.TrimSpace(container), canonical, !pair})
	}
	return told, nil
}

func splitTrimmed(value string) []string {
	parts := strings.Split(value, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// AnnotationReference is the documentation's table of annotations.
func AnnotationReference() string {
	var b strings.Builder
	b.WriteString("| Annotation | Value | Effect |\n| --- | --- | --- |\n")
	for _, a := range Annotations() {
		b.WriteString("| `" + a.Keys[0] + "` | " + a.value + " | " + a.means + " |\n")
	}
	return b.String()
}
