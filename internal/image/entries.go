package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// The type of the resource that holds image configurations.
const (
	ImageConfigsAPIVersion = "debuggable.dev/v1alpha1"
	ImageConfigsKind       = "ImageConfigs"
)

// ParseEntries reads a sequence of entries. It is strict, but for keys of config that it does not know: those are
// other tools' and ignored. path is the sequence's own, for errors that name the field: images[2].config.Entrypoint.
// The error joins one *fields.Error for each problem.
func ParseEntries(node *yaml.RNode, path string) ([]Entry, error) {
	if node == nil {
		return nil, nil
	}
	r := &fields.Reader{}
	entries := ReadEntries(r, node.YNode(), path)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return entries, nil
}

// ReadEntries is ParseEntries for callers that collect problems in a Reader of their own.
func ReadEntries(r *fields.Reader, n *yaml.Node, path string) []Entry {
	var entries []Entry
	if fields.IsNull(n) {
		return nil
	}
	r.Items(n, path, func(n *yaml.Node, path string) { entries = append(entries, readEntry(r, n, path)) })
	return entries
}

func readEntry(r *fields.Reader, n *yaml.Node, path string) Entry {
	var e Entry
	text := func(to *string, check func(string) error) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			s, ok := r.String(n, path)
			if !ok {
				return
			}
			if err := check(s); err != nil {
				r.Errorf(path, "%v", err)
			}
			*to = s
		}
	}
	r.Mapping(n, path, []fields.Field{
		{Name: "image", Required: true, Read: text(&e.Image, checkReference)},
		{Name: "digest", Read: text(&e.Digest, checkDigest)},
		{Name: "pin", Read: text(&e.Pin, checkDigest)},
		{Name: "platform", Read: text(&e.Platform, checkPlatform)},
		{Name: "author", Read: text(&e.Author, func(string) error { return nil })},
		{Name: "config", Required: true, Read: func(n *yaml.Node, path string) { e.Config = readConfig(r, n, path) }},
		{Name: "files", Read: func(n *yaml.Node, path string) { e.Files = readFiles(r, n, path) }},
	})
	return e
}

func checkReference(s string) error {
	_, err := ParseReference(s)
	return err
}

func checkDigest(s string) error {
	if _, err := v1.NewHash(s); err != nil {
		return fmt.Errorf("%s is not a digest like sha256:<64 hexadecimal digits>: %w", fields.Quote(s), err)
	}
	return nil
}

func checkPlatform(s string) error {
	p, err := v1.ParsePlatform(s)
	if err != nil || p.OS == "" || p.Architecture == "" || p.String() != s {
		return fmt.Errorf("%s is not a platform like linux/amd64 or linux/arm/v7", fields.Quote(s))
	}
	return nil
}

// ParseImageConfigs reads a file of one or more ImageConfigs resources, in order; name is the file's, for errors.
// Documents of another kind are an error.
func ParseImageConfigs(data []byte, name string) ([]Entry, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("reading image configurations %q: the text is not valid UTF-8", name)
	}
	var entries []Entry
	var problems []error
	resources := 0
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for document := 1; ; document++ {
		var n yaml.Node
		if err := decoder.Decode(&n); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			problems = append(problems, fmt.Errorf("reading image configurations %q: document %d: %w", name, document, err))
			break // what follows a syntax error means nothing
		}
		if fields.IsNull(&n) {
			continue
		}
		resources++
		r := &fields.Reader{}
		entries = append(entries, readImageConfigs(r, &n)...)
		for _, err := range r.Errs() {
			problems = append(problems, fmt.Errorf("reading image configurations %q: document %d: %w", name, document, err))
		}
	}
	if resources == 0 && problems == nil {
		return nil, fmt.Errorf("reading image configurations %q: there is no %s resource in it", name, ImageConfigsKind)
	}
	if problems != nil {
		return nil, errors.Join(problems...)
	}
	return entries, nil
}

