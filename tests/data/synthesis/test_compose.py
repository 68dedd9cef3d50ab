import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.data.synthesis import compose
from pipeline.data.synthesis.compose import compose_lines

GLYPHS = np.random.default_rng(0).integers(256, size=(5, 28, 28), dtype=np.uint8)


def place_slowly(glyphs: NDArray[np.uint8], chosen: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """One character after the other, in integers that hold every sum."""
    lines, positions = chosen.shape
    canvas = np.zeros((lines, 28, 28 * positions), dtype=np.int64)
    for image, numbers, edges in zip(canvas, chosen.tolist(), starts.tolist(), strict=True):
        for number, edge in zip(numbers, edges, strict=True):
            if number >= 0:
                image[:, edge : edge + 28] += glyphs[number]
    return np.minimum(canvas, 255).astype(np.uint8)


def draw(
    lines: int, positions: int, overlaps: tuple[float, float], seed: int, per_line: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    overlap = rng.uniform(*overlaps, size=(lines, 1 if per_line else positions - 1))
    advances = np.broadcast_to(28 - (28 * overlap).astype(np.int64), (lines, positions - 1))
    starts = np.concatenate((np.zeros((lines, 1), np.int64), np.cumsum(advances, axis=1)), axis=1)
    return rng.integers(-1, len(GLYPHS), size=(lines, positions)), starts


@given(
    st.integers(0, 9),
    st.sampled_from([1, 2, 3, 16, 32, 34]),
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)).map(lambda pair: (min(pair), max(pair))),
    st.booleans(),
    st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_as_laid_one_by_one(
    lines: int, positions: int, overlaps: tuple[float, float], per_line: bool, seed: int
) -> None:
    chosen, starts = draw(lines, positions, overlaps, seed, per_line)
    placed = compose_lines(GLYPHS, chosen, starts)
    assert placed.dtype == np.uint8
    assert placed.shape == (lines, 28, 28 * positions)
    np.testing.assert_array_equal(placed, place_slowly(GLYPHS, chosen, starts))


@pytest.mark.parametrize("overlap", [0.0, 0.02, 0.33, 0.49, 0.5, 0.51, 0.67, 0.75, 0.9, 0.99])
def test_as_many_layers_as_overlap(overlap: float) -> None:
    chosen, starts = draw(4, 32, (overlap, overlap), 1)
    np.testing.assert_array_equal(compose_lines(GLYPHS, chosen, starts), place_slowly(GLYPHS, chosen, starts))


@pytest.mark.parametrize("block", [1, 2, 7, 100])
def test_lines_laid_together_do_not_mix(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, starts = draw(7, 16, (0.0, 0.7), 2)
    expected = place_slowly(GLYPHS, chosen, starts)
    monkeypatch.setattr(compose, "BLOCK", block)
    np.testing.assert_array_equal(compose_lines(GLYPHS, chosen, starts), expected)


def test_memory_that_held_something_else_is_blank_again() -> None:
    lines = compose.BLOCK + 1
    nothing = np.full((lines, 3), -1)
    starts = np.tile([0, 28, 56], (lines, 1))
    for _ in range(3):  # each time likely the memory of the time before
        assert compose_lines(GLYPHS, nothing + 1, starts).any()
        assert not compose_lines(GLYPHS, nothing, starts).any()


def test_every_position_reaches_its_edge() -> None:
    full = np.full((1, 28, 28), 7, np.uint8)
    assert (compose_lines(full, np.zeros((2, 4), np.int64), np.tile([0, 28, 56, 84], (2, 1))) == 7).all()


def test_sums_saturate_and_images_stay_as_they_were() -> None:
    glyphs = np.repeat(np.array([100, 255], np.uint8), 28 * 28).reshape(2, 28, 28)
    before = glyphs.copy()
    starts = np.array([[0, 7, 14, 21, 28]])
    (line,) = compose_lines(glyphs, np.array([[0, 0, 0, -1, 1]]), starts)
    assert line[13].tolist() == [100] * 7 + [200] * 7 + [255] * 14 + [255] * 28 + [0] * 84
    np.testing.assert_array_equal(glyphs, before)


def test_images_in_any_layout() -> None:
    chosen, starts = draw(3, 5, (0.0, 0.5), 3)
    np.testing.assert_array_equal(
        compose_lines(GLYPHS.transpose(0, 2, 1), chosen, starts),
        place_slowly(GLYPHS.transpose(0, 2, 1), chosen, starts),
    )
