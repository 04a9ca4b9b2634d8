package functionconfig

import (
	"slices"
	"strings"
)

// Group is the settings that help shows under one heading.
type Group string

// The groups, in the order of help texts.
const (
	Images    Group = "Where image configurations come from"
	Scope     Group = "What is made debuggable"
	Debuggers Group = "Debuggers"
	Pods      Group = "Pods"
)

// Groups lists the groups in the order of help texts.
func Groups() []Group { return []Group{Images, Scope, Debuggers, Pods} }

// GroupOf returns the group of a setting by its field's name, or of --build-artifacts.
func GroupOf(name string) Group {
	switch name {
	case "layouts", "archives", "imageConfigs", "images", "engine", "lookInside",
		"offline", "insecureRegistries", "platform":
		return Images
	case "artifacts", "runtimes", "strict", "workloads", buildArtifactsFlag:
		return Scope
	case "replicas", "probeTimeout", "memory":
		return Pods
	}
	return Debuggers
}

// groupAnnotation is a flag's annotation with its group.
const groupAnnotation = "debuggable/group"

// GroupOfFlag returns the group of a flag that AddFlags has added; "" for another.
func GroupOfFlag(annotations map[string][]string) Group {
	return Group(strings.Join(annotations[groupAnnotation], ""))
}

// Hide hides the flags of settings, given by their fields' names, that have no effect where the flags were added.
func (f *Flags) Hide(names ...string) {
	for _, s := range settings() {
		if s.flag != "" && slices.Contains(names, s.name) {
			f.set.Lookup(s.flag).Hidden = true
		}
	}
	if slices.Contains(names, buildArtifactsFlag) {
		f.set.Lookup(buildArtifactsFlag).Hidden = true
	}
}
