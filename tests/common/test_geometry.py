import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.geometry import CELL, Windows, advance, densest_width, round_up

CNN = {"margin": 16, "downsampling": 8}
windows_of_any_model = st.one_of(
    st.builds(Windows, st.integers(4, 100), st.integers(1, 100)),
    st.builds(lambda width, stride: Windows(8 * width, 8 * stride, **CNN), st.integers(1, 20), st.integers(1, 20)),
)


@pytest.mark.parametrize(
    ("windows", "image_width", "steps"),
    [
        (Windows(28, 28), 896, 32),  # the lecture's aligned line
        (Windows(28, 20), 896, 44),  # the lecture's shape error: 44 for 32
        (Windows(28, 20), 448, 22),  # 16 characters
        (Windows(28, 28), 952, 34),  # 34 characters
        (Windows(28, 18), 896, 49),
        (Windows(28, 28), 28, 1),
        (Windows(28, 28), 55, 1),
        (Windows(28, 28), 56, 2),
        (Windows(28, 28), 27, 0),
        (Windows(28, 1), 5, 0),
        (Windows(28, 1), 30, 3),
        (Windows(24, 16, **CNN), 896, 55),  # LineCNN 28 / 20, which it rounds down to 24 / 16
        (Windows(16, 8, **CNN), 896, 111),  # LineCNN's defaults
        (Windows(16, 8, **CNN), 895, 111),  # 895 is rounded up to 896
        (Windows(16, 8, **CNN), 888, 110),
        (Windows(16, 8, **CNN), 8, 0),
        (Windows(16, 8, **CNN), 9, 1),
    ],
)
def test_steps_are_those_of_the_lecture(windows: Windows, image_width: int, steps: int) -> None:
    assert windows.steps(image_width) == steps


@given(windows_of_any_model, st.integers(0, 1000))
def test_steps_are_the_windows_that_fit(windows: Windows, image_width: int) -> None:
    padded = image_width
    while padded % windows.downsampling:
        padded += 1
    fitting = sum(left + windows.width <= padded for left in range(0, padded + 1, windows.stride))
    assert windows.steps(image_width) == fitting


@given(windows_of_any_model, st.integers(1, 200))
def test_width_for_is_the_least_width_with_these_steps(windows: Windows, steps: int) -> None:
    width = windows.width_for(steps)
    assert windows.steps(width) >= steps
    # The last of these steps ends, with its margin, just at the edge.
    assert (steps - 1) * windows.stride + windows.width + windows.margin == width
    assert windows.steps(width - windows.margin) == steps
    assert windows.steps(width - windows.margin - windows.downsampling) == steps - 1


@pytest.mark.parametrize(
    ("windows", "line_width", "steps"),
    [
        (Windows(28, 28), 896, 32),
        (Windows(28, 20), 896, 45),  # windows begin at 0, 20, ..., 880
        (Windows(28, 20), 880, 44),
        (Windows(28, 20), 881, 45),
        (Windows(28, 20), 1, 1),
        (Windows(28, 20), 21, 2),
        (Windows(24, 16, **CNN), 28, 2),
    ],
)
def test_a_line_has_the_steps_that_begin_on_it(windows: Windows, line_width: int, steps: int) -> None:
    assert windows.line_steps(line_width) == steps


@given(windows_of_any_model, st.integers(1, 1000))
def test_steps_of_a_line_begin_on_it_by_definition(windows: Windows, line_width: int) -> None:
    assert windows.line_steps(line_width) == len(range(0, line_width, windows.stride))


@given(windows_of_any_model, st.integers(1, 1000))
def test_no_step_but_the_first_blank_one_touches_the_line(windows: Windows, line_width: int) -> None:
    first = windows.first_blank_step(line_width)
    for step, blank in ((first, True), (first + 1, True), (first - 1, False)):
        left = step * windows.stride
        assert (left - windows.left_margin >= line_width) == blank


def test_the_left_margin_is_wider_by_the_downsampling() -> None:
    assert Windows(24, 16, **CNN).left_margin == 23
    assert Windows(28, 28).left_margin == 0


@pytest.mark.parametrize(
    ("overlap", "pixels"),
    [
        (0.0, 28),
        (0.03, 28),  # 0.84 of a pixel is none
        (0.036, 27),
        (0.25, 21),  # exactly 7
        (0.33, 19),  # 9.24 is 9
        (0.35, 19),  # 9.8 is 9, not 10
        (0.5, 14),
        (0.9, 3),
    ],
)
def test_overlap_is_cut_to_whole_pixels(overlap: float, pixels: int) -> None:
    assert advance(overlap) == pixels


@pytest.mark.parametrize(
    ("characters", "overlap", "width"), [(1, 0.9, 28), (2, 0.25, 49), (30, 0.33, 579), (32, 0, 896)]
)
def test_densest_line(characters: int, overlap: float, width: int) -> None:
    assert densest_width(characters, overlap) == width


def test_a_cell_is_28_pixels() -> None:
    assert CELL == 28


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_round_up_gives_the_next_multiple(pixels: int, multiple: int) -> None:
    assert next(p for p in range(pixels, pixels + multiple) if p % multiple == 0) == round_up(pixels, multiple)
