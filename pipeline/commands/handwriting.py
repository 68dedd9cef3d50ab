"""Train on transcribed lines of your own in three ways, and compare them, in build/handwriting.

    python -m pipeline handwriting scans
    python -m pipeline handwriting scans --text french.txt
    python -m pipeline handwriting lines --ways from_others --train-lines 200

The argument is a folder of page images with ALTO or PAGE XML, a folder of line pictures with their texts (line.png and
line.gt.txt), or a table. If it is a folder with the files `train.txt`, `validation.txt` and `test.txt`, they name the
pages of each part; else a tenth of the pages is for validation, and a tenth for the test.
The pipeline is a copy with the sections of profiles/handwriting.yaml. The project's own results stay as they are.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.common.errors import InputError
from pipeline.common.splits import SPLITS
from pipeline.data.transcriptions.folder import SUFFIX
from pipeline.data.transcriptions.parts import split_transcriptions
from pipeline.data.transcriptions.read import read_transcriptions
from pipeline.orchestration.workspace import fill_workspace, repro
from pipeline.pretrained.ppocr import require_packages
from pipeline.runtime.processes import terminate_children_on_sigterm
from pipeline.settings.base import NO_FILE, read_params, validate
from pipeline.settings.own_lines import OwnLinesSettings

PROFILE, WORKSPACE = Path("profiles/handwriting.yaml"), Path("build/handwriting")
WAYS = "from_others", "from_emnist", "from_nothing"
SPLIT = {"by": "split", "validation": 0.1, "test": 0.1, "seed": 42}
EACH_LINE = "(.+)"
"""The `group` that takes each line as a group of its own."""
LEAST_LINES = 200
"""Lines of an epoch. Fewer training lines are taken several times."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument(
        "data", type=Path, help="folder of pages with their XML or of lines with their texts, or a table"
    )
    parser.add_argument("--text", type=Path, help="text file for the language model, beside the transcriptions")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="train in these ways only")
    parser.add_argument(
        "--train-lines", type=int, help="take so many of the training lines, to see what more are worth"
    )


def main(data: Path, text: Path | None, ways: Sequence[str], train_lines: int | None = None) -> None:
    """Import the lines, train, evaluate and compare.

    Raises:
        InputError: the lines or the text cannot be read, a package is missing, or a stage failed.
    """
    terminate_children_on_sigterm()
    if not data.exists():
        raise InputError(f"handwriting: {data}: no such file or folder")
    if text and not text.is_file():
        raise InputError(f"handwriting: {text}: no such file")
    require_packages()
    params = make_params(read_params(), read_params(PROFILE), data, text, ways, train_lines)
    fill_workspace(Path.cwd(), WORKSPACE, params)
    repro(WORKSPACE, *choose_jobs(ways))
    reports = WORKSPACE / "reports"
    print(f"\nComparison:  {reports / 'index.html'} (to look at), {reports / 'comparison.md'} (table)")
    if params["decoding"]:
        print(f"Beam search: {reports / 'decoding.md'}, with the language model")
    print(
        f"Your lines:  python -m pipeline predict --model {WORKSPACE}/models/{ways[0]}/seed_42.ckpt line.png page.xml"
    )


def make_params(
    params: dict[str, Any],
    profile: dict[str, Any],
    data: Path,
    text: Path | None,
    ways: Sequence[str],
    train_lines: int | None = None,
) -> dict[str, Any]:
    """The settings `params` with the sections of `profile` instead of their own, for these lines and ways to begin.

    Raises:
        InputError: the lines cannot be read, or not be divided into parts.
    """
    params = {**params, **profile}
    keep_ways(params, ways)
    described = {**describe_lines(data), "train_lines": train_lines}
    for lines in params["own_lines"].values():
        lines.update(described)
    for model in params["own_language_models"].values():
        model["text"] = str(text.resolve()) if text else NO_FILE
    if (passes := LEAST_LINES // count_training_lines(described)) > 1:
        for experiment in params["experiments"].values():
            if experiment["lines"] in params["own_lines"]:
                experiment["training"]["passes_per_epoch"] = passes
    return params


def choose_jobs(ways: Sequence[str]) -> Sequence[str]:
    """One way has one training at a time, which takes all cores. Several trainings are quicker on one core each."""
    return ["--jobs", "1"] if len(ways) == 1 else []


def keep_ways(params: dict[str, Any], ways: Sequence[str]) -> None:
    """Remove the other ways to begin, and what only they use."""
    experiments = params["experiments"]
    wanted = {*ways, *(["emnist"] if "from_emnist" in ways else [])}
    params["experiments"] = {name: block for name, block in experiments.items() if name in wanted}
    used = {block["lines"] for block in params["experiments"].values()}
    for section in ("lines", "own_lines"):
        params[section] = {name: block for name, block in params[section].items() if name in used}
    if not params["lines"]:  # nothing uses EMNIST and its text, so neither is downloaded
        for section, source in (("emnist", "glyphs"), ("corpus", "builtin")):
            params[section] = {**params[section], "source": source, "archive": NO_FILE, "url": None, "sha256": None}
    if "from_others" not in wanted:
        params |= {"pretrained": {}, "own_language_models": {}, "decoding": {}}


def describe_lines(data: Path) -> dict[str, Any]:
    """The settings of a data set of lines that say what it is, by what `data` holds."""
    if data.is_file():
        return {"format": "table", "path": str(data.resolve()), "parts": SPLIT}
    described = {"format": "pages", "path": str(data.resolve()), "parts": SPLIT}
    if texts := list(data.rglob(f"*{SUFFIX}")):
        described["format"] = "folder"
        if len({path.parent for path in texts}) == 1:
            described["group"] = EACH_LINE
    listed = {part: f"{part}.txt" for part in SPLITS}
    if all((data / name).is_file() for name in listed.values()):
        described["parts"] = {"by": "lists", **listed}
    return described


def count_training_lines(described: dict[str, Any]) -> int:
    """How many lines the training part has."""
    settings = validate(OwnLinesSettings, described, ("own_lines",))
    root = Path(settings.path)
    lines, _ = read_transcriptions(settings, root)
    return len(split_transcriptions(lines, settings, root)["train"])
