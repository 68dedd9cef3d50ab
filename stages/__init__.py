"""One thin entry point per DVC stage."""

import gc
import sys

if sys.argv[0] == "-m":  # what Python puts there while it looks for the module of `python -m stages.…`
    # A stage imports thousands of modules that stay: looking for garbage among them is a seventh of its start.
    gc.disable()
