import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.data.loading.augmentation import CHANGES, ERASED_SIDES, Augmentation, change_stroke, erase, warp
from pipeline.settings.augmentation import AugmentationSettings
from tests.tiny import tiny_characters

NO_OFFSETS = torch.zeros(1, 2, 4, 4)
SOME = {
    "line": {"slant": 0.2, "size": 0.1},
    "character": {"rotation": 5.0, "baseline": 1.0, "spacing": 1.0, "stroke": 0.3},
    "warp": 0.5,
}
AMOUNTS = {
    "slant": 0.3,
    "rotation": 20.0,
    "size": 0.3,
    "baseline": 4.0,
    "spacing": 4.0,
    "stroke": 0.5,
    "aspect": 0.4,
}


def dot(x: int, y: int) -> Tensor:
    """One pixel of full ink, x from the left and y from the top."""
    ink = torch.zeros(1, 1, 28, 28)
    ink[0, 0, y, x] = 255
    return ink


def moved(ink: Tensor, offsets: Tensor = NO_OFFSETS, **amounts: float) -> Tensor:
    return warp(ink, {change: torch.tensor([amounts.get(change, 0.0)]) for change in CHANGES}, offsets)


def middle_of(ink: Tensor) -> tuple[float, float]:
    """Centre of mass, x and y in pixels."""
    plane = ink[0, 0].double() / ink.double().sum()
    places = torch.arange(28.0).double()
    return float(plane.sum(0) @ places), float(plane.sum(1) @ places)


def augment(settings: dict[str, object], seed: int = 0, lines: list[int] | None = None) -> NDArray[np.uint8]:
    images = tiny_characters().images[:6]
    line_numbers = np.array(lines or [0, 0, 0, 1, 1, 1])
    augmentation = Augmentation(AugmentationSettings.model_validate(settings))
    return augmentation.augment_characters(images, line_numbers, np.random.default_rng(seed))


def test_without_settings_characters_stay_as_they_are() -> None:
    ink = torch.rand(1, 1, 28, 28) * 255
    torch.testing.assert_close(moved(ink), ink, rtol=0, atol=1e-3)
    assert np.array_equal(augment({}), tiny_characters().images[:6])


@pytest.mark.parametrize(
    ("amounts", "place"),
    [
        ({"spacing": 3.0}, (13, 7)),  # to the right
        ({"baseline": 2.0}, (10, 5)),  # up
        ({"slant": 1.0}, (10 + 6.5, 7)),  # 6.5 pixels above the middle, so 6.5 to the right
        ({"slant": 0.4}, (10 + 2.6, 7)),
        ({"rotation": 90.0}, (7, 27 - 10)),  # against the clock: from above the middle to its left
        ({"rotation": -90.0}, (20, 10)),
    ],
)
def test_a_dot_goes_where_it_should(amounts: dict[str, float], place: tuple[float, float]) -> None:
    assert middle_of(moved(dot(10, 7), **amounts)) == pytest.approx(place, abs=1e-3)


def test_size_scales_about_the_middle() -> None:
    square = torch.zeros(1, 1, 28, 28)
    square[..., 9:19, 9:19] = 255
    larger, smaller = moved(square, size=0.3), moved(square, size=-0.3)
    assert middle_of(larger) == pytest.approx((13.5, 13.5), abs=1e-3)
    # A share of e^0.3 on either side.
    assert float(larger.sum() / square.sum()) == pytest.approx(np.exp(0.6), rel=0.05)
    assert float(smaller.sum() / square.sum()) == pytest.approx(np.exp(-0.6), rel=0.05)


def test_aspect_widens_and_flattens() -> None:
    square = torch.zeros(1, 1, 28, 28)
    square[..., 9:19, 9:19] = 255
    wider = moved(square, aspect=0.4)
    assert middle_of(wider) == pytest.approx((13.5, 13.5), abs=1e-3)
    # By e^0.2 one way and as much less the other, so that the area stays.
    assert float(wider.sum() / square.sum()) == pytest.approx(1, rel=0.02)
    assert float(wider[0, 0, 14].sum() / square[0, 0, 14].sum()) == pytest.approx(np.exp(0.2), rel=0.05)
    assert float(wider[0, 0, :, 14].sum() / square[0, 0, :, 14].sum()) == pytest.approx(np.exp(-0.2), rel=0.05)


