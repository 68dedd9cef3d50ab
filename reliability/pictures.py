"""Read test lines as the pictures that people have: every rendering must be read as well as the plain one."""

import csv
from pathlib import Path

import numpy as np

from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.data.storage.line_store import read_lines
from pipeline.inference import pictures
from pipeline.inference.batches import load_recognizer, predict_images
from pipeline.metrics.error_rates import text_error_rates
from pipeline.models.recognizer import Recognizer
from reliability.renderings import RENDERINGS
from reliability.results import Row

COUNT = 24
"""Test lines."""
MARGIN = 0.01
"""How much higher the CER of a rendering may be than that of the plain one."""
TABLE = "pictures.csv"


def measure(checkpoint: Path, lines: Path, output: Path, count: int = COUNT) -> list[Row]:
    """Read `count` test lines in each rendering; write the table of CERs, beside those that it was begun with."""
    stored, recognizer = read_lines(lines, "test"), load_recognizer(checkpoint)
    images = [np.asarray(stored.images[i, :, : stored.widths[i]]) for i in range(count)]
    rates = {}
    for name, render in RENDERINGS.items():
        texts = [_read(recognizer, render(image), name) for image in images]
        rates[name] = text_error_rates(texts, stored.texts[:count])["cer"]
    plain = next(iter(rates.values()))
    before = _earlier(output / TABLE)
    table = [["picture", "plain", "before", "now"]]
    table += [[name, f"{plain:.4f}", before.get(name, f"{cer:.4f}"), f"{cer:.4f}"] for name, cer in rates.items()]
    write_text(output / TABLE, "".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in table))
    return [
        Row(f"pictures: {name}", count, int(cer > plain + MARGIN), f"CER {100 * cer:.1f} %")
        for name, cer in rates.items()
    ]


def _read(recognizer: Recognizer, content: bytes, name: str) -> str:
    try:
        return predict_images(recognizer, [pictures.read_picture(content, name, recognizer.model.height)])[0]
    except InputError:
        return ""


def _earlier(path: Path) -> dict[str, str]:
    """The CERs of the column `before`."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["picture"]: row["before"] for row in csv.DictReader(file)}
