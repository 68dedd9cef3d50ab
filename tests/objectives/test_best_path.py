import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.models.registry import build_model
from pipeline.objectives.best_path import best_path
from tests.tiny import tiny_model


@st.composite
def lines(draw: st.DrawFn) -> tuple[Tensor, list[int]]:
    """Logits (B, C, S) with many equal values, in either layout, and the lines' lengths."""
    count, classes, steps = draw(st.integers(0, 4)), draw(st.integers(1, 19)), draw(st.integers(1, 9))
    seed = draw(st.integers(0, 2**32 - 1))
    logits = torch.randint(-2, 3, (count, steps, classes), generator=torch.Generator().manual_seed(seed)).float()
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
    kept = logits.to(dtype).transpose(1, 2)
    lengths = draw(st.lists(st.integers(0, steps), min_size=count, max_size=count))
    return draw(st.sampled_from([kept, kept.contiguous()])), lengths


@given(lines())
def test_each_step_has_the_first_of_its_best_classes(case: tuple[Tensor, list[int]]) -> None:
    logits, lengths = case
    path = best_path(logits, lengths)
    assert path.dtype == torch.int64
    assert path.shape == (len(logits), logits.shape[2])
    for row, line, length in zip(path.tolist(), logits, lengths, strict=True):
        columns = [line[:, step].tolist() for step in range(length)]
        assert row[:length] == [column.index(max(column)) for column in columns]


def test_best_classes_by_hand() -> None:
    logits = torch.tensor([[[0.0, 2.0, -1.0], [1.0, 2.0, -3.0], [0.5, 1.0, -0.5]]])
    assert best_path(logits, [3]).tolist() == [[1, 0, 2]]
    assert best_path(logits.requires_grad_(), [2])[:, :2].tolist() == [[1, 0]]


def test_values_that_float32_cannot_tell_apart_are_told_apart() -> None:
    logits = torch.tensor([[[1.0], [1.0 + 2.0**-50]]], dtype=torch.float64)
    assert best_path(logits, [1]).tolist() == [[1]]


@pytest.mark.parametrize("name", ["line_cnn_simple", "line_cnn", "line_cnn_lstm"])
def test_models_leave_the_classes_of_a_step_side_by_side(name: str) -> None:
    model = build_model(tiny_model(name, window_width=28, window_stride=20)).eval()
    with torch.inference_mode():
        logits = model(torch.zeros(2, 1, 28, 300), [5, 14])
    assert logits.stride(1) == 1
