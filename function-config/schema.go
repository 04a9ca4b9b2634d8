package functionconfig

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// schema is the part of JSON Schema (draft 7) that the settings need. Zero fields say nothing.
type schema struct {
	typ        string
	pattern    string
	minLength  int
	minimum    string
	enum       []string
	items      *schema
	required   []string
	properties []property // of an object, which has no others
	open       bool       // the object may have other properties
	anyObject  bool       // an object of which nothing is said
	values     *schema    // of an object's every property
}

type property struct {
	name, description string
	schema            schema
}

func imagesSchema() schema {
	list := schema{typ: "array", items: &schema{typ: "string"}}
	text := schema{typ: "string"}
	config := schema{typ: "object", open: true, properties: []property{
		{"Entrypoint", "", list},
		{"Cmd", "", list},
		{"Env", "variables as NAME=VALUE", list},
		{"WorkingDir", "", text},
		{"User", "", text},
		{"Labels", "", schema{typ: "object", values: &text}},
	}}
	return schema{typ: "array", items: &schema{typ: "object", required: []string{"image", "config"},
		properties: []property{
			{"image", "image reference", schema{typ: "string", minLength: 1}},
			{"digest", "digest of the image's manifest",
				schema{typ: "string", pattern: "^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$"}},
			{"pin", "digest by which a support image is pulled",
				schema{typ: "string", pattern: "^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$"}},
			{"platform", "OS/ARCH[/VARIANT]", schema{typ: "string", minLength: 1}},
			{"author", "the image configuration's author", text},
			{"config", "the image configuration's config, with its own keys", config},
		}}}
}

// Schema returns the JSON schema of a typed functionConfig, as YAML.
func Schema() ([]byte, error) {
	root := schema{typ: "object", required: []string{"apiVersion", "kind"}, properties: []property{
		{"apiVersion", "", schema{typ: "string", enum: []string{APIVersion}}},
		{"kind", "", schema{typ: "string", enum: []string{Kind}}},
		{"metadata", "ignored", schema{typ: "object", anyObject: true}},
	}}
	defaults := map[string]*yaml.Node{}
	for _, s := range settings() {
		root.properties = append(root.properties, property{s.name, s.help, s.schema})
		if s.defaultText == "" {
			continue
		}
		defaults[s.name] = plain(s.defaultText)
		if s.schema.typ == "string" {
			defaults[s.name] = text(s.defaultText)
		}
	}
	n := object(text("$schema"), text("http://json-schema.org/draft-07/schema#"),
		text("title"), text("The functionConfig of debuggable"))
	n.Content = append(n.Content, root.node(defaults).Content...)
	n.HeadComment = "# Generated from the table of settings; UPDATE=1 go test ./function-config writes it anew."
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	if err := encoder.Encode(n); err != nil {
		return nil, fmt.Errorf("writing the schema of the functionConfig: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("writing the schema of the functionConfig: %w", err)
	}
	return b.Bytes(), nil
}

// node returns the schema as YAML; defaults holds those of its properties.
func (s schema) node(defaults map[string]*yaml.Node) *yaml.Node {
	n := object(text("type"), text(s.typ))
	put := func(key string, value *yaml.Node) { n.Content = append(n.Content, text(key), value) }
	if s.pattern != "" {
		put("pattern", text(s.pattern))
	}
	if s.minLength > 0 {
		put("minLength", plain(strconv.Itoa(s.minLength)))
	}
	if s.minimum != "" {
		put("minimum", plain(s.minimum))
	}
	if s.enum != nil {
		put("enum", list(s.enum))
	}
	if s.items != nil {
		put("items", s.items.node(nil))
	}
	if s.required != nil {
		put("required", list(s.required))
	}
	if s.values != nil {
		put("additionalProperties", s.values.node(nil))
	} else if s.typ == "object" && !s.open && !s.anyObject {
		put("additionalProperties", plain("false"))
	}
	if s.properties != nil {
		properties := object()
		for _, p := range s.properties {
			value := p.schema.node(nil)
			if p.description != "" {
				value.Content = append([]*yaml.Node{text("description"), text(p.description)}, value.Content...)
			}
			if d := defaults[p.name]; d != nil {
				value.Content = append(value.Content, text("default"), d)
			}
			properties.Content = append(properties.Content, text(p.name), value)
		}
		put("properties", properties)
	}
	return n
}

// object returns a mapping of the keys and values given in turn.
func object(pairs ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: pairs}
}

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// plain is a number or a boolean.
func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func list(elements []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, e := range elements {
		n.Content = append(n.Content, text(e))
	}
	return n
}

// Reference returns the reference of all settings, a Markdown table.
func Reference() string {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "*", `\*`)
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	code := func(s string) string {
		if s == "" {
			return "none"
		}
		return "`" + s + "`"
	}
	row("Field", "Flag", "ConfigMap key", "Default", "Meaning")
	row("---", "---", "---", "---", "---")
	for _, s := range settings() {
		flag, key := "", ""
		if s.flag != "" {
			flag = "--" + s.flag
			if !s.bool {
				flag += " " + s.value
			}
		}
		if s.readText != nil {
			key = s.name
		}
		flag, key = code(flag), code(key)
		if s.list {
			flag += ", repeatable"
			key += map[string]string{",": ", separated by commas", "\n": ", one a line"}[s.separator]
		}
		help := cell.Replace(s.help)
		if s.form != "" {
			help += "; as text, each is " + code(s.form)
		}
		row(code(s.name), flag, key, code(s.defaultText), help)
	}
	row("none", code("--"+buildArtifactsFlag+" FILE")+", repeatable", "none", "none", cell.Replace(buildArtifactsHelp))
	return b.String()
}
