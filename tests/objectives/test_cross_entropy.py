import math

import pytest
import torch

from pipeline.common.geometry import Windows
from pipeline.common.vocabulary import EMNIST, END, PADDING, START
from pipeline.objectives.cross_entropy import CrossEntropy

A, B = EMNIST.encode("AB").tolist()


def test_loss_is_the_mean_over_every_position_and_padding() -> None:
    logits = torch.zeros(2, EMNIST.num_classes, 3)
    logits[0, A, 0] = math.log(18)  # a share of 18 in 100
    logits[1, PADDING, 2] = math.log(918)  # a share of 918 in 1000
    positions = [18 / 100, 1 / 83, 1 / 83, 1 / 83, 1 / 83, 918 / 1000]
    expected = -sum(math.log(share) for share in positions) / 6
    assert float(CrossEntropy(EMNIST, 3).loss(logits, [3, 3], ["AB", "B"])) == pytest.approx(expected, rel=1e-6)


def test_loss_is_that_of_each_position_by_itself() -> None:
    logits = torch.randn(3, EMNIST.num_classes, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    objective = CrossEntropy(EMNIST, 5, wrap=True)
    texts = ["A", "ABA", ""]
    total = 0.0
    for line, row in zip(logits.tolist(), objective.encode(texts).tolist(), strict=True):
        for position, label in enumerate(row):
            column = [scores[position] for scores in line]
            total += math.log(sum(math.exp(score) for score in column)) - column[label]
    assert float(objective.loss(logits, [5] * 3, texts)) == pytest.approx(total / 15, rel=1e-6)


def test_gradient_is_softmax_less_the_target() -> None:
    logits = torch.randn(2, EMNIST.num_classes, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    objective = CrossEntropy(EMNIST, 4)
    objective.loss(logits, [4, 4], ["AB", "BBAA"]).backward()
    wanted = torch.nn.functional.one_hot(objective.encode(["AB", "BBAA"]), EMNIST.num_classes).transpose(1, 2)
    torch.testing.assert_close(logits.grad, (logits.detach().softmax(1) - wanted) / 8)


def test_steps_that_are_not_positions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(88\).*\(64\)"):
        CrossEntropy(EMNIST, 32).loss(torch.zeros(2, EMNIST.num_classes, 44), [44, 44], ["A", "B"])


def test_decode_is_the_best_class_of_each_position() -> None:
    logits = torch.randn(2, EMNIST.num_classes, 3, generator=torch.Generator().manual_seed(0))
    best = [[A, A, PADDING], [B, START, PADDING]]
    for line, row in enumerate(best):
        logits[line, row, range(3)] = 10
    assert CrossEntropy(EMNIST, 3).decode(logits, [3, 3]).tolist() == best


def test_every_line_has_all_positions() -> None:
    assert CrossEntropy(EMNIST, 7).lengths(Windows(28, 20), [1, 56, 900]) == [7, 7, 7]


def test_encode_pads_and_wraps() -> None:
    assert CrossEntropy(EMNIST, 4).encode(["AB", ""]).tolist() == [[A, B, PADDING, PADDING], [PADDING] * 4]
    assert CrossEntropy(EMNIST, 4, wrap=True).encode(["AB", ""]).tolist() == [
        [START, A, B, END],
        [START, END, PADDING, PADDING],
    ]


def test_it_has_no_statistics() -> None:
    assert CrossEntropy(EMNIST, 3).statistics(torch.zeros(2, EMNIST.num_classes, 3), [3, 3]) == {}


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_smoothing_is_pytorchs(share: float) -> None:
    objective, texts = CrossEntropy(EMNIST, 4), ["AB", "BBAA"]
    logits = torch.randn(2, EMNIST.num_classes, 4, generator=torch.Generator().manual_seed(0))
    smoothed = torch.lerp(objective.loss(logits, [4, 4], texts), objective.uniform_loss(logits, [4, 4]), share)
    expected = torch.nn.functional.cross_entropy(logits, objective.encode(texts), label_smoothing=share)
    torch.testing.assert_close(smoothed, expected)
