import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.common.vocabulary import EMNIST_CHARACTERS
from pipeline.data.sources import rasterize as module
from pipeline.data.sources.emnist import read_archive
from pipeline.data.sources.glyphs import draw_glyphs
from pipeline.data.sources.strokes import MAX_SEGMENT, load_strokes
from pipeline.data.storage.characters import Characters

PER_CLASS = 30
REAL = Path(__file__).parents[3] / "../shared/data/emnist/emnist-byclass-resplit.zip"
ALIKE = {"O": "0", "o": "0", "l": "1", "I": "1"} | {c: c.lower() for c in "CKPSUVWXYZ"}
"""Characters that only their size or nothing tells apart."""


@pytest.fixture(scope="module")
def glyphs() -> Characters:
    return draw_glyphs(PER_CLASS, np.random.default_rng(0))


@pytest.fixture(scope="module")
def others() -> Characters:
    return draw_glyphs(PER_CLASS, np.random.default_rng(1))


def test_every_class_has_its_number_of_images_in_order(glyphs: Characters) -> None:
    assert glyphs.images.shape == (62 * PER_CLASS, 28, 28)
    assert (glyphs.images.dtype, glyphs.labels.dtype) == (np.uint8, np.uint8)
    assert glyphs.labels.tolist() == [label for label in range(62) for _ in range(PER_CLASS)]


def test_same_seed_same_images_and_other_seed_other_images(glyphs: Characters, others: Characters) -> None:
    again = draw_glyphs(PER_CLASS, np.random.default_rng(0))
    np.testing.assert_array_equal(again.images, glyphs.images)
    assert len(np.unique(np.concatenate([glyphs.images, others.images]), axis=0)) == 2 * len(glyphs)


@pytest.mark.parametrize("chunk", [1, 7])
def test_chunks_do_not_change_images(glyphs: Characters, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    np.testing.assert_array_equal(draw_glyphs(PER_CLASS, np.random.default_rng(0)).images, glyphs.images)


def test_one_image_per_class_and_an_advancing_generator() -> None:
    rng = np.random.default_rng(0)
    first, second = draw_glyphs(1, rng), draw_glyphs(1, rng)
    assert len(first) == 62
    assert not np.array_equal(first.images, second.images)


def test_ink_is_dark_and_inside_an_empty_border(glyphs: Characters) -> None:
    images = glyphs.images
    assert (images.max(axis=(1, 2)) >= 200).all()
    border = np.ones((28, 28), dtype=bool)
    border[1:-1, 1:-1] = False
    assert not images[:, border].any()
    rows, columns = extent(images, axis=2), extent(images, axis=1)
    longer = np.maximum(rows[1] - rows[0], columns[1] - columns[0]) + 1
    assert longer.min() >= 19
    assert longer.max() <= 26
    for low, high in (rows, columns):  # as far from one side as from the other
        assert np.abs(low + high - 27).max() <= 1


def test_ink_is_about_as_much_as_emnist_has(glyphs: Characters) -> None:
    # EMNIST ByClass: mean 44, a fifth of the pixels above 64, soft edges beside a dark core.
    images = glyphs.images
    assert 35 < images.mean() < 55
    assert 0.15 < (images > 64).mean() < 0.28
    inked = images[images > 0]
    assert (inked > 224).mean() > 0.25
    assert (inked < 128).mean() > 0.3


def extent(images: NDArray[np.uint8], axis: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last row (`axis` 2) or column (1) of each image that has ink."""
    inked = (images > 0).any(axis=axis)
    return inked.argmax(axis=1), 27 - inked[:, ::-1].argmax(axis=1)


def accuracy(train: Characters, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """Share of images whose class, or one that looks alike, has the nearest mean image."""
    means = np.stack([train.images[train.labels == label].mean(axis=0).ravel() for label in range(62)])
    flat = images.reshape(len(images), -1).astype(np.float64)
    nearest = ((means**2).sum(axis=1) - 2 * flat @ means.T).argmin(axis=1)
    alike = np.array([EMNIST_CHARACTERS.index(ALIKE.get(c, c)) for c in EMNIST_CHARACTERS])
    return float((alike[nearest] == alike[labels]).mean())


def test_classes_can_be_told_apart_by_another_draw(glyphs: Characters, others: Characters) -> None:
    assert accuracy(glyphs, others.images, others.labels) > 0.55
    assert accuracy(glyphs, others.images, np.roll(others.labels, 7 * PER_CLASS)) < 0.1


@pytest.mark.parametrize(
    "change",
    [lambda i: i[:, :, ::-1], lambda i: i[:, ::-1], lambda i: i.transpose(0, 2, 1)],
    ids=["left to right", "upside down", "transposed"],
)
def test_turned_images_are_not_recognized(
    glyphs: Characters, others: Characters, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    upright = accuracy(glyphs, others.images, others.labels)
    assert accuracy(glyphs, change(others.images), others.labels) < 0.6 * upright


@pytest.mark.parametrize(
    ("name", "heavier", "lighter"),
    [
        ("L", np.s_[14:], np.s_[:14]),
        ("J", np.s_[18:, :13], np.s_[:10, :13]),
        ("T", np.s_[:14], np.s_[14:]),
        ("7", np.s_[:10], np.s_[18:]),
        ("b", np.s_[14:], np.s_[:14]),
        ("h", np.s_[14:, 14:], np.s_[:14, 14:]),
        ("d", np.s_[14:], np.s_[:14]),
        ("F", np.s_[:14], np.s_[14:]),
        ("P", np.s_[:14], np.s_[14:]),
        ("E", np.s_[:, :14], np.s_[:, 14:]),
    ],
)
def test_characters_are_upright(
    glyphs: Characters, name: str, heavier: tuple[slice, ...], lighter: tuple[slice, ...]
) -> None:
    mean = glyphs.images[glyphs.labels == EMNIST_CHARACTERS.index(name)].mean(axis=0)
    assert mean[heavier].sum() > 1.1 * mean[lighter].sum()


@pytest.mark.skipif(not REAL.is_file(), reason="the archive of real characters is not beside the repository")
def test_every_class_looks_as_in_emnist(glyphs: Characters) -> None:
    real = read_archive(REAL)[1]
    assert accuracy(glyphs, real.images, real.labels) > 0.25
    for label, name in enumerate(EMNIST_CHARACTERS):
        drawn, written = (each.images[each.labels == label].mean(axis=0) for each in (glyphs, real))
        upright, mirrored, upside_down = (
            np.corrcoef(image.ravel(), written.ravel())[0, 1] for image in (drawn, drawn[:, ::-1], drawn[::-1])
        )
        assert upright > max(0.5, mirrored, upside_down), name


def test_strokes_are_short_segments_that_no_lifted_pen_joins() -> None:
    ways = load_strokes()
    assert len(ways) == 62
    assert {len(way) for way in ways} == {2, 3}
    for strokes in (strokes for way in ways for strokes in way):
        steps = np.linalg.norm(np.diff(strokes.points, axis=0), axis=1)[strokes.segment_starts]
        assert steps.max() <= MAX_SEGMENT + 1e-5
        assert (strokes.stroke[strokes.segment_starts] == strokes.stroke[strokes.segment_starts + 1]).all()
        assert len(strokes.segment_starts) == len(strokes.points) - len(np.unique(strokes.stroke))


def test_fonts_load_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    load_strokes.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_strokes()
    assert capfd.readouterr() == ("", "")
