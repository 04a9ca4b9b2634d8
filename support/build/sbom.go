package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// content is something that is in an image and that others made.
type content struct {
	kind          string // a package URL's type: golang, pypi, generic
	name, version string
	file, sha256  string // what was fetched, where it is one file
}

// The parts of SPDX 2.3's JSON form that are used here.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID        string         `json:"SPDXID"`
		Name      string         `json:"name"`
		Version   string         `json:"versionInfo"`
		File      string         `json:"packageFileName,omitempty"`
		Location  string         `json:"downloadLocation"`
		Analyzed  bool           `json:"filesAnalyzed"`
		Checksums []spdxChecksum `json:"checksums,omitempty"`
		Refs      []spdxRef      `json:"externalRefs"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// makeSBOM lists what is in an image as an SPDX 2.3 document.
func makeSBOM(runtime, version, digest string, parts []part) ([]byte, error) {
	when, err := epoch()
	if err != nil {
		return nil, err
	}
	image := spdxPackage{
		ID: "SPDXRef-image", Name: runtime, Version: version, Location: "NOASSERTION",
		Checksums: []spdxChecksum{{"SHA256", strings.TrimPrefix(digest, "sha256:")}},
		Refs: []spdxRef{
			{"PACKAGE-MANAGER", "purl", "pkg:oci/" + runtime + "@" + strings.Replace(digest, ":", "%3A", 1)}},
	}
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "debuggable support: " + runtime,
		Namespace: "https://debuggable.dev/spdx/support/" + runtime + "/" + strings.TrimPrefix(digest, "sha256:"),
		Creation: spdxCreation{Created: when.Format("2006-01-02T15:04:05Z"),
			Creators: []string{"Tool: debuggable-support-build"}},
		Packages: []spdxPackage{image},
		Relationships: []spdxRelationship{
			{"SPDXRef-DOCUMENT", "DESCRIBES", image.ID},
		},
	}
	seen := map[string]bool{}
	var packages []spdxPackage
	for _, p := range parts {
		for _, c := range p.contents {
			pkg := spdxPackage{
				Name: c.name, Version: c.version, File: c.file, Location: "NOASSERTION",
				Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", fmt.Sprintf("pkg:%s/%s@%s", c.kind, c.name, c.version)}},
			}
			pkg.ID = "SPDXRef-" + strings.Trim(notInID.ReplaceAllString(c.kind+"-"+c.name+"-"+c.version+"-"+c.file, "-"), "-")
			if c.sha256 != "" {
				pkg.Checksums = []spdxChecksum{{"SHA256", c.sha256}}
			}
			if !seen[pkg.ID] {
				seen[pkg.ID] = true
				packages = append(packages, pkg)
			}
		}
	}
	sort.Slice(packages, func(i, j int) bool { return packages[i].ID < packages[j].ID })
	for _, pkg := range packages {
		doc.Packages = append(doc.Packages, pkg)
		doc.Relationships = append(doc.Relationships, spdxRelationship{image.ID, "CONTAINS", pkg.ID})
	}
	data, err := json.MarshalIndent(doc, "", "  ")
	return append(data, '\n'), err
}

// pushSBOM attaches an SBOM to a pushed index, as an artifact that refers to it (OCI distribution 1.1's referrers; a
// registry without them gets the fallback tag).
func pushSBOM(repo name.Repository, index v1.ImageIndex, sbom []byte, opts []remote.Option) error {
	const mediaType = types.MediaType("application/spdx+json")
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mediaType)
	img, err := mutate.AppendLayers(img, static.NewLayer(sbom, mediaType))
	if err != nil {
		return err
	}
	subject, err := partial.Descriptor(index)
	if err != nil {
		return err
	}
	artifact := mutate.Subject(img, *subject).(v1.Image)
	digest, err := artifact.Digest()
	if err != nil {
		return err
	}
	return remote.Write(repo.Digest(digest.String()), artifact, opts...)
}