def test_without_aspect_the_other_random_numbers_are_the_same() -> None:
    rng = np.random.default_rng(3)
    images = tiny_characters().images[:6]
    augmented = Augmentation(AugmentationSettings.model_validate(SOME)).augment_characters(
        images, np.array([0, 0, 0, 1, 1, 1]), rng
    )
    assert augmented.any()
    again = np.random.default_rng(3)
    for size in ((2, 6), (6, 6), (6, 2, 4, 4)):  # of two lines, of six characters, and what offsets at them
        again.standard_normal(size, np.float32)
    assert rng.random() == again.random()


def test_bicubic_interpolation_keeps_strokes_sharp() -> None:
    stroke = torch.zeros(1, 1, 28, 28)
    stroke[..., 4:24, 13:15] = 255
    still = {change: torch.zeros(1) for change in CHANGES}
    torch.testing.assert_close(warp(stroke, still, NO_OFFSETS, "bicubic"), stroke, rtol=0, atol=1e-3)
    between = still | {"spacing": torch.tensor([0.5])}  # half a pixel to the right: where bilinear blurs the most
    blurred, sharp = (
        warp(stroke, between, NO_OFFSETS, kind)[0, 0, 14].clamp(0, 255) for kind in ("bilinear", "bicubic")
    )
    assert blurred[13:16].tolist() == pytest.approx([127.5, 255, 127.5], abs=0.1)
    # Both halves are as dark, but nothing is left of them a pixel further, where a wider filter undershoots.
    assert sharp[14] == 255
    assert sharp[12] == sharp[16] == 0
    settings = {"character": {"rotation": 10.0}, "warp": 0.5}
    steps = [
        np.abs(np.diff(augment({**settings, "interpolation": kind}).astype(float), axis=2)).mean()
        for kind in ("bilinear", "bicubic")
    ]
    assert steps[1] > 1.01 * steps[0]


def test_rectangles_are_erased_from_a_fraction_of_the_characters() -> None:
    full = np.full((4000, 28, 28), 200, np.uint8)
    left = erase(full, 0.25, np.random.default_rng(0))
    assert set(np.unique(left)) == {0, 200}
    assert (full == 200).all()
    gone = left == 0
    touched = gone.any((1, 2))
    assert touched.mean() == pytest.approx(0.25, abs=0.02)
    heights, widths = gone.any(2).sum(1)[touched], gone.any(1).sum(1)[touched]
    assert (gone.sum((1, 2))[touched] == heights * widths).all()  # one rectangle each, nothing beside it
    for sides in (heights, widths):
        assert (sides.min(), sides.max()) == ERASED_SIDES
    # Anywhere, also in the outermost rows and columns.
    assert gone.any((0, 1)).all()
    assert gone.any((0, 2)).all()
    assert not (erase(full[:9], 0.0, np.random.default_rng(0)) == 0).any()
    assert erase(full[:9], 1.0, np.random.default_rng(0)).min((1, 2)).tolist() == [0] * 9


def test_equal_offsets_move_everything_alike() -> None:
    offsets = NO_OFFSETS.clone()
    offsets[:, 0] = -2.0  # ink comes from 2 pixels to the left
    assert middle_of(moved(dot(10, 7), offsets)) == pytest.approx((12, 7), abs=1e-3)


def test_an_offset_moves_what_is_near() -> None:
    offsets = NO_OFFSETS.clone()
    offsets[0, 0, 0, 0] = -2.0
    assert middle_of(moved(dot(2, 0), offsets))[0] > 3
    assert middle_of(moved(dot(25, 25), offsets)) == pytest.approx((25, 25), abs=0.05)


def test_ink_that_leaves_the_cell_is_gone() -> None:
    assert float(moved(dot(26, 7), spacing=3.0).sum()) == 0


