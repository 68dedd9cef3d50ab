"""The real command on tiny data, and what it draws and counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.__main__ import main
from pipeline.common import paths
from pipeline.common.errors import exit_on_input_error
from pipeline.data.storage.characters import Characters
from pipeline.models.checkpoint import save_checkpoint
from pipeline.report.analysis.rates import resample_rates
from pipeline.studies.intervals import METHODS, FreshTestSets, count_coverage, list_estimates
from tests.archives import make_characters
from tests.data.synthesis.inputs import line_settings
from tests.projects import Project, profile_params
from tests.tiny import tiny_settings

MODEL = tiny_settings("line_cnn", "ctc")


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    """A project with tiny data and two models with random weights on the same lines, and one on others."""
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, profile_params("tiny"), monkeypatch, capsys)
    block = {"loss": "ctc", "load": "data/none", "model": MODEL.model.model_dump()}
    lines = {"one": "variable", "two": "variable", "other": "matched"}
    project.params["experiments"] = {key: {"lines": name, **block} for key, name in lines.items()}
    project.params["decoding"] = {}
    project.change()
    for stage in (("check",), ("download",), ("corpus",), ("synthesize", "variable")):
        project.run(*stage)
    for number, key in enumerate(("one", "two")):
        torch.manual_seed(number)
        save_checkpoint(paths.checkpoint(key, 42), MODEL, MODEL.build())
    return project


def intervals(*arguments: str) -> None:
    exit_on_input_error(lambda: main(["intervals", *arguments]))


def test_the_command_writes_a_table_and_a_page(trained: Project) -> None:
    intervals("one", "two", "--sets", "3", "--lines", "6", "--output", "out")
    assert trained.capsys.readouterr().out == "intervals: see out/intervals.md\n"
    table, page = pd.read_csv("out/intervals.csv"), Path("out/intervals.md").read_text()
    assert table["sets"].tolist() == [3] * len(table)
    assert list(table.groupby("of", sort=False).groups) == ["one", "two", "one - two"]
    assert set(table["method"]) == set(METHODS)
    assert table["holds"].between(0, 3).all()
    assert "| `one - two` | CER |" in page
    assert '- `two`: `model: "line_cnn", loss: "ctc", training: {}`.' in page
    assert "3 test sets of 6 lines like `variable`" in page
    assert "Made by `python -m pipeline intervals one two --sets 3 --lines 6 --seed 0` on " in page
    written = Path("out/intervals.csv").read_bytes()
    intervals("one", "two", "--sets", "3", "--lines", "6", "--output", "out")
    assert Path("out/intervals.csv").read_bytes() == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one", "other"], "intervals: the experiments have different lines (matched, variable); name others"),
        (["one", "--sets", "1"], "intervals: --sets must be at least 2, and --lines at least 1"),
        (["tow"], "params.yaml: experiments.tow: unknown; did you mean two?"),
        (["other"], "models/other/seed_42.ckpt: "),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(trained: Project, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as error:
        intervals(*arguments)
    assert error.value.code == 2
    (line,) = trained.capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")
    assert not Path("reports/studies/intervals").exists()


def test_each_set_has_other_characters_and_texts_in_the_same_proportion() -> None:
    few, many = make_characters(8, seed=1), make_characters(16, seed=2)
    labels = np.concatenate([few.labels, many.labels[many.labels < 10]])
    images = np.concatenate([few.images, many.images[many.labels < 10]])
    settings = line_settings(12, (0.0, 0.0)).model_copy(update={"test": 400})
    source = FreshTestSets(["abc", "123", "a1"], Characters(images, labels), settings, 200)
    sets = [source.draw(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert all(len(one) == 200 for one in sets)
    assert sets[0].texts == sets[1].texts != sets[2].texts
    numbers = {character: set() for character in "a1"}
    for text, row in zip(sets[0].texts, sets[0].image_numbers.tolist(), strict=True):
        for character, number in zip(text, row, strict=False):
            if character in numbers:
                numbers[character].add(number)
    # Half of the lines have half of the images: 4 of 8, and 12 of 8 + 16.
    assert {character: len(found) for character, found in numbers.items()} == {"a": 4, "1": 12}
    cell = sets[0].images[0, :, :28]
    assert any((cell == image).all() for image in images)


def test_coverage_by_hand() -> None:
    rows = [("a", 0.1, 0.05, 0.15), ("a", 0.3, 0.15, 0.35), ("a", 0.2, 0.21, 0.31), ("b", 0.4, 0.3, 0.5)]
    measured = pd.DataFrame(rows, columns=["of", "value", "low", "high"]).assign(rate="cer", method="lines alone")
    first, second = count_coverage(measured).to_dict("records")
    assert (first["truth"], first["deviation"]) == (pytest.approx(0.2), pytest.approx(0.1))
    assert (first["holds"], first["sets"], first["width"]) == (1, 3, pytest.approx((0.1 + 0.2 + 0.1) / 3))
    assert (second["holds"], second["sets"]) == (1, 1)


def test_each_rate_and_each_difference_is_measured() -> None:
    rates = resample_rates(["ab", "cd"], {"one": [["ab", "c"]], "two": [["ab", "cd"]]})
    found = {(of, rate): estimate.value for of, rate, estimate in list_estimates(rates)}
    assert found["one", "cer"] == found["one - two", "cer"] == 0.25
    assert found["one - two", "exact"] == -0.5
    assert len(found) == 4 * 3
