package jvm

import (
	"fmt"

	"debuggable.dev/debuggable/runtimes/editor"
)

// inEditors says how editors attach to JDWP. It names classes, not files: no mapping is needed.
func inEditors() editor.Language {
	return editor.Language{
		CloudName: "Java",
		Launch: func(t editor.Target) editor.Object {
			return editor.Object{
				{Key: "type", Value: "java"}, {Key: "request", Value: "attach"}, {Key: "hostName", Value: t.Host},
				{Key: "port", Value: t.Port},
			}
		},
		Run: func(t editor.Target) editor.Run {
			return editor.Run{Type: "Remote", Options: []editor.Pair{
				{Name: "USE_SOCKET_TRANSPORT", Value: "true"}, {Name: "SERVER_MODE", Value: "false"},
				{Name: "SHMEM_ADDRESS", Value: ""},
				{Name: "HOST", Value: t.Host}, {Name: "PORT", Value: fmt.Sprint(t.Port)}, {Name: "AUTO_RESTART", Value: "true"},
			}}
		},
	}
}
