"""Modules as commands: `python -m pipeline <command>` and `python -m stages <stage>`."""

import argparse
from collections.abc import Sequence
from importlib import import_module


def run_module(name: str, prog: str, arguments: Sequence[str]) -> None:
    """Import the module `name`, and call its `main` with the values of `arguments` as keywords.

    A module that takes any has `add_arguments(parser)`. Its docstring is the help.
    """
    module = import_module(name)
    parser = argparse.ArgumentParser(
        prog=prog, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser)
    module.main(**vars(parser.parse_args(arguments)))
