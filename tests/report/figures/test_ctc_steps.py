from pathlib import Path

import pytest
import torch

from pipeline.common import paths
from pipeline.common.errors import InputError
from pipeline.common.vocabulary import encode
from pipeline.models.checkpoint import save_checkpoint
from pipeline.report.figures.ctc_steps import Run, best_path, choose_line, ctc_steps, runs_of, sign_of, take_steps
from tests.report.results import make_result
from tests.tiny import MODELS, tiny_lines, tiny_settings

TEXTS = ["hello", "a", "to be"]
LINES = tiny_lines(TEXTS)


@pytest.mark.parametrize("model", MODELS)
def test_steps_are_those_of_the_reader(model: str) -> None:
    torch.manual_seed(0)
    recognizer = tiny_settings(model).build()
    recognizer.model.eval()
    found = take_steps("mine", recognizer, LINES)
    windows = recognizer.model.windows
    assert (found.key, found.text, found.picture.width) == ("mine", "hello", 140)
    assert (found.window, found.stride) == (windows.width, windows.stride)
    assert len(found.signs) == windows.line_steps(140)
    assert [middle for middle, _ in found.signs][:2] == [windows.width / 2, windows.width / 2 + windows.stride]
    (reading,), _ = recognizer.predict(torch.from_numpy(LINES.images[:1, :, :140].copy()), [140])
    assert found.reading == reading
    # Runs without the blank ones are the reading, but for special tokens and what is too long for a target.
    signs = "".join(run.sign for run in found.runs if not run.blank and len(run.sign) == 1)
    assert signs.replace("␣", " ").startswith(reading)
    assert sum(run.count for run in found.runs) == len(found.signs)


def test_a_line_of_one_character_has_steps() -> None:
    recognizer = tiny_settings("line_cnn").build()
    path, reading = best_path(recognizer, tiny_lines(["a"]).images[0, :, :28])
    assert len(path) == recognizer.model.windows.line_steps(28) > 0
    assert len(reading) <= len(path)


def test_runs_are_steps_that_agree() -> None:
    classes = [int(encode(sign)[0]) for sign in "al "]
    a, l_, space = classes
    runs = runs_of([0, 0, a, l_, l_, 0, l_, space], [1, 2, 3, 4, 5, 6, 7, 8])
    assert runs == [
        Run("·", 1, 2, 2),
        Run("a", 3, 3, 1),
        Run("l", 4, 5, 2),
        Run("·", 6, 6, 1),
        Run("l", 7, 7, 1),
        Run("␣", 8, 8, 1),
    ]
    assert [run.blank for run in runs] == [True, False, False, True, False, False]
    assert runs[2].middle == 4.5


def test_tokens_are_shown_by_name() -> None:
    assert [sign_of(number) for number in range(5)] == ["·", "<S>", "<E>", "<P>", "0"]


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [(["a"], 0), (["a", "abcdefghij"], 1), (["abcdefghij", "aabcdefghi"], 1), (["aa", "abcdefgh", "abcdefghijkl"], 1)],
)
def test_a_line_that_fits_with_a_letter_twice_is_chosen(texts: list[str], chosen: int) -> None:
    assert choose_line(texts) == chosen


def test_ctc_experiments_are_read_from_their_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tiny_settings("line_cnn")
    torch.manual_seed(0)
    save_checkpoint(paths.checkpoint("mine", 42), settings, settings.build())
    results = [make_result(TEXTS, TEXTS, "without", "ce"), make_result(TEXTS, TEXTS, "mine", "ctc")]
    (found,) = ctc_steps(results, {"own": LINES})
    assert found.key == "mine"
    assert ctc_steps(results[:1], {"own": LINES}) == []
    paths.checkpoint("mine", 42).unlink()
    with pytest.raises(InputError, match=r"^models/mine/seed_42\.ckpt: no such checkpoint"):
        ctc_steps(results, {"own": LINES})
