"""Run a stage of `dvc.yaml`: `python -m stages <stage>`."""

import gc
import os
import sys
from importlib import import_module
from pathlib import Path

from pipeline.command_line import run_module
from pipeline.common.errors import InputError, exit_on_input_error

STAGES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def main() -> None:
    """Run the stage that the command line names."""
    stage, *arguments = sys.argv[1:] or [""]
    if stage not in STAGES:
        raise InputError(f"python -m stages {stage}: no such stage; use one of {', '.join(STAGES)}")
    # PyTorch reads this when it is imported: it puts large tensors on pages of 2 MB if Linux has them. Training is
    # bound by memory, and a step takes 1 to 3 % less time.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # A stage imports thousands of modules. Collecting garbage meanwhile would take a sixth of its start.
    gc.disable()
    import_module(f"stages.{stage}")
    gc.freeze()
    gc.enable()
    run_module(f"stages.{stage}", f"python -m stages {stage}", arguments)


if __name__ == "__main__":
    exit_on_input_error(main)
