// Package netcore says everything about .NET: IDEs start vsdbg in the container; there is no port, and nothing is
// rewritten.
//
// Source of the variables: .NET's documentation, "Runtime configuration options for debugging and profiling".
package netcore

import (
	"strings"

	"debuggable.dev/debuggable/internal/image/files"
	"debuggable.dev/debuggable/runtimes/language"
)

// Language returns .NET.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"netcore", "dotnet", ".net"},
		Signs: language.Signs{
			Programs: []string{"dotnet"},
			Buildpacks: language.Buildpacks{
				Starts: []string{"google.dotnet.", "paketo-buildpacks/dotnet-", "paketo-buildpacks/dotnet-core", "heroku/dotnet"}},
			Strong: []string{"DOTNET_RUNNING_IN_CONTAINER", "DOTNET_VERSION", "ASPNET_VERSION"},
			File: func(f files.File) string {
				if f.Netcore == nil {
					return ""
				}
				return strings.TrimSpace("application of .NET " + f.Netcore.Version)
			},
			Weak: []string{"ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"},
		},
		Plan:   plan,
		Exec:   []string{"/dbg/netcore/vsdbg", "--interpreter=vscode"},
		Editor: inEditors(),
		Doc:    language.Doc{Rewrite: "the mount; diagnostics that are switched off are switched on", Support: "vsdbg"},
	}
}

// plan switches diagnostics on.
func plan(p language.Process, _ language.Options) (language.Plan, error) {
	plan := language.Plan{Support: true, Storage: 128}
	// COMPlus_ is the prefix from before .NET 6, still read; the _Debugger variables are .NET 8's finer switches.
	for _, name := range []string{"DOTNET_EnableDiagnostics", "COMPlus_EnableDiagnostics",
		"DOTNET_EnableDiagnostics_Debugger", "COMPlus_EnableDiagnostics_Debugger", "DOTNET_EnableDiagnostics_IPC",
		"COMPlus_EnableDiagnostics_IPC"} {
		if p.Env[name] == "0" {
			plan.Env = append(plan.Env, language.EnvChange{Name: name, Value: "1", How: language.Replace})
		}
	}
	if _, set := p.Env["TMPDIR"]; len(plan.Env) > 0 && p.NoTemp && !set && !p.Unknown["TMPDIR"] {
		// With diagnostics on, the runtime creates pipes and a socket in TMPDIR or /tmp and does not start where it
		// cannot. People switch diagnostics off for that very reason when the root file system is read-only.
		plan.Env = append(plan.Env, language.EnvChange{Name: "TMPDIR", Value: "/dbg", How: language.Replace})
	}
	return plan, nil
}
