package netcore

import "debuggable.dev/debuggable/runtimes/editor"

// inEditors says how editors start vsdbg in the container. PDB files tell where the sources are. The process is the
// container's first: images of .NET have no ps to pick one with.
func inEditors() editor.Language {
	return editor.Language{
		CloudName: "NETCore",
		Launch: func(t editor.Target) editor.Object {
			var args []any
			for _, word := range t.Exec[1:] {
				args = append(args, word)
			}
			return editor.Object{
				{Key: "type", Value: "coreclr"}, {Key: "request", Value: "attach"}, {Key: "processId", Value: "1"},
				{Key: "justMyCode", Value: false},
				{Key: "pipeTransport", Value: editor.Object{
					{Key: "pipeProgram", Value: t.Exec[0]}, {Key: "pipeArgs", Value: args}, {Key: "pipeCwd", Value: t.Workspace},
					{Key: "debuggerPath", Value: "/dbg/netcore/vsdbg"}, {Key: "quoteArgs", Value: false},
				}},
			}
		},
	}
}
