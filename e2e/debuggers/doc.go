// Package debuggers tests that debuggers really attach, in a real cluster: for each runtime, an application is built
// and put into an image, `debuggable` rewrites its manifest, the API server, controllers and a kubelet start what the
// manifest says with the support images of this repository, and a real client sets a breakpoint, hits it, reads a local
// variable and lets the application answer.
//
// What was attached to is written to docs/runtimes.md (UPDATE=1); a table that is out of date fails the test.
package debuggers
