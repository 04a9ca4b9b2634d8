package functionconfig

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	other := strings.Replace(digest, "0123", "3210", 1)
	tests := []struct {
		image    string
		yes, not []string
	}{
		{
			"nginx",
			[]string{"nginx", "nginx:1.29", "nginx@" + digest, "library/nginx", "docker.io/nginx", "docker.io/library/nginx:1",
				"index.docker.io/library/nginx:1@" + digest},
			[]string{"gcr.io/nginx", "acme/nginx", "docker.io/acme/nginx", "nginx2", "library/nginx/x", "localhost/nginx", ""},
		},
		{"index.docker.io/library/nginx", []string{"nginx", "docker.io/nginx:1"},
			[]string{"library/library/nginx", "gcr.io/library/nginx"}},
		{"docker.io/acme/web", []string{"acme/web", "index.docker.io/acme/web:v1"}, []string{"acme/web/x", "web"}},
		{"gcr.io/acme/web", []string{"gcr.io/acme/web", "gcr.io/acme/web:v1", "gcr.io/acme/web:v1@" + digest},
			[]string{"acme/web", "eu.gcr.io/acme/web", "gcr.io/acme/web-api"}},
		{"gcr.io/acme/*", []string{"gcr.io/acme/web:v1"}, []string{"gcr.io/acme", "gcr.io/acme/a/b", "docker.io/acme/web"}},
		{"gcr.io/acme/**", []string{"gcr.io/acme/web", "gcr.io/acme/a/b:v1"}, []string{"gcr.io/other/web"}},
		{"*/web", []string{"acme/web", "docker.io/acme/web"}, []string{"gcr.io/acme/web"}},
		{"web*", []string{"web", "web-api:v1", "docker.io/library/web"}, []string{"gcr.io/acme/web", "acme/web"}},
		{"**/web", []string{"web", "acme/web", "gcr.io/acme/web:v1", "localhost:5000/a/b/c/web@" + digest},
			[]string{"gcr.io/acme/web-api"}},
		{"**/web*", []string{"web", "gcr.io/acme/web-api"}, []string{"gcr.io/web/api"}},
		{"**", []string{"web", "gcr.io/a/b:c", "localhost:5000/x"}, nil},
		{"docker.io/**", []string{"nginx", "acme/web"}, []string{"gcr.io/acme/web"}},
		{"docker.io/library/*", []string{"nginx"}, []string{"acme/web"}},
		{"{gcr,ghcr}.io/acme/{web,api}", []string{"gcr.io/acme/web", "ghcr.io/acme/api:v1"}, []string{"gcr.io/acme/db"}},
		{"localhost:5000/web", []string{"localhost:5000/web", "localhost:5000/web:v1"},
			[]string{"localhost:5001/web", "web"}},
		{"localhost:*/web", []string{"localhost:5000/web"}, []string{"localhost/web"}},
		{"web:v1", []string{"web:v1", "docker.io/library/web:v1", "web:v1@" + digest},
			[]string{"web", "web:v2", "web@" + digest}},
		{"web:v*", []string{"web:v1", "web:v2.3"}, []string{"web:latest", "web"}},
		{"web:latest", []string{"web", "web:latest"}, []string{"web:v1", "web@" + digest}},
		{"web@" + digest, []string{"web@" + digest, "web:v1@" + digest}, []string{"web", "web:v1", "web@" + other}},
		{"web:v1@" + digest, []string{"web:v1@" + digest}, []string{"web@" + digest, "web:v2@" + digest, "web:v1"}},
		{"acme/*-web", []string{"acme/a-web"}, []string{"acme/${NAME}"}},
		{"acme/$*", []string{"acme/${NAME}:v1"}, nil},
	}
	for _, test := range tests {
		if err := checkImagePattern(test.image); err != nil {
			t.Errorf("%s: %v", test.image, err)
		}
		for _, ref := range test.yes {
			if !(Artifact{Image: test.image}).Match(ref) {
				t.Errorf("%s does not match %s", test.image, ref)
			}
		}
		for _, ref := range test.not {
			if (Artifact{Image: test.image}).Match(ref) {
				t.Errorf("%s matches %s", test.image, ref)
			}
		}
	}
}

