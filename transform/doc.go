// Package transform decides which containers of Kubernetes manifests get a debugger and how, and edits them. It does no
// I/O, reads no clock and keeps no state: manifests and image configurations in, edited manifests and results out.
//
// The data flows one way, and what one step has made no later step changes:
//
//  1. [Find] lists the workloads in document order (package workload) and what the settings and annotations say about
//     their containers (scope.go, annotations.go). [Scope.Images] names the images whose configurations are needed;
//     somebody else resolves them.
//  2. [Scope.Programs] works out, once for each container in scope, what it starts, the program that matters and its
//     runtime (package program). [Programs.Questions] names the files of images that would have to be looked into for
//     more, and [Programs.SupportImages] the support images that this needs.
//  3. [Programs.Plan] makes one plan of everything: for each container its debugger, and the edits of its command line,
//     environment and memory, for each pod and each workload what that asks of them (plan.go, ports.go), and all
//     results (result.go).
//  4. [Plan.Apply] makes the edits (apply.go).
//
// The commands look at the same plan: the transform applies it, lock writes down the images that it needs, inspect
// shows it (inspect.go).
package transform
