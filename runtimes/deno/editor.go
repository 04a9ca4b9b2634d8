package deno

import (
	"debuggable.dev/debuggable/runtimes/editor"
	"debuggable.dev/debuggable/runtimes/nodejs"
)

// inEditors says how editors attach to the inspector, which is V8's.
func inEditors() editor.Language {
	return editor.Language{
		Extensions: []string{".js", ".mjs", ".jsx", ".ts", ".mts", ".tsx"}, Launch: nodejs.Inspector, Run: nodejs.Chromium,
	}
}
