// Package plainyaml reads the part of YAML that manifests are written in, many times faster than the library that reads
// all of it.
//
// [Read] returns exactly the tree that the library would return, with its lines, columns, styles, tags and comments; or
// nothing, where a text has anything in it that is out of the ordinary. Then the library reads it, which also words the
// errors: nothing is refused here. So whatever raises a doubt is given up on, and no rule of YAML needs to be known in
// full.
//
// What is read: block mappings and sequences; plain and quoted scalars, also over several lines; literal blocks; flow
// collections in one line; comments behind scalars, and above entries in their column. What is not, among others: other
// comments, whose place in the tree only the library knows; anchors, aliases, tags and merge keys; directives and
// markers; tabs; carriage returns; keys that are there twice.
//
// A fuzz test compares the two readers, and so does a test with all manifests of this repository.
package plainyaml
