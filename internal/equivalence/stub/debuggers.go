package main

import (
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// portOf is the port of an address, "" for none.
func portOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		address = address[i+1:]
	}
	return address
}

// goPrograms are the names of programs that were built by Go.
var goPrograms = []string{"server", "web", "gosrv", "main", "manager", "my server"}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// delve follows Delve's own command line: options may stand anywhere in front of "--"; a program is a path, relative to
// the working directory, never looked up on PATH.
func delve(argv, env []string) {
	if len(argv) < 2 || argv[1] != "exec" {
		fail("dlv: only exec works here")
	}
	flags := []string{"--headless", "--continue", "--accept-multiclient", "--log", "--only-same-user",
		"--check-go-version", "--disable-aslr"}
	valued := []string{"--listen", "-l", "--api-version", "--wd", "--init", "--backend", "--log-output", "--log-dest",
		"-r", "--redirect", "--tty"}
	var words []string
	listen := ""
	args := argv[2:]
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			words = append(words, args[i+1:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			words = append(words, a)
			continue
		}
		name, value, given := strings.Cut(a, "=")
		switch {
		case contains(flags, name):
			continue
		case contains(valued, name):
		case !strings.HasPrefix(a, "--") && contains(valued, a[:2]):
			name, value, given = a[:2], strings.TrimPrefix(a[2:], "="), true
		default:
			fail("dlv: unknown flag " + a)
		}
		if !given {
			if i++; i == len(args) {
				fail("dlv: flag needs an argument " + a)
			}
			value = args[i]
		}
		switch name {
		case "--listen", "-l":
			listen = value
		case "--wd":
			chdir(value)
		}
	}
	if len(words) == 0 {
		fail("dlv: you must provide a path to a binary")
	}
	file := words[0]
	if !strings.HasPrefix(file, "/") {
		dir, _ := syscall.Getwd()
		file = path.Join(dir, file)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		fail("dlv: could not launch process: " + file + ": " + err.Error())
	}
	magic := make([]byte, 4)
	if fd, err := syscall.Open(file, syscall.O_RDONLY, 0); err == nil {
		syscall.Read(fd, magic)
		syscall.Close(fd)
	}
	if string(magic) != "\x7fELF" || !contains(goPrograms, path.Base(file)) {
		fail("dlv: could not launch process: not a Go executable: " + file)
	}
	port := "56268"
	if listen != "" {
		port = portOf(listen)
	}
	debugs("dlv", port)
	syscall.Exec(file, append([]string{file}, words[1:]...), env)
	die(126, "dlv: "+file)
}

// pythonPrograms are installed with a #! line that names Python.
var pythonPrograms = []string{"gunicorn", "uvicorn", "hypercorn", "flask", "celery", "django-admin", "manage.py",
	"opentelemetry-instrument"}

func pythonLauncher(argv, env []string) {
	mode, port := "", ""
	var command []string
	for i := 1; i < len(argv); i++ {
		switch argv[i] {
		case "--mode", "--port":
			if i+1 == len(argv) {
				fail("launcher: no value")
			}
			if argv[i] == "--mode" {
				mode = argv[i+1]
			} else {
				port = argv[i+1]
			}
			i++
		case "--wait":
		case "--":
			command = argv[i+1:]
			i = len(argv)
		default:
			fail("launcher: unknown option " + argv[i])
		}
	}
	if len(command) == 0 {
		fail("launcher: no command")
	}
	name := path.Base(command[0])
	protocol := map[string]string{"debugpy": "dap", "pydevd": "pydevd"}[mode]
	switch {
	case lookPath(command[0], env) == "":
		die(127, "launcher: "+command[0]+": not found")
	case contains(pythonPrograms, name), strings.HasPrefix(name, "python") && pythonProgram(command):
		debugs(protocol, port)
	default:
		// The real one says so and goes on without a debugger.
		os.Stderr.WriteString("launcher: started without a debugger\n")
	}
	run(command, env)
}

// pythonProgram says whether an interpreter's command line names something to run.
func pythonProgram(argv []string) bool {
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		switch {
		case a == "-", strings.HasPrefix(a, "--"):
			return false
		case a[:min(1, len(a))] != "-":
			return true
		}
		at := strings.IndexAny(a, "cmWX")
		if at < 0 {
			continue
		}
		if a[at] == 'c' || a[at] == 'm' {
			return true
		}
		if at+1 == len(a) {
			i++
		}
	}
	return false
}

func python(argv, env []string) {
	for i := 1; i < len(argv); i++ {
		if argv[i] == "-m" && i+1 < len(argv) || strings.HasPrefix(argv[i], "-m") && len(argv[i]) > 2 {
			module, rest := strings.TrimPrefix(argv[i], "-m"), argv[i+1:]
			if module == "" {
				module, rest = argv[i+1], argv[i+2:]
			}
			if module == "honcho" || module == "supervisor.supervisord" {
				run(append([]string{module[strings.LastIndexByte(module, '.')+1:]}, rest...), env)
			}
			for j, a := range rest {
				value := strings.TrimPrefix(strings.TrimPrefix(a, "--listen="), "--port=")
				if (a == "--listen" || a == "--port") && j+1 < len(rest) {
					value = rest[j+1]
				} else if value == a {
					continue
				}
				switch module {
				case "debugpy", "ptvsd":
					debugs("dap", portOf(value))
				case "pydevd":
					debugs("pydevd", portOf(value))
				}
			}
			break
		}
		if !strings.HasPrefix(argv[i], "-") {
			break
		}
	}
	app("app", argv, env)
}

