"""Do ONNX files read as PyTorch does? Lines of all widths, in batches of all sizes, with every kind of model.

    python -m benchmarks.onnx_models models/cnn_ctc_variable/seed_42.ckpt models/lstm_ctc_variable/seed_42.ckpt

Models without a checkpoint get random weights. It writes onnx.csv and onnx.md.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jinja2 import StrictUndefined, Template
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter

from benchmarks.others.inputs import cut_images, take
from pipeline.common.errors import exit_on_input_error
from pipeline.common.files import write_text
from pipeline.common.progress import progress_bar
from pipeline.common.vocabulary import EMNIST
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.export.compare import OnnxModel, compare, greatest_difference
from pipeline.export.onnx_file import quantize, write_graph
from pipeline.models.checkpoint import RecognizerSettings, load_checkpoint
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.machine import describe_machine
from pipeline.settings.models import ModelSettings

OUTPUT, TEMPLATE = Path("reports/studies/onnx"), Path(__file__).with_name("onnx_models.md.j2")
RESNET = {"conv_dim": 16, "blocks_quarter": 1, "blocks_eighth": 1, "fc_dim": 96, "limit_output_length": False}
WINDOWS = {"window_width": 28, "window_stride": 9, "conv_dim": 16, "fc_dim": 64, "limit_output_length": False}
SMALL = {
    "line_cnn_simple": WINDOWS,
    "line_cnn": {**WINDOWS, "window_width": 16, "window_stride": 8},
    "line_cnn_lstm": {**WINDOWS, "window_width": 16, "window_stride": 8, "lstm_dim": 64},
    "line_resnet_lstm": {**RESNET, "lstm_dim": 96},
    "line_resnet_transformer": {**RESNET, "heads": 4, "layers": 2},
    "line_resnet_conformer": {**RESNET, "heads": 4, "layers": 2, "kernel": 9},
    "line_resnet_lookalikes": {**RESNET, "lstm_dim": 96, "heads": 4},
    "line_ppocr": {},
}
"""Models with random weights."""
PPOCR_HEIGHT = 48
BATCH = 32
"""The largest batch."""
WHOLE = 0.125
"""The fraction of batches that have whole lines."""


@dataclass
class Result:
    """A model in ONNX Runtime beside PyTorch."""

    model: str
    weights: str
    lines: int = 0
    batches: int = 0
    narrowest: int = 10**9
    widest: int = 0
    read_otherwise: int = 0
    difference: float = 0.0
    """The greatest difference of logits."""
    largest_logit: float = 0.0
    cer: float | None = None
    """Of PyTorch on whole test lines, for trained weights."""
    cer_int8: float | None = None


def random_recognizer(name: str) -> Recognizer:
    """A small model whose random weights read different texts: norms and last layer are not those of a start."""
    torch.manual_seed(0)
    model = TypeAdapter(ModelSettings).validate_python({"name": name, **SMALL[name]})
    height = PPOCR_HEIGHT if name == "line_ppocr" else 28
    recognizer = RecognizerSettings(model, "ctc", EMNIST, 64, False, height=height).build()
    recognizer.model.eval()
    for weight, values in recognizer.model.state_dict().items():
        if "norm" in weight and values.is_floating_point():
            values.uniform_(0.5, 1.5)
    *_, last = [module for module in recognizer.model.modules() if isinstance(module, torch.nn.Linear)]
    last.weight.data.mul_(5)
    return recognizer


def batches(lines: Lines, height: int, count: int) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Parts of lines in batches of 1 to `BATCH`, from one column to whole lines."""
    rng, images = np.random.default_rng(0), [_scale(image, height) for image in cut_images(lines)]
    widest, done = max(image.shape[1] for image in images), 0
    while done < count:
        size = min(int(rng.integers(1, BATCH + 1)), count - done)
        limit = int(np.exp(rng.uniform(np.log(2), np.log(widest + 1))))
        are_whole = rng.random() < WHOLE
        parts = []
        for number in range(done, done + size):
            image = images[number % len(images)]
            width = image.shape[1] if are_whole else min(image.shape[1], int(rng.integers(1, limit + 1)))
            left = int(rng.integers(0, image.shape[1] - width + 1))
            parts.append(image[:, left : left + width])
        done += size
        batch = np.zeros((size, height, max(part.shape[1] for part in parts)), np.uint8)
        for row, part in zip(batch, parts, strict=True):
            row[:, : part.shape[1]] = part
        yield torch.from_numpy(batch), [part.shape[1] for part in parts]


