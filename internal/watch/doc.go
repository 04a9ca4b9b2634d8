// Package watch is "debuggable watch": it follows the pods of a cluster and reports when a container that runs under
// a debugger starts and ends, to people, to programs on stdout and to IDEs over HTTP.
//
// Data flows one way:
//
//  1. informer.go lists and watches pods (dynamic client), and keeps of each pod only what pod.go cuts out of it;
//  2. tracker.go, a pure state machine, turns each look at a pod into changes: a container started or terminated;
//  3. hub.go gives each change its event, keeps a bounded history and the current state, and never waits for a reader;
//  4. printer.go and text.go write the events to stdout, server.go serves them over HTTP;
//  5. forward.go, if asked, keeps a local port open to each debug port while its container runs.
//
// command.go reads flags and kubeconfig and ties these together.
package watch
