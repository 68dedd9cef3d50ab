import math
from collections.abc import Sequence
from itertools import groupby, product

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import BLANK, EMNIST, END, PADDING, START
from pipeline.objectives.ctc import CTC, required_steps

A, B = EMNIST.encode("AB").tolist()


def read_path(path: Sequence[int]) -> list[int]:
    """What an alignment says, by the definition."""
    return [label for label, _ in groupby(path) if label != BLANK]


def alignments(target: Sequence[int], steps: int) -> list[tuple[int, ...]]:
    """Every path of `steps` steps that says `target`; a path with any other class cannot."""
    return [path for path in product({BLANK, *target}, repeat=steps) if read_path(path) == list(target)]


def enumerated_loss(logits: Tensor, lengths: Sequence[int], texts: Sequence[str], wrap: bool = False) -> Tensor:
    losses = []
    for line, steps, text in zip(logits.double().softmax(1), lengths, texts, strict=True):
        target = [START, *EMNIST.encode(text).tolist(), END] if wrap else EMNIST.encode(text).tolist()
        paths = alignments(target, steps)
        total = sum((line[list(path), range(steps)].prod() for path in paths), torch.zeros(()).double())
        losses.append(-total.log() / max(len(target), 1) if paths else torch.zeros(()).double())
    return torch.stack(losses).mean()


def random_logits(lines: int, steps: int, seed: int = 0) -> Tensor:
    return 3 * torch.randn(lines, EMNIST.num_classes, steps, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("texts", "lengths"),
    [
        (["A"], [1]),
        (["A"], [4]),
        (["AB"], [5]),
        (["AA"], [5]),
        (["AAA"], [5]),
        (["ABA"], [5]),
        (["ABC"], [4]),
        (["ABCD"], [5]),
        (["AB", "B", "BB"], [5, 5, 5]),
        (["AB", "B", "BB"], [2, 5, 3]),
        (["AB", "AA"], [4, 2]),
        (["ABC", "A"], [2, 5]),
        (["", "A"], [3, 3]),
    ],
)
def test_loss_is_the_sum_over_all_alignments(texts: list[str], lengths: list[int]) -> None:
    logits = random_logits(len(texts), 5)
    loss = CTC(EMNIST, 6).loss(logits, lengths, texts)
    assert float(loss) == pytest.approx(float(enumerated_loss(logits, lengths, texts)), rel=1e-5, abs=1e-7)


def test_loss_of_a_wrapped_text_counts_its_two_tokens() -> None:
    logits = random_logits(2, 5)
    loss = CTC(EMNIST, 6, wrap=True).loss(logits, [5, 4], ["A", "AB"])
    assert float(loss) == pytest.approx(float(enumerated_loss(logits, [5, 4], ["A", "AB"], wrap=True)), rel=1e-5)
    assert float(loss) != pytest.approx(float(enumerated_loss(logits, [5, 4], ["A", "AB"])), rel=1e-2)


def test_a_line_that_no_alignment_fits_counts_zero_and_moves_nothing() -> None:
    logits = random_logits(2, 5).requires_grad_()
    CTC(EMNIST, 6).loss(logits, [2, 5], ["AA", "B"]).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad[0], torch.zeros(EMNIST.num_classes, 5))
    assert logits.grad[1].abs().max() > 0.01
    both = CTC(EMNIST, 6).loss(logits.detach(), [2, 5], ["AA", "AA"])
    second = CTC(EMNIST, 6).loss(logits.detach()[1:], [5], ["AA"])
    assert float(both) == pytest.approx(float(second) / 2)


def test_gradient_is_that_of_the_enumerated_loss() -> None:
    texts, lengths = ["AB", "BB", "A"], [4, 5, 2]
    logits = random_logits(3, 5).requires_grad_()
    (gradient,) = torch.autograd.grad(CTC(EMNIST, 6).loss(logits, lengths, texts), logits)
    (expected,) = torch.autograd.grad(enumerated_loss(logits, lengths, texts), logits)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(gradient[0, :, 4:], torch.zeros(EMNIST.num_classes, 1))


