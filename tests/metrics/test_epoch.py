import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.epoch import EpochMetrics
from pipeline.metrics.error_rates import SUMS
from tests.metrics.test_error_rates import PAIRS, encode_texts, rates


def test_padding_read_as_a_blank_is_a_fault_of_accuracy_alone() -> None:
    metric = EpochMetrics()
    metric.update(["a"], ["a"], torch.tensor([[40, 0, 0, 3]]), torch.tensor([[40, 3, 3, 3]]))
    assert metric.compute() == {
        "cer": 0.0,
        "cer_lab": 0.0,
        "wer": 0.0,
        "exact": 1.0,
        "accuracy": 0.5,
        "accuracy_text": 1.0,
    }


@given(PAIRS, st.integers(1, 5))
def test_batches_add_up_to_the_whole(pairs: list[tuple[str, str]], batch: int) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    assert rates(predictions, targets, batch) == pytest.approx(rates(predictions, targets))


def test_devices_add_up_to_the_whole() -> None:
    first, second, whole = EpochMetrics(), EpochMetrics(), EpochMetrics()
    for metric, texts in ((first, ["ab"]), (second, ["cd", "e"]), (whole, ["ab", "cd", "e"])):
        predictions = ["x" * len(text) for text in texts]
        metric.update(predictions, texts, encode_texts(predictions), encode_texts(texts))
    others = iter([getattr(second, name) for name in SUMS])
    first.sync(lambda own, group: [own, next(others)], distributed_available=lambda: True)
    assert [float(getattr(first, name)) for name in SUMS] == [float(getattr(whole, name)) for name in SUMS]


def test_reset_forgets_every_line() -> None:
    metric = EpochMetrics()
    metric.update(["x"], ["ab"], encode_texts(["x"]), encode_texts(["ab"]))
    metric.reset()
    metric.update(["ab"], ["ab"], encode_texts(["ab"]), encode_texts(["ab"]))
    assert metric.compute()["cer"] == 0
    assert float(metric.lines) == 1
