import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.report.analysis import bootstrap
from pipeline.report.analysis.bootstrap import Cells, Deviations, Estimate, Floats, estimate


def resample(cells: Cells, parts: Floats, seed: int = 0, resamples: int = 500) -> Floats:
    """The sums of one row of parts."""
    return cells.resample(parts[None], np.ones((1, len(cells.in_text))), np.random.default_rng(seed), resamples)[0][0]


def test_without_images_lines_are_drawn_with_replacement() -> None:
    lines = 7
    cells = Cells(["a"] * lines)
    counts, sizes = cells.resample(np.eye(lines), np.ones((1, lines)), np.random.default_rng(0), 500)
    assert counts.shape == (lines, 500)
    assert (counts == np.round(counts)).all()
    assert (counts.sum(0) == lines).all()
    assert (sizes == lines).all()
    assert counts.min() == 0
    # How often one of 7 lines is drawn in 7 draws: mean 1, variance 7 * (1/7) * (6/7).
    np.testing.assert_allclose(counts.mean(1), 1, atol=0.15)
    np.testing.assert_allclose(counts.var(1), 6 / 7, atol=0.2)


def test_a_cell_is_a_line_and_an_image() -> None:
    cells = Cells(["aba ", "a?"], np.array([[3, 9, 3, -1, -1], [5, -1, -1, -1, -1]], np.int32))
    assert cells.lines.tolist() == [0, 0, 0, 1, 1]
    assert cells.images.tolist() == [0, 1, 3, 0, 2]  # no image, 3, 5, 9
    assert cells.counts.tolist() == [1, 2, 1, 1, 1]
    assert cells.sum(np.arange(10.0).reshape(2, 5)).tolist() == [3, 0 + 2, 1, 6, 5]
    shown = dict(zip(["", "a", "a again", "b"], cells.kinds.tolist(), strict=True))
    assert shown["a"] == shown["a again"]
    assert len(set(shown.values())) == 3


def test_deviations_by_hand() -> None:
    # Two images of a with 1 error of 2 and 0 of 2, and a space with an error: 2 errors of 5 characters.
    cells = Cells(["aa ", "aa"], np.array([[3, 5, -1], [3, 5, -1]], np.int32))
    parts = cells.sum(np.array([[1.0, 0, 1], [0, 0, 0]]))
    found = cells.deviations(np.array([2.0, 0.0]), np.array([3.0, 2.0]), parts)
    np.testing.assert_allclose(found.lines, [2 - 3 * 0.4, 0 - 2 * 0.4])
    # The mean error of an a is 1/4. The space has nothing to be compared with.
    assert (cells.lines.tolist(), cells.images.tolist()) == ([0, 0, 0, 1, 1], [0, 1, 2, 1, 2])
    np.testing.assert_allclose(found.images, [0, 1 - 2 * 0.25, 0 - 2 * 0.25])
    np.testing.assert_allclose(found.cells, [0, 0.75, -0.25, -0.25, -0.25])
    same = found - found
    assert same.scale == 1
    assert not same.lines.any()


def test_deviations_of_lines_by_hand() -> None:
    # Lines are 0.5 above and below their mean; each image is compared by its lines, as often as they have it or not.
    cells = Cells(["aa", "a", "ab"], np.array([[3, 3], [5, -1], [5, 8]], np.int32))
    found = cells.deviations(np.array([1.0, 0, 0.5]), np.ones(3))
    np.testing.assert_allclose(found.lines, [0.5, -0.5, 0])
    # a: 0.5, -0.5 and 0 in three lines, 0 in the mean. b has one image.
    np.testing.assert_allclose(found.cells, [0.5, -0.5, 0, 0])
    np.testing.assert_allclose(found.images, [0.5, -0.5, 0])
    assert not found.weighted


def test_chance_in_an_image_of_a_line_counts_once() -> None:
    # The squares are 5, 5 and 1. Of three images each, variance counts 3/2 and the weights vary by 3/4.
    arrays = np.array([2.0, 1.0]), np.array([1.0, 2.0]), np.array([1.0]), np.array([3.0, 3.0])
    variance = 5 + 5 * 3 / 2 - 1
    assert Deviations(*arrays, weighted=True).scale == pytest.approx((variance / (5 + 5 * 3 / 4 + 1)) ** 0.5)
    assert Deviations(*arrays, weighted=False).scale == pytest.approx((variance / 5) ** 0.5)


