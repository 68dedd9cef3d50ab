from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.__main__ import main
from pipeline.common.errors import exit_on_input_error
from pipeline.inference.batches import load_recognizer, predict_images
from pipeline.models.checkpoint import save_checkpoint
from tests.tiny import tiny_lines, tiny_settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint, and two pictures of a line: as the data sets have it, and dark on light in twice the size."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    torch.manual_seed(0)
    settings = tiny_settings("line_cnn")
    save_checkpoint(tmp_path / "own.ckpt", settings, settings.build())
    lines = tiny_lines(["hi B"])
    pixels = lines.images[0, :, : lines.widths[0]]
    Image.fromarray(pixels).save("light.png")
    Image.fromarray(255 - pixels.repeat(2, axis=0).repeat(2, axis=1)).save("dark.png")
    return tmp_path


def run(*arguments: str) -> None:
    exit_on_input_error(lambda: main(["predict", *arguments]))


def test_a_picture_is_read_as_the_line_that_it_shows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tiny_lines(["hi B"])
    (expected,) = predict_images(
        load_recognizer(folder / "own.ckpt"), [np.asarray(lines.images[0, :, : lines.widths[0]])]
    )
    run("--model", "own.ckpt", "light.png")
    assert capsys.readouterr().out == f"{expected}\n"
    run("--model", "own.ckpt", "light.png", "dark.png")
    assert capsys.readouterr().out == f"light.png: {expected}\ndark.png: {expected}\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--model", "own.ckpt", "none.png"), "none.png: no such file"),
        (("--model", "none.ckpt", "light.png"), "none.ckpt: no such checkpoint"),
        (("--model", "own.ckpt", "own.ckpt"), "own.ckpt: not a picture"),
        (("light.png",), "models:/emnist-lines@best: no model has this name"),
    ],
)
def test_an_error_is_one_line(arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run(*arguments)
    assert error.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {reason}")
