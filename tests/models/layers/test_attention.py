import math

import pytest
import torch

from pipeline.models.layers.attention import add_positional_encoding, key_padding_mask, sinusoids


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
    torch.testing.assert_close(add_positional_encoding(features) - features, sinusoids(4, 6).double().expand(2, 4, 6))


def test_steps_past_a_line_are_masked() -> None:
    features = torch.zeros(3, 4, 2)
    mask = key_padding_mask([1, 4, 3], features)
    assert mask is not None
    assert mask.tolist() == [[False, True, True, True], [False] * 4, [False, False, False, True]]


@pytest.mark.parametrize("lengths", [None, [4, 4, 4], [4, 5, 6]])
def test_without_such_steps_there_is_no_mask(lengths: list[int] | None) -> None:
    assert key_padding_mask(lengths, torch.zeros(3, 4, 2)) is None
