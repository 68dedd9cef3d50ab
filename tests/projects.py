"""Project folders with small settings, in which tests run stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pytest
from ruamel.yaml import YAML

from pipeline.command_line import run_module
from pipeline.common.errors import exit_on_input_error
from pipeline.common.splits import SPLITS
from pipeline.data.storage.line_store import LineWriter
from pipeline.data.storage.lines import Lines
from pipeline.orchestration.workspace import apply_profiles
from pipeline.settings.base import read_params
from tests.imports import ROOT

COMPARISON_FILES = [
    "cer.png",
    "comparison.csv",
    "comparison.md",
    "confusions.csv",
    "groups.csv",
    "index.html",
    "readings.png",
    "summary.json",
]
"""What the stage `compare` writes in `reports/`."""


def profile_params(*names: str) -> dict[str, Any]:
    """The shipped settings with the values of profiles, of which later ones win."""
    params = read_params(ROOT / "params.yaml")
    apply_profiles(params, *(read_params(ROOT / "profiles" / f"{name}.yaml") for name in names))
    return params


@dataclass
class Project:
    """A folder that is the project's root and the current folder."""

    root: Path
    params: dict[str, Any]
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def change(self, **sections: Mapping[str, Any]) -> None:
        """Change settings of the project; new keys may be added."""
        for name, block in sections.items():
            self.params[name] = merged(self.params[name], block)
        YAML().dump(self.params, self.root / "params.yaml")  # in the order of the keys

    def run(self, stage: str, *arguments: str) -> str:
        """Run a stage in this process; return what it prints."""
        exit_on_input_error(lambda: run_module(f"stages.{stage}", stage, arguments))
        return self.capsys.readouterr().out

    def refusal(self, stage: str, *arguments: str) -> str:
        """Run a stage that refuses its input; return its error message, which is one line."""
        with pytest.raises(SystemExit) as error:
            self.run(stage, *arguments)
        assert error.value.code == 2
        (line,) = self.capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")


def merged(settings: object, changes: object) -> object:
    """`settings` with `changes`, merged block by block; new keys may be added."""
    if not isinstance(settings, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**settings, **{key: merged(settings.get(key), value) for key, value in changes.items()}}


def write_lines(
    path: Path, lines: Lines, name: str = "own", data: str = "own characters", parts: Sequence[str] = SPLITS
) -> None:
    """Write a data set whose parts are the same lines. A stage that may not read a part gets a file without it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    attributes = {
        "name": name,
        "max_length": lines.starts.shape[1],
        "with_start_end_tokens": False,
        "train": len(lines),
        "data": data,
        "data_source": "archive",
        "data_sha256": "0" * 64,
        "corpus": "own text",
        "corpus_source": "archive",
        "corpus_sha256": "1" * 64,
    }
    with h5py.File(path, "w") as file:
        writer = LineWriter(file, attributes)
        for part in parts:
            writer.write(part, [lines], len(lines), lines.starts.shape[1], wrap=False)
