// Package nodejs says everything about Node.js, whose inspector is part of it.
//
// Source of the options: Node's documentation, "Command-line API", and npm's "config" page for node-options.
package nodejs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
	"debuggable.dev/debuggable/runtimes/nodejs/grammar"
)

const (
	port    = 9229
	nodeBin = "/dbg/nodejs/bin"
)

// Language returns Node.js.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"nodejs", "node", "npm"},
		Signs: language.Signs{
			Programs:   []string{"node", "nodejs", "nodemon", "npm", "npx", "yarn", "pnpm", "ts-node", "tsx", "next"},
			Buildpacks: buildpacks(),
			Strong:     []string{"NODE_VERSION", "NODEJS_VERSION"},
			Weak:       []string{"NODE_ENV"},
		},
		Protocols: []language.Protocol{{Name: "devtools", Port: port, Client: "node inspect ADDRESS   or chrome://inspect"}},
		Listeners: []language.Listener{{
			Protocol: "devtools", Started: inspectOption, Port: port,
			Address: regexp.MustCompile(`--(?:inspect(?:-brk|-wait|-port)?|debug-port)[= ]([^\s"']*\d)`),
		}},
		Variables:  []string{"NODE_OPTIONS"},
		ByVariable: true,
		Plan:       plan,
		Task:       task,
		Editor:     inEditors(),
		Doc: language.Doc{
			Rewrite: "`--inspect=0.0.0.0:9229` behind `node` and `nodemon`, `--node-options=…` for `npm`, else " +
				"`NODE_OPTIONS`; " +
				"`/dbg/nodejs/bin` in front of `PATH`",
			Support: "a `node` wrapper",
		},
	}
}

// buildpacks are from the lists of buildpacks in the builders of Paketo, Heroku and Google Cloud.
func buildpacks() language.Buildpacks {
	return language.Buildpacks{
		Starts: []string{
			"google.nodejs.", "paketo-buildpacks/nodejs", "paketo-buildpacks/npm-start", "paketo-buildpacks/yarn-start",
			"paketo-buildpacks/node-start", "heroku/nodejs", "heroku/nodejs-function", "heroku/nodejs-function-invoker",
		},
		Aids: []string{
			"google.nodejs.runtime", "google.nodejs.yarn", "google.nodejs.npm", "paketo-buildpacks/node-engine",
			"paketo-buildpacks/npm-install", "paketo-buildpacks/yarn-install", "heroku/nodejs-engine", "heroku/nodejs-npm",
			"heroku/nodejs-npm-install", "heroku/nodejs-npm-engine", "heroku/nodejs-yarn", "heroku/nodejs-pnpm",
			"heroku/nodejs-pnpm-install", "heroku/nodejs-corepack",
		},
	}
}

// plan starts the inspector, on the command line or by NODE_OPTIONS.
func plan(p language.Process, o language.Options) (language.Plan, error) {
	if plan, found, err := running(p, o); found || err != nil {
		return plan, err
	}
	if err := isThere(p); err != nil {
		return language.Plan{}, err
	}
	if name, at := toolByPath(p); name != "" {
		return attachToTool(p, o, name, at)
	}
	if inspectors(p.Line) > inspectors(p.Argv) {
		return language.Plan{}, reason.Refuse(reason.OtherDebugger,
			"another program of the script is started with --inspect, and the node wrapper would take that for the "+
				"application's")
	}
	if o.Published && watches(p) {
		what := "leaves the program that " + language.ProgramName(p.Argv[0]) + " starts without an inspector"
		return language.Plan{}, language.SupportImageOld(what)
	}
	number, err := language.FreePort(o, port)
	if err != nil {
		return language.Plan{}, err
	}
	inspect := "--inspect"
	if o.Suspend {
		inspect = "--inspect-brk"
	}
	inspect += "=" + o.Host("0.0.0.0") + ":" + strconv.Itoa(int(number))
	plan := language.Plan{Ports: []language.Port{{Protocol: "devtools", Number: number}}, Support: true, Storage: 16}
	program, tool := "", false
	if len(p.Argv) > 0 && !p.Script {
		program = language.ProgramName(p.Argv[0])
	}
	if p.Manager() != "" || slices.Contains(forkingTools, program) && slices.ContainsFunc(p.Argv[1:], language.Manages) {
		return language.Plan{}, language.RefuseManaged() // npx concurrently
	}
	if plan.Insert, plan.Sets = onLine(p, program, inspect); plan.Insert == nil {
		if tool, err = checkOptions(p, o, program); err != nil {
			return language.Plan{}, err
		}
		plan.Env = append(plan.Env,
			language.EnvChange{Name: "NODE_OPTIONS", Value: inspect, How: language.Append, Sep: " "})
	} else if p.EnvFixed {
		return plan, nil // the wrapper on PATH is a help for tools that start node
	}
	plan.Env = append(plan.Env, language.EnvChange{
		Name: "PATH", Value: nodeBin, How: language.Prepend, Sep: ":", Default: language.DefaultPath, Needed: tool,
	})
	return plan, nil
}