// ParseImageConfigsResource reads one ImageConfigs resource, such as an item of a package. The error joins one
// *fields.Error for each problem.
func ParseImageConfigsResource(resource *yaml.RNode) ([]Entry, error) {
	r := &fields.Reader{}
	entries := readImageConfigs(r, resource.YNode())
	if err := r.Err(); err != nil {
		return nil, err
	}
	return entries, nil
}

func readImageConfigs(r *fields.Reader, n *yaml.Node) []Entry {
	var entries []Entry
	var apiVersion, kind string
	typed := &fields.Reader{}
	ignore := func(*yaml.Node, string) {}
	ok := typed.Pairs(n, "", func(key string, n *yaml.Node, path string) {
		switch key {
		case "apiVersion":
			apiVersion, _ = typed.String(n, path)
		case "kind":
			kind, _ = typed.String(n, path)
		}
	})
	switch {
	case !ok:
		r.Errorf("", "want a resource of kind %s of %s, got no mapping", ImageConfigsKind, ImageConfigsAPIVersion)
		return nil
	case apiVersion != ImageConfigsAPIVersion || kind != ImageConfigsKind:
		// The fields of another kind would only be noise here.
		r.Errorf("", "want a resource of kind %s of %s, got kind %s of apiVersion %s",
			ImageConfigsKind, ImageConfigsAPIVersion, fields.Quote(kind), fields.Quote(apiVersion))
		return nil
	}
	r.Mapping(n, "", []fields.Field{
		{Name: "apiVersion", Read: ignore},
		{Name: "kind", Read: ignore},
		{Name: "metadata", Read: ignore},
		{Name: "images", Read: func(n *yaml.Node, path string) { entries = ReadEntries(r, n, path) }},
	})
	return entries
}

// MarshalImageConfigs writes entries as one ImageConfigs resource, which ParseImageConfigs reads back. The resource is
// marked as local to the package, so that it is never applied to a cluster. Equal entries give equal bytes.
func MarshalImageConfigs(name string, entries []Entry) ([]byte, error) {
	images := &yaml.Node{Kind: yaml.SequenceNode}
	if len(entries) == 0 {
		images.Style = yaml.FlowStyle
	}
	w := &writer{}
	for _, e := range entries {
		entry := mapping(0)
		w.put(entry, "image", e.Image)
		for _, f := range [][2]string{{"digest", e.Digest}, {"pin", e.Pin}, {"platform", e.Platform}, {"author", e.Author}} {
			if f[1] != "" {
				w.put(entry, f[0], f[1])
			}
		}
		put(entry, "config", w.config(e.Config))
		if len(e.Files) > 0 {
			put(entry, "files", w.files(e.Files))
		}
		images.Content = append(images.Content, entry)
	}
	annotations := mapping(0)
	w.put(annotations, "config.kubernetes.io/local-config", "true")
	metadata := mapping(0)
	w.put(metadata, "name", name)
	put(metadata, "annotations", annotations)
	resource := mapping(0)
	w.put(resource, "apiVersion", ImageConfigsAPIVersion)
	w.put(resource, "kind", ImageConfigsKind)
	put(resource, "metadata", metadata)
	put(resource, "images", images)
	if w.err != nil {
		return nil, fmt.Errorf("writing image configurations %q: %w", name, w.err)
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	if err := errors.Join(encoder.Encode(resource), encoder.Close()); err != nil {
		return nil, fmt.Errorf("writing image configurations %q: %w", name, err)
	}
	return b.Bytes(), nil
}

// writer builds YAML nodes; err is the first problem.
type writer struct{ err error }

func mapping(style yaml.Style) *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Style: style} }

