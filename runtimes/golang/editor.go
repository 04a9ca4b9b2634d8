package golang

import (
	"fmt"

	"debuggable.dev/debuggable/runtimes/editor"
)

// inEditors says how editors attach to Delve (its Documentation/api/dap, and the settings of VS Code's extension).
func inEditors() editor.Language {
	return editor.Language{
		Module: true, CloudName: "Go", Adapter: "dlv", Attach: attachArguments,
		Launch: func(t editor.Target) editor.Object {
			return append(editor.Object{
				{Key: "type", Value: "go"}, {Key: "request", Value: "attach"}, {Key: "debugAdapter", Value: "dlv-dap"},
				{Key: "host", Value: t.Host}, {Key: "port", Value: t.Port},
			}, attachArguments(t)...)
		},
		Run: func(t editor.Target) editor.Run {
			return editor.Run{
				Type: "GoRemoteDebugConfigurationType", Factory: "Go Remote",
				Attributes: []editor.Pair{{Name: "host", Value: t.Host}, {Name: "port", Value: fmt.Sprint(t.Port)}},
				Options:    []editor.Pair{{Name: "disconnectOption", Value: "LEAVE"}},
			}
		},
	}
}

func attachArguments(t editor.Target) editor.Object {
	o := editor.Object{{Key: "mode", Value: "remote"}}
	if len(t.Modules) > 0 {
		// Delve compares the modules with the program's packages (service/debugger, GuessSubstitutePath), unless it is told.
		var modules editor.Object
		for _, m := range t.Modules {
			modules = append(modules, editor.Field{Key: m.Remote, Value: m.Local})
		}
		return append(o, editor.Field{Key: "guessSubstitutePath", Value: editor.Object{
			{Key: "ImportPathOfMainPackage", Value: t.MainPackage}, {Key: "ClientGOROOT", Value: ""},
			{Key: "ClientModuleDirectories", Value: modules},
		}})
	}
	var rules []any
	for _, m := range t.Mappings {
		rules = append(rules, editor.Object{{Key: "from", Value: m.Local}, {Key: "to", Value: m.Remote}})
	}
	if len(rules) > 0 {
		o = append(o, editor.Field{Key: "substitutePath", Value: rules})
	}
	return o
}
