// Package python says everything about Python: programs start through the support image's launcher, which finds the
// interpreter and starts it with debugpy (the Debug Adapter Protocol) or pydevd.
//
// Source of the debuggers' options: debugpy's README and "Command line reference", pydevd's pydevd.py.
package python

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"debuggable.dev/debuggable/internal/reason"
	"debuggable.dev/debuggable/runtimes/language"
	"debuggable.dev/debuggable/runtimes/python/grammar"
)

const port = 5678

// Language returns Python.
func Language() *language.Language {
	return &language.Language{
		Names: []string{"python"},
		Signs: language.Signs{
			// functions-framework is the name of several languages' server: the image decides.
			Programs: []string{
				"gunicorn", "uvicorn", "hypercorn", "flask", "celery", "django-admin", "locust", "debugpy",
				"functions_framework", "functions-framework-python", "functions_framework_python",
			},
			Program:    program,
			Tools:      []string{"mod_wsgi-express", "watchmedo"}, // Apache's httpd is what stays; any program
			Buildpacks: buildpacks(),
			Strong:     []string{"PYTHON_VERSION"},
			Weak: []string{
				"PYTHONVERBOSE", "PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONUSERSITE", "PYTHONUNBUFFERED", "PYTHONPATH",
				"PYTHONUSERBASE", "PYTHONWARNINGS", "PYTHONHOME", "PYTHONCASEOK", "PYTHONIOENCODING", "PYTHONHASHSEED",
				"PYTHONDONTWRITEBYTECODE",
			},
		},
		Protocols: []language.Protocol{
			{Name: "dap", Port: port, Client: `debugpy: "request": "attach", "connect": {"host": "HOST", "port": PORT}`},
			{Name: "pydevd", Port: port, Client: "pydevd: attach a PyDev client to ADDRESS"},
		},
		Listeners: []language.Listener{{
			Protocol: "dap", Started: regexp.MustCompile(`(?:\b|-m)(?:debugpy|ptvsd|pydevd)\b`), Port: port,
			Address: regexp.MustCompile(`--(?:listen|port)[= ]([^\s"']+)`),
		}},
		InFront: true,
		Plan:    planned,
		Editor:  inEditors(),
		Doc: language.Doc{
			Programs: "`python` `python2` `python3` `python3.N`, `*.py`, `gunicorn` `uvicorn` `hypercorn` `flask` `celery` " +
				"`django-admin` `locust` `opentelemetry-instrument`",
			Weak:    "`PYTHONUNBUFFERED`, `PYTHONPATH` and Python's other variables",
			Rewrite: "`/dbg/python/launcher --mode debugpy --port 5678 -- COMMAND…` (`pydevd` if `protocols` prefers it)",
			Support: "debugpy, pydevd",
		},
	}
}

// isPython reports whether a program is an interpreter that the support image's debuggers are made for.
func isPython(name string) bool {
	implementation, _ := grammar.Interpreter(name)
	return implementation == "python"
}

// buildpacks are from the lists of buildpacks in the builders of Paketo, Heroku and Google Cloud.
func buildpacks() language.Buildpacks {
	return language.Buildpacks{
		Starts: []string{
			"google.python.", "paketo-buildpacks/python", "paketo-buildpacks/python-start", "paketo-buildpacks/pip-install",
			"paketo-buildpacks/poetry-run", "paketo-buildpacks/poetry-install", "paketo-buildpacks/pipenv-install",
			"paketo-buildpacks/conda-env-update", "heroku/python",
		},
		Aids: []string{"google.python.runtime", "paketo-buildpacks/cpython", "paketo-buildpacks/miniconda"},
	}
}

// program returns the program's name where it is an interpreter, or a script, or what only Python programs stand
// behind.
func program(p language.Process) string {
	name := language.ProgramName(p.Argv[0])
	switch {
	case isPython(name), strings.HasSuffix(name, ".py"):
		return name
	case slices.Contains(p.Via, "opentelemetry-instrument") && !p.KnownOther(name):
		return "opentelemetry-instrument" // it runs what follows, which is a Python program whatever it is called
	}
	return ""
}

