"""Which places of its line a letter is compared with, by a model that attends between look-alikes, as a picture.

    python -m pipeline plot_lookalikes models/<experiment>/seed_42.ckpt data/lines/variable.h5 build/lookalikes.png

Of the test lines that are read right it takes letters at the beginning of a word, whose case is the hardest to tell,
and shows for several letters the one that takes the most from elsewhere.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.common import vocabulary
from pipeline.common.errors import InputError
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.decoding.forced_alignment import align_steps, columns_of
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.line_resnet_lookalikes import LineResNetLookalikes
from pipeline.models.recognizer import Recognizer, to_pixels
from pipeline.plots.save import save_figure

SHOWN = 6
FRAME = 11
"""Pixels to the left and right of a letter's column."""
HERE, ELSEWHERE = "#c2410c", "#1f5fa8"


@dataclass(frozen=True)
class Compared:
    """A letter, and what it takes from where."""

    image: NDArray[np.uint8]
    """(28, W) of its line."""
    text: str
    place: int
    """Of the letter in the text."""
    column: int
    """Of the letter in the image, in pixels."""
    weights: NDArray[np.float32]
    """(S,) of the head that takes the most from one step."""
    columns: list[int]
    """(S,) the middle of each step, in pixels."""

    @property
    def strength(self) -> float:
        """The largest of the weights."""
        return float(self.weights.max())


@torch.inference_mode()
def compared_letters(recognizer: Recognizer, image: NDArray[np.uint8], text: str) -> Iterator[Compared]:
    """The letters at the beginning of words, if the image (28, W) is read as the text."""
    model = recognizer.model
    assert isinstance(model, LineResNetLookalikes)
    lengths = recognizer.objective.lengths(model.windows, [image.shape[1]])
    looks = model.line_resnet(to_pixels(torch.from_numpy(image[None].copy())), lengths)
    logits = model.read_on(looks, lengths)
    if vocabulary.decode_rows(recognizer.objective.decode(logits, lengths).numpy()) != [text]:
        return
    weights = model.lookalikes.weights(looks, None)[0]
    (steps,) = align_steps(logits.log_softmax(1), lengths, [text])
    columns = columns_of(range(lengths[0]), model.windows)
    for place, step in enumerate(steps):
        if text[place].isalpha() and text[place - 1 : place] in ("", " "):
            head = int(weights[:, step].amax(1).argmax())
            yield Compared(image, text, place, columns[step], weights[head, step].numpy(), columns)


def most_compared(recognizer: Recognizer, lines: Lines) -> list[Compared]:
    """For each letter, small or capital, the one that takes the most from one step elsewhere; `SHOWN` of these."""
    strongest: dict[str, Compared] = {}
    recognizer.model.eval()
    pairs = zip(lines.images, lines.texts, lines.widths.tolist(), strict=True)
    for image, text, width in tqdm(pairs, total=len(lines), desc="comparing", unit="line", disable=None):
        for found in compared_letters(recognizer, image[:, :width], text):
            letter = text[found.place].casefold()
            if letter not in strongest or found.strength > strongest[letter].strength:
                strongest[letter] = found
    return sorted(strongest.values(), key=lambda found: -found.strength)[:SHOWN]


def draw_compared(path: Path, shown: list[Compared]) -> None:
    """Write a PNG: each line, its letter framed, and bars of what that takes from which step, the largest full."""
    figure = Figure(figsize=(8, 0.8 * len(shown)), dpi=110, layout="constrained")
    widest = max(found.image.shape[1] for found in shown)
    for axis, found in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
        height, width = found.image.shape
        stride = found.columns[1] - found.columns[0] if len(found.columns) > 1 else width
        axis.imshow(255 - found.image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        bars = -height * found.weights / found.strength
        axis.bar(found.columns, bars, stride, bottom=height - 0.5, color=ELSEWHERE, alpha=0.5)
        axis.axvspan(found.column - FRAME, found.column + FRAME, fill=False, edgecolor=HERE, linewidth=1.5)
        axis.set(xlim=(-0.5, widest), ylim=(height - 0.5, -0.5))
        axis.axis("off")
        title = f"{found.text[found.place]}  of  {found.text}   {found.strength:.0%} from one step"
        axis.set_title(title, loc="left", size=9, family="monospace", parse_math=False)
    save_figure(figure, path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `pipeline.command_line`."""
    parser.add_argument("checkpoint", type=Path, help="of a line_resnet_lookalikes trained with ctc")
    parser.add_argument("lines", type=Path, help="data set of lines")
    parser.add_argument("output", type=Path, help="PNG to write")


def main(checkpoint: Path, lines: Path, output: Path) -> None:
    """Draw the test lines' look-alikes.

    Raises:
        InputError: the checkpoint's model has no look-alikes, or it reads no line right.
    """
    settings, recognizer = load_checkpoint(checkpoint)
    if not isinstance(recognizer.model, LineResNetLookalikes):
        raise InputError(
            f"{checkpoint}: a {settings.model.name}, which compares nothing; name a line_resnet_lookalikes"
        )
    shown = most_compared(recognizer, read_lines(lines, "test"))
    if not shown:
        raise InputError(f"{checkpoint}: reads none of the test lines of {lines} right; train it for longer")
    draw_compared(output, shown)
    print(f"lookalikes_picture: see {output}")
