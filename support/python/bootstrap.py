# Runs a Python program under debugpy or pydevd. The launcher calls it:
#
#     python OPTIONS... bootstrap.py MODE HOST PORT run|wait AFTER file|module|code TARGET ARGS...
#
# AFTER is the process id of the adapter that debugged the program whose place this one takes, 0 for the first.
# The program finds sys.argv, sys.path and __main__ as it would without a debugger. When the debugger cannot be
# started, the program runs without it: this file therefore has to be read by every Python, however old.
import os
import re
import sys
import time


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    mode, host, port, start, after, kind, target = sys.argv[1:8]
    # Python put this file's folder in front of sys.path, unless told not to (-I, -P). It is none of the program's.
    if not safe_path() and sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    program = {"file": [target], "module": ["-m", target], "code": ["-c", target]}[kind]
    if hasattr(sys, "orig_argv"):
        # Servers that watch their files start themselves again with it (werkzeug).
        sys.orig_argv[len(sys.orig_argv) - len(sys.argv) :] = program + sys.argv[8:]
    sys.argv[:] = program[:1] + sys.argv[8:]

    # What Python itself puts in front. Debuggers find out from it and from sys.argv[0] what the program is.
    if not safe_path():
        if kind == "file":
            if os.path.isfile(target) and not is_archive(target):
                sys.path.insert(0, os.path.dirname(os.path.realpath(target)))
        elif kind == "module":
            sys.path.insert(0, os.getcwd() if sys.version_info >= (3, 7) else "")
        else:
            sys.path.insert(0, "")
    environ = dict(os.environ)
    execs = dict((name, getattr(os, name)) for name in EXECS)
    try:
        wait_for_end(int(after), port)
        attach(here, mode, host, int(port), start == "wait")
    except Exception as e:
        sys.stderr.write("launcher: started without a debugger: %s\n" % (e,))
        sys.stderr.flush()
    follow_exec([os.path.join(here, "launcher"), "--mode", mode, "--host", host, "--port", port] + ["--wait"] * (start == "wait"), port, execs)
    # The debugger's own variables are not for the program's children.
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    run(kind, target)


def safe_path():
    """Whether Python was told not to put a folder in front of sys.path (-I, -P)."""
    return getattr(sys.flags, "isolated", False) or getattr(sys.flags, "safe_path", False)


def is_archive(target):
    try:
        import zipfile
    except ImportError:  # compiled parts of the standard library are missing: Python under another program's name
        return False
    return zipfile.is_zipfile(target)


def attach(here, mode, host, port, wait):
    folder = choose(here, mode)
    # Silences a warning that breakpoints in frozen modules of the standard library may be missed.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    sys.path.insert(0, folder)
    try:
        if mode == "debugpy":
            import debugpy
            import debugpy.server.api  # so that nothing of it is looked for once sys.path is the program's
        else:
            import pydevd
    finally:
        sys.path.remove(folder)

    if mode == "debugpy":
        if not sys.executable:
            # A process whose name is not that of its file cannot find itself.
            debugpy.configure(python=os.path.realpath("/proc/self/exe"))
        debugpy.listen((host, port))
        if wait:
            debugpy.wait_for_client()
        # An application that brings its own debugpy fails where debugpy is started a second time.
        debugpy.listen = debugpy.connect = debugpy.configure = started(host, port)
    else:
        # The program starts at once, with pydevd's server behind it; the client may come at any time.
        pydevd._enable_attach((host, port))
        if wait:
            wait_for_pydevd_client(pydevd.get_global_debugger())


def started(host, port):
    """What stands for debugpy's functions that start it, once it is."""

    def ignore(*args, **kwargs):
        sys.stderr.write("launcher: debugpy listens on port %d already\n" % (port,))
        return host, port

    return ignore


def wait_for_pydevd_client(debugger):
    """Waits until a client has connected, set its breakpoints and sent its command to run."""
    debugger.ready_to_run = False
    debugger.wait_for_ready_to_run()


# All functions with which Python replaces its program.
EXECS = ("execv", "execve", "execl", "execle", "execlp", "execlpe", "execvp", "execvpe")


def follow_exec(launcher, port, execs):
    """Makes a program that replaces itself with another Python program (launchers, reloaders, Bazel's stub) start that
    one under a debugger, too. execs has os.exec* as Python brings them.

    Debuggers replace them with functions that make the new program connect to the old one's adapter. But an adapter
    that has no client ends with the program that it debugs, and the new program fails. They are right for a forked
    process, though, whose adapter is its parent's.
    """
    pid = os.getpid()

    def in_place(execute, forked):
        def start(path, *rest):
            if os.getpid() != pid:
                return forked(path, *rest)
            try:
                words = through(launcher, port, path, rest[0])
                if words:
                    execute(launcher[0], words, *rest[1:])
            except Exception:
                pass  # The same call without the launcher fails in the way that the program expects.
            return execute(path, *rest)

        return start

    def of_process(execute, forked):
        return lambda *args, **kwargs: (execute if os.getpid() == pid else forked)(*args, **kwargs)

    for name in EXECS:
        # The others call these two.
        wrap = in_place if name in ("execv", "execve") else of_process
        setattr(os, name, wrap(execs[name], getattr(os, name)))


