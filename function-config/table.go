package functionconfig

import (
	"math"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
)

// setting is one line of the table.
type setting struct {
	// name is the field of the typed functionConfig and the key in a ConfigMap, flag the flag's name ("": none).
	name, flag string
	// help is one sentence for all surfaces, without a full stop. value names the flag's value in usage texts.
	help, value string
	// form is how an element is written as text, where that takes more than value can say.
	form string
	// list says that the flag is repeatable; separator is what stands between the elements in a ConfigMap.
	list      bool
	separator string
	// bool says that the flag needs no value.
	bool bool
	// readNode reads the value in a typed functionConfig.
	readNode func(r *fields.Reader, c *Config, n *yaml.Node, path string)
	// readText reads a value that flags or a ConfigMap give: one string, or one for each element of a list. It
	// replaces what c holds. nil: the setting is for typed functionConfigs only.
	readText func(r *fields.Reader, c *Config, values []string, path string)
	// defaultText is the default as a flag's value; "" for none.
	defaultText string
	// schema is the value's JSON schema, without description and default.
	schema schema
}

// split returns the elements of a ConfigMap's value. Space around them and empty lines do not count.
func (s setting) split(text string) []string {
	if !s.list {
		return []string{text}
	}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var values []string
	for v := range strings.SplitSeq(text, s.separator) {
		if v = strings.TrimSpace(v); v != "" || s.separator != "\n" {
			values = append(values, v)
		}
	}
	return values
}

