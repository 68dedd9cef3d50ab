import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from pipeline.data.loading.batches import LineDataset
from pipeline.data.loading.line_augmentation import (
    NEIGHBOUR_ROWS,
    Geometry,
    LineAugmentation,
    add_neighbours,
    erase_strips,
    move,
    rule,
)
from pipeline.settings.augmentation import LineAugmentationSettings
from tests.tiny import tiny_lines

HEIGHT, WIDTH = 16, 40
ALL = {
    "slant": 0.3,
    "rotation": 2.0,
    "stretch": 0.2,
    "size": 0.1,
    "shift": 0.05,
    "warp": 0.05,
    "stroke": 0.5,
    "blur": 0.5,
    "contrast": 0.3,
    "fade": 0.3,
    "noise": 0.1,
    "neighbours": 0.5,
    "ruled": 1.0,
    "erased": 1.0,
}


def dot(x: int, y: int) -> Tensor:
    """One pixel of full ink, x from the left and y from the top."""
    ink = torch.zeros(1, 1, HEIGHT, WIDTH)
    ink[0, 0, y, x] = 1
    return ink


def middle(ink: Tensor) -> tuple[float, float]:
    """Centre of mass, x and y in pixels."""
    plane = ink[0, 0] / ink.sum()
    x = float(plane.sum(0) @ torch.arange(plane.shape[1]).float())
    return x, float(plane.sum(1) @ torch.arange(plane.shape[0]).float())


def moved(ink: Tensor, new_width: int = WIDTH, warp: Tensor | None = None, **amounts: float) -> Tensor:
    neutral = {"slant": 0.0, "rotation": 0.0, "stretch": 1.0, "size": 1.0, "shift": 0.0}
    geometry = Geometry(**{name: torch.tensor([amounts.get(name, value)]) for name, value in neutral.items()})
    return move(ink, torch.tensor([WIDTH]), torch.tensor([new_width]), geometry, warp)


def augment(settings: dict[str, float], seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = np.random.default_rng(1).integers(0, 255, (3, HEIGHT, WIDTH)).astype(np.uint8)
    widths = np.array([WIDTH, 30, 21])
    for image, width in zip(images, widths, strict=True):
        image[:, width:] = 0
    augmentation = LineAugmentation(LineAugmentationSettings.model_validate(settings))
    return augmentation.augment(images, widths, images[::-1].copy(), np.random.default_rng(seed))


def test_without_settings_lines_stay_as_they_are() -> None:
    images, widths = augment({})
    plain = np.random.default_rng(1).integers(0, 255, (3, HEIGHT, WIDTH)).astype(np.uint8)
    assert widths.tolist() == [WIDTH, 30, 21]
    for image, expected, width in zip(images, plain, widths, strict=True):
        assert np.array_equal(image[:, :width], expected[:, :width])
        assert not image[:, width:].any()


@pytest.mark.parametrize(
    ("amounts", "start", "end"),
    [
        ({"shift": 3.0}, (12, 5), (12, 8)),
        # 2.5 rows above the middle (7.5) move to the right by as many pixels times 0.4.
        ({"slant": 0.4}, (12, 5), (13, 5)),
        ({"slant": 0.4}, (12, 10), (11, 10)),
        # A quarter turn of a point 7 right of the middle (19.5): clockwise, it comes to 7 below it.
        ({"rotation": np.pi / 2}, (26, 7), (20, 14)),
        ({"size": 2.0}, (12, 6), (12, 4.5)),
    ],
)
def test_ink_moves_as_its_unit_says(
    amounts: dict[str, float], start: tuple[int, int], end: tuple[float, float]
) -> None:
    assert middle(moved(dot(*start), **amounts)) == pytest.approx(end, abs=0.01)


def test_a_stretched_line_is_wider_and_its_ink_further_right() -> None:
    stretched = moved(dot(30, 8), new_width=80, stretch=2.0)
    assert stretched.shape[-1] == 80
    assert middle(stretched)[0] == pytest.approx(2 * (30 - 19.5) + 39.5, abs=0.01)


def test_a_warp_moves_where_ink_comes_from() -> None:
    offsets = torch.zeros(1, 2, 4, 8)
    offsets[:, 0], offsets[:, 1] = 3, -2
    assert middle(moved(dot(20, 8), warp=offsets)) == pytest.approx((17, 10), abs=0.01)


def test_neighbours_reach_into_the_edges_alone() -> None:
    rng = np.random.default_rng(0)
    ink, others = torch.zeros(50, 1, HEIGHT, 5), torch.rand(50, 1, HEIGHT, 5)
    others[:, :, 0] = others[:, :, -1] = 1
    added = add_neighbours(ink, others, 1.0, rng)
    most = round(HEIGHT * NEIGHBOUR_ROWS)
    rows = (added[:, 0] > 0).any(-1)
    assert not rows[:, most : HEIGHT - most].any()
    assert rows.sum(1).min() >= 2
    # The last row of the line above is just over the first row that it does not reach.
    above = rows[:, : HEIGHT // 2].sum(1)
    assert all(added[line, 0, count - 1, 0] == 1 for line, count in enumerate(above))
    assert not ink.any()


def test_ruled_paper_has_straight_lines() -> None:
    ink = rule(40, 48, 60, 1.0, np.random.default_rng(0))[:, 0]
    for page in ink:
        assert len(page.unique()) == 2  # paper, and one ink
        assert (page > 0).all(1).any()
    squared = (ink > 0).all(1).any(1)
    assert 10 < squared.sum() < 30
    assert not rule(5, 48, 60, 0.0, np.random.default_rng(0)).any()


def test_strips_are_erased_from_top_to_bottom_within_the_line() -> None:
    ink = torch.ones(30, 1, 30, 100)
    erase_strips(ink, np.full(30, 100), 1.0, np.random.default_rng(0))
    gone = ink[:, 0] == 0
    assert torch.equal(gone.all(1), gone.any(1))
    assert gone.any(1).any(1).all()
    assert int(gone[:, 0].sum(1).max()) <= 4 * 10


@given(st.integers(0, 10_000))
def test_the_result_has_the_widths_that_it_says(seed: int) -> None:
    images, widths = augment(ALL, seed)
    assert images.dtype == np.uint8
    assert images.shape == (3, HEIGHT, widths.max())
    assert all(not image[:, width:].any() for image, width in zip(images, widths, strict=True))


@pytest.mark.parametrize("change", list(ALL))
def test_each_setting_changes_lines(change: str) -> None:
    changed, widths = augment({change: ALL[change]})
    plain, plain_widths = augment({})
    assert widths.tolist() != plain_widths.tolist() or not np.array_equal(changed, plain)


def test_seeds_and_lines_decide_the_changes() -> None:
    lines = tiny_lines(["AB", "CA", "BCA"])
    augmentation = LineAugmentation(LineAugmentationSettings(noise=0.1))

    def batch(seeds: tuple[int, ...]) -> Tensor:
        return LineDataset(lines, augmentation, seeds).__getitems__([2, 0]).images

    assert torch.equal(batch((1, 0)), batch((1, 0)))
    assert not torch.equal(batch((1, 0)), batch((1, 1)))
    assert torch.equal(LineDataset(lines).__getitems__([0]).images, LineDataset(lines).__getitems__([0]).images)
