from pathlib import Path

import pytest
import torch

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST
from pipeline.models.checkpoint import save_checkpoint
from pipeline.report.figures.ctc_steps import (
    Run,
    choose_line,
    class_symbol,
    group_runs,
    read_steps,
    trace_ctc_experiments,
    trace_line,
)
from tests.report.results import make_result
from tests.tiny import MODELS, tiny_lines, tiny_settings

TEXTS = ["hello", "a", "to be"]
LINES = tiny_lines(TEXTS)


@pytest.mark.parametrize("model", MODELS)
def test_steps_are_those_of_the_recognizer(model: str) -> None:
    torch.manual_seed(0)
    recognizer = tiny_settings(model).build()
    recognizer.model.eval()
    found = trace_line("mine", recognizer, LINES)
    windows = recognizer.model.windows
    assert (found.key, found.text, found.picture.width) == ("mine", "hello", 140)
    assert (found.window, found.stride) == (windows.width, windows.stride)
    assert len(found.symbols) == windows.line_steps(140)
    assert [center for center, _ in found.symbols][:2] == [windows.width / 2, windows.width / 2 + windows.stride]
    (prediction,), _ = recognizer.predict(torch.from_numpy(LINES.images[:1, :, :140].copy()), [140])
    assert found.prediction == prediction
    # Runs without the blank ones are the prediction, but for special tokens and what is too long for a target.
    symbols = "".join(run.symbol for run in found.runs if not run.blank and len(run.symbol) == 1)
    assert symbols.replace("␣", " ").startswith(prediction)
    assert sum(run.count for run in found.runs) == len(found.symbols)


def test_a_line_of_one_character_has_steps() -> None:
    recognizer = tiny_settings("line_cnn").build()
    path, prediction = read_steps(recognizer, tiny_lines(["a"]).images[0, :, :28])
    assert len(path) == recognizer.model.windows.line_steps(28) > 0
    assert len(prediction) <= len(path)


def test_runs_are_consecutive_equal_classes() -> None:
    classes = [int(EMNIST.encode(symbol)[0]) for symbol in "al "]
    a, l_, space = classes
    runs = group_runs([0, 0, a, l_, l_, 0, l_, space], [1, 2, 3, 4, 5, 6, 7, 8], EMNIST)
    assert runs == [
        Run("·", 1, 2, 2),
        Run("a", 3, 3, 1),
        Run("l", 4, 5, 2),
        Run("·", 6, 6, 1),
        Run("l", 7, 7, 1),
        Run("␣", 8, 8, 1),
    ]
    assert [run.blank for run in runs] == [True, False, False, True, False, False]
    assert runs[2].center == 4.5


def test_special_tokens_are_shown_by_name() -> None:
    assert [class_symbol(number, EMNIST) for number in range(5)] == ["·", "<S>", "<E>", "<P>", "0"]


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [(["a"], 0), (["a", "abcdefghij"], 1), (["abcdefghij", "aabcdefghi"], 1), (["aa", "abcdefgh", "abcdefghijkl"], 1)],
)
def test_a_line_of_the_right_length_with_a_double_letter_is_preferred(texts: list[str], chosen: int) -> None:
    assert choose_line(texts) == chosen


def test_ctc_experiments_are_loaded_from_their_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tiny_settings("line_cnn")
    torch.manual_seed(0)
    save_checkpoint(paths.checkpoint("mine", 42), settings, settings.build())
    results = [make_result(TEXTS, TEXTS, "without", "ce"), make_result(TEXTS, TEXTS, "mine", "ctc")]
    (found,) = trace_ctc_experiments(results, {"own": LINES})
    assert found.key == "mine"
    assert trace_ctc_experiments(results[:1], {"own": LINES}) == []
    paths.checkpoint("mine", 42).unlink()
    with pytest.raises(InputError, match=r"^models/mine/seed_42\.ckpt: no such checkpoint"):
        trace_ctc_experiments(results, {"own": LINES})
