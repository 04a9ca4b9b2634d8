// Package quux is a language that there is not, for the proof that one folder and one line make a language.
package quux

import "debuggable.dev/debuggable/runtimes/language"

// Language returns it.
func Language() *language.Language {
	return &language.Language{
		Names:      []string{"quux", "qx"},
		Signs:      language.Signs{Programs: []string{"quux"}, Strong: []string{"QUUX_VERSION"}},
		Protocols:  []language.Protocol{{Name: "qdb", Port: 4711, Client: "qdb --attach ADDRESS"}},
		Variables:  []string{"QUUXOPT"},
		ByVariable: true,
		Plan: func(p language.Process, o language.Options) (language.Plan, error) {
			return language.Plan{
				Env:     []language.EnvChange{{Name: "QUUXOPT", Value: "-listen=4711", How: language.Append, Sep: " "}},
				Ports:   []language.Port{{Protocol: "qdb", Number: 4711}},
				Support: true,
			}, nil
		},
		Doc: language.Doc{Rewrite: "`QUUXOPT` gets `-listen=4711`", Support: "qdb"},
	}
}