def test_images_never_take_from_what_the_lines_say() -> None:
    arrays = np.array([2.0]), np.array([1.0]), np.array([1.5]), np.array([9.0])
    assert Deviations(*arrays, weighted=True).scale == pytest.approx((4 / (4 + 0.9 + 2.25)) ** 0.5)
    assert Deviations(*arrays, weighted=False).scale == 1
    assert Deviations(np.array([2.0]), np.zeros(1), np.zeros(1), np.ones(1), weighted=True).scale == 1


def test_weights_of_images_leave_the_number_of_each_character_alone() -> None:
    texts, numbers = ["aab", "ba ", "a"], np.array([[0, 1, 7], [8, 2, -1], [0, -1, -1]], np.int32)
    cells = Cells(texts, numbers)
    rng = np.random.default_rng(0)
    of_a, of_b, of_space = (cells.kinds[cells.images] == kind for kind in (1, 2, 0))
    parts = np.stack([np.where(of, cells.counts, 0) for of in (of_a, of_b, of_space)])
    wholes = np.array([[2.0, 1, 1], [1, 1, 0], [0, 1, 0]])
    np.testing.assert_allclose(*cells.resample(parts, wholes, rng, 50), atol=1e-9)


def test_rows_use_the_same_resamples() -> None:
    cells = Cells(["ab"] * 9, np.arange(18, dtype=np.int32).reshape(9, 2))
    values = np.random.default_rng(1).random(len(cells.lines))
    sums, _ = cells.resample(np.stack([values, 3 * values]), np.ones((2, 9)), np.random.default_rng(0), 50)
    np.testing.assert_allclose(sums[1], 3 * sums[0])
    assert np.ptp(sums[0]) > 0


def test_identical_lines_have_no_spread() -> None:
    assert (resample(Cells(["a"] * 9), np.full(9, 2.0)) == 18).all()
    assert (resample(Cells(["a"]), np.array([5.0])) == 5).all()


def test_the_draws_depend_only_on_the_generator() -> None:
    cells, values = Cells(["ab"] * 20, np.arange(40, dtype=np.int32).reshape(20, 2)), np.arange(40.0)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first, again, other = (resample(cells, values, seed, 10) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("resamples", [1, 99, 100, 101, 250])
def test_any_number_of_resamples_can_be_drawn(resamples: int) -> None:
    assert bootstrap.CHUNK == 100
    sums = resample(Cells(["a"] * 5), np.ones(5), resamples=resamples)
    assert sums.tolist() == [5.0] * resamples


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_interval_of_a_fraction_matches_the_normal_distribution(share: float) -> None:
    lines = 1000
    wrong = np.arange(lines) < share * lines
    found = estimate(share, resample(Cells(["a"] * lines), wrong.astype(float), resamples=2000) / lines)
    half = 1.96 * (share * (1 - share) / lines) ** 0.5
    assert found.low == pytest.approx(share - half, abs=0.12 * half)
    assert found.high == pytest.approx(share + half, abs=0.12 * half)


def test_an_interval_contains_the_central_resamples() -> None:
    samples = np.random.default_rng(0).permutation(1001).astype(float)
    found = estimate(7.0, samples)
    assert (found.value, found.low, found.high) == (7.0, pytest.approx(25), pytest.approx(975))
    drawn_together = estimate(500.0, samples, 0.5)
    assert (drawn_together.low, drawn_together.high) == (pytest.approx(262.5), pytest.approx(737.5))


@pytest.mark.parametrize(
    ("low", "high", "excluded"), [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0, 1, False)]
)
def test_an_interval_with_zero_in_it_says_nothing(low: float, high: float, excluded: bool) -> None:
    assert Estimate(0.0, low, high).excludes_zero is excluded


LINES, LENGTH, KINDS, IMAGES = 150, 12, "abcdef", 25


