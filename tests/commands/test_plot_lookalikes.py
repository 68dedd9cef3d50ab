"""Which letters are drawn, with which weights, and the real command."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.__main__ import main
from pipeline.commands.plot_lookalikes import SHOWN, attended_letters, strongest_letters
from pipeline.common.errors import exit_on_input_error
from pipeline.data.storage.lines import Lines
from pipeline.models.checkpoint import RecognizerSettings, save_checkpoint
from pipeline.models.line_resnet_lookalikes import LineResNetLookalikes
from pipeline.models.recognizer import Recognizer, to_pixels
from tests.projects import write_lines
from tests.tiny import read_alone, tiny_lines, tiny_settings

TEXTS = ["AB", "NA NA", "007", "hi B", "A", "no no"]


def made() -> tuple[RecognizerSettings, Recognizer, Lines]:
    """A model with random weights, and lines whose texts are its own predictions."""
    torch.manual_seed(3)
    settings = tiny_settings("line_resnet_lookalikes", "ctc")
    recognizer, lines = settings.build(), tiny_lines(TEXTS)
    recognizer.model.eval()
    assert isinstance(recognizer.model, LineResNetLookalikes)
    with torch.no_grad():
        recognizer.model.fc.weight *= 40
    images = [image[:, :width] for image, width in zip(lines.images, lines.widths, strict=True)]
    return settings, recognizer, replace(lines, texts=read_alone(recognizer, images))


def test_letters_at_the_beginning_of_words_are_found_with_their_weights() -> None:
    _, recognizer, lines = made()
    model = recognizer.model
    assert isinstance(model, LineResNetLookalikes)
    some = 0
    for image, text, width in zip(lines.images, lines.texts, lines.widths.tolist(), strict=True):
        found = list(attended_letters(recognizer, image[:, :width], text))
        begins = [n for n, c in enumerate(text) if c.isalpha() and (n == 0 or text[n - 1] == " ")]
        assert [one.position for one in found] == begins
        some += len(found)
        with torch.inference_mode():
            looks = model.line_resnet(to_pixels(torch.from_numpy(image[None, :, :width].copy())))
            weights = model.lookalikes.weights(looks, None)[0].numpy()
        for one in found:
            step = one.columns.index(one.column)
            assert one.strength == pytest.approx(weights[:, step].max(), abs=1e-6)
            assert any(np.allclose(one.weights, head[step], atol=1e-6) for head in weights)
    assert some > 0


def test_lines_that_are_misread_are_left_out() -> None:
    _, recognizer, lines = made()
    width = int(lines.widths[0])
    assert not list(attended_letters(recognizer, lines.images[0][:, :width], lines.texts[0] + "x"))


def test_each_letter_is_shown_once_the_strongest_first() -> None:
    _, recognizer, lines = made()
    shown = strongest_letters(recognizer, lines)
    letters = [found.text[found.position].casefold() for found in shown]
    assert 0 < len(letters) == len(set(letters)) <= SHOWN
    strengths = [found.strength for found in shown]
    assert strengths == sorted(strengths, reverse=True)


def command(*arguments: Path) -> None:
    exit_on_input_error(lambda: main(["plot_lookalikes", *map(str, arguments)]))


def test_the_command_draws_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, recognizer, lines = made()
    save_checkpoint(tmp_path / "model.ckpt", settings, recognizer)
    write_lines(tmp_path / "lines.h5", lines)
    command(tmp_path / "model.ckpt", tmp_path / "lines.h5", tmp_path / "made.png")
    assert capsys.readouterr().out == f"plot_lookalikes: see {tmp_path / 'made.png'}\n"
    with Image.open(tmp_path / "made.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("line_cnn", "a line_cnn, which compares nothing; name a line_resnet_lookalikes"),
        ("line_resnet_lookalikes", "reads none of the test lines"),
    ],
)
def test_an_unsuitable_checkpoint_is_refused_in_one_line(
    name: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tiny_settings(name, "ctc")
    save_checkpoint(tmp_path / "model.ckpt", settings, settings.build())
    write_lines(tmp_path / "lines.h5", tiny_lines(["AB CD"]))
    with pytest.raises(SystemExit) as error:
        command(tmp_path / "model.ckpt", tmp_path / "lines.h5", tmp_path / "made.png")
    assert error.value.code == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(f"error: {tmp_path / 'model.ckpt'}: {problem}")
    assert not (tmp_path / "made.png").exists()
