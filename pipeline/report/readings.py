"""A picture of lines with what they say and what was read."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.files import atomic_path

matplotlib.use("agg")
WRONG, RIGHT = "#b3261e", "#1b6e3c"


def draw_readings(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    texts: Sequence[str],
    readings: Sequence[Sequence[tuple[str, str]]],
) -> None:
    """Write a PNG: each line's image (28, W), below it its text, and its readings as (name, reading).

    A reading is red where it differs from the text.
    """
    rows = 1.0 + 0.32 * (1 + max((len(r) for r in readings), default=0))
    figure = Figure(figsize=(8, 0.55 * rows * max(len(texts), 1)), dpi=110, layout="constrained")
    axes = figure.subplots(len(texts), 1, squeeze=False)[:, 0]
    for axis, image, text, lines in zip(axes, images, texts, readings, strict=True):
        axis.imshow(255 - image, cmap="gray", vmin=0, vmax=255, aspect="equal", interpolation="nearest")
        axis.set_xlim(0, max(image.shape[1] for image in images))
        axis.axis("off")
        for number, (name, reading) in enumerate([("text", text), *lines]):
            colour = "black" if number == 0 else RIGHT if reading == text else WRONG
            axis.text(
                0,
                32 + 11 * number,
                f"{name:<24}{reading}",
                color=colour,
                family="monospace",
                size=8,
                va="top",
                parse_math=False,
            )
    with atomic_path(path) as partial:
        figure.savefig(partial, metadata={"Software": None})
