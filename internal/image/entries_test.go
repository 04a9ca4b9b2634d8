package image

import (
	"bytes"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	k8syaml "sigs.k8s.io/yaml"
)

const zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

const head = `apiVersion: debuggable.dev/v1alpha1
kind: ImageConfigs
metadata:
  name: image-configs
  annotations:
    config.kubernetes.io/local-config: "true"
`

func TestParseEntries(t *testing.T) {
	tests := map[string]struct {
		in   string
		want []Entry
		err  string // all lines
	}{
		"none":    {in: "[]"},
		"null":    {in: "null"},
		"minimal": {in: `[{image: web, config: {}}]`, want: []Entry{{Image: "web"}}},
		"all fields": {
			in: `
- image: gcr.io/acme/web:v1
  digest: ` + zeros + `
  platform: linux/arm/v7
  author: github.com/google/ko
  config:
    Entrypoint: [/app]
    Cmd: [serve]
    Env: [A=1, B=]
    WorkingDir: /srv
    User: "1000"
    Labels: {a.b/c: d, none: null}
    ExposedPorts: {8080/tcp: {}, 53/udp: null}
    Volumes: {/data: {}}
    StopSignal: SIGINT
    OnBuild: [RUN x]
    Healthcheck: {Test: [CMD, curl], Interval: 3000000000, Retries: 3, StartInterval: 1}
    Shell: [/bin/bash, -c]
    ArgsEscaped: true
    Memory: 5
    x-unknown: {any: thing}
`,
			want: []Entry{{
				Image: "gcr.io/acme/web:v1", Digest: zeros, Platform: "linux/arm/v7", Author: "github.com/google/ko",
				Config: v1.Config{
					Entrypoint: []string{"/app"}, Cmd: []string{"serve"}, Env: []string{"A=1", "B="}, WorkingDir: "/srv", User: "1000",
					Labels:       map[string]string{"a.b/c": "d"},
					ExposedPorts: map[string]struct{}{"8080/tcp": {}, "53/udp": {}},
					Volumes:      map[string]struct{}{"/data": {}},
					StopSignal:   "SIGINT", OnBuild: []string{"RUN x"},
					Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "curl"}, Interval: 3 * time.Second, Retries: 3},
					Shell:       []string{"/bin/bash", "-c"}, ArgsEscaped: true,
				},
			}},
		},
		"empty values are absent ones": {
			in:   `[{image: web, config: {Entrypoint: [], Cmd: null, Labels: {}, Volumes: {}, Healthcheck: {}, User: ""}}]`,
			want: []Entry{{Image: "web"}},
		},
		"aliases": {
			in: `[{image: a, config: &c {Cmd: [x]}}, {image: b, config: *c}]`,
			want: []Entry{{Image: "a", Config: v1.Config{Cmd: []string{"x"}}},
				{Image: "b", Config: v1.Config{Cmd: []string{"x"}}}},
		},
		"no list":   {in: `{image: web}`, err: `images: want a list, got a mapping`},
		"no entry":  {in: `[web]`, err: `images[0]: want a mapping, got the string "web"`},
		"no image":  {in: `[{config: {}}]`, err: `images[0].image: is missing`},
		"no config": {in: `[{image: web}]`, err: `images[0].config: is missing`},
		"capitals": {in: `[{image: Web, config: {}}]`,
			err: `images[0].image: "Web" is not an image reference: a repository's name has no capital letters`},
		"bad image": {in: `[{image: "Web App", config: {}}]`,
			err: `images[0].image: "Web App" is not an image reference: want ` +
				`REPOSITORY[:TAG][@DIGEST], like gcr.io/acme/web:v1`},
		"bad digest": {in: `[{image: web, digest: "sha256:00", config: {}}]`,
			err: `images[0].digest: "sha256:00" is not a digest like sha256:<64 hexadecimal digits>: wrong number of hex ` +
				`digits for sha256: 00`},
		"bad platform": {
			in: `[{image: web, platform: amd64, config: {}}, {image: web, platform: linux/, config: {}}]`,
			err: "images[0].platform: \"amd64\" is not a platform like linux/amd64 or linux/arm/v7\nimages[1].platform: " +
				"\"linux/\" is not a platform like linux/amd64 or linux/arm/v7",
		},
		"unknown field": {in: `[{image: web, Config: {}, config: {}}]`,
			err: `images[0].Config: unknown field, did you mean config?`},
		"entrypoint no list": {in: `[{image: a, config: {}}, {image: b, config: {}}, {image: c, config: {Entrypoint: /app}}]`,
			err: `images[2].config.Entrypoint: want a list of strings, got the string "/app"`},
		"number in env": {in: `[{image: a, config: {Env: [A=1, 2]}}]`,
			err: `images[0].config.Env[1]: want a string, got the integer "2"; put it in quotes`},
		"number as user": {in: `[{image: a, config: {User: 1000}}]`,
			err: `images[0].config.User: want a string, got the integer "1000"; put it in quotes`},
		"label": {in: `[{image: a, config: {Labels: {org.version: 1.0}}}]`,
			err: `images[0].config.Labels["org.version"]: want a string, got the number "1.0"; put it in quotes`},
		"port": {in: `[{image: a, config: {ExposedPorts: {80: {}, 81: 1}}}]`,
			err: `images[0].config.ExposedPorts["81"]: want a mapping, got the integer "1"`},
		"ports as list": {in: `[{image: a, config: {ExposedPorts: [80]}}]`,
			err: `images[0].config.ExposedPorts: want a mapping, got a list`},
		"health check": {in: `[{image: a, config: {Healthcheck: {Interval: 3s}}}]`,
			err: `images[0].config.Healthcheck.Interval: want an integer, got the string "3s"`},
		"case": {in: `[{image: a, config: {entrypoint: [/app]}}]`,
			err: `images[0].config.entrypoint: case matters in field names: write Entrypoint`},
		"twice": {in: `[{image: a, config: {Cmd: [a], Cmd: [b]}}]`, err: `images[0].config.Cmd: is given twice`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEntries(yaml.MustParse(test.in), "images")
			checkEntries(t, got, err, test.want, test.err)
		})
	}
	t.Run("no node", func(t *testing.T) {
		got, err := ParseEntries(nil, "images")
		checkEntries(t, got, err, nil, "")
	})
}

