#!/usr/bin/env python3
# It does what Bazel's stub of a py_binary does: it finds the runfiles beside itself, and executes an interpreter with the program among them,
# the paths of its modules and the directory of the runfiles in variables.
import os
import re
import sys


def find_runfiles():
    stub = os.path.abspath(sys.argv[0])
    while True:
        if os.path.isdir(stub + ".runfiles"):
            return stub + ".runfiles"
        inside = re.match(r"(.*\.runfiles)/.*", stub)
        if inside:
            return inside.group(1)
        if not os.path.islink(stub):
            raise SystemExit("no runfiles for " + sys.argv[0])
        stub = os.path.join(os.path.dirname(stub), os.readlink(stub))


def main():
    runfiles = find_runfiles()
    roots = [runfiles] + sorted(entry.path for entry in os.scandir(runfiles) if entry.is_dir())
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(roots + ([inherited] if inherited else []))
    os.environ["RUNFILES_DIR"] = runfiles
    os.environ["PYTHONSAFEPATH"] = "1"
    interpreter = os.path.join(runfiles, "python", "bin", "python3")
    program = os.path.join(runfiles, "_main", "app.py")
    os.execv(interpreter, [interpreter, program] + sys.argv[1:])


if __name__ == "__main__":
    main()
