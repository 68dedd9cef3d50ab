"""Run a module as a command: `python -m pipeline <command>` and `python -m stages <stage>`."""

import argparse
import logging
from collections.abc import Sequence
from importlib import import_module


def run_module(name: str, prog: str, arguments: Sequence[str]) -> None:
    """Import the module `name`, parse `arguments`, and call the module's `main` with the values as keywords.

    The module declares its arguments, if any, in `add_arguments(parser)`. Its docstring is the help.
    """
    # Otherwise it prints two lines where the user's folder cannot be written; its cache is temporary then.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    module = import_module(name)
    parser = argparse.ArgumentParser(
        prog=prog, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser)
    module.main(**vars(parser.parse_args(arguments)))
