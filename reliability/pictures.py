"""Read test lines as the pictures that people have: every rendering must be read as well as the plain one."""

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.files import write_text
from pipeline.common.progress import progress_bar
from pipeline.data.pictures.opening import open_grey
from pipeline.data.storage.line_store import read_lines
from pipeline.inference.line_predictions import LinePredictor, load_predictor
from pipeline.inference.pictures import find_lines
from pipeline.metrics.error_rates import text_error_rates
from reliability.renderings import RENDERINGS
from reliability.results import Row

COUNT = 96
"""Test lines."""
MARGIN = 0.01
"""How much higher the CER of a rendering may be than that of the plain one."""
TABLE = "pictures.csv"


def measure(checkpoint: Path, lines: Path, output: Path, count: int = COUNT) -> list[Row]:
    """Read `count` test lines in each rendering; write the table of CERs, beside those that it was begun with."""
    stored, predictor = read_lines(lines, "test"), load_predictor(checkpoint)
    images = [np.asarray(stored.images[i, :, : stored.widths[i]]) for i in range(count)]
    rates = {}
    for name, render in progress_bar(RENDERINGS.items(), desc="pictures", unit="rendering"):
        texts = _read(predictor, [render(image) for image in images])
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


def _read(predictor: LinePredictor, pictures: Sequence[bytes]) -> list[str]:
    """The texts of pictures; nothing for one that is refused or taken for several lines."""
    height = predictor.recognizer.model.height
    found: dict[int, NDArray[np.uint8]] = {}
    for number, picture in enumerate(pictures):
        with suppress(InputError):
            lines = find_lines(open_grey(picture, "picture"), "picture", height)
            if len(lines) == 1:
                found[number] = lines[0].pixels
    texts = dict(zip(found, (line.text for line in predictor.predict(list(found.values()))), strict=True))
    return [texts.get(number, "") for number in range(len(pictures))]


def _earlier(path: Path) -> dict[str, str]:
    """The CERs of the column `before`."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["picture"]: row["before"] for row in csv.DictReader(file)}