func put(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

func (w *writer) put(m *yaml.Node, key, value string) {
	m.Content = append(m.Content, w.text(key), w.text(value))
}

// text returns a string's node, which reads back as the same string under YAML 1.1 and 1.2.
func (w *writer) text(s string) *yaml.Node {
	if !utf8.ValidString(s) && w.err == nil {
		w.err = fmt.Errorf("%q is not valid UTF-8", s)
	}
	return yamlnode.String(s)
}

// configKey is one key of the OCI image configuration's "config".
type configKey struct {
	name  string
	read  func(r *fields.Reader, n *yaml.Node, path string, c *v1.Config)
	write func(w *writer, c *v1.Config) *yaml.Node // nil where there is nothing to write
}

// configKeys lists the keys in the order in which they are written: what a process is made of comes first. Empty
// values are not written and are read as absent, for to container runtimes they are the same.
func configKeys() []configKey {
	return []configKey{
		stringsKey("Entrypoint", func(c *v1.Config) *[]string { return &c.Entrypoint }),
		stringsKey("Cmd", func(c *v1.Config) *[]string { return &c.Cmd }),
		stringsKey("Env", func(c *v1.Config) *[]string { return &c.Env }),
		stringKey("WorkingDir", func(c *v1.Config) *string { return &c.WorkingDir }),
		stringKey("User", func(c *v1.Config) *string { return &c.User }),
		{"Labels", readLabels, writeLabels},
		setKey("ExposedPorts", func(c *v1.Config) *map[string]struct{} { return &c.ExposedPorts }),
		setKey("Volumes", func(c *v1.Config) *map[string]struct{} { return &c.Volumes }),
		stringKey("StopSignal", func(c *v1.Config) *string { return &c.StopSignal }),
		stringsKey("OnBuild", func(c *v1.Config) *[]string { return &c.OnBuild }),
		{"Healthcheck", readHealthcheck, writeHealthcheck},
		stringsKey("Shell", func(c *v1.Config) *[]string { return &c.Shell }),
		boolKey("ArgsEscaped", func(c *v1.Config) *bool { return &c.ArgsEscaped }),
		stringKey("Hostname", func(c *v1.Config) *string { return &c.Hostname }),
		stringKey("Domainname", func(c *v1.Config) *string { return &c.Domainname }),
		stringKey("Image", func(c *v1.Config) *string { return &c.Image }),
		stringKey("MacAddress", func(c *v1.Config) *string { return &c.MacAddress }),
		boolKey("NetworkDisabled", func(c *v1.Config) *bool { return &c.NetworkDisabled }),
		boolKey("AttachStdin", func(c *v1.Config) *bool { return &c.AttachStdin }),
		boolKey("AttachStdout", func(c *v1.Config) *bool { return &c.AttachStdout }),
		boolKey("AttachStderr", func(c *v1.Config) *bool { return &c.AttachStderr }),
		boolKey("OpenStdin", func(c *v1.Config) *bool { return &c.OpenStdin }),
		boolKey("StdinOnce", func(c *v1.Config) *bool { return &c.StdinOnce }),
		boolKey("Tty", func(c *v1.Config) *bool { return &c.Tty }),
	}
}

func readConfig(r *fields.Reader, n *yaml.Node, path string) v1.Config {
	var c v1.Config
	var known []fields.Field
	for _, k := range configKeys() {
		known = append(known, fields.Field{Name: k.name, Read: func(n *yaml.Node, path string) { k.read(r, n, path, &c) }})
	}
	r.OpenMapping(n, path, known)
	return c
}

func (w *writer) config(c v1.Config) *yaml.Node {
	m := mapping(0)
	for _, k := range configKeys() {
		if n := k.write(w, &c); n != nil {
			put(m, k.name, n)
		}
	}
	if len(m.Content) == 0 {
		m.Style = yaml.FlowStyle // {}
	}
	return m
}

func stringKey(name string, of func(*v1.Config) *string) configKey {
	return configKey{
		name,
		func(r *fields.Reader, n *yaml.Node, path string, c *v1.Config) { *of(c), _ = r.String(n, path) },
		func(w *writer, c *v1.Config) *yaml.Node {
			if *of(c) == "" {
				return nil
			}
			return w.text(*of(c))
		},
	}
}

func boolKey(name string, of func(*v1.Config) *bool) configKey {
	return configKey{
		name,
		func(r *fields.Reader, n *yaml.Node, path string, c *v1.Config) { *of(c), _ = r.Bool(n, path) },
		func(_ *writer, c *v1.Config) *yaml.Node {
			if !*of(c) {
				return nil
			}
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"}
		},
	}
}

func stringsKey(name string, of func(*v1.Config) *[]string) configKey {
	return configKey{
		name,
		func(r *fields.Reader, n *yaml.Node, path string, c *v1.Config) { *of(c), _ = r.Strings(n, path) },
		func(w *writer, c *v1.Config) *yaml.Node { return w.list(*of(c)) },
	}
}

func (w *writer) list(list []string) *yaml.Node {
	if len(list) == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range list {
		n.Content = append(n.Content, w.text(s))
	}
	return n
}

// setKey is for the sets that the OCI specification writes as {"8080/tcp": {}}.
func setKey(name string, of func(*v1.Config) *map[string]struct{}) configKey {
	return configKey{
		name,
		func(r *fields.Reader, n *yaml.Node, path string, c *v1.Config) {
			set := map[string]struct{}{}
			r.Pairs(n, path, func(key string, value *yaml.Node, path string) {
				if fields.IsNull(value) || r.OpenMapping(value, path, nil) {
					set[key] = struct{}{}
				}
			})
			if len(set) > 0 {
				*of(c) = set
			}
		},
		func(w *writer, c *v1.Config) *yaml.Node {
			if len(*of(c)) == 0 {
				return nil
			}
			m := mapping(0)
			for _, key := range slices.Sorted(maps.Keys(*of(c))) {
				m.Content = append(m.Content, w.text(key), mapping(yaml.FlowStyle))
			}
			return m
		},
	}
}

func readLabels(r *fields.Reader, n *yaml.Node, path string, c *v1.Config) {
	labels := map[string]string{}
	r.Pairs(n, path, func(key string, value *yaml.Node, path string) {
		if fields.IsNull(value) {
			return
		}
		if s, ok := r.String(value, path); ok {
			labels[key] = s
		}
	})
	if len(labels) > 0 {
		c.Labels = labels
	}
}

func writeLabels(w *writer, c *v1.Config) *yaml.Node {
	if len(c.Labels) == 0 {
		return nil
	}
	m := mapping(0)
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		w.put(m, key, c.Labels[key])
	}
	return m
}