// take gives a port to this process until it ends; a port that another one has is a failure.
func take(port string) bool {
	fd, err := syscall.Open("/ports/"+port, syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY, 0o644)
	if err != nil {
		return false
	}
	syscall.Close(fd)
	taken = port
	return true
}

// taken is the port that this process has.
var taken string

// release gives it back: what runs later may have it.
func release() {
	if taken != "" {
		syscall.Unlink("/ports/" + taken)
	}
}

func java(argv, env []string) {
	words := strings.Fields(get(env, "JAVA_TOOL_OPTIONS") + " " + get(env, "JDK_JAVA_OPTIONS") + " " + get(env,
		"_JAVA_OPTIONS"))
	for i := 1; i < len(argv); i++ {
		if argv[i] == "-cp" || argv[i] == "-classpath" {
			i++
			continue
		}
		if argv[i] == "-jar" || !strings.HasPrefix(argv[i], "-") {
			break
		}
		words = append(words, argv[i])
	}
	agents := 0
	port := ""
	for _, w := range words {
		_, options, ok := strings.Cut(w, "-agentlib:jdwp=")
		if !ok {
			_, options, ok = strings.Cut(w, "-Xrunjdwp:")
		}
		if !ok {
			continue
		}
		agents++
		for _, o := range strings.Split(options, ",") {
			if v, ok := strings.CutPrefix(o, "address="); ok {
				port = portOf(v)
			}
		}
	}
	if agents > 1 {
		fail("java: cannot load this JVM TI agent twice")
	}
	if agents == 1 {
		if !take(port) {
			fail("java: JDWP: address already in use: " + port)
		}
		debugs("jdwp", port)
	}
	release() // app ends the process
	if options := get(env, "JAVA_TOOL_OPTIONS"); options != "" {
		says("Picked up JAVA_TOOL_OPTIONS: "+options, argv)
	}
	app("app", argv, env)
}

// says writes what only a program that has a debugger, or is told to have one, says. That of programs beside the
// application is marked: a script may take it for what they say themselves.
func says(text string, argv []string) {
	for _, w := range append(argv, path.Base(self)) {
		if contains([]string{"keytool", "jcmd", "-version", "health.js", "migrate.js", "worker.js"}, w) {
			text = "beside: " + text
			break
		}
	}
	os.Stderr.WriteString(text + "\n")
}

const preload = "--require /dbg/nodejs/lib/attach.cjs"

// nodeTools are scripts that run other scripts.
var nodeTools = []string{"npm", "npx", "yarn", "pnpm", "nodemon", "ts-node", "tsx", "next"}

func inspector(word string) (port string, ok bool) {
	for _, p := range []string{"--inspect", "--inspect-brk", "--inspect-wait"} {
		if word == p {
			return "9229", true
		}
		if v, found := strings.CutPrefix(word, p+"="); found {
			if n := portOf(v); n != "" {
				if _, err := strconv.Atoi(n); err == nil {
					return n, true
				}
			}
			return "9229", true
		}
	}
	return "", false
}

// nodeLine takes a command line of node apart: its options, the script with its arguments, and how many words the
// options are.
func nodeLine(argv []string) (options, rest []string, n int) {
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		if a == "--" {
			return options, argv[i+1:], i - 1
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			return options, argv[i:], i - 1
		}
		options = append(options, a)
		if contains([]string{"-r", "--require", "--import", "-e", "--eval", "-C", "--conditions", "--title"}, a) &&
			i+1 < len(argv) {
			i++
			options = append(options, argv[i])
		}
	}
	return options, nil, len(argv) - 1
}

