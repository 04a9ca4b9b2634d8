package functionconfig

import (
	"encoding/json"
	"errors"
	"fmt"

	"debuggable.dev/debuggable/internal/fields"
	"debuggable.dev/debuggable/internal/image"
	"debuggable.dev/debuggable/internal/lookup"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// mostBuilds bounds the file that Skaffold writes: more than 10,000 images.
const mostBuilds = 16 << 20

// readBuildArtifacts reads the file that `skaffold build --file-output` writes:
//
//	{"builds":[{"imageName":"web","tag":"gcr.io/acme/web:v1@sha256:…"}]}
//
// A build's name is its imageName, the image as skaffold.yaml and the unrendered manifests have it; its tag is what
// rendered manifests have. Either form is meant, with whatever tag and digest: where the repositories differ (skaffold
// puts --default-repo in front) that takes two artifacts. Where several builds share a repository, the tags tell them
// apart, and therefore count.
func readBuildArtifacts(file string) ([]Artifact, error) {
	data, err := lookup.ReadFile(file, mostBuilds)
	if err != nil {
		return nil, fmt.Errorf("reading build artifacts: %w", err)
	}
	artifacts, err := parseBuildArtifacts(data)
	if err != nil {
		return nil, fmt.Errorf("reading build artifacts %q: %w", file, err)
	}
	return artifacts, nil
}

func parseBuildArtifacts(data []byte) ([]Artifact, error) {
	var file struct {
		Builds *[]struct {
			ImageName string `json:"imageName"`
			Tag       string `json:"tag"`
		} `json:"builds"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) { // which would print Go's types
			err = &fields.Error{Path: wrong.Field, Problem: "is of type " + wrong.Value}
		}
		return nil, fmt.Errorf("%w; want the JSON that skaffold build --file-output writes", err)
	}
	if file.Builds == nil {
		return nil, errors.New("builds: is missing; want the JSON that skaffold build --file-output writes")
	}
	r := &fields.Reader{}
	sharing := map[string]int{}
	for i, b := range *file.Builds {
		path := yamlnode.Index("builds", i)
		checkBuildReference(r, b.ImageName, fields.Join(path, "imageName"))
		checkBuildReference(r, b.Tag, fields.Join(path, "tag"))
		sharing[fullRepository(b.Tag)]++
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	var artifacts []Artifact
	for _, b := range *file.Builds {
		tagged, named := splitReference(b.Tag), splitReference(b.ImageName)
		pattern := tagged.repository
		if sharing[fullRepository(b.Tag)] > 1 && tagged.tag != "" {
			pattern += ":" + tagged.tag
		}
		artifacts = append(artifacts, Artifact{Image: pattern, Name: b.ImageName})
		if fullRepository(b.ImageName) != fullRepository(b.Tag) {
			artifacts = append(artifacts, Artifact{Image: named.repository, Name: b.ImageName, variant: true})
		}
	}
	return artifacts, nil
}

func checkBuildReference(r *fields.Reader, s, path string) {
	if s == "" {
		r.Errorf(path, "is missing")
	} else if _, err := image.ParseReference(s); err != nil {
		r.Errorf(path, "%v", err)
	}
}

// fullRepository returns the one full name of a reference's repository, or "" for what is no reference.
func fullRepository(s string) string {
	ref, err := image.ParseReference(s)
	if err != nil {
		return ""
	}
	return ref.Context().Name()
}
