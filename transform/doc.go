// Package transform decides which containers of Kubernetes manifests get a debugger and how, and edits them. It does no I/O, reads no
// clock and keeps no state: manifests and image configurations in, edited manifests and results out.
//
// The data flows one way, and what one step has made no later step changes:
//
//  1. [Find] lists the workloads in document order (package workload) and what the settings and annotations say about their
//     containers (scope.go, annotations.go). [Scope.Images] names the images whose configurations are needed; somebody else
//     resolves them.
//  2. [Scope.Programs] works out, once for each container in scope, what it starts (package process), the program that matters
//     (package launch) and its runtime (program.go). [Programs.SupportImages] names the support images that this needs.
//  3. [Programs.Plan] makes one plan of everything: for each container its debugger, and the edits of its command line, environment
//     and memory (attach.go, ports.go), for each pod and each workload what that asks of them (plan.go), and all results.
//  4. [Plan.Apply] makes the edits (apply.go).
//
// The commands look at the same plan: the transform applies it, lock writes down the images that it needs, inspect shows it
// (inspect.go).
//
// What can be found out by looking into images belongs between 1 and 2: Scope.Programs would ask a source of files, an interface, for
// the program's file, its interpreter or its script where a configuration does not say enough, and remember what it was told in the
// Program, for everything behind to see. No later step needs to know where a fact has come from.
package transform