// settings is the table of all settings, in the order of the reference.
func settings() []setting {
	d := Default()
	return []setting{
		listSetting("layouts", "layout", "[IMAGE=]DIR", func(c *Config) *[]string { return &c.Layouts }, checkFilled,
			"folders that hold OCI image layouts; IMAGE=DIR says which image a layout's only one is"),
		listSetting("archives", "archive", "FILE", func(c *Config) *[]string { return &c.Archives }, checkFilled,
			"image archives, as `docker save` or OCI tools write them"),
		listSetting("imageConfigs", "image-configs", "FILE", func(c *Config) *[]string { return &c.ImageConfigs },
			checkFilled,
			"files of ImageConfigs resources, as `debuggable lock` writes them"),
		{
			name: "images", help: "image configurations, in the form of an ImageConfigs resource's images",
			schema:   imagesSchema(),
			readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) { c.Images = image.ReadEntries(r, n, path) },
		},
		boolSetting("offline", "offline", func(c *Config) *bool { return &c.Offline },
			"never open a network connection"),
		listSetting("insecureRegistries", "insecure-registry", "HOST",
			func(c *Config) *[]string { return &c.InsecureRegistries }, checkHost,
			"registries (HOST or HOST:PORT) that may be reached over plain http or with an untrusted certificate"),
		textSetting("platform", "platform", "OS/ARCH", d.Platform, schema{pattern: "^linux/[a-z0-9]+(/[a-z0-9.]+)?$"},
			parsePlatform,
			func(c *Config) *string { return &c.Platform },
			"platform to choose from multi-platform images, where the workload itself does not ask for one"),
		artifactsSetting(),
		runtimesSetting(),
		textSetting("engine", "engine", "fallback|first|never", d.Engine, schema{enum: engine()}, parseEngine,
			func(c *Config) *string { return &c.Engine },
			"ask the local container engine, Docker or Podman, for images: for those that no registry hands out, ahead of "+
				"registries, or never"),
		textSetting("lookInside", "look-inside", "local|always|never", d.LookInside, schema{enum: whoseFiles()},
			parseLookInside,
			func(c *Config) *string { return &c.LookInside },
			"read files of images, where their configuration leaves open what runs: of layouts and archives, of registries "+
				"too, or never"),
		textSetting("supportRegistry", "support-registry", "PREFIX", d.SupportRegistry, schema{minLength: 1},
			ParseSupportRegistry,
			func(c *Config) *string { return &c.SupportRegistry },
			"repository that holds the support images; a slash and the runtime's name is appended"),
		supportImagesSetting(),
		textSetting("supportTag", "support-tag", "TAG", d.SupportTag, schema{pattern: "^(" + tagPattern + ")?$"},
			parseSupportTag,
			func(c *Config) *string { return &c.SupportTag },
			"tag of the images in supportRegistry; without it, latest"),
		textSetting("supportPullPolicy", "support-pull-policy", "Always|IfNotPresent|Never", d.SupportPullPolicy,
			schema{enum: append([]string{""}, pullPolicies()...)}, parsePullPolicy,
			func(c *Config) *string { return &c.SupportPullPolicy },
			"when nodes pull the support images; without it, Kubernetes decides by the tag"),
		textSetting("supportDelivery", "support-delivery", "init|image", d.SupportDelivery,
			schema{enum: []string{DeliveryInit, DeliveryImage}}, parseSupportDelivery,
			func(c *Config) *string { return &c.SupportDelivery },
			"how the support files get into pods: an init container copies them, or the image is mounted as a volume "+
				"(Kubernetes 1.35 and later)"),
		textSetting("listenOn", "listen-on", "default|all|loopback", d.ListenOn, schema{enum: listenOn()}, parseListenOn,
			func(c *Config) *string { return &c.ListenOn },
			"where debuggers listen, all of which `kubectl port-forward` reaches: on all of the pod's addresses, "+
				"on loopback alone, or as each has it by default"),
		listSetting("protocols", "protocol", "NAME", func(c *Config) *[]string { return &c.Protocols }, checkProtocol,
			"preferred debug protocols, best first: "+strings.Join(runtimes.Protocols(), ", ")).oneOf(runtimes.Protocols()),
		boolSetting("suspend", "suspend", func(c *Config) *bool { return &c.Suspend },
			"start processes stopped, waiting for a debugger"),
		replicasSetting(d.Replicas),
		textSetting("probeTimeout", "probe-timeout", "DURATION", "10m", schema{minLength: 1}, ParseProbeTimeout,
			func(c *Config) *ProbeTimeout { return &c.ProbeTimeout },
			"raise the timeouts of debugged containers' probes to this Go duration; `skip` leaves probes alone"),
		textSetting("memory", "memory", "raise|keep", d.Memory, schema{enum: []string{"raise", "keep"}}, parseMemory,
			func(c *Config) *string { return &c.Memory },
			"raise the memory limits of debugged containers by what the debugger needs, or keep them"),
		boolSetting("strict", "strict", func(c *Config) *bool { return &c.Strict },
			"make it an error, not a warning, that a container in scope is not made debuggable"),
		workloadsSetting(),
	}
}

// listSetting is a list of strings, each of which check finds good.
func listSetting(name, flag, value string, of func(*Config) *[]string, check func(string) error, help string) setting {
	set := func(r *fields.Reader, c *Config, values []string, path string) {
		for i, v := range values {
			if err := check(v); err != nil {
				r.Errorf(yamlnode.Index(path, i), "%v", err)
			}
		}
		*of(c) = values
	}
	return setting{
		name: name, flag: flag, value: value, help: help, list: true, separator: ",",
		schema: schema{typ: "array", items: &schema{typ: "string", minLength: 1}},
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) {
			if values, ok := r.Strings(n, path); ok {
				set(r, c, values, path)
			}
		},
		readText: set,
	}
}

// oneOf narrows the schema of a list to known elements.
func (s setting) oneOf(known []string) setting {
	s.schema.items = &schema{typ: "string", enum: known}
	return s
}

