"""Stage `check`: refuse bad settings before anything else runs."""

from pathlib import Path

from pipeline.errors import exit_on_input_error
from pipeline.files import write_text
from pipeline.settings.base import read_params
from pipeline.settings.project import check_project

OUTPUT = Path("data/settings.ok")
FOLDERS = (Path("decodings"), Path("decoding_timings"))
"""Of beam searches; what compares them needs the folders also where the settings have no search."""


def run(params: dict[str, object], output: Path) -> None:
    """Validate `params`; `output` never changes, so that later stages only wait for it."""
    project = check_project(params)
    write_text(output, "params.yaml is valid\n")
    print(f"check: {len(project.experiments)} experiments on {len(project.lines)} data sets of lines")


def main() -> None:
    """Read the settings and run."""
    run(read_params(), OUTPUT)
    for folder in FOLDERS:
        folder.mkdir(exist_ok=True)


if __name__ == "__main__":
    exit_on_input_error(main)