// healthTimes lists the health check's durations, which the OCI configuration holds in nanoseconds.
func healthTimes(h *v1.HealthConfig) []struct {
	name string
	time *time.Duration
} {
	return []struct {
		name string
		time *time.Duration
	}{{"Interval", &h.Interval}, {"Timeout", &h.Timeout}, {"StartPeriod", &h.StartPeriod}}
}

func readHealthcheck(r *fields.Reader, n *yaml.Node, path string, c *v1.Config) {
	var h v1.HealthConfig
	known := []fields.Field{{Name: "Test", Read: func(n *yaml.Node, path string) { h.Test, _ = r.Strings(n, path) }}}
	for _, t := range healthTimes(&h) {
		known = append(known, fields.Field{Name: t.name, Read: func(n *yaml.Node, path string) {
			nanoseconds, _ := r.Int(n, path)
			*t.time = time.Duration(nanoseconds)
		}})
	}
	known = append(known, fields.Field{Name: "Retries",
		Read: func(n *yaml.Node, path string) { h.Retries, _ = r.Int(n, path) }})
	// Docker's newest key, which the library's type lacks, is no misspelt Interval.
	known = append(known, fields.Field{Name: "StartInterval", Read: func(n *yaml.Node, path string) { r.Int(n, path) }})
	r.OpenMapping(n, path, known)
	if h.Test != nil || h.Interval != 0 || h.Timeout != 0 || h.StartPeriod != 0 || h.Retries != 0 {
		c.Healthcheck = &h
	}
}

func writeHealthcheck(w *writer, c *v1.Config) *yaml.Node {
	if c.Healthcheck == nil {
		return nil
	}
	m := mapping(0)
	if n := w.list(c.Healthcheck.Test); n != nil {
		put(m, "Test", n)
	}
	number := func(name string, n int64) {
		if n != 0 {
			put(m, name, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(n)})
		}
	}
	for _, t := range healthTimes(c.Healthcheck) {
		number(t.name, int64(*t.time))
	}
	number("Retries", int64(c.Healthcheck.Retries))
	if len(m.Content) == 0 {
		return nil
	}
	return m
}