func boolSetting(name, flag string, of func(*Config) *bool, help string) setting {
	return setting{
		name: name, flag: flag, help: help, bool: true, defaultText: "false", schema: schema{typ: "boolean"},
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) { *of(c), _ = r.Bool(n, path) },
		readText: func(r *fields.Reader, c *Config, values []string, path string) {
			switch v := values[0]; v {
			case "true", "false":
				*of(c) = v == "true"
			default:
				r.Errorf(path, "%s is neither true nor false", fields.Quote(v))
			}
		},
	}
}

// textSetting is a value that is written as a string and read by parse.
func textSetting[T any](name, flag, value, def string, sch schema, parse func(string) (T, error), of func(*Config) *T,
	help string) setting {
	set := func(r *fields.Reader, c *Config, values []string, path string) {
		v, err := parse(values[0])
		if err != nil {
			r.Errorf(path, "%v", err)
			return
		}
		*of(c) = v
	}
	sch.typ = "string"
	return setting{
		name: name, flag: flag, value: value, help: help, defaultText: def, schema: sch,
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) {
			if n.Kind == yaml.ScalarNode && !fields.IsNull(n) {
				// What quotes would not mend is said at once: 10 lacks a unit.
				if _, err := parse(n.Value); err != nil {
					r.Errorf(path, "%v", err)
					return
				}
			}
			if s, ok := r.String(n, path); ok {
				set(r, c, []string{s}, path)
			}
		},
		readText: set,
	}
}

func replicasSetting(def int) setting {
	set := func(r *fields.Reader, c *Config, n int, path string) {
		if n < 0 || n > math.MaxInt32 {
			r.Errorf(path, "%d is not a replica count; want 0 (leave counts alone) or more", n)
		}
		c.Replicas = n
	}
	return setting{
		name: "replicas", flag: "replicas", value: "N", defaultText: strconv.Itoa(def),
		help:   "most replicas that a workload with a debugged container keeps; 0 leaves counts alone",
		schema: schema{typ: "integer", minimum: "0"},
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) {
			if i, ok := r.Int(n, path); ok {
				set(r, c, i, path)
			}
		},
		readText: func(r *fields.Reader, c *Config, values []string, path string) {
			i, err := strconv.Atoi(values[0])
			if err != nil {
				r.Errorf(path, "%s is not an integer; want 0 (leave counts alone) or more", fields.Quote(values[0]))
				return
			}
			set(r, c, i, path)
		},
	}
}

func artifactsSetting() setting {
	return setting{
		name: "artifacts", flag: "artifact", value: "image=IMAGE[,...]", list: true, separator: "\n",
		help: "transform only images that match one of these; where none are given, every container's",
		form: "image=IMAGE[,name=NAME][,runtime=RUNTIME]",
		schema: schema{typ: "array", items: &schema{typ: "object", required: []string{"image"}, properties: []property{
			{"image", "image that is meant: tag and digest count only where given; * matches within a path element, ** across",
				schema{typ: "string", minLength: 1}},
			{"name", "name to record in the annotation; without it, the container's image as written", schema{typ: "string"}},
			{"runtime", "language runtime; saves its detection", schema{typ: "string", enum: runtimes.Names()}},
		}}},
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) {
			c.Artifacts = nil
			r.Items(n, path, func(n *yaml.Node, path string) {
				c.Artifacts = append(c.Artifacts, readArtifact(r, n, path, artifactKeys(), []string{"image"}))
			})
		},
		readText: func(r *fields.Reader, c *Config, values []string, path string) {
			c.Artifacts = nil
			for i, v := range values {
				c.Artifacts = append(c.Artifacts, parseArtifact(r, v, yamlnode.Index(path, i)))
			}
		},
	}
}

