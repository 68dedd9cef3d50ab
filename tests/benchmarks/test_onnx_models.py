"""ONNX files beside PyTorch: the lines that are read, and the report."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import onnx_models
from benchmarks.onnx_models import Result
from pipeline.models.registry import MODELS
from tests.tiny import tiny_lines

LINES = tiny_lines(["ABCDEF", "G", "abc"])


@pytest.mark.parametrize("height", [28, 48])
def test_batches_have_all_sizes_and_widths(height: int) -> None:
    found = list(onnx_models.batches(LINES, height, 500))
    widths = [width for _, batch in found for width in batch]
    assert len(widths) == 500
    assert (min(widths), max(widths)) == (1, round(LINES.widths.max() * height / 28))
    assert {len(batch) for _, batch in found} <= set(range(1, 33))
    assert all(images.shape == (len(batch), height, max(batch)) for images, batch in found)
    assert all(not images[row, :, width:].any() for images, batch in found for row, width in enumerate(batch))


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_is_read(name: str) -> None:
    recognizer = onnx_models.random_recognizer(name)
    assert type(recognizer.model) is MODELS[name]


def test_a_difference_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    recognizer = onnx_models.random_recognizer("line_cnn")
    equal = onnx_models.measure(recognizer, Result("line_cnn", "random"), LINES, 40, trained=False)
    assert (equal.lines, equal.read_otherwise) == (40, 0)
    assert equal.difference < 1e-3 < equal.largest_logit
    logits = onnx_models.OnnxModel.logits
    monkeypatch.setattr(onnx_models.OnnxModel, "logits", lambda *args: (-logits(*args)[0], logits(*args)[1]))
    other = onnx_models.measure(recognizer, Result("line_cnn", "random"), LINES, 40, trained=False)
    assert other.read_otherwise > 0
    assert other.difference > equal.difference


def test_the_report_has_a_row_for_each_model(tmp_path: Path) -> None:
    trained = Result("line_cnn", "a, ctc", 2000, 120, 1, 723, 0, 4.3e-6, 21.5, 0.2382, 0.2373)
    onnx_models.write_report([trained, Result("line_ppocr", "random", 8, 2, 1, 9)], tmp_path)
    page = (tmp_path / "onnx.md").read_text()
    assert "| `line_cnn` | a, ctc | 2,000 | 120 | 1 to 723 | 0 | 4.3e-06 | 21.5 | 23.82% | 23.73% |" in page
    assert "| `line_ppocr` | random | 8 | 2 | 1 to 9 | 0 |" in page
    assert pd.read_csv(tmp_path / "onnx.csv")["cer_int8"].dropna().tolist() == [0.2373]