def test_strokes_by_hand() -> None:
    ink = torch.zeros(1, 1, 28, 28)
    ink[..., 10:13, 10:13] = 200
    wide = change_stroke(ink, torch.tensor([0.5]))
    expected = torch.zeros(28, 28)
    expected[9:14, 9:14] = 100
    expected[10:13, 10:13] = 200
    assert torch.equal(wide[0, 0], expected)
    narrow = change_stroke(ink, torch.tensor([-0.25]))
    expected = torch.zeros(28, 28)
    expected[10:13, 10:13] = 150
    expected[11, 11] = 200
    assert torch.equal(narrow[0, 0], expected)
    assert torch.equal(change_stroke(ink, torch.tensor([9.0])), change_stroke(ink, torch.tensor([1.0])))
    assert torch.equal(change_stroke(ink, torch.tensor([0.0])), ink)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_lines_characters_share_what_is_drawn_for_the_line(kind: str) -> None:
    # The same character three times in one line, and once in another.
    images = np.repeat(tiny_characters().images[:1], 4, axis=0)
    lines = np.array([0, 0, 0, 1])
    amount = AMOUNTS[kind]
    for level, alike in (("line", True), ("character", False)):
        augmentation = Augmentation(AugmentationSettings.model_validate({level: {kind: amount}}))
        augmented = augmentation.augment_characters(images, lines, np.random.default_rng(0))
        assert np.array_equal(augmented[0], augmented[1]) is alike
        assert not np.array_equal(augmented[0], augmented[3])
        assert not np.array_equal(augmented[0], images[0])


def test_the_generator_decides() -> None:
    assert np.array_equal(augment(SOME), augment(SOME))
    assert not np.array_equal(augment(SOME), augment(SOME, seed=1))


def test_amounts_are_standard_deviations() -> None:
    images = np.repeat(dot(14, 14)[0].byte().numpy(), 4000, axis=0)
    augmentation = Augmentation(
        AugmentationSettings.model_validate({"character": {"spacing": 1.5}, "line": {"baseline": 2.0}})
    )
    augmented = torch.from_numpy(
        augmentation.augment_characters(images, np.arange(4000), np.random.default_rng(0))
    ).double()
    ink = augmented.sum((1, 2))
    places = torch.arange(28.0).double()
    x, y = augmented.sum(1) @ places / ink, augmented.sum(2) @ places / ink
    assert float(x.std()) == pytest.approx(1.5, rel=0.05)
    assert float(y.std()) == pytest.approx(2.0, rel=0.05)
    assert (float(x.mean()), float(y.mean())) == pytest.approx((14, 14), abs=0.15)


def test_no_characters_are_no_characters() -> None:
    augmentation = Augmentation(AugmentationSettings.model_validate(SOME))
    none = augmentation.augment_characters(
        np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64), np.random.default_rng(0)
    )
    assert none.shape == (0, 28, 28)


def test_brightness_takes_ink_from_whole_lines() -> None:
    lines = np.full((200, 28, 5), 200, np.uint8)
    lines[:, :, 0] = 0
    augmented = Augmentation(AugmentationSettings(brightness=0.5)).augment_lines(lines, np.random.default_rng(0))
    assert (augmented[:, :, 0] == 0).all()
    assert (augmented[:, :1, 1:] == augmented[:, :, 1:]).all()
    left = augmented[:, 0, 1] / 200
    assert 0.5 <= left.min() < 0.55
    assert 0.95 < left.max() <= 1


def test_noise_stays_within_a_pixels_range() -> None:
    lines = np.full((20, 28, 50), 128, np.uint8)
    augmented = (
        Augmentation(AugmentationSettings(noise=10)).augment_lines(lines, np.random.default_rng(0)).astype(float)
    )
    assert augmented.std() == pytest.approx(10, rel=0.02)
    edges = Augmentation(AugmentationSettings(noise=60)).augment_lines(lines % 2 * 255, np.random.default_rng(0))
    assert edges.dtype == np.uint8
    assert (edges == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_without_either_a_line_stays_as_it_is() -> None:
    lines = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert Augmentation(AugmentationSettings()).augment_lines(lines, np.random.default_rng(0)) is lines