func runtimesSetting() setting {
	return setting{
		name: "runtimes", flag: "runtime", value: "IMAGE=RUNTIME", list: true, separator: "\n",
		help: "say what images run, without narrowing what is transformed",
		form: "IMAGE=RUNTIME",
		schema: schema{typ: "array", items: &schema{typ: "object", required: []string{"image", "runtime"},
			properties: []property{
				{"image", "image that is meant, as in artifacts", schema{typ: "string", minLength: 1}},
				{"runtime", "language runtime; saves its detection", schema{typ: "string", enum: runtimes.Names()}},
			}}},
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) {
			c.Runtimes = nil
			r.Items(n, path, func(n *yaml.Node, path string) {
				a := readArtifact(r, n, path, []string{"image", "runtime"}, []string{"image", "runtime"})
				c.Runtimes = append(c.Runtimes, ImageRuntime{a.Image, a.Runtime})
			})
		},
		readText: func(r *fields.Reader, c *Config, values []string, path string) {
			c.Runtimes = nil
			for i, v := range values {
				c.Runtimes = append(c.Runtimes, parseImageRuntime(r, v, yamlnode.Index(path, i)))
			}
		},
	}
}

func supportImagesSetting() setting {
	var images []property
	for _, name := range supported() {
		images = append(images, property{name, "", schema{typ: "string", minLength: 1}})
	}
	add := func(r *fields.Reader, c *Config, name, ref, path string) {
		runtime, err := parseSupported(name)
		if err == nil {
			_, err = image.ParseReference(ref)
		}
		switch {
		case err != nil:
			r.Errorf(path, "%v", err)
		case c.SupportImages[runtime] != "":
			r.Errorf(path, "%s has a support image already: %s", runtime, c.SupportImages[runtime])
		case c.SupportImages == nil:
			c.SupportImages = map[string]string{runtime: ref}
		default:
			c.SupportImages[runtime] = ref
		}
	}
	return setting{
		name: "supportImages", flag: "support-image", value: "RUNTIME=REFERENCE", list: true, separator: "\n",
		help:   "support images, by runtime, as whole references; they win over supportRegistry",
		form:   "RUNTIME=REFERENCE",
		schema: schema{typ: "object", open: true, properties: images},
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) {
			c.SupportImages = nil
			r.Pairs(n, path, func(name string, n *yaml.Node, path string) {
				if ref, ok := r.String(n, path); ok {
					add(r, c, name, ref, path)
				}
			})
		},
		readText: func(r *fields.Reader, c *Config, values []string, path string) {
			c.SupportImages = nil
			for i, v := range values {
				at := yamlnode.Index(path, i)
				name, ref, ok := strings.Cut(v, "=")
				switch {
				case checkFilled(v) != nil:
					r.Errorf(at, "is empty")
				case !ok:
					r.Errorf(at, "%s is not of the form RUNTIME=REFERENCE", fields.Quote(v))
				default:
					add(r, c, strings.TrimSpace(name), strings.TrimSpace(ref), at)
				}
			}
		},
	}
}

func workloadsSetting() setting {
	return setting{
		name: "workloads",
		help: "further kinds that hold a pod template, or containers",
		schema: schema{typ: "array", items: &schema{typ: "object", required: []string{"kind", "template"},
			properties: []property{
				{"group", "API group without version; empty for the core group", schema{typ: "string", pattern: groupPattern}},
				{"kind", "kind, like Rollout", schema{typ: "string", pattern: kindPattern}},
				{"template", "path of the pod template, like spec.template; tasks[] means each element of a list",
					schema{typ: "string", pattern: pathPattern}},
				{"replicas", "path of the replica count, if there is one", schema{typ: "string", pattern: pathPattern}},
				{"containers", "paths of containers, from the template, like container or steps[], where the template has them " +
					"itself and is no pod template " +
					"with a spec: it has metadata, volumes and initContainers, as far as the kind knows them",
					schema{typ: "array", items: &schema{typ: "string", pattern: pathPattern}}},
			}}},
		readNode: func(r *fields.Reader, c *Config, n *yaml.Node, path string) {
			c.Workloads = nil
			r.Items(n, path, func(n *yaml.Node, path string) { c.Workloads = append(c.Workloads, readWorkload(r, n, path)) })
		},
	}
}
