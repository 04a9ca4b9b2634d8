package bun

import (
	"fmt"

	"debuggable.dev/debuggable/runtimes/editor"
)

// inEditors says how VS Code's extension of Bun attaches (its documentation, "Debugging with the VS Code extension").
func inEditors() editor.Language {
	return editor.Language{
		Extensions: []string{".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"},
		Launch: func(t editor.Target) editor.Object {
			return append(editor.Object{
				{Key: "type", Value: "bun"}, {Key: "request", Value: "attach"},
				{Key: "url", Value: fmt.Sprintf("ws://%s:%d/", t.Host, t.Port)},
			}, editor.Roots(t)...)
		},
	}
}