def draw_test_set(rng: np.random.Generator) -> tuple[list[str], NDArray[np.int32], Floats]:
    """Texts, image numbers and errors: lines, images and kinds of characters are hard or easy, and a part is noise."""
    kinds = rng.choice(len(KINDS), p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05], size=(LINES, LENGTH))
    image_of_kind = rng.integers(IMAGES, size=(LINES, len(KINDS)))
    numbers = np.take_along_axis(image_of_kind, kinds, axis=1) + IMAGES * kinds
    hard_images = rng.random(IMAGES * len(KINDS)) < 0.15
    hard_lines = rng.random((LINES, 1)) < 0.1
    rates = 0.03 + 0.04 * kinds / len(KINDS) + 0.35 * hard_images[numbers] + 0.1 * hard_lines
    errors = (rng.random(kinds.shape) < rates).astype(float)
    return ["".join(KINDS[kind] for kind in row) for row in kinds], numbers.astype(np.int32), errors


TRUTH = 0.03 + 0.04 * (0.25 + 2 * 0.2 + 3 * 0.1 + 4 * 0.1 + 5 * 0.05) / len(KINDS) + 0.35 * 0.15 + 0.1 * 0.1


def test_intervals_hold_for_other_images_in_95_of_100_test_sets() -> None:
    rng, sets = np.random.default_rng(0), 200
    holds: dict[str, list[bool]] = {"scaled": [], "as they are": [], "lines alone": [], "difference": []}
    wrong_lines: list[Estimate] = []
    for _ in range(sets):
        texts, numbers, errors = draw_test_set(rng)
        # Another model, which makes three of four of the same errors, and some of its own.
        other = np.where(rng.random(errors.shape) < 0.75, errors, rng.random(errors.shape) < 0.02)
        cells, alone, sizes = Cells(texts, numbers), Cells(texts), np.full(LINES, float(LENGTH))
        parts = [cells.sum(one) for one in (errors, other)]
        first, second = np.divide(*cells.resample(np.stack(parts), np.stack([sizes, sizes]), rng, 200))
        by_line = np.divide(*alone.resample(alone.sum(errors)[None], sizes[None], rng, 200))[0]
        one, two = (cells.deviations(of.sum(1), sizes, at) for of, at in zip((errors, other), parts, strict=True))
        wrong = (errors.sum(1) > 0).astype(float)
        wrong_deviations = cells.deviations(wrong, np.ones(LINES))
        lines_drawn = alone.resample(alone.sum(errors)[None], wrong[None], rng, 200)[1][0] / LINES
        found = {
            "scaled": estimate(errors.mean(), first, one.scale),
            "as they are": estimate(errors.mean(), first),
            "lines alone": estimate(errors.mean(), by_line),
            "difference": estimate(errors.mean() - other.mean(), first - second, (one - two).scale),
        }
        wrong_lines.append(estimate(wrong.mean(), lines_drawn, wrong_deviations.scale))
        for name, interval in found.items():
            truth = 0.25 * (TRUTH - 0.02) if name == "difference" else TRUTH
            holds[name].append(interval.low <= truth <= interval.high)
    shares = {name: np.mean(one) for name, one in holds.items()}
    # A share of 0.95 of 200 sets has a standard error of 0.015.
    assert 0.905 < shares["scaled"] < 0.985, shares
    assert 0.905 < shares["difference"] < 0.985, shares
    wrong_share = np.mean([one.value for one in wrong_lines])
    holds_for_lines = np.mean([one.low <= wrong_share <= one.high for one in wrong_lines])
    assert 0.87 < holds_for_lines < 0.985, holds_for_lines  # two lines often have several images in common here
    assert shares["as they are"] > shares["scaled"], shares
    assert shares["lines alone"] < 0.87, shares


def test_lines_of_a_group_are_drawn_together() -> None:
    texts, groups = ["ab"] * 6, ["a", "a", "a", "b", "b", "c"]
    cells = Cells(texts, groups=groups)
    of_lines = np.eye(6)
    _, drawn = cells.resample(np.zeros((0, len(cells.lines))), of_lines, np.random.default_rng(0), resamples=200)
    assert np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn[0], drawn[2])
    assert np.array_equal(drawn[3], drawn[4])
    assert np.array_equal(drawn[0] + drawn[3] + drawn[5], np.full(200, 3))  # three groups are drawn


def test_the_deviations_of_a_group_add_up() -> None:
    amounts, wholes = np.array([1.0, 2, 0, 0]), np.ones(4)
    deviations = Cells(["a"] * 4, groups=["x", "x", "y", "z"]).deviations(amounts, wholes)
    assert deviations.lines.tolist() == [0.25 + 1.25, -0.75, -0.75]
