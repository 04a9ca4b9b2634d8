// Package equivalence holds no code of the program, only its hardest test: launch equivalence.
//
// The test makes up containers: images, command lines with launchers and shell scripts in them, environments. For each
// it works out what a node would start, from Kubernetes' documentation and not from this program's code, and really
// starts it in a sandbox in which every program is a stub that records how it was started (package stub). Then it lets
// the program rewrite the manifest and starts the result in the same sandbox. Both must start the same programs, in the
// same order, with the same arguments, environment and directory, apart from what a debugger needs; what is said to be
// debuggable must have been started under its debugger, on the port that is announced; and what was left alone must be
// unchanged.
package equivalence
