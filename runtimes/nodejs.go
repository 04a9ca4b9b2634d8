package runtimes

import (
	"regexp"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/nodeoptions"
	"debuggable.dev/debuggable/internal/reason"
)

// NodeJS starts Node's inspector.
//
// Source of the options: Node's documentation, "Command-line API", and npm's "config" page for node-options.
type NodeJS struct{}

const (
	inspectorPort = 9229
	nodeBin       = "/dbg/nodejs/bin"
	// containerPath is what container runtimes set PATH to where the image does not.
	containerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Name implements Runtime.
func (NodeJS) Name() string { return "nodejs" }

// Aliases implements Runtime.
func (NodeJS) Aliases() []string { return []string{"node", "npm"} }

// Detect implements Runtime.
func (NodeJS) Detect(p Process) Sign {
	if len(p.Argv) > 0 {
		switch name := programName(p.Argv[0]); name {
		case "node", "nodejs", "nodemon", "npm", "npx", "yarn", "pnpm", "ts-node", "tsx", "next":
			return Sign{Program, "program " + name}
		}
	}
	return strongest(buildpackSign(p, "nodejs"), envSign(p, true, "NODE_VERSION", "NODEJS_VERSION"), envSign(p, false, "NODE_ENV"))
}

// DebugPorts implements Runtime.
func (NodeJS) DebugPorts(text string) []int32 { return devtools.ports(text) }

var devtools = listener{"devtools", inspectOption, regexp.MustCompile(`--(?:inspect(?:-brk|-wait|-port)?|debug-port)[= ]([^\s"']*\d)`), inspectorPort}

// Attach implements Runtime.
func (n NodeJS) Attach(p Process, o Options) (Plan, error) {
	if plan, found := n.existing(p); found {
		return plan, nil
	}
	if plan, found := nodeTool(p).switched("devtools", nodeSwitches()); found {
		return plan, nil
	}
	if name, at := toolByPath(p); name != "" {
		return n.attachToTool(p, o, name, at)
	}
	if inspectors(p.Line) > inspectors(p.Argv) {
		return Plan{}, &reason.Refusal{Code: reason.OtherDebugger, Message: "another program of the script is started with --inspect, and the node wrapper would take that for the application's"}
	}
	if o.Published && watches(p) {
		return Plan{}, supportImageOld("leaves the program that " + programName(p.Argv[0]) + " starts without an inspector")
	}
	port, err := freePort(o, inspectorPort)
	if err != nil {
		return Plan{}, err
	}
	inspect := "--inspect=0.0.0.0:" + itoa(port)
	if o.Suspend {
		inspect = "--inspect-brk=0.0.0.0:" + itoa(port)
	}
	plan := Plan{Ports: []Port{{"devtools", port}}, Support: "nodejs", Storage: 16}
	options := EnvChange{Name: "NODE_OPTIONS", Value: inspect, How: Append, Sep: " "}
	program, tool := "", false
	if len(p.Argv) > 0 && !p.Script {
		program = programName(p.Argv[0])
	}
	switch {
	case slices.Contains(forkingTools, program) && slices.ContainsFunc(p.Argv[1:], manages): // npx concurrently
		return Plan{}, errManaged
	case !p.LineFixed && (program == "node" || program == "nodejs" || program == "nodemon" && nodemonRunsNode(p)):
		plan.Insert = []Insertion{{1, []string{inspect}}}
	case !p.LineFixed && program == "npm" && !p.sets("NODE_OPTIONS"):
		// npm hands --node-options to the scripts that it runs. It replaces NODE_OPTIONS, so it serves only where
		// there is none.
		at := len(p.Argv)
		if p.anyDynamic() {
			at = 1 // a word of unknown value may be, or hold, the "--"
		} else if end := slices.Index(p.Argv, "--"); end >= 0 {
			at = end
		}
		plan.Insert, plan.Sets = []Insertion{{at, []string{"--node-options=" + inspect}}}, []string{"NODE_OPTIONS"}
	case slices.ContainsFunc(p.others(n), func(c Command) bool { return o.Suspend || c.AtOnce && !c.Brief || c.stays() }):
		// A probe finds the port taken, says so, and goes on (Node 20), unless it is to wait for a debugger.
		return Plan{}, &reason.Refusal{Code: reason.EnvShared, Message: "a probe, a hook or the script starts another program, which may be Node: it would get the same inspector, and take its port or wait for a debugger"}
	default:
		if err := p.managed(); err != nil {
			return Plan{}, err
		}
		behind := p.behindLauncher() != ""
		if behind && inspectors(p.Argv) > 0 {
			return Plan{}, refuseLauncher(p)
		}
		// Its own node gets the variable, and takes the port, where the wrapper does not come first on PATH.
		tool = slices.Contains(forkingTools, program) || behind && slices.ContainsFunc(p.Argv, func(w string) bool {
			return slices.Contains(forkingTools, programName(w))
		})
		if tool && slices.ContainsFunc(p.Via, func(via string) bool { return strings.HasPrefix(via, "/cnb/") }) {
			return Plan{}, &reason.Refusal{Code: reason.NodeByPath, Message: "the buildpacks launcher puts the image's own node first on PATH, so that NODE_OPTIONS would have " + program + " inspected and not the application: call node by its name"}
		}
		plan.Env = append(plan.Env, options)
	}
	if p.EnvFixed && len(plan.Insert) > 0 {
		return plan, nil // the wrapper on PATH is a help for tools that start node
	}
	plan.Env = append(plan.Env, EnvChange{Name: "PATH", Value: nodeBin, How: Prepend, Sep: ":", Default: containerPath, Needed: tool})
	return plan, nil
}

// nodeTool is the process as if the tool that node, npx and the like run had been started by its own name.
func nodeTool(p Process) Process {
	for len(p.Argv) > 0 {
		end := 1 + len(nodeOptions(p.Argv[1:]))
		switch programName(p.Argv[0]) {
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

// watches reports whether the program starts the application by the path of the node that runs itself, where only a module that
// NODE_OPTIONS loads reaches it.
func watches(p Process) bool {
	argv := nodeTool(p).Argv
	return len(argv) > 1 && !p.Script && programName(argv[0]) == "tsx" && argv[1] == "watch"
}

// forkingTools run in a node of their own and start the application in another.
var forkingTools = []string{"npm", "npx", "yarn", "pnpm", "tsx", "nodemon"}

// toolByPath finds the tool that a node called by its path runs, and the word that names it: /usr/bin/node
// node_modules/.bin/nodemon app.js. A node that is looked up on PATH is the wrapper, which knows what is a tool and what is the
// application; this one would have the tool inspected.
func toolByPath(p Process) (tool string, at int) {
	if len(p.Argv) == 0 || p.Script || !strings.Contains(p.Argv[0], "/") || programName(p.Argv[0]) != "node" && programName(p.Argv[0]) != "nodejs" {
		return "", 0
	}
	at = 1 + len(nodeOptions(p.Argv[1:]))
	if at >= len(p.Argv) {
		return "", 0
	}
	if m := startingTool.FindStringSubmatch(programName(p.Argv[at])); m != nil {
		return m[1], at
	}
	return "", 0
}

// startingTool matches the files of tools that start the application as a process of its own: npm-cli.js, yarn-4.1.0.cjs.
var startingTool = regexp.MustCompile(`^(nodemon|npm|npx|yarn|pnpm|corepack)(-cli|-[0-9.]+)?(\.[cm]?js)?$`)

// attachToTool makes a tool that node was started with hand the inspector on, as if it had been started by its name.
func (n NodeJS) attachToTool(p Process, o Options, tool string, at int) (Plan, error) {
	q := p
	q.Argv = append([]string{tool}, p.Argv[at+1:]...)
	if p.Dynamic != nil {
		q.Dynamic = p.Dynamic[at:]
	}
	plan, err := n.Attach(q, o)
	if err != nil {
		return Plan{}, err
	}
	if !plan.Existing && len(plan.Insert) == 0 {
		return Plan{}, &reason.Refusal{Code: reason.NodeByPath, Message: "node is called by its path, so that NODE_OPTIONS would have " + tool + " inspected and not the application: call node, or " + tool + ", by its name alone"}
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
func (p Process) sets(name string) bool {
	_, known := p.Env[name]
	return !p.Unset[name] && (known || p.Unknown[name] || p.Hidden[name])
}

// existing looks for an inspector on the command line and in NODE_OPTIONS.
func (NodeJS) existing(p Process) (Plan, bool) {
	words := strings.Fields(p.Env["NODE_OPTIONS"])
	if len(p.Argv) > 0 && (!p.Script || programName(p.Argv[0]) == "docker-entrypoint.sh") {
		switch programName(p.Argv[0]) {
		case "node", "nodejs", "docker-entrypoint.sh": // the official image's hands options to node
			words = append(words, nodeOptions(p.Argv[1:])...)
		case "nodemon":
			options := leadingOptions(p.Argv[1:], nodemonValueOptions)
			words = append(words, options...)
			if exec, ok := optionValue(options, "--exec", "-x"); ok {
				words = append(words, strings.Fields(exec)...)
			}
		case "npx", "yarn", "pnpm":
			words = append(words, nodeOptions(p.Argv[1:])...)
		case "npm":
			args := p.Argv[1:]
			if end := slices.Index(args, "--"); end >= 0 {
				args = args[:end]
			}
			if options, ok := optionValue(args, "--node-options"); ok {
				words = append(words, strings.Fields(options)...)
			}
		}
	}
	found := false
	ports := listening("devtools", "", inspectorPort)
	for i, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "--inspect", "--inspect-brk", "--inspect-wait":
			found = true
			if value != "" {
				ports = listening("devtools", value, inspectorPort)
			}
		case "--inspect-port", "--debug-port":
			if value == "" && i+1 < len(words) {
				value = words[i+1]
			}
			ports = listening("devtools", value, inspectorPort)
		}
	}
	return Plan{Existing: true, Ports: ports}, found
}

// nodemonRunsNode says whether nodemon hands its node options to node rather than to another program, which it runs
// for --exec and for files of other kinds (its execMap: ts-node for .ts) and which may not know --inspect.
func nodemonRunsNode(p Process) bool {
	args := p.Argv[1:]
	options := leadingOptions(args, nodemonValueOptions)
	if _, exec := optionValue(options, "--exec", "-x"); exec {
		return false
	}
	if len(options) == len(args) {
		return true // package.json names the script
	}
	i := len(options)
	if p.dynamic(i + 1) {
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
	return args[:optionsEnd(args, nodeoptions.TakesValue)]
}

// leadingOptions returns the words up to the first that is neither an option nor the value of one.
func leadingOptions(args []string, withValue []string) []string {
	return args[:optionsEnd(args, func(name string) bool { return slices.Contains(withValue, name) })]
}

// optionsEnd is the index of the first word that is neither an option nor the value of one.
func optionsEnd(args []string, takesValue func(string) bool) int {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") || args[i] == "--" || args[i] == "-" {
			return i
		}
		if takesValue(args[i]) {
			i++
		}
	}
	return len(args)
}

// nodemonValueOptions take the next word as their value when they have no "=".
var nodemonValueOptions = []string{
	"-w", "--watch", "-e", "--ext", "-x", "--exec", "-d", "--delay", "-i", "--ignore", "--config", "-s", "--signal", "--cwd",
	"-r", "--require", "--import", "-C", "--conditions", "--inspect-port",
}
