package workload

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/yamlnode"
)

// Element is an object of a document: the document itself or, of a list, one of its elements.
type Element struct {
	Node *yaml.Node
	// Path leads from the document's root to Node: "" or "items[2]".
	Path string
	// APIVersion and Kind are what the object says of itself; the elements of a typed list may leave that to the list.
	APIVersion, Kind string
}

// maxListDepth bounds how deep lists in lists are followed; no tool writes any.
const maxListDepth = 8

// Elements lists the objects of a document in order. What is for tools alone and never gets to a cluster is left out.
func Elements(root *yaml.Node) []Element { return elements(Element{Node: root}, 0) }

func elements(e Element, depth int) []Element {
	if !yamlnode.IsMapping(e.Node) || isLocal(e.Node) {
		return nil
	}
	if apiVersion, kind := yamlnode.Text(e.Node, "apiVersion"), yamlnode.Text(e.Node, "kind"); apiVersion != "" ||
		kind != "" {
		e.APIVersion, e.Kind = apiVersion, kind
	}
	element, isList := strings.CutSuffix(e.Kind, "List")
	if !isList || yamlnode.Get(e.Node, "items") == nil || element == "" && e.APIVersion != "v1" {
		return []Element{e}
	}
	if depth > maxListDepth {
		return nil
	}
	apiVersion := e.APIVersion
	if element == "" {
		apiVersion = ""
	}
	var all []Element
	for i, item := range yamlnode.Items(e.Node, "items") {
		of := Element{Node: item, Path: yamlnode.Join(e.Path, yamlnode.Index("items", i)), APIVersion: apiVersion,
			Kind: element}
		all = append(all, elements(of, depth+1)...)
	}
	return all
}

// isLocal reports whether an object is for tools alone.
func isLocal(node *yaml.Node) bool {
	local, _ := yamlnode.Annotation(node, "config.kubernetes.io/local-config")
	return local == "true"
}
