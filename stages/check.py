"""Stage `check`: refuse bad settings before anything else runs."""

from pathlib import Path

from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.settings.base import PARAMS_FILE, read_params
from pipeline.settings.lightning import trainer_problems
from pipeline.settings.project import check_project

OUTPUT = Path("data/settings.ok")
"""Always the same bytes, so that later stages wait for it and never run again because of it."""
FOLDERS = (Path("decodings"), Path("decoding_timings"))
"""Outputs of beam searches. The stage `compare_decodings` needs the folders also if the settings have no search."""


def main() -> None:
    """Validate params.yaml, make the folders, and write the output."""
    project = check_project(read_params())
    if problems := "; ".join(trainer_problems(project)):
        raise InputError(f"{PARAMS_FILE}: {problems}")
    for folder in FOLDERS:
        folder.mkdir(exist_ok=True)
    write_text(OUTPUT, "params.yaml is valid\n")
    print(f"check: {len(project.experiments)} experiments on {len(project.lines)} data sets of lines")
