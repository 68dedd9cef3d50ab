"""Log-probabilities of many lines, and their interpolation with intermediate ones."""

import pytest
import torch

from pipeline.common.vocabulary import EMNIST
from pipeline.decoding.posteriors import Posteriors
from pipeline.inference.posteriors import compute_posteriors
from tests.tiny import FP32, tiny_lines, tiny_settings

TEXTS = ["AB", "NA NA", "007", "hi B", "A"]


def test_each_line_gives_the_same_result_as_alone() -> None:
    torch.manual_seed(0)
    recognizer, lines = tiny_settings("line_cnn_lstm", "ctc").build(), tiny_lines(TEXTS)
    found = compute_posteriors(recognizer, lines, batch_size=2, compute=FP32)
    assert found.intermediate is None
    singly = compute_posteriors(recognizer, lines, batch_size=1, compute=FP32).log_probabilities
    after = torch.arange(singly.shape[2]) >= torch.tensor(found.lengths)[:, None]
    assert torch.equal(torch.isneginf(singly), after[:, None].expand_as(singly))
    assert found.lengths == recognizer.objective.lengths(recognizer.model.windows, lines.widths.tolist())
    for number, (width, length) in enumerate(zip(lines.widths.tolist(), found.lengths, strict=True)):
        image = torch.from_numpy(lines.images[number][None, :, :width].copy())
        with torch.inference_mode():
            logits, _ = recognizer.logits(image, [width])
        alone = logits[0].log_softmax(0)
        torch.testing.assert_close(found.log_probabilities[number, :, :length], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["line_cnn_lstm", "line_resnet_lookalikes"])
def test_intermediate_posteriors_come_from_the_intermediate_logits(name: str) -> None:
    torch.manual_seed(0)
    recognizer, lines = tiny_settings(name, "ctc", intermediate=True).build(), tiny_lines(TEXTS[:1])
    found = compute_posteriors(recognizer, lines, batch_size=1, compute=FP32, intermediate=True)
    assert found.intermediate is not None
    with torch.inference_mode():
        (inner, final), _ = recognizer.logits_by_depth(torch.from_numpy(lines.images[:]), lines.widths.tolist())
    torch.testing.assert_close(found.intermediate, inner.log_softmax(1), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.log_probabilities, final.log_softmax(1), rtol=0, atol=1e-5)


def test_interpolation_by_hand() -> None:
    final, inner = torch.tensor([[[0.9, 0.5], [0.1, 0.5]]]), torch.tensor([[[0.2, 0.5], [0.8, 0.5]]])
    interpolated = Posteriors(final.log(), [2], EMNIST, inner.log()).interpolate(0.5)
    # sqrt(0.9 * 0.2) = 0.42426 and sqrt(0.1 * 0.8) = 0.28284: 0.6 and 0.4 of their sum.
    torch.testing.assert_close(interpolated.log_probabilities.exp(), torch.tensor([[[0.6, 0.5], [0.4, 0.5]]]))
    assert (interpolated.lengths, interpolated.intermediate) == ([2], None)


def test_the_weight_is_that_of_the_intermediate_probabilities() -> None:
    final, inner = torch.tensor([[[16 / 17], [1 / 17]]]), torch.tensor([[[0.5], [0.5]]])
    interpolated = Posteriors(final.log(), [1], EMNIST, inner.log()).interpolate(0.25)
    # 16 to the power of 3/4 is 8: 8 to 1.
    torch.testing.assert_close(interpolated.log_probabilities.exp(), torch.tensor([[[8 / 9], [1 / 9]]]))


def test_steps_after_a_line_stay_impossible() -> None:
    values = torch.full((1, 3, 2), -torch.inf)
    values[:, :, 0] = torch.tensor([0.5, 0.25, 0.25]).log()
    interpolated = Posteriors(values, [1], EMNIST, values).interpolate(0.25).log_probabilities
    torch.testing.assert_close(interpolated, values)


def test_with_weight_0_nothing_changes() -> None:
    values = torch.rand(2, 3, 4).log_softmax(1)
    assert Posteriors(values, [4, 2], EMNIST, torch.rand(2, 3, 4)).interpolate(0.0).log_probabilities is values
