package golang

import (
	"encoding/json"
	"fmt"

	"debuggable.dev/debuggable/runtimes/editor"
)

// inEditors says how editors attach to Delve (its Documentation/api/dap, and the settings of VS Code's extension).
func inEditors() editor.Language {
	return editor.Language{
		Module: true, CloudName: "Go", Adapter: "dlv", Attach: attachArguments,
		Going: &editor.Question{Ask: isRunning, Yes: running},
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

// isRunning asks Delve for its state, in its own protocol, which it speaks on the same port (service/rpc2).
const isRunning = `{"method":"RPCServer.State","params":[{"NonBlocking":true}],"id":1}`

// running reads the answer. With --continue, Delve connects to itself once it listens, and lets the program go by that
// (cmd/dlv/cmds, client.Disconnect). If an adapter has stopped the program meanwhile, to set breakpoints or at one, it
// goes on behind the adapter's back: so it is better to attach after that.
func running(answer []byte) bool {
	var a struct {
		Result struct{ State struct{ Running bool } }
	}
	return json.Unmarshal(answer, &a) == nil && a.Result.State.Running
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