func checkEntries(t *testing.T, got []Entry, err error, want []Entry, wantErr string) {
	t.Helper()
	message := ""
	if err != nil {
		message = err.Error()
	}
	if message != wantErr {
		t.Errorf("error:\n%s\nwant:\n%s", message, wantErr)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseImageConfigs(t *testing.T) {
	const in = `reading image configurations "f.yaml": `
	tests := map[string]struct {
		in   string
		want []Entry
		err  string
	}{
		"one":       {in: head + "images:\n- {image: a, config: {}}\n", want: []Entry{{Image: "a"}}},
		"no images": {in: head},
		"several": {in: "# comment\n---\n" + head + "images: [{image: a, config: {}}]\n---\n# nothing\n---\n" + head +
			"images: [{image: b, config: {}}]\n", want: []Entry{{Image: "a"}, {Image: "b"}}},
		"JSON": {in: `{"apiVersion":"debuggable.dev/v1alpha1","kind":"ImageConfigs",` +
			`"images":[{"image":"a","config":{"Cmd":["x"]}}]}`,
			want: []Entry{{Image: "a", Config: v1.Config{Cmd: []string{"x"}}}}},
		"empty": {in: "# nothing\n", err: in + `there is no ImageConfigs resource in it`},
		"other kind": {in: head + "---\napiVersion: v1\nkind: Pod\nspec: {}\n",
			err: in + `document 2: want a resource of kind ImageConfigs of debuggable.dev/v1alpha1, got kind "Pod" of ` +
				`apiVersion "v1"`},
		"other version": {in: strings.Replace(head, "v1alpha1", "v1", 1),
			err: in + `document 1: want a resource of kind ImageConfigs of debuggable.dev/v1alpha1, got kind "ImageConfigs" ` +
				`of apiVersion "debuggable.dev/v1"`},
		"no mapping": {in: "- a\n", err: in +
			`document 1: want a resource of kind ImageConfigs of debuggable.dev/v1alpha1, got no mapping`},
		"unknown field": {in: head + "image: []\n", err: in + `document 1: image: unknown field, did you mean images?`},
		"images twice":  {in: head + "images: []\nimages: []\n", err: in + `document 1: images: is given twice`},
		"syntax": {in: head + "images: [\n",
			err: in + `document 1: yaml: line 7: did not find expected node content`},
		"no UTF-8": {in: "a: \xff\n", err: in + `the text is not valid UTF-8`},
		"several errors": {in: head + "images: [{image: a}]\n---\n" + head + "images: [{config: {}}]\n",
			err: in + "document 1: images[0].config: is missing\n" + in + "document 2: images[0].image: is missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseImageConfigs([]byte(test.in), "f.yaml")
			checkEntries(t, got, err, test.want, test.err)
		})
	}
}

// TestImageConfigsAreBounded: a few lines with aliases can stand for more than memory holds.
func TestImageConfigsAreBounded(t *testing.T) {
	const many = 5000
	in := head + "images:\n- &image {image: a, config: {Env: [&env A=b" + strings.Repeat(", *env", many) + "]}}\n" +
		strings.Repeat("- *image\n", many)
	got, err := ParseImageConfigs([]byte(in), "f.yaml")
	checkEntries(t, got, err, nil, `reading image configurations "f.yaml": document 1: images[200].config.Env: there `+
		`are more than 1000000 values up to here: do aliases (*name) multiply?`)
}

func TestParseImageConfigsResource(t *testing.T) {
	got, err := ParseImageConfigsResource(yaml.MustParse(head + "images: [{image: a, config: {Cmd: [x]}}]\n"))
	checkEntries(t, got, err, []Entry{{Image: "a", Config: v1.Config{Cmd: []string{"x"}}}}, "")
	got, err = ParseImageConfigsResource(yaml.MustParse(head + "images: [{image: a, config: {Cmd: x}}]\n"))
	checkEntries(t, got, err, nil, `images[0].config.Cmd: want a list of strings, got the string "x"`)
}

func TestParseImageConfigsOfOnlineBoutique(t *testing.T) {
	data, err := os.ReadFile("../../testdata/realworld/online-boutique-images.yaml")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := ParseImageConfigs(data, "online-boutique-images.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := bytes.Count(data, []byte("\n- image: ")); len(entries) != want {
		t.Errorf("%d entries, want %d", len(entries), want)
	}
	for _, e := range entries {
		if len(e.Config.Entrypoint)+len(e.Config.Cmd) == 0 || len(e.Config.Env) == 0 || e.Platform != "linux/amd64" {
			t.Errorf("%s: not all was read: %+v", e.Image, e)
		}
	}
}

func TestMarshalImageConfigs(t *testing.T) {
	entries := []Entry{
		{
			Image: "gcr.io/acme/web:v1", Digest: zeros, Pin: zeros, Platform: "linux/amd64", Author: "github.com/google/ko",
			Config: v1.Config{
				Entrypoint: []string{"/app"}, Env: []string{"GOTRACEBACK=single"}, WorkingDir: "/srv", User: "1000",
				Cmd:    []string{"yes", "1.5", "a b", "it's: #1", "two\nlines"},
				Labels: map[string]string{"b": "no", "a": "x"}, ExposedPorts: map[string]struct{}{"9/tcp": {}, "80/tcp": {}},
				Volumes:     map[string]struct{}{},
				Healthcheck: &v1.HealthConfig{Test: []string{"NONE"}, Timeout: time.Second, Retries: 2}, Tty: true,
			},
		},
		{Image: "busybox"},
	}
	const want = head + `images:
- image: gcr.io/acme/web:v1
  digest: ` + zeros + `
  pin: ` + zeros + `
  platform: linux/amd64
  author: github.com/google/ko
  config:
    Entrypoint: [/app]
    Cmd: ["yes", "1.5", a b, 'it''s: #1', "two\nlines"]
    Env: [GOTRACEBACK=single]
    WorkingDir: /srv
    User: "1000"
    Labels:
      a: x
      b: "no"
    ExposedPorts:
      80/tcp: {}
      9/tcp: {}
    Healthcheck:
      Test: [NONE]
      Timeout: 1000000000
      Retries: 2
    Tty: true
- image: busybox
  config: {}
`
	got, err := MarshalImageConfigs("image-configs", entries)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	got, err = MarshalImageConfigs("image-configs", nil)
	if err != nil || string(got) != head+"images: []\n" {
		t.Errorf("no entries: got:\n%s%v", got, err)
	}
	if _, err := MarshalImageConfigs("x", []Entry{{Image: "a", Config: v1.Config{User: "\xff"}}}); err == nil {
		t.Error("text that is not UTF-8 was written")
	}
}

// Every field of v1.Config is read and written: a field that go-containerregistry adds must not get lost in lock files.
func TestConfigKeysAreComplete(t *testing.T) {
	known := map[string]bool{}
	for _, k := range configKeys() {
		known[k.name] = true
	}
	fields := reflect.TypeFor[v1.Config]()
	for i := range fields.NumField() {
		key, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		if !known[key] {
			t.Errorf("no line for %s in configKeys", key)
		}
		delete(known, key)
	}
	for key := range known {
		t.Errorf("configKeys has %s, v1.Config has not", key)
	}
}

func roundTrip(t *testing.T, entries []Entry) {
	t.Helper()
	data, err := MarshalImageConfigs("image-configs", entries)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseImageConfigs(data, "f.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if !reflect.DeepEqual(got, entries) {
		t.Fatalf("got  %#v\nwant %#v\n%s", got, entries, data)
	}
	again, err := MarshalImageConfigs("image-configs", got)
	if err != nil || !bytes.Equal(again, data) {
		t.Fatalf("written again: %v\n%s\nwant:\n%s", err, again, data)
	}
	// Kubernetes' own reader, which follows YAML 1.1 and encoding/json, sees the same.
	var seen struct {
		Images []struct {
			Image  string    `json:"image"`
			Author string    `json:"author"`
			Config v1.Config `json:"config"`
		} `json:"images"`
	}
	if err := k8syaml.Unmarshal(data, &seen); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	for i, e := range entries {
		if s := seen.Images[i]; s.Image != e.Image || s.Author != e.Author || !reflect.DeepEqual(s.Config, e.Config) {
			t.Fatalf("Kubernetes sees %#v\nin\n%s", s, data)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	words := []string{"", " ", "a", "/app", "yes", "No", "null", "~", "1", "-1", "1.5e3", "0x1F", "0o17", "1_000",
		"1:20:30", ".inf", "2020-01-01", "true", "<<", "=", "-", "--", "- a", "a: b", "#a", "a #b", "$(A)", "$$", "\"", "'",
		"\\", "a\nb", "\n", "a\n", " a", "a ", "\ta", "a\tb", "{a}", "[a", "a,b", "&a", "*a", "!a", "|", ">", "%a", "@a",
		"`a", "?", ": ", "é", "日本", "\u0085", "\u2028", "\ufeff", "\x00", "\x1b[0m", "😀",
		strings.Repeat("long ", 100)}
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		s := words[random.IntN(len(words))]
		if random.IntN(4) == 0 {
			s += words[random.IntN(len(words))]
		}
		return s
	}
	list := func() []string {
		var l []string
		for range random.IntN(4) {
			l = append(l, word())
		}
		return l
	}
	set := func() map[string]struct{} {
		m := map[string]struct{}{}
		for range random.IntN(3) {
			m[word()] = struct{}{}
		}
		if len(m) == 0 {
			return nil
		}
		return m
	}
	for range 1000 {
		var entries []Entry
		for range random.IntN(3) {
			e := Entry{Image: "gcr.io/acme/web:v1", Author: word(), Config: v1.Config{
				Entrypoint: list(), Cmd: list(), Env: list(), WorkingDir: word(), User: word(), ExposedPorts: set(), Volumes: set(),
				StopSignal: word(), OnBuild: list(), Shell: list(), Hostname: word(), Tty: random.IntN(2) == 0,
			}}
			for key := range set() {
				e.Config.Labels = map[string]string{key: word()}
			}
			if random.IntN(2) == 0 {
				e.Digest, e.Platform = zeros, "linux/arm64/v8"
				e.Config.Healthcheck = &v1.HealthConfig{Test: list(), Interval: time.Duration(random.Int64()), Retries: 1}
			}
			entries = append(entries, e)
		}
		roundTrip(t, entries)
	}
}

func FuzzParseImageConfigs(f *testing.F) {
	f.Add([]byte(head + "images:\n- {image: a, config: {Cmd: [a, \"\\n\"], Labels: {a: b}}}\n"))
	f.Add([]byte(head + "images: &a [*a]\n"))
	f.Add([]byte(head + "images: [&a {image: a, config: {Healthcheck: {Test: [x], Interval: 0x10}}}, *a]\n---\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ParseImageConfigs(data, "f.yaml")
		if err != nil || len(entries) == 0 {
			return
		}
		roundTrip(t, entries)
	})
}
