from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.common.errors import InputError
from pipeline.inference.batches import load_reader, read_all, read_images
from pipeline.models.checkpoint import save_checkpoint
from pipeline.models.recognizer import Reader
from pipeline.runtime.hardware import Arithmetic
from tests.tiny import FP32, MODELS, tiny_lines, tiny_settings

TEXTS = ["ABCDEF", "G", "Hi", "abc", "12 34", "z", "QRST", "W!W", "mnopqr", "7"]


def build(name: str = "line_cnn", loss: str = "ctc", **changes: object) -> Reader:
    torch.manual_seed(0)
    reader = tiny_settings(name, loss, max_length=10, **changes).build()
    reader.model.eval()
    with torch.no_grad():  # fresh weights see too little of the image; louder ones read every line otherwise
        for parameter in reader.model.parameters():
            parameter.mul_(2)
    return reader


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", ["ce", "ctc"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_all_lines_are_read_as_each_alone_and_in_their_order(name: str, loss: str, batch_size: int) -> None:
    reader = build(name, loss)
    lines = tiny_lines(TEXTS, max_length=10, overlap=0.3)
    texts, rows = read_all(reader, lines, batch_size=batch_size, arithmetic=FP32)
    cut = [image[:, :width] for image, width in zip(lines.images, lines.widths.tolist(), strict=True)]
    assert texts == read_images(reader, cut)
    assert len(set(texts)) > 5
    alone = [reader.read(torch.from_numpy(image[None].copy()), [image.shape[1]])[1][0] for image in cut]
    assert torch.equal(rows, torch.stack(alone))
    assert rows.shape == (len(TEXTS), 10)


def test_reading_all_switches_dropout_off() -> None:
    reader = build()
    lines = tiny_lines(TEXTS, max_length=10)
    expected, _ = read_all(reader, lines, batch_size=4, arithmetic=FP32)
    reader.model.train()
    assert read_all(reader, lines, batch_size=4, arithmetic=FP32)[0] == expected
    assert not reader.model.training


@pytest.mark.parametrize("bf16", [False, True])
def test_bf16_is_what_the_model_computes_in(bf16: bool) -> None:
    reader = build()
    dtypes = set()
    reader.model.fc2.register_forward_hook(lambda _module, _inputs, output: dtypes.add(output.dtype))
    texts, rows = read_all(reader, tiny_lines(TEXTS, max_length=10), batch_size=4, arithmetic=Arithmetic("cpu", bf16))
    assert dtypes == {torch.bfloat16 if bf16 else torch.float32}
    assert len(texts) == len(rows) == len(TEXTS)


@pytest.mark.parametrize("width", [1, 27, 28, 100, 3000])
def test_images_of_any_width_are_read(width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, width), dtype=np.uint8)
    (text,) = read_images(build(), [image])
    assert len(text) <= 10


def test_images_may_be_one_array_or_several() -> None:
    images = tiny_lines(["ABC", "DEF"]).images
    reader = build()
    assert read_images(reader, images) == read_images(reader, list(images))
    assert read_images(reader, images) == [text for image in images for text in read_images(reader, [image])]
    assert read_images(reader, []) == []


def test_images_are_not_changed() -> None:
    image = tiny_lines(["ABC"]).images[0]
    image.flags.writeable = False
    before = image.copy()
    read_images(build(), [image])
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((32, 100), np.uint8), "(32, 100) uint8"),
        (np.zeros((28, 100), np.float32), "(28, 100) float32"),
        (np.zeros((28, 100), bool), "(28, 100) bool"),
        (np.zeros((28, 0), np.uint8), "(28, 0) uint8"),
        (np.zeros(28, np.uint8), "(28,) uint8"),
        (np.zeros((28, 100, 3), np.uint8), "(28, 100, 3) uint8"),
        (np.zeros((1, 28, 100), np.uint8), "(1, 28, 100) uint8"),
    ],
)
def test_other_images_are_refused_by_number(image: np.ndarray, got: str) -> None:
    good = np.zeros((28, 50), np.uint8)
    with pytest.raises(InputError) as error:
        read_images(build(), [good, image])
    assert str(error.value) == f"image 1: expected (28, W) uint8 with ink bright on dark, got {got}"


def test_a_reader_comes_from_its_checkpoint(tmp_path: Path) -> None:
    settings = tiny_settings("line_cnn", max_length=10)
    reader = build()
    save_checkpoint(tmp_path / "model.pt", settings, reader)
    images = tiny_lines(TEXTS, max_length=10).images
    assert read_images(load_reader(tmp_path / "model.pt"), images) == read_images(reader, images)
