// Package functionconfig holds the settings of debuggable and reads them from the three places where they can be
// given: a typed functionConfig (kind Debuggable), a ConfigMap functionConfig, and flags. A flag wins over the
// functionConfig, which wins over the default.
//
// One table ([settings]) defines each setting once: its names, its type, its check, its help. The flags, the readers
// of both functionConfigs, the JSON schema (schema.yaml) and the reference in docs/function-config.md come from it.
// A new setting is one field in [Config] and one line in the table.
package functionconfig

import (
	"errors"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/runtimes"
)

// The type of a typed functionConfig.
const (
	APIVersion = "debuggable.dev/v1alpha1"
	Kind       = "Debuggable"
)

// Config is the settings of one run, all of them valid.
type Config struct {
	// Layouts are OCI image layouts: DIR or IMAGE=DIR. Archives are `docker save` tarballs and OCI archives.
	// ImageConfigs are files of ImageConfigs resources. All are kept as written.
	Layouts, Archives, ImageConfigs []string
	// Images are image configurations given inline.
	Images []image.Entry
	// Offline says that no network connection may be opened.
	Offline bool
	// InsecureRegistries are hosts, with or without port, that may be reached over plain http or with an untrusted
	// certificate.
	InsecureRegistries []string
	// Platform is OS/ARCH[/VARIANT], in lower case, as v1.Platform's String writes it.
	Platform string
	// Artifacts are the images to transform; none: every container's image. Of several that match an image the
	// first one counts.
	Artifacts []Artifact
	// Runtimes say what images run, without narrowing what is transformed. Of several that match an image the first
	// one counts; the runtime of an artifact counts more.
	Runtimes []ImageRuntime
	// SupportRegistry is the repository prefix of the support images, without a slash at its end.
	SupportRegistry string
	// SupportImages are whole references of support images by their runtime's canonical name, which win over
	// SupportRegistry. SupportTag is the tag of the images in SupportRegistry, or "".
	SupportImages map[string]string
	SupportTag    string
	// SupportPullPolicy is the imagePullPolicy of support images, or "".
	SupportPullPolicy string
	// SupportDelivery says how support files get into pods: init, by an init container that copies them, or image, as a
	// volume that is the image.
	SupportDelivery string
	// Protocols are the preferred debug protocols, best first.
	Protocols []string
	// ListenOn says where debuggers listen: default, all or loopback.
	ListenOn string
	// Suspend starts processes stopped, waiting for a debugger.
	Suspend bool
	// Replicas is the most replicas that a workload with a debugged container keeps; 0 leaves counts alone.
	Replicas int
	// ProbeTimeout is the least timeout of a debugged container's probes.
	ProbeTimeout ProbeTimeout
	// Memory says what becomes of the memory limits of debugged containers: raise or keep.
	Memory string
	// Engine says when the container engine of this machine is asked for images: fallback, first or never.
	Engine string
	// LookInside says whose files are read: local, always or never.
	LookInside string
	// Strict makes it an error that a container in scope is not made debuggable.
	Strict bool
	// Workloads are further kinds that hold a pod template.
	Workloads []WorkloadKind

	// ByField says that the user gives settings by fields, not by flags, so that messages name those.
	ByField bool
}

// The values of SupportDelivery.
const (
	DeliveryInit  = "init"
	DeliveryImage = "image"
)

// ProbeTimeout says what becomes of probes' timeouts: nothing, or raised to Duration, which is positive.
type ProbeTimeout struct {
	Skip     bool
	Duration time.Duration
}

// String returns what ParseProbeTimeout reads.
func (p ProbeTimeout) String() string {
	if p.Skip {
		return "skip"
	}
	return p.Duration.String()
}

// WorkloadKind is a kind of object that holds a pod template. The paths are fields separated by dots, where a field
// that ends in [] is a list whose every element is meant: spec.tasks[].template.
type WorkloadKind struct {
	Group    string // "" is the core group
	Kind     string
	Template string // path of the pod template
	Replicas string // path of the replica count, or ""
	// Containers are the paths of containers, from Template, where that is a pod's spec and its metadata in one; none: it
	// has both.
	Containers []string
}

