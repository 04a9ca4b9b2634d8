// Package manifest reads Kubernetes manifests and writes them back, changing nothing that its caller did not change.
//
// The data flows one way:
//
//  1. [Expand] turns file and folder names into [Input]s.
//  2. [Read] cuts each input into chunks, one a document, without parsing (split.go), then parses the chunks (parse.go
//     for YAML, json.go for JSON), checks them, expands aliases (alias.go) and offers [Object]s.
//  3. The caller edits [Object.Node] in place and calls [Object.MarkEdited].
//  4. [Set.Write] writes the chunks in order, several inputs as one stream (join.go). A chunk without an edited object
//     is written as the bytes that were read. For an edited one, the text of the changed fields is replaced (splice.go,
//     flow.go for what is in brackets, block.go for texts of several lines, lines.go for new fields); where that does
//     not lead to exactly the edited tree, the document is emitted anew (emit.go). What is emitted is parsed again and
//     compared before anything is written.
//
// Cutting and parsing are separate steps, so that a chunk that cannot hold anything of interest need not be parsed:
// the one place that decides is chunk.parse's caller in [Read].
package manifest