// planned is plan, and what is known of the server.
func planned(p language.Process, o language.Options) (language.Plan, error) {
	plan, err := plan(p, o)
	plan.Impatient = impatient(p)
	return plan, err
}

// plan starts the program by the launcher.
func plan(p language.Process, o language.Options) (language.Plan, error) {
	if len(p.Argv) == 0 {
		return language.Plan{}, language.RefuseNothing()
	}
	if plan, found, err := existing(p); found || err != nil {
		return plan, err
	}
	program := p.Argv[0]
	switch {
	case p.Script:
		return language.Plan{}, language.RefuseScript(p)
	case p.IsDynamic(0):
		return language.Plan{}, language.RefuseDynamic(program)
	case p.Manager() != "":
		return language.Plan{}, language.RefuseManager(p.Manager())
	case p.BehindLauncher() != "":
		return language.Plan{}, language.RefuseLauncher(p)
	}
	if err := published(p); o.Published && err != nil {
		return language.Plan{}, err
	}
	number, err := language.FreePort(o, port)
	if err != nil {
		return language.Plan{}, err
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
	words := []string{"/dbg/python/launcher", "--mode", mode, "--port", strconv.Itoa(int(number))}
	host, err := listenOn(mode, o)
	if err != nil {
		return language.Plan{}, err
	}
	if host != "" {
		words = append(words, "--host", host)
	}
	if o.Suspend {
		words = append(words, "--wait")
	}
	return language.Plan{
		Insert:  []language.Insertion{{Before: 0, Words: append(words, "--")}},
		Ports:   []language.Port{{Protocol: protocol, Number: number}},
		Support: true,
		Memory:  40, // measured: debugpy 1.8 in the program, and its adapter
		Storage: 128,
	}, nil
}

// ListensOnHost is what the launcher of a support image of this project can do, as its label says: it is told where its
// debugger listens, by --host.
const ListensOnHost = "listens-on-host"

// listenOn returns the host that the launcher is told, "" where it does by itself what is wanted: this project's has
// its debuggers listen on all addresses. The published one has debugpy listen on loopback (python -m debugpy --listen
// PORT) and pydevd on all addresses (python -m pydevd --server --port PORT), and cannot be told otherwise.
func listenOn(mode string, o language.Options) (string, error) {
	switch {
	case o.ListenOn != language.OnAll && o.ListenOn != language.OnLoopback:
	case o.Published && mode == "debugpy" && o.ListenOn == language.OnAll:
		return "", language.SupportImageOld("has debugpy listen on loopback alone, not on all addresses")
	case o.Published && mode == "pydevd" && o.ListenOn == language.OnLoopback:
		return "", language.SupportImageOld("has pydevd listen on all addresses, not on loopback alone")
	case o.Published, o.ListenOn == language.OnAll:
	case !o.Can(ListensOnHost):
		return "", reason.Refuse(reason.SupportImageOld, "the support image is not known to have a launcher that can be "+
			"told to listen on loopback, "+
			"as its label would say; build the current ones with make push, and let them be asked: without --offline, or in a "+
			"lock file")
	default:
		return language.Loopback, nil
	}
	return "", nil
}

// agents are programs that execute the Python program that follows.
func agents() []string { return []string{"ddtrace-run", "newrelic-admin", "dotenv"} }

// published says what keeps the published support image from starting the program: its debuggers are for Python up to
// 3.11, and the program that takes a debugged one's place fails to connect to the debugger of the latter, which has
// ended with it, and its launcher puts "-m debugpy" right behind the interpreter, so that debugpy takes Python's own
// options for its own. (Source: python/helper-image in github.com/GoogleContainerTools/container-debug-support.)
func published(p language.Process) error {
	name := language.ProgramName(p.Argv[0])
	if slices.Contains(agents(), name) {
		return language.SupportImageOld("does not outlast that " + name + " executes another Python")
	}
	if stub := maybeStub(p, isPython(name)); stub != "" {
		return language.SupportImageOld("does not outlast that " + stub + " executes another Python, as Bazel's stub and " +
			"tornado's autoreload do")
	}
	version := strings.TrimPrefix(name, "python")
	if !isPython(name) || !strings.Contains(version, ".") {
		version = p.Env["PYTHON_VERSION"]
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err == nil && major == 3 && minor > 11 {
		return language.SupportImageOld(fmt.Sprintf("has no debugger for Python %d.%d", major, minor))
	}
	if isPython(name) && len(p.Argv) > 1 {
		word := p.Argv[1]
		if option := strings.HasPrefix(word, "-") && word != "-"; option && !strings.HasPrefix(word, "-m") &&
			!strings.HasPrefix(word, "-c") {
			return language.SupportImageOld(fmt.Sprintf("takes Python's option %s for one of the debugger's", word))
		}
	}
	return nil
}

// maybeStub names what an interpreter runs, or the program itself, where that may start the real program in its own
// place: Bazel's stub, which has a directory of runfiles beside it, or tornado's autoreload. "" is for what is not
// known to.
func maybeStub(p language.Process, interpreter bool) string {
	script := p.Argv[0]
	if interpreter {
		if len(p.Argv) < 2 {
			return ""
		}
		script = p.Argv[1]
	}
	_, runfiles := p.Env["RUNFILES_DIR"]
	_, own := p.Env["PYTHON_RUNFILES"]
	switch ext := path.Ext(script); {
	case interpreter && script == "-m" && len(p.Argv) > 2 && p.Argv[2] == "tornado.autoreload":
		return p.Argv[2]
	case strings.HasPrefix(script, "-"):
		return ""
	case runfiles || own, strings.Contains(p.WorkingDir, ".runfiles"), strings.Contains(script, ".runfiles"),
		ext != "" && !slices.Contains([]string{".py", ".pyc", ".pyw", ".pyz"}, ext):
		return script
	}
	return ""
}

// existing looks for debugpy, ptvsd or pydevd as the module that the interpreter runs.
func existing(p language.Process) (language.Plan, bool, error) {
	module, args := pythonModule(p.Argv)
	dialsOut := reason.Refuse(reason.DebuggerDialsOut,
		"%s connects to a debugger by itself: there is nothing to attach to", module)
	at := func(protocol, address string) (language.Plan, bool, error) {
		return language.Plan{Existing: true, Ports: language.Listening(protocol, address, port)}, true, nil
	}
	// The debugger's own options end where the program's file, module or code begins.
	args = language.LeadingOptions(args,
		[]string{"--listen", "--connect", "--host", "--server-host", "--port", "--client", "--log-to",
			"--configure-subProcess", "--adapter-access-token"})
	switch module {
	case "debugpy", "ptvsd":
		if address, ok := language.OptionValue(args, "--listen"); ok {
			return at("dap", address)
		}
		if _, ok := language.OptionValue(args, "--connect"); ok {
			return language.Plan{}, true, dialsOut
		}
		if module == "ptvsd" {
			port, _ := language.OptionValue(args, "--port")
			return at("dap", port)
		}
		return at("dap", "")
	case "pydevd":
		for _, a := range args {
			if a == "--server" {
				port, _ := language.OptionValue(args, "--port")
				return at("pydevd", port)
			}
		}
		return language.Plan{}, true, dialsOut
	}
	return language.Plan{}, false, nil
}

// pythonModule returns the debugger that a command line starts as a module or program, and its arguments; else "".
func pythonModule(argv []string) (string, []string) {
	name := language.ProgramName(argv[0])
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