// Default returns the settings that hold where nothing is given.
func Default() Config {
	return Config{
		Platform:        "linux/amd64",
		SupportRegistry: "gcr.io/k8s-skaffold/skaffold-debug-support",
		Replicas:        1,
		SupportDelivery: DeliveryInit,
		ListenOn:        runtimes.OnDefault,
		Memory:          "raise",
		Engine:          image.EngineFallback,
		LookInside:      image.InsideLocal,
		ProbeTimeout:    ProbeTimeout{Duration: 10 * time.Minute},
	}
}

// Load merges the defaults, the functionConfig (nil for none) and the flags (nil for none). Its error joins all
// problems, in document order; those of fields are *fields.Error, which begin with the field's path.
func Load(functionConfig *yaml.RNode, flags *Flags) (Config, error) {
	c := Default()
	err := readFunctionConfig(&c, functionConfig)
	if flags != nil {
		err = errors.Join(err, flags.apply(&c))
	}
	if err == nil {
		err = c.checkPatterns()
	}
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

func readFunctionConfig(c *Config, functionConfig *yaml.RNode) error {
	n := functionConfig.YNode()
	if fields.IsNull(n) || n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		return nil
	}
	r := &fields.Reader{}
	var apiVersion, kind string
	isMapping := r.Pairs(n, "", func(key string, n *yaml.Node, path string) {
		switch {
		case fields.IsNull(n):
		case key == "apiVersion":
			apiVersion, _ = r.String(n, path)
		case key == "kind":
			kind, _ = r.String(n, path)
		}
	})
	switch {
	case !isMapping:
		return r.Err()
	case apiVersion == APIVersion && kind == Kind:
		return readTyped(c, n)
	case apiVersion == "v1" && kind == "ConfigMap":
		return readConfigMap(c, n)
	case kind == "" && apiVersion == "":
		r.Errorf("", "the functionConfig has no apiVersion and kind; %s", wantedKinds)
	case kind == "":
		r.Errorf("kind", "is missing; %s", wantedKinds)
	case kind != Kind && kind != "ConfigMap":
		r.Errorf("kind", "a functionConfig cannot be of kind %s%s; %s", fields.Quote(kind),
			meant(kind, []string{Kind, "ConfigMap"}), wantedKinds)
	case apiVersion == "":
		r.Errorf("apiVersion", "is missing; %s", wantedKinds)
	default:
		r.Errorf("apiVersion", "%s is not the apiVersion of kind %s; %s", fields.Quote(apiVersion), kind, wantedKinds)
	}
	return r.Err()
}

const wantedKinds = "want kind " + Kind + " of " + APIVersion + ", or kind ConfigMap of v1"

func ignore(*yaml.Node, string) {}

func readTyped(c *Config, n *yaml.Node) error {
	r := &fields.Reader{}
	known := []fields.Field{{Name: "apiVersion", Read: ignore}, {Name: "kind", Read: ignore},
		{Name: "metadata", Read: ignore}}
	for _, s := range settings() {
		known = append(known, fields.Field{Name: s.name, Read: func(n *yaml.Node, path string) { s.readNode(r, c, n, path) }})
	}
	r.Mapping(n, "", known)
	return r.Err()
}

// readConfigMap reads the settings from a ConfigMap's data, whose values are strings. The paths in problems have no
// "data." in front: who writes `kpt fn eval … -- replicas=1` never sees the ConfigMap.
func readConfigMap(c *Config, n *yaml.Node) error {
	r := &fields.Reader{}
	var known []fields.Field
	for _, s := range settings() {
		known = append(known, fields.Field{Name: s.name, Read: func(n *yaml.Node, path string) {
			text, ok := r.String(n, path)
			switch {
			case !ok:
			case s.readText == nil:
				r.Errorf(path, "cannot be given in a ConfigMap; use a functionConfig of kind %s of %s", Kind, APIVersion)
			default:
				s.readText(r, c, s.split(text), path)
			}
		}})
	}
	r.Mapping(n, "", []fields.Field{
		{Name: "apiVersion", Read: ignore},
		{Name: "kind", Read: ignore},
		{Name: "metadata", Read: ignore},
		{Name: "immutable", Read: ignore}, // says nothing about the settings
		{Name: "data", Read: func(n *yaml.Node, _ string) { r.Mapping(n, "", known) }},
		{Name: "binaryData", Read: func(_ *yaml.Node, path string) {
			r.Errorf(path, "settings are not read from binaryData; move them to data")
		}},
	})
	return r.Err()
}
