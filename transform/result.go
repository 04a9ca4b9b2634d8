package transform

import (
	"fmt"
	"strings"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/internal/yamlnode"
	"debuggable.dev/debuggable/runtimes"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// container makes a result about a container.
func (c *Container) result(severity fn.Severity, code reason.Code, runtime, format string, args ...any) *fn.Result {
	name := foreign.Short(c.Name)
	r := c.Pod.Workload.result(severity, code, fmt.Sprintf("container %s: ", name)+fmt.Sprintf(format, args...))
	r.Field = &fn.Field{Path: c.Path}
	r.Tags["container"] = name
	if runtime != "" {
		r.Tags["runtime"] = runtime
	}
	return r
}

// longest is how many bytes of a message are shown. What messages quote is cut where it is quoted; this is for the sum.
const longest = 4000

// result makes a result about a workload as a whole. What others have written, its names among them, is escaped and cut: results
// are shown on terminals and committed to packages.
func (w *Workload) result(severity fn.Severity, code reason.Code, message string) *fn.Result {
	r := &fn.Result{
		Message:  foreign.Line(foreign.Cut(message, longest)),
		Severity: severity,
		ResourceRef: &fn.ResourceRef{
			APIVersion: foreign.Short(w.apiVersion), Kind: foreign.Short(w.kind),
			Name: foreign.Short(yamlnode.Name(w.Node)), Namespace: foreign.Short(yamlnode.Namespace(w.Node)),
		},
		Tags: map[string]string{"reason": string(code)},
	}
	if r.ResourceRef.Name == "" {
		r.ResourceRef.Name = foreign.Short(yamlnode.Text(w.Node, "metadata", "generateName"))
	}
	if path, index := w.Object.File(); path != "" {
		r.File = &fn.File{Path: path, Index: index}
	}
	return r
}

// refusal makes the result for a container that stays as it is.
func (c *Container) refusal(severity fn.Severity, runtime string, err error) *fn.Result {
	return c.result(severity, reasonOf(err), runtime, "not made debuggable: %s", err)
}

// reasonOf is the stable code of a refusal, which all errors here are.
func reasonOf(err error) reason.Code {
	if code := reason.Of(err); code != "" {
		return code
	}
	return reason.NoRuntime
}

// portsByProtocol is how the annotation and explanations hold ports; nil for none.
func portsByProtocol(ports []runtimes.Port) map[string]int32 {
	var byProtocol map[string]int32
	for _, p := range ports {
		if byProtocol == nil {
			byProtocol = map[string]int32{}
		}
		byProtocol[p.Protocol] = p.Number
	}
	return byProtocol
}

// portWords says where a debugger listens: `dlv on port 56268`.
func portWords(ports []runtimes.Port) string {
	var words []string
	for _, p := range ports {
		words = append(words, fmt.Sprintf("%s on port %d", p.Protocol, p.Number))
	}
	return strings.Join(words, ", ")
}
