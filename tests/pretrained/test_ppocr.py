import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.common.errors import InputError
from pipeline.common.files import file_sha256
from pipeline.pretrained import ppocr
from pipeline.pretrained.ppocr import find_package_file, read_recognizer

INSTALLED = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "rapidocr"))


@pytest.mark.skipif(not INSTALLED, reason="needs the extra `handwriting`")
def test_the_logits_equal_those_of_onnxruntime() -> None:
    import onnxruntime

    path = find_package_file()
    settings, recognizer = read_recognizer(path, file_sha256(path))
    assert settings.vocabulary.characters[-1] == " "
    session = onnxruntime.InferenceSession(path)
    rng = np.random.default_rng(0)
    for width in (64, 320, 808):
        smooth = rng.random((1, 1, 6, width // 8)).repeat(8, axis=2).repeat(8, axis=3).astype(np.float32)
        (expected,) = session.run(None, {"x": (1 - 2 * smooth).repeat(3, axis=1)})
        with torch.inference_mode():
            found = recognizer.model(torch.from_numpy(smooth)).softmax(1).transpose(1, 2).numpy()
        special = found[..., 1:4]
        assert special.max() < 1e-9
        np.testing.assert_allclose(np.delete(found, [1, 2, 3], axis=2), expected, atol=5e-4)


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    with pytest.raises(InputError, match=r"a\.onnx: no such file$"):
        read_recognizer(path, "")
    path.write_bytes(b"1")
    with pytest.raises(InputError, match=f"has the sha256 {file_sha256(path)}, and the settings say 0$"):
        read_recognizer(path, "0")


@pytest.mark.skipif(not INSTALLED, reason="needs the extra `handwriting`")
def test_another_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"1")
    properties = [SimpleNamespace(key="character", value="a\nb")]
    graph = SimpleNamespace(initializer=[], node=[])
    monkeypatch.setattr(ppocr, "_load", lambda path: SimpleNamespace(metadata_props=properties, graph=graph))
    with pytest.raises(InputError, match=r"another architecture than PP-OCRv6_rec_small \(0 weights instead of 151\)"):
        read_recognizer(path, file_sha256(path))
    properties.clear()
    with pytest.raises(InputError, match="has no list of characters in its metadata"):
        read_recognizer(path, file_sha256(path))


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"the package rapidocr is not installed; pip install 'emnist-lines\[handwriting\]'"
    ):
        find_package_file()
