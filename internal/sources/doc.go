// Package sources finds out where on this machine the sources are of what an image runs, so that a breakpoint in a
// local file can be put into the process: pairs of a local directory and the directory that the debugger knows it by.
//
// A pair is found by evidence, never by name alone:
//
//  1. [ReadTree] lists a local directory, with the modules in it (go.mod files), and within bounds;
//  2. [ReadImage] lists an image's files that may be sources, the sources that source maps name, and what a program's
//     own build information says;
//  3. [Find] compares the two: the module of the build information with the trees' modules, else the contents of files.
//     Of the pairs of directories that equal files lie in, the one with the most votes is it.
//
// Where nothing is found the answer is a guess, and says so.
package sources
