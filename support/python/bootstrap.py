# Runs a Python program under debugpy or pydevd. The launcher calls it:
#
#     python OPTIONS... bootstrap.py MODE PORT run|wait file|module|code TARGET ARGS...
#
# The program finds sys.argv, sys.path and __main__ as it would without a debugger. When the debugger cannot be
# started, the program runs without it: this file therefore has to be read by every Python, however old.
import os
import sys


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    mode, port, start, kind, target = sys.argv[1:6]
    # Python put this file's folder in front of sys.path, unless told not to (-I, -P). It is none of the program's.
    if not safe_path() and sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    program = {"file": [target], "module": ["-m", target], "code": ["-c", target]}[kind]
    if hasattr(sys, "orig_argv"):
        # Servers that watch their files start themselves again with it (werkzeug).
        sys.orig_argv[len(sys.orig_argv) - len(sys.argv) :] = program + sys.argv[6:]
    sys.argv[:] = program[:1] + sys.argv[6:]

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
    try:
        attach(here, mode, int(port), start == "wait")
    except Exception as e:
        sys.stderr.write("launcher: started without a debugger: %s\n" % (e,))
        sys.stderr.flush()
    # The debugger's own variables are not for the program's children.
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    run(kind, target)


def safe_path():
    """Whether Python was told not to put a folder in front of sys.path (-I, -P)."""
    return getattr(sys.flags, "isolated", False) or getattr(sys.flags, "safe_path", False)


def is_archive(target):
    import zipfile

    return zipfile.is_zipfile(target)


def attach(here, mode, port, wait):
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
        debugpy.listen(("0.0.0.0", port))
        if wait:
            debugpy.wait_for_client()
        # An application that brings its own debugpy fails where debugpy is started a second time.
        debugpy.listen = debugpy.connect = debugpy.configure = started(port)
    else:
        # The program starts at once, with pydevd's server behind it; the client may come at any time.
        pydevd._enable_attach(("0.0.0.0", port))
        if wait:
            wait_for_pydevd_client(pydevd.get_global_debugger())


def started(port):
    """What stands for debugpy's functions that start it, once it is."""

    def ignore(*args, **kwargs):
        sys.stderr.write("launcher: debugpy listens on port %d already\n" % (port,))
        return "0.0.0.0", port

    return ignore


def wait_for_pydevd_client(debugger):
    """Waits until a client has connected, set its breakpoints and sent its command to run."""
    debugger.ready_to_run = False
    debugger.wait_for_ready_to_run()


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
