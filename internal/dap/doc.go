// Package dap stands between an editor and a debugger that speak the Debug Adapter Protocol, and keeps the editor's
// session when the debugger's process is replaced: a container that restarts, a Deployment that is rolled over, a
// connection that is lost.
//
// A [Session] knows what the editor wants (how it introduced itself, what it attached with, its breakpoints), and
// brings each connection to a debugger to that state. To the editor there is one debugger; that its process was
// replaced shows as threads that end.
//
// Messages are passed on as they are, but for their numbers, so that what debuggers have of their own (debugpyAttach)
// gets through. Source: https://microsoft.github.io/debug-adapter-protocol/specification.
package dap