def _scale(image: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    if image.shape[0] == height:
        return image
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return np.asarray(Image.fromarray(image).resize((width, height)))


@torch.inference_mode()
def measure(recognizer: Recognizer, result: Result, lines: Lines, count: int, *, trained: bool) -> Result:
    """Fill in what the ONNX file of a recognizer does with `count` parts of lines."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "a.onnx", Path(folder) / "int8.onnx"
        write_graph(path, recognizer)
        model, objective = OnnxModel(path), recognizer.objective
        for images, widths in batches(lines, recognizer.model.height, count):
            expected, lengths = recognizer.logits(images, widths)
            logits, steps = model.logits(images, widths)
            assert steps == lengths
            theirs, here = (objective.texts(objective.decode(values, lengths)) for values in (logits, expected))
            result.read_otherwise += sum(a != b for a, b in zip(theirs, here, strict=True))
            result.difference = max(result.difference, greatest_difference(logits, expected, lengths))
            result.largest_logit = max(result.largest_logit, float(expected.abs().max()))
            result.narrowest, result.widest = min(result.narrowest, *widths), max(result.widest, *widths)
            result.lines, result.batches = result.lines + len(widths), result.batches + 1
        if trained and lines.images.shape[1] == recognizer.model.height:
            quantize(path, small)
            whole = take(lines, count)
            result.cer, compared = compare({"int8": small}, recognizer, whole, batch_size=BATCH)
            result.cer_int8 = compared["int8"].cer
    return result


def main() -> None:
    """Parse the command line, and measure every kind of model."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.onnx_models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoints", nargs="*", type=Path, help="trained models")
    parser.add_argument("--data", type=Path, default=Path("data/lines/variable.h5"), help="its test lines are read")
    parser.add_argument("--lines", type=int, default=2000, help="parts of lines, and whole lines for the CER of int8")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of onnx.csv and onnx.md")
    arguments = parser.parse_args()
    lines = read_lines(arguments.data, "test")
    loaded = [(path, *load_checkpoint(path)) for path in arguments.checkpoints]
    trained = {settings.model.name for _, settings, _ in loaded}
    results: list[Result] = []
    for path, settings, recognizer in loaded:
        weights = path.parent.name if path.stem.startswith("seed_") else path.stem
        result = Result(settings.model.name, f"{weights}, {settings.loss}")
        results.append(measure(recognizer, result, lines, arguments.lines, trained=True))
        write_report(results, arguments.output)
    for name in progress_bar([name for name in SMALL if name not in trained], desc="models", unit="model"):
        result = Result(name, "random")
        results.append(measure(random_recognizer(name), result, lines, arguments.lines, trained=False))
        write_report(results, arguments.output)
    print(f"benchmarks: see {arguments.output / 'onnx.md'}")


def write_report(results: list[Result], folder: Path) -> None:
    """Write both files."""
    table = pd.DataFrame([asdict(result) for result in results])
    write_text(folder / "onnx.csv", table.to_csv(index=False, float_format="%.4g", lineterminator="\n"))
    template = Template(TEMPLATE.read_text(encoding="utf-8"), undefined=StrictUndefined, keep_trailing_newline=True)
    runtime = f"onnxruntime {version('onnxruntime')}"
    write_text(folder / "onnx.md", template.render(results=results, machine=describe_machine(), runtime=runtime))


if __name__ == "__main__":
    exit_on_input_error(main)
