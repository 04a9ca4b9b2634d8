package nodejs

import (
	"path"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
)

// task reads the command lines by which package managers start a script of package.json. An option that is not known
// may change which script that is, and where it is looked for: then it is none.
//
// Sources: npm's documentation, "npm-run-script" and "npm-start"; Yarn 1's, "yarn run"; pnpm's, "pnpm run".
func task(p language.Process) *language.Task {
	if len(p.Argv) == 0 || p.AnyDynamic() || !path.IsAbs(p.WorkingDir) {
		return nil
	}
	tool, args := language.ProgramName(p.Argv[0]), p.Argv[1:]
	if tool == "node" || tool == "nodejs" {
		if at := len(nodeOptions(args)); at < len(args) {
			tool, args = language.ProgramName(args[at]), args[at+1:]
		}
	}
	m := startingTool.FindStringSubmatch(tool)
	if m == nil || !slices.Contains([]string{"npm", "yarn", "pnpm"}, m[1]) {
		return nil
	}
	t := &language.Task{Dir: p.WorkingDir}
	if !read(t, m[1], args) {
		return nil
	}
	t.Dir = path.Clean(t.Dir)
	t.File, t.Bin = path.Join(t.Dir, "package.json"), path.Join(t.Dir, "node_modules", ".bin")
	t.Before = []string{"pre" + t.Name}
	return t
}

// quiet are options that say how much a package manager prints.
var quiet = []string{"-s", "--silent", "-q", "--quiet", "-d", "-dd", "-ddd", "--verbose", "--no-update-notifier",
	"--no-fund", "--no-audit"}

// read reads the arguments of a package manager.
func read(t *language.Task, tool string, args []string) bool {
	ran := false
	for i := 0; i < len(args); i++ {
		w := args[i]
		name, value, has := strings.Cut(w, "=")
		switch {
		case t.Name != "" && tool != "npm":
			t.Args = args[i:]
			return true
		case w == "--":
			t.Args = append(t.Args, args[i+1:]...)
			return t.Name != ""
		case harmless(w):
		case directory(tool, name):
			if !has {
				if i++; i == len(args) {
					return false
				}
				value = args[i]
			}
			if !path.IsAbs(value) {
				value = path.Join(t.Dir, value)
			}
			t.Dir = value
		case strings.HasPrefix(w, "-") || w == "":
			return false
		case t.Name != "":
			t.Args = append(t.Args, w)
		case !ran && (w == "run" || w == "run-script" && tool != "yarn"):
			ran = true
		case ran || short(tool, w):
			t.Name = w
		default:
			return false
		}
	}
	return t.Name != ""
}

// harmless reports whether an option changes nothing about which script is run.
func harmless(option string) bool {
	return slices.Contains(quiet, option) || strings.HasPrefix(option, "--node-options=") ||
		strings.HasPrefix(option, "--loglevel=")
}

// short reports whether a package manager takes a word for the name of a script without "run" in front of it.
func short(tool, word string) bool {
	return word == "start" || word == "test" || tool != "npm" && !slices.Contains(ownCommands, word)
}

// directory reports whether an option names the project's directory.
func directory(tool, option string) bool {
	switch tool {
	case "npm":
		return option == "--prefix" || option == "-C"
	case "yarn":
		return option == "--cwd"
	}
	return option == "-C" || option == "--dir"
}

// ownCommands are those of Yarn and pnpm that are no scripts: neither asks package.json about them.
var ownCommands = []string{
	"add", "approve-builds", "audit", "autoclean", "bin", "c", "cache", "cat-file", "cat-index", "check", "config",
	"constraints", "create", "dedupe", "deploy", "dlx", "doctor", "env", "exec", "explain", "fetch", "find-hash",
	"generate-lock-entry", "get", "global", "help", "i", "ignored-builds", "import", "info", "init", "install",
	"install-test", "it", "licenses", "link", "list", "ln", "login", "logout", "ls", "multi", "m", "node", "npm",
	"outdated", "owner", "pack", "patch", "patch-commit", "plugin", "policies", "prune", "publish", "rb", "rebuild",
	"recursive", "remove", "restart", "rm", "root", "search", "self-update", "server", "set", "setup", "stage", "store",
	"tag", "team", "un", "uninstall", "unlink", "unplug", "up", "update", "upgrade", "upgrade-interactive", "version",
	"versions", "view", "why", "workspace", "workspaces", "x",
}

// checkRuns refuses what package.json's script would make of the inspector: the variable that brings it reaches
// everything in the script.
func checkRuns(p, runs language.Process, o language.Options) error {
	if runs.Unset["NODE_OPTIONS"] || runs.Hidden["PATH"] {
		return reason.Refuse(reason.EnvHidden, "NODE_OPTIONS and PATH would not reach %s: the script of package.json "+
			"clears or sets them",
			runs.Argv[0])
	}
	if err := runs.Managed(); err != nil {
		return err
	}
	if runs.Disturbed("nodejs", o) {
		return reason.Refuse(reason.EnvShared,
			"package.json has %s start another program besides, which may be Node: it would get the same inspector, and take "+
				"its port or wait for a debugger",
			language.ProgramName(p.Argv[0]))
	}
	return nil
}
