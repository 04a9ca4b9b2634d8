package transform

import (
	"errors"
	"fmt"
	"strings"

	"debuggable.dev/debuggable/internal/foreign"
	"debuggable.dev/debuggable/runtimes"
	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
)

// The reasons of results, in their "reason" tag. They never change their meaning. A refusal of package runtimes or
// launch brings its own.
const (
	Debuggable          = "Debuggable"          // the container was made debuggable
	AlreadyDebugged     = "AlreadyDebugged"     // the process already runs under a debugger
	AlreadyConfigured   = "AlreadyConfigured"   // the annotation already lists the container
	Skipped             = "Skipped"             // the workload is annotated to be skipped
	DeprecatedAPI       = "DeprecatedAPI"       // the object's API version is gone from Kubernetes
	NoRuntime           = "NoRuntime"           // nothing shows which runtime the container runs
	KnownOther          = "KnownOther"          // the program is known to belong to no runtime
	NoImage             = "NoImage"             // the container has no image
	ImageNotFound       = "ImageNotFound"       // no source has the image
	ImageUnreadable     = "ImageUnreadable"     // a source has the image but cannot tell its configuration
	AmbiguousRuntime    = "AmbiguousRuntime"    // several runtimes show equally strong signs
	EnvMayHide          = "EnvMayHide"          // an added variable hides one that may come from elsewhere
	EnvHidden           = "EnvHidden"           // a variable would not reach the program
	EnvReferenced       = "EnvReferenced"       // something else depends on a variable that would change
	OutlivesProgram     = "OutlivesProgram"     // the debugger stays when the program ends
	ReplicasKept        = "ReplicasKept"        // fewer replicas would do harm
	RolloutHeld         = "RolloutHeld"         // pods that run already do not get the new template by themselves
	BudgetBlocks        = "BudgetBlocks"        // a PodDisruptionBudget cannot be kept with fewer replicas
	KnativeFeatures     = "KnativeFeatures"     // Knative admits the pod only with some of its features enabled
	TightMemory         = "TightMemory"         // the container's memory limit cannot hold the debugger
	MemoryRaised        = "MemoryRaised"        // the container's memory limit was raised
	SupportImageMissing = "SupportImageMissing" // the support image is not in its registry
	FileCapabilities    = "FileCapabilities"    // the program has capabilities from its file, which are lost under a debugger
	AnnotationsFull     = "AnnotationsFull"     // there is no room for the configuration annotation
	PortShared          = "PortShared"          // two containers of a pod have their debuggers on one port
	TightStorage        = "TightStorage"        // the support files may not fit into the pod's ephemeral-storage limit
	InvalidField        = "InvalidField"        // a field is not what Kubernetes expects there
	TooLarge            = "TooLarge"            // variables and words come to more than a process can be started with
	BadAnnotation       = "BadAnnotation"       // an annotation's value makes no sense
	AnnotationRenamed   = "AnnotationRenamed"   // an annotation was written out under its valid name
	UnknownContainer    = "UnknownContainer"    // an annotation names a container that the pod does not have
	NotLinux            = "NotLinux"            // the pod does not run on Linux
	VolumeTaken         = "VolumeTaken"         // the volume's name is taken by something else
	MountPathTaken      = "MountPathTaken"      // /dbg is taken by something else
	InitContainerTaken  = "InitContainerTaken"  // an init container's name is taken by something else
	MatchesNothing      = "MatchesNothing"      // an entry of artifacts or runtimes matches no container
	InvalidSettings     = "InvalidSettings"     // the settings, or a source that they name, cannot be used
	InvalidImageConfigs = "InvalidImageConfigs" // an ImageConfigs resource among the items cannot be read
)

// container makes a result about a container.
func (c *Container) result(severity fn.Severity, reason, runtime, format string, args ...any) *fn.Result {
	name := foreign.Short(c.Name)
	r := c.Pod.Workload.result(severity, reason, fmt.Sprintf("container %s: ", name)+fmt.Sprintf(format, args...))
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
func (w *Workload) result(severity fn.Severity, reason, message string) *fn.Result {
	r := &fn.Result{
		Message:  foreign.Line(foreign.Cut(message, longest)),
		Severity: severity,
		ResourceRef: &fn.ResourceRef{
			APIVersion: foreign.Short(w.apiVersion), Kind: foreign.Short(w.kind),
			Name: foreign.Short(text(get(w.Node, "metadata", "name"))), Namespace: foreign.Short(namespace(w.Node)),
		},
		Tags: map[string]string{"reason": reason},
	}
	if r.ResourceRef.Name == "" {
		r.ResourceRef.Name = foreign.Short(text(get(w.Node, "metadata", "generateName")))
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
func reasonOf(err error) string {
	var refusal *runtimes.Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return NoRuntime
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
