package nodejs

import (
	"fmt"

	"debuggable.dev/debuggable/runtimes/editor"
)

// inEditors says how editors attach to the inspector.
func inEditors() editor.Language {
	return editor.Language{
		CloudName: "Node", Extensions: []string{".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"},
		Launch: Inspector, Run: Chromium,
	}
}

// Inspector is the configuration of VS Code's debugger for V8's inspector.
func Inspector(t editor.Target) editor.Object {
	o := editor.Object{
		{Key: "type", Value: "node"}, {Key: "request", Value: "attach"}, {Key: "address", Value: t.Host},
		{Key: "port", Value: t.Port},
	}
	o = append(o, editor.Roots(t)...)
	return append(o, editor.Object{
		{Key: "restart", Value: true}, {Key: "sourceMaps", Value: true},
		{Key: "resolveSourceMapLocations", Value: []any{"**", "!**/node_modules/**"}},
		{Key: "skipFiles", Value: []any{"<node_internals>/**"}},
	}...)
}

// Chromium is the configuration of JetBrains' debugger for V8's inspector.
func Chromium(t editor.Target) editor.Run {
	r := editor.Run{
		Type: "ChromiumRemoteDebugType", Factory: "Chromium Remote",
		Attributes: []editor.Pair{
			{Name: "host", Value: t.Host}, {Name: "port", Value: fmt.Sprint(t.Port)},
			{Name: "restartOnDisconnect", Value: "true"},
		},
	}
	for _, m := range t.Mappings {
		r.URLs = append(r.URLs, editor.Mapping{Local: m.Local, Remote: "file://" + m.Remote})
	}
	return r
}
