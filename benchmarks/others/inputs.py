"""The lines that all read, and the files that other projects read them from."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.others import arpa
from pipeline.common.paths import LANGUAGE_MODEL
from pipeline.common.vocabulary import FIRST
from pipeline.data.storage.lines import Lines
from pipeline.decoding.hypotheses import SearchSettings
from pipeline.decoding.language_model.cache import LanguageModelCache
from pipeline.decoding.language_model.store import read_language_model
from pipeline.inference.posteriors import compute_posteriors
from pipeline.models.recognizer import Recognizer
from pipeline.runtime.hardware import ComputeConfig

SEARCH = SearchSettings(width=32, candidates=12, lm_weight=0.7)
PAGE_MARGIN = 4
FP32 = ComputeConfig("cpu", bf16=False)


def take(lines: Lines, count: int) -> Lines:
    """The first lines."""
    chosen = np.arange(min(count, len(lines)))
    return replace(
        lines,
        images=lines.images[chosen],
        texts=lines.texts[:count],
        widths=lines.widths[chosen],
        starts=lines.starts[chosen],
        image_numbers=lines.image_numbers[chosen],
        groups=lines.groups[:count],
        pages=lines.pages[:count],
    )


def cut_images(lines: Lines) -> list[np.ndarray]:
    """The line images (H, W) without padding."""
    return [np.asarray(lines.images[i, :, :width]) for i, width in enumerate(lines.widths.tolist())]


def prepare(folder: Path, lines: Lines, recognizer: Recognizer, options: dict[str, Any]) -> LanguageModelCache:
    """Write what the others read; return the language model that they have."""
    write_page(folder, lines)
    posteriors = compute_posteriors(recognizer, lines, batch_size=32, compute=FP32)
    steps = posteriors.log_probabilities.transpose(1, 2).clamp(min=-1e4).contiguous()
    steps[:, :, 1:FIRST] = -1e4  # special tokens are never written
    np.savez(folder / "steps.npz", steps=steps.numpy(), lengths=posteriors.lengths)
    vocabulary = recognizer.objective.vocabulary
    lm = arpa.shorten(read_language_model(LANGUAGE_MODEL, vocabulary), arpa.MAX_ORDER)
    arpa.write_arpa(folder / "lm.arpa", lm)
    tokens = [f"t{index}" for index in range(FIRST)] + [arpa.word(symbol) for symbol in range(lm.symbols.count)]
    options |= {"characters": vocabulary.characters, "first": FIRST, "tokens": tokens, "search": vars(SEARCH)}
    options |= {"texts": lines.texts, "font": str(find_font())}
    first = folder / "first"
    first.mkdir()
    write_page(first, take(lines, 1))
    for place in (folder, first):
        (place / "options.json").write_text(json.dumps(options))
    return LanguageModelCache(lm)


def write_page(folder: Path, lines: Lines) -> None:
    """A picture with the lines below each other, and their boxes (left, top, right, bottom) in pixels."""
    images = cut_images(lines)
    height, width = images[0].shape[0] + PAGE_MARGIN, max(image.shape[1] for image in images)
    page = np.zeros((height * len(images), width), np.uint8)
    boxes = []
    for number, image in enumerate(images):
        top = number * height + PAGE_MARGIN // 2
        page[top : top + image.shape[0], : image.shape[1]] = image
        boxes.append((0, top, image.shape[1], top + image.shape[0]))
    Image.fromarray(255 - page).save(folder / "page.png")
    (folder / "boxes.json").write_text(json.dumps(boxes))


def find_font() -> Path:
    """A font file that Matplotlib brings."""
    from matplotlib.font_manager import findfont

    return Path(findfont("DejaVu Sans"))
