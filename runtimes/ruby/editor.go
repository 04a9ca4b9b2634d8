package ruby

import (
	"fmt"
	"strings"

	"debuggable.dev/debuggable/runtimes/editor"
)

// inEditors says how editors attach to rdbg (the README of VS Code's extension vscode-rdbg, and the debug gem's
// lib/debug/server_dap.rb).
func inEditors() editor.Language {
	return editor.Language{
		Extensions: []string{".rb", ".ru", ".rake"}, Adapter: "rdbg", Attach: attachArguments,
		Launch: func(t editor.Target) editor.Object {
			return append(editor.Object{
				{Key: "type", Value: "rdbg"}, {Key: "request", Value: "attach"},
				{Key: "debugPort", Value: fmt.Sprintf("%s:%d", t.Host, t.Port)},
			}, attachArguments(t)...)
		},
	}
}

func attachArguments(t editor.Target) editor.Object {
	var pairs []string
	for _, m := range t.Mappings {
		pairs = append(pairs, m.Remote+":"+m.Local)
	}
	if len(pairs) == 0 {
		return nil
	}
	return editor.Object{{Key: "localfsMap", Value: strings.Join(pairs, ",")}}
}
