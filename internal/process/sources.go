package process

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/launch"
	"debuggable.dev/debuggable/internal/workload"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes/language"
)

// Sources are the ConfigMaps and Secrets among the items, and what containers make of them.
type Sources struct {
	data       map[[3]string]source // by kind, namespace and name
	layers     map[layerKey]*layer
	Labels     launch.Labels              // what buildpacks say in images' labels
	buildpacks map[string]func() []string // their ids, by label
	// what these and the environments that no other container shares come to, in variables
	copies int
	// what references to long values have come to, in bytes
	expanded int
	// what envFrom has given to containers, in bytes
	given int
}

// source is the data of a ConfigMap or a Secret.
type source struct {
	values map[string]string
	bytes  int // what names and values come to
}

// layerKey tells layers apart.
type layerKey struct {
	image     *string // the first of the image's variables, which all who have the image share
	variables int     // how many there are
	namespace string
	from      string // what envFrom says
}

// maxCopies bounds the variables of all containers, but for those that several share: Kubernetes would make all of one
// ConfigMap anew for each container.
const maxCopies = 1 << 20

// copy reports whether there is room for some more variables, with some bytes of names.
func (s *Sources) copy(variables, names int) bool {
	s.copies += variables + names/64
	return s.copies <= maxCopies
}

// NewSources are none yet.
func NewSources() *Sources {
	return &Sources{data: map[[3]string]source{}, layers: map[layerKey]*layer{}, buildpacks: map[string]func() []string{}}
}

// Buildpacks returns the ids of the buildpacks that built an image, once for all who have its label.
func (s *Sources) Buildpacks(labels map[string]string) func() []string {
	const label = "io.buildpacks.build.metadata"
	if s.buildpacks[labels[label]] == nil {
		s.buildpacks[labels[label]] = sync.OnceValue(func() []string { return language.BuildpackIDs(labels) })
	}
	return s.buildpacks[labels[label]]
}

// Values are the data of an object of a namespace; nil where it is not known.
func (s *Sources) Values(kind, namespace, name string) map[string]string {
	return s.data[[3]string{kind, namespace, name}].values
}

// Add records an object if envFrom can name it.
func (s *Sources) Add(node *yaml.Node, apiVersion, kind string) {
	if apiVersion != "v1" || kind != "ConfigMap" && kind != "Secret" {
		return
	}
	data := map[string]string{}
	for _, name := range []string{"data", "stringData"} { // stringData overlays data
		m := yamlnode.Get(node, name)
		if !yamlnode.IsMapping(m) {
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			value := yamlnode.Text(m.Content[i+1])
			if kind == "Secret" && name == "data" {
				// A value that is no base64 is one that the API server refuses; its name counts all the same.
				decoded, _ := base64.StdEncoding.DecodeString(value)
				value = string(decoded)
			}
			data[m.Content[i].Value] = value
		}
	}
	added := source{values: data}
	for key, value := range data {
		added.bytes += len(key) + len(value)
	}
	s.data[[3]string{kind, yamlnode.Namespace(node), yamlnode.Name(node)}] = added
}

// layer is what the image and envFrom set: the same for all containers that have the same of both, who share it.
type layer struct {
	Image   map[string]string // the image's own
	sourced map[string]string // what envFrom sets from objects among the items
	opaque  []opaqueSource    // envFrom sources that are not among the items
	all     map[string]string // both
	ports   func() []int32    // what Ports found in all of them
	bytes   int               // what sourced comes to, names and values
	many    bool              // there was no room for more variables, so that some are missing
}

// sets reports whether envFrom sets a variable from objects among the items.
func (l *layer) sets(name string) bool {
	_, ok := l.sourced[name]
	return ok
}

// sourceRef is an envFrom source of a container.
type sourceRef struct{ kind, name, prefix string }

// envFrom lists the container's sources, of which later ones count more.
func envFrom(c *workload.Container) (refs []sourceRef) {
	for _, from := range yamlnode.Items(c.Node, "envFrom") {
		for _, ref := range []struct{ field, kind string }{{"configMapRef", "ConfigMap"}, {"secretRef", "Secret"}} {
			if r := yamlnode.Get(from, ref.field); r != nil {
				refs = append(refs, sourceRef{ref.kind, yamlnode.Text(r, "name"), yamlnode.Text(from, "prefix")})
			}
		}
	}
	return refs
}

// layer is what the image and the sources set in a container of a namespace.
func (s *Sources) layer(cfg image.Config, namespace string, refs []sourceRef) *layer {
	key := layerKey{variables: len(cfg.Env), namespace: namespace, from: fmt.Sprintf("%q", refs)}
	if key.variables > 0 {
		key.image = &cfg.Env[0]
	}
	if made := s.layers[key]; made != nil {
		return made
	}
	key.namespace = strings.Clone(namespace) // not with all the text that it is from
	l := &layer{Image: make(map[string]string, len(cfg.Env)), sourced: map[string]string{}}
	s.layers[key] = l
	for _, kv := range cfg.Env {
		name, value, _ := strings.Cut(kv, "=")
		l.Image[name] = value
	}
	l.all = l.Image
	for _, ref := range refs {
		data, ok := s.data[[3]string{ref.kind, namespace, ref.name}]
		if !ok {
			l.opaque = append(l.opaque, opaqueSource{ref.kind + " " + ref.name, ref.prefix})
			continue
		}
		if l.bytes += data.bytes + len(data.values)*len(ref.prefix); l.bytes > maxExpanded {
			return l // no process starts with as much
		}
		if l.many = l.many || !s.copy(len(data.values), len(data.values)*len(ref.prefix)); l.many {
			return l
		}
		for key, value := range data.values {
			l.sourced[ref.prefix+key] = value
		}
	}
	if len(l.sourced) > 0 {
		l.all = maps.Clone(l.Image)
		maps.Copy(l.all, l.sourced)
	}
	return l
}
