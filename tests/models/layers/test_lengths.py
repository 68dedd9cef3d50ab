import pytest
import torch

from pipeline.models.layers.lengths import DeviceLengths, lengths_on, longest, some_are_shorter

CPU = torch.device("cpu")


def test_plain_numbers() -> None:
    assert longest([3, 5, 1]) == 5
    assert lengths_on([3, 5, 1], CPU).tolist() == [3, 5, 1]
    assert lengths_on([3, 5, 1], CPU).dtype == torch.int64


@pytest.mark.parametrize(("steps", "some"), [(3, False), (4, True)])
def test_plain_numbers_tell_whether_a_line_ends_early(steps: int, some: bool) -> None:
    assert some_are_shorter([3, 5], steps) == some


def test_a_graph_has_room_for_any_lengths() -> None:
    numbers = torch.tensor([7, 7])
    lengths = DeviceLengths(numbers, 9)
    assert longest(lengths) == 9
    assert lengths_on(lengths, CPU) is numbers
    assert some_are_shorter(lengths, 7)  # now none is, but in the next replay
