import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pipeline.kernels.blank_background import WORTH, ink_widths, parts_by_ink
from tests.tiny import noise_images


def test_ink_ends_with_the_last_pixel_that_is_not_paper() -> None:
    images = torch.zeros(4, 1, 28, 9)
    images[1, 0, 27, 8] = 0.01
    images[2, 0, 0, 4] = 1
    images[3, 0, 5, 0] = 0.5
    assert ink_widths(images).tolist() == [0, 9, 5, 1]


@given(widths=st.lists(st.integers(1, 60), min_size=1, max_size=12), size=st.integers(1, 5))
def test_parts_are_the_lines_cut_and_in_another_order(widths: list[int], size: int) -> None:
    images = noise_images([60, *widths])
    parts, places = parts_by_ink(images, size)
    whole = torch.cat([nn.functional.pad(part, (0, 60 - part.shape[-1])) for part in parts])
    assert torch.equal(whole[places], images)
    computed = sum(len(part) * part.shape[-1] for part in parts)
    assert len(parts) == 1 or computed <= WORTH * len(images) * 60
    assert len(parts) == 1 or max(len(part) for part in parts) <= size
    assert [part.shape[-1] for part in parts] == sorted(part.shape[-1] for part in parts)


@pytest.mark.parametrize(("widths", "cut_to"), [([10, 60, 20, 60], [20, 60]), ([59, 60, 60, 58], [60])])
def test_lines_of_like_width_stay_together(widths: list[int], cut_to: list[int]) -> None:
    parts, _ = parts_by_ink(noise_images(widths), 2)
    assert [part.shape[-1] for part in parts] == cut_to


def test_blank_lines_have_a_pixel() -> None:
    images = torch.zeros(3, 1, 28, 50)
    images[2, ..., 30] = 1
    parts, places = parts_by_ink(images, 2)
    assert [part.shape for part in parts] == [(2, 1, 28, 1), (1, 1, 28, 31)]
    assert places.tolist() == [0, 1, 2]
