package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseArgs(t *testing.T) {
	tests := map[string]struct {
		args []string
		want options
		err  string
	}{
		"debugpy": {args: []string{"--mode", "debugpy", "--port", "5678", "--", "python", "--port", "1"},
			want: options{mode: "debugpy", port: 5678, command: []string{"python", "--port", "1"}}},
		"with =": {args: []string{"--mode=pydevd", "--port=1", "--wait", "--", "x"},
			want: options{mode: "pydevd", port: 1, wait: true, command: []string{"x"}}},
		"host": {args: []string{"--mode", "debugpy", "--port", "1", "--host", "127.0.0.1", "--", "x"},
			want: options{mode: "debugpy", port: 1, host: "127.0.0.1", command: []string{"x"}}},
		"no host":    {args: []string{"--mode", "debugpy", "--host=", "--port", "1", "--", "x"}, err: "--host"},
		"no mode":    {args: []string{"--port", "1", "--", "x"}, err: "--mode"},
		"no port":    {args: []string{"--mode", "debugpy", "--", "x"}, err: "--port is missing"},
		"bad port":   {args: []string{"--mode", "debugpy", "--port", "65536", "--", "x"}, err: "65536"},
		"no value":   {args: []string{"--mode", "debugpy", "--port"}, err: "needs a value"},
		"no command": {args: []string{"--mode", "debugpy", "--port", "1", "--"}, err: "no command"},
		"no --":      {args: []string{"--mode", "debugpy", "--port", "1", "python"}, err: `"python"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseArgs(test.args)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || got.mode != test.want.mode || got.port != test.want.port || got.host != test.want.host ||
				got.wait != test.want.wait || !slices.Equal(got.command, test.want.command) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestParsePython(t *testing.T) {
	tests := map[string]struct{ options, kind, target, args, err string }{
		"python app.py -u x":                        {"", "file", "app.py", "-u x", ""},
		"python -u -X dev app.py":                   {"-u -X dev", "file", "app.py", "", ""},
		"python -Xdev -Wignore -W error a.py":       {"-Xdev -Wignore -W error", "file", "a.py", "", ""},
		"python -uBX dev -OO app.py":                {"-uBX dev -OO", "file", "app.py", "", ""},
		"python -m flask run -m x":                  {"", "module", "flask", "run -m x", ""},
		"python -mflask run":                        {"", "module", "flask", "run", ""},
		"python -um flask run":                      {"-u", "module", "flask", "run", ""},
		"python -uBmflask run":                      {"-uB", "module", "flask", "run", ""},
		"python -I -c print() a":                    {"-I", "code", "print()", "a", ""},
		"python --check-hash-based-pycs never x.py": {"--check-hash-based-pycs never", "file", "x.py", "", ""},
		"python -- -odd.py":                         {"", "file", "-odd.py", "", ""},
		"python":                                    {err: "no program"},
		"python -u":                                 {err: "no program"},
		"python -":                                  {err: "standard input"},
		"python -m":                                 {err: "lacks its value"},
		"python -W":                                 {err: "lacks its value"},
		"python -V":                                 {err: "runs no program"},
		"python --version":                          {err: "runs no program"},
		"python --help-all":                         {err: "runs no program"},
		"python -x app.py":                          {err: "-x"},
	}
	for line, want := range tests {
		t.Run(line, func(t *testing.T) {
			got, err := parsePython(strings.Split(line, " "))
			if want.err != "" {
				if err == nil || !strings.Contains(err.Error(), want.err) {
					t.Errorf("got error %v, want %q", err, want.err)
				}
				return
			}
			if err != nil || strings.Join(got.options, " ") != want.options || got.kind != want.kind ||
				got.target != want.target || strings.Join(got.args, " ") != want.args {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// Whatever the command line, its words come out again in their order.
func FuzzParsePython(f *testing.F) {
	for _, s := range []string{"-u -X dev app.py x", "-um flask run", "-c x -c y", "-- a", "-Wx", "-uW"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		argv := append([]string{"python"}, strings.Fields(line)...)
		p, err := parsePython(argv)
		if err != nil {
			return
		}
		got := strings.Join(p.options, "") + map[string]string{"file": "", "module": "-m",
			"code": "-c"}[p.kind] + p.target + strings.Join(p.args, "")
		// Clusters such as -um are taken apart, and -- is dropped: compare without dashes.
		plain := func(s string) string { return strings.ReplaceAll(s, "-", "") }
		if plain(got) != plain(strings.Join(argv[1:], "")) {
			t.Errorf("%q gave %+v", line, p)
		}
	})
}

func TestFindInterpreter(t *testing.T) {
	dir := t.TempDir()
	scripts := map[string]string{
		"gunicorn": "#!/usr/local/bin/python3.12\nimport sys\n",
		"env":      "#!/usr/bin/env python3\n",
		"env-S":    "#!/usr/bin/env -S python3 -u -X dev\n",
		"options":  "#! /app/venv/bin/python -sE\r\n",
		"long":     "#!/bin/sh\n'''exec' \"/a very long/path/bin/python\" \"$0\" \"$@\"\n' '''\nimport sys\n",
		"uv":       "#!/bin/sh\n'''exec' '/app/.venv/bin/python3' \"$0\" \"$@\"\n' '''\n",
		"shell":    "#!/bin/sh\nexec python app.py\n",
		"ruby":     "#!/usr/bin/env ruby\n",
		"env-var":  "#!/usr/bin/env -i python3\n",
		"binary":   "\x7fELF\x02\x01\x01",
		"empty":    "",
		"bare":     "#!\n",
	}
	for name, content := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	tests := map[string]string{
		"python app.py":             "python app.py",
		"/x/venv/bin/python3.13t a": "/x/venv/bin/python3.13t a",
		"pypy3 a":                   "pypy3 a",
		"gunicorn web:app -w 2":     "/usr/local/bin/python3.12 DIR/gunicorn web:app -w 2",
		"DIR/env x":                 "python3 DIR/env x",
		"env-S":                     "python3 -u -X dev DIR/env-S",
		"options x":                 "/app/venv/bin/python -sE DIR/options x",
		"long x":                    "/a very long/path/bin/python DIR/long x",
		"uv":                        "/app/.venv/bin/python3 DIR/uv",
		"shell":                     "", "ruby": "", "env-var": "", "binary": "", "empty": "", "bare": "", "nowhere": "",
		"python-config": "",
	}
	for line, want := range tests {
		t.Run(line, func(t *testing.T) {
			_, got, err := findInterpreter(options{command: strings.Split(strings.ReplaceAll(line, "DIR", dir), " ")},
				exec.LookPath)
			if want == "" {
				if err == nil {
					t.Errorf("got %q", got)
				}
				return
			}
			if err != nil || strings.Join(got, " ") != strings.ReplaceAll(want, "DIR", dir) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	if _, _, err := findInterpreter(options{command: []string{"nowhere"}}, exec.LookPath); !errors.Is(err,
		exec.ErrNotFound) {
		t.Errorf("a missing program: %v", err)
	}
}

// realPython returns the path of this machine's interpreter, which a version manager may have hidden behind a script.
func realPython(t *testing.T) string {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is missing")
	}
	if real, err := exec.Command(python, "-c", "import sys; print(sys.executable)").Output(); err == nil {
		python = strings.TrimSpace(string(real))
	}
	return python
}

// TestSameProgram runs programs with and without the real launcher and bootstrap.py, but for the debugger, and
// compares all that a program can see of how it was started. (With the debuggers, e2e/debuggers does.)
func TestSameProgram(t *testing.T) {
	python := realPython(t)
	dbg, app := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dbg, "launcher"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bootstrap, err := os.ReadFile("../bootstrap.py")
	if err != nil {
		t.Fatal(err)
	}
	const program = `import atexit, json, os, pickle, sys
def f(): pass
main = sys.modules["__main__"]
print(json.dumps([sys.argv, sys.path, dict(os.environ), os.getcwd(), os.getpid() > 0,
  __name__, globals().get("__file__"), __package__,
  sys.flags.dev_mode, sys.warnoptions, main.f is f, main.__dict__ is globals(), sorted(globals()),
  getattr(sys, "orig_argv", None),
  pickle.loads(pickle.dumps(f)) is f]))
atexit.register(lambda: print("end", sys.modules["__main__"] is main, f.__name__))
if "fail" in sys.argv: sys.exit(5)
if "raise" in sys.argv: raise ValueError("x")
`
	const replaces = `import os, sys
way, args, python = sys.argv[1], sys.argv[2:], sys.executable
sys.stdout.flush()
if way == "again":
  if "AGAIN" not in os.environ:
    os.environ["AGAIN"] = "1"
    os.execv(python, [python] + sys.argv)
  sys.argv[1:] = args
  with open("app.py") as f: exec(f.read())
if way == "hashseed": os.execve(python, [python, "-u", "app.py"] + args, dict(os.environ, PYTHONHASHSEED="0"))
if way == "execl": os.execl(python, "python", "-I", "app.py", *args)
if way == "execlp": os.execlp("script", "of any name", *args)
if way == "execlpe": os.execlpe("script", "script", *(args + [{"PATH": os.environ["PATH"], "ONLY": "this"}]))
if way == "execvp": os.execvp("python3", ("python3", "-m", "pkg.mod") + tuple(args))
if way == "bytes": os.execv(os.fsencode(python), [os.fsencode(python), b"-Eu", "app.py"] + args)
if way == "bound": os.execv(python, ["/usr/bin/other", "-S", "app.py"] + args)
if way == "self": os.execv("/proc/self/exe", [python, "-B", "app.py"] + args)
if way == "sh": os.execvp("sh", ["sh", "-c", "echo $0 $1; exit 4", "x", *args])
if way == "nothing":
  for path, words in ("nowhere", ["x"]), ("/etc/passwd", ["x"]), ("/", ["x"]), (python, []),\
      (python, 5), (python, [5]), (3.5, ["x"]):
    try: os.execv(path, words)
    except Exception as e: print(type(e), e)
  try: os.execvp("nowhere", ["x"])
  except Exception as e: print(type(e), e)
if way == "forked":
  if os.fork() == 0: os.execv(python, [python, "app.py"] + args)
  print(os.wait()[1])
  sys.stdout.flush()
  print(os.spawnv(os.P_WAIT, python, [python, "app.py"] + args))
`
	for name, content := range map[string]string{"app.py": program, "exec.py": replaces, "pkg/__init__.py": "",
		"pkg/__main__.py": program, "pkg/mod.py": program, "dir/__main__.py": program, "script": "#!" + python + "\n" +
			program} {
		file := filepath.Join(app, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"bootstrap.py": string(bootstrap), "versions": "none 3.0 none\n"} {
		if err := os.WriteFile(filepath.Join(dbg, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(python, "-m", "zipapp", filepath.Join(app, "dir"), "-o", filepath.Join(app, "app.pyz"),
		"-p", python).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(t *testing.T, argv []string) (stdout, stderr string, code int) {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = app
		cmd.Env = []string{"PATH=" + app + ":/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1", "A=b c"}
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	const without = "launcher: started without a debugger: no debugpy for Python "
	for _, line := range []string{
		"PY app.py a -u --x", "PY -u -X dev -W ignore app.py", "PY -m pkg a", "PY -um pkg.mod fail", "PY -I app.py",
		"PY -I -m json.tool --help",
		"PY dir a", "PY ./app.pyz a", "./app.pyz a", "PY app.py raise", "PY nowhere.py", "PY ./app.py",
		"PY " + app + "/app.py", "script a", "PY -c import,sys;print(sys.argv,sys.path,__name__) a", "PY -B -E -s app.py",
		"PY exec.py again a", "PY exec.py hashseed a b", "PY exec.py execl fail", "PY exec.py execlp a",
		"PY exec.py execlpe a", "PY exec.py execvp a", "PY exec.py bytes a", "PY exec.py bound a", "PY exec.py self a",
		"PY exec.py sh a", "PY exec.py nothing", "PY exec.py forked a", "PY -I exec.py hashseed a",
	} {
		t.Run(line, func(t *testing.T) {
			argv := strings.Split(strings.ReplaceAll(line, "PY", python), " ")
			for i := range argv {
				argv[i] = strings.ReplaceAll(argv[i], ",sys;", " sys;")
			}
			if argv[0] == "script" {
				argv[0] = app + "/script"
			}
			out1, _, code1 := run(t, argv)
			out2, err2, code2 := run(t,
				append([]string{dbg + "/launcher", "--mode", "debugpy", "--port", "5678", "--"}, argv...))
			want := 1
			if _, way, ok := strings.Cut(line, "exec.py "); ok &&
				!slices.Contains([]string{"sh", "nothing", "forked"}, strings.Fields(way)[0]) {
				want = 2 // what takes the program's place is debugged, too
			}
			if strings.Count(err2, without) != want {
				t.Fatalf("the launcher did not get to the debugger %d times: %s", want, err2)
			}
			out1 = strings.Replace(out1, `"-um"`, `"-u", "-m"`, 1) // takes the cluster apart, which is the same
			if out1 != out2 || code1 != code2 {
				t.Errorf("without: %d\n%swith: %d\n%s%s", code1, out1, code2, out2, err2)
			}
		})
	}
	t.Run("no Python", func(t *testing.T) {
		out, errs, code := run(t,
			[]string{dbg + "/launcher", "--mode", "debugpy", "--port", "5678", "--", "sh", "-c", "echo $0; exit 4", "x"})
		if out != "x\n" || code != 4 || !strings.Contains(errs, "started without a debugger") {
			t.Errorf("got %d %q %q", code, out, errs)
		}
	})
	t.Run("no such program", func(t *testing.T) {
		if _, errs, code := run(t,
			[]string{dbg + "/launcher", "--mode", "debugpy", "--port", "5678", "--", "nowhere"}); code != 127 {
			t.Errorf("got %d %q", code, errs)
		}
	})
}

// An application that starts a debugpy of its own, as people do who debug it by hand, runs with the one that is there.
// Its second start would be an exception in the application. (A stand-in for debugpy does here; it refuses as debugpy
// does.)
func TestApplicationWithDebugpy(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is missing")
	}
	dir := t.TempDir()
	bootstrap, err := os.ReadFile("../bootstrap.py")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"bootstrap.py": string(bootstrap),
		"versions":     "debugpy 3.0 debugpy-1\n",
		"debugpy-1/debugpy/__init__.py": "calls = []\ndef listen(address):\n" +
			"  if calls: raise RuntimeError('twice')\n  calls.append(address)\nconfigure = connect = listen\n",
		"debugpy-1/debugpy/server/__init__.py": "",
		"debugpy-1/debugpy/server/api.py":      "",
		"app.py": "import debugpy\ndebugpy.configure(python='x')\n" +
			"print(debugpy.listen(5678), debugpy.calls)\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), python, filepath.Join(dir, "bootstrap.py"), "debugpy", "127.0.0.9", "7",
		"run", "0", "file", filepath.Join(dir, "app.py")).Output()
	if want := "('127.0.0.9', 7) [('127.0.0.9', 7)]\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// TestReplaced runs programs that replace themselves, with a stand-in for debugpy whose adapter keeps the port for as
// long as the program is connected to it (or, with a client, for good), as debugpy's does.
func TestReplaced(t *testing.T) {
	python := realPython(t)
	dbg := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dbg, "launcher"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bootstrap, err := os.ReadFile("../bootstrap.py")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"bootstrap.py":                  string(bootstrap),
		"versions":                      "debugpy 3.0 debugpy-1\n",
		"debugpy-1/debugpy/__init__.py": "",
		"debugpy-1/debugpy/server/__init__.py": `import os, subprocess, sys
import debugpy
def configure(**kw): pass
def listen(address):
  read, debugpy.kept = os.pipe()
  adapter = os.path.join(os.path.dirname(os.path.dirname(__file__)), "adapter")
  p = subprocess.Popen([sys.executable, adapter, "--for-server", "1", "--port", str(address[1])],
    stdin=read, stdout=subprocess.PIPE)
  os.close(read)
  said = p.stdout.readline().decode().strip()
  p.stdout.close()
  if said != "listens": raise RuntimeError(said)
  os.execv = os.execve = os.execvp = None  # the debugger's are of no use here
debugpy.listen, debugpy.connect, debugpy.configure = listen, listen, configure
`,
		"debugpy-1/debugpy/server/api.py": "",
		"debugpy-1/debugpy/adapter/__main__.py": `import os, socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try: s.bind(("127.0.0.1", int(sys.argv[4])))
except OSError as e: sys.exit(print(e))
print("listens")
sys.stdout.close()
os.close(1)
os.close(2)
sys.stdin.read()
time.sleep(60 if "CLIENT" in os.environ else 0.2)
`,
		"app.py": `import os, sys
print(sys.argv[1:], sorted(os.environ))
sys.stdout.flush()
if len(sys.argv) > 1: os.execvp(sys.executable, [sys.executable, "app.py"] + sys.argv[2:])
try: print(os.waitpid(-1, os.WNOHANG)[0])  # this one's adapter runs, those before it are gone
except OSError as e: print(e)
`,
	} {
		file := filepath.Join(dbg, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, env := range []string{"A=1", "CLIENT=1"} {
		t.Run(env, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := l.Addr().(*net.TCPAddr).Port
			l.Close()
			cmd := exec.CommandContext(t.Context(), filepath.Join(dbg, "launcher"), "--mode", "debugpy", "--port",
				strconv.Itoa(port), "--", python, "app.py", "x", "y")
			cmd.Dir, cmd.Env = dbg, []string{"PATH=/usr/bin:/bin", "LC_CTYPE=C.UTF-8", env}
			var out, errs strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &errs
			err = cmd.Run()
			name, _, _ := strings.Cut(env, "=")
			vars := " ['" + name + "', 'LC_CTYPE', 'PATH']\n"
			want := "['x', 'y']" + vars + "['y']" + vars + "[]" + vars + "0\n"
			if err != nil || out.String() != want || errs.Len() > 0 {
				t.Errorf("got %v\n%s%s\nwant\n%s", err, out.String(), errs.String(), want)
			}
		})
	}
}
