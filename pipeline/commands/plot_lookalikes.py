"""Draw which parts of a line the look-alike attention compares.

    python -m pipeline plot_lookalikes models/<experiment>/seed_42.ckpt data/lines/variable.h5 build/lookalikes.png

It looks at letters at the beginning of a word, whose case is the hardest to tell, in test lines that the model reads
without error. For each of several letters, it draws the occurrence with the largest attention weight.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.progress import progress_bar
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.decoding.forced_alignment import align_steps, window_centers
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.line_resnet_lookalikes import LineResNetLookalikes
from pipeline.models.recognizer import Recognizer, to_pixels
from pipeline.plots.save import save_figure

SHOWN = 6
FRAME = 11
"""Pixels on either side of a letter's column."""
LETTER_COLOUR, WEIGHT_COLOUR = "#c2410c", "#1f5fa8"


@dataclass(frozen=True)
class AttendedLetter:
    """A letter of a line, and its attention weights."""

    image: NDArray[np.uint8]
    """(28, W), its line."""
    text: str
    position: int
    """Index of the letter in the text."""
    column: int
    """Position of the letter in the image, in pixels."""
    weights: NDArray[np.float32]
    """(S,), those of the head with the largest weight."""
    columns: list[int]
    """(S,), the middle of each step in pixels."""

    @property
    def strength(self) -> float:
        """The largest weight."""
        return float(self.weights.max())


@torch.inference_mode()
def attended_letters(recognizer: Recognizer, image: NDArray[np.uint8], text: str) -> Iterator[AttendedLetter]:
    """The letters at the beginning of words, if the model reads the image (28, W) as `text`; else nothing."""
    model = recognizer.model
    assert isinstance(model, LineResNetLookalikes)
    lengths = recognizer.objective.lengths(model.windows, [image.shape[1]])
    looks = model.line_resnet(to_pixels(torch.from_numpy(image[None].copy())), lengths)
    logits = model.head(looks, lengths)
    if recognizer.objective.texts(recognizer.objective.decode(logits, lengths)) != [text]:
        return
    weights = model.lookalikes.weights(looks, None)[0]
    (steps,) = align_steps(logits.log_softmax(1), lengths, [text], recognizer.objective.vocabulary)
    columns = window_centers(range(lengths[0]), model.windows)
    for position, step in enumerate(steps):
        if text[position].isalpha() and text[position - 1 : position] in ("", " "):
            head = int(weights[:, step].amax(1).argmax())
            yield AttendedLetter(image, text, position, columns[step], weights[head, step].numpy(), columns)


def strongest_letters(recognizer: Recognizer, lines: Lines) -> list[AttendedLetter]:
    """For each letter, in either case, the occurrence with the largest weight; the `SHOWN` strongest of these."""
    strongest: dict[str, AttendedLetter] = {}
    recognizer.model.eval()
    pairs = zip(lines.images, lines.texts, lines.widths.tolist(), strict=True)
    for image, text, width in progress_bar(pairs, total=len(lines), desc="comparing", unit="line"):
        for letter in attended_letters(recognizer, image[:, :width], text):
            name = text[letter.position].casefold()
            if name not in strongest or letter.strength > strongest[name].strength:
                strongest[name] = letter
    return sorted(strongest.values(), key=lambda letter: -letter.strength)[:SHOWN]


def draw_letters(path: Path, shown: list[AttendedLetter]) -> None:
    """Write a PNG: each line with its letter in a frame, and a bar for the weight of each step, the largest full."""
    figure = Figure(figsize=(8, 0.8 * len(shown)), dpi=110, layout="constrained")
    widest = max(letter.image.shape[1] for letter in shown)
    for axis, letter in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
        height, width = letter.image.shape
        stride = letter.columns[1] - letter.columns[0] if len(letter.columns) > 1 else width
        axis.imshow(255 - letter.image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        bars = -height * letter.weights / letter.strength
        axis.bar(letter.columns, bars, stride, bottom=height - 0.5, color=WEIGHT_COLOUR, alpha=0.5)
        axis.axvspan(letter.column - FRAME, letter.column + FRAME, fill=False, edgecolor=LETTER_COLOUR, linewidth=1.5)
        axis.set(xlim=(-0.5, widest), ylim=(height - 0.5, -0.5))
        axis.axis("off")
        title = f"{letter.text[letter.position]}  of  {letter.text}   {letter.strength:.0%} from one step"
        axis.set_title(title, loc="left", size=9, family="monospace", parse_math=False)
    save_figure(figure, path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("checkpoint", type=Path, help="a line_resnet_lookalikes, trained with ctc")
    parser.add_argument("lines", type=Path, help="data set of lines")
    parser.add_argument("output", type=Path, help="PNG to write")


def main(checkpoint: Path, lines: Path, output: Path) -> None:
    """Draw letters of the test lines and what the model compares them with.

    Raises:
        InputError: the model has no look-alike attention, or reads no line without error.
    """
    settings, recognizer = load_checkpoint(checkpoint)
    if not isinstance(recognizer.model, LineResNetLookalikes):
        raise InputError(
            f"{checkpoint}: a {settings.model.name}, which compares nothing; name a line_resnet_lookalikes"
        )
    shown = strongest_letters(recognizer, read_lines(lines, "test"))
    if not shown:
        raise InputError(f"{checkpoint}: reads none of the test lines of {lines} right; train it for longer")
    draw_letters(output, shown)
    print(f"plot_lookalikes: see {output}")
