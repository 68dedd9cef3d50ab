"""This project's ways to do the work."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.others.contestants import COLD_START, RATES, READING, SYNTHESIS, WITH_LM, WITHOUT_LM, Contestant, timed
from benchmarks.others.inputs import FP32, SEARCH, cut_images
from pipeline.common.files import project_root
from pipeline.data.storage.characters import read_characters
from pipeline.data.storage.lines import Lines
from pipeline.data.synthesis.renderer import LineRenderer
from pipeline.decoding.candidates import search_predictions
from pipeline.decoding.hypotheses import SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.export.compare import OnnxModel
from pipeline.export.onnx_file import write_graph
from pipeline.inference.line_predictions import LinePrediction, LinePredictor, load_predictor
from pipeline.inference.posteriors import compute_posteriors
from pipeline.metrics.error_rates import character_error_rate
from pipeline.models.recognizer import Recognizer
from pipeline.settings.base import read_section
from pipeline.settings.lines import LinesSettings

TUNED = SearchSettings(width=8, candidates=12, lm_weight=0.7, length_bonus=0.5, prior_weight=0.35)
"""The middle of what `params.yaml` tries, with a narrow beam."""
CHARACTERS = Path("data/characters.h5")


def ours(folder: Path, lines: Lines, checkpoint: Path, lm: LanguageModelCache) -> Iterator[Contestant]:
    """This project's ways, with a model and the language model that the others have."""
    predictor = load_predictor(checkpoint)
    recognizer, images = predictor.recognizer, cut_images(lines)
    precision = "bf16" if predictor.compute.bf16 else "fp32"
    torch_version = torch.__version__.partition("+")[0]
    yield Contestant(READING, f"ours, PyTorch {torch_version}, {precision}", timed(lambda: _texts(predictor, images)))
    alone = timed(lambda: [text for image in images for text in _texts(predictor, [image])])
    yield Contestant(READING, f"ours, PyTorch {torch_version}, {precision}, one by one", alone)
    write_graph(folder / "model.onnx", recognizer)
    onnx = LinePredictor(recognizer, _onnx_decoder(folder / "model.onnx", recognizer), FP32)
    name = f"ours, onnxruntime {version('onnxruntime')}, fp32"
    yield Contestant(READING, name, timed(lambda: _texts(onnx, images)))
    picture = folder / "first" / "page.png"
    command = [sys.executable, "-m", "pipeline", "predict", "--model", str(checkpoint), str(picture)]
    yield Contestant(COLD_START, "ours, `predict`", timed(lambda: _printed(command)))
    posteriors = compute_posteriors(recognizer, lines, batch_size=32, compute=FP32)

    def search(settings: SearchSettings, lm: LanguageModelCache | None) -> Callable[[], tuple[float, list[str]]]:
        return timed(lambda: list(search_predictions(posteriors, settings, lm)))

    yield Contestant(WITH_LM, f"ours, width {SEARCH.width}", search(SEARCH, lm))
    yield Contestant(WITH_LM, f"ours, width {TUNED.width}, with prior and length bonus", search(TUNED, lm))
    yield Contestant(WITHOUT_LM, f"ours, width {SEARCH.width}", search(SEARCH, None))
    texts = _texts(predictor, images)
    (folder / "texts.json").write_text(json.dumps({"truths": lines.texts, "predictions": texts}))
    yield Contestant(RATES, "ours", timed(lambda: [str(character_error_rate(texts, lines.texts))]))


def synthesis(texts: Sequence[str], data_set: str) -> Contestant:
    """Write the texts as the lines of a data set of `params.yaml` are written."""
    renderer = LineRenderer(read_characters(CHARACTERS, "test"), read_section(LinesSettings, "lines", data_set))
    rng = np.random.default_rng(0)

    def write() -> list[str]:
        renderer.render(texts, rng)
        return []

    return Contestant(SYNTHESIS, "ours", timed(write))


def _printed(command: Sequence[str]) -> list[str]:
    return subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=True).stdout.splitlines()


def _texts(predictor: LinePredictor, images: Sequence[np.ndarray]) -> list[str]:
    return [prediction.text for prediction in predictor.predict(images)]


def _onnx_decoder(path: Path, recognizer: Recognizer) -> Callable[[Tensor, Sequence[int]], list[LinePrediction]]:
    model = OnnxModel(path)

    def decode(images: Tensor, widths: Sequence[int]) -> list[LinePrediction]:
        logits, lengths = model.logits(images, widths)
        texts = recognizer.objective.texts(recognizer.objective.decode(logits, lengths))
        return [LinePrediction(text, [1.0] * len(text), range(len(text))) for text in texts]

    return decode
