"""ONNX Runtime computes what PyTorch computes, for each model."""

import functools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from pipeline.common.errors import InputError
from pipeline.common.vocabulary import EMNIST
from pipeline.export.compare import OnnxModel, greatest_difference, require_equal
from pipeline.models.checkpoint import RecognizerSettings
from pipeline.models.recognizer import Recognizer
from pipeline.settings.models import ModelSettings
from tests.tiny import MODELS, tiny_settings

pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

BATCHES = (50, 100, 77), (28,), (5,), (300, 1, 20, 299, 31), (16,), (64, 64)
FEW_LAYERS = {"line_resnet_transformer": {"layers": 1}, "line_resnet_conformer": {"layers": 1}}
CASES = [*((name, "ctc") for name in (*MODELS, "line_ppocr")), ("line_cnn_simple", "ce"), ("line_cnn", "ce")]


def noise(widths: Sequence[int], height: int) -> torch.Tensor:
    """Images (B, H, W) uint8: noise up to each width, background after it."""
    generator = torch.Generator().manual_seed(sum(widths))
    images = torch.randint(0, 256, (len(widths), height, max(widths)), dtype=torch.uint8, generator=generator)
    return images * (torch.arange(max(widths)) < torch.tensor(widths)[:, None, None])


def build(name: str, loss: str) -> tuple[RecognizerSettings, Recognizer]:
    """A small recognizer whose norms are not those of a fresh model, which hide parts of it."""
    torch.manual_seed(0)
    if name == "line_ppocr":
        model = TypeAdapter(ModelSettings).validate_python({"name": name, "window_stride": 6})
        settings = RecognizerSettings(model, "ctc", EMNIST, 8, False, height=48)
    else:
        settings = tiny_settings(name, loss, **FEW_LAYERS.get(name, {}))
    recognizer = settings.build()
    recognizer.model.eval()
    for weight, values in recognizer.model.state_dict().items():
        if "norm" in weight and values.is_floating_point():
            values.uniform_(0.5, 1.5)
    return settings, recognizer


Graphs = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    """The file of a model and a loss. Tracing takes seconds, so each is traced once."""
    from pipeline.export.onnx_file import write_graph

    @functools.cache
    def write(name: str, loss: str) -> Path:
        path = tmp_path_factory.mktemp(name) / "a.onnx"
        write_graph(path, build(name, loss)[1])
        return path

    return write


@pytest.mark.parametrize(("name", "loss"), CASES)
def test_logits_and_texts_are_those_of_pytorch(name: str, loss: str, graphs: Graphs) -> None:
    _, recognizer = build(name, loss)
    model = OnnxModel(graphs(name, loss))
    for widths in BATCHES:
        images = noise(widths, recognizer.model.height)
        with torch.inference_mode():
            expected, lengths = recognizer.logits(images, widths)
        logits, steps = model.logits(images, widths)
        assert steps == lengths
        assert greatest_difference(logits, expected, lengths) < 1e-5 * max(1, float(expected.abs().max()))
        decode = recognizer.objective.decode
        torch.testing.assert_close(decode(logits, steps), decode(expected, lengths))
        for line, width in enumerate(widths):  # alone as in the batch
            alone, _ = model.logits(images[line : line + 1, :, :width].contiguous(), [width])
            one = slice(line, line + 1)
            assert greatest_difference(alone, logits[one, :, : alone.shape[2]], lengths[one]) < 1e-5 * max(
                1, float(expected.abs().max())
            )


def test_a_file_is_one_graph_with_free_axes_and_says_how_to_use_it(graphs: Graphs, tmp_path: Path) -> None:
    import onnxruntime

    from pipeline.export.onnx_file import add_metadata, quantize

    settings, recognizer = build("line_cnn_lstm", "ctc")
    shutil.copy(graphs("line_cnn_lstm", "ctc"), tmp_path)
    quantize(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert (tmp_path / "b.onnx").stat().st_size < (tmp_path / "a.onnx").stat().st_size
    for file in ("a.onnx", "b.onnx"):
        add_metadata(tmp_path / file, settings, recognizer, {"experiment_key": "mine"})
        assert str(Path(__file__).parents[2]).encode() not in (tmp_path / file).read_bytes()
        session = onnxruntime.InferenceSession(tmp_path / file)
        shapes = {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
        assert shapes == {
            "images": ["batch", 1, 28, "width"],
            "widths": ["batch"],
            "logits": ["batch", "steps", 83],
            "lengths": ["batch"],
        }
        facts = session.get_modelmeta().custom_metadata_map
        assert json.loads(facts["vocabulary"]) == list(EMNIST.tokens)
        read = {
            key: facts[key] for key in ("height", "loss", "blank", "first_character", "max_length", "window_stride")
        }
        assert list(read.values()) == ["28", "ctc", "0", "4", "8", "8"]
        assert json.loads(facts["model"])["name"] == "line_cnn_lstm"
        assert facts["experiment_key"] == "mine"
    widths = (50, 100, 77)
    logits, _ = OnnxModel(tmp_path / "b.onnx").logits(noise(widths, 28), widths)
    with torch.inference_mode():
        expected, lengths = recognizer.logits(noise(widths, 28), widths)
    assert 0 < greatest_difference(logits, expected, lengths) < 0.1


def test_a_file_of_another_model_is_refused(graphs: Graphs) -> None:
    path, (_, recognizer) = graphs("line_cnn", "ce"), build("line_cnn", "ce")
    require_equal(path, recognizer)
    with torch.no_grad():
        recognizer.model.fc1.bias.add_(0.1)  # type: ignore[union-attr, operator]
    with pytest.raises(InputError, match="does not compute what the model does"):
        require_equal(path, recognizer)
