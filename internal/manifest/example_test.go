package manifest_test

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/manifest"
)

// Only the line that was edited differs in the output.
func Example() {
	in := manifest.Input{Name: "k8s/web.yaml", Data: []byte(`# Two manifests
kind: Deployment
spec:
  replicas: 3   # for the weekend
  selector: { matchLabels: {app: web} }
---
kind:   Service
`)}
	set, err := manifest.Read(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, object := range set.Objects() {
		if object.Node().GetKind() != "Deployment" {
			continue
		}
		fmt.Println("editing", object.Where())
		one := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: "1"}
		if err := object.Node().PipeE(yaml.Lookup("spec"), yaml.SetField("replicas", yaml.NewRNode(one))); err != nil {
			fmt.Println(err)
			return
		}
		object.MarkEdited()
	}
	if err := set.Write(os.Stdout, nil); err != nil {
		fmt.Println(err)
	}
	// Output:
	// editing k8s/web.yaml, document 1, line 2
	// # Two manifests
	// kind: Deployment
	// spec:
	//   replicas: 1   # for the weekend
	//   selector: { matchLabels: {app: web} }
	// ---
	// kind:   Service
}