def through(launcher, port, path, args):
    """The launcher's command line for a program that takes this one's place, None where that is not Python."""
    path = getattr(os, "fsdecode", str)(path)
    if not isinstance(args, (list, tuple)) or not args or not is_python(path):
        return None
    if os.path.realpath(os.path.dirname(path)).startswith("/proc/"):
        path = os.path.realpath(path)  # /proc/self/exe is another file in the launcher.
    return launcher + ["--after", str(adapter(port)), "--file", path, "--"] + list(args)


def is_python(path):
    """Whether a file may be a Python interpreter or a script for one. The launcher knows, and runs what is not as it is."""
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        return False
    if any(PYTHON.search(os.path.basename(f)) for f in (path, os.path.realpath(path))):
        return True
    with open(path, "rb") as f:
        head = f.read(1024).decode("latin-1")
    return head.startswith("#!") and PYTHON.search(head) is not None


PYTHON = re.compile("python|pypy")


def adapter(port):
    """The process id of debugpy's adapter, which listens on the port; 0 if there is none. It is a process of its own, and
    debugpy does not know its id."""
    for pid in os.listdir("/proc"):
        if pid.isdigit() and is_adapter(pid, port):
            return int(pid)
    return 0


def is_adapter(pid, port):
    try:
        with open("/proc/%s/cmdline" % (pid,), "rb") as f:
            words = f.read().decode("utf-8", "replace").split("\0")
    except (IOError, OSError):
        return False
    return os.path.join("debugpy", "adapter") in "".join(words[1:2]) and ["--port", port] in [words[i : i + 2] for i in range(len(words))]


def wait_for_end(pid, port):
    """Waits until the adapter of the program that was here before has let go of the port. It ends by itself, unless a
    client stays."""
    start = time.time()
    while pid and is_adapter(pid, port) and time.time() < start + 5:
        if time.time() > start + 2:
            ignore_errors(os.kill, pid, 9)
        time.sleep(0.01)
    if pid and not is_adapter(pid, port):
        ignore_errors(os.waitpid, pid, 0)  # It is this process's child where nothing else adopts orphans.


def ignore_errors(function, *args):
    try:
        function(*args)
    except OSError:
        pass


def choose(here, mode):
    """The folder of the debugger for this Python. The file `versions` has a line for each: mode, oldest Python, folder."""
    with open(os.path.join(here, "versions")) as f:
        rows = [line.split() for line in f if line.strip()]
    for name, oldest, folder in rows:
        if name == mode and sys.version_info >= tuple(int(n) for n in oldest.split(".")):
            return os.path.join(here, folder)
    raise Exception("no %s for Python %d.%d" % ((mode,) + tuple(sys.version_info[:2])))


def run(kind, target):
    import runpy

    if kind == "file" and not os.path.exists(target):
        sys.stderr.write("%s: can't open file '%s': No such file or directory\n" % (sys.executable, target))
        sys.exit(2)
    if kind == "file" and is_source(target):
        run_source(os.path.join(os.getcwd(), target) if sys.version_info >= (3, 9) else target)
    elif kind == "file" and (os.path.isdir(target) or is_archive(target)):
        # What Python itself does with a folder or an archive; runpy.run_path would change sys.argv[0].
        sys.path.insert(0, os.path.join(os.getcwd(), target) if sys.version_info >= (3, 9) else target)
        fresh_main()
        runpy._run_module_as_main("__main__", False)
    elif kind == "file":
        runpy.run_path(os.path.join(os.getcwd(), target), run_name="__main__")
    elif kind == "module":
        # What -m does; runpy.run_module would name a package's module pkg.__main__.
        fresh_main()
        runpy._run_module_as_main(target, alter_argv=True)
    else:
        code = compile(target, "<string>", "exec", 0, True)
        exec(code, fresh_main().__dict__)


def is_source(target):
    return os.path.isfile(target) and not target.endswith(".pyc") and not is_archive(target)


def run_source(target):
    """Runs a source file. Unlike runpy.run_path, it leaves a __main__ module that outlives the file's last line, as
    threads and exit handlers expect."""
    with open(target, "rb") as f:
        code = compile(f.read(), target, "exec", 0, True)
    module = fresh_main()
    module.__file__ = target
    if sys.version_info >= (3,):
        from importlib.machinery import SourceFileLoader

        if sys.version_info < (3, 15):
            module.__cached__ = None
        module.__loader__ = SourceFileLoader("__main__", target)
    exec(code, module.__dict__)


def fresh_main():
    module = type(sys)("__main__")
    module.__builtins__ = __builtins__
    if (3, 6) <= sys.version_info < (3, 14):
        module.__annotations__ = {}
    # This file's own module has to stay, since its functions are still running.
    sys.modules["__debuggable_bootstrap__"] = sys.modules["__main__"]
    sys.modules["__main__"] = module
    return module


main()
