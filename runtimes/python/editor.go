package python

import "debuggable.dev/debuggable/runtimes/editor"

// inEditors says how editors attach to debugpy (its wiki, "Debug configuration settings").
func inEditors() editor.Language {
	return editor.Language{
		CloudName: "Python", Extensions: []string{".py"}, Adapter: "dap", Attach: attachArguments,
		Launch: func(t editor.Target) editor.Object {
			return append(editor.Object{
				{Key: "type", Value: "debugpy"}, {Key: "request", Value: "attach"},
				{Key: "connect", Value: editor.Object{{Key: "host", Value: t.Host}, {Key: "port", Value: t.Port}}},
			}, attachArguments(t)...)
		},
	}
}

func attachArguments(t editor.Target) editor.Object {
	var mappings []any
	for _, m := range t.Mappings {
		mappings = append(mappings, editor.Object{{Key: "localRoot", Value: m.Local}, {Key: "remoteRoot", Value: m.Remote}})
	}
	var o editor.Object
	if len(mappings) > 0 {
		o = append(o, editor.Field{Key: "pathMappings", Value: mappings})
	}
	// With justMyCode, an application that is installed as a package would be nobody's.
	return append(o, editor.Field{Key: "justMyCode", Value: false})
}