// isThere refuses a process whose node is no Node, or cannot be found.
func isThere(p language.Process) error {
	if bunsNode(p) {
		return reason.Refuse(reason.NoRuntime, "the image has Bun in the place of Node (%s is on its PATH), whose inspector "+
			"is another: start bun by its name", bunsStandIn)
	}
	if search, found := p.Env["PATH"]; found && len(p.Argv) > 0 && nowhere(search) && !strings.Contains(p.Argv[0], "/") {
		return reason.Refuse(reason.ProgramNotAPath,
			"PATH is %q, where no %s can be found: the support image's would be taken for it", search, p.Argv[0])
	}
	return nil
}

// nowhere reports whether a PATH has no directory in it.
func nowhere(search string) bool {
	return search != "" && !strings.HasPrefix(search, "/") && !strings.Contains(search, ":/")
}

// bunsStandIn is a directory in which Bun's image has a link of the name node to itself, for images without Node.
const bunsStandIn = "bun-node-fallback-bin"

// bunsNode reports whether node is Bun: its image is built upon, and Node was not added.
func bunsNode(p language.Process) bool {
	return strings.Contains(p.ImageEnv["PATH"], bunsStandIn) && p.ImageEnv["NODE_VERSION"] == ""
}

// running finds the debugger that is there already: the program's, its tool's, or that of what a script of its project
// runs.
func running(p language.Process, o language.Options) (plan language.Plan, found bool, err error) {
	if plan, found := existing(p); found {
		return plan, true, nil
	}
	if plan, found := switches().Plan(nodeTool(p)); found {
		return plan, true, nil
	}
	if p.Runs == nil {
		return plan, false, nil
	}
	runs := *p.Runs
	runs.Languages = p.Languages
	if plan, found := existing(runs); found {
		return plan, true, nil
	}
	return plan, false, checkRuns(p, runs, o)
}

// onLine is what starts the inspector on the command line, and the variable that this sets; nil where only NODE_OPTIONS
// can.
func onLine(p language.Process, program, inspect string) (insert []language.Insertion, by []string) {
	switch {
	case p.LineFixed:
	case program == "node", program == "nodejs", program == "nodemon" && nodemonRunsNode(p):
		return []language.Insertion{{Before: 1, Words: []string{inspect}}}, nil
	case program == "npm" && !sets(p, "NODE_OPTIONS") && (p.Runs == nil || !p.Runs.Hidden["NODE_OPTIONS"]):
		// npm hands --node-options to the scripts that it runs. It replaces NODE_OPTIONS, so it serves only where
		// there is none.
		at := len(p.Argv)
		if p.AnyDynamic() {
			at = 1 // a word of unknown value may be, or hold, the "--"
		} else if end := slices.Index(p.Argv, "--"); end >= 0 {
			at = end
		}
		return []language.Insertion{{Before: at, Words: []string{"--node-options=" + inspect}}}, []string{"NODE_OPTIONS"}
	}
	return nil, nil
}

