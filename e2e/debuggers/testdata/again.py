# Programs that want a fixed hash seed, or another library path, execute themselves once more.
import os
import sys

if "PYTHONHASHSEED" not in os.environ:
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable] + sys.argv)

import app