def test_logits_of_half_precision_lose_nothing_in_the_loss() -> None:
    logits = random_logits(1, 5).bfloat16()
    assert float(CTC(EMNIST, 6).loss(logits, [5], ["AB"])) == float(CTC(EMNIST, 6).loss(logits.float(), [5], ["AB"]))


def test_decode_takes_the_best_class_of_each_step() -> None:
    best = [[A, A, BLANK, A, B, B], [BLANK, B, A, A, A, B]]
    logits = torch.randn(2, EMNIST.num_classes, 6, generator=torch.Generator().manual_seed(0))
    for line, row in enumerate(best):
        logits[line, row, range(6)] = 10
    objective = CTC(EMNIST, 4)
    assert objective.decode(logits, [6, 6]).tolist() == [[A, A, B, PADDING], [B, A, B, PADDING]]
    assert objective.decode(logits, [3, 5]).tolist() == [[A] + [PADDING] * 3, [B, A, PADDING, PADDING]]
    assert CTC(EMNIST, 2).decode(logits, [6, 6]).tolist() == [[A, A], [B, A]]


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("text", ["".join(t) for n in range(1, 4) for t in product("AB", repeat=n)])
def test_required_steps_are_the_fewest_that_any_alignment_has(text: str, wrap: bool) -> None:
    target = [START, *EMNIST.encode(text).tolist(), END] if wrap else EMNIST.encode(text).tolist()
    fewest = next(steps for steps in range(1, 9) if alignments(target, steps))
    assert required_steps(text, wrap=wrap) == fewest


def test_blank_share_counts_the_steps_of_each_line_alone() -> None:
    logits = torch.zeros(2, EMNIST.num_classes, 4)
    for line, row in enumerate([[BLANK, A, BLANK, BLANK], [BLANK, B, BLANK, BLANK]]):
        logits[line, row, range(4)] = 1
    # Line 0 has 3 steps with 2 blanks, line 1 has 2 steps with 1 blank.
    assert float(CTC(EMNIST, 4).statistics(logits, [3, 2])["blank_share"]) == pytest.approx(3 / 5)
    assert float(CTC(EMNIST, 4).statistics(logits, [4, 4])["blank_share"]) == pytest.approx(6 / 8)


@pytest.mark.parametrize(("width", "steps"), [(1, 1), (20, 1), (21, 2), (40, 2), (41, 3), (896, 45)])
def test_a_line_has_the_steps_that_begin_on_it(width: int, steps: int) -> None:
    assert CTC(EMNIST, 8).lengths(Windows(28, 20), [width, 20]) == [steps, 1]


def test_encode_wraps_where_asked() -> None:
    plain, wrapped = CTC(EMNIST, 5).encode(["AB", "A"]), CTC(EMNIST, 5, wrap=True).encode(["AB", "A"])
    assert plain.dtype == wrapped.dtype == torch.int64
    assert plain.tolist() == [[A, B, PADDING, PADDING, PADDING], [A, PADDING, PADDING, PADDING, PADDING]]
    assert wrapped.tolist() == [[START, A, B, END, PADDING], [START, A, END, PADDING, PADDING]]
    with pytest.raises(ValueError, match="'ABAB' needs 6 positions, more than 5"):
        CTC(EMNIST, 5, wrap=True).encode(["ABAB"])


def test_the_loss_of_all_classes_alike_by_hand() -> None:
    logits = random_logits(2, 4)
    columns = [(0, 0), (0, 1), (0, 2), (1, 0)]  # of 3 steps and of 1
    surprises = [-math.log(p) for line, step in columns for p in logits[line, :, step].double().softmax(0).tolist()]
    expected = sum(surprises) / len(surprises)
    assert float(CTC(EMNIST, 4).uniform_loss(logits, [3, 1])) == pytest.approx(expected, rel=1e-6)
    assert float(CTC(EMNIST, 4).uniform_loss(torch.zeros(1, EMNIST.num_classes, 3), [2])) == pytest.approx(
        math.log(EMNIST.num_classes)
    )


def test_the_oracle_counts_alignments_right() -> None:
    # Of S steps, n different labels can be written in C(S + n, 2 n) ways.
    assert len(alignments([A, B], 5)) == 35
    assert len(alignments([A], 5)) == 15
    assert np.sum([len(alignments([A, A], steps)) for steps in (2, 3, 4)]) == 0 + 1 + 5
