"""Draw training characters or lines before and after augmentation.

    python -m pipeline plot_augmentation resnet_lookalikes_ctc_variable data/characters.h5 build/augmentation.png
    python -m pipeline plot_augmentation letters_from_others data/lines/letters.h5 build/augmentation.png

The augmentation of characters is that of an experiment's streaming lines, `training.endless.variety` in params.yaml;
that of lines is `training.augmentation`.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from pipeline.common import vocabulary
from pipeline.common.errors import InputError
from pipeline.common.files import atomic_path
from pipeline.data.loading.augmentation import Augmentation
from pipeline.data.loading.batches import LineDataset
from pipeline.data.loading.line_augmentation import LineAugmentation
from pipeline.data.storage.characters import Characters, read_characters
from pipeline.data.storage.line_store import read_lines
from pipeline.data.storage.lines import Lines
from pipeline.plots.save import save_figure
from pipeline.settings.augmentation import AugmentationSettings, LineAugmentationSettings
from pipeline.settings.experiment import read_experiment

SHOWN = "aegkRSty"
"""The characters, one row each."""
COPIES = 12
"""Augmented images of each character."""
SHOWN_LINES, LINE_COPIES = 4, 2
"""Lines, and augmented images of each."""


def augment_characters(
    characters: Characters, settings: AugmentationSettings, shown: str, copies: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """An image of each character and its augmented copies: uint8 (characters, 1 + copies, 28, 28), ink is bright.

    Raises:
        InputError: a character has no image.
    """
    rows = []
    for character in shown:
        images = characters.images[characters.labels == vocabulary.EMNIST_CHARACTERS.index(character)]
        if not len(images):
            raise InputError(f"the characters have no image of {character!r}")
        rows.append(images[rng.integers(len(images))])
    plain = np.stack(rows)
    repeated = np.repeat(plain, copies, axis=0)
    augmented = Augmentation(settings).augment_characters(repeated, np.arange(len(repeated)), rng)
    return np.concatenate((plain[:, None], augmented.reshape(len(shown), copies, *plain.shape[1:])), axis=1)


def draw_rows(path: Path, rows: NDArray[np.uint8]) -> None:
    """Write a PNG, dark on white, with the original characters in a wider column on the left."""
    count, columns = rows.shape[:2]
    figure = Figure(figsize=(0.55 * (columns + 1), 0.55 * count), dpi=110, layout="constrained")
    axes = figure.subplots(count, columns, squeeze=False, width_ratios=[1.4] + [1] * (columns - 1))
    for axis, image in zip(axes.ravel(), rows.reshape(-1, *rows.shape[2:]), strict=True):
        axis.imshow(255 - image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.axis("off")
    save_figure(figure, path)


def augment_lines(
    lines: Lines, settings: LineAugmentationSettings, count: int, rng: np.random.Generator
) -> list[NDArray[np.uint8]]:
    """Some lines (H, W), each before its two augmented copies, which are wider or narrower."""
    chosen = rng.choice(len(lines), min(count, len(lines)), replace=False)
    seed = int(rng.integers(2**31))
    shown = []
    for line in chosen:
        shown.append(lines.images[line][:, : lines.widths[line]])
        for copy in range(LINE_COPIES):
            dataset = LineDataset(lines, LineAugmentation(settings), (seed, copy))
            shown.append(dataset.__getitems__([int(line)]).images[0].numpy())
    return shown


def draw_lines(path: Path, shown: list[NDArray[np.uint8]]) -> None:
    """Write a PNG of lines (H, W) below each other, dark on white, with a gap after the copies of each."""
    height, width = shown[0].shape[0], max(image.shape[1] for image in shown)
    rows = []
    for number, image in enumerate(shown, start=1):
        rows.append(np.pad(image, ((0, 0), (0, width - image.shape[1]))))
        rows.append(np.zeros((height if number % (1 + LINE_COPIES) == 0 else 2, width), np.uint8))
    with atomic_path(path) as partial:
        Image.fromarray(255 - np.concatenate(rows)).save(partial, format="PNG")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("experiment", help="a key of the section `experiments` of params.yaml")
    parser.add_argument("data", type=Path, help="data/characters.h5, or the experiment's lines")
    parser.add_argument("output", type=Path, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of images and of their augmentation")


def main(experiment: str, data: Path, output: Path, seed: int) -> None:
    """Draw some training characters or lines as the experiment's trainings see them.

    Raises:
        InputError: the experiment has no augmentation.
    """
    training, rng = read_experiment(experiment)[1], np.random.default_rng(seed)
    if training.endless and training.endless.variety != AugmentationSettings():
        variety = training.endless.variety
        draw_rows(output, augment_characters(read_characters(data, "train"), variety, SHOWN, COPIES, rng))
    elif training.augmentation:
        draw_lines(output, augment_lines(read_lines(data, "train"), training.augmentation, SHOWN_LINES, rng))
    else:
        raise InputError(
            f"experiments.{experiment}.training: has neither augmentation nor endless.variety; "
            "name an experiment that has one"
        )
    print(f"plot_augmentation: see {output}")
