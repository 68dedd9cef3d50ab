"""Stage `check`: refuse bad settings before anything else runs."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.common.files import write_text
from pipeline.settings.base import read_params
from pipeline.settings.project import check_project

OUTPUT = Path("data/settings.ok")
FOLDERS = (Path("decodings"), Path("decoding_timings"))
"""Of beam searches; what compares them needs the folders also where the settings have no search."""


def run(params: dict[str, object], output: Path, folders: Iterable[Path]) -> None:
    """Validate `params` and make `folders`; `output` never changes, so that later stages only wait for it."""
    project = check_project(params)
    for folder in folders:
        folder.mkdir(exist_ok=True)
    write_text(output, "params.yaml is valid\n")
    print(f"check: {len(project.experiments)} experiments on {len(project.lines)} data sets of lines")


def main() -> None:
    """Read the settings and run."""
    run(read_params(), OUTPUT, FOLDERS)