func TestBuildArtifacts(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := map[string]struct {
		in   string
		want []Artifact
		err  string // begin of the error, behind the file's name
	}{
		"same repository": {`{"builds":[{"imageName":"gcr.io/acme/web","tag":"gcr.io/acme/web:v1` + digest + `"}]}`,
			[]Artifact{{Image: "gcr.io/acme/web", Name: "gcr.io/acme/web"}}, ""},
		"same by other name": {`{"builds":[{"imageName":"web","tag":"docker.io/library/web:v1"}]}`,
			[]Artifact{{Image: "docker.io/library/web", Name: "web"}}, ""},
		"default repository": {
			`{"builds":[{"imageName":"web","tag":"localhost:5000/acme/web:v1` + digest +
				`","platform":"x"},{"imageName":"api","tag":"localhost:5000/acme/api:v1"}]}`,
			[]Artifact{{Image: "localhost:5000/acme/web", Name: "web"}, {Image: "web", Name: "web", variant: true},
				{Image: "localhost:5000/acme/api", Name: "api"}, {Image: "api", Name: "api", variant: true}}, "",
		},
		"one repository for two": {
			`{"builds":[{"imageName":"web","tag":"gcr.io/acme/all:web` + digest +
				`"},{"imageName":"api","tag":"gcr.io/acme/all:api"}]}`,
			[]Artifact{{Image: "gcr.io/acme/all:web", Name: "web"}, {Image: "web", Name: "web", variant: true},
				{Image: "gcr.io/acme/all:api", Name: "api"}, {Image: "api", Name: "api", variant: true}}, "",
		},
		"no builds": {`{"builds":[]}`, nil, ""},
		"not JSON": {`builds: []`, nil, `invalid character 'b' looking for beginning of value; want the JSON that ` +
			`skaffold build --file-output writes`},
		"other JSON": {`{"images":[]}`, nil,
			`builds: is missing; want the JSON that skaffold build --file-output writes`},
		"missing fields": {`{"builds":[{"imageName":"a","tag":"a:b"},{}]}`, nil, "builds[1].imageName: is missing\n" +
			"builds[1].tag: is missing"},
		"a list": {`[]`, nil, `is of type array; want the JSON that skaffold build --file-output writes`},
		"builds no list": {`{"builds":"web"}`, nil, `builds: is of type string; want the JSON that skaffold build ` +
			`--file-output writes`},
		"number": {`{"builds":[{"imageName":1,"tag":"a:b"}]}`, nil,
			`builds.imageName: is of type number; want the JSON that skaffold build --file-output writes`},
		"no reference": {`{"builds":[{"imageName":"a*","tag":"a:b"}]}`, nil,
			`builds[0].imageName: "a*" is not an image reference: want REPOSITORY[:TAG][@DIGEST], like gcr.io/acme/web:v1`},
		"empty file": {``, nil, `unexpected end of JSON input`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "build.json")
			if err := os.WriteFile(file, []byte(test.in), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := load("", "--build-artifacts", file)
			if test.err != "" {
				if want := `reading build artifacts "` + file + `": ` + test.err; err == nil ||
					!strings.HasPrefix(err.Error(), want) {
					t.Fatalf("got:\n%v\nwant:\n%s", err, want)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got.Artifacts, test.want) {
				t.Errorf("got %+v, %v; want %+v", got.Artifacts, err, test.want)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "none.json")
		if _, err := load("", "--build-artifacts="+file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("got %v", err)
		}
	})
}

// Builds come behind the artifacts that the user wrote, whichever surface those come from.
func TestBuildArtifactsAreAdded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "build.json")
	if err := os.WriteFile(file, []byte(`{"builds":[{"imageName":"web","tag":"web:v1"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	typed := typedHead + "artifacts: [{image: a}]"
	for _, args := range [][]string{{"--build-artifacts=" + file}, {"--build-artifacts=" + file, "--artifact=image=a"}} {
		got, err := load(typed, args...)
		if want := []Artifact{{Image: "a"}, {Image: "web", Name: "web"}}; err != nil ||
			!reflect.DeepEqual(got.Artifacts, want) {
			t.Errorf("%v: got %+v, %v; want %+v", args, got.Artifacts, err, want)
		}
	}
}

// Of a build's two forms, a manifest has one; every other entry that nothing matches is named.
func TestUnmatched(t *testing.T) {
	c := Config{
		Artifacts: []Artifact{{Image: "a"}, {Image: "gcr.io/b"}, {Image: "b", variant: true}, {Image: "gcr.io/c"},
			{Image: "c", variant: true}},
		Runtimes: []ImageRuntime{{Image: "a*"}, {Image: "d"}},
	}
	want := []Unmatched{{"artifacts[3]", "gcr.io/c"}, {"runtimes[1]", "d"}}
	if got := c.Unmatched([]string{"", "a:v1", "b"}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestPatternsAreBounded: a pattern that would be tried in millions of ways is refused, one with long lists is not.
func TestPatternsAreBounded(t *testing.T) {
	for _, pattern := range []string{strings.Repeat("{a,aa}", 32), strings.Repeat("{*,**}", 24),
		strings.Repeat("{a,{b,c}}", 12)} {
		if err := checkImagePattern(pattern); err == nil || !strings.Contains(err.Error(), "alternatives") {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	long := "acme/{" + strings.Repeat("service,", 200) + "web}:{v1,v2,v3}"
	for _, pattern := range []string{long, "**/{web,api}/{a,b}:*", "{a}" + strings.Repeat("{a}", 100)} {
		if err := checkImagePattern(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
