import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.common.geometry import Windows
from pipeline.kernels import blank_background as module
from pipeline.kernels.blank_background import WORTH_SPLITTING, extend, ink_widths, split_by_width
from tests.tiny import noise_images

WINDOWS = Windows(8, 8, margin=4, downsampling=4)


class Features(nn.Module):
    """Steps of `WINDOWS`: each sees its 8 pixels and 4 beside them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 5, (28, 16), 8, padding=(0, 4)).double()
        self.widths: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.widths.append(images.shape[-1])
        features: Tensor = self.conv(images).relu()
        return features.squeeze(2)


@pytest.mark.parametrize("steps", [1, 5, 30])
@pytest.mark.parametrize("part_size", [1, 2, 16])
def test_features_are_those_of_images_padded_with_background(
    steps: int, part_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_SIZE", part_size)
    features, images = Features(), noise_images([90, 8, 33, 64])
    plain = features(nn.functional.pad(images, (0, 400)))[..., :steps]
    features.widths.clear()
    torch.testing.assert_close(extend(features, images, WINDOWS, steps), plain, rtol=0, atol=1e-12)
    # The first step that sees only background, and not one more.
    assert max(features.widths) == WINDOWS.width_for(min(steps, WINDOWS.first_blank_step(90) + 1))


def test_ink_ends_with_the_last_column_that_is_not_background() -> None:
    images = torch.zeros(4, 1, 28, 9)
    images[1, 0, 27, 8] = 0.01
    images[2, 0, 0, 4] = 1
    images[3, 0, 5, 0] = 0.5
    assert ink_widths(images).tolist() == [0, 9, 5, 1]


@given(widths=st.lists(st.integers(1, 60), min_size=1, max_size=12), size=st.integers(1, 5))
def test_parts_are_the_lines_cut_and_in_another_order(widths: list[int], size: int) -> None:
    images = noise_images([60, *widths])
    parts, index = split_by_width(images, size)
    whole = torch.cat([nn.functional.pad(part, (0, 60 - part.shape[-1])) for part in parts])
    assert torch.equal(whole[index], images)
    computed = sum(len(part) * part.shape[-1] for part in parts)
    assert len(parts) == 1 or computed <= WORTH_SPLITTING * len(images) * 60
    assert len(parts) == 1 or max(len(part) for part in parts) <= size
    assert [part.shape[-1] for part in parts] == sorted(part.shape[-1] for part in parts)


@pytest.mark.parametrize(("widths", "cut_to"), [([10, 60, 20, 60], [20, 60]), ([59, 60, 60, 58], [60])])
def test_lines_of_similar_width_stay_together(widths: list[int], cut_to: list[int]) -> None:
    parts, _ = split_by_width(noise_images(widths), 2)
    assert [part.shape[-1] for part in parts] == cut_to


def test_blank_lines_have_a_pixel() -> None:
    images = torch.zeros(3, 1, 28, 50)
    images[2, ..., 30] = 1
    parts, index = split_by_width(images, 2)
    assert [part.shape for part in parts] == [(2, 1, 28, 1), (1, 1, 28, 31)]
    assert index.tolist() == [0, 1, 2]