// checkOptions refuses a process in which NODE_OPTIONS would reach others than the application, or not it. tool reports
// whether a tool's own node would take the port where the wrapper does not come first on PATH.
func checkOptions(p language.Process, o language.Options, program string) (tool bool, err error) {
	// A probe finds the port taken, says so, and goes on (Node 20), unless it is to wait for a debugger.
	if p.Disturbed("nodejs", o) {
		return false, reason.Refuse(reason.EnvShared, "a probe, a hook or the script starts another program, which may be "+
			"Node: it would get the same inspector, and take its port or wait for a debugger")
	}
	if err := p.Managed(); err != nil {
		return false, err
	}
	behind := p.BehindLauncher() != ""
	if behind && inspectors(p.Argv) > 0 {
		return false, language.RefuseLauncher(p)
	}
	tool = slices.Contains(forkingTools, program) || behind && slices.ContainsFunc(p.Argv, func(w string) bool {
		return slices.Contains(forkingTools, language.ProgramName(w))
	})
	if tool && slices.ContainsFunc(p.Via, func(via string) bool { return strings.HasPrefix(via, "/cnb/") }) {
		return false, reason.Refuse(reason.NodeByPath, "the buildpacks launcher puts the image's own node first on PATH, so "+
			"that NODE_OPTIONS would have %s inspected and not the application: call node by its name", program)
	}
	return tool, nil
}

// nodeTool is the process as if the tool that node, npx and the like run had been started by its own name.
func nodeTool(p language.Process) language.Process {
	for len(p.Argv) > 0 {
		end := 1 + len(nodeOptions(p.Argv[1:]))
		switch language.ProgramName(p.Argv[0]) {
		case "npx", "yarn", "pnpm", "npm":
			if end < len(p.Argv) && slices.Contains([]string{"exec", "x", "dlx", "run"}, p.Argv[end]) {
				end++
			}
			if end < len(p.Argv) && p.Argv[end] == "--" {
				end++
			}
		case "node", "nodejs":
		default:
			return p
		}
		p.Argv = p.Argv[end:]
	}
	return p
}

// watches reports whether the program starts the application by the path of the node that runs itself, where only a
// module that NODE_OPTIONS loads reaches it.
func watches(p language.Process) bool {
	argv := nodeTool(p).Argv
	return len(argv) > 1 && !p.Script && language.ProgramName(argv[0]) == "tsx" && argv[1] == "watch"
}

// forkingTools run in a node of their own and start the application in another.
var forkingTools = []string{"npm", "npx", "yarn", "pnpm", "tsx", "nodemon"}

// toolByPath finds the tool that a node called by its path runs, and the word that names it: /usr/bin/node
// node_modules/.bin/nodemon app.js. A node that is looked up on PATH is the wrapper, which knows what is a tool and
// what is the application; this one would have the tool inspected.
func toolByPath(p language.Process) (tool string, at int) {
	if len(p.Argv) == 0 || p.Script || !strings.Contains(p.Argv[0], "/") || language.ProgramName(p.Argv[0]) != "node" &&
		language.ProgramName(p.Argv[0]) != "nodejs" {
		return "", 0
	}
	at = 1 + len(nodeOptions(p.Argv[1:]))
	if at >= len(p.Argv) {
		return "", 0
	}
	if m := startingTool.FindStringSubmatch(language.ProgramName(p.Argv[at])); m != nil {
		return m[1], at
	}
	return "", 0
}

// startingTool matches the files of tools that start the application as a process of its own: npm-cli.js,
// yarn-4.1.0.cjs.
var startingTool = regexp.MustCompile(`^(nodemon|npm|npx|yarn|pnpm|corepack)(-cli|-[0-9.]+)?(\.[cm]?js)?$`)

