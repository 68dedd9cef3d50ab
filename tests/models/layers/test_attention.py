import math

import pytest
import torch

from pipeline.models.layers.attention import key_padding_mask, placed, sinusoids


def test_positions_are_sines_and_cosines() -> None:
    made = sinusoids(4, 6)
    assert made.shape == (4, 6)
    for step in range(4):
        for pair in range(3):
            angle = step / 10_000 ** (2 * pair / 6)
            assert made[step, 2 * pair : 2 * pair + 2].tolist() == pytest.approx([math.sin(angle), math.cos(angle)])
    assert torch.equal(sinusoids(4, 5), sinusoids(4, 5)[:, :5])


def test_positions_are_added_to_each_line() -> None:
    features = torch.rand(2, 4, 6).double()
    torch.testing.assert_close(placed(features) - features, sinusoids(4, 6).double().expand(2, 4, 6))


def test_steps_beyond_a_line() -> None:
    features = torch.zeros(3, 4, 2)
    found = key_padding_mask([1, 4, 3], features)
    assert found is not None
    assert found.tolist() == [[False, True, True, True], [False] * 4, [False, False, False, True]]


@pytest.mark.parametrize("lengths", [None, [4, 4, 4], [4, 5, 6]])
def test_where_no_step_is_beyond_nothing_is_masked(lengths: list[int] | None) -> None:
    assert key_padding_mask(lengths, torch.zeros(3, 4, 2)) is None
