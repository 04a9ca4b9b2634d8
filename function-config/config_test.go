package functionconfig

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/pflag"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/runtimes"
)

const (
	typedHead     = "apiVersion: debuggable.dev/v1alpha1\nkind: Debuggable\nmetadata: {name: debug, annotations: {a: b}}\n"
	configMapHead = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: debug}\n"
)

// The lists that messages end in.
var (
	knownRuntimes  = "known are " + strings.Join(runtimes.Names(), ", ")
	knownProtocols = "known are " + strings.Join(runtimes.Protocols(), ", ")
)

// parse reads flags as the command does.
func parse(args ...string) (*Flags, error) {
	fs := pflag.NewFlagSet("debuggable", pflag.ContinueOnError)
	fs.SetOutput(nil)
	f := AddFlags(fs)
	return f, fs.Parse(args)
}

func load(functionConfig string, args ...string) (Config, error) {
	f, err := parse(args...)
	if err != nil {
		return Config{}, err
	}
	if functionConfig == "" {
		return Load(nil, f)
	}
	n, err := yaml.Parse(functionConfig)
	if err != nil {
		return Config{}, err
	}
	return Load(n, f)
}

// Every setting on every surface: all three give the same, and it is what is wanted.
func TestSettings(t *testing.T) {
	tests := []struct {
		name             string // the setting's
		typed, configMap string // the field's value, as YAML; "" where the surface does not have it
		flags            []string
		want             func(*Config)
	}{
		{"layouts", "[a, web=b/c]", "'a, web=b/c'", []string{"--layout=a", "--layout", "web=b/c"},
			func(c *Config) { c.Layouts = []string{"a", "web=b/c"} }},
		{"layouts", "[]", "''", nil, func(c *Config) {}},
		{"archives", "[./a.tar]", "./a.tar", []string{"--archive=./a.tar"},
			func(c *Config) { c.Archives = []string{"./a.tar"} }},
		{"imageConfigs", "[../a.yaml]", "../a.yaml", []string{"--image-configs=../a.yaml"},
			func(c *Config) { c.ImageConfigs = []string{"../a.yaml"} }},
		{"images", "[{image: web, config: {Cmd: [a]}}]", "", nil,
			func(c *Config) { c.Images = []image.Entry{{Image: "web", Config: v1.Config{Cmd: []string{"a"}}}} }},
		{"offline", "true", "'true'", []string{"--offline"}, func(c *Config) { c.Offline = true }},
		{"offline", "false", "'false'", []string{"--offline=false"}, func(c *Config) {}},
		{"insecureRegistries", "['localhost:5000', gcr.io]", "'localhost:5000,gcr.io'",
			[]string{"--insecure-registry=localhost:5000", "--insecure-registry=gcr.io"},
			func(c *Config) { c.InsecureRegistries = []string{"localhost:5000", "gcr.io"} }},
		{"platform", "linux/arm/v7", "linux/arm/v7", []string{"--platform=linux/arm/v7"},
			func(c *Config) { c.Platform = "linux/arm/v7" }},
		{
			"artifacts", "[{image: 'acme/{web,api}', name: w, runtime: NODE}, {image: b}]",
			`"image=acme/{web,api},name=w,runtime=NODE\n\n  image=b\n"`,
			[]string{"--artifact=image=acme/{web,api},name=w,runtime=NODE", "--artifact=image=b"},
			func(c *Config) {
				c.Artifacts = []Artifact{{Image: "acme/{web,api}", Name: "w", Runtime: "nodejs"}, {Image: "b"}}
			},
		},
		{"runtimes", "[{image: gcr.io/acme/*, runtime: Golang}, {image: web, runtime: .net}]",
			`"gcr.io/acme/*=Golang\n\n web = .net\n"`,
			[]string{"--runtime=gcr.io/acme/*=Golang", "--runtime", "web=.net"},
			func(c *Config) { c.Runtimes = []ImageRuntime{{"gcr.io/acme/*", "go"}, {"web", "netcore"}} }},
		{"supportImages", "{node: 'localhost:5000/n:v1', go: a}", `"nodejs=localhost:5000/n:v1\n\n go = a\n"`,
			[]string{"--support-image=npm=localhost:5000/n:v1", "--support-image=golang=a"},
			func(c *Config) { c.SupportImages = map[string]string{"nodejs": "localhost:5000/n:v1", "go": "a"} }},
		{"supportTag", "v1.2", "v1.2", []string{"--support-tag=v1.2"}, func(c *Config) { c.SupportTag = "v1.2" }},
		{"supportPullPolicy", "Never", "Never", []string{"--support-pull-policy=Never"},
			func(c *Config) { c.SupportPullPolicy = "Never" }},
		{"supportDelivery", "image", "image", []string{"--support-delivery=image"},
			func(c *Config) { c.SupportDelivery = "image" }},
		{"supportRegistry", "localhost:5000/dbg/", "localhost:5000/dbg/", []string{"--support-registry=localhost:5000/dbg/"},
			func(c *Config) { c.SupportRegistry = "localhost:5000/dbg" }},
		{"listenOn", "loopback", "loopback", []string{"--listen-on=loopback"}, func(c *Config) { c.ListenOn = "loopback" }},
		{"engine", "first", "first", []string{"--engine=first"}, func(c *Config) { c.Engine = "first" }},
		{"engine", "never", "never", []string{"--engine=never"}, func(c *Config) { c.Engine = "never" }},
		{"listenOn", "all", "all", []string{"--listen-on=all"}, func(c *Config) { c.ListenOn = "all" }},
		{"protocols", "[pydevd, dap]", "'pydevd,dap'", []string{"--protocol=pydevd", "--protocol=dap"},
			func(c *Config) { c.Protocols = []string{"pydevd", "dap"} }},
		{"suspend", "true", "'true'", []string{"--suspend"}, func(c *Config) { c.Suspend = true }},
		{"replicas", "0", "'0'", []string{"--replicas=0"}, func(c *Config) { c.Replicas = 0 }},
		{"probeTimeout", "1h30m", "1h30m", []string{"--probe-timeout=1h30m"},
			func(c *Config) { c.ProbeTimeout = ProbeTimeout{Duration: 90 * time.Minute} }},
		{"lookInside", "always", "always", []string{"--look-inside=always"}, func(c *Config) { c.LookInside = "always" }},
		{"memory", "keep", "keep", []string{"--memory=keep"}, func(c *Config) { c.Memory = "keep" }},
		{"probeTimeout", "skip", "skip", []string{"--probe-timeout=skip"},
			func(c *Config) { c.ProbeTimeout = ProbeTimeout{Skip: true} }},
		{"strict", "true", "'true'", []string{"--strict"}, func(c *Config) { c.Strict = true }},
		{
			"workloads", "[{group: example.com, kind: App, template: 'spec.tasks[].template', replicas: spec.replicas}, " +
				"{group: '', kind: X, template: t, containers: [main, 'steps[]']}]", "", nil,
			func(c *Config) {
				c.Workloads = []WorkloadKind{
					{Group: "example.com", Kind: "App", Template: "spec.tasks[].template", Replicas: "spec.replicas"},
					{Kind: "X", Template: "t", Containers: []string{"main", "steps[]"}},
				}
			},
		},
	}
	tested := map[string]bool{}
	for _, test := range tests {
		tested[test.name] = true
		want := Default()
		test.want(&want)
		check := func(surface, functionConfig string, flags ...string) {
			t.Run(test.name+"/"+surface, func(t *testing.T) {
				got, err := load(functionConfig, flags...)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
		check("typed", typedHead+test.name+": "+test.typed)
		if test.configMap != "" {
			check("ConfigMap", configMapHead+"data: {"+test.name+": "+test.configMap+"}")
		}
		if test.flags != nil {
			check("flags", "", test.flags...)
		}
	}
	for _, s := range settings() {
		if !tested[s.name] {
			t.Errorf("setting %s is not tested", s.name)
		}
	}
}

func TestDefaults(t *testing.T) {
	for name, functionConfig := range map[string]string{
		"none":            "",
		"empty":           "{}",
		"null":            "null",
		"typed":           typedHead,
		"nulls":           typedHead + "layouts:\nreplicas: null\nplatform: ~\nimages:\n",
		"ConfigMap":       configMapHead,
		"empty ConfigMap": configMapHead + "immutable: true\ndata: {}\nbinaryData:\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(functionConfig)
			if err != nil || !reflect.DeepEqual(got, Default()) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	if got, err := Load(nil, nil); err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("without flags: got %+v, %v", got, err)
	}
}

// What the table calls a default is what Default returns.
func TestDefaultTexts(t *testing.T) {
	for _, s := range settings() {
		if s.defaultText == "" {
			continue
		}
		got, err := load("", "--"+s.flag+"="+s.defaultText)
		if err != nil || !reflect.DeepEqual(got, Default()) {
			t.Errorf("%s: %+v, %v", s.name, got, err)
		}
	}
}

func TestPrecedence(t *testing.T) {
	const typed = typedHead + "layouts: [a, b]\nreplicas: 2\nsuspend: true\noffline: true\nartifacts: [{image: a}, " +
		"{image: b}]\n"
	got, err := load(typed, "--layout=c", "--replicas=1", "--suspend=false", "--artifact=image=c")
	want := Default()
	want.Layouts, want.Offline, want.Artifacts = []string{"c"}, true, []Artifact{{Image: "c"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	got, err = load("", "--replicas=5", "--replicas=6")
	if err != nil || got.Replicas != 6 {
		t.Errorf("the last of a flag does not win: %+v, %v", got, err)
	}
}

func TestFunctionConfigErrors(t *testing.T) {
	const wanted = "; want kind Debuggable of debuggable.dev/v1alpha1, or kind ConfigMap of v1"
	typed := func(s string) string { return typedHead + s }
	data := func(s string) string { return configMapHead + "data: {" + s + "}" }
	tests := map[string]struct{ in, want string }{
		"not a mapping": {"[a]", `want a mapping, got a list`},
		"a list":        {"[]", `want a mapping, got a list`},
		"no type":       {"layouts: []", `the functionConfig has no apiVersion and kind` + wanted},
		"no kind":       {"apiVersion: v1", `kind: is missing` + wanted},
		"no apiVersion": {"kind: Debuggable", `apiVersion: is missing` + wanted},
		"other kind":    {"apiVersion: v1\nkind: Pod", `kind: a functionConfig cannot be of kind "Pod"` + wanted},
		"near kind": {"apiVersion: debuggable.dev/v1alpha1\nkind: debuggable",
			`kind: a functionConfig cannot be of kind "debuggable", did you mean "Debuggable"?` + wanted},
		"other version": {"apiVersion: debuggable.dev/v1\nkind: Debuggable",
			`apiVersion: "debuggable.dev/v1" is not the apiVersion of kind Debuggable` + wanted},
		"mixed": {"apiVersion: v1\nkind: Debuggable",
			`apiVersion: "v1" is not the apiVersion of kind Debuggable` + wanted},
		"unknown field": {typed("Layout: []"), `Layout: unknown field, did you mean layouts?`},
		"unknown field2": {typed(
			"colour: red"), `colour: unknown field; known are apiVersion, kind, metadata, layouts, archives, imageConfigs, ` +
			`images, offline, insecureRegistries, platform, artifacts, runtimes, engine, lookInside, supportRegistry, ` +
			`supportImages, supportTag, supportPullPolicy, supportDelivery, listenOn, protocols, suspend, replicas, ` +
			`probeTimeout, memory, strict, workloads`},
		"twice": {typed("replicas: 1\nreplicas: 2"), `replicas: is given twice`},
		"spec":  {typed("strict: true\ndata: {}"), `data: unknown field; known are`},

		"list":          {typed("layouts: a"), `layouts: want a list of strings, got the string "a"`},
		"list element":  {typed("archives: [a, {}]"), `archives[1]: want a string, got a mapping`},
		"empty element": {typed("imageConfigs: [a, ' ']"), `imageConfigs[1]: is empty`},
		"bool": {typed("offline: 'true'"),
			`offline: want true or false, got the string "true"; write it without quotes`},
		"int": {typed("replicas: '1'"),
			`replicas: want an integer, got the string "1"; write it without quotes`},
		"negative": {typed("replicas: -1"),
			`replicas: -1 is not a replica count; want 0 (leave counts alone) or more`},
		"huge": {typed("replicas: 2147483648"),
			`replicas: 2147483648 is not a replica count; want 0 (leave counts alone) or more`},
		"float": {typed("replicas: 1.0"), `replicas: want an integer, got the number "1.0"`},
		"registry": {typed("insecureRegistries: ['http://localhost:5000']"),
			`insecureRegistries[0]: "http://localhost:5000" is not a registry host; leave out http://: localhost:5000`},
		"registry path": {typed("insecureRegistries: [a, gcr.io/acme]"),
			`insecureRegistries[1]: "gcr.io/acme" is not a registry host like localhost:5000`},
		"no platform": {typed("platform: amd64"),
			`platform: "amd64" is not a platform: it lacks an OS or an architecture; want linux/ARCH or linux/ARCH/VARIANT, ` +
				`like linux/arm64`},
		"windows": {typed("platform: windows/amd64"),
			`platform: "windows/amd64" is not a platform: only Linux containers can be debugged; want`},
		"x86_64": {typed("platform: linux/x86_64"),
			`platform: "linux/x86_64" is not a platform: did you mean "linux/amd64"?; want`},
		"architecture": {typed("platform: linux/amd46"),
			`platform: "linux/amd46" is not a platform: "amd46" is no known architecture, did you mean "amd64"?; want`},
		"platform case": {typed("platform: Linux/AMD64"),
			`platform: "Linux/AMD64" is not a platform: did you mean "linux/amd64"?; want`},
		"platform parts": {typed("platform: linux/arm/v7/x"),
			`platform: "linux/arm/v7/x" is not a platform: it has more than three parts; want`},
		"platform slash": {typed("platform: linux/amd64/"),
			`platform: "linux/amd64/" is not a platform: its variant is not one like v7; want`},
		"OS version": {typed("platform: 'linux/amd64:1'"),
			`platform: "linux/amd64:1" is not a platform: an OS version means nothing for Linux; want`},
		"support tag": {typed("supportRegistry: 'gcr.io/acme/dbg:v1'"),
			`supportRegistry: "gcr.io/acme/dbg:v1" is not a repository prefix; want one like gcr.io/acme/debug, without tag ` +
				`and digest`},
		"support slash": {typed("supportRegistry: gcr.io//"), `supportRegistry: "gcr.io//" is not a repository prefix`},
		"support scheme": {typed("supportRegistry: 'https://gcr.io/acme'"),
			`supportRegistry: "https://gcr.io/acme" is not a repository; leave out https://: gcr.io/acme`},
		"support tag colon": {typed("supportTag: ':v1'"), `supportTag: ":v1" is not a tag like v1.2`},
		"support digest": {typed("supportTag: sha256:abc"),
			`supportTag: "sha256:abc" is not a tag like v1.2; a digest belongs into supportImages`},
		"pull policy": {typed("supportPullPolicy: always"),
			`supportPullPolicy: "always" is none of Always, IfNotPresent, Never, did you mean "Always"?`},
		"delivery": {typed("supportDelivery: images"),
			`supportDelivery: "images" is neither init nor image, did you mean "image"?`},
		"image runtime": {typed("supportImages: {pyton: a}"),
			`supportImages.pyton: "pyton" is not a runtime, did you mean "python"?`},
		"image not needed": {typed("supportImages: {java: a}"),
			`supportImages.java: jvm needs no support image; those that do are go, `},
		"image twice": {typed("supportImages: {go: a, golang: b}"),
			`supportImages.golang: go has a support image already: a`},
		"image malformed": {typed("supportImages: {go: 'a::b'}"), `supportImages.go: "a::b" is not`},
		"support empty":   {typed("supportRegistry: /"), `supportRegistry: is empty`},
		"protocol": {typed("protocols: [dap, pydev]"),
			`protocols[1]: "pydev" is not a debug protocol, did you mean "pydevd"?`},
		"protocol2": {typed("protocols: [gdbserver]"),
			`protocols[0]: "gdbserver" is not a debug protocol; ` + knownProtocols},
		"timeout 32 bit": {typed("probeTimeout: 600000h"),
			`probeTimeout: "600000h" is more than Kubernetes counts, 596523h14m7s; want a Go duration`},
		"engine": {typed("engine: always"), `engine: "always" is none of fallback, first and never`},
		"listenOn": {typed("listenOn: loopbak"),
			`listenOn: "loopbak" is none of default, all and loopback, did you mean "loopback"?`},
		"memory": {typed("memory: rise"), `memory: "rise" is neither raise nor keep, did you mean "raise"?`},
		"timeout int": {typed("probeTimeout: 10"),
			`probeTimeout: "10" has no unit, did you mean "10s"?`},
		"timeout unit": {typed("probeTimeout: '10'"), `probeTimeout: "10" has no unit, did you mean "10s"?`},
		"timeout zero": {typed("probeTimeout: 0s"),
			`probeTimeout: "0s" is not above zero; want a Go duration above zero, like 10m or 90s, or skip`},
		"timeout skip": {typed("probeTimeout: Skip"),
			`probeTimeout: "Skip" is not a duration, did you mean "skip"?; want`},
		"timeout words": {typed("probeTimeout: ten minutes"), `probeTimeout: "ten minutes" is not a duration; want`},
		"timeout empty": {typed("probeTimeout: ''"), `probeTimeout: "" is not a duration; want`},

		"artifact string": {typed("artifacts: [web]"), `artifacts[0]: want a mapping, got the string "web"`},
		"artifact image":  {typed("artifacts: [{name: a}]"), `artifacts[0].image: is missing`},
		"artifact runtime": {typed("artifacts: [{image: a}, {image: b, runtime: pyton}]"),
			`artifacts[1].runtime: "pyton" is not a runtime, did you mean "python"?`},
		"artifact perl": {typed("artifacts: [{image: b, runtime: perl}]"),
			`artifacts[0].runtime: "perl" is not a runtime; ` + knownRuntimes},
		"artifact type": {typed("artifacts: [{image: a, name: 1}]"),
			`artifacts[0].name: want a string, got the integer "1"; put it in quotes`},
		"artifact field": {typed("artifacts: [{image: a, runtimes: go}]"),
			`artifacts[0].runtimes: unknown field, did you mean runtime?`},
		"artifact pattern": {typed("artifacts: [{image: 'a/[b'}]"),
			`artifacts[0].image: "a/[b" is not a valid pattern; look at its brackets and braces`},
		"artifact digest": {typed("artifacts: [{image: 'a@sha256:12'}]"),
			`artifacts[0].image: "a@sha256:12" is not an image: its digest is not like sha256:<64 hexadecimal digits>`},
		"artifact tag": {typed("artifacts: [{image: 'a:'}]"),
			`artifacts[0].image: "a:" is not an image: its tag or digest is empty`},
		"artifact slash": {typed("artifacts: [{image: /a}]"),
			`artifacts[0].image: "/a" is not an image: its repository is empty or begins or ends with a slash`},
		"artifact colons": {typed("artifacts: [{image: 'a:b:c'}, {image: 'a:80/b:c:d'}, {image: 'a:80/b:c'}]"),
			"artifacts[0].image: \"a:b:c\" is not an image: it has a colon in its repository\nartifacts[1].image: " +
				"\"a:80/b:c:d\" is not an image: it has a colon in its repository"},
		"artifact space": {typed("artifacts: [{image: 'a b'}]"),
			`artifacts[0].image: "a b" is not an image: it has white space`},
		"artifact empty": {typed("artifacts: [{image: ''}]"), `artifacts[0].image: is empty`},
		"artifact scheme": {typed("artifacts: [{image: 'https://a/b'}]"),
			`artifacts[0].image: "https://a/b" is not an image; leave out the scheme`},

		"image entry": {typed("images: [{image: a, config: {}}, {image: a, config: {Entrypoint: /app}}]"),
			`images[1].config.Entrypoint: want a list of strings, got the string "/app"`},

		"workload group": {typed("workloads: [{group: apps/v1, kind: A, template: a}]"),
			`workloads[0].group: "apps/v1" has a version; write the group alone: apps`},
		"workload group2": {typed("workloads: [{group: A_b, kind: A, template: a}]"),
			`workloads[0].group: "A_b" is not an API group like apps or argoproj.io`},
		"workload kind": {typed("workloads: [{kind: deployment.apps, template: a}]"),
			`workloads[0].kind: "deployment.apps" is not a kind like Deployment`},
		"workload missing": {typed("workloads: [{}]"), "workloads[0].kind: is missing\nworkloads[0].template: is missing"},
		"workload template": {typed("workloads: [{kind: A, template: .spec..x}]"),
			`workloads[0].template: ".spec..x" is not a path; want fields separated by dots, like spec.template or ` +
				`spec.tasks[].template`},
		"workload index": {typed("workloads: [{kind: A, template: 'spec.x[0]'}]"),
			`workloads[0].template: "spec.x[0]" is not a path`},
		"workload replicas": {typed("workloads: [{kind: A, template: a, replicas: 'spec.x[]'}]"),
			`workloads[0].replicas: "spec.x[]" is a list; want the path of a number`},
		"workload container": {typed("workloads: [{kind: A, template: a, containers: [b, '.']}]"),
			`workloads[0].containers[1]: "." is not a path; want fields`},
		"workload field": {typed("workloads: [{kind: A, template: a, replica: b}]"),
			`workloads[0].replica: unknown field, did you mean replicas?`},

		"ConfigMap key":   {data("image-configs: a"), `image-configs: unknown field, did you mean imageConfigs?`},
		"ConfigMap field": {configMapHead + "dat: {}", `dat: unknown field, did you mean data?`},
		"ConfigMap binary": {configMapHead + "binaryData: {replicas: MQ==}",
			`binaryData: settings are not read from binaryData; move them to data`},
		"ConfigMap images": {data("images: '[]'"),
			`images: cannot be given in a ConfigMap; use a functionConfig of kind Debuggable of debuggable.dev/v1alpha1`},
		"ConfigMap workloads": {data("workloads: ''"),
			`workloads: cannot be given in a ConfigMap; use a functionConfig of kind Debuggable of debuggable.dev/v1alpha1`},
		"ConfigMap int":  {data("replicas: 1"), `replicas: want a string, got the integer "1"; put it in quotes`},
		"ConfigMap bool": {data("strict: yes"), `strict: "yes" is neither true nor false`},
		"ConfigMap replicas": {data("replicas: many"),
			`replicas: "many" is not an integer; want 0 (leave counts alone) or more`},
		"ConfigMap comma": {data("layouts: 'a,,b'"), `layouts[1]: is empty`},
		"ConfigMap artifact": {data("artifacts: web"),
			`artifacts[0]: "web" is not of the form image=IMAGE[,name=NAME][,runtime=RUNTIME], did you mean "image=web"?`},
		"ConfigMap artifact2": {data(`artifacts: "image=a\nname=b"`), `artifacts[1].image: is missing in "name=b"`},
		"ConfigMap artifact3": {data(`artifacts: "image=a,runtime=zig"`),
			`artifacts[0].runtime: "zig" is not a runtime; known are`},
		"ConfigMap artifact4": {data(`artifacts: "image=a,image=b"`), `artifacts[0].image: is given twice`},
		"ConfigMap artifact5": {data(`artifacts: "image=a,imgae=b"`),
			`artifacts[0].imgae: unknown field, did you mean "image"?`},
		"ConfigMap artifact6": {data(`artifacts: "image=a,b"`),
			`artifacts[0]: "image=a,b" is not of the form image=IMAGE[,name=NAME][,runtime=RUNTIME]: look at "b"`},

		"all, in document order": {
			typed("strict: 1\nprotocols: [x]\nartifacts: [{image: '', runtime: x}]\nlayout: []\nreplicas: -1"),
			"strict: want true or false, got the integer \"1\"\nprotocols[0]: \"x\" is not a debug protocol; " + knownProtocols +
				"\nartifacts[0].image: is empty\n" +
				"artifacts[0].runtime: \"x\" is not a runtime; " + knownRuntimes +
				"\nlayout: unknown field, did you mean layouts?\nreplicas: -1 is not",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := load(test.in)
			if err == nil {
				t.Fatalf("no error; want %s", test.want)
			}
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", err, test.want)
			}
			if !reflect.DeepEqual(got, Config{}) {
				t.Errorf("settings beside an error: %+v", got)
			}
		})
	}
}

func TestFlagErrors(t *testing.T) {
	tests := []struct{ arg, want string }{
		{"--replicas=x", `invalid argument "x" for "--replicas" flag: "x" is not an integer; want 0 (leave counts alone) ` +
			`or more`},
		{"--offline=yes", `invalid argument "yes" for "--offline" flag: "yes" is neither true nor false`},
		{"--layout=", `invalid argument "" for "--layout" flag: is empty`},
		{"--platform=amd64", `invalid argument "amd64" for "--platform" flag: "amd64" is not a platform: it lacks an OS or ` +
			`an architecture; want linux/ARCH or linux/ARCH/VARIANT, like linux/arm64`},
		{"--protocol=jdpw", `invalid argument "jdpw" for "--protocol" flag: "jdpw" is not a debug protocol, did you mean ` +
			`"jdwp"?`},
		{"--artifact=image=a,runtime=perl", `invalid argument "image=a,runtime=perl" for "--artifact" flag: runtime: ` +
			`"perl" is not a runtime; ` + knownRuntimes},
		{"--artifact=", `invalid argument "" for "--artifact" flag: is empty`},
		{"--artifact=gcr.io/acme/web", `invalid argument "gcr.io/acme/web" for "--artifact" flag: "gcr.io/acme/web" is not ` +
			`of the form image=IMAGE[,name=NAME][,runtime=RUNTIME], did you mean "image=gcr.io/acme/web"?`},
		{"--probe-timeout=5", `invalid argument "5" for "--probe-timeout" flag: "5" has no unit, did you mean "5s"?`},
		{"--build-artifacts=", `invalid argument "" for "--build-artifacts" flag: is empty`},
	}
	for _, test := range tests {
		if _, err := parse(test.arg); err == nil || err.Error() != test.want {
			t.Errorf("%s: got:\n%v\nwant:\n%s", test.arg, err, test.want)
		}
	}
}

func TestFlagUsage(t *testing.T) {
	fs := pflag.NewFlagSet("debuggable", pflag.ContinueOnError)
	AddFlags(fs)
	usage := fs.FlagUsages()
	for _, want := range []string{
		"--artifact image=IMAGE[,...] ", "--offline ", "--platform OS/ARCH ", `(default linux/amd64)`, "(default 10m)",
		"(default 1)",
		`"skip" leaves probes alone`, "--build-artifacts FILE ", "--layout [IMAGE=]DIR ",
	} {
		if !strings.Contains(usage, want) {
			t.Errorf("usage lacks %q:\n%s", want, usage)
		}
	}
	if strings.Contains(usage, "(default false)") {
		t.Errorf("usage has useless defaults:\n%s", usage)
	}
	for _, s := range settings() {
		if s.flag != "" && fs.Lookup(s.flag) == nil {
			t.Errorf("no flag --%s", s.flag)
		}
	}
}

func TestParseRuntime(t *testing.T) {
	for in, want := range map[string]string{
		"go": "go", "golang": "go", "Go": "go", "jvm": "jvm", "java": "jvm", "JAVA": "jvm", "nodejs": "nodejs",
		"node": "nodejs", "npm": "nodejs", "NodeJS": "nodejs",
		"python": "python", "netcore": "netcore", "dotnet": "netcore", ".net": "netcore", ".NET": "netcore",
	} {
		if got, err := ParseRuntime(in); err != nil || got != want {
			t.Errorf("ParseRuntime(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "perl", " go", "python3"} {
		if got, err := ParseRuntime(in); err == nil {
			t.Errorf("ParseRuntime(%q) = %q", in, got)
		}
	}
}

func TestProbeTimeoutString(t *testing.T) {
	for _, in := range []string{"skip", "10m0s", "1.5s"} {
		p, err := ParseProbeTimeout(in)
		if err != nil || p.String() != in {
			t.Errorf("%s: got %s, %v", in, p, err)
		}
	}
}

func TestAliasesAreFollowed(t *testing.T) {
	got, err := load(typedHead + "layouts: &l [a]\narchives: *l\n")
	if err != nil || !slices.Equal(got.Archives, []string{"a"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}
