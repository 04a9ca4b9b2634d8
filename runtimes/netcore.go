package runtimes

// NetCore makes .NET processes reachable for vsdbg, which the IDE starts in the container: no port, no rewriting.
//
// Source of the variables: .NET's documentation, "Runtime configuration options for debugging and profiling".
type NetCore struct{}

// Name implements Runtime.
func (NetCore) Name() string { return "netcore" }

// Aliases implements Runtime.
func (NetCore) Aliases() []string { return []string{"dotnet", ".net"} }

// Detect implements Runtime.
func (NetCore) Detect(p Process) Sign {
	if len(p.Argv) > 0 && programName(p.Argv[0]) == "dotnet" {
		return Sign{Program, "program dotnet"}
	}
	return strongest(
		buildpackSign(p, "netcore"),
		envSign(p, true, "DOTNET_RUNNING_IN_CONTAINER", "DOTNET_VERSION", "ASPNET_VERSION"),
		envSign(p, false, "ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"))
}

// DebugPorts implements Runtime: none listens.
func (NetCore) DebugPorts(string) []int32 { return nil }

// Attach implements Runtime.
func (NetCore) Attach(p Process, _ Options) (Plan, error) {
	plan := Plan{Support: "netcore", Storage: 128}
	// COMPlus_ is the prefix from before .NET 6, still read; the _Debugger variables are .NET 8's finer switches.
	for _, name := range []string{"DOTNET_EnableDiagnostics", "COMPlus_EnableDiagnostics", "DOTNET_EnableDiagnostics_Debugger", "COMPlus_EnableDiagnostics_Debugger", "DOTNET_EnableDiagnostics_IPC", "COMPlus_EnableDiagnostics_IPC"} {
		if p.Env[name] == "0" {
			plan.Env = append(plan.Env, EnvChange{Name: name, Value: "1", How: Replace})
		}
	}
	if _, set := p.Env["TMPDIR"]; len(plan.Env) > 0 && p.NoTemp && !set && !p.Unknown["TMPDIR"] {
		// With diagnostics on, the runtime creates pipes and a socket in TMPDIR or /tmp and does not start where it
		// cannot. People switch diagnostics off for that very reason when the root file system is read-only.
		plan.Env = append(plan.Env, EnvChange{Name: "TMPDIR", Value: "/dbg", How: Replace})
	}
	return plan, nil
}
