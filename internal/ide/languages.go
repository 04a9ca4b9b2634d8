package ide

import (
	"fmt"
	"strings"

	"debuggable.dev/debuggable/runtimes/editor"
)

// languages are what the annotation's runtimes need.
func languages() map[string]editor.Language {
	return map[string]editor.Language{
		"go": {
			Module: true, CloudName: "Go", Attach: delve,
			Launch: func(t editor.Target) editor.Object {
				return append(editor.Object{
					{Key: "type", Value: "go"}, {Key: "request", Value: "attach"}, {Key: "debugAdapter", Value: "dlv-dap"},
					{Key: "host", Value: t.Host}, {Key: "port", Value: t.Port},
				}, delve(t)...)
			},
			Run: func(t editor.Target) editor.Run {
				return editor.Run{
					Type: "GoRemoteDebugConfigurationType", Factory: "Go Remote",
					Attributes: []editor.Pair{{Name: "host", Value: t.Host}, {Name: "port", Value: fmt.Sprint(t.Port)}},
					Options:    []editor.Pair{{Name: "disconnectOption", Value: "LEAVE"}},
				}
			},
		},
		"jvm": {
			CloudName: "Java",
			Launch: func(t editor.Target) editor.Object {
				return editor.Object{
					{Key: "type", Value: "java"}, {Key: "request", Value: "attach"}, {Key: "hostName", Value: t.Host}, {Key: "port", Value: t.Port},
				}
			},
			Run: func(t editor.Target) editor.Run {
				return editor.Run{Type: "Remote", Options: []editor.Pair{
					{Name: "USE_SOCKET_TRANSPORT", Value: "true"}, {Name: "SERVER_MODE", Value: "false"}, {Name: "SHMEM_ADDRESS", Value: ""},
					{Name: "HOST", Value: t.Host}, {Name: "PORT", Value: fmt.Sprint(t.Port)}, {Name: "AUTO_RESTART", Value: "true"},
				}}
			},
		},
		"nodejs": {
			CloudName: "Node", Extensions: []string{".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"},
			Launch: inspector, Run: chromium,
		},
		"deno": {Extensions: []string{".js", ".mjs", ".ts", ".mts", ".tsx"}, Launch: inspector, Run: chromium},
		"bun": {
			Extensions: []string{".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"},
			Launch: func(t editor.Target) editor.Object {
				o := editor.Object{
					{Key: "type", Value: "bun"}, {Key: "request", Value: "attach"}, {Key: "url", Value: fmt.Sprintf("ws://%s:%d/", t.Host, t.Port)},
				}
				return append(o, roots(t)...)
			},
		},
		"python": {
			CloudName: "Python", Extensions: []string{".py"}, Attach: debugpy,
			Launch: func(t editor.Target) editor.Object {
				return append(editor.Object{
					{Key: "type", Value: "debugpy"}, {Key: "request", Value: "attach"},
					{Key: "connect", Value: editor.Object{{Key: "host", Value: t.Host}, {Key: "port", Value: t.Port}}},
				}, debugpy(t)...)
			},
		},
		"ruby": {
			Extensions: []string{".rb", ".ru", ".rake"},
			Launch: func(t editor.Target) editor.Object {
				var pairs []string
				for _, m := range t.Mappings {
					pairs = append(pairs, m.Remote+":"+m.Local)
				}
				o := editor.Object{
					{Key: "type", Value: "rdbg"}, {Key: "request", Value: "attach"}, {Key: "debugPort", Value: fmt.Sprintf("%s:%d", t.Host, t.Port)},
				}
				if len(pairs) > 0 {
					o = append(o, editor.Field{Key: "localfsMap", Value: strings.Join(pairs, ",")})
				}
				return o
			},
		},
		"netcore": {
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
		},
	}
}

func delve(t editor.Target) editor.Object {
	o := editor.Object{{Key: "mode", Value: "remote"}}
	var rules []any
	for _, m := range t.Mappings {
		rules = append(rules, editor.Object{{Key: "from", Value: m.Local}, {Key: "to", Value: m.Remote}})
	}
	if len(t.Modules) > 0 {
		// Delve compares the modules with the program's packages (service/debugger, GuessSubstitutePath), unless it is told.
		var modules editor.Object
		for _, m := range t.Modules {
			modules = append(modules, editor.Field{Key: m.Remote, Value: m.Local})
		}
		return append(o, editor.Field{Key: "guessSubstitutePath", Value: editor.Object{
			{Key: "ImportPathOfMainPackage", Value: t.MainPackage}, {Key: "ClientGOROOT", Value: ""}, {Key: "ClientModuleDirectories", Value: modules},
		}})
	}
	if len(rules) > 0 {
		o = append(o, editor.Field{Key: "substitutePath", Value: rules})
	}
	return o
}

func debugpy(t editor.Target) editor.Object {
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

func inspector(t editor.Target) editor.Object {
	o := editor.Object{
		{Key: "type", Value: "node"}, {Key: "request", Value: "attach"}, {Key: "address", Value: t.Host}, {Key: "port", Value: t.Port},
	}
	o = append(o, roots(t)...)
	return append(o, editor.Object{
		{Key: "restart", Value: true}, {Key: "sourceMaps", Value: true},
		{Key: "resolveSourceMapLocations", Value: []any{"**", "!**/node_modules/**"}},
		{Key: "skipFiles", Value: []any{"<node_internals>/**"}},
	}...)
}

// roots are for debuggers that know one pair of directories.
func roots(t editor.Target) editor.Object {
	if len(t.Mappings) == 0 {
		return nil
	}
	widest := t.Mappings[len(t.Mappings)-1]
	return editor.Object{{Key: "localRoot", Value: widest.Local}, {Key: "remoteRoot", Value: widest.Remote}}
}

func chromium(t editor.Target) editor.Run {
	r := editor.Run{
		Type: "ChromiumRemoteDebugType", Factory: "Chromium Remote",
		Attributes: []editor.Pair{
			{Name: "host", Value: t.Host}, {Name: "port", Value: fmt.Sprint(t.Port)}, {Name: "restartOnDisconnect", Value: "true"},
		},
	}
	for _, m := range t.Mappings {
		r.URLs = append(r.URLs, editor.Mapping{Local: m.Local, Remote: "file://" + m.Remote})
	}
	return r
}
