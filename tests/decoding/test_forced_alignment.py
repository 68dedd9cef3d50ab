import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, EMNIST
from pipeline.decoding.forced_alignment import align_lines, align_steps, window_centers
from pipeline.decoding.posteriors import Posteriors
from tests.decoding.enumeration import all_paths, collapse_text, noise_steps


def peaks(path: tuple[int, ...], steps: np.ndarray) -> list[int]:
    """The likeliest step of each run of a path that writes something."""
    runs: list[list[int]] = []
    for step, c in enumerate(path):
        if c != BLANK and (step == 0 or path[step - 1] != c):
            runs.append([])
        if c != BLANK:
            runs[-1].append(step)
    return [max(run, key=lambda step: steps[path[step], step]) for run in runs]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), length=st.integers(1, 6), text=st.text("ab", max_size=4))
def test_the_alignment_is_the_most_likely_of_all(seed: int, length: int, text: str) -> None:
    steps = noise_steps(seed, length, "ab")
    fitting = {path: p for path, p in all_paths(steps, "ab").items() if collapse_text(path) == text}
    expected = peaks(max(fitting, key=lambda path: fitting[path]), steps) if fitting else []
    found = align_steps(torch.from_numpy(steps[None]), [length], [text], EMNIST)
    assert found == [expected]


def test_lines_of_all_lengths_are_aligned_as_if_each_were_alone() -> None:
    texts = ["a", "ab", "", "ba b", "aab", "bbb"]
    lengths = [3, 6, 2, 8, 5, 7]
    values = np.zeros((len(texts), EMNIST.num_classes, 8))
    for number, length in enumerate(lengths):
        values[number, :, :length] = noise_steps(number, length, "ab ")
    tensor = torch.from_numpy(values)
    alone = [
        align_steps(tensor[n : n + 1, :, :length], [length], [texts[n]], EMNIST)[0] for n, length in enumerate(lengths)
    ]
    assert align_lines(Posteriors(tensor, lengths, EMNIST), texts) == alone
    assert [len(steps) for steps in alone] == [1, 2, 0, 4, 3, 3]


def test_the_step_of_a_run_is_the_one_with_the_highest_probability() -> None:
    (a,) = map(int, EMNIST.encode("a"))
    values = np.full((EMNIST.num_classes, 4), np.log(1e-6))
    values[a] = np.log([0.6, 0.9, 0.7, 0.1])
    values[BLANK] = np.log([0.1, 0.1, 0.1, 0.8])
    assert align_steps(torch.from_numpy(values[None]), [4], ["a"], EMNIST) == [[1]]


def test_columns_are_the_centers_of_windows() -> None:
    assert window_centers([0, 3], Windows(28, 18)) == [14, 68]


@pytest.mark.parametrize("text", ["aa", "aba"])
def test_a_text_that_no_alignment_fits_has_no_steps(text: str) -> None:
    assert align_steps(torch.from_numpy(noise_steps(0, 2, "ab")[None]), [2], [text], EMNIST) == [[]]
