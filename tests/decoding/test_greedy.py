import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.decoding.greedy import STEPS_AT_ONCE, STEPS_OF_A_THREAD, best_path
from pipeline.models.registry import build_model
from tests.tiny import tiny_model


@st.composite
def many_logits(draw: st.DrawFn) -> Tensor:
    """Logits (B, C, S) with many equal values, in either layout; few, or more than is searched or threaded at once."""
    steps = draw(st.integers(1, 3))
    fits = draw(st.sampled_from([STEPS_AT_ONCE, STEPS_OF_A_THREAD])) // steps
    count = draw(st.integers(0, 4) | st.sampled_from([fits, fits + 1, 3 * fits - 1]))
    classes = draw(st.integers(1, 19))
    seed = draw(st.integers(0, 2**32 - 1))
    logits = torch.randint(-2, 3, (count, steps, classes), generator=torch.Generator().manual_seed(seed)).float()
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
    kept = logits.to(dtype).transpose(1, 2)
    return draw(st.sampled_from([kept, kept.contiguous()]))


@given(many_logits())
def test_each_step_has_the_first_of_its_best_classes(logits: Tensor) -> None:
    path = best_path(logits)
    assert path.dtype == torch.int64
    assert path.shape == (len(logits), logits.shape[2])
    columns = [column for line in logits.transpose(1, 2).tolist() for column in line]
    assert path.flatten().tolist() == [column.index(max(column)) for column in columns]


@given(many_logits(), st.integers(0, 2**32 - 1))
def test_after_the_steps_that_count_stands_class_0(logits: Tensor, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(logits.shape[2] + 1, size=len(logits)).tolist()
    whole = best_path(logits).tolist()
    expected = [row[:length] + [0] * (len(row) - length) for row, length in zip(whole, lengths, strict=True)]
    assert best_path(logits, lengths).tolist() == expected


def test_best_classes_by_hand() -> None:
    logits = torch.tensor([[[0.0, 2.0, -1.0], [1.0, 2.0, -3.0], [0.5, 1.0, -0.5]]])
    assert best_path(logits).tolist() == [[1, 0, 2]]
    assert best_path(logits.requires_grad_()).tolist() == [[1, 0, 2]]


def test_values_that_float32_cannot_tell_apart_are_told_apart() -> None:
    logits = torch.tensor([[[1.0], [1.0 + 2.0**-50]]], dtype=torch.float64)
    assert best_path(logits).tolist() == [[1]]


@pytest.mark.parametrize("name", ["line_cnn_simple", "line_cnn", "line_cnn_lstm"])
def test_models_leave_the_classes_of_a_step_side_by_side(name: str) -> None:
    model = build_model(tiny_model(name, window_width=28, window_stride=20)).eval()
    with torch.inference_mode():
        logits = model(torch.zeros(2, 1, 28, 300), [5, 14])
    assert logits.stride(1) == 1
