package functionconfig

import (
	"bytes"
	"reflect"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
)

// encode writes settings as a typed functionConfig.
func encode(t *testing.T, c Config) []byte {
	t.Helper()
	type object = map[string]any
	m := object{
		"apiVersion": APIVersion, "kind": Kind, "layouts": c.Layouts, "archives": c.Archives, "imageConfigs": c.ImageConfigs,
		"offline":            c.Offline,
		"insecureRegistries": c.InsecureRegistries, "platform": c.Platform, "supportRegistry": c.SupportRegistry,
		"supportImages": c.SupportImages, "supportTag": c.SupportTag, "supportPullPolicy": c.SupportPullPolicy,
		"supportDelivery": c.SupportDelivery, "protocols": c.Protocols,
		"suspend": c.Suspend, "replicas": c.Replicas, "probeTimeout": c.ProbeTimeout.String(), "strict": c.Strict,
		"memory": c.Memory,
	}
	var artifacts, workloads []any
	for _, a := range c.Artifacts {
		o := object{"image": a.Image}
		if a.Name != "" {
			o["name"] = a.Name
		}
		if a.Runtime != "" {
			o["runtime"] = a.Runtime
		}
		artifacts = append(artifacts, o)
	}
	for _, w := range c.Workloads {
		o := object{"group": w.Group, "kind": w.Kind, "template": w.Template}
		if w.Replicas != "" {
			o["replicas"] = w.Replicas
		}
		if w.Containers != nil {
			o["containers"] = w.Containers
		}
		workloads = append(workloads, o)
	}
	m["artifacts"], m["workloads"] = artifacts, workloads
	images, err := image.MarshalImageConfigs("x", c.Images)
	if err != nil {
		t.Fatal(err)
	}
	var resource struct{ Images yaml.Node }
	if err := yaml.Unmarshal(images, &resource); err != nil {
		t.Fatal(err)
	}
	m["images"] = &resource.Images
	data, err := yaml.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(typedHead + "layouts: [a, b]\nimages: [{image: a, config: {Cmd: [\"a\\n\"]}}]\nplatform: " +
		"linux/arm/v7\nreplicas: 0\n"))
	f.Add([]byte(typedHead + "artifacts: [{image: 'a/*', name: b, runtime: java}]\nworkloads: [{group: a.b, kind: C, " +
		"template: 'a[].b', replicas: c, containers: ['d[]']}]\nprobeTimeout: skip\n"))
	f.Add([]byte(typedHead + "artifacts: &a [*a]\nlayouts: &b [&c x, *c]\n<<: *b\n"))
	f.Add([]byte(configMapHead + "data: {artifacts: \"image=a,name=b\\nimage={c,d}\", layouts: 'a,b', offline: 'true', " +
		"probeTimeout: 1h}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var n yaml.Node
		if yaml.NewDecoder(bytes.NewReader(data)).Decode(&n) != nil {
			return
		}
		c, err := Load(yaml.NewRNode(&n), nil)
		if err != nil {
			return
		}
		for _, a := range c.Artifacts {
			a.Match("gcr.io/acme/web:v1")
		}
		again := encode(t, c)
		parsed, err := yaml.Parse(string(again))
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		got, err := Load(parsed, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if !reflect.DeepEqual(got, c) {
			t.Fatalf("got %+v\nwant %+v\n%s", got, c, again)
		}
	})
}
