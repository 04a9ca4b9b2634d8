package runtimes

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
)

// Python starts programs through the support image's launcher, which finds the interpreter and starts it with debugpy
// (the Debug Adapter Protocol) or pydevd.
//
// Source of the debuggers' options: debugpy's README and "Command line reference", pydevd's pydevd.py.
type Python struct{}

const pythonPort = 5678

// Name implements Runtime.
func (Python) Name() string { return "python" }

// Aliases implements Runtime.
func (Python) Aliases() []string { return nil }

// Detect implements Runtime.
func (Python) Detect(p Process) Sign {
	if len(p.Argv) > 0 {
		name := programName(p.Argv[0])
		if isPython(name) {
			return Sign{Program, "program " + name}
		}
		switch name {
		case "gunicorn", "uvicorn", "hypercorn", "flask", "celery", "django-admin", "locust", "debugpy":
			return Sign{Program, "program " + name}
		}
		if strings.HasSuffix(name, ".py") {
			return Sign{Program, "program " + name}
		}
		// It runs what follows, which is a Python program whatever it is called.
		if slices.Contains(p.Via, "opentelemetry-instrument") && !KnownOther(name) {
			return Sign{Program, "program opentelemetry-instrument"}
		}
	}
	return strongest(buildpackSign(p, "python"), envSign(p, true, "PYTHON_VERSION"), envSign(p, false,
		"PYTHONVERBOSE", "PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONUSERSITE", "PYTHONUNBUFFERED", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONWARNINGS",
		"PYTHONHOME", "PYTHONCASEOK", "PYTHONIOENCODING", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE"))
}

// isPython says whether a program is an interpreter: python, python2, python3, python3.N.
func isPython(name string) bool {
	version, ok := strings.CutPrefix(name, "python")
	if !ok {
		return false
	}
	if version == "" || version == "2" || version == "3" {
		return true
	}
	major, minor, ok := strings.Cut(version, ".")
	return ok && (major == "2" || major == "3") && minor != "" && strings.Trim(minor, "0123456789") == ""
}

// DebugPorts implements Runtime.
func (Python) DebugPorts(text string) []int32 { return dap.ports(text) }

var dap = listener{"dap", regexp.MustCompile(`(?:\b|-m)(?:debugpy|ptvsd|pydevd)\b`), regexp.MustCompile(`--(?:listen|port)[= ]([^\s"']+)`), pythonPort}

// Attach implements Runtime.
func (y Python) Attach(p Process, o Options) (Plan, error) {
	if len(p.Argv) == 0 {
		return Plan{}, errNoProgram
	}
	if plan, found, err := y.existing(p); found || err != nil {
		return plan, err
	}
	program := p.Argv[0]
	switch {
	case p.Script:
		return Plan{}, refuseScript(p.Argv)
	case p.dynamic(0):
		return Plan{}, refuseDynamic(program)
	case manages(program):
		return Plan{}, refuseManager(program)
	case p.behindLauncher() != "":
		return Plan{}, refuseLauncher(p)
	}
	if err := y.published(p); o.Published && err != nil {
		return Plan{}, err
	}
	port, err := freePort(o, pythonPort)
	if err != nil {
		return Plan{}, err
	}
	protocol, mode := "dap", "debugpy"
	for _, preferred := range o.Protocols {
		if preferred == "dap" {
			break
		}
		if preferred == "pydevd" {
			protocol, mode = "pydevd", "pydevd"
			break
		}
	}
	words := []string{"/dbg/python/launcher", "--mode", mode, "--port", itoa(port)}
	if o.Suspend {
		words = append(words, "--wait")
	}
	return Plan{
		Insert:  []Insertion{{0, append(words, "--")}},
		Ports:   []Port{{protocol, port}},
		Support: "python",
		Memory:  40, // measured: debugpy 1.8 in the program, and its adapter
		Storage: 128,
	}, nil
}

// published says what keeps the published support image from starting the program: its debuggers are for Python up to 3.11, and
// the program that takes a debugged one's place fails to connect to the debugger of the latter, which has ended with it, and
// its launcher puts "-m debugpy" right behind the interpreter, so that debugpy takes Python's own options for its own.
// (Source: python/helper-image in github.com/GoogleContainerTools/container-debug-support.)
func (Python) published(p Process) error {
	name := programName(p.Argv[0])
	if slices.Contains([]string{"ddtrace-run", "newrelic-admin", "dotenv"}, name) {
		return supportImageOld("does not outlast that " + name + " executes another Python")
	}
	if stub := maybeStub(p); isPython(name) && stub != "" {
		return supportImageOld("does not outlast that " + stub + " executes another Python, as Bazel's stub and tornado's autoreload do")
	}
	version := strings.TrimPrefix(name, "python")
	if !isPython(name) || !strings.Contains(version, ".") {
		version = p.Env["PYTHON_VERSION"]
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err == nil && major == 3 && minor > 11 {
		return supportImageOld(fmt.Sprintf("has no debugger for Python %d.%d", major, minor))
	}
	if isPython(name) && len(p.Argv) > 1 {
		word := p.Argv[1]
		if option := strings.HasPrefix(word, "-") && word != "-"; option && !strings.HasPrefix(word, "-m") && !strings.HasPrefix(word, "-c") {
			return supportImageOld(fmt.Sprintf("takes Python's option %s for one of the debugger's", word))
		}
	}
	return nil
}

// maybeStub names what an interpreter runs where that may start the real program in its own place: Bazel's stub, which has a directory
// of runfiles beside it, or tornado's autoreload. "" is for what is not known to.
func maybeStub(p Process) string {
	if len(p.Argv) < 2 {
		return ""
	}
	script := p.Argv[1]
	switch ext := path.Ext(script); {
	case script == "-m" && len(p.Argv) > 2 && p.Argv[2] == "tornado.autoreload":
		return p.Argv[2]
	case strings.HasPrefix(script, "-"):
		return ""
	case strings.Contains(p.WorkingDir, ".runfiles"), strings.Contains(script, ".runfiles"),
		ext != "" && !slices.Contains([]string{".py", ".pyc", ".pyw", ".pyz"}, ext):
		return script
	}
	return ""
}

// existing looks for debugpy, ptvsd or pydevd as the module that the interpreter runs.
func (Python) existing(p Process) (Plan, bool, error) {
	module, args := pythonModule(p.Argv)
	dialsOut := &reason.Refusal{Code: reason.DebuggerDialsOut, Message: fmt.Sprintf("%s connects to a debugger by itself: there is nothing to attach to", module)}
	at := func(protocol, address string) (Plan, bool, error) {
		return Plan{Existing: true, Ports: listening(protocol, address, pythonPort)}, true, nil
	}
	// The debugger's own options end where the program's file, module or code begins.
	args = leadingOptions(args, []string{"--listen", "--connect", "--host", "--server-host", "--port", "--client", "--log-to", "--configure-subProcess", "--adapter-access-token"})
	switch module {
	case "debugpy", "ptvsd":
		if address, ok := optionValue(args, "--listen"); ok {
			return at("dap", address)
		}
		if _, ok := optionValue(args, "--connect"); ok {
			return Plan{}, true, dialsOut
		}
		if module == "ptvsd" {
			port, _ := optionValue(args, "--port")
			return at("dap", port)
		}
		return at("dap", "")
	case "pydevd":
		for _, a := range args {
			if a == "--server" {
				port, _ := optionValue(args, "--port")
				return at("pydevd", port)
			}
		}
		return Plan{}, true, dialsOut
	}
	return Plan{}, false, nil
}

// pythonModule returns the debugger that a command line starts as a module or program, and its arguments; else "".
func pythonModule(argv []string) (string, []string) {
	name := programName(argv[0])
	if name == "debugpy" {
		return "debugpy", argv[1:]
	}
	if !isPython(name) {
		return "", nil
	}
	for i := 1; i < len(argv); i++ {
		a := argv[i]
		if !strings.HasPrefix(a, "-") || a == "-" || a == "--" {
			return "", nil
		}
		if strings.HasPrefix(a, "--") {
			if a == "--check-hash-based-pycs" {
				i++
			}
			continue
		}
		// A cluster of one-letter options; m, c, W and X take the rest of the word, or the next word.
		at := strings.IndexAny(a, "mcWX")
		if at < 0 {
			continue
		}
		value, next := a[at+1:], i+1
		if value == "" {
			if next >= len(argv) {
				return "", nil
			}
			value, next = argv[next], next+1
		}
		switch a[at] {
		case 'm':
			return value, argv[next:]
		case 'c':
			return "", nil
		}
		i = next - 1
	}
	return "", nil
}
