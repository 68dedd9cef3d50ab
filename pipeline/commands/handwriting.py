"""Train on transcribed pages of your own in three ways, and compare them, in build/handwriting.

    python -m pipeline handwriting scans
    python -m pipeline handwriting scans --text french.txt

The folder holds page images with ALTO or PAGE XML. If it has the files `train.txt`, `validation.txt` and `test.txt`,
they name the pages of each part; else a tenth of the pages is for validation, and a tenth for the test.
The pipeline is a copy with the sections of profiles/handwriting.yaml. The project's own results stay as they are.
"""

import argparse
from pathlib import Path
from typing import Any

from pipeline.common.errors import InputError
from pipeline.common.splits import SPLITS
from pipeline.orchestration.workspace import fill_workspace, repro
from pipeline.pretrained.ppocr import require_packages
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import NO_FILE, read_params

PROFILE, WORKSPACE = Path("profiles/handwriting.yaml"), Path("build/handwriting")
SPLIT = {"by": "split", "validation": 0.1, "test": 0.1, "seed": 42}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("pages", type=Path, help="folder of page images with ALTO or PAGE XML")
    parser.add_argument("--text", type=Path, help="text file for the language model, beside the transcriptions")


def main(pages: Path, text: Path | None) -> None:
    """Import the pages, train, evaluate and compare.

    Raises:
        InputError: there is no such folder or text, a package is missing, or a stage failed.
    """
    terminate_children_on_sigterm()
    if not pages.is_dir():
        raise InputError(f"handwriting: {pages}: no such folder")
    if text and not text.is_file():
        raise InputError(f"handwriting: {text}: no such file")
    require_packages()
    fill_workspace(Path.cwd(), WORKSPACE, make_params(read_params(), read_params(PROFILE), pages, text))
    repro(WORKSPACE)
    reports = WORKSPACE / "reports"
    print(f"\nComparison:  {reports / 'index.html'} (to look at), {reports / 'comparison.md'} (table)")
    print(f"Beam search: {reports / 'decoding.md'}, with the language model")
    print(f"Your pages:  python -m pipeline predict --model {WORKSPACE}/models/from_others/seed_42.ckpt page.xml")


def make_params(params: dict[str, Any], profile: dict[str, Any], pages: Path, text: Path | None) -> dict[str, Any]:
    """The settings `params` with the sections of `profile` instead of their own, for these pages."""
    params = {**params, **profile}
    listed = {part: f"{part}.txt" for part in SPLITS}
    by_lists = all((pages / name).is_file() for name in listed.values())
    for lines in params["own_lines"].values():
        lines["path"] = str(pages.resolve())
        lines["parts"] = {"by": "lists", **listed} if by_lists else SPLIT
    for model in params["own_language_models"].values():
        model["text"] = str(text.resolve()) if text else NO_FILE
    return params