// attachToTool makes a tool that node was started with hand the inspector on, as if it had been started by its name.
func attachToTool(p language.Process, o language.Options, tool string, at int) (language.Plan, error) {
	q := p
	q.Argv = append([]string{tool}, p.Argv[at+1:]...)
	if p.Dynamic != nil {
		q.Dynamic = p.Dynamic[at:]
	}
	plan, err := plan(q, o)
	if err != nil {
		return language.Plan{}, err
	}
	if !plan.Existing && len(plan.Insert) == 0 {
		return language.Plan{}, reason.Refuse(reason.NodeByPath,
			"node is called by its path, so that NODE_OPTIONS would have %s inspected and not the application: call node, or "+
				"%[1]s, by its name alone", tool)
	}
	for i := range plan.Insert {
		plan.Insert[i].Before += at
	}
	return plan, nil
}

var inspectOption = regexp.MustCompile(`--inspect(-brk|-wait|-port)?($|[^\w-])`)

// inspectors counts how often words ask for an inspector.
func inspectors(words []string) (n int) {
	for _, w := range words {
		n += len(inspectOption.FindAllString(w, -1))
	}
	return n
}

// sets says whether anything gives a variable a value.
func sets(p language.Process, name string) bool {
	_, known := p.Env[name]
	return !p.Unset[name] && (known || p.Unknown[name] || p.Hidden[name])
}

// existing looks for an inspector on the command line and in NODE_OPTIONS.
func existing(p language.Process) (language.Plan, bool) {
	words := language.WordsFrom(p.Env["NODE_OPTIONS"], "--inspect", "--debug-port")
	if len(p.Argv) > 0 && (!p.Script || language.ProgramName(p.Argv[0]) == "docker-entrypoint.sh") {
		switch language.ProgramName(p.Argv[0]) {
		case "node", "nodejs", "docker-entrypoint.sh": // the official image's hands options to node
			words = append(words, nodeOptions(p.Argv[1:])...)
		case "nodemon":
			options := language.LeadingOptions(p.Argv[1:], nodemonValueOptions)
			words = append(words, options...)
			if exec, ok := language.OptionValue(options, "--exec", "-x"); ok {
				words = append(words, strings.Fields(exec)...)
			}
		case "npx", "yarn", "pnpm":
			words = append(words, nodeOptions(p.Argv[1:])...)
		case "npm":
			args := p.Argv[1:]
			if end := slices.Index(args, "--"); end >= 0 {
				args = args[:end]
			}
			if options, ok := language.OptionValue(args, "--node-options"); ok {
				words = append(words, strings.Fields(options)...)
			}
		}
	}
	found := false
	ports := language.Listening("devtools", "", port)
	for i, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "--inspect", "--inspect-brk", "--inspect-wait":
			found = true
			if value != "" {
				ports = language.Listening("devtools", value, port)
			}
		case "--inspect-port", "--debug-port":
			if value == "" && i+1 < len(words) {
				value = words[i+1]
			}
			ports = language.Listening("devtools", value, port)
		}
	}
	return language.Plan{Existing: true, Ports: ports}, found
}

// nodemonRunsNode says whether nodemon hands its node options to node rather than to another program, which it runs
// for --exec and for files of other kinds (its execMap: ts-node for .ts) and which may not know --inspect.
func nodemonRunsNode(p language.Process) bool {
	args := p.Argv[1:]
	options := language.LeadingOptions(args, nodemonValueOptions)
	if _, exec := language.OptionValue(options, "--exec", "-x"); exec {
		return false
	}
	if len(options) == len(args) {
		return true // package.json names the script
	}
	i := len(options)
	if p.IsDynamic(i + 1) {
		return false
	}
	script := args[i]
	dot := strings.LastIndexByte(script, '.')
	if dot <= strings.LastIndexByte(script, '/') {
		return true
	}
	switch script[dot:] {
	case ".js", ".mjs", ".cjs":
		return true
	}
	return false
}

// nodeOptions returns node's own options at the beginning of its arguments.
func nodeOptions(args []string) []string {
	return args[:language.OptionsEnd(args, grammar.TakesValue)]
}

// nodemonValueOptions take the next word as their value when they have no "=".
var nodemonValueOptions = []string{
	"-w", "--watch", "-e", "--ext", "-x", "--exec", "-d", "--delay", "-i", "--ignore", "--config", "-s", "--signal",
	"--cwd", "-r", "--require", "--import", "-C", "--conditions", "--inspect-port",
}
