from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.inference.batches import load_recognizer, predict_all
from pipeline.models.checkpoint import save_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig
from tests.tiny import FP32, MODELS, read_alone, tiny_lines, tiny_settings

TEXTS = ["ABCDEF", "G", "Hi", "abc", "12 34", "z", "QRST", "W!W", "mnopqr", "7"]


def build(name: str = "line_cnn", loss: str = "ctc", **changes: object) -> Recognizer:
    torch.manual_seed(0)
    recognizer = tiny_settings(name, loss, max_length=10, **changes).build()
    recognizer.model.eval()
    with torch.no_grad():  # fresh weights predict the same for most lines; larger ones do not
        for parameter in recognizer.model.parameters():
            parameter.mul_(2)
    return recognizer


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", ["ce", "ctc"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_all_lines_are_predicted_as_if_each_were_alone_and_in_order(name: str, loss: str, batch_size: int) -> None:
    recognizer = build(name, loss)
    lines = tiny_lines(TEXTS, max_length=10, overlap=0.3)
    texts, rows = predict_all(recognizer, lines, batch_size=batch_size, compute=FP32)
    cut = [image[:, :width] for image, width in zip(lines.images, lines.widths.tolist(), strict=True)]
    assert texts == read_alone(recognizer, cut)
    assert len(set(texts)) > 5
    alone = [recognizer.predict(torch.from_numpy(image[None].copy()), [image.shape[1]])[1][0] for image in cut]
    assert torch.equal(rows, torch.stack(alone))
    assert rows.shape == (len(TEXTS), 10)


def test_dropout_is_switched_off() -> None:
    recognizer = build()
    lines = tiny_lines(TEXTS, max_length=10)
    expected, _ = predict_all(recognizer, lines, batch_size=4, compute=FP32)
    recognizer.model.train()
    assert predict_all(recognizer, lines, batch_size=4, compute=FP32)[0] == expected
    assert not recognizer.model.training


@pytest.mark.parametrize("bf16", [False, True])
def test_the_model_computes_in_bf16_if_asked(bf16: bool) -> None:
    recognizer = build()
    dtypes = set()
    recognizer.model.fc2.register_forward_hook(lambda _module, _inputs, output: dtypes.add(output.dtype))
    texts, rows = predict_all(
        recognizer, tiny_lines(TEXTS, max_length=10), batch_size=4, compute=ComputeConfig("cpu", bf16)
    )
    assert dtypes == {torch.bfloat16 if bf16 else torch.float32}
    assert len(texts) == len(rows) == len(TEXTS)


@pytest.mark.parametrize("width", [1, 27, 28, 100, 3000])
def test_images_of_any_width_are_accepted(width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, width), dtype=np.uint8)
    (text,) = read_alone(build(), [image])
    assert len(text) <= 10


def test_a_recognizer_is_loaded_from_its_checkpoint(tmp_path: Path) -> None:
    settings = tiny_settings("line_cnn", max_length=10)
    recognizer = build()
    save_checkpoint(tmp_path / "model.pt", settings, recognizer)
    images = tiny_lines(TEXTS, max_length=10).images
    assert read_alone(load_recognizer(tmp_path / "model.pt"), images) == read_alone(recognizer, images)
