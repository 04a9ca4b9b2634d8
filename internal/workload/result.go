package workload

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
)

// Result makes a result about a container.
func (c *Container) Result(severity fn.Severity, code reason.Code, runtime, format string, args ...any) *fn.Result {
	name := short(c.Name)
	r := c.Pod.Workload.Result(severity, code, fmt.Sprintf("container %s: ", name)+fmt.Sprintf(format, args...))
	r.Field = &fn.Field{Path: c.Path}
	r.Tags["container"] = name
	if c.Image != "" {
		r.Tags["image"] = short(c.Image)
	}
	if r.File != nil {
		tagLine(r, c.Node)
	}
	if runtime != "" {
		r.Tags["runtime"] = runtime
	}
	return r
}

// short is foreign.Short of a copy: results stay, and the text that they name something of need not.
func short(s string) string { return strings.Clone(foreign.Short(s)) }

// longest is how many bytes of a message are shown. What messages quote is cut where it is quoted; this is for the sum.
const longest = 4000

// Result makes a result about a workload as a whole. What others have written, its names among them, is escaped and
// cut: results are shown on terminals and committed to packages.
func (w *Workload) Result(severity fn.Severity, code reason.Code, message string) *fn.Result {
	r := &fn.Result{
		Message:  foreign.Line(foreign.Cut(message, longest)),
		Severity: severity,
		ResourceRef: &fn.ResourceRef{
			APIVersion: short(w.APIVersion), Kind: short(w.Kind),
			Name: short(yamlnode.Name(w.Node)), Namespace: short(yamlnode.Namespace(w.Node)),
		},
		Tags: map[string]string{"reason": string(code)},
	}
	if r.ResourceRef.Name == "" {
		r.ResourceRef.Name = short(yamlnode.Text(w.Node, "metadata", "generateName"))
	}
	if path, index := w.Object.File(); path != "" {
		r.File = &fn.File{Path: path, Index: index}
		tagLine(r, w.Node)
	}
	return r
}

// LineTag is the tag of a result that says on which line of the input the container or the workload begins. An
// orchestrator's files are not what was read here, so it is for reports of files alone.
const LineTag = "line"

// tagLine tags a result with the line on which a node begins, where that is known.
func tagLine(r *fn.Result, node *yaml.Node) {
	if node != nil && node.Line > 0 {
		r.Tags[LineTag] = strconv.Itoa(node.Line)
	}
}

// LeftAlone begins the message of a result about a workload that stays as it is.
const LeftAlone = "left alone: "
