package main

import (
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"
)

// krewPlugin is the manifest by which Krew installs `kubectl debuggable`
// (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/).
type krewPlugin struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   krewMetadata `json:"metadata"`
	Spec       krewSpec     `json:"spec"`
}

type krewMetadata struct {
	Name string `json:"name"`
}

type krewSpec struct {
	Version          string         `json:"version"`
	Homepage         string         `json:"homepage"`
	ShortDescription string         `json:"shortDescription"`
	Description      string         `json:"description"`
	Platforms        []krewPlatform `json:"platforms"`
}

type krewPlatform struct {
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	URI    string     `json:"uri"`
	SHA256 string     `json:"sha256"`
	Bin    string     `json:"bin"`
	Files  []krewFile `json:"files"`
}

type krewFile struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// writeKrew writes the manifest of the archives that were made.
func (r release) writeKrew(made []artifact) error {
	p := krewPlugin{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: krewMetadata{program},
	}
	p.Spec = krewSpec{
		Homepage:         "https://" + module,
		ShortDescription: "Make rendered manifests debuggable",
		Description: "Rewrites rendered Kubernetes manifests so that the programs in them start under a debugger, " +
			"offline,\n" +
			"and reports what is debuggable in a cluster.\n",
	}
	for _, a := range made {
		p.Spec.Version = a.version
		if !strings.HasPrefix(a.version, "v") {
			p.Spec.Version = "v0.0.0" // a build without a version; not to be published
		}
		bin := program
		if a.os == "windows" {
			bin += ".exe"
		}
		k := krewPlatform{
			URI: fmt.Sprintf("%s/%s/%s", r.url, a.version, a.name), SHA256: a.sum, Bin: bin,
			Files: []krewFile{{bin, "."}, {"LICENSE", "."}},
		}
		k.Selector.MatchLabels = map[string]string{"os": a.os, "arch": a.architecture}
		p.Spec.Platforms = append(p.Spec.Platforms, k)
	}
	data, err := yaml.Marshal(p)
	if err != nil {
		return err
	}
	return r.write(program+".yaml", func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
