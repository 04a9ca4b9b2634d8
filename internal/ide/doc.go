// Package ide writes what editors need so that they attach to debuggable containers, with the mapping between local
// sources and the debugger's: VS Code's launch.json (which other editors read too), JetBrains' run configurations,
// Cloud Code's entries.
//
// Containers come from rewritten manifests ([Containers]) or from a cluster; where their sources are is package
// sources' business. What belongs in an entry is the language's own ([editor.Language]). Here it gets its name, its
// place, and is merged with what others wrote: entries are ours by name, everything else stays byte for byte.
package ide
