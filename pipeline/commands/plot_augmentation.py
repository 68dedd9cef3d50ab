"""Draw training characters before and after augmentation.

python -m pipeline plot_augmentation resnet_lookalikes_ctc_variable data/characters.h5 build/augmentation.png

The augmentation is that of the experiment's streaming lines, `training.endless.variety` in params.yaml.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.common import vocabulary
from pipeline.common.errors import InputError
from pipeline.data.loading.augmentation import Augmentation
from pipeline.data.storage.characters import Characters, read_characters
from pipeline.plots.save import save_figure
from pipeline.settings.augmentation import AugmentationSettings
from pipeline.settings.experiment import read_experiment

SHOWN = "aegkRSty"
"""The characters, one row each."""
COPIES = 12
"""Augmented images of each character."""


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `main`."""
    parser.add_argument("experiment", help="a key of the section `experiments` of params.yaml")
    parser.add_argument("characters", type=Path, help="output of the stage `download`")
    parser.add_argument("output", type=Path, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of images and of their augmentation")


def main(experiment: str, characters: Path, output: Path, seed: int) -> None:
    """Draw some training characters as the experiment's trainings see them.

    Raises:
        InputError: the experiment has no augmentation.
    """
    streaming = read_experiment(experiment)[1].endless
    if streaming is None or streaming.variety == AugmentationSettings():
        raise InputError(
            f"experiments.{experiment}.training.endless.variety: not set; name an experiment that has some"
        )
    rng = np.random.default_rng(seed)
    draw_rows(output, augment_characters(read_characters(characters, "train"), streaming.variety, SHOWN, COPIES, rng))
    print(f"plot_augmentation: see {output}")
