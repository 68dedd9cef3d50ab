"""`params.yaml` has the form in which DVC writes it, so that `dvc exp run -S` changes nothing else in it."""

import difflib
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides  # what `-S` does

from pipeline.orchestration.workspace import make_workspace
from pipeline.settings.base import read_params
from tests.imports import ROOT


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path))


def changed_lines(params: Path, *overrides: str) -> list[str]:
    """The lines that DVC removes (`-`) from the file and adds (`+`) to it."""
    before = params.read_text(encoding="utf-8").splitlines()
    apply_overrides(params, list(overrides))
    after = params.read_text(encoding="utf-8").splitlines()
    return [line for line in difflib.ndiff(before, after) if line[0] in "-+"]


@pytest.mark.parametrize(
    ("override", "lines"),
    [
        ("training.max_epochs=10", []),  # the value that it has
        ("training.max_epochs=11", ["-   max_epochs: 10", "+   max_epochs: 11"]),
        ("training.learning_rate=0.01", ["-   learning_rate: 0.001", "+   learning_rate: 0.01"]),
        ("training.one_cycle=true", ["-   one_cycle: false", "+   one_cycle: true"]),
        ("training.average_decay=0.99", ["-   average_decay:", "+   average_decay: 0.99"]),
        ("corpus.source=builtin", ["-   source: brown", "+   source: builtin"]),
        ("training.seeds=[42,43]", ["+   - 43"]),
        ("+training.trainer.max_time=1", ["+     max_time: 1"]),
        ("+experiments.wide={lines: variable}", ["+   wide:", "+     lines: variable"]),
        (
            "+decoding.wide={width: 64, lm_weights: [0.5]}",
            ["+   wide:", "+     width: 64", "+     lm_weights:", "+     - 0.5"],
        ),
    ],
)
def test_dvc_changes_what_it_is_told_to(params: Path, override: str, lines: list[str]) -> None:
    assert changed_lines(params, override) == lines


@pytest.mark.parametrize(
    ("section", "place"), [("lines", 0), ("experiments", 0), ("experiments", -1), ("decoding", -1)]
)
def test_removing_a_block_leaves_the_comments(params: Path, section: str, place: int) -> None:
    name = list(read_params(params)[section])[place]
    removed = changed_lines(params, f"~{section}.{name}")
    assert f"-   {name}:" in removed
    assert not [line for line in removed if line.startswith("+") or "#" in line]


@pytest.mark.parametrize("profile", ["demo", "tiny"])
def test_a_copy_with_a_profile_has_this_form_too(tmp_path: Path, profile: str) -> None:
    make_workspace(ROOT, tmp_path, read_params(ROOT / f"profiles/{profile}.yaml"))
    assert changed_lines(tmp_path / "params.yaml") == []
