from itertools import groupby

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.common.vocabulary import BLANK, EMNIST, PADDING
from pipeline.decoding.greedy import best_path, collapse
from pipeline.models.registry import build_model
from tests.tiny import tiny_model


@st.composite
def many_logits(draw: st.DrawFn) -> Tensor:
    """Logits (B, C, S) with many equal values, in either memory layout."""
    steps = draw(st.integers(1, 3))
    count = draw(st.integers(0, 4) | st.integers(1000, 3000))
    classes = draw(st.integers(1, 19))
    seed = draw(st.integers(0, 2**32 - 1))
    logits = torch.randint(-2, 3, (count, steps, classes), generator=torch.Generator().manual_seed(seed)).float()
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
    transposed = logits.to(dtype).transpose(1, 2)
    return draw(st.sampled_from([transposed, transposed.contiguous()]))


@given(many_logits())
def test_each_step_has_the_first_of_its_best_classes(logits: Tensor) -> None:
    path = best_path(logits)
    assert path.dtype == torch.int64
    assert path.shape == (len(logits), logits.shape[2])
    columns = [column for line in logits.transpose(1, 2).tolist() for column in line]
    assert path.flatten().tolist() == [column.index(max(column)) for column in columns]


@given(many_logits(), st.integers(0, 2**32 - 1))
def test_steps_after_a_line_are_blank(logits: Tensor, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(logits.shape[2] + 1, size=len(logits)).tolist()
    whole = best_path(logits).tolist()
    expected = [row[:length] + [BLANK] * (len(row) - length) for row, length in zip(whole, lengths, strict=True)]
    assert best_path(logits, lengths).tolist() == expected


def test_best_classes_by_hand() -> None:
    logits = torch.tensor([[[0.0, 2.0, -1.0], [1.0, 2.0, -3.0], [0.5, 1.0, -0.5]]])
    assert best_path(logits).tolist() == [[1, 0, 2]]
    assert best_path(logits.requires_grad_()).tolist() == [[1, 0, 2]]


def test_float64_values_that_float32_cannot_distinguish() -> None:
    logits = torch.tensor([[[1.0], [1.0 + 2.0**-50]]], dtype=torch.float64)
    assert best_path(logits).tolist() == [[1]]


@pytest.mark.parametrize("name", ["line_cnn_simple", "line_cnn", "line_cnn_lstm"])
def test_models_keep_the_classes_of_a_step_side_by_side_in_memory(name: str) -> None:
    model = build_model(tiny_model(name, window_width=28, window_stride=20), EMNIST.num_classes).eval()
    with torch.inference_mode():
        logits = model(torch.zeros(2, 1, 28, 300), [5, 14])
    assert logits.stride(1) == 1


@st.composite
def paths(draw: st.DrawFn) -> tuple[list[list[int]], int]:
    steps = draw(st.integers(1, 12))
    rows = draw(st.lists(st.lists(st.integers(0, 5), min_size=steps, max_size=steps), min_size=1, max_size=4))
    return rows, draw(st.integers(1, 8))


@given(paths())
def test_collapse_matches_the_definition(case: tuple[list[list[int]], int]) -> None:
    rows, max_length = case
    collapsed = [[label for label, _ in groupby(row) if label != BLANK][:max_length] for row in rows]
    expected = [row + [PADDING] * (max_length - len(row)) for row in collapsed]
    assert collapse(torch.tensor(rows), max_length).tolist() == expected