// nodeWrapper keeps the inspector from tools and gives it to the application, as the support image's wrapper does.
func nodeWrapper(argv, env []string) {
	real := ""
	for _, dir := range strings.Split(get(env, "PATH"), ":") {
		if path.Clean(dir) == "/dbg/nodejs/bin" {
			continue
		}
		if real = lookPath(dir+"/node", nil); real != "" {
			var st syscall.Stat_t
			if syscall.Stat(real, &st) == nil {
				break
			}
			real = ""
		}
	}
	if real == "" {
		die(127, "node: no node on PATH but the one that debugging put there")
	}
	options, rest, n := nodeLine(argv)
	behind := argv[1+n:]
	var inspect, kept, fromEnv, keptEnv []string
	for _, o := range options {
		if _, ok := inspector(o); ok {
			inspect = append(inspect, o)
		} else {
			kept = append(kept, o)
		}
	}
	for _, o := range strings.Split(get(env, "NODE_OPTIONS"), " ") {
		if _, ok := inspector(o); ok {
			fromEnv = append(fromEnv, o)
		} else if o != "" {
			keptEnv = append(keptEnv, o)
		}
	}
	if len(inspect) == 0 {
		inspect = fromEnv
	}
	if len(inspect) == 0 && get(env, "DEBUGGABLE_NODE_INSPECT") != "" {
		inspect = strings.Fields(get(env, "DEBUGGABLE_NODE_INSPECT"))
	}
	if len(inspect) == 0 {
		syscall.Exec(real, argv, env)
	}
	restored := strings.TrimSpace(strings.Replace(strings.Join(keptEnv, " "), preload, "", 1))
	env = unset(unset(env, "DEBUGGABLE_NODE_INSPECT"), "NODE_OPTIONS")
	isTool := len(rest) == 0 || contains(nodeTools, path.Base(rest[0]))
	if isTool {
		env = append(env, "NODE_OPTIONS="+strings.TrimSpace(preload+" "+restored),
			"DEBUGGABLE_NODE_INSPECT="+strings.Join(inspect, " "))
		syscall.Exec(real, append(append([]string{argv[0]}, kept...), behind...), env)
	}
	if restored != "" {
		env = append(env, "NODE_OPTIONS="+restored)
	}
	syscall.Exec(real, append(append(append([]string{argv[0]}, inspect...), kept...), behind...), env)
}

func node(argv, env []string) {
	options, rest, _ := nodeLine(argv)
	if len(rest) > 0 && path.Base(rest[0]) == "concurrently" {
		release()
		run(rest, env)
	}
	isTool := len(rest) > 0 && contains(nodeTools, path.Base(rest[0]))
	port, inspected := "", false
	for _, o := range append(strings.Split(get(env, "NODE_OPTIONS"), " "), options...) {
		if p, ok := inspector(o); ok {
			port, inspected = p, true
		}
	}
	if waiting := get(env, "DEBUGGABLE_NODE_INSPECT"); waiting != "" &&
		strings.Contains(get(env, "NODE_OPTIONS"), preload) && !inspected {
		runner := len(rest) > 0 && contains([]string{"next", "ts-node"}, path.Base(rest[0]))
		if !isTool || runner {
			port, inspected = inspector(waiting)
			env = unset(env, "DEBUGGABLE_NODE_INSPECT")
			options := strings.TrimSpace(strings.Replace(get(env, "NODE_OPTIONS"), preload, "", 1))
			if env = unset(env, "NODE_OPTIONS"); options != "" {
				env = append(env, "NODE_OPTIONS="+options)
			}
		}
	}
	if inspected && take(port) {
		// A port that is taken costs node its inspector and nothing else.
		debugs("devtools", port)
		says("Debugger listening on port "+port, argv)
	}
	if isTool {
		record("tool", self, argv, env, "")
		nodeTool(path.Base(rest[0]), rest[1:], env)
	}
	release()
	app("app", argv, env)
}

func quoted(args []string) string {
	s := ""
	for _, a := range args {
		s += " '" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return s
}

func nodeTool(name string, args, env []string) {
	switch name {
	case "npm", "yarn", "pnpm":
		var words []string
		for i := 0; i < len(args); i++ {
			if args[i] == "--" {
				words = append(words, args[i+1:]...)
				break
			}
			if v, ok := strings.CutPrefix(args[i], "--node-options="); ok && name == "npm" {
				env = set(env, "NODE_OPTIONS", v)
				continue
			}
			if strings.HasPrefix(args[i], "-") && name == "npm" {
				continue // npm's own
			}
			words = append(words, args[i])
		}
		if len(words) > 0 && (words[0] == "run" || words[0] == "run-script") {
			words = words[1:]
		}
		// in processes that nobody debugs
		if len(words) == 0 || words[0] == "ci" || words[0] == "install" || words[0] == "build" {
			os.Exit(0)
		}
		env = set(env, "PATH", "/app/node_modules/.bin:"+get(env, "PATH"))
		spawn([]string{"/bin/sh", "-c", "node server.js" + quoted(words[1:])}, env)
	case "npx":
		for len(args) > 0 && strings.HasPrefix(args[0], "-") {
			args = args[1:]
		}
		if len(args) == 0 {
			os.Exit(0)
		}
		spawn(args, set(env, "PATH", "/app/node_modules/.bin:"+get(env, "PATH")))
	case "nodemon":
		command := []string{"node"}
		for len(args) > 0 && strings.HasPrefix(args[0], "-") {
			if args[0] == "-w" || args[0] == "--watch" || args[0] == "-e" || args[0] == "--ext" {
				args = args[2:]
				continue
			}
			if args[0] == "--exec" || args[0] == "-x" {
				spawn([]string{"/bin/sh", "-c", args[1] + quoted(args[2:])}, env)
			}
			if _, ok := inspector(args[0]); ok {
				command = append(command, args[0])
			}
			args = args[1:]
		}
		spawn(append(command, args...), env)
	case "tsx":
		spawn(append([]string{self}, args...), env)
	}
	// ts-node and next run the application in their own process.
	self += "+" + name
	app("app", append([]string{name}, args...), env)
}
